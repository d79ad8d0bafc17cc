"""The rows of an import's preview: the first of each sheet, and the first invalid ones; masked."""

import json
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.contracts.masks import mask_document, mask_numbers, mask_phone, mask_sex
from services.contracts.operations.membership.imports import ImportPreviewAnswer, PreviewedRow
from services.membership.imports.headings import HEADINGS
from services.membership.models import ImportRow

_FIRST = 5
"""Rows shown of each sheet."""
_WRONG = 20
"""Invalid rows shown."""

_MASKS = {
    "证件号码": mask_document,
    "联系电话": mask_phone,
    # Birth date and sex are only shown beside a whole number.
    "出生日期": lambda text: "*" * min(len(text), 10),
    "性别": mask_sex,
}


def previewed_rows(session: Session, import_id: UUID) -> ImportPreviewAnswer:
    """The rows of a preview, which does not reveal who is a member already."""
    place = func.row_number().over(partition_by=ImportRow.sheet_no, order_by=ImportRow.row_no)
    placed = select(ImportRow.row_no, place.label("place")).where(ImportRow.import_id == import_id).subquery()
    of_import = select(ImportRow).where(ImportRow.import_id == import_id).order_by(ImportRow.row_no)
    first = session.scalars(of_import.join(placed, placed.c.row_no == ImportRow.row_no).where(placed.c.place <= _FIRST))
    wrong = session.scalars(of_import.where(ImportRow.state == "wrong").limit(_WRONG))
    return ImportPreviewAnswer(rows=[_shown(row) for row in first], wrong=[_shown(row) for row in wrong])


def _shown(row: ImportRow) -> PreviewedRow:
    cells, is_wrong = json.loads(row.cells), row.state == "wrong"
    return PreviewedRow(
        sheet_no=row.sheet_no,
        line_no=row.line_no,
        cells={heading: _masked(heading, cells[heading]) for heading in HEADINGS if heading in cells},
        verdict="wrong" if is_wrong else "new",
        reason=row.reason if is_wrong else None,
        warning=row.warning,
    )


def _masked(heading: str, text: str) -> str:
    return _MASKS[heading](text) if heading in _MASKS else mask_numbers(text)
