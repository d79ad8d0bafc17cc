"""Requests for a member's data: a copy of all services' data, and the erasure after the term by two administrators."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from services.contracts.events.batching import BATCH_SUBMITTED, CARDS_ISSUED
from services.contracts.events.subjects import ASKED, SUBJECT_ANSWERED, SUBJECT_REQUESTED
from services.contracts.operations.membership import members as rpc
from services.contracts.operations.membership import subjects as ops
from services.contracts.shared import ERASED_NAME
from services.kit.events.failures import Reject
from services.kit.problems import Conflict, Forbidden, NotFound
from services.kit.rpc.methods import Caller
from services.kit.schemas import as_dict
from services.kit.settings import SettingsError
from services.membership.accounts import controls
from services.membership.members import leaving
from services.membership.models import CardStep, Member, SubjectCopy, SubjectRequest
from services.membership.retention import ErasureTerms
from services.membership.subjects import answers, documents, requests
from tests.integration.membership.office import Office, an_account, an_event
from tests.mothers import a_member_form

YEARS = timedelta(days=1100)


class Desk:
    """Two administrators of the superior union, of whom one takes requests in and the other confirms."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.taker = an_account(office, office.superior, "administrator")
        self.confirmer = an_account(office, office.superior, "administrator")

    def ask(self, member_no: str, kind: str = "copy", caller: Caller | None = None) -> dict[str, Any]:
        request = ops.RequestSubjectRequest(member_no=member_no, kind=kind, reason="本人书面申请")
        return self._call(requests.request_subject, request, caller or self.taker)

    def do(self, use_case: Any, request_id: Any, caller: Caller | None = None) -> Any:
        request = ops.SubjectRequestId(request_id=UUID(str(request_id)))
        return self._call(use_case, request, caller or self.confirmer)

    def answer_all(self, request_id: Any, kind: str = "copy", but: tuple[str, ...] = ()) -> None:
        """Lets the other services answer."""
        for service in ASKED:
            if service not in but:
                self.answer(service, request_id, kind)

    def answer(self, service: str, request_id: Any, kind: str = "copy") -> None:
        data = {
            "request_id": request_id,
            "kind": kind,
            "parts": [{"title": f"{service}的记录", "rows": 2}],
            "sheets": [{"title": f"{service}的记录", "headings": ["内容"], "rows": [[f"{service} 的一行"]]}],
        }
        with self.office.begin() as session:
            answers.subject_answered(session, an_event(SUBJECT_ANSWERED[service], data))

    def _call(self, use_case: Any, request: Any, caller: Caller) -> Any:
        with self.office.begin() as session:
            return as_dict(use_case(self.office.work(session, caller), request))


@pytest.fixture
def desk(office: Office) -> Desk:
    return Desk(office)


def number_of(office: Office, member_id: UUID) -> str:
    return str(office.kept(member_id, "member_no")[0])


def a_former_member(office: Office, ago: timedelta = YEARS, **changes: Any) -> tuple[UUID, str]:
    """A member who left so long ago; returns id and number."""
    (member_id,) = office.numbered(**changes)
    leave_long_ago(office, member_id, ago)
    return member_id, number_of(office, member_id)


def leave_long_ago(office: Office, member_id: UUID, ago: timedelta = YEARS) -> None:
    with office.begin() as session:
        leaving.end_membership(office.work(session), rpc.EndMembershipRequest(member_id=member_id, because="left"))
    with office.begin() as session:
        left = update(Member).where(Member.member_id == member_id).values(left_at=datetime.now(UTC) - ago)
        session.execute(left)


