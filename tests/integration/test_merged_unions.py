"""A merger of two unions in all five services: everything is the successor's, whatever was on its way."""

import os
import random
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from deploy.broker import declare_all
from deploy.invariants import System, check
from deploy.permissions import SERVICES
from services.batching.models import Application, Batch
from services.contracts.operations.membership import union_changes as rpc
from services.contracts.operations.notification import ListMessagesRequest
from services.contracts.operations.reports import GetReportRequest
from services.contracts.operations.validation import GetCheckRequest
from services.kit.events.envelope import Event
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.membership.models import Account, Member, Union
from services.membership.union_changes import requests
from services.notification.message_inbox import list_messages
from services.notification.reports.answers import get_report
from services.revocation.models import Revocation
from services.validation.checks import get_check
from tests.databases import DatabaseFactory
from tests.integration.five_databases import FiveDatabases
from tests.mothers import a_card_number

_KEYS = ("AUDIT_KEYS", "PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY", "ENVIRONMENT")
_AT_REST = ("sms_settled:*", "contact_texted:*", "act_log_holds:*")


class World(FiveDatabases):
    """The unions jianlang of one district, which is merged, and gubei of another, its successor."""

    def __init__(self, urls: dict[str, str], amqp_uri: str) -> None:
        super().__init__(urls)
        keys = {name: os.environ[name] for name in _KEYS}
        self.system = System(urls, dict.fromkeys(SERVICES, amqp_uri), keys, ())
        self.merged, self.successor = UUID(self.clerk.union_id), UUID(self.account("gubei").union_id)

    def merge(self, union_id: UUID, successor_id: UUID) -> None:
        """One administrator of the city requests the merger, another one confirms; nothing is delivered yet."""
        with self.begin("membership") as session:
            city = session.scalars(select(Union).where(Union.superior_union_id.is_(None))).one()
            ids = [self._administrator(session, city) for _ in range(2)]
            request = rpc.RequestUnionChangeRequest(
                union_id=union_id, kind="merge", target_union_id=successor_id, reason="机构合并"
            )
            made = requests.request_union_change(Work(session, self._caller(ids[0], city)), request)
            session.flush()
            confirmed = rpc.UnionChangeRequest(change_id=made.change_id)
            answer = requests.confirm_union_change(Work(session, self._caller(ids[1], city)), confirmed)
            assert answer.state == "done"

    def _administrator(self, session: Session, city: Union) -> UUID:
        account_id = uuid4()
        named = {"account_id": account_id, "account_name": str(account_id), "display_name": "管理员"}
        session.add(Account(**named, union_id=city.union_id, roles=["administrator"], password_hash=""))
        session.flush()
        return account_id

    def _caller(self, account_id: UUID, city: Union) -> Caller:
        return Caller(
            account_id=str(account_id),
            roles=frozenset({"administrator"}),
            union_id=str(city.union_id),
            scope=Scope.SUBORDINATES,
        )

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
