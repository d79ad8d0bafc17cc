"""Enrolments: reports of the mutual-aid society go in, receipts and rejected lines come out; lists show the rest."""

import io
import json
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from amqp.basic_message import Message as AmqpMessage
from openpyxl import load_workbook
from sqlalchemy import Engine, event, func, select
from sqlalchemy.orm import Session

from services.contracts.events.batching import BATCH_SUBMITTED, CARDS_ISSUED
from services.contracts.external import insurer
from services.contracts.external.protection import SIGNATURE_HEADER, decrypt, encrypt, is_encrypted, read_keys, sign
from services.contracts.operations.membership import enrolments as ops
from services.contracts.operations.membership.covers import ENROLMENT_STATUSES
from services.contracts.values import today
from services.kit.data.database import outbox
from services.kit.events.subscribe import Message, Reject
from services.kit.key_sets import new_encryption_keys, public_part
from services.kit.problems import NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.schemas import as_dict
from services.kit.settings import SettingsError, read_settings
from services.membership.enrolments import covers, enrolments, link, reading, reports
from services.membership.models import Disclosure, Enrolment, EnrolmentReport, Member
from services.membership.unions import add_union
from tests.integration.membership.office import Office, a_caller
from tests.mothers import a_union_code
from tests.ordered_plans import sorts_in
from tests.two_transactions import at_once

KEY = b"the key shared with the society"
THEIRS, OURS = new_encryption_keys("society-2026"), new_encryption_keys("enrolment-2026")
CHANGED_AT = datetime(2026, 11, 25, 1, tzinfo=UTC)


@pytest.fixture
def society(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator["Society"]:
    keys = {
        "INSURER_HMAC_KEY": KEY.decode(),
        "INSURER_PUBLIC_KEYS": public_part(THEIRS),
        "ENROLMENT_PRIVATE_KEYS": OURS,
    }
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    read_settings.cache_clear()
    yield Society(office)
    read_settings.cache_clear()


class Society:
    """The mutual-aid society: what it sends, and what it gets."""

    def __init__(self, office: Office) -> None:
        self.office = office

    def report(self, *messages: Message) -> list[str | None]:
        """Sends reports, which are handled as one chunk; returns the rejection of each."""
        for message in messages:
            message.data = reading.read_report(message)
        with self.office.begin() as session:
            reports.apply_reports(session, [message.data for message in messages])
        return [str(message.rejection) if message.rejection else None for message in messages]

    def gets(self, name: str) -> list[dict[str, Any]]:
        """What it was sent by this name, oldest first, decrypted; each signed."""
        return [
            json.loads(decrypt(body, name, read_keys(THEIRS, private=True)))
            for body in self._sent(insurer.EXCHANGE, name)
        ]

    def receipts(self) -> list[dict[str, Any]]:
        return [receipt for document in self.gets(insurer.RECEIPT) for receipt in document["receipts"]]

    def put_aside(self) -> list[dict[str, Any]]:
        """The rejected lines that wait for an operator, encrypted for us."""
        bodies = self._sent("membership.own", insurer.REJECTED_QUEUE)
        assert all(is_encrypted(body) for body in bodies)
        keys = read_keys(OURS, private=True)
        return [json.loads(decrypt(body, insurer.ENROLMENTS_QUEUE, keys)) for body in bodies]

    def _sent(self, exchange: str, name: str) -> list[bytes]:
        with self.office.begin() as session:
            rows = session.execute(
                select(outbox.c.body, outbox.c.properties)
                .where(outbox.c.exchange == exchange, outbox.c.routing_key == name)
                .order_by(outbox.c.id)
            ).all()
        for row in rows:
            assert row.properties["application_headers"][SIGNATURE_HEADER] == sign(bytes(row.body), KEY)
        return [bytes(row.body) for row in rows]


def a_message(document: object, *, key: bytes = KEY, clear: bool = False) -> Message:
    body = json.dumps(document, ensure_ascii=False).encode()
    if not clear:
        body = encrypt(body, insurer.ENROLMENTS_QUEUE, read_keys(public_part(OURS), private=False)[0])
    return Message(body, {SIGNATURE_HEADER: sign(body, key)}, None, AmqpMessage(body))


def a_report(*lines: dict[str, Any], report_id: str | None = None) -> Message:
    return a_message({"report_id": report_id or uuid4().hex, "enrolments": list(lines)})


def a_line(member_no: str, **changes: Any) -> dict[str, Any]:
    year = changes.get("year", today().year)
    return {
        "enrolment_no": f"JZ-{uuid4().hex[:12]}",
        "member_no": member_no,
        "year": year,
        "way": "collective",
        "kinds": ["hospital", "illness", "accident", "death"],
        "covers_from": f"{year}-01-01",
        "covers_to": f"{year}-12-31",
        "state": "active",
        "changed_at": CHANGED_AT.isoformat(),
        **changes,
    }


def a_holder(office: Office, **changes: Any) -> tuple[UUID, str]:
    """A member with a card: id and number."""
    member_id, application_id = office.queued(**changes)
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))
    (number,) = office.kept(member_id, "member_no")
    return member_id, str(number)


