"""Submission: all entries of a channel, frozen under one number, published, and sent to the bank."""

import base64
import io
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from pypdf import PdfReader
from sqlalchemy import Engine, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from services.batching.batches import batches, preparation, submission
from services.batching.models import Application, Batch, BatchPerson
from services.batching.pending import consents, personal_applications
from services.batching.register import registers
from services.contracts.consent import CURRENT_CONSENT
from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.events.batching import BATCH_SUBMITTED, MEMBERS_REMOVED
from services.contracts.external import bank
from services.contracts.operations.batching import (
    BatchRequest,
    CancelPersonallyRequest,
    GetRegisterRequest,
    ListBatchesRequest,
    ListPersonalProgressRequest,
    PrepareSubmissionRequest,
    SubmitBatchRequest,
)
from services.contracts.values import start_of, today
from services.kit.problems import Conflict, Invalid, NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, as_dict
from tests.documents import read
from tests.integration.batching.desk import CONTACT, OUTLET, Desk, a_feedback
from tests.mothers import a_consent, an_applicant
from tests.ordered_plans import sorts_in


def test_a_submission_without_a_telephone_number_has_that_of_the_last_one_which_is_shown_masked(desk: Desk) -> None:
    with pytest.raises(Invalid) as refused:
        desk.submit(contact_phone=UNSET)
    desk.a_batch(1)
    with desk.begin() as session:
        prepared = preparation.prepare_submission(desk.work(session), PrepareSubmissionRequest())
    [application_id] = desk.queue(an_applicant())
    desk.check()
    desk.validate({application_id: "passed"})
    batch_no = desk.submit(contact_phone=UNSET)["batch_no"]

    assert [(field.field, field.code) for field in refused.value.fields] == [("contact_phone", "required")]
    assert prepared.contact_phone == "138****0000"
    with desk.begin() as session:
        assert session.get_one(Batch, batch_no).contact_phone == "13800000000"


def test_a_batch_takes_all_of_the_channel_and_is_published(desk: Desk) -> None:
    batch_no, application_ids = desk.a_batch(3)

    assert batch_no.startswith(f"cbc{desk.union['code']}{time.strftime('%Y')}")
    assert batch_no.endswith("001")
    assert desk.states(application_ids) == ["submitted"] * 3
    [published] = desk.published(BATCH_SUBMITTED)
    assert (published["batch_no"], published["total"], published["part"], published["parts"]) == (batch_no, 3, 1, 1)
    assert published["contact"] == {"name": "王芳", "phone": "13800000000"}
    assert [step["version"] for step in published["applications"]] == [1, 1, 1]
    assert desk.show()["total"] == 0


def test_the_bank_gets_the_batch_signed_with_whole_numbers(desk: Desk) -> None:
    desk.queue(an_applicant(document_number="31010119750308002X", phone="13800000009"))
    desk.check()
    desk.validate({one["application_id"]: "passed" for one in desk.show()["items"]})
    batch_no = desk.submit()["batch_no"]

    [sent] = desk.sent_to_bank(bank.SUBMITTED)
    assert sent["batch_no"] == batch_no
    assert sent["applicants"][0]["document_number"] == "31010119750308002X"
    assert sent["applicants"][0]["phone"] == "13800000009"
    assert bank.BatchSubmitted().validate(sent) == {}


