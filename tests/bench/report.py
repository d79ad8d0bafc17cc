"""The result rows of a benchmark, and docs/benchmarks.md, where each part has a section with its own date."""

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import psutil

from deploy.local.environment import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
_HEADINGS = ("What", "Floor or peer", "Ours", "Ratio", "Target", "Met", "Command")
_MISSED = "**no**"
_HEAD = """# Benchmarks

Made by `make bench`. A part that is measured again, as by `python -m tests.bench --only pages`, replaces its section;
each names its date and machine. Nodes, product, simulators and measurement shared the machine; PostgreSQL
waited for the disk at each commit. Ours and the floor or peer ran in turn; figures are medians, with the span in
brackets.

"""


@dataclass(frozen=True)
class Row:
    """One of our figures against a floor or peer; `is_met` is None without a target."""

    what: str
    compared: str
    ours: str
    ratio: str
    target: str
    is_met: bool | None

    def cells(self, command: str) -> tuple[str, ...]:
        """Returns the row's cells in the table."""
        met = {True: "yes", False: _MISSED, None: "–"}[self.is_met]
        return self.what, self.compared, self.ours, self.ratio, self.target, met, command


@dataclass(frozen=True)
class Report:
    """The result of one part of the benchmark, and how it was measured."""

    part: str
    title: str
    rows: Sequence[Row]
    how: str


def table(report: Report) -> str:
    """Returns the rows as a Markdown table."""
    rows = [row.cells(f"`{_command(report.part)}`") for row in report.rows]
    lines = [_HEADINGS, tuple("---" for _ in _HEADINGS), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def made_with(database_version: str, broker_version: str) -> str:
    """Returns a description of the machine and the versions."""
    packages = ("nameko", "kombu", "psycopg", "SQLAlchemy", "faststream")
    return ", ".join(
        [
            f"{os.cpu_count()} cores",
            f"{psutil.virtual_memory().total / 2**30:.0f} GiB of memory",
            f"Python {platform.python_version()}",
            f"PostgreSQL {database_version}",
            f"RabbitMQ {broker_version}",
            *(f"{name} {version(name)}" for name in packages),
        ]
    )


def section(report: Report, machine: str, seconds: float) -> str:
    """Returns the text of a part's section."""
    when = f"Measured on {datetime.now(UTC):%Y-%m-%d} in {seconds:.0f} s on {machine}."
    return f"{when}\n\n{table(report)}\n{report.how.strip()}\n"


def failure(error: BaseException, before: str | None) -> str:
    """Returns the section of a part that could not be measured, with its former content."""
    said = f"**The run of {datetime.now(UTC):%Y-%m-%d} failed: {type(error).__name__}.**"
    return "\n\n".join(part for part in (said, _without_failure(before or "")) if part).rstrip() + "\n"


def sections_of(document: str) -> dict[str, str]:
    """Returns the text under each heading."""
    found = re.split(r"^## (.+)\n", document, flags=re.MULTILINE)[1:]
    return {title: text.strip() + "\n" for title, text in zip(found[::2], found[1::2], strict=True)}


def document(sections: Mapping[str, str], titles: Iterable[str]) -> str:
    """Returns the whole of docs/benchmarks.md, its parts in the order of the titles."""
    parts = [f"## {title}\n\n{sections[title]}" for title in titles if title in sections]
    return _HEAD + _summary(sections.values()) + "\n" + "\n".join(parts)


def _summary(sections: Iterable[str]) -> str:
    rows = [line.split(" | ") for text in sections for line in text.splitlines() if line.startswith("| ")]
    missed = [f"{cells[0].removeprefix('| ')} ({cells[3]})" for cells in rows if len(cells) > 5 and cells[5] == _MISSED]
    met = sum(1 for cells in rows if len(cells) > 5 and cells[5] == "yes")
    return f"Targets met: {met}. Targets missed: {len(missed)}{': ' if missed else ''}{'; '.join(missed)}.\n"


def _without_failure(text: str) -> str:
    return re.sub(r"\A\*\*The run of .*?\*\*\s*", "", text)


def _command(part: str) -> str:
    return f"python -m tests.bench --only {part}"
