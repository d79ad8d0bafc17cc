"""What validation tells: the result of each check that was asked for."""

from marshmallow import fields

from services.contracts.events.audit import ACTS_RECORDED
from services.kit.events.contract import EventContract, EventData, Sealed, choice, chunk_of


class CheckResult(EventData):
    application_id = fields.UUID(required=True)
    check_no = fields.Integer(
        required=True, metadata={"description": "the check this answers, from validation_requested"}
    )
    result = choice("passed", "failed", "waiting", required=True)
    checked_at = fields.AwareDateTime(
        allow_none=True, load_default=None, metadata={"description": "from when on a passed check holds"}
    )


class FindingFacts(EventData):
    """One finding of a rule. Sealed, since messages and evidence speak of the person."""

    application_id = fields.UUID(required=True)
    rule = fields.String(required=True)
    rule_version = fields.String(required=True)
    code = fields.String(required=True)
    severity = choice("error", "warning", "info", required=True)
    message = fields.String(required=True)


class MembersValidatedData(EventData):
    union_id = fields.UUID(required=True)
    results = chunk_of(CheckResult)
    findings = Sealed(fields.List(fields.Nested(FindingFacts)), required=True)


MEMBERS_VALIDATED = EventContract(
    "validation",
    "members_validated",
    MembersValidatedData,
    "A check ended for these applications, or waits for the registry ('waiting': the check goes on by itself).",
    consumers=("batching", "notification"),
)
ACT_RECORDED = ACTS_RECORDED["validation"]
EVENTS = (MEMBERS_VALIDATED, ACT_RECORDED)
