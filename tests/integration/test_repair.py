"""What the invariants name is mended by the services' own code: a dry run says it, the repair does and records it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
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
from deploy.repair.runner import RepairError
from services.common import repair
from services.common.contracts import bank
from services.common.messaging import audit
from services.common.messaging.connection import open_connection
from services.common.messaging.dead_letters import DeadLetters
from services.common.operations import discard_letters
from services.common.persistence import opened
from services.membership.models import AuditEntry, ImportJob
from tests.conftest import DatabaseFactory
from tests.integration.five_databases import FiveDatabases

_KEYS = ("AUDIT_KEYS", "PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY", "ENVIRONMENT")
_AT_REST = ("sms_settled:*", "contact_texted:*", "act_log_holds:*")
"""Nobody sends the SMS here; and the chain of acts is verified by a process of its own, elsewhere."""


@dataclass(frozen=True)
class RunnerInProcess(Runner):
    """As the runner, with the repairs in this process; what is old enough is what is there."""

    world: FiveDatabases | None = field(default=None)
    older_than: timedelta = timedelta(seconds=-60)

    def _ask(self, service: str, order: dict[str, Any]) -> Any:
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
def made(urls: dict[str, str]) -> FiveDatabases:
    return FiveDatabases(urls)


@pytest.fixture
def world(made: FiveDatabases, system: System) -> Iterator[FiveDatabases]:
    """Nothing is broken before a test, nor after it."""
    yield made
    assert broken(system) == []


@pytest.fixture
def runner(system: System, made: FiveDatabases, monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.setattr("deploy.repair.runner._SECONDS_BETWEEN_LOOKS", 0)
    monkeypatch.setattr("deploy.invariants.checker.act_log_holds", lambda _: iter(()))
    return RunnerInProcess(system, {}, world=made)


def broken(system: System) -> list[str]:
    return sorted({one.invariant for one in check(system, allowed=_AT_REST)})


def mend(runner: Runner, world: FiveDatabases) -> list[tuple[str, str]]:
    """A dry run changes nothing, the repair does what that said; answers which events went to whom."""
    tasks, _ = runner.look(0)
    would = [sorted(runner.carry_out(task, None)) for task in tasks]
    assert world.deliver() == []
    did = [sorted(runner.carry_out(task, runner.operator("ops"))) for task in tasks]
    assert did == would
    assert any(did)
    return [one for one in world.deliver() if one[0] != "act_recorded"]


def test_a_member_whose_queueing_batching_never_heard_of_is_listed_after_all(
    world: FiveDatabases, runner: Runner, system: System
) -> None:
    applications = world.queue(3)
    world.deliver(lambda event, consumer: event == "members_queued")
    assert broken(system) == ["applications_agree"]

    assert ("members_queued", "batching") in mend(runner, world)

    with world.begin("membership") as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "membership.repair")).one()
        assert (entry.account_name, entry.outcome) == ("ops", "done")
        assert sorted(entry.records) == sorted(f"application:{one}" for one in applications)


@pytest.mark.parametrize("lost_by", ["membership", "revocation", "notification"])
def test_who_lacks_a_submitted_batch_hears_of_it_and_nobody_else(
    world: FiveDatabases, runner: Runner, system: System, lost_by: str
) -> None:
    world.queue(2)
    world.deliver()
    world.check()
    world.deliver()
    world.submit()
    world.deliver(lambda event, consumer: (event, consumer) == ("batch_submitted", lost_by))
    assert broken(system)

    assert set(mend(runner, world)) == {("batch_submitted", lost_by)}


@pytest.mark.parametrize("lost_by", ["membership", "revocation"])
def test_who_lacks_the_bank_s_decisions_hears_of_them(
    world: FiveDatabases, runner: Runner, system: System, lost_by: str
) -> None:
    first, second = world.queue(2)
    world.deliver()
    world.check()
    world.deliver()
    batch_no = world.submit()
    world.deliver()
    card = f"62220212345678901{'2' if lost_by == 'membership' else '3'}"
    issued = {"application_id": str(first), "outcome": "issued", "card_no": with_check_digit(card)}
    refused = {"application_id": str(second), "outcome": "refused", "reason_code": "photo_unclear"}
    world.feed(batch_no, issued, refused)
    world.deliver(lambda event, consumer: event.startswith("cards_") and consumer == lost_by)
    assert broken(system)

    assert {("cards_issued", lost_by), ("cards_refused", lost_by)} <= set(mend(runner, world))


def test_a_lost_step_is_told_again_and_the_history_is_whole(
    world: FiveDatabases, runner: Runner, system: System
) -> None:
    world.change(
        "membership",
        "delete from application_history where version = 1 and application_id = (select application_id from application"
        " where state = 'submitted' limit 1)",
    )
    assert broken(system) == ["no_step_lost"]

    mend(runner, world)


@pytest.mark.parametrize("lost", ["validation_requested", "members_validated"])
def test_a_check_that_validation_or_batching_never_heard_of_is_finished(
    world: FiveDatabases, runner: Runner, system: System, lost: str
) -> None:
    world.queue(2)
    world.deliver()
    world.check()
    world.deliver(lambda event, consumer: (event, consumer) in ((lost, "validation"), (lost, "batching")))
    assert "checks_agree" in broken(system)

    assert (lost, "validation" if lost == "validation_requested" else "batching") in mend(runner, world)

    world.submit()
    world.deliver()


def test_a_revocation_that_batching_never_heard_of_releases_its_batch(
    world: FiveDatabases, runner: Runner, system: System
) -> None:
    world.queue(1)
    world.deliver()
    world.check()
    world.deliver()
    batch_no = world.submit()
    world.deliver()
    revocation_id = world.request_revocation(batch_no)
    world.deliver()
    world.approve(revocation_id)
    world.deliver(lambda event, consumer: event == "revocation_approved")
    assert {"batches_agree", "revocation_done", "revocation_told"} <= set(broken(system))

    mended = mend(runner, world)

    assert {("revocation_approved", "batching"), ("revocation_approved", "notification")} <= set(mended)
    assert ("batch_released", "membership") in mended


def test_a_member_locked_by_an_application_that_nobody_knows_is_free(
    world: FiveDatabases, runner: Runner, system: System
) -> None:
    world.change(
        "membership",
        "update member set card_state = 'pending', application_id = gen_random_uuid(), channel = 'ordinary',"
        " applied_at = now() where member_id = (select max(member_id::text)::uuid from member"
        " where card_state = 'none')",
    )
    assert broken(system) == ["card_state_follows"]

    mend(runner, world)


def test_an_import_whose_message_is_gone_ends_as_failed_and_says_so(
    world: FiveDatabases, runner: Runner, system: System
) -> None:
    import_id = a_running_import(world)
    assert broken(system) == ["import_finished"]

    assert ("import_progressed", "notification") in mend(runner, world)

    with world.begin("membership") as session:
        job = session.get_one(ImportJob, import_id)
        assert (job.state, job.content) == ("failed", None)
        assert job.failure
    with world.engines["notification"].connect() as connection:
        found = connection.exec_driver_sql(f"select count(*) from inbox_message where topic like '%%{import_id}%%'")
        assert found.scalar() == 1


def test_what_may_mend_itself_or_lies_among_the_dead_letters_is_left_alone(
    world: FiveDatabases, runner: Runner, system: System, module_amqp_uri: str
) -> None:
    (application_id,) = world.queue(1)
    queued = body_of_the_last(world)
    world.deliver(lambda event, consumer: event == "members_queued")
    for queue, why in (
        ("batching.members_queued", "is on its way"),
        ("batching.members_queued.dead", "a dead letter carries it"),
    ):
        with lying_in(module_amqp_uri, queue, queued):
            tasks, left = runner.look(0)
            assert tasks == []
            assert any(why in line and str(application_id) in line for line in left)
    young = replace(runner, older_than=timedelta(hours=1))
    (task,), _ = young.look(0)
    assert young.carry_out(task, None) == []

    mend(runner, world)


def test_nothing_is_mended_in_the_name_of_who_is_no_operator(world: FiveDatabases, runner: Runner) -> None:
    with pytest.raises(LookupError, match="jianlang is no account with the role operator"):
        runner.operator("jianlang")


def test_a_repair_runs_in_a_process_with_the_settings_of_its_service(
    world: FiveDatabases, system: System, urls: dict[str, str]
) -> None:
    environments = {service: {**system.keys, "DATABASE_URL": url} for service, url in urls.items()}
    runner = Runner(system, environments)

    assert runner.operator("ops")["roles"] == ["operator"]
    with pytest.raises(RepairError, match="nobody is no account"):
        runner.operator("nobody")


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
        found = check(replace(system, database_urls=gone, amqp_uris=no_host), allowed=_AT_REST)
        with pytest.raises(Unreadable):
            replace(runner, system=replace(system, database_urls=gone)).look(0)
    finally:
        world.change("revocation", "alter table away rename to batch")

    said = {(one.invariant, one.offender): one.detail for one in found}
    assert "does not exist; not checked: checks_agree, check_finished" in said["service_readable", "validation"]
    assert 'relation "batch" does not exist; not checked: batches_agree' in said["service_readable", "revocation"]
    assert "not found" in next(detail for (name, _), detail in said.items() if name == "broker_readable")


def test_every_violation_is_named(world: FiveDatabases, runner: Runner, system: System) -> None:
    many = "insert into bank_feedback (feedback_id, batch_no, results, applied, repeated, rejected)"
    world.change("batching", f"{many} select n::text, 'many', 2, 0, 0, 1 from generate_series(1, 1200) as n")

    found = [one for one in check(system, allowed=_AT_REST) if one.invariant == "feedback_adds_up"]

    assert len(found) == 1200
    world.change("batching", "delete from bank_feedback where batch_no = 'many'")


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
    """What membership has written down to be told."""
    with world.engines["membership"].connect() as connection:
        sealed = connection.exec_driver_sql("select body from outbox order by id desc limit 1").scalar_one()
    return opened(bytes(sealed))


@contextmanager
def lying_in(amqp_uri: str, queue: str, body: bytes, headers: dict[str, Any] | None = None) -> Iterator[None]:
    """A message lies in a queue meanwhile."""
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
    act = audit.Act("batching.discard_dead_letters", operator)
    asked = {"queue": bank.REJECTED_QUEUE, "ids": [letter_id], "reason": "测试数据"}
    with world.begin("batching") as session:
        audit.begin(session, act)
        assert discard_letters(session, DeadLetters(amqp_uri), asked) == {"ids": [letter_id]}
        audit.tell_act(session, "batching", act)


def with_check_digit(number: str) -> str:
    return number + luhn.calc_check_digit(number)
