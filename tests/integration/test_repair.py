"""Violated invariants are repaired by the services' own code: a dry run lists, the repair does and records."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import amqp
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from stdnum import luhn

from deploy.broker import declare_all
from deploy.invariants import System, check
from deploy.invariants.system import Unreadable
from deploy.permissions import SERVICES
from deploy.repair import Runner
from deploy.repair.plan import REMEDIES
from services.batching import repairs
from services.batching.batches import releases
from services.batching.models import Application, BatchPerson, Card
from services.batching.pending import pending
from services.contracts.events.all_events import EVENTS
from services.contracts.events.membership import CorrectionRefusedData, ImportContinuedData
from services.contracts.external import bank
from services.contracts.operations.batching import UpdatePendingRequest
from services.kit.amqp.connection import open_connection
from services.kit.data import repair
from services.kit.data.database import decrypted
from services.kit.dead_letters.letters import DeadLetters
from services.kit.operations import audit
from services.kit.operations.base_service import discard_letters
from services.kit.operations.operators import DiscardDeadLettersRequest
from services.kit.rpc.work import Work
from services.kit.schemas import required
from services.membership.facts import publish_changed
from services.membership.imports import import_parts
from services.membership.models import Application as MembershipApplication
from services.membership.models import AuditEntry, ImportJob, Member, SubjectRequest
from services.membership.subjects import erasing
from services.membership.subjects.answers import OWN, keep_answer
from services.membership.subjects.asking import publish_requested
from services.notification.models import InboxMessage, MemberMessage
from services.validation.models import CheckFinding
from tests.databases import DatabaseFactory
from tests.documents import an_event
from tests.integration.five_databases import FiveDatabases

_KEYS = ("AUDIT_KEYS", "PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY", "ENVIRONMENT")
_A_BATCHED = "select min(application_id::text)::uuid from application where state = 'issued')"
_A_FREE = "select max(member_id::text)::uuid from member where card_state = 'none')"
_LOCKED = " card_state = 'pending', application_id = gen_random_uuid(), channel = 'ordinary', applied_at = now()"
_AT_REST = ("sms_settled:*", "contact_texted:*", "act_log_holds:*")
"""Invariants that do not apply here: no SMS are sent, and another test verifies the audit log."""


@dataclass(frozen=True)
class RunnerInProcess(Runner):
    """The runner with repairs in this process, and without a minimum age."""

    world: FiveDatabases | None = field(default=None)
    older_than: timedelta = timedelta(seconds=-60)

    def ask(self, service: str, order: dict[str, Any]) -> Any:
        assert self.world
        with Session(self.world.engines[service], expire_on_commit=False) as session:
            return repair.answer(session, service, order)


@pytest.fixture(scope="module")
def urls(module_database: DatabaseFactory) -> dict[str, str]:
    return {service: module_database(service) for service in SERVICES}


@pytest.fixture(scope="module")
def system(urls: dict[str, str], module_amqp_uri: str) -> System:
    declare_all(module_amqp_uri)
    keys = {name: os.environ[name] for name in _KEYS}
    return System(urls, dict.fromkeys(SERVICES, module_amqp_uri), keys, ())


@pytest.fixture(scope="module")
def world(urls: dict[str, str]) -> FiveDatabases:
    return FiveDatabases(urls)


@pytest.fixture(scope="module")
def runner(system: System, world: FiveDatabases) -> Iterator[Runner]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("deploy.repair.runner._SECONDS_BETWEEN_LOOKS", 0)
        patched.setattr("services.kit.dead_letters.exclusive_reader._SECONDS_AFTER_A_KILL", 0)
        patched.setattr("deploy.invariants.checker.audit_log_is_intact", lambda *_: iter(()))
        yield RunnerInProcess(system, {}, world=world)


@dataclass(frozen=True)
class Repaired:
    """What was broken, what a dry run said, what the repair did, which events went to whom then, what was left."""

    broken: set[str]
    would: dict[str, list[str]]
    told_by_dry_run: list[tuple[str, str]]
    did: dict[str, list[str]]
    published: set[tuple[str, str]]
    left: list[str]
    unheard_of: list[UUID]
    import_id: UUID


@pytest.fixture(scope="module")
def repaired(world: FiveDatabases, runner: Runner, system: System) -> Repaired:
    """Every repairable invariant is violated, then all are checked and repaired together."""
    for lost_by in ("membership", "revocation", "notification"):
        a_batch(world, 2, losing("batch_submitted", lost_by))
    for number, lost_by in enumerate(("membership", "revocation")):
        lose_decisions(world, lost_by, card=with_check_digit(f"62220212345678901{number}"))
    lose_steps_of_a_card(world, card=with_check_digit("622202123456789018"))
    lose_the_first_step_of_a_card(world, card=with_check_digit("622202123456789022"))
    lose_a_move(world)
    lose_a_merger(world)
    strand_a_card(world, card=with_check_digit("622202123456789020"))
    revoked = a_batch(world, 1)
    revocation_id = world.request_revocation(revoked)
    world.deliver()
    world.approve(revocation_id)
    world.deliver(lambda event, consumer: event == "revocation_approved")
    overtaken = a_batch(world, 1)
    world.request_revocation(overtaken)
    world.deliver()
    with world.begin("batching") as session:
        only = session.scalars(select(BatchPerson.application_id).where(BatchPerson.batch_no == overtaken)).one()
    world.feed(overtaken, {"application_id": str(only), "outcome": "refused", "reason_code": "photo_unclear"})
    world.deliver(lambda event, consumer: event == "revocation_closed")
    world.change("membership", "delete from application_history where version = 1 and application_id = (" + _A_BATCHED)
    world.change("membership", "update member set" + _LOCKED + " where member_id = (" + _A_FREE)
    import_id = a_running_import(world)
    lose_checks(world)
    lose_an_erasure(world)
    unheard_of = world.queue(3)
    world.deliver(lambda event, consumer: event == "members_queued")
    broken = {one.invariant for one in check(system, allowed=_AT_REST)}

    tasks, _ = runner.find_tasks(0)
    would = {task.remedy.name: sorted(runner.carry_out(task, None)) for task in tasks}
    told_by_dry_run = world.deliver()
    did = {task.remedy.name: sorted(runner.carry_out(task, runner.operator("ops"))) for task in tasks}
    published = set(world.deliver())
    left = [str(one) for one in check(system, allowed=_AT_REST)]
    return Repaired(broken, would, told_by_dry_run, did, published, left, unheard_of, import_id)


def test_each_kind_of_repair_had_something_to_repair(repaired: Repaired) -> None:
    # A submission that notification lacks is not counted in the reports either, until it is published again; a merged
    # union that has members is ended as well.
    assert repaired.broken == {"report_counts", "union_tree", *(remedy.invariant for remedy in REMEDIES)}
    assert repaired.did.keys() == {remedy.name for remedy in REMEDIES}


def test_a_dry_run_lists_the_repairs_and_publishes_nothing(repaired: Repaired) -> None:
    assert repaired.told_by_dry_run == []
    assert repaired.would == repaired.did
    assert all(repaired.did.values())


def test_after_the_repair_the_invariants_hold(repaired: Repaired) -> None:
    assert repaired.left == []


@pytest.mark.parametrize(
    ("event", "consumer"),
    [
        *(("batch_submitted", consumer) for consumer in ("membership", "revocation", "notification")),
        *(
            (event, consumer)
            for event in ("cards_issued", "cards_refused")
            for consumer in ("membership", "revocation")
        ),
        ("cards_changed", "membership"),
        ("member_transferred", "batching"),
        ("members_queued", "batching"),
        ("validation_requested", "validation"),
        ("members_validated", "batching"),
        ("revocation_approved", "batching"),
        ("revocation_approved", "notification"),
        ("revocation_closed", "batching"),
        ("revocation_closed", "notification"),
        ("batch_released", "membership"),
        ("import_progressed", "notification"),
        *(("subject_requested", consumer) for consumer in ("batching", "validation", "notification")),
    ],
)
def test_a_consumer_that_lacked_an_event_gets_it(repaired: Repaired, event: str, consumer: str) -> None:
    assert (event, consumer) in repaired.published


def test_a_consumer_that_has_handled_an_event_gets_no_copy_again(repaired: Repaired) -> None:
    assert not {("cards_issued", "notification"), ("cards_refused", "notification")} & repaired.published


def test_each_repair_is_recorded_as_done_by_the_operator(repaired: Repaired, world: FiveDatabases) -> None:
    with world.begin("membership") as session:
        acts = session.scalars(select(AuditEntry).where(AuditEntry.action.endswith(".repair"))).all()
    assert {(act.account_name, act.outcome) for act in acts} == {("ops", "done")}
    assert {record for act in acts for record in act.records} >= {f"application:{one}" for one in repaired.unheard_of}
    assert {act.action for act in acts} == {f"{remedy.service}.repair" for remedy in REMEDIES}


def test_an_import_whose_event_was_lost_has_failed_and_its_clerk_is_notified(
    repaired: Repaired, world: FiveDatabases
) -> None:
    with world.begin("membership") as session:
        job = session.get_one(ImportJob, repaired.import_id)
        assert (job.state, job.content) == ("failed", None)
        data = ImportContinuedData(union_id=UUID(world.clerk.union_id), import_id=repaired.import_id)
        import_parts.continue_import(session, an_event(data))  # its event was not gone after all
        assert (job.state, job.rows_read) == ("failed", 0)
    with world.begin("notification") as session:
        published = select(InboxMessage).where(InboxMessage.topic.contains(str(repaired.import_id)))
        assert len(session.scalars(published).all()) == 1


def test_violations_with_an_event_on_its_way_or_dead_lettered_are_not_repaired(
    world: FiveDatabases, runner: Runner, system: System, module_amqp_uri: str
) -> None:
    (application_id,) = world.queue(1)
    queued = body_of_the_last(world)
    world.deliver(lambda event, consumer: event == "members_queued")
    for queue, why in (
        ("batching.members_queued", "a message on its way"),
        ("batching.members_queued.dead", "a dead letter carries it"),
    ):
        with lying_in(module_amqp_uri, queue, queued):
            tasks, left = runner.find_tasks(0)
            assert tasks == []
            assert any(why in line and str(application_id) in line for line in left)
    young = replace(runner, older_than=timedelta(hours=1))
    (task,), _ = young.find_tasks(0)
    assert young.carry_out(task, None) == []

    (task,), _ = runner.find_tasks(0)
    assert runner.carry_out(task, runner.operator("ops")) == [str(application_id)]
    world.deliver()


def test_an_import_whose_event_was_dead_lettered_ends(
    world: FiveDatabases, runner: Runner, module_amqp_uri: str
) -> None:
    import_id = a_running_import(world)
    body = f'{{"data": {{"import_id": "{import_id}"}}}}'.encode()
    with lying_in(module_amqp_uri, "membership.import_continued.dead", body):
        (task,), _ = runner.find_tasks(0)
        assert runner.carry_out(task, runner.operator("ops")) == [str(import_id)]
    world.deliver()


def test_only_an_operator_can_repair(runner: Runner) -> None:
    with pytest.raises(LookupError, match="jianlang is no account with the role operator"):
        runner.operator("jianlang")


def test_a_repair_runs_in_a_process_with_the_settings_of_its_service(
    world: FiveDatabases, system: System, urls: dict[str, str]
) -> None:
    environments = {service: {**system.keys, "DATABASE_URL": url} for service, url in urls.items()}
    runner = Runner(system, environments)

    assert runner.operator("ops")["roles"] == ["operator"]


def test_a_discard_excuses_the_feedback_that_it_took_away_and_no_other(
    world: FiveDatabases, runner: Runner, system: System, module_amqp_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = (
        "insert into bank_feedback (feedback_id, batch_no, results, applied, repeated, rejected)"
        " values ('first', 'cbc1', 1, 0, 0, 1), ('second', 'cbc1', 1, 0, 0, 1)"
    )
    world.change("batching", lost)
    with lying_in(module_amqp_uri, bank.REJECTED_QUEUE, b'{"feedback_id": "first"}', {"x-reason": "unknown_batch"}):
        discard(world, module_amqp_uri, "letter")
    world.deliver()

    found = [one.offender for one in check(system, allowed=_AT_REST) if one.invariant == "rejected_result_waits"]

    assert found == ["second"]
    world.change("batching", "delete from bank_feedback where batch_no = 'cbc1'")


def test_what_is_away_or_missing_is_a_violation_of_its_own(
    world: FiveDatabases, runner: Runner, system: System
) -> None:
    world.change("revocation", "alter table batch rename to away")
    gone = {**system.database_urls, "validation": f"{system.database_urls['validation']}_gone"}
    no_host = dict.fromkeys(SERVICES, f"{system.amqp_uris['batching']}_gone")
    try:
        found = check(replace(system, database_urls=gone, amqp_uris=no_host, keys={}), allowed=_AT_REST)
        with pytest.raises(Unreadable):
            replace(runner, system=replace(system, database_urls=gone)).find_tasks(0)
    finally:
        world.change("revocation", "alter table away rename to batch")

    said = {(one.invariant, one.offender): one.detail for one in found}
    assert "does not exist; not checked: checks_agree, check_finished" in said["service_readable", "validation"]
    assert (
        'relation "batch" does not exist; not checked: union_places_agree, batches_agree'
        in said["service_readable", "revocation"]
    )
    assert "cannot be read" in said["register_unchanged", "keys"]
    assert "not found" in next(detail for (name, _), detail in said.items() if name == "broker_readable")


def test_every_violation_is_named(world: FiveDatabases, runner: Runner, system: System) -> None:
    many = "insert into bank_feedback (feedback_id, batch_no, results, applied, repeated, rejected)"
    world.change("batching", f"{many} select n::text, 'many', 2, 0, 0, 1 from generate_series(1, 1200) as n")

    found = [one for one in check(system, allowed=_AT_REST) if one.invariant == "feedback_adds_up"]

    assert len(found) == 1200
    world.change("batching", "delete from bank_feedback where batch_no = 'many'")


def test_the_steps_of_a_late_card_and_of_a_switched_channel_are_published_again(world: FiveDatabases) -> None:
    (application_id,) = world.queue(1)
    first = told_of(world, application_id)
    for channel in ("special", "ordinary"):
        request = UpdatePendingRequest(
            application_id=application_id, channel=channel, channel_reason_code="other", channel_note="曾用名"
        )
        with world.begin("batching") as session:
            pending.update_pending(Work(session, world.clerk), request)
        first += told_of(world, application_id)
    world.check()
    world.deliver()
    batch_no = world.submit()
    first += told_of(world, application_id)
    with world.begin("batching") as session:
        refused = CorrectionRefusedData(
            union_id=UUID(world.clerk.union_id),
            application_id=application_id,
            member_id=UUID(int=1),
            member_no="0070000001",
            reason="document_known",
        )
        releases.correction_refused(session, an_event(refused))
    first += told_of(world, application_id)
    card = with_check_digit("622202123456789019")
    world.feed(batch_no, {"application_id": str(application_id), "outcome": "issued", "card_no": card})
    first += told_of(world, application_id)

    with world.begin("batching") as session:
        assert repairs.publish_steps("membership", session, [str(application_id)], datetime.now(UTC))

    assert told_of(world, application_id) == first
    assert [name for name, *_ in first] == [
        *("channel_assigned", "channel_assigned", "batch_submitted", "batch_released", "cards_issued")
    ]


def told_of(world: FiveDatabases, application_id: UUID) -> list[tuple[Any, ...]]:
    """The steps of an application that batching has published to membership; all events are delivered."""
    with world.engines["batching"].connect() as connection:
        rows = connection.exec_driver_sql("select routing_key, body, recipients from outbox order by id").all()
    published = [
        (EVENTS[row.routing_key].name, json.loads(decrypted(bytes(row.body)))["data"])
        for row in rows
        if "membership" in (row.recipients or "").split()
    ]
    world.deliver()
    return [
        (name, one["version"], data.get("channel"), one.get("late"))
        for name, data in published
        for one in data.get("applications", ())
        if one["application_id"] == str(application_id) and "version" in one
    ]


def a_batch(world: FiveDatabases, size: int, lost: Callable[[str, str], bool] = lambda event, consumer: False) -> str:
    """A submitted batch, of whose submission some lack a copy."""
    world.queue(size)
    world.deliver()
    world.check()
    world.deliver()
    batch_no = world.submit()
    world.deliver(lost)
    return batch_no


def losing(name: str, lost_by: str) -> Callable[[str, str], bool]:
    """Loses one consumer's copies of an event."""
    return lambda event, consumer: (event, consumer) == (name, lost_by)