def test_a_copy_is_asked_of_all_services_and_done_when_all_have_answered(office: Office, desk: Desk) -> None:
    member_id, application_id = office.queued()
    asked = desk.ask(number_of(office, member_id))
    assert (asked["state"], asked["can_fetch"]) == ("working", False)
    assert sorted(asked["unanswered"]) == sorted(ASKED)
    [published] = office.published(SUBJECT_REQUESTED)
    assert (published["kind"], published["member_id"]) == ("copy", member_id)
    assert published["application_ids"] == [application_id]

    desk.answer_all(asked["request_id"], but=("revocation",))
    assert desk.do(requests.get_subject_request, asked["request_id"])["unanswered"] == ["revocation"]
    desk.answer("revocation", asked["request_id"])
    done = desk.do(requests.get_subject_request, asked["request_id"])
    assert (done["state"], done["can_fetch"]) == ("done", True)
    assert {part["service"] for part in done["parts"]} == {"membership", *ASKED}
    book = load_workbook(BytesIO(b64decode(desk.do(documents.fetch_subject_copy, asked["request_id"])["content"])))
    assert book.sheetnames[:2] == ["本人信息", "办卡申请"]
    assert [f"{service}的记录" for service in ASKED] == book.sheetnames[-4:]
    assert book["validation的记录"]["A2"].value == "validation 的一行"


def test_an_answer_that_comes_twice_counts_once(office: Office, desk: Desk) -> None:
    (member_id,) = office.numbered()
    asked = desk.ask(number_of(office, member_id))
    for _ in range(2):
        desk.answer("batching", asked["request_id"])
    shown = desk.do(requests.get_subject_request, asked["request_id"])
    assert [part["rows"] for part in shown["parts"] if part["service"] == "batching"] == [2]
    assert len(shown["unanswered"]) == 3


def test_an_answer_to_no_request_is_rejected(office: Office, desk: Desk) -> None:
    with pytest.raises(Reject):
        desk.answer("batching", str(uuid4()))


def test_a_second_request_of_a_kind_waits_for_the_first(office: Office, desk: Desk) -> None:
    (member_id,) = office.numbered()
    number = number_of(office, member_id)
    asked = desk.ask(number)
    with pytest.raises(Conflict, match="subject_request_waits"):
        desk.ask(number)
    desk.answer_all(asked["request_id"])
    assert desk.ask(number)["state"] == "working"


def test_nobody_asks_for_members_beyond_the_own_scope(office: Office, desk: Desk) -> None:
    (member_id,) = office.numbered()
    stranger = an_account(office, office.other, "administrator")
    with pytest.raises(NotFound):
        desk.ask(number_of(office, member_id), caller=stranger)
    asked = desk.ask(number_of(office, member_id))
    for use_case in (requests.get_subject_request, documents.fetch_subject_copy, documents.get_subject_receipt):
        with pytest.raises(NotFound):
            desk.do(use_case, asked["request_id"], stranger)
    with office.begin() as session:
        listed = requests.list_subject_requests(office.work(session, stranger), ops.ListSubjectRequestsRequest())
    assert listed.items == []


def test_a_copy_goes_with_its_term(office: Office, desk: Desk) -> None:
    (member_id,) = office.numbered()
    asked = desk.ask(number_of(office, member_id))
    with pytest.raises(Conflict, match="copy_not_ready"):
        desk.do(documents.fetch_subject_copy, asked["request_id"])
    desk.answer_all(asked["request_id"])
    with office.begin() as session:
        session.query(SubjectCopy).delete()
    with pytest.raises(Conflict, match="copy_gone"):
        desk.do(documents.fetch_subject_copy, asked["request_id"])
    assert desk.do(requests.get_subject_request, asked["request_id"])["can_fetch"] is False


@pytest.mark.parametrize(
    ("ago", "reason"),
    [(None, "没有退会"), (timedelta(days=1), "起可以删除"), (timedelta(days=1094), "起可以删除")],
)
def test_nobody_is_erased_before_the_term(office: Office, desk: Desk, ago: timedelta | None, reason: str) -> None:
    if ago is None:
        number = number_of(office, office.numbered()[0])
    else:
        _, number = a_former_member(office, ago)
    with pytest.raises(Conflict, match="not_erasable") as refused:
        desk.ask(number, "erasure")
    assert reason in str(refused.value.detail)


