"""What goes between batching and the bank: batches and recalls out, feedback in; signed JSON, not CloudEvents.

Outgoing messages go to the exchange `bank` (topic) by their name as routing key; feedback comes on the queue
`bank.feedback`. The header `x-signature` holds the hex HMAC-SHA256 of the body's bytes under the key shared with the
bank.
"""

import hashlib
import hmac
import re

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate, validates_schema

from services.common.contracts.event import choice
from services.common.contracts.shared import CHANNELS, DOCUMENT_TYPES

EXCHANGE = "bank"
FEEDBACK_QUEUE = "bank.feedback"
REJECTED_QUEUE = "bank.feedback.rejected"
SUBMITTED = "batch.submitted"
RECALLED = "batch.recalled"
SIGNATURE_HEADER = "x-signature"
OUTCOMES = ("accepted", "made", "issued", "refused")


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
    processed_at = fields.AwareDateTime(required=True)
    results = fields.List(fields.Nested(FeedbackResult), required=True, validate=validate.Length(1, 1000))


MESSAGES: dict[str, type[BankMessage]] = {
    SUBMITTED: BatchSubmitted,
    RECALLED: BatchRecalled,
    FEEDBACK_QUEUE: BankFeedback,
}


def sign(body: bytes, key: bytes) -> str:
    """The hex HMAC-SHA256 of a body."""
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def is_signed(body: bytes, signature: object, key: bytes) -> bool:
    """Whether the signature is the body's; compares in constant time."""
    return isinstance(signature, str) and hmac.compare_digest(sign(body, key).encode(), signature.encode())


def is_card_number(number: str) -> bool:
    """16 to 19 digits whose Luhn sum (ISO/IEC 7812-1) is a multiple of ten."""
    if not re.fullmatch(r"[0-9]{16,19}", number):
        return False
    digits = [int(digit) for digit in reversed(number)]
    doubled = (2 * digit - 9 if digit > 4 else 2 * digit for digit in digits[1::2])
    return (sum(digits[0::2]) + sum(doubled)) % 10 == 0