def test_list_form_register_and_bank_have_the_members_in_the_order_of_their_numbers(desk: Desk) -> None:
    numbers = ["0070000003", "0070000001", "0070000002"]
    for number in numbers:
        applicant = an_applicant(nationality=None)
        steps = {"application_id": applicant["application_id"], "member_id": uuid4(), "member_no": number}
        desk.queue(applicant, applications=[steps])
    in_order = sorted(numbers)

    assert [one["member_no"] for one in desk.show()["items"]] == in_order
    form = pdf_text(base64.b64decode(desk.consent_form().content))
    assert sorted(numbers, key=form.index) == in_order

    desk.check()
    desk.validate({one["application_id"]: "passed" for one in desk.show()["items"]})
    batch_no = desk.submit()["batch_no"]

    assert [one["member_no"] for one in _members_of(desk, batch_no)] == in_order
    printed = desk.print_register(batch_no, "pdf")
    register = pdf_text(base64.b64decode(printed.content))
    assert sorted(numbers, key=register.index) == in_order
    [sent] = desk.sent_to_bank(bank.SUBMITTED)
    assert [(one["member_no"], one["nationality"]) for one in sent["applicants"]] == [(one, "CHN") for one in in_order]
    with desk.begin() as session:
        frozen = session.scalars(select(BatchPerson).order_by(BatchPerson.position)).all()
    assert [(one.member_no, one.nationality) for one in frozen] == [(one, "CHN") for one in in_order]


@pytest.mark.parametrize(
    ("version", "code"), [(None, "consent_required"), ("", "consent_required"), ("2020-01", "consent_outdated")]
)
def test_without_everybodys_consent_to_the_text_in_force_nothing_is_submitted(
    desk: Desk, version: str | None, code: str
) -> None:
    desk.queue()
    request: dict[str, Any] = {"channel": "ordinary", **OUTLET, **CONTACT}
    if version is not None:
        request["consent_version"] = version
    with pytest.raises(Invalid, match=code) as refusal, desk.begin() as session:
        submission.submit_batch(desk.work(session), SubmitBatchRequest(**request))
    assert [field.field for field in refusal.value.fields] == ["consent_version"]


def test_each_member_of_a_batch_has_a_receipt_of_what_the_clerk_attests(desk: Desk) -> None:
    desk.clerk = replace(desk.clerk, origin="203.0.113.7")
    batch_no, application_ids = desk.a_batch(2)
    with desk.begin() as session:
        receipts = consents.receipts_of(session, application_ids)
    assert receipts.keys() == set(application_ids)
    for receipt in receipts.values():
        assert (receipt.version, receipt.basis) == (CURRENT_CONSENT.version, "signed_form")
        assert (str(receipt.recorded_by), receipt.origin) == (desk.clerk.account_id, "203.0.113.7")
    shown = _members_of(desk, batch_no)
    assert [one["consent"]["basis"] for one in shown] == ["signed_form", "signed_form"]
    [published] = desk.published(BATCH_SUBMITTED)
    assert (published["consent_version"], published["consent_basis"]) == (CURRENT_CONSENT.version, "signed_form")


def test_the_database_takes_nobody_into_a_batch_without_a_receipt(desk: Desk) -> None:
    _, [application_id] = desk.a_batch(1)
    [without_receipt] = desk.queue()
    copied = (
        "insert into batch_person select batch_no, 2, :other, member_no, name, document_type, document_number,"
        " document_expiry, nationality from batch_person where application_id = :one"
    )
    with pytest.raises(DBAPIError, match="fk_batch_person_consent"), desk.engine.begin() as connection:
        connection.execute(text(copied), {"other": without_receipt, "one": application_id})


def test_a_receipt_is_never_changed(desk: Desk) -> None:
    desk.a_batch(1)
    for change in ("update consent_receipt set version = '2020-01'", "delete from consent_receipt"):
        with pytest.raises(DBAPIError, match="never changes"), desk.engine.begin() as connection:
            connection.execute(text(change))


def test_the_form_of_consent_names_those_who_are_to_sign_it(desk: Desk) -> None:
    desk.queue(an_applicant(name="王建国"), an_applicant(name="王𬎆"), an_applicant(name="SMITH JOHN"))
    form = desk.consent_form()
    words = pdf_text(base64.b64decode(form.content))
    assert "王建国" in words
    assert "SMITH" in words
    assert "王𬎆" not in words, "the special channel has a form of its own"
    assert CURRENT_CONSENT.version in words


