"""Imports: valid rows become members, invalid ones are returned, also after repeated and interrupted steps."""

import base64
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from openpyxl import load_workbook
from sqlalchemy import create_engine, func, select, text, update
from sqlalchemy.orm import Session

from services.contracts.events.membership import (
    IMPORT_CONTINUED,
    IMPORT_PROGRESSED,
    IMPORT_REQUESTED,
    MEMBER_NUMBERED,
    MEMBER_REGISTERED,
    ImportContinuedData,
    ImportRequestedData,
    MemberRegisteredData,
    RegisteredMember,
)
from services.contracts.operations.membership.imports import (
    ConfirmImportRequest,
    ImportAnswer,
    ImportPreviewAnswer,
    ImportRequest,
    ListImportsRequest,
    NotRead,
    StartImportRequest,
)
from services.contracts.rules.persons import Identity
from services.contracts.values import today
from services.kit.data.database import outbox
from services.kit.events.outbox import publish
from services.kit.problems import Conflict, Invalid, NotFound
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, as_dict, required
from services.membership.imports import import_parts, imports, judging, sheet_reader, stalled_imports
from services.membership.members import members
from services.membership.members.facts import Facts
from services.membership.models import Account, ImportJob, ImportRow, Member
from tests.databases import DatabaseFactory
from tests.documents import an_event
from tests.integration.membership.office import Office, a_caller
from tests.mothers import a_member_form, a_resident_number

HEADINGS = "姓名,证件类型,证件号码"
INPUTS = Path(__file__).parents[2] / "inputs"


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are parsed in the test's process, which is quicker; tests/unit/test_sheet_reader.py uses another."""
    monkeypatch.setattr(import_parts, "read_content", sheet_reader.parse)


@pytest.fixture(scope="module")
def shared(module_database: DatabaseFactory) -> Iterator[Office]:
    """An office for files whose members are known by no other of them."""
    engine = create_engine(module_database("membership").replace("postgresql://", "postgresql+psycopg://"))
    yield Office(engine)
    engine.dispose()


def a_line(**changes: Any) -> str:
    form = a_member_form(**changes)
    return f"{form['name']},居民身份证,{form['document_number']}"


def start(office: Office, *lines: str) -> UUID:
    return upload(office, "\n".join((HEADINGS, *lines)).encode())


def upload(office: Office, content: bytes, file_name: str = "名册.csv") -> UUID:
    caller = office.clerk
    kept = {"account_id": UUID(caller.account_id), "account_name": caller.account_id, "union_id": caller.union_id}
    with office.begin() as session:
        session.add(Account(**kept, display_name="王芳", roles=["clerk"], password_hash=""))
        return imports.start_import(Work(session, caller), a_file(file_name, content)).import_id


def a_file(file_name: str, content: bytes) -> StartImportRequest:
    return StartImportRequest(file_name=file_name, content=base64.b64encode(content).decode())


def read_file(office: Office, import_id: UUID) -> None:
    with office.begin() as session:
        data = ImportRequestedData(union_id=office.union.union_id, import_id=import_id)
        import_parts.read_file(session, an_event(data))


def go_on(office: Office, import_id: UUID) -> None:
    with office.begin() as session:
        continue_import(session, office, import_id)


def continue_import(session: Session, office: Office, import_id: UUID) -> None:
    data = ImportContinuedData(union_id=office.union.union_id, import_id=import_id)
    import_parts.continue_import(session, an_event(data))


def confirm(office: Office, import_id: UUID, *sheets: int) -> ImportAnswer:
    request = ConfirmImportRequest(import_id=import_id, sheets=list(sheets) or UNSET)
    with office.begin() as session:
        return imports.confirm_import(Work(session, office.clerk), request)


def cancel(office: Office, import_id: UUID) -> ImportAnswer:
    with office.begin() as session:
        return imports.cancel_import(Work(session, office.clerk), ImportRequest(import_id=import_id))


