"""Calls membership's functions in tests: clerks' requests and other services' events go in, its events come out."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.contracts.events.batching import (
    BATCH_RELEASED,
    BATCH_SUBMITTED,
    CARDS_CHANGED,
    CARDS_ISSUED,
    CARDS_REFUSED,
    CHANNEL_ASSIGNED,
    ISSUE_TIMES_CORRECTED,
    MEMBERS_REMOVED,
)
from services.contracts.events.membership import MEMBER_REGISTERED
from services.contracts.operations.membership import members as rpc
from services.contracts.overdue import today
from services.kit.data.database import Database, outbox
from services.kit.events.contract import Data, EventContract
from services.kit.events.envelope import Event
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import as_dict
from services.membership.accounts import accounts
from services.membership.applications import applications, cards, queueing
from services.membership.members import member_search, members, numbering
from services.membership.models import Account, Application, Member, Transfer, Union
from services.membership.unions import add_union
from tests.documents import event_data, read
from tests.mothers import a_member_form, a_union_code

_HEARD_BY: dict[EventContract[Any], Callable[[Session, Event[Any]], None]] = {
    CHANNEL_ASSIGNED: applications.channel_assigned,
    MEMBERS_REMOVED: applications.members_removed,
    BATCH_SUBMITTED: applications.batch_submitted,
    CARDS_ISSUED: applications.cards_issued,
    CARDS_REFUSED: applications.cards_refused,
    BATCH_RELEASED: applications.batch_released,
    ISSUE_TIMES_CORRECTED: applications.issue_times_corrected,
    CARDS_CHANGED: cards.cards_changed,
}
BATCH_NO = "cbc810000001202603010001"
CARD_NO = "6224781234567891"


class Office:
    """A grassroots union under a superior union under the city's; each call is a separate transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.database = Database()
        self.database.engine = engine
        with self.begin() as session:
            self.city = add_union(session, "上海市总工会", a_union_code(1), "city", None)
            self.superior = add_union(session, "杨浦区总工会", a_union_code(2), "superior", self.city)
            self.union = add_union(session, "上海建朗工会", a_union_code(3), "grassroots", self.superior)
            self.other = add_union(session, "长宁区总工会", a_union_code(4), "superior", self.city)

    @property
    def clerk(self) -> Caller:
        return a_caller(self.union, "clerk")

    @cached_property
    def registrar(self) -> Caller:
        """A clerk with an account, which searches by number need."""
        account_id = uuid4()
        kept = {"account_id": account_id, "account_name": str(account_id), "union_id": self.union.union_id}
        with self.begin() as session:
            session.add(Account(**kept, display_name="李娜", roles=["clerk"], password_hash=""))
        return Caller(account_id=str(account_id), roles=frozenset({"clerk"}), union_id=str(self.union.union_id))

    def work(self, session: Session, caller: Caller | None = None) -> Work:
        """Returns the Work of the caller's calls, by default a clerk's."""
        return Work(session, caller or self.registrar, self.database)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def register(self, **changes: Any) -> UUID:
        """Registers one member; returns the id."""
        request = read(rpc.RegisterMemberRequest, a_member_form(**changes))
        with self.begin() as session:
            return members.register_member(self.work(session), request).member_id

    def numbered(self, count: int = 1, **changes: Any) -> list[UUID]:
        """Registers members with numbers, each with another document."""
        member_ids = [self.register(**changes) for _ in range(count)]
        self.give_numbers()
        return member_ids

    def give_numbers(self) -> None:
        """Lets membership handle its own registrations, which assigns numbers."""
        for published in self.published(MEMBER_REGISTERED):
            with self.begin() as session:
                numbering.member_registered(session, an_event(MEMBER_REGISTERED, published))

    def queue(self, *member_ids: UUID) -> dict[str, Any]:
        return self._queue(rpc.QueueMembersRequest(member_ids=list(member_ids)))

    def queue_all(self, **wanted: Any) -> dict[str, Any]:
        return self._queue(rpc.QueueMembersRequest(filter=rpc.MemberFilter(**wanted)))

    def queued(self, **changes: Any) -> tuple[UUID, UUID]:
        """Queues a new member; returns the member and the application."""
        (member_id,) = self.numbered(**changes)
        self.queue(member_id)
        return member_id, self.newest_application(member_id)

    def newest_application(self, member_id: UUID) -> UUID:
        return UUID(str(self.member(member_id)["applications"][0]["application_id"]))

    def listed(self, caller: Caller | None = None, **request: Any) -> dict[str, Any]:
        with self.begin() as session:
            answer = member_search.list_members(self.work(session, caller), rpc.ListMembersRequest(**request))
        listed: dict[str, Any] = as_dict(answer)
        return listed

    def names(self, **asked: Any) -> list[str]:
        """Returns the names in the list, in order."""
        return [item["name"] for item in self.listed(**asked)["items"]]

    def member(self, member_id: UUID, caller: Caller | None = None) -> dict[str, Any]:
        with self.begin() as session:
            answer = members.get_member(self.work(session, caller), rpc.GetMemberRequest(member_id=member_id))
        member: dict[str, Any] = as_dict(answer)
        return member

    def kept(self, member_id: UUID, *names: str) -> tuple[Any, ...]:
        """Returns columns of a member in the database."""
        with self.begin() as session:
            member = session.get_one(Member, member_id)
            return tuple(getattr(member, name) for name in names)

    def update(self, member_id: UUID, **changes: Any) -> dict[str, Any]:
        with self.begin() as session:
            request = rpc.UpdateMemberRequest(member_id=member_id, **changes)
            updated: dict[str, Any] = as_dict(members.update_member(self.work(session), request))
        return updated

    def deliver(self, contract: EventContract, *steps: tuple[UUID, int], **changes: Any) -> None:
        """Lets membership handle batching's event about these applications with their versions."""
        data = {"union_id": self.union.union_id, **self._facts(contract, steps), **changes}
        with self.begin() as session:
            _HEARD_BY[contract](session, an_event(contract, data))

    def report_card(self, application_id: UUID, version: int, step: str, status: str, card_no: str = CARD_NO) -> None:
        """Lets membership handle a step of a card, which happened `version` days into 2026-12."""
        with self.begin() as session:
            member_id = session.get_one(Application, application_id).member_id
        card = {
            "application_id": application_id,
            "member_id": member_id,
            "version": version,
            "step": step,
            "happened_at": datetime(2026, 12, version, tzinfo=UTC),
            "status": status,
        }
        numbers = [{"application_id": application_id, "card_no": card_no}]
        data = {"union_id": self.union.union_id, "cards": [card], "numbers": numbers}
        with self.begin() as session:
            cards.cards_changed(session, an_event(CARDS_CHANGED, data))

    def published(self, contract: EventContract) -> list[dict[str, Any]]:
        """Returns the data of published events of this kind, oldest first."""
        with self.begin() as session:
            bodies = session.scalars(
                select(outbox.c.body).where(outbox.c.routing_key == contract.routing_key).order_by(outbox.c.id)
            )
            return [event_data(contract, json.loads(body)["data"]) for body in bodies]

    def _queue(self, request: rpc.QueueMembersRequest) -> dict[str, Any]:
        with self.begin() as session:
            answer: dict[str, Any] = as_dict(queueing.queue_members(self.work(session), request))
        return answer

    def _facts(self, contract: EventContract, steps: Sequence[tuple[UUID, int]]) -> dict[str, Any]:
        now = datetime.now(UTC)
        with self.begin() as session:
            owners = {one: session.get_one(Application, one).member_id for one, _ in steps}
        more: dict[EventContract, dict[str, Any]] = {
            CARDS_ISSUED: {"issued_at": now},
            CARDS_REFUSED: {"reason_code": "04", "reason": "照片不清"},
        }
        return {
            "batch_no": BATCH_NO,
            "channel": "ordinary",
            "reason": {MEMBERS_REMOVED: "by_clerk", BATCH_RELEASED: "revoked"}.get(contract),
            "union": {"union_id": self.union.union_id, "code": self.union.code, "name": self.union.name},
            "outlet_code": "icbc-yp-01",
            "outlet_name": "工商银行杨浦支行",
            "submitted_by": uuid4(),
            "submitted_at": now,
            "total": len(steps),
            "part": 1,
            "parts": 1,
            "contact": {"name": "王芳", "phone": "13800000000"},
            "cards": [{"application_id": one, "card_no": CARD_NO} for one, _ in steps],
            "applications": [
                {"application_id": one, "member_id": owners[one], "version": version, **more.get(contract, {})}
                for one, version in steps
            ],
        }


