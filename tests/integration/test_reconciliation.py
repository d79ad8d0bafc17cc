"""A service whose database was restored to an earlier moment learns from the others what it may not give out again."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from deploy import rebuild_reports
from deploy.broker import declare_all
from deploy.invariants import System, check
from deploy.local.nodes import Nodes
from deploy.permissions import SERVICES
from deploy.repair import Runner
from deploy.repair.bank_record import read_record
from deploy.repair.reconciliation import Reconciled, Restored, fenced_services, lift, reconcile
from deploy.simulators.bank_ledger import Ledger
from services.batching.batches import submission
from services.batching.models import BatchPerson, Card, ListedUnion, MovedMember, ReminderDay
from services.batching.service import BatchingService
from services.contracts.external import bank
from services.contracts.operations.batching import SubmitBatchRequest
from services.contracts.operations.membership.members import QueueMembersRequest, RegisterMemberRequest
from services.kit.data import repair
from services.kit.data.database import engine_for, outbox
from services.kit.data.fence import raise_fence
from services.kit.problems import Conflict
from services.kit.rpc.work import Work
from services.kit.secret_values import Secret
from services.kit.settings import DatabaseSettings
from services.membership.applications import queueing
from services.membership.members import members
from services.membership.models import Account, Application, Member, SignedInSession
from services.notification.message_inbox import HOLDER, Audience, post
from services.notification.templates import texts
from tests.databases import DatabaseFactory, unique_name
from tests.documents import read
from tests.integration.batching.desk import CONSENT, CONTACT, OUTLET
from tests.integration.five_databases import FiveDatabases
from tests.integration.test_repair import with_check_digit
from tests.mothers import a_member_form

_KEYS = ("AUDIT_KEYS", "PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY", "ENVIRONMENT")
_AT_REST = ("sms_settled:*", "contact_texted:*", "act_log_holds:*", "audit_head_*:*")
"""Nobody sends SMS here, and the audit log is verified elsewhere."""
_ROUNDS = 4


class World(FiveDatabases):
    """The five services and a bank with a ledger of its own, which no restore of ours changes."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.ledger = Ledger()
        super().__init__(urls)

    def _published(self, service: str) -> list[tuple[Any, bytes, list[str]]]:
        if service == "batching":
            with self.begin(service) as session:
                sent = session.execute(select(outbox).order_by(outbox.c.id)).all()
            for row in sent:
                if row.routing_key == bank.SUBMITTED:
                    self.ledger.store_batch(json.loads(row.body))
                elif row.routing_key == bank.RECALLED:
                    self.ledger.store_recall(json.loads(row.body))
        return super()._published(service)

    def ordered(self) -> list[str]:
        """The document numbers of all whom the bank makes cards for, once for each order."""
        return sorted(
            one["document_number"]
            for batch in self.ledger.batches()
            for one in self.ledger.batch(batch["batch_no"])["applicants"]
            if one["application_id"] not in batch["recalled"] and one["outcome"] != "refused"
        )

    def batch(self, size: int) -> str:
        """Queues, checks and submits members; returns the batch's number."""
        self.queue(size)
        self.deliver()
        self.check()
        self.deliver()
        batch_no = self.submit()
        self.deliver()
        return batch_no

    def feed(self, batch_no: str, *results: dict[str, Any]) -> None:
        """The bank notes its decisions, and they are applied."""
        self.ledger.record(batch_no, results)
        super().feed(batch_no, *results)

    def queue_members(self, *member_ids: UUID) -> None:
        """Queues these members."""
        with self.begin("membership") as session:
            work = Work(session, self.clerk, self.database("membership"))
            queueing.queue_members(work, QueueMembersRequest(member_ids=list(member_ids)))

    def in_batch(self, batch_no: str) -> list[UUID]:
        """The applications of a batch, by the register."""
        with self.begin("batching") as session:
            persons = select(BatchPerson.application_id).where(BatchPerson.batch_no == batch_no)
            return list(session.scalars(persons.order_by(BatchPerson.position)))