def progress(office: Office, import_id: UUID) -> ImportAnswer:
    with office.begin() as session:
        return imports.get_import(Work(session, office.clerk), ImportRequest(import_id=import_id))


def shown(office: Office, import_id: UUID) -> ImportPreviewAnswer:
    """What a clerk sees of a preview."""
    with office.begin() as session:
        return imports.preview_import(Work(session, office.clerk), ImportRequest(import_id=import_id))


def preview(office: Office, import_id: UUID) -> ImportAnswer:
    """Reads and judges all of a file that was handed in."""
    read_file(office, import_id)
    while progress(office, import_id).state == "reading":
        go_on(office, import_id)
    return progress(office, import_id)


def register(office: Office, import_id: UUID, *sheets: int) -> ImportAnswer:
    """Confirms a preview, and lets all be registered and numbered."""
    confirm(office, import_id, *sheets)
    go_on(office, import_id)
    while waiting(office, import_id):
        go_on(office, import_id)
    office.give_numbers()
    return progress(office, import_id)


def waiting(office: Office, import_id: UUID) -> bool:
    job = progress(office, import_id)
    return job.state == "running" and job.rows_read < required(job.rows_total)


def run(office: Office, *lines: str) -> ImportAnswer:
    """An import from upload to end."""
    import_id = start(office, *lines)
    assert preview(office, import_id).state == "previewed"
    return register(office, import_id)


def rejected(office: Office, import_id: UUID) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in errors(office, import_id)[0].iter_rows()]


def errors(office: Office, import_id: UUID) -> list[Any]:
    """The sheets of rejected rows and of those with a warning."""
    with office.begin() as session:
        file = imports.get_errors(Work(session, office.clerk), ImportRequest(import_id=import_id))
    return load_workbook(io.BytesIO(base64.b64decode(file.content))).worksheets


def count(office: Office, model: type[Any]) -> int:
    with office.begin() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_good_rows_become_members_and_bad_ones_come_back_with_their_reasons(office: Office) -> None:
    good = a_line()
    ended = run(office, good, ",居民身份证,310115196501150016", good, "王芳,图书证,123", a_line())
    assert (ended.state, ended.rows_accepted, ended.rows_rejected) == ("finished", 2, 3)
    headings, *rows = rejected(office, ended.import_id)
    assert headings == ["姓名", "证件类型", "证件号码", "错误原因"]
    assert [row[3].partition("：")[0] for row in rows] == ["姓名", "证件号码", "证件类型"]
    assert office.names() == ["王建国", "王建国"]


def test_somebody_known_in_the_city_is_not_registered_again(office: Office) -> None:
    form = a_member_form()
    office.register(**form)
    ended = run(office, f"{form['name']},居民身份证,{form['document_number']}")
    assert (ended.rows_accepted, ended.rows_rejected) == (0, 1)
    assert "已登记" in rejected(office, ended.import_id)[1][3]


def test_an_import_of_many_parts_registers_each_row_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_parts, "PART", 3)
    ended = run(office, *(a_line() for _ in range(9)))
    assert (ended.rows_total, ended.rows_read, ended.rows_accepted) == (9, 9, 9)
    assert count(office, Member) == 9
    published = [member["member_no"] for event in office.published(MEMBER_NUMBERED) for member in event["members"]]
    assert len(set(published)) == len(published) == 9


def test_a_part_that_is_cut_short_leaves_nothing_and_is_done_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_parts, "PART", 2)
    import_id = start(office, *(a_line() for _ in range(3)))
    preview(office, import_id)
    confirm(office, import_id)
    with office.begin() as session:
        continue_import(session, office, import_id)
        session.rollback()
    assert (count(office, Member), progress(office, import_id).rows_read) == (0, 0)
    go_on(office, import_id)
    go_on(office, import_id)
    office.give_numbers()
    assert (progress(office, import_id).state, count(office, Member)) == ("finished", 3)


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
    import_id = upload(office, b"PK no zip", "a.xlsx")
    read_file(office, import_id)
    ended = progress(office, import_id)
    assert ended.state == "failed"
    assert ".xlsx" in (ended.failure or "")
    assert [published["failure"] for published in office.published(IMPORT_PROGRESSED)] == [ended.failure]
    assert [published["state"] for published in office.published(IMPORT_PROGRESSED)] == ["failed"]
    assert office.published(IMPORT_CONTINUED) == []


