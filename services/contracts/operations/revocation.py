"""What may be asked of revocation: request the revocation of a batch, look at requests, decide on them."""

from marshmallow import Schema, fields, validate

from services.contracts.fields import lines, phone, text
from services.contracts.shared import CHANNELS, UnionFacts
from services.kit.events.contract import choice
from services.kit.rpc.paging import PageAnswer, PageRequest

REQUEST_STATES = ("requested", "approved", "rejected", "closed")
"""`closed`: the bank had decided on all of the batch before anybody decided on the request."""


class RequestRevocationRequest(Schema):
    batch_no = fields.String(required=True, validate=validate.Length(1, 64, error="请选择办卡批次"))
    applicant_name = text(50, required=True)
    applicant_phone = phone(required=True)


class ListRevocationsRequest(PageRequest):
    state = choice(*REQUEST_STATES)
    batch_no = fields.String(validate=validate.Length(1, 64), metadata={"description": "what the number begins with"})


class GetRevocationRequest(Schema):
    revocation_id = fields.UUID(required=True)


class ApproveRevocationRequest(Schema):
    revocation_id = fields.UUID(required=True)
    remark = lines(200, load_default=None, allow_none=True)


class RejectRevocationRequest(Schema):
    revocation_id = fields.UUID(required=True)
    remark = lines(200, required=True, metadata={"description": "why not; the applicant reads it"})


class RevocationAnswer(Schema):
    """A request to revoke a batch, beside what is known of the batch."""

    revocation_id = fields.UUID(required=True)
    batch_no = fields.String(required=True)
    union = fields.Nested(UnionFacts, required=True)
    channel = choice(*CHANNELS, required=True)
    outlet_name = fields.String(required=True)
    submitted_at = fields.AwareDateTime(required=True)
    total = fields.Integer(required=True)
    issued = fields.Integer(required=True)
    refused = fields.Integer(required=True)
    released = fields.Integer(required=True)
    applicant_name = fields.String(required=True)
    applicant_phone = fields.String(required=True, metadata={"description": "masked"})
    requested_by = fields.UUID(required=True)
    requested_at = fields.AwareDateTime(required=True)
    state = choice(*REQUEST_STATES, required=True)
    decided_by = fields.UUID(required=True, allow_none=True)
    decided_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "when it was decided or closed"}
    )
    remark = fields.String(required=True, allow_none=True)
    is_of_same_administrator = fields.Boolean(
        required=True,
        metadata={"description": "whether one administrator controls, since lately, who asked and the caller"},
    )
    can_decide = fields.Boolean(required=True, metadata={"description": "whether it waits for the caller's decision"})


class RevocationsAnswer(PageAnswer):
    items = fields.List(fields.Nested(RevocationAnswer), required=True)