def listed(office: Office, caller: Caller | None = None, **request: Any) -> list[dict[str, Any]]:
    with office.begin() as session:
        work = office.work(session, caller)
        answer: dict[str, Any] = as_dict(enrolments.list_enrolments(work, ops.ListEnrolmentsRequest(**request)))
    items: list[dict[str, Any]] = answer["items"]
    return items


def stored(office: Office) -> dict[str, tuple[str, bool]]:
    """State and whether it is superseded, of each enrolment."""
    with office.begin() as session:
        rows = session.execute(select(Enrolment.enrolment_no, Enrolment.state, Enrolment.superseded))
        return {row.enrolment_no: (row.state, row.superseded) for row in rows}


def records(office: Office) -> list[tuple[int, int, int, int]]:
    with office.begin() as session:
        rows = session.scalars(select(EnrolmentReport).order_by(EnrolmentReport.id))
        return [(row.enrolments, row.applied, row.repeated, row.rejected) for row in rows]


def test_a_member_whose_card_is_issued_can_be_insured_and_the_society_is_told(society: Society) -> None:
    office = society.office
    _, number = a_holder(office)
    [told] = society.gets(insurer.ELIGIBLE)
    assert told["members"] == [
        {"member_no": number, "union_code": office.union.code, "eligible_from": today().isoformat()}
    ]
    assert insurer.MembersEligible().load(told)


