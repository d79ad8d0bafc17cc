"""Calls batching's functions in tests: events of other services and clerks' requests go in, its events come out."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from amqp.basic_message import Message as AmqpMessage
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from services.batching.bank import bank_feedback, bank_reading, bank_receipts
from services.batching.batches import batches, releases, submission
from services.batching.models import Application, Batch
from services.batching.pending import check_results, checks, consents, listing, pending
from services.batching.register import registers
from services.batching.seed import seed
from services.contracts.consent import CURRENT_CONSENT
from services.contracts.events.all_events import EVENTS
from services.contracts.events.batching import APPLICATIONS_COUNTED
from services.contracts.events.membership import MEMBERS_QUEUED, ApplicationCancelledData
from services.contracts.events.revocation import Applicant, RevocationApprovedData
from services.contracts.events.validation import MEMBERS_VALIDATED
from services.contracts.external import bank
from services.contracts.external.protection import SIGNATURE_HEADER, sign
from services.contracts.operations.batching import (
    BatchRequest,
    CheckPendingRequest,
    ConsentFormRequest,
    GetRegisterRequest,
    ListBatchMembersRequest,
    ListPendingRequest,
    RegisterAnswer,
    RemovePendingManyRequest,
    SubmitBatchRequest,
    UpdatePendingRequest,
)
from services.kit.amqp.queues import EVENTS_EXCHANGE, events_exchange
from services.kit.data.database import Database, outbox
from services.kit.events.contract import EventContract, in_chunks
from services.kit.events.subscribe import Message
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, as_dict
from tests.documents import an_event, event_data, read
from tests.mothers import a_clerk_of, a_queueing, a_union, an_applicant

KEY = os.environ.setdefault("BANK_HMAC_KEY", "the bank's key in tests").encode()
OUTLET = {"branch_code": "icbc-sh", "outlet_code": "icbc-yp-01"}
CONTACT = {"contact_name": "王芳", "contact_phone": "13800000000"}
CONSENT = {"consent_version": CURRENT_CONSENT.version}


class Desk:
    """One union's clerk, with the other services and the bank; each call is a separate transaction."""

    def __init__(self, engine: Engine, union: dict[str, Any] | None = None) -> None:
        self.engine = engine
        self.database = Database()
        self.database.engine = engine
        self.union = union or a_union()
        self.clerk = a_clerk_of(self.union)

    @property
    def union_id(self) -> UUID:
        return UUID(str(self.union["union_id"]))

    def work(self, session: Session) -> Work:
        """Returns the Work of the clerk's calls."""
        return Work(session, self.clerk, self.database)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def queue(self, *applicants: dict[str, Any], **changes: Any) -> list[UUID]:
        """Lets membership queue these applicants; returns their application ids."""
        chosen = applicants or (an_applicant(),)
        for part in in_chunks(chosen):
            queueing = a_queueing(*part, union=self.union, **changes)
            with self.begin() as session:
                listing.members_queued(session, an_event(MEMBERS_QUEUED.read(MEMBERS_QUEUED.dump(queueing))))
        return [one["application_id"] for one in chosen]

    def check(self, *application_ids: UUID, channel: str = "ordinary") -> int:
        with self.begin() as session:
            chosen: Any = {"application_ids": list(application_ids)} if application_ids else {"channel": channel}
            return checks.check_pending(self.work(session), CheckPendingRequest(**chosen)).checking

    def validate(self, results: dict[UUID, str], check_no: int = 1, **finding: str) -> None:
        """Lets validation publish results, each with a finding if one is given."""
        for part in in_chunks(list(results.items())):
            published = {
                "union_id": self.union_id,
                "results": [{"application_id": one, "check_no": check_no, "result": result} for one, result in part],
                "findings": [
                    {"application_id": one, "rule": "retirement", "rule_version": "1", "severity": "error", **finding}
                    for one, _ in part
                    if finding
                ],
            }
            with self.begin() as session:
                event = an_event(MEMBERS_VALIDATED.read(MEMBERS_VALIDATED.dump(published)))
                check_results.members_validated(session, event)

    def show(self, **request: Any) -> dict[str, Any]:
        with self.begin() as session:
            shown: dict[str, Any] = as_dict(pending.list_pending(self.work(session), ListPendingRequest(**request)))
        return shown

    def update(self, application_id: UUID, **changes: Any) -> dict[str, Any]:
        with self.begin() as session:
            request = UpdatePendingRequest(application_id=application_id, **changes)
            updated: dict[str, Any] = as_dict(pending.update_pending(self.work(session), request))
        return updated

    def remove(self, **request: Any) -> int:
        with self.begin() as session:
            return pending.remove_pending_many(self.work(session), RemovePendingManyRequest(**request)).removed

    def submit(self, channel: str = "ordinary", **changes: Any) -> dict[str, Any]:
        wanted = {"channel": channel, **OUTLET, **CONTACT, **CONSENT, **changes}
        given = {name: value for name, value in wanted.items() if value is not UNSET}
        request = read(SubmitBatchRequest, given)
        with self.begin() as session:
            submitted: dict[str, Any] = as_dict(submission.submit_batch(self.work(session), request))
        return submitted

    def a_batch(self, size: int = 3) -> tuple[str, list[UUID]]:
        """Submits a batch; returns its number and its applications."""
        application_ids = self.queue(*(an_applicant() for _ in range(size)))
        self.check()
        self.validate(dict.fromkeys(application_ids, "passed"))
        return str(self.submit()["batch_no"]), application_ids

    def feed(self, *messages: Message) -> list[str | None]:
        """Lets the bank send messages, which are handled as one chunk; returns the rejection of each."""
        for message in messages:
            message.data = bank_reading.read_feedback(message)
        with self.begin() as session:
            bank_receipts.answer(session, bank_feedback.apply_feedback(session, [one.data for one in messages]))
        return [str(message.rejection) if message.rejection else None for message in messages]

    def revoke(self, batch_no: str, at: datetime | None = None) -> None:
        with self.begin() as session:
            releases.revocation_approved(session, an_event(an_approval(batch_no, at or datetime.now(UTC))))

    def cancel(self, application_id: UUID) -> None:
        with self.begin() as session:
            releases.application_cancelled(session, an_event(a_cancellation(self.union_id, application_id)))

    def show_batch(self, batch_no: str) -> dict[str, Any]:
        with self.begin() as session:
            shown: dict[str, Any] = as_dict(batches.get_batch(self.work(session), BatchRequest(batch_no=batch_no)))
        return shown

    def show_batch_members(self, batch_no: str, **request: Any) -> list[dict[str, Any]]:
        with self.begin() as session:
            asked = ListBatchMembersRequest(batch_no=batch_no, **request)
            shown: list[dict[str, Any]] = as_dict(batches.list_batch_members(self.work(session), asked).items)
        return shown

    def print_register(self, batch_no: str, form: str) -> RegisterAnswer:
        with self.begin() as session:
            request = GetRegisterRequest(batch_no=batch_no, format=form)
            return registers.print_register(self.work(session), request)

    def consent_form(self, channel: str = "ordinary") -> FileAnswer:
        with self.begin() as session:
            return consents.get_form(self.work(session), ConsentFormRequest(channel=channel))

    def states(self, application_ids: list[UUID]) -> list[str]:
        return [self.application(one).state for one in application_ids]

    def application(self, application_id: UUID) -> Application:
        with self.begin() as session:
            return session.get_one(Application, application_id)

    def batch(self, batch_no: str) -> Batch:
        with self.begin() as session:
            return session.get_one(Batch, batch_no)

    def published(self, contract: EventContract) -> list[dict[str, Any]]:
        """Returns the data of all published events of a kind, in order."""
        return [event_data(contract, document["data"]) for name, document in self._sent() if name == contract.type]

    def sent_to_bank(self, name: str) -> list[dict[str, Any]]:
        return [document for sent, document in self._sent() if sent == name]

    def receipts(self) -> list[dict[str, Any]]:
        """Returns all receipts to the bank, loaded by their contract."""
        sent = self.sent_to_bank(bank.RECEIPT)
        return [one for document in sent for one in bank.FeedbackReceipts().load(document)["receipts"]]

    def rejected_parts(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Returns document and headers of the rejected parts of feedback."""
        with self.begin() as session:
            rows = session.execute(select(outbox).where(outbox.c.routing_key == bank.REJECTED_QUEUE)).all()
        return [(json.loads(row.body), row.properties["application_headers"]) for row in rows]

    def exchanges(self) -> set[str]:
        """Returns the exchanges of all published events and messages."""
        with self.begin() as session:
            kept = set(session.scalars(select(outbox.c.exchange)))
        return {events_exchange("batching") if exchange == EVENTS_EXCHANGE else exchange for exchange in kept}

    def versions(self, application_id: UUID) -> list[int]:
        """Returns the versions of all published steps of an application, in order; what reports count is none."""
        steps = [one for one in EVENTS.values() if one.producer == "batching" and one is not APPLICATIONS_COUNTED]
        return [
            step["version"]
            for name, document in self._sent()
            for contract in steps
            if contract.type == name
            for step in event_data(contract, document["data"]).get("applications", ())
            if step["application_id"] == application_id and "version" in step
        ]

    def forget_published(self) -> None:
        with self.begin() as session:
            session.execute(text("truncate outbox"))

    def _sent(self) -> list[tuple[str, dict[str, Any]]]:
        with self.begin() as session:
            rows = session.execute(select(outbox.c.routing_key, outbox.c.body).order_by(outbox.c.id)).all()
        return [(row.routing_key, json.loads(row.body)) for row in rows]


def an_approval(batch_no: str, decided_at: datetime, revocation_id: UUID | None = None) -> RevocationApprovedData:
    """Returns the approval of the batch's revocation by the superior union."""
    return RevocationApprovedData(
        revocation_id=revocation_id or uuid4(),
        batch_no=batch_no,
        union_id=uuid4(),
        reviewer_union_id=uuid4(),
        decided_by=uuid4(),
        decided_at=decided_at,
        applicant=Applicant(name="王芳", phone="13800000000"),
    )


def a_cancellation(union_id: UUID, application_id: UUID) -> ApplicationCancelledData:
    """Returns the cancellation of an application whose member got the card of another one."""
    return ApplicationCancelledData(
        union_id=union_id,
        application_id=application_id,
        member_id=uuid4(),
        reason="already_issued",
        issued_application_id=uuid4(),
        issued_union_id=union_id,
        member_no="0070000001",
    )


def a_feedback(batch_no: str, *results: dict[str, Any], key: bytes = KEY, **changes: Any) -> Message:
    """Returns a signed message of the bank."""
    document = {
        "feedback_id": str(uuid4()),
        "batch_no": batch_no,
        "processed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "results": [
            {name: str(value) if isinstance(value, UUID) else value for name, value in result.items()}
            for result in results
        ],
        **changes,
    }
    body = json.dumps(document, ensure_ascii=False).encode()
    return a_message(body, {SIGNATURE_HEADER: sign(body, key)})


