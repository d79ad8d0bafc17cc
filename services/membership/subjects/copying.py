"""The copy of a member's data: what membership keeps, and the workbook of what all services gave."""

import json
from collections.abc import Sequence
from uuid import UUID

from openpyxl import Workbook
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.events.subjects import ASKED, MOST_ROWS, SubjectPart, SubjectSheet
from services.kit.documents.sheet_cells import heading_row, saved, text_row
from services.kit.schemas import schema_of
from services.membership.applications.own_data import SHEETS
from services.membership.models import Member, SubjectCopy
from services.membership.subjects.answers import OWN

_ON_THE_DOCUMENT = ("性别", "出生日期")
_SHEETS = schema_of(SubjectSheet)(many=True)


def sheets_of(session: Session, member: Member) -> list[SubjectSheet]:
    """What membership keeps, as on the phone: numbers are masked, for they stand whole on the documents themselves.

    Birth date and sex are held back: they would complete a masked number for who hands the copy over.
    """
    return [
        SubjectSheet(
            title=title,
            headings=list(headings),
            rows=[_held_back(row) for row in list(rows_of(session, member))[:MOST_ROWS]],
        )
        for title, headings, rows_of in SHEETS
    ]


def _held_back(row: Sequence[str]) -> list[str]:
    return [row[0], "见本人证件"] if row[0] in _ON_THE_DOCUMENT else list(row)


def parts_of(session: Session, member: Member) -> list[SubjectPart]:
    """How many records of each kind membership keeps."""
    return [SubjectPart(title=one.title, rows=len(one.rows)) for one in sheets_of(session, member)]


def workbook(session: Session, request_id: UUID) -> bytes:
    """The copy: the sheets of all services, in their order; one that is empty says so."""
    copies = session.scalars(select(SubjectCopy).where(SubjectCopy.request_id == request_id)).all()
    by_service = {one.service: one.sheets for one in copies}
    book = Workbook(write_only=True)
    for service in (OWN, *ASKED):
        sheets: Sequence[SubjectSheet] = _SHEETS.load(json.loads(by_service.get(service, "[]")))
        for one in sheets:
            sheet = book.create_sheet(one.title)
            sheet.append(heading_row(sheet, one.headings))
            for row in one.rows or [["没有记录"]]:
                sheet.append(text_row(sheet, row))
    return saved(book)