def test_a_holder_of_a_card_that_works_is_not_erased(office: Office, desk: Desk) -> None:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))
    leave_long_ago(office, member_id)
    number = number_of(office, member_id)
    with pytest.raises(Conflict, match="not_erasable") as refused:
        desk.ask(number, "erasure")
    assert "尚未销卡" in str(refused.value.detail)
    office.report_card(application_id, 1, "closed", "closed")
    assert desk.ask(number, "erasure")["state"] == "requested"


def test_an_erasure_needs_an_independent_administrator(office: Office, desk: Desk) -> None:
    _, number = a_former_member(office)
    asked = desk.ask(number, "erasure")
    assert (asked["state"], asked["can_confirm"], asked["can_end"]) == ("requested", False, True)
    with pytest.raises(Forbidden, match="own_request"):
        desk.do(requests.confirm_erasure, asked["request_id"], desk.taker)
    with office.begin() as session:
        made = session.get_one(controls.Account, UUID(desk.confirmer.account_id))
        controls.control(session, made, UUID(desk.taker.account_id), controls.MADE)
    with pytest.raises(Forbidden, match="same_administrator"):
        desk.do(requests.confirm_erasure, asked["request_id"])
    assert office.published(SUBJECT_REQUESTED) == []


def test_nothing_of_the_person_stays_and_the_person_may_be_registered_anew(office: Office, desk: Desk) -> None:
    form = a_member_form(name="张三丰", phone="13812345678", address="上海市杨浦区国权路1号")
    member_id, number = a_former_member(office, **form)
    asked = desk.ask(number, "erasure")
    shown = desk.do(requests.confirm_erasure, asked["request_id"])
    assert shown["state"] == "working"
    assert {"会员资料", "办卡申请", "操作日志"} <= {part["title"] for part in shown["parts"]}
    names = ("name", "document_number", "phone", "phone_digest", "address", "birth_date", "sex", "member_no")
    assert office.kept(member_id, *names) == (ERASED_NAME, "", None, None, None, None, None, number)
    with pytest.raises(NotFound):
        office.member(member_id)
    assert office.listed()["items"] == []
    [published] = office.published(SUBJECT_REQUESTED)
    assert published["kind"] == "erasure"
    anew = office.register(**form)
    assert anew != member_id

    desk.answer_all(asked["request_id"], "erasure")
    receipt = desk.do(documents.get_subject_receipt, asked["request_id"])
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(b64decode(receipt["content"]))).pages)
    assert number in text
    assert "已删除" in text
    assert "张三丰" not in text


def test_a_copy_that_was_made_before_goes_with_the_erasure(office: Office, desk: Desk) -> None:
    _, number = a_former_member(office)
    copy = desk.ask(number)
    desk.answer_all(copy["request_id"])
    desk.do(requests.confirm_erasure, desk.ask(number, "erasure")["request_id"])
    with office.begin() as session:
        assert session.query(SubjectCopy).count() == 0
    with pytest.raises(Conflict, match="copy_gone"):
        desk.do(documents.fetch_subject_copy, copy["request_id"])


def test_a_copy_completes_no_masked_number(office: Office, desk: Desk) -> None:
    (member_id,) = office.numbered()
    copy = desk.ask(number_of(office, member_id))
    desk.answer_all(copy["request_id"])
    book = load_workbook(BytesIO(b64decode(desk.do(documents.fetch_subject_copy, copy["request_id"])["content"])))
    facts = {row[0].value: row[1].value for row in book["本人信息"].iter_rows(min_row=2)}
    assert (facts["性别"], facts["出生日期"]) == ("见本人证件", "见本人证件")
    assert "*" in str(facts["证件号码"])


