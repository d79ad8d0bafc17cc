"""Messages between batching and the bank: batches and recalls out, feedback on applicants and cards in, receipts out.

Outgoing messages go to the exchange `bank` (topic) by their name as routing key; batches and recalls wait in the queue
`bank.batches`, receipts in `bank.receipts`. The bank sends feedback to the exchange `bank.feedback` with the routing
key `bank.feedback`, and may do nothing else on the broker; a feedback has either the `results` of a batch or `cards`.
Bodies are JSON, encrypted for their reader and then signed (see `protection`), in the header `x-signature`.
"""

import re
from datetime import UTC, datetime

from marshmallow import ValidationError, fields, validate, validates_schema

from services.contracts.external.schemas import ExternalMessage, Rejection, meta
from services.contracts.shared import CARD_STEPS, CHANNELS, DOCUMENT_TYPES
from services.kit.events.contract import MESSAGE_SIZE, choice

EXCHANGE = "bank"
BATCHES_QUEUE = "bank.batches"
RECEIPTS_QUEUE = "bank.receipts"
FEEDBACK_EXCHANGE = "bank.feedback"
FEEDBACK_QUEUE = "bank.feedback"
"""The queue of feedback, and also its routing key."""
CARD_FEEDBACK = "bank.feedback.cards"
"""The name of a feedback on cards in examples and documents; it is sent and encrypted as `bank.feedback`."""
REJECTED_QUEUE = "bank.feedback.rejected"
SUBMITTED = "batch.submitted"
RECALLED = "batch.recalled"
BATCH_MESSAGES = "batch.*"
"""The binding key of the queue `bank.batches`."""
RECEIPT = "feedback.receipt"
FEEDBACK_ID_HEADER = "x-feedback-id"
"""The header with the id of a rejected feedback whose body only batching can decrypt; we set it."""
PLAUSIBLE = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""The range of plausible processing times; outside it are clocks that were never set, and times that a database stores
but no program can read."""
OUTCOMES = ("accepted", "made", "issued", "refused")
LARGEST_FEEDBACK = 1000
"""Most results that one feedback may hold."""
MOST_CONNECTIONS = 10
MOST_CHANNELS = 50
"""Most channels that the bank may have open on the broker."""
REJECTIONS = {
    "bad_schema": "A field is missing, has the wrong type, or a value that it cannot have; `reason` says which.",
    "not_encrypted": "Feedback is to be encrypted, and this one was not.",
    "feedback_id_reused": "Another content came under this feedback_id before: a corrected feedback needs a new id.",
    "before_submission": "processed_at lies before the batch was submitted.",
    "in_the_future": "processed_at lies more than a day ahead.",
    "unknown_batch": "There is no batch of this number.",
    "unknown_application": "The batch holds no such applicant.",
    "member_no_differs": "application_id and member_no name two different applicants.",
    "contradicts_issued": "The card was issued before; a refusal cannot follow.",
    "contradicts_refused": "The application was refused before; a card cannot follow.",
    "card_no_differs": "The card was issued before with another number.",
    "card_no_reused": "Another application has this card number.",
    "already_issued": "The member holds a card of another application.",
    "unknown_card": "No card has this number. Name the application too, if `issued` may not have come yet.",
    "replaced_differently": "Another number has followed this card before.",
}
"""Why a feedback, or one of its results, is rejected: stable codes and their meaning."""
_CARD_NUMBER = re.compile(r"[0-9]{16,19}")
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


class BankMessage(ExternalMessage):
    """Base of all bank messages."""


class BankContact(BankMessage):
    name = fields.String(
        required=True, metadata=meta("whom the bank calls for collection", limits="1 to 50 characters")
    )
    phone = fields.String(required=True, metadata=meta("telephone of that person", limits="up to 20 characters"))


class BankApplicant(BankMessage):
    application_id = fields.UUID(
        required=True, metadata=meta("identifies the application; to be repeated in each result", limits="UUID")
    )
    member_no = fields.String(
        required=True, metadata=meta("number of the union member; unique within a batch", limits="10 digits")
    )
    name = fields.String(
        required=True,
        metadata=meta("name as in the document; the dot in names is U+00B7", limits="1 to 50 characters, UTF-8"),
    )
    document_type = choice(*DOCUMENT_TYPES, required=True, metadata=meta("kind of identity document"))
    document_number = fields.String(
        required=True, metadata=meta("whole number of the document, upper case", limits="5 to 40 characters")
    )
    document_expiry = fields.Date(
        allow_none=True,
        metadata=meta("last day of validity; `9999-12-31` for long-term 长期; null where unknown"),
    )
    nationality = fields.String(
        allow_none=True, metadata=meta("ISO 3166-1 alpha-3; null where unknown", limits="3 letters")
    )
    phone = fields.String(
        allow_none=True,
        metadata=meta("mobile number of the member; null where unknown", limits="up to 20 characters"),
    )


class BatchSubmitted(BankMessage):
    """A batch for an outlet, in parts of at most 500 applicants."""

    message_id = fields.UUID(
        required=True,
        metadata=meta("of this message; the broker may deliver a message twice, then with the same id"),
    )
    batch_no = fields.String(
        required=True, metadata=meta("number of the batch, unique for ever", limits="up to 64 characters")
    )
    repeated = fields.Boolean(
        load_default=False,
        metadata=meta("true where an operator of ours has sent the batch again, with the content of the first time"),
    )
    channel = choice(
        *CHANNELS,
        required=True,
        metadata=meta("`special`: rare characters or another document than the resident ID; needs a person's look"),
    )
    outlet_code = fields.String(
        required=True, metadata=meta("outlet where the cards are collected", limits="2 to 20 characters")
    )
    union_name = fields.String(required=True, metadata=meta("union that submitted the batch"))
    contact = fields.Nested(BankContact, required=True)
    total = fields.Integer(required=True, metadata=meta("applicants in all parts together"))
    part = fields.Integer(required=True, metadata=meta("number of this part, from 1"))
    parts = fields.Integer(required=True, metadata=meta("how many parts there are; they may come in any order"))
    applicants = fields.List(
        fields.Nested(BankApplicant), required=True, metadata=meta("applicants", limits=f"1 to {MESSAGE_SIZE}")
    )


class RecalledApplicant(BankMessage):
    application_id = fields.UUID(required=True, metadata=meta("as in `batch.submitted`"))
    member_no = fields.String(required=True, metadata=meta("as in `batch.submitted`"))


class BatchRecalled(BankMessage):
    """Applicants whose cards the bank must no longer make."""

    message_id = fields.UUID(required=True, metadata=meta("of this message"))
    batch_no = fields.String(required=True, metadata=meta("batch that they were submitted in"))
    repeated = fields.Boolean(
        load_default=False, metadata=meta("true where an operator of ours has sent the recall again")
    )
    applicants = fields.List(
        fields.Nested(RecalledApplicant),
        required=True,
        metadata=meta("applicants", limits=f"1 to {MESSAGE_SIZE}"),
    )


class FeedbackResult(BankMessage):
    """The outcome for one applicant, who is named by the application's id or the member's number."""

    application_id = fields.UUID(
        allow_none=True,
        load_default=None,
        metadata=meta("whose result it is; may be left out beside `member_no`"),
    )
    member_no = fields.String(
        allow_none=True,
        load_default=None,
        validate=validate.Length(max=20),
        metadata=meta("whose result it is; may be left out beside `application_id`, else both must agree"),
    )
    outcome = choice(*OUTCOMES, required=True, metadata=meta("how far the application is; the last two decide"))
    card_no = fields.String(
        allow_none=True,
        load_default=None,
        metadata=meta("card number; needed for `issued`", limits="16 to 19 digits with a Luhn check"),
    )
    reason_code = fields.String(
        allow_none=True,
        load_default=None,
        validate=validate.Length(max=50),
        metadata=meta("stable code of the bank's own; needed for `refused`"),
    )
    reason = fields.String(
        allow_none=True,
        load_default=None,
        validate=validate.Length(max=200),
        metadata=meta("reason of a refusal in Chinese, which the clerk reads; without it the code is shown"),
    )

    @validates_schema
    def check_outcome(self, data: dict[str, object], **_: object) -> None:
        """Validates that an applicant is named, an issued card has a valid number, and a refusal has a reason."""
        if not data.get("application_id") and not data.get("member_no"):
            raise ValidationError("application_id or member_no is needed.", "application_id")
        if data["outcome"] == "issued" and not is_card_number(str(data.get("card_no") or "")):
            raise ValidationError("An issued card needs a card number of 16 to 19 digits with a Luhn check.", "card_no")
        if data["outcome"] == "refused" and not str(data.get("reason_code") or "").strip():
            raise ValidationError("A refusal needs a reason_code.", "reason_code")


class FeedbackEnvelope(BankMessage):
    """A feedback without validation of its results: an error here makes the whole message invalid."""

    feedback_id = fields.String(
        required=True,
        validate=validate.Length(1, 64),
        metadata=meta("the bank's own id of this feedback; the same id means the same content, sent again"),
    )
    batch_no = fields.String(
        required=True, validate=validate.Length(1, 64), metadata=meta("batch that all results belong to")
    )
    processed_at = fields.AwareDateTime(
        required=True,
        validate=validate.Range(*PLAUSIBLE),
        metadata=meta(
            "when the bank came to these results",
            limits="ISO 8601 with offset; not before the batch's submission, at most a day ahead",
        ),
    )
    results = fields.List(fields.Raw(allow_none=True), required=True, validate=validate.Length(1, LARGEST_FEEDBACK))


class BankFeedback(FeedbackEnvelope):
    """One feedback of the bank; a repeated one has the same `feedback_id`."""

    results = fields.List(
        fields.Nested(FeedbackResult),
        required=True,
        validate=validate.Length(1, LARGEST_FEEDBACK),
        metadata=meta("results, each judged by itself"),
    )


class CardReport(BankMessage):
    """What happened to one card: each step of a card's number is reported once, in any order."""

    application_id = fields.UUID(
        allow_none=True,
        load_default=None,
        metadata=meta("whose card it is, as in `batch.submitted`; needed where the report may overtake `issued`"),
    )
    member_no = fields.String(
        allow_none=True,
        load_default=None,
        validate=validate.Length(max=20),
        metadata=meta("whose card it is; must agree with the card"),
    )
    card_no = fields.String(
        required=True, metadata=meta("number of the card", limits="16 to 19 digits with a Luhn check")
    )
    step = choice(*CARD_STEPS, required=True, metadata=meta("what happened to the card of this number"))
    happened_at = fields.AwareDateTime(
        required=True,
        validate=validate.Range(*PLAUSIBLE),
        metadata=meta("when it happened", limits="ISO 8601 with offset; at most a day ahead"),
    )
    new_card_no = fields.String(
        allow_none=True,
        load_default=None,
        metadata=meta(
            "number of the card that follows; needed for `replaced`, and for `renewed` if the number changes",
            limits="16 to 19 digits with a Luhn check",
        ),
    )

    @validates_schema
    def check_numbers(self, data: dict[str, object], **_: object) -> None:
        """Validates the numbers, and that the steps that may give another number, and only these, do so."""
        numbers = {name: str(data[name]) for name in ("card_no", "new_card_no") if data.get(name)}
        for name, number in numbers.items():
            if not is_card_number(number):
                raise ValidationError("A card number has 16 to 19 digits with a Luhn check.", name)
        if ("new_card_no" in numbers) > (data["step"] in ("replaced", "renewed")):
            raise ValidationError("Only a replaced or renewed card has a new number.", "new_card_no")
        if data["step"] == "replaced" and "new_card_no" not in numbers:
            raise ValidationError("A replaced card needs its new number.", "new_card_no")
        if data["step"] == "replaced" and numbers["new_card_no"] == numbers["card_no"]:
            raise ValidationError("A replaced card has another number.", "new_card_no")


