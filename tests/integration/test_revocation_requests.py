"""Revocation requests on a real database: who may request and decide, and what is published."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from marshmallow import ValidationError
from sqlalchemy import Engine, create_engine, delete, select
from sqlalchemy.orm import Session

from services.contracts.events.batching import BATCH_SUBMITTED, BatchSubmittedData
from services.contracts.examples import wire_example
from services.contracts.operations.revocation import (
    ApproveRevocation,
    DecidedOne,
    DecideRevocations,
    GetRevocation,
    ListRevocations,
    OneDecision,
    RejectRevocation,
    RequestRevocation,
    RevealApplicant,
    RevocationAnswer,
)
from services.contracts.overdue import today
from services.contracts.rules.working_days import due_on
from services.contracts.shared import ApplicationStep
from services.kit import clock
from services.kit.data.database import Database, outbox
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.request import Principal
from services.kit.rpc.work import Work
from services.revocation import batches, closing, overdue, requests
from services.revocation.progress import progress_of
from tests.databases import DatabaseFactory
from tests.documents import an_event

PHONE = "13800000000"
SHANGHAI = ZoneInfo("Asia/Shanghai")
HEAD, OTHER_HEAD = str(uuid4()), str(uuid4())


@pytest.fixture
def engine(database: DatabaseFactory) -> Iterator[Engine]:
    engine = create_engine(database("revocation").replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@pytest.fixture
def batch(session: Session) -> BatchSubmittedData:
    """A submitted batch of two applications, whose event revocation has handled."""
    submitted = BATCH_SUBMITTED.read(wire_example(BATCH_SUBMITTED))
    batches.batch_submitted(session, an_event(submitted))
    session.commit()
    return submitted


def a_clerk_of(batch: BatchSubmittedData) -> Caller:
    union = batch.union
    return Caller(
        account_id=str(batch.submitted_by),
        roles=frozenset({"clerk"}),
        union_id=str(union.union_id),
        superior_union_id=str(union.superior_union_id),
    )


def a_reviewer_of(batch: BatchSubmittedData) -> Caller:
    superior = str(batch.union.superior_union_id)
    return Caller(account_id=str(uuid4()), roles=frozenset({"reviewer"}), scope=Scope.SUBORDINATES, union_id=superior)


def of_the_city(batch: BatchSubmittedData, role: str) -> Caller:
    city = str(batch.union.superior_ids[0])
    scope = Scope.OWN_UNION if role == "clerk" else Scope.SUBORDINATES
    return Caller(account_id=str(uuid4()), roles=frozenset({role}), scope=scope, union_id=city)


def a_request(batch: BatchSubmittedData) -> RequestRevocation:
    return RequestRevocation(
        batch_no=batch.batch_no,
        applicant_name="王芳",
        applicant_phone=PHONE,
        reason_code="information",
        reason="3 人的证件到期日填错",
    )


def a_decision(decide: Any, revocation_id: UUID, remark: str | None) -> ApproveRevocation | RejectRevocation:
    if decide is requests.approve:
        return ApproveRevocation(revocation_id=revocation_id, remark=remark)
    return RejectRevocation(revocation_id=revocation_id, remark=remark or "不同意")


def decide_on(
    session: Session, decide: Any, caller: Caller, revocation_id: UUID, remark: str | None
) -> RevocationAnswer:
    decided: RevocationAnswer = decide(Work(session, caller), a_decision(decide, revocation_id, remark))
    return decided


def shown(session: Session, caller: Caller, revocation_id: UUID) -> RevocationAnswer:
    return requests.get_revocation(Work(session, caller), GetRevocation(revocation_id=revocation_id))


def asked(session: Session, batch: BatchSubmittedData) -> RevocationAnswer:
    revocation = requests.request_revocation(Work(session, a_clerk_of(batch)), a_request(batch))
    session.commit()
    return revocation


def refusal(session: Session, use_case: Any, caller: Caller, request: Any) -> str:
    with pytest.raises(Problem) as refused:
        use_case(Work(session, caller), request)
    session.rollback()
    return refused.value.code


def published(session: Session) -> list[str]:
    return [json.loads(body)["type"] for body in session.scalars(select(outbox.c.body).order_by(outbox.c.id))]


def test_the_reviewer_sees_a_request_with_the_facts_of_the_batch(session: Session, batch: BatchSubmittedData) -> None:
    revocation = asked(session, batch)
    answer = requests.list_revocations(Work(session, a_reviewer_of(batch)), ListRevocations())
    assert [item.revocation_id for item in answer.items] == [revocation.revocation_id]
    assert answer.items[0].total == 2
    assert answer.items[0].applicant_phone == "138****0000"
    assert published(session) == ["revocation.revocation_requested.v1"]


def test_requests_are_found_by_the_end_of_the_batchs_number_and_come_in_a_wanted_order(
    session: Session, batch: BatchSubmittedData
) -> None:
    revocation = asked(session, batch)
    clerk = Work(session, a_clerk_of(batch))
    for sort in ("batch_no", "-requested_at", "decided_at"):
        wanted = ListRevocations(batch_no=batch.batch_no[-5:], sort=sort)
        assert [item.revocation_id for item in requests.list_revocations(clerk, wanted).items] == [
            revocation.revocation_id
        ]
    assert requests.list_revocations(clerk, ListRevocations(batch_no="0" + batch.batch_no[-5:])).total == 0


def test_the_clerk_sees_the_phone_masked(session: Session, batch: BatchSubmittedData) -> None:
    assert asked(session, batch).applicant_phone == "138****0000"


def test_another_unions_batch_is_not_found(session: Session, batch: BatchSubmittedData) -> None:
    foreigner = Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(uuid4()))
    assert refusal(session, requests.request_revocation, foreigner, a_request(batch)) == "not_found"


def test_a_batch_has_one_open_request(session: Session, batch: BatchSubmittedData) -> None:
    asked(session, batch)
    assert refusal(session, requests.request_revocation, a_clerk_of(batch), a_request(batch)) == "revocation_open"


def test_a_batch_that_the_bank_has_decided_on_cannot_be_revoked(session: Session, batch: BatchSubmittedData) -> None:
    newer = [replace(step, version=step.version + 1) for step in batch.applications]
    batches.store_states(session, batch.batch_no, newer[:1], "issued")
    batches.store_states(session, batch.batch_no, newer[1:], "refused")
    assert refusal(session, requests.request_revocation, a_clerk_of(batch), a_request(batch)) == "batch_decided"


def test_the_order_of_events_does_not_matter(session: Session) -> None:
    submitted = BATCH_SUBMITTED.read(wire_example(BATCH_SUBMITTED))
    newer = [replace(step, version=step.version + 1) for step in submitted.applications]
    batches.store_states(session, submitted.batch_no, newer, "issued")
    batches.batch_submitted(session, an_event(submitted))
    progress = progress_of(session, {submitted.batch_no: 2})[submitted.batch_no]
    assert progress.is_decided
    assert progress.issued == 2


def test_a_request_is_closed_and_published_when_the_bank_has_decided_on_all(
    session: Session, batch: BatchSubmittedData
) -> None:
    revocation_id = asked(session, batch).revocation_id
    first, second = newer(batch)

    decided(session, batch, [first], "issued")
    assert shown(session, a_clerk_of(batch), revocation_id).state == "requested"
    decided(session, batch, [second], "refused")

    closed = shown(session, a_reviewer_of(batch), revocation_id)
    assert (closed.state, closed.decided_by, closed.can_decide) == ("closed", None, False)
    assert closed.decided_at
    assert closed.decided_at >= closed.requested_at
    assert published(session) == ["revocation.revocation_requested.v1", "revocation.revocation_closed.v1"]
    decided(session, batch, [first], "issued")
    assert len(published(session)) == 2, "closed once"


def test_a_request_is_closed_in_whatever_order_its_batch_becomes_known(session: Session) -> None:
    submitted = BATCH_SUBMITTED.read(wire_example(BATCH_SUBMITTED))
    parts = [replace(submitted, applications=[one]) for one in submitted.applications]
    batches.batch_submitted(session, an_event(parts[0]))
    asked(session, submitted)
    decided(session, submitted, newer(submitted), "released")
    batches.batch_submitted(session, an_event(parts[1]))
    closing.close_if_decided(session, submitted.batch_no)
    assert [item.state for item in _history(session, submitted)] == ["closed"]


def test_a_decision_after_the_bank_has_decided_is_refused(session: Session, batch: BatchSubmittedData) -> None:
    decision = (asked(session, batch).revocation_id, "同意")
    decided(session, batch, newer(batch), "issued")
    for decide in (requests.approve, requests.reject):
        with pytest.raises(Problem) as refused:
            decide_on(session, decide, a_reviewer_of(batch), *decision)
        session.rollback()
        assert (refused.value.code, refused.value.title) == ("already_decided", "银行已全部办结，该撤销申请无需审核")


def test_a_request_that_was_decided_before_the_bank_did_stays_as_it_was_decided(
    session: Session, batch: BatchSubmittedData
) -> None:
    decision = (asked(session, batch).revocation_id, "不同意")
    decide_on(session, requests.reject, a_reviewer_of(batch), *decision)
    decided(session, batch, newer(batch), "issued")
    assert [item.state for item in _history(session, batch)] == ["rejected"]


def test_the_last_two_words_of_the_bank_at_the_same_moment_close_the_request(
    engine: Engine, session: Session, batch: BatchSubmittedData
) -> None:
    asked(session, batch)
    first, second = newer(batch)
    with Session(engine) as one, Session(engine) as other:
        batches.store_states(one, batch.batch_no, [first], "issued")
        batches.store_states(other, batch.batch_no, [second], "refused")
        closing.close_if_decided(one, batch.batch_no)
        waiting = threading.Thread(target=concluded, args=(other, batch))
        waiting.start()
        one.commit()
        waiting.join()
    assert [item.state for item in _history(session, batch)] == ["closed"]


def test_a_request_that_is_made_while_the_bank_decides_is_refused_or_closed(
    engine: Engine, session: Session, batch: BatchSubmittedData
) -> None:
    with Session(engine) as bank:
        requests.request_revocation(Work(session, a_clerk_of(batch)), a_request(batch))
        batches.store_states(bank, batch.batch_no, newer(batch), "issued")
        hearing = threading.Thread(target=concluded, args=(bank, batch))
        hearing.start()
        session.commit()
        hearing.join()
    assert [item.state for item in _history(session, batch)] == ["closed"]


def test_requests_that_stayed_open_in_an_earlier_release_are_closed(
    session: Session, batch: BatchSubmittedData
) -> None:
    asked(session, batch)
    closing.close_all_decided(session)
    assert [item.state for item in _history(session, batch)] == ["requested"]
    batches.store_states(session, batch.batch_no, newer(batch), "issued")
    closing.close_all_decided(session)
    assert [item.state for item in _history(session, batch)] == ["closed"]


def test_a_batch_whose_revocation_was_approved_but_freed_nobody_is_decided_and_not_revoked(
    session: Session, batch: BatchSubmittedData
) -> None:
    decision = (asked(session, batch).revocation_id, None)
    decide_on(session, requests.approve, a_reviewer_of(batch), *decision)
    session.commit()
    assert refusal(session, requests.request_revocation, a_clerk_of(batch), a_request(batch)) == "already_revoked"
    decided(session, batch, newer(batch), "issued")
    assert refusal(session, requests.request_revocation, a_clerk_of(batch), a_request(batch)) == "batch_decided"


def test_after_a_rejection_one_may_ask_again_and_after_an_approval_not(
    session: Session, batch: BatchSubmittedData
) -> None:
    first = asked(session, batch)
    decide_on(session, requests.reject, a_reviewer_of(batch), first.revocation_id, "不同意")
    session.commit()
    second = asked(session, batch)
    decide_on(session, requests.approve, a_reviewer_of(batch), second.revocation_id, None)
    session.commit()
    assert refusal(session, requests.request_revocation, a_clerk_of(batch), a_request(batch)) == "already_revoked"
    assert [item.state for item in _history(session, batch)] == ["approved", "rejected"]


def test_only_the_superior_union_decides(session: Session, batch: BatchSubmittedData) -> None:
    decision = (asked(session, batch).revocation_id, None)
    stranger = Caller(
        account_id=str(uuid4()), roles=frozenset({"reviewer"}), scope=Scope.SUBORDINATES, union_id=str(uuid4())
    )
    own_union = Caller(
        account_id=str(uuid4()),
        roles=frozenset({"reviewer"}),
        scope=Scope.SUBORDINATES,
        union_id=str(batch.union.union_id),
    )
    assert refusal(session, requests.approve, stranger, a_decision(requests.approve, *decision)) == "not_found"
    assert refusal(session, requests.approve, own_union, a_decision(requests.approve, *decision)) == "not_the_superior"
    assert (
        refusal(session, requests.approve, of_the_city(batch, "reviewer"), a_decision(requests.approve, *decision))
        == "not_the_superior"
    )


def test_all_unions_above_see_a_request_but_the_direct_superior_decides(
    session: Session, batch: BatchSubmittedData
) -> None:
    asked(session, batch)
    for caller, decides in (
        (a_reviewer_of(batch), True),
        (of_the_city(batch, "reviewer"), False),
        (of_the_city(batch, "administrator"), False),
    ):
        (seen,) = requests.list_revocations(Work(session, caller), ListRevocations()).items
        assert seen.can_decide is decides
        assert "*" in seen.applicant_phone
    assert requests.list_revocations(Work(session, of_the_city(batch, "clerk")), ListRevocations()).items == []


def test_who_is_clerk_and_reviewer_at_once_does_not_decide_the_own_request(
    session: Session, batch: BatchSubmittedData
) -> None:
    both = replace(a_clerk_of(batch), roles=frozenset({"clerk", "reviewer"}))
    request = requests.request_revocation(Work(session, both), a_request(batch))
    session.commit()
    assert request.can_decide is False
    decision = request.revocation_id, None
    assert refusal(session, requests.approve, both, a_decision(requests.approve, *decision)) == "own_request"
    assert refusal(session, requests.reject, both, a_decision(requests.reject, *decision)) == "own_request"


def test_a_batch_published_without_all_superior_unions_is_seen_by_the_direct_superior(session: Session) -> None:
    published = wire_example(BATCH_SUBMITTED)
    del published["union"]["superior_ids"]
    submitted = BATCH_SUBMITTED.read(published)
    batches.batch_submitted(session, an_event(submitted))
    asked(session, submitted)
    assert requests.list_revocations(Work(session, a_reviewer_of(submitted)), ListRevocations()).total == 1


def test_who_asked_does_not_decide(session: Session, batch: BatchSubmittedData) -> None:
    decision = (asked(session, batch).revocation_id, None)
    applicant = Caller(
        account_id=str(batch.submitted_by),
        roles=frozenset({"reviewer"}),
        scope=Scope.SUBORDINATES,
        union_id=str(batch.union.superior_union_id),
    )
    assert refusal(session, requests.approve, applicant, a_decision(requests.approve, *decision)) == "own_request"


@pytest.mark.parametrize(
    ("of_clerk", "of_reviewer", "refused"),
    [
        ((HEAD,), (HEAD,), True),
        ((HEAD,), (), False),
        ((), (HEAD,), False),
        ((HEAD,), (OTHER_HEAD,), False),
        ((HEAD, OTHER_HEAD), (OTHER_HEAD,), True),
    ],
)
def test_nobody_decides_on_what_an_account_of_the_same_administrator_has_asked(
    session: Session, batch: BatchSubmittedData, of_clerk: tuple[str, ...], of_reviewer: tuple[str, ...], refused: bool
) -> None:
    clerk = replace(a_clerk_of(batch), controllers=of_clerk)
    reviewer = replace(a_reviewer_of(batch), controllers=of_reviewer)
    asked_for = requests.request_revocation(Work(session, clerk), a_request(batch))
    session.commit()
    seen = shown(session, reviewer, asked_for.revocation_id)
    assert (seen.is_of_same_administrator, seen.can_decide) == (refused, not refused)
    decision = asked_for.revocation_id, "意见"
    for decide in (requests.reject, requests.approve) if refused else ():
        assert refusal(session, decide, reviewer, a_decision(decide, *decision)) == "same_administrator"
    if not refused:
        assert decide_on(session, requests.approve, reviewer, *decision).state == "approved"


def test_an_administrator_who_reviews_decides_on_nothing_that_the_own_creature_asked(
    session: Session, batch: BatchSubmittedData
) -> None:
    both = replace(a_reviewer_of(batch), roles=frozenset({"administrator", "reviewer"}))
    clerk = replace(a_clerk_of(batch), controllers=(str(both.account_id),))
    asked_for = requests.request_revocation(Work(session, clerk), a_request(batch))
    session.commit()
    decision = asked_for.revocation_id, None
    assert refusal(session, requests.approve, both, a_decision(requests.approve, *decision)) == "same_administrator"


def test_a_deputy_sees_decides_and_says_in_whose_name(session: Session, batch: BatchSubmittedData) -> None:
    superior = str(batch.union.superior_union_id)
    principal = Principal(str(uuid4()), "张三", union_ids=(superior,), last_day=today().isoformat())
    idle = Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=superior)
    deputy = replace(idle, roles=frozenset({"clerk", "deputy"}), principals=(principal,))
    revocation_id = asked(session, batch).revocation_id

    assert listed(session, idle) == []
    (waiting,) = listed(session, deputy, can_decide=True)
    assert (waiting.can_decide, waiting.decides_for, waiting.can_call) == (True, "张三", True)
    decided_on = decide_on(session, requests.reject, deputy, revocation_id, "证件有效")
    session.commit()

    assert (decided_on.state, decided_on.on_behalf_of, decided_on.decides_for) == ("rejected", "张三", None)
    assert shown(session, a_clerk_of(batch), revocation_id).on_behalf_of == "张三"
    body = session.scalars(select(outbox.c.body).order_by(outbox.c.id.desc())).first()
    data = json.loads(body or b"")["data"]
    assert data["on_behalf_of"] == principal.account_id
    assert "张三" not in str(data)


def test_the_next_superior_decides_for_a_union_that_it_covers(session: Session, batch: BatchSubmittedData) -> None:
    revocation_id = asked(session, batch).revocation_id
    city = of_the_city(batch, "reviewer")
    approval = a_decision(requests.approve, revocation_id, None)
    assert refusal(session, requests.approve, city, approval) == "not_the_superior"

    covering = replace(city, covered_union_ids=(str(batch.union.superior_union_id),))
    assert [one.can_decide for one in listed(session, covering, can_decide=True)] == [True]
    decided_on = decide_on(session, requests.approve, covering, revocation_id, None)
    assert (decided_on.state, decided_on.on_behalf_of) == ("approved", None)


def test_of_two_reviewers_at_the_same_moment_one_decides(
    engine: Engine, session: Session, batch: BatchSubmittedData
) -> None:
    revocation_id = asked(session, batch).revocation_id
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def decide(decision: Any) -> None:
        with Session(engine) as own:
            together.wait()
            try:
                decide_on(own, decision, a_reviewer_of(batch), revocation_id, "意见")
                own.commit()
                outcomes.append("decided")
            except Problem as refused:
                outcomes.append(refused.code)

    reviewers = [threading.Thread(target=decide, args=(one,)) for one in (requests.approve, requests.reject)]
    for reviewer in reviewers:
        reviewer.start()
    for reviewer in reviewers:
        reviewer.join()
    assert sorted(outcomes) == ["already_decided", "decided"]


def newer(batch: BatchSubmittedData) -> list[ApplicationStep]:
    """The next step of each application."""
    return [replace(step, version=step.version + 1) for step in batch.applications]


def decided(session: Session, batch: BatchSubmittedData, steps: list[ApplicationStep], state: str) -> None:
    """Delivers the outcome of some applications to revocation."""
    batches.store_states(session, batch.batch_no, steps, state)
    concluded(session, batch)


def concluded(session: Session, batch: BatchSubmittedData) -> None:
    closing.close_if_decided(session, batch.batch_no)
    session.commit()


def _history(session: Session, batch: BatchSubmittedData) -> list[RevocationAnswer]:
    items = requests.list_revocations(Work(session, a_clerk_of(batch)), ListRevocations()).items
    return list(items)


def test_what_waits_for_a_reviewer_is_found_and_nothing_that_another_decides(
    session: Session, batch: BatchSubmittedData
) -> None:
    revocation = asked(session, batch)
    reviewer, city = a_reviewer_of(batch), of_the_city(batch, "reviewer")
    of_same_maker = replace(reviewer, account_id=str(uuid4()), controllers=(str(batch.submitted_by),))
    administrator = replace(reviewer, roles=frozenset({"administrator"}))
    for caller, waits in ((reviewer, True), (city, False), (of_same_maker, False), (administrator, False)):
        for can_decide in (True, False):
            found = listed(session, caller, can_decide=can_decide)
            assert [one.can_decide for one in found] == ([waits] if waits == can_decide else [])
    requests.approve(Work(session, reviewer), ApproveRevocation(revocation_id=revocation.revocation_id))
    assert listed(session, reviewer, can_decide=True) == []


def test_a_request_is_overdue_after_its_last_day_until_it_is_decided(
    session: Session, batch: BatchSubmittedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    revocation, reviewer = asked(session, batch), a_reviewer_of(batch)
    last_day = shown(session, reviewer, revocation.revocation_id).due_on
    assert last_day is not None
    last = datetime.combine(last_day, time(23), SHANGHAI)
    for moment, is_overdue in ((last, False), (last + timedelta(hours=1), True)):
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        [found] = listed(session, reviewer, overdue=is_overdue)
        assert (found.overdue, listed(session, reviewer, overdue=not is_overdue)) == (is_overdue, [])
    requests.approve(Work(session, reviewer), ApproveRevocation(revocation_id=revocation.revocation_id))
    [decided] = listed(session, reviewer, overdue=False)
    assert (decided.overdue, decided.due_on) == (False, None)


def test_overdue_requests_are_published_once_a_day_for_the_union_that_decides(
    engine: Engine, session: Session, batch: BatchSubmittedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(session, batch)
    database = Database()
    database.engine = engine
    began = due_on(datetime.now(SHANGHAI).date(), 1)
    for working_days, levels in ((1, []), (4, ["overdue"]), (4, []), (7, ["overdue", "escalated"])):
        day = due_on(began, working_days)
        monkeypatch.setattr(clock, "now", lambda day=day: datetime.combine(day, time(10), SHANGHAI))
        overdue.remind(database)
        works = [
            work
            for event in session.scalars(select(outbox.c.body).order_by(outbox.c.id))
            if json.loads(event)["type"] == "revocation.work_overdue.v1"
            for work in json.loads(event)["data"]["works"]
        ]
        assert [work["level"] for work in works] == levels
        assert {work["union_id"] for work in works} <= {str(batch.union.superior_union_id)}
        session.execute(delete(outbox))
        session.commit()


def test_a_request_tells_its_reason(session: Session, batch: BatchSubmittedData) -> None:
    revocation = asked(session, batch)
    seen = shown(session, a_reviewer_of(batch), revocation.revocation_id)
    assert (seen.reason_code, seen.reason) == ("information", "3 人的证件到期日填错")
    stored = session.connection().exec_driver_sql("select reason from revocation").scalar()
    assert "证件" not in str(stored)


def test_the_applicant_is_called_by_the_reviewer_alone(session: Session, batch: BatchSubmittedData) -> None:
    revocation = asked(session, batch)
    request = RevealApplicant(revocation_id=revocation.revocation_id, reason="电话核实撤销原因")
    reviewer = a_reviewer_of(batch)
    assert shown(session, reviewer, revocation.revocation_id).can_call
    assert requests.reveal_applicant(Work(session, reviewer), request).applicant_phone == PHONE
    above = of_the_city(batch, "reviewer")
    assert not shown(session, above, revocation.revocation_id).can_call
    assert refusal(session, requests.reveal_applicant, above, request) == "not_the_reviewer"
    stranger = replace(reviewer, union_id=str(uuid4()))
    assert refusal(session, requests.reveal_applicant, stranger, request) == "not_found"


def test_several_requests_are_decided_each_by_its_own_decision_and_remark(
    engine: Engine, session: Session, batch: BatchSubmittedData
) -> None:
    first, second, foreign = asked(session, batch), asked(session, another(session, batch)), uuid4()
    reviewer = a_reviewer_of(batch)
    decisions = [
        OneDecision(revocation_id=second.revocation_id, decision="reject", remark="银行已在制卡"),
        OneDecision(revocation_id=foreign, decision="approve"),
        OneDecision(revocation_id=first.revocation_id, decision="approve", remark="同意"),
    ]
    decided = decide_several(engine, session, reviewer, decisions)
    assert [(one.revocation_id, one.state, one.problem_code) for one in decided] == [
        (second.revocation_id, "rejected", None),
        (foreign, None, "not_found"),
        (first.revocation_id, "approved", None),
    ]
    kept = [shown(session, reviewer, one.revocation_id) for one in (first, second)]
    assert [(one.state, one.remark) for one in kept] == [("approved", "同意"), ("rejected", "银行已在制卡")]
    assert sorted(published(session)).count("revocation.revocation_approved.v1") == 1
    assert sorted(published(session)).count("revocation.revocation_rejected.v1") == 1
    actions = [(event["action"], event["outcome"]) for event in audit_events(session)]
    assert sorted(actions) == [
        ("revocation.approve_revocation", "done"),
        ("revocation.approve_revocation", "refused"),
        ("revocation.reject_revocation", "done"),
    ]


def test_deciding_again_on_several_changes_nothing(engine: Engine, session: Session, batch: BatchSubmittedData) -> None:
    revocation, reviewer = asked(session, batch), a_reviewer_of(batch)
    approve = OneDecision(revocation_id=revocation.revocation_id, decision="approve")
    assert [one.state for one in decide_several(engine, session, reviewer, [approve])] == ["approved"]
    reject = OneDecision(revocation_id=revocation.revocation_id, decision="reject", remark="不同意")
    assert [one.problem_code for one in decide_several(engine, session, reviewer, [reject])] == ["already_decided"]
    assert shown(session, reviewer, revocation.revocation_id).state == "approved"


def test_own_requests_are_not_decided_among_several(
    engine: Engine, session: Session, batch: BatchSubmittedData
) -> None:
    revocation = asked(session, batch)
    requester = replace(a_reviewer_of(batch), account_id=str(batch.submitted_by))
    decision = OneDecision(revocation_id=revocation.revocation_id, decision="approve")
    assert [one.problem_code for one in decide_several(engine, session, requester, [decision])] == ["own_request"]


def test_a_rejection_among_several_needs_a_remark() -> None:
    with pytest.raises(ValidationError):
        OneDecision(revocation_id=uuid4(), decision="reject")


def another(session: Session, batch: BatchSubmittedData) -> BatchSubmittedData:
    """Another batch of the same union."""
    applications = [replace(one, application_id=uuid4()) for one in batch.applications]
    other = replace(batch, batch_no=f"{batch.batch_no[:-1]}9", applications=applications)
    batches.batch_submitted(session, an_event(other))
    session.commit()
    return other


def decide_several(engine: Engine, session: Session, caller: Caller, decisions: list[OneDecision]) -> list[DecidedOne]:
    database = Database()
    database.engine = engine
    decided = requests.decide_several(Work(session, caller, database), DecideRevocations(decisions=decisions))
    session.commit()
    return decided.items


def audit_events(session: Session) -> list[dict[str, Any]]:
    events = [json.loads(body) for body in session.scalars(select(outbox.c.body))]
    return [event["data"] for event in events if event["type"] == "revocation.act_recorded.v1"]


def listed(session: Session, caller: Caller, **request: Any) -> list[RevocationAnswer]:
    return requests.list_revocations(Work(session, caller), ListRevocations(**request)).items