def test_without_keys_nothing_is_sent_and_reports_are_rejected(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INSURER_HMAC_KEY", raising=False)
    read_settings.cache_clear()
    a_holder(office)
    with office.begin() as session:
        assert not session.scalar(select(func.count()).where(outbox.c.exchange == insurer.EXCHANGE))
    for key in (b"", KEY):
        with pytest.raises(Reject, match="bad_signature"):
            reading.read_report(a_message({"report_id": "1", "enrolments": []}, key=key))
    with office.begin() as session:
        answer = enrolments.list_enrolments(office.work(session), ops.ListEnrolmentsRequest())
    assert not answer.is_connected


def test_some_of_the_keys_alone_are_refused_when_the_service_starts(
    society: Society, monkeypatch: pytest.MonkeyPatch
) -> None:
    link.InsurerQueue().check_keys()
    for missing in ("INSURER_HMAC_KEY", "INSURER_PUBLIC_KEYS", "ENROLMENT_PRIVATE_KEYS"):
        with monkeypatch.context() as patch:
            patch.delenv(missing)
            read_settings.cache_clear()
            with pytest.raises(SettingsError, match="with all three, or with none"):
                link.InsurerQueue().check_keys()


def test_enrolments_are_kept_and_answered_by_a_receipt(society: Society) -> None:
    (first_id, first), (second_id, second) = a_holder(society.office), a_holder(society.office)
    report = a_report(a_line(first), a_line(second), report_id="r-1")

    assert society.report(report) == [None]

    assert society.receipts() == [
        {
            "report_id": "r-1",
            "seen_before": False,
            "enrolments": 2,
            "applied": 2,
            "repeated": 0,
            "rejected": 0,
            "rejections": [],
        }
    ]
    assert len(listed(society.office)) == 2
    assert records(society.office) == [(2, 2, 0, 0)]
    assert [len(society.office.member(one)["enrolments"]) for one in (first_id, second_id)] == [1, 1]


def test_a_report_that_comes_again_changes_nothing(society: Society) -> None:
    _, number = a_holder(society.office)
    document = {"report_id": "r-1", "enrolments": [a_line(number)]}
    society.report(a_message(document), a_message(document))
    society.report(a_message(document))
    assert [(one["seen_before"], one["applied"], one["repeated"]) for one in society.receipts()] == [
        (False, 1, 0),
        (True, 0, 1),
        (True, 0, 1),
    ]
    assert len(listed(society.office)) == 1


def test_a_report_id_with_another_content_is_rejected(society: Society) -> None:
    _, number = a_holder(society.office)
    society.report(a_report(a_line(number), report_id="r-1"))
    assert society.report(a_report(a_line(number), report_id="r-1")) == ["report_id: report_id_reused"]
    assert len(listed(society.office)) == 1


def test_each_line_is_judged_by_itself_and_what_is_rejected_waits_encrypted(society: Society) -> None:
    office = society.office
    _, holder = a_holder(office)
    (waiting,) = office.kept(office.numbered()[0], "member_no")
    sound = a_line(holder, enrolment_no="sound")
    ahead = (datetime.now(UTC) + timedelta(days=1, minutes=5)).isoformat()
    lines = [
        sound,
        a_line("0070359999"),
        a_line(waiting),
        a_line(holder, changed_at=ahead),
        a_line(holder, way="immediate"),
        "no enrolment",
    ]

    assert society.report(a_report(*lines, report_id="r-1")) == [None]  # type: ignore[arg-type]

    assert stored(office) == {"sound": ("active", False)}
    [receipt] = society.receipts()
    assert (receipt["applied"], receipt["rejected"]) == (1, 5)
    assert [(one["lines"], one["field"], one["code"]) for one in receipt["rejections"]] == [
        ([1], None, "unknown_member"),
        ([2], None, "no_card"),
        ([3], "changed_at", "in_the_future"),
        ([4], "covers_from", "bad_schema"),
        ([5], None, "bad_schema"),
    ]
    [aside] = society.put_aside()
    assert aside["enrolments"] == lines[1:]


def test_a_rejected_part_that_is_replayed_after_its_cause_is_gone_is_applied(society: Society) -> None:
    office = society.office
    _, holder = a_holder(office)
    member_id, application_id = office.queued()
    (later,) = office.kept(member_id, "member_no")
    society.report(a_report(a_line(holder), a_line(later), report_id="r-1"))
    [aside] = society.put_aside()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))

    assert society.report(a_message(aside)) == [None]

    assert len(listed(office)) == 2
    assert [(one["applied"], one["seen_before"]) for one in society.receipts()] == [(1, False), (1, True)]


def test_what_is_not_encrypted_is_rejected_and_waits_encrypted(society: Society) -> None:
    _, number = a_holder(society.office)
    message = a_message({"report_id": "r-1", "enrolments": [a_line(number)]}, clear=True)
    assert society.report(message) == [None]
    assert [one["rejections"][0]["code"] for one in society.receipts()] == ["not_encrypted"]
    assert len(society.put_aside()) == 1
    assert not listed(society.office)


@pytest.mark.parametrize("document", [[], 7, {}, {"report_id": 1, "enrolments": []}, {"enrolments": [{}]}])
def test_a_document_without_an_id_gets_no_receipt(society: Society, document: object) -> None:
    with pytest.raises(Reject, match="bad_schema"):
        reading.read_report(a_message(document))


def test_an_envelope_that_is_wrong_gets_a_receipt_by_its_id(society: Society) -> None:
    assert society.report(a_message({"report_id": "r-1", "enrolments": []})) != [None]
    [receipt] = society.receipts()
    assert receipt["rejections"][0]["field"] == "enrolments"
    assert records(society.office) == []