def test_who_sees_a_request_follows_the_member(office: Office, desk: Desk) -> None:
    (member_id,) = office.numbered()
    asked = desk.ask(number_of(office, member_id))
    with office.begin() as session:
        session.execute(update(Member).where(Member.member_id == member_id).values(union_id=office.other.union_id))
    with pytest.raises(NotFound):
        desk.do(requests.get_subject_request, asked["request_id"])
    there = an_account(office, office.other, "administrator")
    assert desk.do(requests.get_subject_request, asked["request_id"], there)["state"] == "working"


def test_no_number_comes_back_to_an_erased_member(office: Office, desk: Desk) -> None:
    member_id, application_id = office.queued()
    office.deliver(BATCH_SUBMITTED, (application_id, 1))
    office.deliver(CARDS_ISSUED, (application_id, 2))
    office.report_card(application_id, 1, "closed", "closed")
    leave_long_ago(office, member_id)
    desk.do(requests.confirm_erasure, desk.ask(number_of(office, member_id), "erasure")["request_id"])
    office.report_card(application_id, 2, "renewed", "closed")
    office.deliver(CARDS_ISSUED, (application_id, 2))
    assert office.kept(member_id, "card_no", "card_version") == (None, 2)
    with office.begin() as session:
        assert set(session.scalars(select(CardStep.card_no))) == {""}


def test_an_erased_member_is_asked_for_no_more(office: Office, desk: Desk) -> None:
    member_id, number = a_former_member(office)
    desk.do(requests.confirm_erasure, desk.ask(number, "erasure")["request_id"])
    for kind in ("copy", "erasure"):
        with pytest.raises(NotFound):
            desk.ask(number, kind)
    with pytest.raises(NotFound), office.begin() as session:
        leaving.resume_membership(office.work(session), rpc.GetMemberRequest(member_id=member_id))


def test_what_has_changed_since_the_request_is_seen_at_the_confirmation(office: Office, desk: Desk) -> None:
    member_id, number = a_former_member(office)
    asked = desk.ask(number, "erasure")
    with office.begin() as session:
        leaving.resume_membership(office.work(session), rpc.GetMemberRequest(member_id=member_id))
    with pytest.raises(Conflict, match="not_erasable"):
        desk.do(requests.confirm_erasure, asked["request_id"])
    assert office.member(member_id)["name"] != ERASED_NAME


def test_a_waiting_erasure_is_withdrawn_or_declined_and_ends_by_itself(office: Office, desk: Desk) -> None:
    _, number = a_former_member(office)
    withdrawn = desk.ask(number, "erasure")
    assert desk.do(requests.decline_erasure, withdrawn["request_id"], desk.taker)["state"] == "withdrawn"
    declined = desk.ask(number, "erasure")
    assert desk.do(requests.decline_erasure, declined["request_id"])["state"] == "declined"
    over = desk.ask(number, "erasure")
    with office.begin() as session:
        session.execute(update(SubjectRequest).values(expires_at=datetime.now(UTC)))
    for use_case in (requests.confirm_erasure, requests.decline_erasure):
        with pytest.raises(Conflict, match="subject_request_ended"):
            desk.do(use_case, over["request_id"])
    assert desk.ask(number, "erasure")["state"] == "requested"


def test_a_shorter_term_than_the_laws_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((SettingsError, ValueError)):
        ErasureTerms(erasure_days=30)


def test_two_who_ask_at_once_make_one_request(office: Office, desk: Desk) -> None:
    (member_id,) = office.numbered()
    asked = desk.ask(number_of(office, member_id))
    with office.begin() as session:
        row = session.get_one(SubjectRequest, UUID(str(asked["request_id"])))
        values = {column.key: getattr(row, column.key) for column in SubjectRequest.__table__.columns}
    twin = SubjectRequest(**{**values, "request_id": uuid4()})
    with pytest.raises(IntegrityError):
        store(office, twin)


def store(office: Office, row: SubjectRequest) -> None:
    with office.begin() as session:
        session.add(row)