def test_a_personal_application_without_consent_never_goes_to_the_bank(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(), personal_application={"outlet_code": "bocom-cn-01"}, consent=None)
    assert desk.states([application_id]) == ["removed"]
    assert desk.sent_to_bank(bank.SUBMITTED) == []


def test_a_personal_application_carries_the_members_own_consent(desk: Desk) -> None:
    given = a_consent()
    [application_id] = desk.queue(an_applicant(), personal_application={"outlet_code": "bocom-cn-01"}, consent=given)
    desk.validate({application_id: "passed"})
    with desk.begin() as session:
        receipt = consents.receipts_of(session, [application_id])[application_id]
    assert (receipt.basis, receipt.version, receipt.given_at) == ("phone", given["version"], given["given_at"])
    assert (receipt.recorded_by, receipt.origin) == (receipt.member_id, given["origin"])
    assert desk.published(BATCH_SUBMITTED)[0]["consent_basis"] == "phone"


def test_numbers_of_a_day_count_up(desk: Desk) -> None:
    first, _ = desk.a_batch(1)
    second, _ = desk.a_batch(1)
    assert (first[-3:], second[-3:]) == ("001", "002")


def test_nothing_is_submitted_while_one_has_not_passed(desk: Desk) -> None:
    passed, _ = desk.queue(an_applicant(), an_applicant())
    desk.check()
    desk.validate({passed: "passed"})
    with pytest.raises(Conflict, match="not_all_passed") as refusal:
        desk.submit()
    assert refusal.value.title == "待办会员共: 2人; 校验通过: 1人; 未通过: 1人。"


def test_the_special_channel_needs_complete_information_and_a_passed_check(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(name="王䶮", document_expiry=None))
    with pytest.raises(Conflict, match="not_all_complete"):
        desk.submit("special")
    desk.update(application_id, document_expiry=date(2041, 2, 3))
    with pytest.raises(Conflict, match="not_all_passed"):
        desk.submit("special")
    desk.check(channel="special")
    desk.validate({application_id: "failed"}, code="retired_by_registry", message="已退休")
    with pytest.raises(Conflict, match="not_all_passed") as refusal:
        desk.submit("special")
    assert [problem.reason for problem in refusal.value.fields] == ["王䶮：已退休"]
    desk.check(channel="special")
    desk.validate({application_id: "passed"}, check_no=2)
    assert desk.submit("special")["total"] == 1


def test_the_reason_of_the_special_channel_stays_in_the_register(desk: Desk) -> None:
    [application_id] = desk.queue()
    desk.update(application_id, channel="special", channel_reason_code="other", channel_note="曾用名")
    desk.check(channel="special")
    desk.validate({application_id: "passed"})
    batch_no = desk.submit("special")["batch_no"]
    with desk.begin() as session:
        person = session.scalars(select(BatchPerson).where(BatchPerson.batch_no == batch_no)).one()
        assert person.channel_reason == "其他：曾用名"
        registers.print_register(desk.work(session), GetRegisterRequest(batch_no=batch_no, format="xlsx"))


@pytest.mark.parametrize(
    ("outdated", "named"),
    [
        ({"checked_at": datetime.now(UTC) - timedelta(hours=25)}, []),
        ({"checked_at": None}, []),
        ({"document_expiry": date(2020, 1, 2)}, ["王建国：证件已于2020-01-02到期"]),
    ],
)
def test_a_check_that_no_longer_holds_is_made_again_at_the_submission(
    desk: Desk, outdated: dict[str, Any], named: list[str]
) -> None:
    stale, fresh = desk.queue(an_applicant(), an_applicant())
    desk.check()
    desk.validate({stale: "passed", fresh: "passed"})
    with desk.begin() as session:
        session.execute(update(Application).where(Application.application_id == stale).values(outdated))
    with pytest.raises(Conflict, match="checks_outdated") as refusal:
        desk.submit()
    assert [problem.reason for problem in refusal.value.fields] == named
    assert [desk.application(one).check_state for one in (stale, fresh)] == ["checking", "passed"]
    assert [published["action"] for published in desk.published(ACTS_RECORDED["batching"])] == [
        "batching.check_pending"
    ]
    desk.validate({stale: "passed"}, check_no=2)
    if not named:
        assert desk.submit()["total"] == 2