@dataclass(frozen=True)
class RunnerInProcess(Runner):
    """As the runner, in this process."""

    world: World | None = field(default=None)
    older_than: timedelta = timedelta(seconds=-60)

    def ask(self, service: str, order: dict[str, Any]) -> Any:
        assert self.world
        with Session(self.world.engines[service], expire_on_commit=False) as session:
            return json.loads(json.dumps(repair.answer(session, service, order)))


@dataclass
class Copies:
    """Copies of one service's database, to which it is restored, as from a backup."""

    nodes: Nodes
    world: World
    system: System
    runner: Runner
    service: str
    copy: str = ""
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def take(self) -> None:
        """Copies the database as it is now."""
        self.copy, self.moment = unique_name("copy"), datetime.now(UTC)
        self.world.engines[self.service].dispose()
        self.nodes.postgres.create_database(self.copy, template=self._name)

    def restore(self) -> None:
        """Puts the copy in the place of the database, which takes no changes then."""
        self.put_back()
        self.runner.ask(self.service, {"secures": True})
        with self.world.engines[self.service].begin() as connection:
            raise_fence(connection, self.moment)
        self.world.engines[self.service].dispose()

    def put_back(self) -> None:
        """Puts the copy in the place of the database."""
        self.world.engines[self.service].dispose()
        if self.copy:
            self.nodes.postgres.drop_database(self._name)
            self.nodes.postgres.rename_database(self.copy, self._name)
            self.copy = ""

    def reconcile(self) -> Reconciled:
        """Reconciles the service, frees it, and repairs until there is nothing left to repair."""
        reconciled = self.free()
        if not reconciled.blocking:
            self.repair()
        return reconciled

    def free(self, bank: Path | None = None) -> Reconciled:
        """Reconciles the service and frees it."""
        record = read_record(bank) if bank else {}
        restored = Restored(self.service, self.moment, record)
        reconciled = reconcile(self.runner, restored, self.runner.operator("ops"), 0)
        if not reconciled.blocking:
            lift(self.system, self.service, self.system.database_urls[self.service])
            self.world.engines[self.service].dispose()
        if self.service == "notification":
            rebuild_reports.rebuild(self.runner, self.runner.operator("ops"))
        return reconciled

    def repair(self) -> None:
        for _ in range(_ROUNDS):
            self.world.deliver()
            tasks, _ = self.runner.find_tasks(0)
            if not tasks:
                break
            for task in tasks:
                self.runner.carry_out(task, self.runner.operator("ops"))

    def violations(self) -> list[str]:
        return [str(one) for one in check(self.system, allowed=_AT_REST)]

    @property
    def _name(self) -> str:
        return str(make_url(self.system.database_urls[self.service]).database)


@pytest.fixture(scope="module")
def copies(nodes: Nodes, module_database: DatabaseFactory, module_amqp_uri: str) -> Iterator["CopiesOf"]:
    urls = {service: module_database(service) for service in SERVICES}
    declare_all(module_amqp_uri)
    keys = {name: os.environ[name] for name in _KEYS}
    system = System(urls, dict.fromkeys(SERVICES, module_amqp_uri), keys, ())
    world = World(urls)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("deploy.repair.runner._SECONDS_BETWEEN_LOOKS", 0)
        patched.setattr("services.kit.dead_letters.exclusive_reader._SECONDS_AFTER_A_KILL", 0)
        patched.setattr("deploy.invariants.checker.audit_log_is_intact", lambda *_: iter(()))
        secrets = {name: os.environ[name] for name in ("PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY", "ENVIRONMENT")}
        environments = {service: {**secrets, "DATABASE_URL": url} for service, url in urls.items()}
        yield CopiesOf(nodes, world, system, RunnerInProcess(system, environments, world=world))
    for engine in world.engines.values():
        engine.dispose()


@dataclass(frozen=True)
class CopiesOf:
    """Makes copies of a service's database."""

    nodes: Nodes
    world: World
    system: System
    runner: Runner

    def __call__(self, service: str) -> Copies:
        return Copies(self.nodes, self.world, self.system, self.runner, service)