def test_a_later_enrolment_of_the_year_takes_the_place_of_the_former(society: Society) -> None:
    _, number = a_holder(society.office)
    first = a_line(number, enrolment_no="first")
    second = a_line(number, enrolment_no="second", changed_at=(CHANGED_AT + timedelta(days=1)).isoformat())
    society.report(a_report(first))
    society.report(a_report(second))
    assert stored(society.office) == {"first": ("active", True), "second": ("active", False)}
    assert [(one["enrolment_no"], one["status"], one["reason"]) for one in listed(society.office)] == [
        ("second", "covered", None),
        ("first", "ended", covers.SUPERSEDED),
    ]
    ended = {**second, "state": "ended", "ended_on": f"{today().year}-12-30", "changed_at": "2026-11-27T00:00:00Z"}
    society.report(a_report(ended, {**first, "kinds": ["death"], "changed_at": "2026-11-27T00:00:00Z"}))
    assert stored(society.office) == {"first": ("active", False), "second": ("ended", False)}


def test_two_processes_that_enrol_one_member_at_once_leave_one_current_enrolment(society: Society) -> None:
    office = society.office
    _, number = a_holder(office)
    first, second = (
        reading.read_report(a_report(a_line(number, enrolment_no=name, changed_at=at)))
        for name, at in (("first", "2026-11-25T00:00:00Z"), ("second", "2026-11-26T00:00:00Z"))
    )
    at_once(
        office.begin,
        lambda session: reports.apply_reports(session, [first]),
        lambda session: reports.apply_reports(session, [second]),
    )
    assert stored(office) == {"first": ("active", True), "second": ("active", False)}
    assert records(office) == [(1, 1, 0, 0), (1, 1, 0, 0)]


def test_what_a_concurrent_report_superseded_counts_again_when_its_successor_ends(society: Society) -> None:
    office = society.office
    _, number = a_holder(office)
    first = a_line(number, enrolment_no="first", changed_at="2026-11-25T02:00:00Z")
    society.report(a_report(first))
    late = reading.read_report(a_report(a_line(number, enrolment_no="late", changed_at="2026-11-25T01:00:00Z")))
    over = {"state": "ended", "ended_on": f"{today().year}-06-30", "changed_at": "2026-11-25T03:00:00Z"}
    ended = reading.read_report(a_report({**first, **over}))
    at_once(
        office.begin,
        lambda session: reports.apply_reports(session, [late]),
        lambda session: reports.apply_reports(session, [ended]),
    )
    assert stored(office) == {"first": ("ended", False), "late": ("active", False)}


def test_an_enrolment_that_ends_later_covers_until_then(society: Society, monkeypatch: pytest.MonkeyPatch) -> None:
    office = society.office
    (_, number), (_, other) = a_holder(office), a_holder(office)
    line = a_line(number, year=2026, state="ended", ended_on="2026-11-30", reason="会员退会")
    never = a_line(other, enrolment_no="never", year=2026, way="immediate", covers_from="2026-12-15", state="ended")
    society.report(a_report(line, {**never, "ended_on": "2026-12-14"}))
    shown = {}
    for day in ("2026-11-30", "2026-12-01"):
        monkeypatch.setattr(covers, "today", lambda day=day: date.fromisoformat(day))
        shown[day] = {one["enrolment_no"] == "never": one["status"] for one in listed(office)}
        assert len(listed(office, status="ended")) == (1 if day == "2026-11-30" else 2)
    assert shown == {"2026-11-30": {False: "covered", True: "ended"}, "2026-12-01": {False: "ended", True: "ended"}}


def test_who_has_left_before_a_late_card_is_not_named_to_the_society(society: Society) -> None:
    office = society.office
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    with office.begin() as session:
        session.get_one(Member, member_id).left_at = datetime.now(UTC)
    office.deliver(CARDS_ISSUED, (application_id, 2))
    assert society.gets(insurer.ELIGIBLE) == []


