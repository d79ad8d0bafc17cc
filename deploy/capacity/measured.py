"""What was measured for the capacity table, kept in measured.json by `python -m tests.bench --only work disk`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("measured.json")


@dataclass(frozen=True)
class Measured:
    """The figures."""

    milliseconds: Mapping[str, Mapping[str, float]]
    """Processor time by kind of work and program: of a page read, a member checked, a member issued a card."""
    memory: Mapping[str, tuple[int, int]]
    """Mebibytes of a process by program: at rest, and its peak."""
    disk: Mapping[int, Mapping[str, int]]
    """Bytes of each service's database after a year, by the number of members."""


def read() -> Measured:
    """Returns what was measured last."""
    kept = json.loads(_FILE.read_text())
    memory = {program: (at_rest, peak) for program, (at_rest, peak) in kept["memory"].items()}
    return Measured(kept["milliseconds"], memory, {int(members): sizes for members, sizes in kept["disk"].items()})


def keep(**figures: Any) -> None:
    """Keeps newly measured figures in place of the former ones of the same names."""
    kept = json.loads(_FILE.read_text()) if _FILE.exists() else {}
    _FILE.write_text(json.dumps({**kept, **figures}, indent=1, sort_keys=True) + "\n")


def keep_disk(found: Mapping[int, Mapping[str, int]]) -> None:
    """Keeps the bytes of services by the number of members, beside what was measured for other numbers."""
    keep(disk={**read().disk, **found})
