"""The most memory that a process has had resident, as Linux counts it (VmHWM)."""

import re
from pathlib import Path


def peak_megabytes(pid: int) -> float:
    """Since the process began, or since it was forgotten."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def forget_peak(pid: int) -> None:
    """Lets the most memory be counted from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
