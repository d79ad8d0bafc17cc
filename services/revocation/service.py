"""The revocation service: requests to revoke batches, which it knows from events, and the superior's decisions."""

from nameko.timer import timer

from services.contracts.events.batching import BATCH_RELEASED, BATCH_SUBMITTED, CARDS_ISSUED, CARDS_REFUSED
from services.contracts.events.membership import AUDIT_HEAD_SIGNED, UNIONS_CHANGED
from services.contracts.events.subjects import SUBJECT_REQUESTED
from services.contracts.operations.revocation import (
    APPROVE_REVOCATION,
    DECIDE_REVOCATIONS,
    GET_REVOCATION,
    LIST_REVOCATIONS,
    REJECT_REVOCATION,
    REQUEST_REVOCATION,
    REVEAL_APPLICANT,
)
from services.kit.data.database import Database
from services.kit.data.retention import Retention
from services.kit.events.relay import Relay
from services.kit.events.subscribe import subscribes
from services.kit.operations.audit_heads import AuditHeadVerification, handle_signed_head
from services.kit.operations.base_service import BaseService
from services.kit.rpc.methods import handles
from services.revocation import batches, closing, overdue, places, requests, subjects
from services.revocation.retention import TABLES


class RevocationService(BaseService):
    """The service's entrypoints; the code is in batches.py, requests.py and closing.py."""

    name = "revocation"

    database = Database()
    relay = Relay()
    retention = Retention(TABLES)
    audit_heads = AuditHeadVerification()

    batch_submitted = subscribes(BATCH_SUBMITTED, batches.batch_submitted)
    cards_issued = subscribes(CARDS_ISSUED, batches.cards_issued)
    cards_refused = subscribes(CARDS_REFUSED, batches.cards_refused)
    batch_released = subscribes(BATCH_RELEASED, batches.batch_released)
    unions_changed = subscribes(UNIONS_CHANGED, places.unions_changed)
    subject_requested = subscribes(SUBJECT_REQUESTED, subjects.subject_requested)
    audit_head_signed = subscribes(AUDIT_HEAD_SIGNED, handle_signed_head)

    request_revocation = handles(REQUEST_REVOCATION, requests.request_revocation)
    list_revocations = handles(LIST_REVOCATIONS, requests.list_revocations)
    get_revocation = handles(GET_REVOCATION, requests.get_revocation)
    approve_revocation = handles(APPROVE_REVOCATION, requests.approve)
    reject_revocation = handles(REJECT_REVOCATION, requests.reject)
    decide_revocations = handles(DECIDE_REVOCATIONS, requests.decide_several)
    reveal_applicant = handles(REVEAL_APPLICANT, requests.reveal_applicant)

    @timer(interval=60)
    def close_decided_requests(self) -> None:
        """Closes requests of decided batches that no event closes any more."""
        with self.database.begin() as session:
            closing.close_all_decided(session)

    @timer(interval=60)
    def remind_of_overdue_requests(self) -> None:
        """Publishes overdue requests, once on each working day."""
        overdue.remind(self.database)