def a_caller(union: Union, *roles: str) -> Caller:
    """Returns a caller of the union with these roles; all but clerks have subordinates in scope."""
    scope = Scope.OWN_UNION if roles == ("clerk",) else Scope.SUBORDINATES
    return Caller(account_id=str(uuid4()), roles=frozenset(roles), union_id=str(union.union_id), scope=scope)


def a_transfer(member_id: UUID, old: Union, new: Union, by: Caller) -> Transfer:
    """A request of an account to move a member, which waits."""
    return Transfer(
        transfer_id=uuid4(),
        member_id=member_id,
        from_union_id=old.union_id,
        to_union_id=new.union_id,
        affiliation="flexible",
        reason="调动",
        state="requested",
        requested_by=UUID(by.account_id),
        requested_at=datetime.now(UTC),
        due_on=today() + timedelta(days=5),
    )


def an_account(office: Office, union: Union, *roles: str) -> Caller:
    """Returns a caller of the union with a new account."""
    account = accounts.new_account(union, f"a{uuid4().hex[:12]}", "王芳", list(roles), "Correct-horse-2026")
    with office.begin() as session:
        session.add(account)
    return Caller(account_id=str(account.account_id), roles=frozenset(roles), union_id=str(union.union_id))


def an_event(contract: EventContract[Data], data: dict[str, Any]) -> Event[Data]:
    """Returns the event as a handler gets it, dumped and loaded by its contract."""
    return Event(
        id=str(uuid4()),
        type=contract.type,
        source="batching",
        subject=None,
        time=datetime.now(UTC),
        correlation_id=str(uuid4()),
        causation_id=None,
        data=contract.read(contract.dump(data)),
    )
