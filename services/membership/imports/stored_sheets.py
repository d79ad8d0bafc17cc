"""The sheets of an import's file as stored: the report on each, what was skipped, and which were chosen."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

from services.contracts.operations.membership.imports import ImportSheet, NotRead
from services.kit.schemas import as_dict, schema_of
from services.membership.imports.sheet_reader import SheetReport
from services.membership.models import ImportJob


@dataclass(frozen=True, kw_only=True)
class StoredSheet(ImportSheet):
    """A sheet with the titles of all non-empty columns, also of unrecognized ones."""

    IGNORES_UNKNOWN: ClassVar[bool] = True

    titles: list[str]

    def answer(self) -> ImportSheet:
        """The sheet in the form of answers."""
        return ImportSheet(**{name: value for name, value in vars(self).items() if name != "titles"})


_SHEETS = schema_of(StoredSheet)(many=True)


def stored_sheets(job: ImportJob) -> list[StoredSheet]:
    """The sheets of the file, in its order; none until it is read."""
    sheets: list[StoredSheet] = _SHEETS.load(json.loads(job.sheets or "[]"))
    return sheets


def store_sheets(job: ImportJob, sheets: Sequence[StoredSheet]) -> None:
    """Stores these sheets in place of the former ones."""
    job.sheets = json.dumps([as_dict(sheet) for sheet in sheets], ensure_ascii=False)


def sheet_to_store(report: SheetReport, titles: Iterable[str]) -> StoredSheet:
    """A sheet that was just read, without a choice."""
    found = {**asdict(report), "not_read": [NotRead(**asdict(one)) for one in report.not_read]}
    return StoredSheet(**found, titles=list(titles), is_chosen=None)
