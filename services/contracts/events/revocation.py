"""What revocation tells: a revocation was asked for, how the superior union decided, or that nothing is to decide."""

from marshmallow import fields

from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.shared import UnionFacts
from services.kit.events.contract import EventContract, EventData, Sealed


class Applicant(EventData):
    """Who asked for the revocation. Always sealed."""

    name = fields.String(required=True)
    phone = fields.String(required=True)


class RevocationRequestedData(EventData):
    revocation_id = fields.UUID(required=True)
    batch_no = fields.String(required=True)
    union = fields.Nested(UnionFacts, required=True)
    reviewer_union_id = fields.UUID(required=True)
    requested_by = fields.UUID(required=True)
    requested_at = fields.AwareDateTime(required=True)
    applicant = Sealed(fields.Nested(Applicant), required=True)


class RevocationDecidedData(EventData):
    revocation_id = fields.UUID(required=True)
    batch_no = fields.String(required=True)
    union_id = fields.UUID(required=True)
    reviewer_union_id = fields.UUID(required=True)
    decided_by = fields.UUID(required=True)
    decided_at = fields.AwareDateTime(required=True)
    remark = fields.String(allow_none=True, load_default=None)
    applicant = Sealed(fields.Nested(Applicant), required=True)


class RevocationApprovedData(RevocationDecidedData):
    """Batching releases what the bank has not decided."""


class RevocationRejectedData(RevocationDecidedData):
    """The batch's members stay locked."""


class RevocationClosedData(EventData):
    """No approval could release anybody any more; nobody decided."""

    revocation_id = fields.UUID(required=True)
    batch_no = fields.String(required=True)
    union_id = fields.UUID(required=True)
    reviewer_union_id = fields.UUID(required=True)
    closed_at = fields.AwareDateTime(required=True)
    applicant = Sealed(fields.Nested(Applicant), required=True)


REVOCATION_REQUESTED = EventContract(
    "revocation",
    "revocation_requested",
    RevocationRequestedData,
    "A union asked its superior to revoke a batch.",
    consumers=("batching", "notification"),
    is_live=True,
)
REVOCATION_APPROVED = EventContract(
    "revocation",
    "revocation_approved",
    RevocationApprovedData,
    "The superior union agreed to revoke a batch.",
    consumers=("batching", "notification"),
    is_live=True,
)
REVOCATION_REJECTED = EventContract(
    "revocation",
    "revocation_rejected",
    RevocationRejectedData,
    "The superior union did not agree to revoke a batch.",
    consumers=("batching", "notification"),
    is_live=True,
)
REVOCATION_CLOSED = EventContract(
    "revocation",
    "revocation_closed",
    RevocationClosedData,
    "The bank has decided on all of a batch before the superior union decided on its revocation.",
    consumers=("batching", "notification"),
    is_live=True,
)
ACT_RECORDED = ACTS_RECORDED["revocation"]
EVENTS = (REVOCATION_REQUESTED, REVOCATION_APPROVED, REVOCATION_REJECTED, REVOCATION_CLOSED, ACT_RECORDED)