def lose_decisions(world: FiveDatabases, lost_by: str, card: str) -> None:
    """The bank issues one card of a batch and refuses the other; one consumer lacks these events."""
    batch_no = a_batch(world, 2)
    with world.begin("batching") as session:
        first, second = session.scalars(select(BatchPerson.application_id).where(BatchPerson.batch_no == batch_no))
    issued = {"application_id": str(first), "outcome": "issued", "card_no": card}
    refused = {"application_id": str(second), "outcome": "refused", "reason_code": "photo_unclear"}
    world.feed(batch_no, issued, refused)
    world.deliver(lambda event, consumer: event.startswith("cards_") and consumer == lost_by)


def issue_a_card(world: FiveDatabases, card: str) -> UUID:
    """Issues a card in a batch of its own, of which all know; returns its application."""
    batch_no = a_batch(world, 1)
    with world.begin("batching") as session:
        only = session.scalars(select(BatchPerson.application_id).where(BatchPerson.batch_no == batch_no)).one()
    world.feed(batch_no, {"application_id": str(only), "outcome": "issued", "card_no": card})
    world.deliver()
    return only


def lose_steps_of_a_card(world: FiveDatabases, card: str) -> None:
    """Membership lacks both steps of a card."""
    issue_a_card(world, card)
    for step in ("collected", "activated"):
        world.report({"card_no": card, "step": step})
        world.deliver(losing("cards_changed", "membership"))


