"""The workbooks that a branch gets: a batch with the sheets to fill in, a recall, the receipt of its results."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from openpyxl import Workbook

from services.batching.models import BankResultFile, Batch
from services.batching.pending.persons import facts_of
from services.batching.register.register import CHANNEL_NAMES, DOCUMENT_NAMES, expiry_text
from services.contracts.external import bank_files
from services.contracts.operations.bank_files import RejectedLines
from services.contracts.values import nationality_title, to_the_minute
from services.kit.documents.sheet_cells import heading_row, saved, text_row
from services.kit.sheets.forms import Form

_AT_ONCE = 100
_WIDTH = 24


def batch_workbook(batch: Batch, persons: Sequence[Any], *, repeated: bool) -> bytes:
    """A batch with its persons as they were submitted, and the sheets on which the bank answers, with their keys."""
    book = Workbook(write_only=True)
    _add_facts(book, batch, repeated)
    applicants = _sheet(book, bank_files.APPLICANTS_SHEET, bank_files.APPLICANT_HEADINGS.values())
    _append(applicants, (_applicant(one) for one in persons))
    results = _form(book, bank_files.RESULTS)
    _append(results, ((batch.batch_no, str(one.application_id), one.member_no) for one in persons))
    _form(book, bank_files.CARDS)
    _add_notes(book)
    return saved(book)


def recall_workbook(batch: Batch, released: Sequence[Any], *, repeated: bool) -> bytes:
    """The applicants of a batch whose cards the bank must no longer make: all who are released by now."""
    book = Workbook(write_only=True)
    _add_facts(book, batch, repeated)
    recalled = _sheet(book, bank_files.RECALL_SHEET, bank_files.RECALLED_HEADINGS.values())
    _append(recalled, ((batch.batch_no, str(one.application_id), one.member_no) for one in released))
    return saved(book)


def receipt_workbook(file: BankResultFile, rejections: Sequence[RejectedLines], not_read: Sequence[str]) -> bytes:
    """What became of a file of results, for the bank; holds no value of the file."""
    book = Workbook(write_only=True)
    facts = _sheet(book, "回执", ("项目", "内容"))
    lines = {
        "文件": file.file_name,
        "上传时间": to_the_minute(file.uploaded_at),
        "行数": file.lines,
        "采用": file.applied,
        "重复": file.repeated,
        "未采用": file.rejected,
        "无结果": file.skipped,
        "未读取的工作表": "、".join(not_read),
    }
    _append(facts, ((name, str(value)) for name, value in lines.items()))
    rejected = _sheet(book, "未采用的行", ("工作表", "行号", "栏目", "原因"))
    _append(rejected, ((one.sheet, str(line), one.field or "", one.reason) for one in rejections for line in one.lines))
    return saved(book)


def _add_facts(book: Workbook, batch: Batch, repeated: bool) -> None:
    sheet = _sheet(book, bank_files.BATCH_SHEET, ("项目", "内容"))
    facts: Mapping[str, Any] = {
        **{name: getattr(batch, name) for name in bank_files.BATCH_HEADINGS if name != "repeated"},
        "channel": CHANNEL_NAMES[batch.channel],
        "repeated": "是" if repeated else "否",
    }
    _append(sheet, ((heading, str(facts[name])) for name, heading in bank_files.BATCH_HEADINGS.items()))


def _add_notes(book: Workbook) -> None:
    notes = _sheet(book, bank_files.NOTES_SHEET, ("栏目", "说明"))
    notes.column_dimensions["B"].width = 80
    for form in bank_files.FORMS:
        notes.append(heading_row(notes, (f"“{form.title}”表", "")))
        _append(notes, ((form.written(name), form.notes.get(name, "")) for name in form.headings))


def _applicant(person: Any) -> Iterator[str]:
    facts = facts_of(person)
    values = {
        **vars(facts),
        "member_no": person.member_no,
        "document_type": DOCUMENT_NAMES[facts.document_type],
        "nationality": facts.nationality and nationality_title(facts.nationality),
        "document_expiry": expiry_text(facts.document_expiry),
    }
    return (str(values[name] or "") for name in bank_files.APPLICANT_HEADINGS)


def _form(book: Workbook, form: Form) -> Any:
    return _sheet(book, form.title, map(form.written, form.headings))


def _sheet(book: Workbook, title: str, headings: Iterable[str]) -> Any:
    sheet: Any = book.create_sheet(title)
    for letter in "ABCDEFGH":
        sheet.column_dimensions[letter].width = _WIDTH
    sheet.freeze_panes = "A2"
    sheet.append(heading_row(sheet, headings))
    return sheet


def _append(sheet: Any, rows: Iterable[Iterable[str]]) -> None:
    """Appends rows, and lets other requests run in between."""
    for number, row in enumerate(rows):
        sheet.append(text_row(sheet, row))
        if number % _AT_ONCE == 0:
            time.sleep(0)