def test_batching_that_was_restored_orders_nobody_a_second_time(copies: CopiesOf) -> None:
    batching, world = copies("batching"), copies.world
    world.queue(3)
    world.deliver()
    world.check()
    world.deliver()
    batching.take()
    first = world.submit()
    world.deliver()
    second = world.batch(2)
    issued, refused = world.in_batch(second)
    world.feed(second, an_issue(issued, "622202123456789011"), a_refusal(refused))
    world.deliver()
    ordered = world.ordered()

    batching.put_back()
    assert would_submit(world) == first, "without the fence another batch gets the number that the bank knows"
    batching.restore()

    assert f"restored to {batching.moment.isoformat()}" in why_not_ready(world)
    with pytest.raises(DBAPIError, match="read-only transaction"):
        world.submit()
    reconciled = batching.reconcile()

    assert not reconciled.blocking
    assert world.ordered() == ordered
    assert batching.violations() == []
    third = world.batch(1)
    numbers = [int(one[-3:]) for one in (first, second, third)]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert len(set(world.ordered())) == len(world.ordered()) == len(ordered) + 1


def test_batching_that_was_restored_knows_again_what_happened_to_cards(copies: CopiesOf) -> None:
    batching, world = copies("batching"), copies.world
    first, second = world.batch(1), world.batch(2)
    early, late, handed_out = (*world.in_batch(first), *world.in_batch(second))
    numbers = {one: f"6222021234567892{place}0" for place, one in enumerate((early, late, handed_out))}
    world.feed(first, an_issue(early, numbers[early]))
    world.deliver()
    batching.take()
    world.feed(second, an_issue(late, numbers[late]), an_issue(handed_out, numbers[handed_out]))
    world.deliver()
    for one, following in ((early, "622202123456789301"), (late, "622202123456789302")):
        world.report(a_step(one, numbers[one], "lost"))
        world.report(a_step(one, numbers[one], "replaced", following))
        world.deliver()
    world.report(a_step(late, "622202123456789302", "collected"), a_step(handed_out, numbers[handed_out], "collected"))
    world.deliver()
    before = cards_in_batching(world)

    batching.restore()
    reconciled = batching.reconcile()

    assert not reconciled.blocking
    assert batching.violations() == []
    assert cards_in_batching(world) == before
    world.report(a_step(early, "622202123456789301", "collected"), a_step(late, "622202123456789302", "activated"))
    world.deliver()
    assert batching.violations() == []
    statuses = {card.application_id: card.status for card in cards_in_batching(world)}
    assert (statuses[early], statuses[late], statuses[handed_out]) == ("collected", "active", "collected")


def test_batching_that_was_restored_learns_where_members_have_moved(copies: CopiesOf) -> None:
    batching, world = copies("batching"), copies.world
    batch_no = world.batch(2)
    carded, waiting = world.in_batch(batch_no)
    world.feed(batch_no, an_issue(carded, "622202123456789411"), a_refusal(waiting))
    world.deliver()
    moved_once = move_of(world, carded)
    world.deliver()
    batching.take()
    moved_twice, moved = move_of(world, carded), move_of(world, waiting)
    world.deliver()

    batching.restore()
    reconciled = batching.reconcile()

    assert not reconciled.blocking
    assert moved_once != moved_twice
    assert batching.violations() == []
    with world.begin("batching") as session:
        assert session.get_one(Card, carded).union_id == moved_twice
        unions = select(MovedMember.union_id).where(MovedMember.union_id.in_((moved_twice, moved)))
        assert set(session.scalars(unions)) == {moved_twice, moved}


def test_batching_that_was_restored_shows_superiors_what_is_listed_and_reminds_nobody_twice(copies: CopiesOf) -> None:
    batching, world, day = copies("batching"), copies.world, date(2026, 11, 27)
    world.change("batching", "delete from listed_union")
    batching.take()
    world.queue(1)
    world.deliver()
    with world.begin("notification") as session:
        audience = Audience(UUID(world.clerk.union_id), "clerk")
        post(session, audience, f"overdue:{day}:own:{uuid4()}", texts.work_overdue([("unchecked", 1)], 0))

    batching.restore()
    reconciled = batching.reconcile()

    assert not reconciled.blocking
    assert batching.violations() == []
    with world.begin("batching") as session:
        assert session.scalars(select(ListedUnion.union_id)).all() == [UUID(world.clerk.union_id)]
        assert session.scalars(select(ReminderDay.day)).all() == [day]


