"""The rows that a benchmark comes to, and docs/benchmarks.md made of them."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import psutil

from deploy.local.environment import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
_HEADINGS = ("What", "Floor or peer", "Ours", "Ratio", "Target", "Met", "Command")


@dataclass(frozen=True)
class Row:
    """One figure of ours against what it is measured by; `is_met` None where nothing is aimed at."""

    what: str
    compared: str
    ours: str
    ratio: str
    target: str
    is_met: bool | None

    def cells(self, command: str) -> tuple[str, ...]:
        """The row as the table shows it."""
        met = {True: "yes", False: "**no**", None: "–"}[self.is_met]
        return self.what, self.compared, self.ours, self.ratio, self.target, met, command


@dataclass(frozen=True)
class Report:
    """What one part of the benchmark came to, and how it was measured."""

    part: str
    title: str
    rows: Sequence[Row]
    how: str


def table(reports: Iterable[Report]) -> str:
    """All rows as a Markdown table."""
    rows = [row.cells(f"`{_command(report.part)}`") for report in reports for row in report.rows]
    lines = [_HEADINGS, tuple("---" for _ in _HEADINGS), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def document(reports: Sequence[Report], database_version: str, broker_version: str, minutes: float) -> str:
    """The whole of docs/benchmarks.md."""
    made_with = ", ".join(
        [
            f"{os.cpu_count()} cores",
            f"{psutil.virtual_memory().total / 2**30:.0f} GiB of memory",
            f"Python {platform.python_version()}",
            f"PostgreSQL {database_version}",
            f"RabbitMQ {broker_version}",
            *(f"{name} {version(name)}" for name in ("nameko", "kombu", "psycopg", "SQLAlchemy", "faststream")),
        ]
    )
    sections = "".join(f"\n## {report.title}\n\n{report.how.strip()}\n" for report in reports)
    return (
        "# Benchmarks\n\n"
        f"Made by `make bench` on {datetime.now(UTC):%Y-%m-%d} in {minutes:.0f} minutes; another run writes it anew.\n"
        f"Machine: {made_with}.\n"
        "Nodes, product, simulators and measurement shared them; PostgreSQL waited for the disk at each commit.\n"
        "Floor or peer and ours ran in turn; figures are medians, in brackets the span.\n\n"
        f"{table(reports)}{sections}"
    )


def _command(part: str) -> str:
    return f"python -m tests.bench --only {part}"