def test_the_same_report_in_two_processes_at_once_is_applied_once(society: Society) -> None:
    office = society.office
    _, number = a_holder(office)
    document = {"report_id": "r-1", "enrolments": [a_line(number)]}
    first, second = (reading.read_report(a_message(document)) for _ in range(2))
    at_once(
        office.begin,
        lambda session: reports.apply_reports(session, [first]),
        lambda session: reports.apply_reports(session, [second]),
    )
    assert sorted(records(office)) == [(1, 0, 1, 0), (1, 1, 0, 0)]


def test_a_thousand_enrolments_take_as_many_statements_as_ten(society: Society, engine: Engine) -> None:
    numbers = [a_holder(society.office)[1] for _ in range(2)]
    few, many = (
        reading.read_report(
            a_report(*(a_line(numbers[one % 2], enrolment_no=f"{mark}-{one}", year=year) for one in range(count)))
        )
        for mark, count, year in (("few", 10, 2030), ("many", 1000, 2031))
    )
    counted = [_statements(engine, society.office, report) for report in (few, many)]
    assert counted[0] == counted[1]


def test_an_enrolment_is_found_by_year_way_status_kind_name_and_numbers(society: Society) -> None:
    office = society.office
    year = today().year
    _, holder = a_holder(office, name="王芳")
    other_id, other = a_holder(office, name="李娜")
    (document_number,) = office.kept(other_id, "document_number")
    society.report(
        a_report(
            a_line(holder, enrolment_no="now", kinds=["hospital"]),
            a_line(holder, enrolment_no="past", year=year - 1),
            a_line(other, enrolment_no="ended", state="ended", ended_on=f"{year}-06-30", reason="会员退会"),
            a_line(other, enrolment_no="next", year=year + 1),
        )
    )

    def found(**request: Any) -> set[str]:
        return {one["enrolment_no"] for one in listed(office, **request)}

    assert found() == {"now", "past", "ended", "next"}
    assert found(year=year) == {"now", "ended"}
    assert [found(status=one) for one in ENROLMENT_STATUSES] == [{"next"}, {"now"}, {"past"}, {"ended"}]
    assert found(kind="death") == {"past", "ended", "next"}
    assert found(way="immediate") == set()
    assert found(name="李") == {"ended", "next"}
    assert found(member_no=holder) == {"now", "past"}
    assert found(document_number=document_number) == {"ended", "next"}
    [ended] = listed(office, status="ended")
    assert (ended["covers_to"], ended["reason"]) == (date(year, 6, 30), "会员退会")
    assert document_number not in str(listed(office))
    assert next(one["enrolment_no"] for one in listed(office, sort="year")) == "past"


def test_a_search_by_document_number_is_counted_and_recorded(society: Society) -> None:
    office = society.office
    listed(office, document_number="310101199003078814")
    with office.begin() as session:
        assert session.scalar(select(func.count()).select_from(Disclosure)) == 1


def test_a_clerk_sees_the_own_union_a_superior_those_below_and_nobody_else(society: Society) -> None:
    office = society.office
    _, number = a_holder(office)
    society.report(a_report(a_line(number)))
    with office.begin() as session:
        beside = add_union(session, "上海隔壁工会", a_union_code(9), "grassroots", office.superior)
    assert len(listed(office, a_caller(office.superior, "reviewer"), with_subordinates=True)) == 1
    assert len(listed(office, a_caller(office.superior, "reviewer"), union_id=office.union.union_id)) == 1
    assert not listed(office, a_caller(office.superior, "reviewer"))
    assert not listed(office, a_caller(beside, "clerk"))
    assert not listed(office, a_caller(office.other, "reviewer"), with_subordinates=True)
    for stranger in (a_caller(beside, "clerk"), a_caller(office.other, "reviewer")):
        with pytest.raises(NotFound):
            listed(office, stranger, union_id=office.union.union_id)