def test_a_check_of_a_former_month_no_longer_holds_for_people_retire_at_its_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "read_settings", lambda _: submission.SubmissionSettings(check_holds_hours=24 * 60))
    former, recent = desk.queue(an_applicant(), an_applicant())
    desk.check()
    desk.validate({former: "passed", recent: "passed"})
    end_of_month = start_of(today().replace(day=1)) - timedelta(seconds=1)
    with desk.begin() as session:
        changed = update(Application).where(Application.application_id == former).values(checked_at=end_of_month)
        session.execute(changed)
    with pytest.raises(Conflict, match="checks_outdated"):
        desk.submit()
    assert [desk.application(one).check_state for one in (former, recent)] == ["checking", "passed"]


def test_a_name_that_no_font_has_is_not_submitted(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(name="王\U000323b0"))
    desk.check(channel="special")
    desk.validate({application_id: "passed"})
    with pytest.raises(Problem, match="font_lacks"):
        desk.submit("special")
    assert desk.states([application_id]) == ["queued"]


def test_an_empty_channel_cannot_be_submitted(desk: Desk) -> None:
    with pytest.raises(Conflict, match="pending_empty"):
        desk.submit()


def test_an_outlet_of_another_branch_is_refused_by_field(desk: Desk) -> None:
    with pytest.raises(Invalid) as refusal:
        desk.submit(outlet_code="ccb-yp-01")
    assert [field.code for field in refusal.value.fields] == ["outlet_of_another_branch"]


def test_names_that_the_branch_cannot_hold_take_the_special_channel(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(name="陶喆"))
    desk.check()
    desk.validate({application_id: "passed"})
    with pytest.raises(Conflict, match="name_outside_charset") as refusal:
        desk.submit(branch_code="bosc-sh", outlet_code="bosc-yp-01")
    assert [problem.reason for problem in refusal.value.fields] == ["陶喆：“喆”"]
    desk.update(application_id, channel="special", channel_reason_code="name_not_enterable")
    assert desk.submit("special", branch_code="bosc-sh", outlet_code="bosc-yp-01")["total"] == 1


def test_two_clerks_who_submit_at_the_same_moment_make_one_batch(desk: Desk) -> None:
    application_ids = desk.queue(*(an_applicant() for _ in range(200)))
    desk.check()
    desk.validate(dict.fromkeys(application_ids, "passed"))

    def submit(_: int) -> str:
        try:
            desk.submit()
        except Conflict as refusal:
            return refusal.code
        return "made"

    with ThreadPoolExecutor(4) as clerks:
        outcomes = list(clerks.map(submit, range(4)))

    assert sorted(outcomes) == ["made", "pending_empty", "pending_empty", "pending_empty"]
    assert [published["total"] for published in desk.published(BATCH_SUBMITTED)] == [200]


def test_a_large_batch_is_published_in_parts(desk: Desk) -> None:
    desk.a_batch(1001)
    assert [(one["part"], one["parts"], len(one["applications"])) for one in desk.published(BATCH_SUBMITTED)] == [
        (1, 3, 500), (2, 3, 500), (3, 3, 1),
    ]  # fmt: skip
    assert [len(sent["applicants"]) for sent in desk.sent_to_bank(bank.SUBMITTED)] == [500, 500, 1]


def test_the_persons_of_a_batch_cannot_be_changed_or_deleted(desk: Desk, engine: Engine) -> None:
    desk.a_batch()
    for change in ("update batch_person set name = '改'", "delete from batch_person", "truncate batch_person"):
        with pytest.raises(DBAPIError, match="never changes"), engine.begin() as connection:
            connection.execute(text(change))


