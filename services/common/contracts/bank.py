"""What goes between batching and the bank: batches and recalls out, feedback in; signed JSON, not CloudEvents.

Outgoing messages go to the exchange `bank` (topic) by their name as routing key and wait in the queue `bank.batches`;
the bank sends feedback to the exchange `bank.feedback` with the routing key `bank.feedback`, and may do nothing else on
the broker. The header `x-signature` holds the hex HMAC-SHA256 of the body's bytes under the key shared with the bank.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from services.common.contracts.event import choice
from services.common.contracts.shared import CHANNELS, DOCUMENT_TYPES

EXCHANGE = "bank"
BATCHES_QUEUE = "bank.batches"
FEEDBACK_EXCHANGE = "bank.feedback"
FEEDBACK_QUEUE = "bank.feedback"
"""Both the queue and the routing key that leads to it."""
REJECTED_QUEUE = "bank.feedback.rejected"
SUBMITTED = "batch.submitted"
RECALLED = "batch.recalled"
SIGNATURE_HEADER = "x-signature"
PLAUSIBLE = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Between these the bank can have processed a card; far from them are clocks that were never set, and times that a
database takes but no program reads again."""
OUTCOMES = ("accepted", "made", "issued", "refused")
_CARD_NUMBER = re.compile(r"[0-9]{16,19}")
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


class BankMessage(Schema):
    """Base of all bank messages: unknown fields are the other side's own affair."""

    class Meta:
        unknown = EXCLUDE


class BankContact(BankMessage):
    name = fields.String(required=True)
    phone = fields.String(required=True)


class BankApplicant(BankMessage):
    application_id = fields.UUID(required=True)
    member_no = fields.String(required=True)
    name = fields.String(required=True)
    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = fields.String(required=True)
    document_expiry = fields.Date(allow_none=True)
    nationality = fields.String(allow_none=True)
    phone = fields.String(allow_none=True)


class BatchSubmitted(BankMessage):
    """A batch for an outlet, in parts of at most 500 applicants."""

    message_id = fields.UUID(required=True)
    batch_no = fields.String(required=True)
    channel = choice(*CHANNELS, required=True)
    outlet_code = fields.String(required=True)
    union_name = fields.String(required=True)
    contact = fields.Nested(BankContact, required=True)
    total = fields.Integer(required=True)
    part = fields.Integer(required=True)
    parts = fields.Integer(required=True)
    applicants = fields.List(fields.Nested(BankApplicant), required=True)


class RecalledApplicant(BankMessage):
    application_id = fields.UUID(required=True)
    member_no = fields.String(required=True)


class BatchRecalled(BankMessage):
    """Applicants whose cards the bank must no longer make."""

    message_id = fields.UUID(required=True)
    batch_no = fields.String(required=True)
    applicants = fields.List(fields.Nested(RecalledApplicant), required=True)


class FeedbackResult(BankMessage):
    """What became of one applicant; named by the application's id or the member's number."""

    application_id = fields.UUID(allow_none=True, load_default=None)
    member_no = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=20))
    outcome = choice(*OUTCOMES, required=True)
    card_no = fields.String(allow_none=True, load_default=None)
    reason_code = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=50))
    reason = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=200))

    @validates_schema
    def holds_together(self, data: dict[str, object], **_: object) -> None:
        """An applicant is named; an issued card has a valid number; a refusal has a reason."""
        if not data.get("application_id") and not data.get("member_no"):
            raise ValidationError("application_id or member_no is needed.", "application_id")
        if data["outcome"] == "issued" and not is_card_number(str(data.get("card_no") or "")):
            raise ValidationError("An issued card needs a card number of 16 to 19 digits with a Luhn check.", "card_no")
        if data["outcome"] == "refused" and not data.get("reason_code"):
            raise ValidationError("A refusal needs a reason_code.", "reason_code")


class BankFeedback(BankMessage):
    """One feedback of the bank; `feedback_id` makes a repeated one known."""

    feedback_id = fields.String(required=True, validate=validate.Length(1, 64))
    batch_no = fields.String(required=True, validate=validate.Length(1, 64))
    processed_at = fields.AwareDateTime(required=True, validate=validate.Range(*PLAUSIBLE))
    results = fields.List(fields.Nested(FeedbackResult), required=True, validate=validate.Length(1, 1000))


MESSAGES: dict[str, type[BankMessage]] = {
    SUBMITTED: BatchSubmitted,
    RECALLED: BatchRecalled,
    FEEDBACK_QUEUE: BankFeedback,
}


def sign(body: bytes, key: bytes) -> str:
    """The hex HMAC-SHA256 of a body."""
    return hmac.digest(key, body, hashlib.sha256).hex()


def is_signed(body: bytes, signature: object, key: bytes) -> bool:
    """Whether the signature is the body's; compares in constant time."""
    given = signature.encode("utf-8", "replace") if isinstance(signature, str) else b""
    return hmac.compare_digest(sign(body, key).encode(), given)


def is_card_number(number: str) -> bool:
    """16 to 19 digits whose Luhn sum (ISO/IEC 7812-1) is a multiple of ten."""
    if not _CARD_NUMBER.fullmatch(number):
        return False
    digits = number.encode()
    values = digits[-1::-2] + digits[-2::-2].translate(_DOUBLED)
    return (sum(values) - len(values) * ord("0")) % 10 == 0