def test_a_restored_database_is_read_by_an_address_of_several_servers(database: DatabaseFactory) -> None:
    """Which `target_session_attrs=read-write` would not allow: the service and its reconciliation could not begin."""
    url = make_url(database("batching"))
    with create_engine(url.set(drivername="postgresql+psycopg")).begin() as connection:
        raise_fence(connection, datetime.now(UTC))
    place = f"host={url.host},{url.host}&port={url.port},{url.port}"
    twice = f"postgresql://{url.username}:{url.password}@/{url.database}?{place}"

    engine = engine_for(DatabaseSettings(Secret(twice)), "tests")
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from batch")) == 0
        with pytest.raises(DBAPIError, match="read-only transaction"):
            connection.execute(text("delete from batch"))
    engine.dispose()


def test_membership_that_was_restored_knows_its_members_again_and_lets_nobody_in(copies: CopiesOf) -> None:
    membership, world = copies("membership"), copies.world
    kept = world.queue(1)
    world.deliver()
    account_id = UUID(world.clerk.account_id)
    with world.begin("membership") as session:
        session.add(SignedInSession(session_id=uuid4(), account_id=account_id))
    membership.take()
    member_id = register(world)
    world.deliver()
    world.queue_members(member_id)
    world.deliver()
    world.check()
    world.deliver()
    batch_no = world.submit()
    world.deliver()
    world.feed(batch_no, an_issue(kept[0], "622202123456789012"))
    world.deliver()
    with world.begin("membership") as session:
        number = session.get_one(Member, member_id).member_no
    reviewer_id = UUID(world.reviewer.account_id)
    tell_of_change(world, reviewer_id)
    ordered = world.ordered()

    membership.restore()
    reconciled = membership.reconcile()

    assert not reconciled.blocking
    assert world.ordered() == ordered
    assert membership.violations() == []
    with world.begin("membership") as session:
        assert session.get_one(Member, member_id).member_no == number
        assert session.get_one(Member, member_id).card_state == "submitted"
        assert session.get_one(Account, reviewer_id).disabled
        open_sessions = select(SignedInSession).where(SignedInSession.ended_at.is_(None))
        assert session.scalars(open_sessions).all() == []
    assert any("yangpu was changed after the moment and is disabled" in one for one in reconciled.left)
    another = register(world)
    world.deliver()
    with world.begin("membership") as session:
        assert int(session.get_one(Member, another).member_no or 0) > int(number or 0)


@pytest.mark.long("restores another service; batching and membership stay in make test")
def test_revocation_that_was_restored_knows_what_was_decided(copies: CopiesOf) -> None:
    revocation, world = copies("revocation"), copies.world
    revoked, asked = world.batch(1), world.batch(1)
    revocation_id = world.request_revocation(revoked)
    world.deliver()
    revocation.take()
    world.approve(revocation_id)
    world.deliver()
    later_id = world.request_revocation(asked)
    world.deliver()
    world.batch(1)
    ordered = world.ordered()

    revocation.restore()
    reconciled = revocation.reconcile()

    assert not reconciled.blocking
    assert world.ordered() == ordered
    assert revocation.violations() == []
    with pytest.raises(Conflict):
        world.approve(revocation_id)
    world.deliver()
    world.approve(later_id)
    world.deliver()
    assert revocation.violations() == []


def test_validation_that_was_restored_knows_the_checks_again(copies: CopiesOf) -> None:
    validation, world = copies("validation"), copies.world
    world.check()  # what former tests have left
    world.deliver()
    validation.take()
    world.batch(1)
    world.queue(1)
    world.deliver()
    world.check()
    world.deliver()

    validation.restore()
    reconciled = validation.reconcile()

    assert reconciled.done == ["2 checks"]
    assert validation.violations() == []
    world.submit()
    world.deliver()


@pytest.mark.long("restores another service; batching and membership stay in make test")
def test_notification_that_was_restored_tells_the_clerk_again(copies: CopiesOf) -> None:
    notification, world = copies("notification"), copies.world
    notification.take()
    world.batch(1)

    notification.restore()
    assert any(one.startswith("clerk_told") for one in notification.violations())
    reconciled = notification.reconcile()

    assert not reconciled.blocking
    assert notification.violations() == []