def a_card_feedback(*reports: dict[str, Any], **changes: Any) -> Message:
    """Returns a signed message of the bank about cards; what happened, happens now where nothing else is said."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [
        {name: str(value) if isinstance(value, UUID) else value for name, value in {"happened_at": now, **one}.items()}
        for one in reports
    ]
    body = json.dumps({"feedback_id": str(uuid4()), "cards": lines, **changes}, ensure_ascii=False).encode()
    return a_message(body, {SIGNATURE_HEADER: sign(body, KEY)})


def a_message(body: bytes, headers: dict[str, Any]) -> Message:
    return Message(body, headers, None, AmqpMessage(body))


def fresh(engine: Engine) -> Desk:
    """Returns a desk with a database that has only outlets."""
    with Session(engine) as session, session.begin():
        session.execute(text("alter table batch_person disable trigger user"))
        session.execute(text("alter table consent_receipt disable trigger user"))
        session.execute(
            text(
                "truncate application, batch, batch_person, consent_receipt, batch_counter, bank_feedback,"
                " personal_application, listed_union, reminder_day, card, card_report, moved_member, bank_file,"
                " bank_result_file, outbox"
            )
        )
        session.execute(text("alter table batch_person enable trigger user"))
        session.execute(text("alter table consent_receipt enable trigger user"))
        seed(session)
    return Desk(engine)
