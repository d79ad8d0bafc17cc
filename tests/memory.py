"""The peak resident memory of a process, as Linux counts it (VmHWM)."""

import re
from pathlib import Path


def peak_megabytes(pid: int) -> float:
    """Returns the peak since the process started or since `forget_peak`."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def forget_peak(pid: int) -> None:
    """Restarts the count of the peak."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