class CardFeedbackEnvelope(BankMessage):
    """A feedback on cards without validation of its reports: an error here makes the whole message invalid."""

    feedback_id = fields.String(
        required=True,
        validate=validate.Length(1, 64),
        metadata=meta("the bank's own id of this feedback; the same id means the same content, sent again"),
    )
    cards = fields.List(fields.Raw(allow_none=True), required=True, validate=validate.Length(1, LARGEST_FEEDBACK))


class CardFeedback(CardFeedbackEnvelope):
    """One feedback of the bank on cards that it has issued, of any batches."""

    cards = fields.List(
        fields.Nested(CardReport),
        required=True,
        validate=validate.Length(1, LARGEST_FEEDBACK),
        metadata=meta("reports, each judged by itself"),
    )


class Receipt(BankMessage):
    """The outcome of one feedback: `results` = `applied` + `repeated` + `rejected`."""

    feedback_id = fields.String(required=True, metadata=meta("as the bank gave it"))
    batch_no = fields.String(
        required=True,
        allow_none=True,
        metadata=meta("as the bank gave it; null for cards, and where it could not be read"),
    )
    seen_before = fields.Boolean(
        required=True, metadata=meta("true where a feedback of this id and content had come before")
    )
    results = fields.Integer(required=True, metadata=meta("how many results or reports the feedback held"))
    applied = fields.Integer(required=True, metadata=meta("results that said something new and were taken"))
    repeated = fields.Integer(required=True, metadata=meta("results that said nothing new: known, or overtaken"))
    rejected = fields.Integer(required=True, metadata=meta("results that were not taken"))
    rejections = fields.List(
        fields.Nested(Rejection), required=True, metadata=meta("why; a result can be named by several reasons")
    )


class FeedbackReceipts(BankMessage):
    """Receipts of feedback that was handled in one chunk: one for each feedback, in the order of handling."""

    message_id = fields.UUID(required=True, metadata=meta("of this message"))
    receipts = fields.List(fields.Nested(Receipt), required=True, metadata=meta("receipts", limits="1 to 500"))


MESSAGES: dict[str, type[BankMessage]] = {
    SUBMITTED: BatchSubmitted,
    RECALLED: BatchRecalled,
    FEEDBACK_QUEUE: BankFeedback,
    CARD_FEEDBACK: CardFeedback,
    RECEIPT: FeedbackReceipts,
}


def is_card_number(number: str) -> bool:
    """16 to 19 digits whose Luhn sum (ISO/IEC 7812-1) is a multiple of ten."""
    if not _CARD_NUMBER.fullmatch(number):
        return False
    digits = number.encode()
    values = digits[-1::-2] + digits[-2::-2].translate(_DOUBLED)
    return (sum(values) - len(values) * ord("0")) % 10 == 0