def test_reading_a_file_twice_keeps_its_rows_once(office: Office) -> None:
    import_id = start(office, a_line())
    read_file(office, import_id)
    read_file(office, import_id)
    assert (count(office, ImportRow), len(office.published(IMPORT_PROGRESSED))) == (1, 1)


def test_progress_is_published_after_each_part(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_parts, "PART", 2)
    run(office, *(a_line() for _ in range(3)))
    published = [(one["phase"], one["rows_read"]) for one in office.published(IMPORT_PROGRESSED)]
    assert published == [("previewed", 0), ("running", 0), ("running", 2), ("finished", 3)]
    assert len(office.published(IMPORT_REQUESTED)) == 1


@pytest.mark.parametrize(("file_name", "content"), [("a.pdf", "eA=="), ("a.csv", "?"), ("a.csv", "")])
def test_what_is_certainly_no_sheet_is_refused_at_once(office: Office, file_name: str, content: str) -> None:
    request = StartImportRequest(file_name=file_name, content=content)
    with pytest.raises(Invalid), office.begin() as session:
        imports.start_import(Work(session, office.clerk), request)


def test_another_unions_import_is_not_found(office: Office) -> None:
    import_id = start(office, a_line())
    stranger = a_caller(office.other, "clerk")
    for ask in (imports.get_import, imports.get_errors, imports.preview_import, imports.cancel_import):
        with pytest.raises(NotFound), office.begin() as session:
            ask(Work(session, stranger), ImportRequest(import_id=import_id))
    with office.begin() as session:
        assert imports.list_imports(Work(session, stranger), ListImportsRequest()).items == []


def test_a_preview_says_what_can_be_registered_and_registers_nobody(office: Office) -> None:
    twice = a_line()
    import_id = start(office, a_line(), twice, twice, "王芳,图书证,1")
    job = preview(office, import_id)
    assert (job.rows_total, job.rows_new, job.rows_known, job.rows_wrong) == (4, 2, 0, 2)
    assert count(office, Member) == 0
    answer = shown(office, import_id)
    assert [row.verdict for row in answer.rows] == ["new", "new", "wrong", "wrong"]
    assert [row.line_no for row in answer.wrong] == [4, 5]
    number = answer.rows[0].cells["证件号码"]
    assert (len(number), number.count("*")) == (18, 11)


@pytest.mark.parametrize("times", [1, 2])
def test_a_preview_does_not_reveal_members_and_the_confirmed_import_does(office: Office, times: int) -> None:
    known, unknown = a_member_form(), a_member_form()
    office.register(**known)
    published = []
    for form in (known, unknown):
        lines = [f"张三,居民身份证,{form['document_number']}"] * times
        job = preview(office, start(office, *lines))
        answer = as_dict(shown(office, job.import_id))
        ids = ("import_id", "started_at", "expires_at")
        cells = [row.pop("cells")["姓名"] for name in ("rows", "wrong") for row in answer[name]]
        published.append(({name: value for name, value in as_dict(job).items() if name not in ids}, answer, cells))
        if form is known:
            ended = register(office, job.import_id)
            assert (ended.rows_accepted, ended.rows_rejected, ended.rows_known) == (0, times, 1)
            assert "该证件号码已登记过会员" in str(rejected(office, job.import_id)[1])
    assert published[0] == published[1]


