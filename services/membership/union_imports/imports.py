"""Imports of unions and accounts: a workbook is checked by a trial, and created if every row is right."""

from services.contracts.operations.membership.union_imports import (
    MOST_WRONG,
    GetUnionTemplateRequest,
    ImportUnionsRequest,
    UnionImportAnswer,
)
from services.kit.documents.content_types import XLSX
from services.kit.operations import audit
from services.kit.problems import FieldProblem, Invalid
from services.kit.rpc.files import FileAnswer, file_answer, uploaded
from services.kit.rpc.work import Work
from services.kit.sheets.forms import FilledRow, filled_rows
from services.kit.sheets.unreadable import UnreadableSheet
from services.kit.sheets.workbook_reader import read_workbook
from services.membership.union_imports.creating import Created, create
from services.membership.union_imports.workbook import ACCOUNTS, FORMS, NOTES, UNIONS, template

MOST_MEGABYTES = 5
MOST_UNIONS, MOST_ACCOUNTS = 2000, 500
"""Choice: what one transaction creates within seconds; each account is sent a text message."""


def check_union_import(work: Work, request: ImportUnionsRequest) -> UnionImportAnswer:
    """What an import would create, and which rows are wrong; nothing is created. Raises Invalid for a file."""
    rows, not_read = _rows_of(request)
    audit.record(work.session, new={"file_name": request.file_name})
    with work.database.begin() as trial:
        found = create(trial, work.caller, rows)
        trial.rollback()
    return _answer(found, not_read)


def import_unions(work: Work, request: ImportUnionsRequest) -> UnionImportAnswer:
    """Creates all unions and accounts of a workbook; the holders get links to choose their passwords.

    Raises Invalid for a file, and with the first wrong rows where one is wrong: then nothing is created.
    """
    rows, not_read = _rows_of(request)
    found = create(work.session, work.caller, rows)
    if found.wrong:
        raise Invalid(
            [FieldProblem(f"{one.sheet}.{one.line_no}", "row_wrong", one.reason) for one in found.wrong[:MOST_WRONG]]
        )
    audit.record(work.session, new={"file_name": request.file_name, "unions": found.unions, "accounts": found.accounts})
    return _answer(found, not_read)


def get_union_template(_work: Work, _request: GetUnionTemplateRequest) -> FileAnswer:
    """The workbook to fill in."""
    return file_answer("工会和账号模板.xlsx", XLSX, template())


def _rows_of(request: ImportUnionsRequest) -> tuple[list[FilledRow], list[str]]:
    content = uploaded(request.content, MOST_MEGABYTES)
    try:
        rows, not_read = filled_rows(read_workbook(content), FORMS, ignored=(NOTES,))
    except UnreadableSheet as unreadable:
        raise Invalid([FieldProblem("file", "unreadable", str(unreadable))]) from unreadable
    for form, most in ((UNIONS, MOST_UNIONS), (ACCOUNTS, MOST_ACCOUNTS)):
        if sum(row.form is form for row in rows) > most:
            reason = f"一次最多导入 {MOST_UNIONS} 家工会、{MOST_ACCOUNTS} 个账号，请拆分后分别导入"
            raise Invalid([FieldProblem("file", "too_many_rows", reason)])
    return rows, not_read


def _answer(found: Created, not_read: list[str]) -> UnionImportAnswer:
    return UnionImportAnswer(
        unions=found.unions,
        accounts=found.accounts,
        wrong=found.wrong[:MOST_WRONG],
        wrong_rows=len(found.wrong),
        not_read=not_read,
    )