def reviewer_of(desk: Desk) -> Caller:
    return above(desk, -1, "reviewer")


def above(desk: Desk, height: int, *roles: str) -> Caller:
    """Somebody of a union above the desk's: 0 is the city's, -1 the direct superior."""
    union_id = str(desk.union["superior_ids"][height])
    scope = Scope.OWN_UNION if roles == ("clerk",) else Scope.SUBORDINATES
    return Caller(account_id="r", roles=frozenset(roles), union_id=union_id, scope=scope)


def listed(desk: Desk, caller: Caller | None = None, **request: str) -> list[str]:
    with desk.begin() as session:
        answer = batches.list_batches(Work(session, caller or desk.clerk), read(ListBatchesRequest, request))
    return [item.batch_no for item in answer.items]


def test_batches_are_found_by_the_manuals_filters(desk: Desk) -> None:
    first, _ = desk.a_batch(1)
    second, _ = desk.a_batch(1)

    today = f"{first[-11:-7]}-{first[-7:-5]}-{first[-5:-3]}"
    assert listed(desk) == [second, first]
    assert listed(desk, batch_no=second) == [second]
    assert listed(desk, submitted_from=today, submitted_to=today) == [second, first]
    assert listed(desk, submitted_to="2020-01-01") == []
    assert listed(desk, submitted_from="0001-01-01", submitted_to="9999-12-31") == [second, first]
    assert listed(desk, channel="special") == []
    assert listed(desk, state="submitted", register_state="unprinted") == [second, first]


def test_a_batch_is_found_by_the_end_of_its_number(desk: Desk) -> None:
    first, _ = desk.a_batch(1)
    second, _ = desk.a_batch(1)

    assert listed(desk, batch_no=first[-4:]) == [first]
    assert listed(desk, batch_no=second[-7:]) == [second]
    assert listed(desk, batch_no=second[:-1]) == [second, first]
    assert listed(desk, batch_no=second[1:5]) == []
    assert listed(desk, batch_no="%") == []


def test_batches_are_in_the_order_of_the_wanted_column(desk: Desk) -> None:
    small, _ = desk.a_batch(1)
    large, _ = desk.a_batch(2)

    assert listed(desk, sort="total") == listed(desk, sort="submitted_at") == listed(desk, sort="batch_no")
    assert listed(desk, sort="-total") == [large, small]
    assert listed(desk, sort="total") == [small, large]


def _ask_for_batches(caller: Caller, request: ListBatchesRequest, session: Session) -> None:
    batches.list_batches(Work(session, caller), request)


@pytest.mark.parametrize("name", ["batch_no", "total", "issued", "submitted_at", "feedback_at"])
def test_an_index_has_the_order_of_each_column(desk: Desk, name: str) -> None:
    for sort in (name, f"-{name}"):
        request = ListBatchesRequest(sort=sort)
        for caller in (desk.clerk, above(desk, 0, "administrator")):
            assert sorts_in(desk.engine, partial(_ask_for_batches, caller, request)) == []


def test_batches_are_seen_by_their_union_and_those_above_it_only(desk: Desk, engine: Engine) -> None:
    batch_no, _ = desk.a_batch(1)
    other = Desk(engine)

    assert listed(desk, reviewer_of(desk)) == [batch_no]
    assert listed(desk, reviewer_of(desk), union_id=str(desk.union_id)) == [batch_no]
    assert listed(desk, above(desk, 0, "administrator")) == [batch_no]
    assert listed(desk, above(desk, 0, "clerk")) == []
    assert listed(other) == listed(other, reviewer_of(other)) == []
    with other.begin() as session, pytest.raises(NotFound):
        batches.get_batch(other.work(session), BatchRequest(batch_no=batch_no))