def test_a_confirmation_that_comes_again_registers_nobody_twice(office: Office) -> None:
    import_id = start(office, a_line(), a_line())
    preview(office, import_id)
    confirm(office, import_id)
    confirm(office, import_id)
    ended = register(office, import_id)
    assert (ended.state, ended.rows_accepted, count(office, Member)) == ("finished", 2, 2)
    assert confirm(office, import_id).state == "finished"


def test_only_a_preview_can_be_confirmed_or_cancelled(office: Office) -> None:
    import_id = start(office, a_line())
    with pytest.raises(Conflict):
        confirm(office, import_id)
    preview(office, import_id)
    with pytest.raises(Invalid):
        confirm(office, import_id, 7)
    assert cancel(office, import_id).state == "cancelled"
    with pytest.raises(Conflict):
        confirm(office, import_id)
    assert (count(office, Member), count(office, ImportRow)) == (0, 0)


def test_of_two_rosters_the_clerk_chooses_and_the_other_is_named(office: Office) -> None:
    content = (INPUTS / "06-two-rosters-second-ignored.xlsx").read_bytes()
    import_id = upload(office, content, "两表.xlsx")
    assert preview(office, import_id).rows_new == 2
    ended = register(office, import_id, 2)
    assert (ended.rows_accepted, office.names()) == (1, ["乙车间"])
    assert [sheet.is_chosen for sheet in ended.sheets] == [False, True]
    assert ended.sheets[0].not_read == [NotRead(reason="确认时未选择该工作表", rows=1, cells=0)]


def test_imported_members_have_their_numbers_at_once(office: Office) -> None:
    ended = run(office, a_line(), a_line())
    with office.begin() as session:
        numbers = session.scalars(select(Member.member_no)).all()
    assert ended.state == "finished"
    assert len({number for number in numbers if re.fullmatch("[0-9]{10}", number or "")}) == 2


def test_an_import_is_finished_only_when_its_members_have_their_numbers(office: Office) -> None:
    import_id = registered_by_former_release(office)
    assert (progress(office, import_id).state, count(office, Member)) == ("running", 1)
    office.give_numbers()
    assert progress(office, import_id).state == "finished"


def test_a_row_with_an_unusual_validity_is_registered_and_its_warning_told(office: Office) -> None:
    form = a_member_form(birth_date="1962-06-15")
    import_id = upload(
        office, f"{HEADINGS},证件到期日\n{form['name']},身份证,{form['document_number']},2031-03-03".encode()
    )
    preview(office, import_id)
    ended = register(office, import_id)
    assert (ended.rows_accepted, ended.rows_warned, ended.rows_rejected) == (1, 1, 0)
    warned = errors(office, import_id)[1]
    line_no, name, warning = (cell.value for cell in warned[2])
    assert (line_no, name) == ("2", form["name"])
    assert "证件到期日" in warning


def test_a_row_that_the_database_refuses_is_that_rows_error_alone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [a_line() for _ in range(5)]
    refused = lines[3].rpartition(",")[2]
    original = judging.columns_of

    def columns(facts: Facts) -> dict[str, Any]:
        return original(replace(facts, address="\0") if facts.document_number == refused else facts)

    monkeypatch.setattr(judging, "columns_of", columns)
    ended = run(office, *lines)
    assert (ended.state, ended.rows_accepted, ended.rows_rejected) == ("finished", 4, 1)
    assert rejected(office, ended.import_id)[1][2] == refused
    assert count(office, Member) == 4


def test_a_row_that_our_own_code_fails_on_is_that_rows_error_alone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = members.judge

    def judge(identity: Identity) -> Any:
        if identity.name == "王坏":
            raise KeyError(identity.name)
        return original(identity)

    monkeypatch.setattr(members, "judge", judge)
    ended = run(office, a_line(), a_line(name="王坏"), a_line())
    assert (ended.state, ended.rows_accepted, ended.rows_rejected) == ("finished", 2, 1)


