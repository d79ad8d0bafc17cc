"""A merger of two unions in all five services: everything is the successor's, whatever was on its way."""

import os
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from deploy.broker import declare_all
from deploy.invariants import System, check
from deploy.permissions import SERVICES
from services.batching.models import Application, Batch
from services.contracts.operations.notification import ListMessagesRequest
from services.contracts.operations.reports import GetReportRequest
from services.contracts.operations.validation import GetCheckRequest
from services.kit.events.envelope import Event
from services.kit.rpc.work import Work
from services.kit.schemas import required
from services.membership.event_builders import publish_unions
from services.membership.models import Member, Union
from services.membership.unions import add_union
from services.notification.message_inbox import list_messages
from services.notification.models import InboxMessage
from services.notification.reports import rebuild
from services.notification.reports.answers import get_report
from services.revocation.models import Revocation
from services.validation.checks import get_check
from tests.databases import DatabaseFactory
from tests.integration.five_databases import FiveDatabases
from tests.mothers import a_card_number, a_union_code

_KEYS = ("AUDIT_KEYS", "PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY", "ENVIRONMENT")
_AT_REST = ("sms_settled:*", "contact_texted:*", "act_log_holds:*")


class World(FiveDatabases):
    """The unions jianlang of one district, which is merged, and gubei of another, its successor."""

    def __init__(self, urls: dict[str, str], amqp_uri: str) -> None:
        super().__init__(urls)
        keys = {name: os.environ[name] for name in _KEYS}
        self.system = System(urls, dict.fromkeys(SERVICES, amqp_uri), keys, ())
        self.merged, self.successor = UUID(self.clerk.union_id), UUID(self.account("gubei").union_id)

    def violations(self) -> list[str]:
        return [str(one) for one in check(self.system, allowed=_AT_REST)]

    def unions(self, service: str, column: Any) -> set[UUID]:
        with self.begin(service) as session:
            return set(session.scalars(select(column)))


@pytest.fixture
def world(database: DatabaseFactory, amqp_uri: str) -> World:
    declare_all(amqp_uri)
    plain = {service: database(service).replace("postgresql://", "postgresql+psycopg://") for service in SERVICES}
    world = World(plain, amqp_uri)
    world.queue(4)
    world.deliver()
    world.check()
    world.deliver()
    return world


def issue(world: World, batch_no: str, which: int = 0) -> None:
    with world.begin("batching") as session:
        of_batch = select(Application.application_id).where(Application.batch_no == batch_no)
        application_id = session.scalars(of_batch.order_by(Application.application_id)).all()[which]
    world.feed(batch_no, {"application_id": str(application_id), "outcome": "issued", "card_no": a_card_number()})


def test_everything_is_the_successors_after_a_merger(world: World) -> None:
    batch_no = world.submit()
    world.deliver()
    issue(world, batch_no)
    world.queue(2)
    world.deliver()
    world.request_revocation(batch_no)
    world.deliver()
    clerk, before = world.clerk, world.account("gubei")
    world.merge(world.merged, world.successor)
    world.deliver()

    assert world.violations() == []
    moved = world.account("jianlang")
    assert (moved.union_id, moved.superior_union_id) == (before.union_id, before.superior_union_id)
    assert world.merged not in world.unions("batching", Application.union_id) | world.unions("batching", Batch.union_id)
    with world.begin("revocation") as session:
        request = session.scalars(select(Revocation)).one()
        assert str(request.reviewer_union_id) == before.superior_union_id
    with world.begin("notification") as session:
        figures = get_report(Work(session, moved), GetReportRequest()).current
        assert (figures.queued, figures.submitted, figures.issued, figures.waiting_submission) == (6, 4, 1, 2)
        shown = list_messages(Work(session, replace(moved, roles=frozenset({"clerk"}))), ListMessagesRequest())
        assert {"batch_submitted", "account_union_merged"} <= {one.kind for one in shown.items}
        assert list_messages(Work(session, clerk), ListMessagesRequest()).items == []
    with world.begin("batching") as session:
        checked = session.scalars(select(Application.application_id).where(Application.check_no > 0)).all()
    with world.begin("validation") as session:
        assert get_check(Work(session, moved), GetCheckRequest(application_id=checked[0])).result == "passed"


def test_work_goes_on_with_the_successor(world: World) -> None:
    world.merge(world.merged, world.successor)
    world.deliver()
    world.clerk = world.account("jianlang")
    batch_no = world.submit()
    world.deliver()
    issue(world, batch_no)
    world.queue(1)
    world.deliver()
    assert world.violations() == []
    with world.begin("batching") as session:
        batch = session.get_one(Batch, batch_no)
        assert (batch.union_id, batch.union_code) == (world.successor, world.clerk.union_code)


