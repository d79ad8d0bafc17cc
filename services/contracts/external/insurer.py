"""Messages between membership and the mutual-aid society: eligible members and receipts out, enrolments in.

The society 市职工保障互助会 insures members who hold a card (参保). Outgoing messages go to the exchange `insurer`
(topic) by their name as routing key; eligible members wait in the queue `insurer.members`, receipts in
`insurer.receipts`. The society sends enrolments to the exchange `insurer.enrolments` with the routing key
`insurer.enrolments`, and may do nothing else on the broker. Bodies are JSON, encrypted for their reader and then signed
(see `protection`). No message has a document number: the society knows a member by the member's number.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from services.contracts.external.schemas import ExternalMessage, Rejection, meta
from services.contracts.shared import ENROLMENT_KINDS, ENROLMENT_STATES, ENROLMENT_WAYS
from services.kit.events.contract import choice
from services.kit.fields import FullMatch

EXCHANGE = "insurer"
MEMBERS_QUEUE = "insurer.members"
RECEIPTS_QUEUE = "insurer.receipts"
ENROLMENTS_EXCHANGE = "insurer.enrolments"
ENROLMENTS_QUEUE = "insurer.enrolments"
"""The queue of enrolments, and also its routing key."""
REJECTED_QUEUE = "insurer.enrolments.rejected"
ELIGIBLE = "members.eligible"
RECEIPT = "enrolments.receipt"
REPORT_ID_HEADER = "x-report-id"
"""The header with the id of a rejected report whose body only membership can decrypt; we set it."""
_ENROLMENT_NO = r"[0-9A-Za-z\u4e00-\u9fff_()（）-]{1,64}"
FIRST_YEAR, LAST_YEAR = 2000, 2099
PLAUSIBLE = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
LARGEST_REPORT = 1000
"""Most enrolments that one report may hold."""
MOST_CONNECTIONS = 10
MOST_CHANNELS = 50
REJECTIONS = {
    "bad_schema": "A field is missing, has the wrong type, or a value that it cannot have; `reason` says which.",
    "not_encrypted": "A report is to be encrypted, and this one was not.",
    "report_id_reused": "Another content came under this report_id before: a corrected report needs a new id.",
    "in_the_future": "changed_at lies more than a day ahead.",
    "unknown_member": "There is no member of this number.",
    "no_card": "No card has been made for the member; only who holds one is insured.",
    "enrolment_no_reused": "This enrolment_no is that of another member, or of another year.",
    "changed_at_reused": "Another content came for this enrolment at the same changed_at.",
}
"""Why a report, or one of its enrolments, is rejected: stable codes and their meaning."""


class EligibleMember(ExternalMessage):
    member_no = fields.String(required=True, metadata=meta("number of the union member", limits="10 digits"))
    union_code = fields.String(
        required=True, metadata=meta("code of the member's union", limits="18 characters, GB 32100-2015")
    )
    eligible_from = fields.Date(required=True, metadata=meta("day in Shanghai on which the card was made"))


class MembersEligible(ExternalMessage):
    """Members whose card was made, so that they can be insured."""

    message_id = fields.UUID(
        required=True,
        metadata=meta("of this message; the broker may deliver a message twice, then with the same id"),
    )
    members = fields.List(fields.Nested(EligibleMember), required=True, metadata=meta("members", limits="1 to 500"))


class EnrolmentLine(ExternalMessage):
    """One enrolment as it is since `changed_at`; what the society says last counts, in whatever order it comes."""

    enrolment_no = fields.String(
        required=True,
        validate=FullMatch(_ENROLMENT_NO, error="Letters, digits and - _ ( ) only, at most 64."),
        metadata=meta(
            "the society's number of the enrolment, unique for ever",
            limits="1 to 64 letters, digits, Chinese characters, `-`, `_`, `(`, `)`",
        ),
    )
    member_no = fields.String(
        required=True, validate=validate.Length(1, 20), metadata=meta("who is insured, as in `members.eligible`")
    )
    year = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(FIRST_YEAR, LAST_YEAR),
        metadata=meta("year of the cover", limits=f"{FIRST_YEAR} to {LAST_YEAR}"),
    )
    way = choice(
        *ENROLMENT_WAYS,
        required=True,
        metadata=meta("`collective` 集中参保 covers the whole year, `immediate` 即时参保 its rest"),
    )
    kinds = fields.List(
        choice(*ENROLMENT_KINDS),
        required=True,
        validate=validate.Length(1, len(ENROLMENT_KINDS)),
        metadata=meta(
            "what is insured, each once: days in hospital, serious illness, accident, death",
            limits=", ".join(f"`{kind}`" for kind in ENROLMENT_KINDS),
        ),
    )
    covers_from = fields.Date(
        required=True, metadata=meta("first day of the cover", limits="1 January for `collective`, a later day else")
    )
    covers_to = fields.Date(required=True, metadata=meta("last day of the cover", limits="31 December of `year`"))
    state = choice(*ENROLMENT_STATES, required=True, metadata=meta("`ended` where it was ended before its last day"))
    ended_on = fields.Date(
        allow_none=True,
        load_default=None,
        metadata=meta("last day of the cover of an ended enrolment; needed for `ended`, else absent"),
    )
    reason = fields.String(
        allow_none=True,
        load_default=None,
        validate=validate.Length(max=200),
        metadata=meta("why it ended, in Chinese, which clerk and member read"),
    )
    changed_at = fields.AwareDateTime(
        required=True,
        validate=validate.Range(*PLAUSIBLE),
        metadata=meta("when the enrolment became as it is", limits="ISO 8601 with offset; at most a day ahead"),
    )

    @validates_schema
    def check_period(self, data: dict[str, Any], **_: object) -> None:
        """Validates the days by year and way, the kinds, and that an ended enrolment, and only that, has its end."""
        year, first, last = data["year"], data["covers_from"], data["covers_to"]
        if last != date(year, 12, 31):
            raise ValidationError("An enrolment covers to 31 December of its year.", "covers_to")
        new_year = date(year, 1, 1)
        if data["way"] == "collective" and first != new_year:
            raise ValidationError("A collective enrolment covers from 1 January of its year.", "covers_from")
        if data["way"] == "immediate" and not new_year < first <= last:
            raise ValidationError("An immediate enrolment covers from a later day of its year.", "covers_from")
        if len(set(data["kinds"])) < len(data["kinds"]):
            raise ValidationError("Each kind is named once.", "kinds")
        ended_on = data.get("ended_on")
        if (data["state"] == "ended") != (ended_on is not None):
            raise ValidationError("An ended enrolment, and only that, has the day of its end.", "ended_on")
        if ended_on and not first - timedelta(days=1) <= ended_on <= last:
            raise ValidationError("An enrolment ends within its cover, or the day before it.", "ended_on")


class ReportEnvelope(ExternalMessage):
    """A report without validation of its enrolments: an error here makes the whole message invalid."""

    report_id = fields.String(
        required=True,
        validate=validate.Length(1, 64),
        metadata=meta("the society's own id of this report; the same id means the same content, sent again"),
    )
    enrolments = fields.List(fields.Raw(allow_none=True), required=True, validate=validate.Length(1, LARGEST_REPORT))


class EnrolmentReport(ReportEnvelope):
    """One report of the society on enrolments, of any members; a repeated one has the same `report_id`."""

    enrolments = fields.List(
        fields.Nested(EnrolmentLine),
        required=True,
        validate=validate.Length(1, LARGEST_REPORT),
        metadata=meta("enrolments, each judged by itself"),
    )


class EnrolmentReceipt(ExternalMessage):
    """The outcome of one report: `enrolments` = `applied` + `repeated` + `rejected`."""

    report_id = fields.String(required=True, metadata=meta("as the society gave it"))
    seen_before = fields.Boolean(
        required=True, metadata=meta("true where a report of this id and content had come before")
    )
    enrolments = fields.Integer(required=True, metadata=meta("how many enrolments the report held"))
    applied = fields.Integer(required=True, metadata=meta("enrolments that said something new and were taken"))
    repeated = fields.Integer(required=True, metadata=meta("enrolments that said nothing new: known, or overtaken"))
    rejected = fields.Integer(required=True, metadata=meta("enrolments that were not taken"))
    rejections = fields.List(
        fields.Nested(Rejection), required=True, metadata=meta("why; an enrolment can be named by several reasons")
    )


class EnrolmentReceipts(ExternalMessage):
    """Receipts of reports that were handled in one chunk: one for each report, in the order of handling."""

    message_id = fields.UUID(required=True, metadata=meta("of this message"))
    receipts = fields.List(fields.Nested(EnrolmentReceipt), required=True, metadata=meta("receipts", limits="1 to 500"))


MESSAGES: dict[str, type[ExternalMessage]] = {
    ELIGIBLE: MembersEligible,
    ENROLMENTS_QUEUE: EnrolmentReport,
    RECEIPT: EnrolmentReceipts,
}
