"""Turns the rows of a bank's file into documents of feedback, which are then judged as those that come as messages."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from services.contracts.external.bank import LARGEST_FEEDBACK
from services.contracts.external.bank_files import CARDS, OUTCOME_WORDS, RESULTS
from services.contracts.shared import CARD_STEP_WORDS
from services.contracts.values import SHANGHAI
from services.kit.data.encryption import blind_index
from services.kit.events.outbox import to_json
from services.kit.sheets.forms import FilledRow
from services.kit.text import InvalidValue, clean_compatible

_MOMENT = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?[ T]+(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})(?:\.\d+)?秒?|分)?"
)
_FILLED_IN_BY_US = frozenset({"batch_no", "application_id", "member_no"})
_OUTCOMES = {word: outcome for outcome, word in OUTCOME_WORDS.items()}
_STEPS = {word: step for step, word in CARD_STEP_WORDS.items()}


@dataclass(frozen=True)
class WrongRow:
    """A row that cannot be read: its heading, and why, in Chinese."""

    row: FilledRow
    heading: str
    reason: str


@dataclass(frozen=True)
class Documents:
    """Documents of feedback, each with the rows of its lines; rows that cannot be read, and those without a result."""

    read: list[tuple[dict[str, Any], Sequence[FilledRow]]] = field(default_factory=list)
    wrong: list[WrongRow] = field(default_factory=list)
    skipped: int = 0


class _Envelope(NamedTuple):
    """What the lines of one document share."""

    lines_name: str
    batch_no: str | None = None
    processed_at: str | None = None


_Line = tuple[FilledRow, dict[str, str]]


class _Unreadable(ValueError):
    """A cell cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name, self.reason = name, reason


def documents_of(rows: Iterable[FilledRow]) -> Documents:
    """The documents of feedback in the rows: results by batch and time, and reports on cards.

    The same rows always make the same documents, so that a file that is uploaded again is a repetition.
    """
    lines: dict[_Envelope, list[_Line]] = {}
    wrong, skipped = [], 0
    for row in rows:
        if row.form is RESULTS and not row.cells.keys() - _FILLED_IN_BY_US:
            skipped += 1
            continue
        try:
            envelope, line = _read(row)
        except _Unreadable as error:
            wrong.append(WrongRow(row, row.form.headings[error.name], error.reason))
        else:
            lines.setdefault(envelope, []).append((row, line))
    read = [document for envelope, found in lines.items() for document in _documents(envelope, found)]
    return Documents(read, wrong, skipped)


def _documents(envelope: "_Envelope", lines: Sequence["_Line"]) -> Iterator[tuple[dict[str, Any], Sequence[FilledRow]]]:
    """The documents of one envelope, each with as many lines as a feedback may have."""
    of_batch = {"batch_no": envelope.batch_no, "processed_at": envelope.processed_at} if envelope.batch_no else {}
    for at in range(0, len(lines), LARGEST_FEEDBACK):
        part = lines[at : at + LARGEST_FEEDBACK]
        content = {**of_batch, envelope.lines_name: [line for _, line in part]}
        digest = blind_index(to_json(content).decode(), "bank_result_file").hex()
        yield {"feedback_id": f"file-{digest}", **content}, [row for row, _ in part]


def _read(row: FilledRow) -> tuple["_Envelope", dict[str, str]]:
    """The line of a row, and what it shares with others; raises _Unreadable."""
    for name in row.form.required:
        if name not in row.cells:
            raise _Unreadable(name, "请填写")
    readers = _READERS[row.form.title]
    line = {name: readers.get(name, _text)(name, cell) for name, cell in row.cells.items()}
    if row.form is CARDS:
        return _Envelope("cards"), line
    return _Envelope("results", line.pop("batch_no"), line.pop("processed_at")), line


def _text(_name: str, cell: str) -> str:
    return cell


def _compact(name: str, cell: str) -> str:
    """A number or id of half width, without the spaces that people type."""
    return _plain(name, cell).replace(" ", "")


def _plain(name: str, cell: str) -> str:
    try:
        return clean_compatible(cell)
    except InvalidValue as error:
        raise _Unreadable(name, str(error)) from error


def _moment(name: str, cell: str) -> str:
    """The moment in ISO 8601; raises _Unreadable."""
    text = _plain(name, cell)
    try:
        if found := _MOMENT.fullmatch(text):
            year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=SHANGHAI).isoformat()
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _Unreadable(name, "应为日期和时间，如 2026-11-24 10:05")
    return moment.isoformat()


def _one_of(words: Mapping[str, str]) -> Callable[[str, str], str]:
    def read(name: str, cell: str) -> str:
        found = words.get(_compact(name, cell))
        if found is None:
            raise _Unreadable(name, f"应为：{'、'.join(words)}")
        return found

    return read


_READERS: Mapping[str, Mapping[str, Callable[[str, str], str]]] = {
    RESULTS.title: {
        **dict.fromkeys(("batch_no", "application_id", "member_no", "card_no"), _compact),
        "outcome": _one_of(_OUTCOMES),
        "processed_at": _moment,
    },
    CARDS.title: {
        **dict.fromkeys(("card_no", "new_card_no", "application_id", "member_no"), _compact),
        "step": _one_of(_STEPS),
        "happened_at": _moment,
    },
}
