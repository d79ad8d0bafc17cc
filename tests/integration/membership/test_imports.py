"""Imports: good rows become members, bad ones come back, and no step done twice or cut short changes that."""

import base64
import io
import json
from typing import Any
from uuid import UUID

import pytest
from openpyxl import load_workbook
from sqlalchemy import func, select, text

from services.common.contracts.membership import (
    IMPORT_CONTINUED,
    IMPORT_PROGRESSED,
    IMPORT_REQUESTED,
    MEMBER_REGISTERED,
)
from services.common.problems import Invalid, NotFound
from services.membership import imports
from services.membership.models import ImportJob, ImportRow, Member
from tests.integration.membership.office import Office, a_caller
from tests.mothers import a_member_form

HEADINGS = "姓名,证件类型,证件号码"


def a_line(**changes: Any) -> str:
    form = a_member_form(**changes)
    return f"{form['name']},居民身份证,{form['document_number']}"


def start(office: Office, *lines: str) -> UUID:
    content = base64.b64encode("\n".join((HEADINGS, *lines)).encode()).decode()
    with office.begin() as session:
        return UUID(str(imports.start_import(session, office.clerk, "名册.csv", content)["import_id"]))


def read_file(office: Office, import_id: UUID) -> None:
    with office.begin() as session:
        imports.read_file(session, import_id)


def go_on(office: Office, import_id: UUID) -> None:
    with office.begin() as session:
        imports.continue_import(session, import_id)


def progress(office: Office, import_id: UUID) -> dict[str, Any]:
    with office.begin() as session:
        return imports.get_import(session, office.clerk, import_id)


def run(office: Office, *lines: str) -> dict[str, Any]:
    """An import from upload to end, each of its events heard once."""
    import_id = start(office, *lines)
    read_file(office, import_id)
    heard = 0
    while len(office.told(IMPORT_CONTINUED)) > heard:
        heard += 1
        go_on(office, import_id)
    return progress(office, import_id)


def rejected(office: Office, import_id: UUID) -> list[list[Any]]:
    with office.begin() as session:
        file = imports.get_errors(session, office.clerk, import_id)
    sheet: Any = load_workbook(io.BytesIO(base64.b64decode(file["content"]))).worksheets[0]
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def count(office: Office, model: type[Any]) -> int:
    with office.begin() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_good_rows_become_members_and_bad_ones_come_back_with_their_reasons(office: Office) -> None:
    good = a_line()
    ended = run(office, good, ",居民身份证,310115196501150016", good, "王芳,图书证,123", a_line())
    assert (ended["state"], ended["rows_accepted"], ended["rows_rejected"]) == ("finished", 2, 3)
    headings, *rows = rejected(office, ended["import_id"])
    assert headings == ["姓名", "证件类型", "证件号码", "错误原因"]
    assert [row[3].partition("：")[0] for row in rows] == ["姓名", "证件号码", "证件类型“图书证”无法识别，应为"]
    assert office.names() == ["王建国", "王建国"]


def test_somebody_known_in_the_city_is_not_registered_again(office: Office) -> None:
    form = a_member_form()
    office.register(**form)
    ended = run(office, f"{form['name']},居民身份证,{form['document_number']}")
    assert (ended["rows_accepted"], ended["rows_rejected"]) == (0, 1)
    assert "已登记" in rejected(office, ended["import_id"])[1][3]


def test_an_import_of_many_parts_registers_each_row_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "PART", 3)
    ended = run(office, *(a_line() for _ in range(9)))
    assert (ended["rows_total"], ended["rows_read"], ended["rows_accepted"]) == (9, 9, 9)
    assert count(office, Member) == 9
    told = [member["member_id"] for event in office.told(MEMBER_REGISTERED) for member in event["members"]]
    assert len(set(told)) == len(told) == 9


def test_a_part_that_is_cut_short_leaves_nothing_and_is_done_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART", 2)
    import_id = start(office, *(a_line() for _ in range(3)))
    read_file(office, import_id)
    with office.begin() as session:
        imports.continue_import(session, import_id)
        session.rollback()
    assert (count(office, Member), progress(office, import_id)["rows_read"]) == (0, 0)
    go_on(office, import_id)
    go_on(office, import_id)
    assert (progress(office, import_id)["state"], count(office, Member)) == ("finished", 3)


def test_a_file_is_encrypted_while_it_is_kept_and_forgotten_once_it_is_read(office: Office) -> None:
    line = a_line()
    import_id = start(office, line)
    with office.engine.connect() as connection:
        kept = connection.scalar(text("select content from import_job where import_id = :id"), {"id": import_id})
    assert kept is not None
    assert line.encode() not in bytes(kept)
    read_file(office, import_id)
    with office.begin() as session:
        assert session.get_one(ImportJob, import_id).content is None


def test_rows_of_members_are_forgotten_and_those_of_bad_rows_are_encrypted(office: Office) -> None:
    run(office, a_line(), "王芳,图书证,secret-number")
    with office.begin() as session:
        assert [json.loads(cells)["证件号码"] for cells in session.scalars(select(ImportRow.cells))] == [
            "secret-number"
        ]
        raw = session.connection().exec_driver_sql("select cells from import_row").scalar_one()
    assert b"secret-number" not in bytes(raw)


def test_a_file_that_cannot_be_read_ends_the_import_with_the_reason(office: Office) -> None:
    with office.begin() as session:
        content = base64.b64encode(b"PK no zip").decode()
        import_id = imports.start_import(session, office.clerk, "a.xlsx", content)["import_id"]
    read_file(office, import_id)
    ended = progress(office, import_id)
    assert ended["state"] == "failed"
    assert ".xlsx" in ended["failure"]
    assert [told["state"] for told in office.told(IMPORT_PROGRESSED)] == ["failed"]
    assert office.told(IMPORT_CONTINUED) == []


def test_reading_a_file_twice_keeps_its_rows_once(office: Office) -> None:
    import_id = start(office, a_line())
    read_file(office, import_id)
    read_file(office, import_id)
    assert (count(office, ImportRow), len(office.told(IMPORT_CONTINUED))) == (1, 1)


def test_progress_is_told_after_each_part(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "PART", 2)
    run(office, *(a_line() for _ in range(3)))
    told = [(one["state"], one["rows_read"]) for one in office.told(IMPORT_PROGRESSED)]
    assert told == [("running", 0), ("running", 2), ("finished", 3)]
    assert len(office.told(IMPORT_REQUESTED)) == 1


@pytest.mark.parametrize(("file_name", "content"), [("a.pdf", "eA=="), ("a.csv", "?"), ("a.csv", "")])
def test_what_is_certainly_no_sheet_is_refused_at_once(office: Office, file_name: str, content: str) -> None:
    with pytest.raises(Invalid), office.begin() as session:
        imports.start_import(session, office.clerk, file_name, content)


def test_another_unions_import_is_not_found(office: Office) -> None:
    import_id = start(office, a_line())
    stranger = a_caller(office.other, "clerk")
    for ask in (imports.get_import, imports.get_errors):
        with pytest.raises(NotFound), office.begin() as session:
            ask(session, stranger, import_id)
    with office.begin() as session:
        assert imports.list_imports(session, stranger, {"page": 1, "size": 20})["items"] == []