def test_the_register_with_its_whole_numbers_is_for_the_union_of_the_batch_alone(desk: Desk) -> None:
    batch_no, _ = desk.a_batch(1)
    superior = Caller(
        account_id="c",
        roles=frozenset({"clerk", "reviewer"}),
        scope=Scope.SUBORDINATES,
        union_id=str(desk.union["superior_union_id"]),
    )
    for give_out in (
        lambda session: registers.print_register(Work(session, superior), GetRegisterRequest(batch_no=batch_no)),
        lambda session: registers.get_attachments(Work(session, superior), BatchRequest(batch_no=batch_no)),
    ):
        with desk.begin() as session, pytest.raises(NotFound):
            give_out(session)
    assert listed(desk, register_state="unprinted") == [batch_no]


def test_details_show_contact_and_persons_masked(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(name="韩梅", document_number="31010119750308002X"))
    desk.check()
    desk.validate({application_id: "passed"})
    batch = desk.submit()

    assert batch["contact"] == {"name": "王芳", "phone": "138****0000"}
    assert (batch["state"], batch["feedback_text"], batch["revocable"]) == (
        "submitted", "自行前往所选银行网点申办卡", True,
    )  # fmt: skip
    [member] = desk.show_batch_members(batch["batch_no"], name="韩", state="submitted")
    assert (member["name"], member["document_number"], member["card_no"]) == ("韩梅", "31010***********2X", None)


def test_a_register_that_is_not_what_was_submitted_is_not_given_out(desk: Desk, engine: Engine) -> None:
    batch_no, _ = desk.a_batch(1)
    with engine.begin() as connection:
        connection.execute(text("update batch set outlet_address = '别处'"))
    with desk.begin() as session, pytest.raises(Problem, match="register_differs"):
        registers.print_register(desk.work(session), GetRegisterRequest(batch_no=batch_no, format="xlsx"))


def test_printing_the_register_marks_the_batch(desk: Desk) -> None:
    batch_no, _ = desk.a_batch(1)
    answer = desk.print_register(batch_no, "xlsx")
    assert answer.register_hash == desk.batch(batch_no).register_hash
    assert listed(desk, register_state="printed") == [batch_no]


def test_a_personal_application_is_checked_and_submitted_automatically(desk: Desk) -> None:
    [application_id] = desk.queue(
        an_applicant(name="周强", phone="13900000002", nationality=None),
        personal_application={"outlet_code": "bocom-cn-01"},
    )
    assert desk.application(application_id).check_state == "checking"
    assert desk.show()["total"] == 0

    desk.validate({application_id: "passed"})

    [published] = desk.published(BATCH_SUBMITTED)
    assert (published["personal"], published["total"], published["outlet_code"]) == (True, 1, "bocom-cn-01")
    assert published["contact"] == {"name": "周强", "phone": "13900000002"}
    assert desk.states([application_id]) == ["submitted"]


def test_a_member_sees_outlet_and_banks_progress_of_no_application_but_the_own(desk: Desk) -> None:
    member = Caller(member_id=str(uuid4()), roles=frozenset({"member"}), scope=Scope.SELF)
    chosen: dict[str, Any] = {"personal_application": {"outlet_code": "bocom-cn-01"}}
    [own] = desk.queue(an_applicant(), queued_by=UUID(member.member_id), **chosen)
    [others] = desk.queue(an_applicant(), **chosen)
    desk.validate({own: "passed", others: "passed"})
    assert progress_of(desk, member)["bank_progress"] is None

    for application_id in (own, others):
        batch_no = desk.application(application_id).batch_no or ""
        assert desk.feed(a_feedback(batch_no, {"application_id": application_id, "outcome": "accepted"})) == [None]

    shown = progress_of(desk, member)
    assert (shown["application_id"], shown["bank_progress"]) == (own, "accepted")
    assert shown["outlet"]["name"] == "交通银行古北路支行"


def cancel(desk: Desk, member: Caller, application_id: UUID) -> None:
    with desk.begin() as session:
        request = CancelPersonallyRequest(application_id=application_id)
        personal_applications.cancel(Work(session, member), request)