def test_a_batch_that_only_membership_knows_keeps_batching_fenced(copies: CopiesOf) -> None:
    batching, world = copies("batching"), copies.world
    batching.take()
    batch_no = world.batch(1)
    kept = f"from batch where batch_no = '{batch_no}'"
    world.change("revocation", f"create table kept as select * {kept}")
    world.change("revocation", f"delete {kept}")

    batching.restore()
    blocked = batching.reconcile()

    assert blocked.blocking == [f"batch {batch_no} is known to membership, and nobody knows its facts"]
    assert "batching" in fenced_services(copies.system)
    world.change("revocation", "insert into batch select * from kept")
    world.change("revocation", "drop table kept")
    assert not batching.reconcile().blocking
    assert batching.violations() == []


@pytest.mark.long("restores another service; batching and membership stay in make test")
def test_of_what_the_bank_alone_knows_nobody_is_ordered_again(copies: CopiesOf, tmp_path: Path) -> None:
    world, all_five = copies.world, [copies(service) for service in SERVICES]
    world.queue(2)
    world.deliver()
    world.check()
    world.deliver()
    for one in all_five:
        one.take()
    lost = world.submit()
    world.deliver()
    ordered, record = world.ordered(), tmp_path / "bank.json"
    record.write_text(json.dumps([world.ledger.batch(lost)]))

    for one in all_five:
        one.restore()
    reconciled = {one.service: one.free(record) for one in all_five}
    all_five[0].repair()

    assert not any(one.blocking for one in reconciled.values())
    assert f"batch {lost} of 2" in reconciled["batching"].done
    assert world.ordered() == ordered
    assert all_five[0].violations() == []
    assert world.batch(1) > lost


def register(world: World) -> UUID:
    """Registers a member of the clerk's union; returns its id."""
    request = read(RegisterMemberRequest, a_member_form(birth_date="1985-06-15", document_expiry="2036-01-01"))
    with world.begin("membership") as session:
        return members.register_member(Work(session, world.clerk, world.database("membership")), request).member_id


def tell_of_change(world: World, account_id: UUID) -> None:
    """Notification told the holder of an account that it was changed."""
    with world.begin("notification") as session:
        audience = Audience(UUID(world.reviewer.union_id), HOLDER, account_id)
        notice = texts.account_changed("password_set", None, datetime.now(UTC))
        post(session, audience, f"account_changed:{uuid4()}", notice)


def why_not_ready(world: World) -> str:
    """What /readyz of batching says of its database."""
    database = world.database("batching")
    database.container = SimpleNamespace(service_cls=BatchingService)
    return database.why_not_ready() or "ready"


def would_submit(world: World) -> str:
    """The number of the batch that would be submitted; nothing is."""
    request = read(SubmitBatchRequest, {"channel": "ordinary", **OUTLET, **CONTACT, **CONSENT})
    with Session(world.engines["batching"]) as session:
        work = Work(session, world.clerk, world.database("batching"))
        batch_no = submission.submit_batch(work, request).batch_no
        session.rollback()
        return batch_no


def an_issue(application_id: UUID, card: str) -> dict[str, Any]:
    return {"application_id": str(application_id), "outcome": "issued", "card_no": with_check_digit(card)}


def move_of(world: World, application_id: UUID) -> UUID:
    with world.begin("membership") as session:
        member_id = session.get_one(Application, application_id).member_id
    return world.move(member_id)


def a_step(application_id: UUID, card: str, step: str, new_card: str | None = None) -> dict[str, Any]:
    following = {"new_card_no": with_check_digit(new_card)} if new_card else {}
    return {"application_id": str(application_id), "card_no": with_check_digit(card), "step": step, **following}


def cards_in_batching(world: World) -> list[Any]:
    columns = (Card.application_id, Card.status, Card.version, Card.card_no, Card.collected_at, Card.lost_at)
    with world.begin("batching") as session:
        return list(session.execute(select(*columns).order_by(Card.application_id)))


def a_refusal(application_id: UUID) -> dict[str, Any]:
    return {"application_id": str(application_id), "outcome": "refused", "reason_code": "photo_unclear"}