@pytest.mark.parametrize("seed", range(6))
def test_what_was_on_its_way_is_the_successors_in_whatever_order_it_comes(world: World, seed: int) -> None:
    batch_no = world.submit()
    world.queue(2)
    issue(world, batch_no)
    world.merge(world.merged, world.successor)
    issue(world, batch_no, 1)
    deliver_in_any_order(world, random.Random(seed))
    assert world.violations() == []
    assert world.unions("membership", Member.union_id).isdisjoint({world.merged})
    assert world.unions("batching", Application.union_id) == {world.successor}


def run(world: World, events: Iterable[tuple[str, str, Event[Any]]]) -> None:
    """Delivers these, and all that follows from them."""
    for name, consumer, event in events:
        assert world.handled(consumer, name, event), (name, consumer)
    world.deliver()


def test_of_a_chain_of_mergers_the_last_successor_has_everything_in_whatever_order_they_are_heard_of(
    world: World,
) -> None:
    world.submit()
    world.deliver()
    with world.begin("membership") as session:
        district = session.get_one(Union, session.get_one(Union, world.successor).superior_union_id)
        last = add_union(session, "最后的工会", a_union_code(900_001), "grassroots", district)
        session.flush()
        publish_unions(session, [last])
    world.deliver()
    world.merge(world.merged, world.successor)
    earlier = world.taken()
    world.merge(world.successor, last.union_id)
    later = world.taken()
    of_successor = [one for one in later if one[0] == "unions_changed" and merged_in(one) == world.successor]
    run(world, of_successor)
    run(world, earlier)
    run(world, [one for one in later if one not in of_successor])
    assert world.violations() == []
    assert world.unions("batching", Batch.union_id) == {last.union_id}


def merged_in(published: tuple[str, str, Event[Any]]) -> UUID | None:
    merged = (one.union_id for one in published[2].data.unions if one.successor_union_id)
    return next(merged, None)


def test_reviewers_of_a_merged_superior_are_asked_where_they_are_now(world: World) -> None:
    batch_no = world.submit()
    world.deliver()
    world.request_revocation(batch_no)
    world.deliver()
    with world.begin("membership") as session:
        superiors = [session.get_one(Union, one).superior_union_id for one in (world.merged, world.successor)]
    world.merge(*map(required, superiors))
    world.deliver()
    assert world.violations() == []


def test_a_decision_that_is_told_in_two_parts_is_one_message_though_the_union_is_merged_between(world: World) -> None:
    batch_no = world.submit()
    world.deliver()
    revocation_id = world.request_revocation(batch_no)
    world.deliver()
    world.approve(revocation_id)
    for name, consumer, event in world.taken():
        assert world.handled(consumer, name, event)
    released = world.taken()
    world.merge(world.merged, world.successor)
    world.deliver()
    run(world, released)
    assert world.violations() == []


def test_requests_go_to_the_successors_superior_though_newer_news_of_the_successor_came_first(world: World) -> None:
    batch_no = world.submit()
    world.deliver()
    world.request_revocation(batch_no)
    world.deliver()
    world.merge(world.merged, world.successor)
    merger = world.taken()
    with world.begin("membership") as session:
        publish_unions(session, [session.get_one(Union, world.successor)])
    world.deliver()
    run(world, merger)
    assert world.violations() == []


def test_messages_go_to_the_successor_while_the_reports_are_rebuilt(world: World) -> None:
    batch_no = world.submit()
    world.deliver()
    revocation_id = world.request_revocation(batch_no)
    world.deliver()
    world.merge(world.merged, world.successor)
    world.deliver()
    with world.begin("notification") as session:
        rebuild.begin(session)
    world.reviewer = world.account("changning")
    world.approve(revocation_id)
    world.deliver()
    with world.begin("notification") as session:
        decided = select(InboxMessage).where(InboxMessage.kind.in_(("revocation_requested", "revocation_approved")))
        messages = session.scalars(decided).all()
    assert {one.union_id for one in messages if one.settled_at is None} == {world.successor}


def deliver_in_any_order(world: World, chance: random.Random) -> None:
    """Delivers each copy of each event in an order of chance; one that comes too early comes again later."""
    waiting: list[tuple[str, str, Event[Any]]] = []
    for _ in range(5000):
        waiting += world.taken()
        if not waiting:
            return
        name, consumer, event = waiting.pop(chance.randrange(len(waiting)))
        if not world.handled(consumer, name, event):
            waiting.append((name, consumer, event))
    raise AssertionError([(name, consumer) for name, consumer, _ in waiting])
