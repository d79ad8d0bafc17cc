"""The revocation service: knows batches from events, takes requests, lets the superior union decide."""

from typing import Any

from nameko.timer import timer
from sqlalchemy.orm import Session

from services.contracts.events.batching import BATCH_RELEASED, BATCH_SUBMITTED, CARDS_ISSUED, CARDS_REFUSED
from services.contracts.events.membership import AUDIT_HEAD_SIGNED
from services.contracts.operations.revocation import (
    ApproveRevocationRequest,
    GetRevocationRequest,
    ListRevocationsRequest,
    RejectRevocationRequest,
    RequestRevocationRequest,
)
from services.kit.data.database import Database
from services.kit.events.relay import Relay
from services.kit.events.subscribe import Event, subscribe
from services.kit.operations.audit_heads import RemembersAuditHeads, remember
from services.kit.operations.operable import Operable
from services.kit.rpc.methods import Caller, command, query
from services.revocation import batches, closing, requests


class RevocationService(Operable):
    """Entrypoints only; what they do is in batches.py, requests.py and closing.py."""

    name = "revocation"

    database = Database()
    relay = Relay()
    audit_heads = RemembersAuditHeads()

    @subscribe(BATCH_SUBMITTED)
    def batch_submitted(self, session: Session, event: Event) -> None:
        """Gets to know a batch."""
        batches.keep_batch(session, event.data)
        closing.close_if_decided(session, event.data["batch_no"])

    @subscribe(CARDS_ISSUED)
    def cards_issued(self, session: Session, event: Event) -> None:
        """Hears whose card was issued."""
        batches.keep_states(session, event.data["batch_no"], event.data["applications"], "issued")
        closing.close_if_decided(session, event.data["batch_no"])

    @subscribe(CARDS_REFUSED)
    def cards_refused(self, session: Session, event: Event) -> None:
        """Hears whom the bank refused."""
        batches.keep_states(session, event.data["batch_no"], event.data["applications"], "refused")
        closing.close_if_decided(session, event.data["batch_no"])

    @subscribe(BATCH_RELEASED)
    def batch_released(self, session: Session, event: Event) -> None:
        """Hears who was released."""
        batches.keep_states(session, event.data["batch_no"], event.data["applications"], "released")
        closing.close_if_decided(session, event.data["batch_no"])

    @timer(interval=60)
    def close_decided_requests(self) -> None:
        """Closes requests of decided batches that no event will close any more."""
        with self.database.begin() as session:
            closing.close_all_decided(session)

    @command(RequestRevocationRequest)
    def request_revocation(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """Asks the superior union to revoke a batch."""
        return requests.request_revocation(session, caller, data)

    @query(ListRevocationsRequest)
    def list_revocations(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The requests of the caller's union and of those below it."""
        return requests.list_revocations(session, caller, data)

    @query(GetRevocationRequest)
    def get_revocation(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """One request."""
        return requests.get_revocation(session, caller, data["revocation_id"])

    @command(ApproveRevocationRequest)
    def approve_revocation(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The superior union agrees."""
        return requests.approve(session, caller, data)

    @command(RejectRevocationRequest)
    def reject_revocation(self, session: Session, caller: Caller, data: dict[str, Any]) -> dict[str, Any]:
        """The superior union does not agree."""
        return requests.reject(session, caller, data)

    @subscribe(AUDIT_HEAD_SIGNED)
    def audit_head_signed(self, session: Session, event: Event) -> None:
        """Remembers how far the audit log was."""
        remember(session, event.data)