def a_member() -> Caller:
    return Caller(member_id=str(uuid4()), roles=frozenset({"member"}), scope=Scope.SELF)


def apply(desk: Desk, member: Caller) -> UUID:
    """The member's own application at an outlet."""
    chosen: dict[str, Any] = {"personal_application": {"outlet_code": "bocom-cn-01"}}
    [application_id] = desk.queue(an_applicant(), queued_by=UUID(member.member_id), **chosen)
    return application_id


def test_a_member_cancels_the_own_application_before_it_is_submitted(desk: Desk) -> None:
    member = a_member()
    own, others = apply(desk, member), apply(desk, a_member())
    [by_clerk] = desk.queue(an_applicant())
    for unknown in (others, by_clerk, uuid4()):
        with pytest.raises(NotFound):
            cancel(desk, member, unknown)

    cancel(desk, member, own)
    cancel(desk, member, own)

    assert desk.states([own, others, by_clerk]) == ["removed", "queued", "queued"]
    [published] = desk.published(MEMBERS_REMOVED)
    assert (published["reason"], published["detail"]) == ("cancelled", "本人取消申请并撤回同意")
    desk.validate({own: "passed"})
    assert desk.states([own]) == ["removed"]
    assert desk.sent_to_bank(bank.SUBMITTED) == []


def test_a_member_whose_application_is_at_the_bank_is_sent_to_the_union(desk: Desk) -> None:
    member = a_member()
    own = apply(desk, member)
    desk.validate({own: "passed"})
    with pytest.raises(Conflict) as refused:
        cancel(desk, member, own)
    assert refused.value.code == "already_submitted"
    assert desk.states([own]) == ["submitted"]


def test_a_personal_application_waits_for_the_registry_and_then_resumes(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(), personal_application={"outlet_code": "bocom-cn-01"})
    desk.validate({application_id: "waiting"})
    assert desk.states([application_id]) == ["queued"]
    desk.validate({application_id: "passed"})
    assert desk.states([application_id]) == ["submitted"]


@pytest.mark.parametrize(
    ("outlet_code", "result", "reason"), [("bocom-cn-01", "failed", "check_failed"), ("nowhere", None, "incomplete")]
)
def test_a_personal_application_that_cannot_be_submitted_frees_the_member(
    desk: Desk, outlet_code: str, result: str | None, reason: str
) -> None:
    [application_id] = desk.queue(an_applicant(), personal_application={"outlet_code": outlet_code})
    if result:
        desk.validate({application_id: result})
    assert desk.states([application_id]) == ["removed"]
    assert [published["reason"] for published in desk.published(MEMBERS_REMOVED)] == [reason]


def test_a_clerk_does_not_submit_personal_applications(desk: Desk) -> None:
    desk.queue(an_applicant(), personal_application={"outlet_code": "bocom-cn-01"})
    with pytest.raises(Conflict, match="pending_empty"):
        desk.submit()
    assert desk.remove(which="not_passed") == 0


def test_what_was_changed_before_submission_is_what_the_batch_holds(desk: Desk) -> None:
    [application_id] = desk.queue(an_applicant(name="王䶮"))
    desk.update(application_id, document_expiry=date(2041, 2, 3))
    desk.check(channel="special")
    desk.validate({application_id: "passed"})
    desk.submit("special")
    [sent] = desk.sent_to_bank(bank.SUBMITTED)
    assert sent["applicants"][0]["document_expiry"] == "2041-02-03"


def progress_of(desk: Desk, member: Caller) -> dict[str, Any]:
    with desk.begin() as session:
        answer = personal_applications.list_progress(Work(session, member), ListPersonalProgressRequest())
    [shown] = as_dict(answer.items)
    return dict(shown)


def _members_of(desk: Desk, batch_no: str) -> list[dict[str, Any]]:
    return desk.show_batch_members(batch_no)


def pdf_text(content: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