def lose_the_first_step_of_a_card(world: FiveDatabases, card: str) -> None:
    """Membership lacks the first of two steps, as a restored one whose bank goes on."""
    issue_a_card(world, card)
    world.report({"card_no": card, "step": "collected"})
    world.deliver(losing("cards_changed", "membership"))
    world.report({"card_no": card, "step": "activated"})
    world.deliver()


def lose_a_merger(world: FiveDatabases) -> None:
    """A union is merged, and its members stay."""
    world.merge(*(UUID(world.account(name).union_id) for name in ("gubei", "guohua")))
    world.deliver(lambda event, consumer: event == "union_merged")


def lose_a_move(world: FiveDatabases) -> None:
    """Batching does not learn that a member has moved."""
    with world.begin("membership") as session:
        free = session.scalars(select(Member.member_id).where(Member.card_state == "none")).first()
    world.move(required(free))
    world.deliver(losing("member_transferred", "batching"))


def strand_a_card(world: FiveDatabases, card: str) -> None:
    """A card that was issued in the moment of the move stayed with the former union, as in former releases."""
    application_id = issue_a_card(world, card)
    with world.begin("batching") as session:
        stranded = session.get_one(Card, application_id)
        member_id, former = stranded.member_id, stranded.union_id
    world.move(member_id)
    world.deliver()
    world.change("batching", f"update card set union_id = '{former}' where application_id = '{application_id}'")