def later(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def forget_published(office: Office) -> None:
    """As if its messages had become dead letters."""
    with office.begin() as session:
        session.execute(outbox.delete())


def end_stalled(office: Office, minutes: float) -> None:
    with office.begin() as session:
        stalled_imports.end_stalled(session, later(minutes))


def test_an_import_whose_event_was_lost_is_resumed(office: Office) -> None:
    import_id = start(office, a_line())
    forget_published(office)
    end_stalled(office, 1)
    assert office.published(IMPORT_REQUESTED) == []
    end_stalled(office, 6)
    assert len(office.published(IMPORT_REQUESTED)) == 1
    preview(office, import_id)
    confirm(office, import_id)
    forget_published(office)
    end_stalled(office, 6)
    assert len(office.published(IMPORT_CONTINUED)) == 1


def test_an_import_without_progress_ends_as_failed(office: Office) -> None:
    import_id = start(office, a_line())
    for minutes in (6, 12, 18):
        forget_published(office)
        end_stalled(office, minutes)
    ended = progress(office, import_id)
    assert (ended.state, count(office, ImportRow)) == ("failed", 0)
    assert "导入中断" in (ended.failure or "")
    assert office.published(IMPORT_PROGRESSED)[-1]["state"] == "failed"
    read_file(office, import_id)
    go_on(office, import_id)
    assert progress(office, import_id).state == "failed"


def test_an_import_whose_message_is_not_published_yet_is_left_alone(office: Office) -> None:
    import_id = start(office, a_line())
    for minutes in (6, 12, 18, 24):
        end_stalled(office, minutes)
    assert progress(office, import_id).state == "reading"
    assert len(office.published(IMPORT_REQUESTED)) == 1


def registered_by_former_release(office: Office) -> UUID:
    """An import whose only member is registered, and waits for a number that another message brings."""
    import_id = start(office, a_line())
    preview(office, import_id)
    confirm(office, import_id)
    go_on(office, import_id)
    with office.begin() as session:
        session.execute(update(Member).values(member_no=None))
        waiting = [RegisteredMember(member_id=one) for one in session.scalars(select(Member.member_id))]
        publish(session, MEMBER_REGISTERED, MemberRegisteredData(union_id=office.union.union_id, members=waiting))
        session.get_one(ImportJob, import_id).state = "running"
    return import_id


def test_an_import_whose_members_never_get_numbers_ends_too(office: Office) -> None:
    import_id = registered_by_former_release(office)
    for minutes in (6, 12, 18):
        forget_published(office)
        end_stalled(office, minutes)
        go_on(office, import_id)
    ended = progress(office, import_id)
    assert (ended.state, ended.rows_accepted) == ("failed", 1)
    assert "会员编号" in (ended.failure or "")


def test_numbers_in_the_wrong_column_are_masked_in_preview_and_reasons(office: Office) -> None:
    number = a_resident_number()
    content = f"姓名,证件类型,证件号码,国籍\n{number},居民身份证,{a_resident_number(sequence=9)},{number}\n"
    import_id = upload(office, content.encode())
    preview(office, import_id)
    with office.begin() as session:
        stored = session.execute(select(ImportRow.reason, ImportRow.warning)).all()
    assert number not in str(shown(office, import_id))
    assert number not in str(stored)
    assert number[:5] in str(stored)
    assert number[:6] not in str(stored)


def test_members_whose_numbering_was_lost_are_numbered_and_the_import_ends(office: Office) -> None:
    import_id = registered_by_former_release(office)
    forget_published(office)
    end_stalled(office, 6)
    office.give_numbers()
    assert progress(office, import_id).state == "finished"


def test_a_preview_that_nobody_confirms_ends_with_the_next_day(office: Office) -> None:
    import_id = start(office, a_line())
    preview(office, import_id)
    end_stalled(office, 23 * 60)
    assert progress(office, import_id).state == "previewed"
    end_stalled(office, 25 * 60)
    ended = progress(office, import_id)
    assert (ended.state, count(office, ImportRow)) == ("failed", 0)
    assert "未确认" in (ended.failure or "")


FORMER = {**dict.fromkeys(judging.FACTS), "judged_on": None}
"""What rows have that a former release stored."""


@pytest.mark.parametrize("state", ["waiting", "new"])
def test_rows_that_a_former_release_stored_are_judged_when_they_are_registered(office: Office, state: str) -> None:
    import_id = start(office, a_line(), a_line(), "王芳,居民身份证,1")
    read_file(office, import_id)
    with office.begin() as session:
        session.execute(update(ImportRow).values(**FORMER, state=state, reason=None))
        session.get_one(ImportJob, import_id).state = "running"
    go_on(office, import_id)
    ended = progress(office, import_id)
    assert (ended.state, ended.rows_accepted, ended.rows_rejected) == ("finished", 2, 1)
    assert "证件号码" in str(rejected(office, import_id)[1])


def test_a_preview_that_a_former_release_began_is_finished_in_parts(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = start(office, *(a_line() for _ in range(3)), "王芳,居民身份证,1")
    read_file(office, import_id)
    with office.begin() as session:
        session.execute(update(ImportRow).values(**FORMER, state="waiting", reason=None))
        session.get_one(ImportJob, import_id).state = "reading"
    monkeypatch.setattr(import_parts, "PART", 2)
    for _ in range(3):
        go_on(office, import_id)
    judged = progress(office, import_id)
    assert (judged.state, judged.rows_new, judged.rows_wrong) == ("previewed", 3, 1)
    assert register(office, import_id).rows_accepted == 3


def test_a_verdict_is_of_the_day_on_which_a_row_is_registered(office: Office) -> None:
    import_id = start(office, a_line(), a_line())
    preview(office, import_id)
    with office.begin() as session:
        row = session.scalars(select(ImportRow).order_by(ImportRow.row_no)).first()
        assert row is not None
        # A row that today's rules refuse, and that yesterday's did not.
        row.cells = json.dumps({**json.loads(row.cells), "证件号码": "1"})
        session.execute(update(ImportRow).values(judged_on=today() - timedelta(days=1)))
    ended = register(office, import_id)
    assert (ended.rows_accepted, ended.rows_rejected) == (1, 1)


def test_nothing_of_a_registered_member_stays_but_the_name_of_one_with_a_warning(office: Office) -> None:
    form = a_member_form(birth_date="1962-06-15")
    line = f"{form['name']},身份证,{form['document_number']},2031-03-03"
    known = a_member_form()
    office.register(**known)
    lines = [line, f"{known['name']},身份证,{known['document_number']},2035-03-03"]
    import_id = upload(office, "\n".join([f"{HEADINGS},证件到期日", *lines]).encode())
    preview(office, import_id)
    register(office, import_id)
    with office.begin() as session:
        kept = session.scalars(select(ImportRow).order_by(ImportRow.row_no)).all()
        assert [row.state for row in kept] == ["registered", "rejected"]
        assert json.loads(kept[0].cells).keys() == {"姓名"}
        assert {getattr(row, name) for row in kept for name in judging.FACTS} == {None}


def test_an_import_that_a_former_release_began_resumes_without_a_preview(office: Office) -> None:
    import_id = start(office, a_line())
    with office.begin() as session:
        session.get_one(ImportJob, import_id).state = "running"
    read_file(office, import_id)
    go_on(office, import_id)
    office.give_numbers()
    assert (progress(office, import_id).state, count(office, Member)) == ("finished", 1)


ACCEPTED = {
    "01-wps-dimension-A1.xlsx": 1,
    "01-dimension-too-short-3-members.xlsx": 3,
    "03-empty-fill-style.xlsx": 1,
    "03-patternfill-extlst.xlsx": 1,
    "03-color-with-hash.xlsx": 1,
    "03-SharedStrings-case.xlsx": 1,
    "04-strict-ooxml.xlsx": 1,
    "05-empty-cell-in-row-1048576.xlsx": 1,
    "06-first-sheet-hidden.xlsx": 1,
    "06-two-rosters-second-ignored.xlsx": 2,
    "08-headings-with-inner-space.xlsx": 1,
    "09-tab-separated.csv": 1,
    "09-sep-line.csv": 1,
    "09-excel-unicode-text-utf16.csv": 1,
    "10-x000D-escape.xlsx": 1,
    "13-id-apostrophe.csv": 1,
}
REJECTED = {
    "02-exceljs-id-as-number.xlsx": (2, {3: "数字过长，已被表格软件取整"}),
    "02-id-integer-cell.xlsx": (0, {2: "数字过长，已被表格软件取整"}),
    "07-NA-error-cells-as-names.xlsx": (0, {2: "错误值 #N/A", 3: "错误值 #REF!"}),
    "11-merged-document-type.xlsx": (1, {3: "证件类型：必填"}),
    # Its telephones are right; the check digits of its documents are not.
    "14-phone-u202d-spaces-plus86.csv": (0, dict.fromkeys((2, 3, 4), "证件号码：证件号码校验码不正确")),
    "15-nul-byte-import-never-ends.csv": (2, {3: "地址：含有损坏的字符"}),
}
REFUSED = {
    "08-duplicate-heading.xlsx": "表头“姓名”重复",
    "16-unclosed-quote-swallows-rows.csv": "第 3 行的双引号",
}
BY_FILE = {**{name: (count, {}) for name, count in ACCEPTED.items()}, **REJECTED}


@pytest.mark.parametrize("name", sorted(BY_FILE))
def test_files_that_people_really_send_are_imported_with_every_row_accounted_for(shared: Office, name: str) -> None:
    office = shared
    accepted, reasons = BY_FILE[name]
    import_id = upload(office, (INPUTS / name).read_bytes(), name)
    job = preview(office, import_id)
    assert job.state == "previewed", job.failure
    ended = register(office, import_id)
    assert (ended.state, ended.rows_accepted, ended.rows_rejected) == ("finished", accepted, len(reasons))
    with office.begin() as session:
        rows = session.scalars(select(ImportRow).where(ImportRow.import_id == import_id, ImportRow.reason.is_not(None)))
        found = {row.line_no: row.reason or "" for row in rows}
    assert {line_no: reasons[line_no] in reason for line_no, reason in found.items()} == dict.fromkeys(reasons, True)
    assert not any("联系电话" in reason for reason in found.values())


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_file_in_which_somebody_would_be_lost_is_refused_with_the_place(shared: Office, name: str) -> None:
    ended = preview(shared, upload(shared, (INPUTS / name).read_bytes(), name))
    assert (ended.state, ended.rows_total) == ("failed", None)
    assert REFUSED[name] in (ended.failure or "")


def test_names_with_odd_characters_are_kept_in_one_form_or_refused_with_the_character(office: Office) -> None:
    import_id = upload(office, (INPUTS / "12-names.xlsx").read_bytes(), "12-names.xlsx")
    assert preview(office, import_id).rows_total == 79
    ended = register(office, import_id)
    assert (ended.state, ended.rows_accepted + ended.rows_rejected) == ("finished", 79)
    with office.begin() as session:
        kept = set(session.scalars(select(Member.name)))
        reasons = list(session.scalars(select(ImportRow.reason).where(ImportRow.state == "rejected")))
    assert kept >= {"阿卜杜拉·买买提"}
    assert not [name for name in kept if set(name) & set("\u200b\u202d\ue863•・．﹒∙⋅")]
    assert all((reason or "").startswith("姓名：") for reason in reasons)


def test_a_file_with_nothing_below_its_headings_ends_at_once_and_says_so(office: Office) -> None:
    ended = preview(office, start(office))
    assert (ended.state, ended.rows_total) == ("failed", 0)
    assert "没有会员" in (ended.failure or "")


def test_every_input_has_a_test() -> None:
    assert {path.name for path in INPUTS.iterdir()} == {*BY_FILE, *REFUSED, "12-names.xlsx"}
