"""All five services with their databases but without processes: tests deliver the events by hand."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from importlib import import_module
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from amqp.basic_message import Message as AmqpMessage
from sqlalchemy import Engine, create_engine, delete, select, text
from sqlalchemy.orm import Session

from deploy.permissions import SERVICES
from services.batching import seed
from services.batching.bank import bank_feedback, bank_reading, bank_receipts
from services.batching.batches import submission
from services.batching.pending import checks
from services.contracts.events.all_events import EVENTS
from services.contracts.external.protection import SIGNATURE_HEADER, sign
from services.contracts.operations.batching import CheckPendingRequest, SubmitBatchRequest
from services.contracts.operations.membership import union_changes as union_change_ops
from services.contracts.operations.membership.members import QueueMembersRequest
from services.contracts.operations.revocation import ApproveRevocation, RequestRevocation
from services.kit.data.database import Database, outbox
from services.kit.events.envelope import Event, unwrap
from services.kit.events.failures import Retry
from services.kit.events.subscribe import Message
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.membership import seed as membership_seed
from services.membership.applications import queueing
from services.membership.audit.audit_chain import AuditKeys
from services.membership.event_builders import publish_unions
from services.membership.members import transfers
from services.membership.models import Account, Member, Transfer, Union
from services.membership.union_changes import requests as union_changes
from services.membership.unions import add_union
from services.notification.sms import SmsSettings
from services.revocation import requests
from services.validation.retirement import RegistryAnswer
from tests.documents import read
from tests.integration.batching.desk import CONSENT, CONTACT, KEY, OUTLET
from tests.mothers import a_union_code

_NEW_UNIONS = count(700_001)
_AUDIT_KEYS = "tests:dGhlIHRlc3RzIG93biBrZXkgaXMgMzIgYnl0ZXMuLi4="


class FiveDatabases:
    """The demo's unions, their numbered members, and every service's handlers."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self.engines: dict[str, Engine] = {service: create_engine(url) for service, url in urls.items()}
        self._handlers = {service: _service(service, self.engines[service]) for service in SERVICES}
        with self.begin("membership") as session:
            membership_seed.seed(session)
        with self.begin("batching") as session:
            seed.seed(session)
        self.deliver()
        self.clerk, self.reviewer = self.account("jianlang"), self.account("yangpu")

    @contextmanager
    def begin(self, service: str) -> Iterator[Session]:
        """A transaction of a service."""
        with Session(self.engines[service], expire_on_commit=False) as session, session.begin():
            yield session

    def database(self, service: str) -> Database:
        """A service's database, as its use cases get it."""
        database = Database()
        database.engine = self.engines[service]
        return database

    def change(self, service: str, statement: str, **values: Any) -> None:
        """Changes a service's database directly, as no service would."""
        with self.engines[service].begin() as connection:
            connection.execute(text(statement), values)

    def deliver(self, lost: Callable[[str, str], bool] = lambda event, consumer: False) -> list[tuple[str, str]]:
        """Delivers all events until no more are published; returns the names with their consumers.

        `lost(event, consumer)` says whether that copy of the event is lost.
        """
        handled = []
        while published := [one for service in SERVICES for one in self._published(service)]:
            for contract, body, recipients in published:
                event = unwrap(contract, body)
                for consumer in contract.consumers:
                    if consumer not in recipients or lost(contract.name, consumer):
                        continue
                    error = self._handlers[consumer][contract.name](event)
                    assert error is None, f"{consumer} could not handle {contract.name}: {error!r}"
                    handled.append((contract.name, consumer))
        return handled

    def taken(self) -> list[tuple[str, str, Event[Any]]]:
        """Takes all published events out, as a name, a consumer and the event, for a test that delivers them itself."""
        return [
            (contract.name, consumer, unwrap(contract, body))
            for service in SERVICES
            for contract, body, recipients in self._published(service)
            for consumer in contract.consumers
            if consumer in recipients
        ]

    def handled(self, consumer: str, name: str, event: Event[Any]) -> bool:
        """Whether a consumer handles an event now; one that came too early is to come again."""
        try:
            error = self._handlers[consumer][name](event)
        except Retry:
            return False
        assert error is None, f"{consumer} could not handle {name}: {error!r}"
        return True

    def account(self, name: str) -> Caller:
        """Returns a demo account as a caller."""
        with self.begin("membership") as session:
            account = session.scalars(select(Account).where(Account.account_name == name)).one()
            union = session.get_one(Union, account.union_id)
            return Caller(
                account_id=str(account.account_id),
                roles=frozenset(account.roles),
                union_id=str(union.union_id),
                union_code=union.code,
                union_name=union.name,
                superior_union_id=str(union.superior_union_id) if union.superior_union_id else None,
                superior_ids=tuple(map(str, union.superior_ids)),
            )

    def queue(self, count: int) -> list[UUID]:
        """Queues free members of the clerk's union; returns their applications."""
        with self.begin("membership") as session:
            free = select(Member.member_id).where(
                Member.union_id == self.clerk.union_id,
                Member.card_state == "none",
                Member.member_no.is_not(None),
                Member.left_at.is_(None),
            )
            member_ids = session.scalars(free.order_by(Member.member_id).limit(count)).all()
            work = Work(session, self.clerk, self.database("membership"))
            queueing.queue_members(work, QueueMembersRequest(member_ids=list(member_ids)))
            chosen = select(Member.application_id).where(Member.member_id.in_(member_ids))
            return [UUID(str(one)) for one in session.scalars(chosen.order_by(Member.member_id))]

    def check(self) -> None:
        """Requests the checks of the pending list."""
        with self.begin("batching") as session:
            checks.check_pending(Work(session, self.clerk), CheckPendingRequest())

    def submit(self) -> str:
        """Submits the pending list; returns the batch's number."""
        request = read(SubmitBatchRequest, {"channel": "ordinary", **OUTLET, **CONTACT, **CONSENT})
        with self.begin("batching") as session:
            return submission.submit_batch(Work(session, self.clerk, self.database("batching")), request).batch_no

    def feed(self, batch_no: str, *results: dict[str, Any]) -> None:
        """Applies the bank's results on some of a batch."""
        now = datetime.now(UTC).isoformat()
        self._feed({"feedback_id": str(uuid4()), "batch_no": batch_no, "processed_at": now, "results": results})

    def report(self, *cards: dict[str, Any]) -> None:
        """Applies the bank's reports on cards."""
        now = datetime.now(UTC).isoformat()
        self._feed({"feedback_id": str(uuid4()), "cards": [{"happened_at": now, **card} for card in cards]})

    def _feed(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        headers = {SIGNATURE_HEADER: sign(body, KEY)}
        message = Message(body, headers, None, AmqpMessage(body))
        message.data = bank_reading.read_feedback(message)
        with self.begin("batching") as session:
            bank_receipts.answer(session, bank_feedback.apply_feedback(session, [message.data]))
        assert message.rejection is None, message.rejection

    def move(self, member_id: UUID) -> UUID:
        """Moves a member to a new union, for the old one has not decided in time; returns the union."""
        day = date(2026, 11, 27)
        with self.begin("membership") as session:
            city = session.scalars(select(Union).where(Union.superior_union_id.is_(None))).first()
            union = add_union(session, "迁入工会", a_union_code(next(_NEW_UNIONS)), "grassroots", city)
            session.flush()
            publish_unions(session, [union])
            session.add(
                Transfer(
                    transfer_id=uuid4(),
                    member_id=member_id,
                    from_union_id=session.get_one(Member, member_id).union_id,
                    to_union_id=union.union_id,
                    affiliation="internal",
                    requested_by=UUID(self.clerk.account_id),
                    requested_at=datetime.now(UTC),
                    due_on=day,
                )
            )
            session.flush()
            assert transfers.accept_overdue(session, day + timedelta(days=1)) == 1
            return union.union_id

    def merge(self, union_id: UUID, successor_id: UUID) -> None:
        """One administrator of the city requests the merger, another one confirms; nothing is delivered yet."""
        with self.begin("membership") as session:
            city = session.scalars(select(Union).where(Union.superior_union_id.is_(None))).one()
            ids = [self._administrator(session, city) for _ in range(2)]
            request = union_change_ops.RequestUnionChangeRequest(
                union_id=union_id, kind="merge", target_union_id=successor_id, reason="机构合并"
            )
            made = union_changes.request_union_change(Work(session, self._caller(ids[0], city)), request)
            session.flush()
            confirmed = union_change_ops.UnionChangeRequest(change_id=made.change_id)
            answer = union_changes.confirm_union_change(Work(session, self._caller(ids[1], city)), confirmed)
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

    def request_revocation(self, batch_no: str) -> UUID:
        """Requests a revocation as the clerk."""
        request = RequestRevocation(
            batch_no=batch_no,
            applicant_name="王芳",
            applicant_phone="13800000000",
            reason_code="information",
            reason="3 人的证件到期日填错",
        )
        with self.begin("revocation") as session:
            return requests.request_revocation(Work(session, self.clerk), request).revocation_id

    def approve(self, revocation_id: UUID) -> None:
        """Approves the revocation as the superior union."""
        with self.begin("revocation") as session:
            reviewer = replace(self.reviewer, scope=Scope.SUBORDINATES)
            requests.approve(Work(session, reviewer), ApproveRevocation(revocation_id=revocation_id))

    def _published(self, service: str) -> list[tuple[Any, bytes, list[str]]]:
        """Removes a service's events from its outbox and returns them with recipients; skips messages to the bank."""
        with self.begin(service) as session:
            rows = session.execute(select(outbox).order_by(outbox.c.id)).all()
            session.execute(delete(outbox))
        return [
            (EVENTS[row.routing_key], row.body, row.recipients.split()) for row in rows if row.routing_key in EVENTS
        ]


class _Registry:
    """A registry that answers for everybody that they work."""

    def query(self, queries: Any) -> dict[str, RegistryAnswer]:
        return {query.ref: RegistryAnswer("working", date(2020, 1, 1), "养老保险登记") for query in queries}


def _service(service: str, engine: Engine) -> dict[str, Callable[[Any], Any]]:
    """Returns a service's handlers by the event's name, as its entrypoints call them."""

    @contextmanager
    def begin() -> Iterator[Session]:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    module = import_module(f"services.{service}.service")
    (kind,) = [kind for kind in vars(module).values() if getattr(kind, "name", None) == service]
    itself = SimpleNamespace(
        name=service,
        database=SimpleNamespace(begin=begin),
        registry=_Registry(),
        audit_keys=AuditKeys.from_text(_AUDIT_KEYS),
        audit_heads=SimpleNamespace(write_when_committed=lambda _session, _head: None),
        sms_provider=SimpleNamespace(settings=SmsSettings(sms_url="")),
    )
    names = {event.name for event in EVENTS.values() if service in event.consumers}
    return {name: partial(getattr(kind, name), itself) for name in names}