def lose_checks(world: FiveDatabases) -> None:
    """Validation lacks the request of one check, batching the result of another."""
    for lost in (("validation_requested", "validation"), ("members_validated", "batching")):
        world.queue(1)
        world.deliver()
        world.check()
        world.deliver(losing(*lost))


def lose_an_erasure(world: FiveDatabases) -> None:
    """Three services do not hear that a member is erased, whose application was removed long ago."""
    [application_id] = world.queue(1)
    world.deliver()
    world.check()
    world.deliver()
    with world.begin("batching") as session:
        only = Application.application_id == application_id
        pending.remove(session, session.scalars(select(Application.union_id).where(only)).one(), "by_clerk", only)
    world.deliver()
    with world.begin("membership") as session:
        member_id = session.scalars(
            select(MembershipApplication.member_id).where(MembershipApplication.application_id == application_id)
        ).one()
        erased = session.get_one(Member, member_id)
        erased.left_at, erased.left_because = datetime.now(UTC) - timedelta(days=1100), "left"
        publish_changed(session, erased)
        row = an_erasure(erased, UUID(world.clerk.account_id))
        session.add(row)
        session.flush()
        publish_requested(session, row)
        keep_answer(session, row, OWN, erasing.erase(session, erased), [])
    with world.begin("validation") as session:
        session.add(CheckFinding(application_id=application_id, check_no=1, position=99, **a_finding()))
    with world.begin("notification") as session:
        session.add(MemberMessage(message_id=uuid4(), member_id=member_id, text="您的申请已移除"))
    world.deliver(lambda event, consumer: event == "subject_requested" and consumer != "revocation")