@pytest.mark.parametrize("sort", ["year", "-year", "covers_from", "-covers_from"])
def test_an_order_comes_from_an_index_for_the_whole_city(society: Society, sort: str) -> None:
    office = society.office
    request = ops.ListEnrolmentsRequest(with_subordinates=True, sort=sort)
    caller = a_caller(office.city, "administrator")
    ask = lambda session: enrolments.list_enrolments(office.work(session, caller), request)  # noqa: E731
    assert sorts_in(office.engine, ask) == []


def test_the_sheet_has_what_the_list_has(society: Society) -> None:
    office = society.office
    _, number = a_holder(office, name="王芳")
    ended = {"state": "ended", "ended_on": f"{today().year}-12-31", "reason": "=1+1"}
    society.report(a_report(a_line(number, kinds=["death", "hospital"], **ended)))
    with office.begin() as session:
        answer = enrolments.export_enrolments(office.work(session), ops.ExportEnrolmentsRequest(year=today().year))
    sheet = load_workbook(io.BytesIO(b64decode(answer.content))).active
    assert sheet is not None
    heading, row = ([str(cell.value) for cell in cells] for cells in sheet.iter_rows())
    shown = dict(zip(heading, row, strict=True))
    assert shown["姓名"] == "王芳"
    assert (shown["参保方式"], shown["保障项目"], shown["状态"]) == ("集中参保", "住院保障、身故保障", "保障中")
    assert shown["终止原因"].lstrip("'") == "=1+1"
    assert "*" in shown["证件号码"]


def test_a_sheet_is_refused_where_too_many_match(society: Society, monkeypatch: pytest.MonkeyPatch) -> None:
    _, number = a_holder(society.office)
    society.report(a_report(a_line(number), a_line(number, year=today().year - 1)))
    monkeypatch.setattr(enrolments, "LARGEST_EXPORT", 1)
    with society.office.begin() as session, pytest.raises(Problem, match="export_too_large"):
        enrolments.export_enrolments(society.office.work(session), ops.ExportEnrolmentsRequest())


def test_a_member_sees_the_own_enrolments_on_the_phone(society: Society) -> None:
    office = society.office
    member_id, number = a_holder(office, affiliation="employer")
    _, other = a_holder(office)
    society.report(a_report(a_line(number, enrolment_no="mine"), a_line(other)))
    caller = Caller(roles=frozenset({"member"}), member_id=str(member_id), union_id=str(office.union.union_id))
    with office.begin() as session:
        answer = enrolments.get_personal_enrolments(office.work(session, caller), ops.GetPersonalEnrolmentsRequest())
    assert [one.enrolment_no for one in answer.items] == ["mine"]


@pytest.mark.parametrize(
    ("day", "status"),
    [("2025-12-31", "upcoming"), ("2026-01-01", "covered"), ("2026-12-31", "covered"), ("2027-01-01", "expired")],
)
def test_an_enrolment_covers_its_first_and_its_last_day(
    society: Society, monkeypatch: pytest.MonkeyPatch, day: str, status: str
) -> None:
    _, number = a_holder(society.office)
    society.report(a_report(a_line(number, year=2026)))
    monkeypatch.setattr(covers, "today", lambda: date.fromisoformat(day))
    assert [one["status"] for one in listed(society.office, status=status)] == [status]


def test_a_reason_is_encrypted_in_the_database(society: Society) -> None:
    _, number = a_holder(society.office)
    society.report(a_report(a_line(number, state="ended", ended_on=f"{today().year}-06-30", reason="会员身故")))
    with Session(society.office.engine) as session:
        kept = session.connection().exec_driver_sql("select reason from enrolment").scalar_one()
    assert "会员身故".encode() not in bytes(kept)


def _statements(engine: Engine, office: Office, report: reading.Report) -> int:
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    with office.begin() as session:
        before = len(seen)
        reports.apply_reports(session, [report])
        session.flush()
        return len(seen) - before


def test_members_keep_their_enrolments_when_they_move(society: Society) -> None:
    office = society.office
    member_id, number = a_holder(office)
    society.report(a_report(a_line(number)))
    with office.begin() as session:
        session.get_one(Member, member_id).union_id = office.superior.union_id
    assert not listed(office)
    assert len(listed(office, a_caller(office.superior, "clerk"))) == 1