def a_finding() -> dict[str, str]:
    return {
        "rule": "expiry",
        "rule_version": "1",
        "code": "expired",
        "severity": "error",
        "message": "证件已到期",
        "evidence": "{}",
    }


def an_erasure(member: Member, by: UUID) -> SubjectRequest:
    """A confirmed erasure that the services are asked for."""
    now = datetime.now(UTC)
    return SubjectRequest(
        request_id=uuid4(),
        kind="erasure",
        member_id=member.member_id,
        member_no=member.member_no,
        union_id=member.union_id,
        reason="本人书面申请",
        state="working",
        requested_by=by,
        requested_at=now,
        expires_at=now,
        decided_by=by,
        decided_at=now,
    )


def a_running_import(world: FiveDatabases) -> UUID:
    import_id = uuid4()
    with world.begin("membership") as session:
        session.add(
            ImportJob(
                import_id=import_id,
                union_id=UUID(world.clerk.union_id),
                started_by=UUID(world.clerk.account_id),
                file_name="会员名册.xlsx",
                content=b"never read",
                state="running",
            )
        )
    return import_id


def body_of_the_last(world: FiveDatabases) -> bytes:
    """The events in membership's outbox."""
    with world.engines["membership"].connect() as connection:
        sealed = connection.exec_driver_sql("select body from outbox order by id desc limit 1").scalar_one()
    return decrypted(bytes(sealed))


@contextmanager
def lying_in(amqp_uri: str, queue: str, body: bytes, headers: dict[str, Any] | None = None) -> Iterator[None]:
    """Keeps a message in a queue meanwhile."""
    connection = open_connection(amqp_uri, "test")
    channel = connection.channel()
    channel.confirm_select()
    message = amqp.Message(body, message_id="letter", delivery_mode=2, application_headers=headers or {})
    channel.basic_publish_confirm(message, "", queue, mandatory=True)
    yield
    channel.queue_purge(queue)
    connection.close()


def discard(world: FiveDatabases, amqp_uri: str, letter_id: str) -> None:
    """An operator discards a rejected message of the bank on the page."""
    operator = world.account("ops")
    act = audit.AuditEvent("batching.discard_dead_letters", operator)
    request = DiscardDeadLettersRequest(queue=bank.REJECTED_QUEUE, ids=[letter_id], reason="测试数据")
    with world.begin("batching") as session:
        audit.begin(session, act)
        assert discard_letters(session, DeadLetters(amqp_uri), request).ids == [letter_id]
        audit.publish_audit_event(session, "batching", act)


def with_check_digit(number: str) -> str:
    return number + luhn.calc_check_digit(number)
