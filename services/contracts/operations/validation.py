"""What may be asked of validation: the check of an application, the rules in force."""

from marshmallow import Schema, fields

from services.kit.events.contract import choice


class GetCheckRequest(Schema):
    application_id = fields.UUID(required=True)


class FindingAnswer(Schema):
    """What one rule found, with what is needed to see that it is right; document numbers in it are masked."""

    rule = fields.String(required=True)
    rule_version = fields.String(required=True)
    code = fields.String(required=True)
    severity = choice("error", "warning", "info", required=True)
    message = fields.String(required=True)
    evidence = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class CheckAnswer(Schema):
    """The newest check of an application; while the registry is away it waits and says why and until when."""

    application_id = fields.UUID(required=True)
    check_no = fields.Integer(required=True)
    result = choice("passed", "failed", "waiting", required=True)
    checked_at = fields.AwareDateTime(allow_none=True, metadata={"description": "null while the check waits"})
    findings = fields.List(fields.Nested(FindingAnswer), required=True)
    waiting_reason = fields.String(allow_none=True)
    next_try_at = fields.AwareDateTime(allow_none=True)


class ListRulesRequest(Schema):
    """Takes nothing: the rules in force are few."""


class RuleAnswer(Schema):
    rule = fields.String(required=True)
    version = fields.String(required=True)
    title = fields.String(required=True)
    source = fields.String(required=True, metadata={"description": "the law or standard that the rule follows"})
    in_force_from = fields.Date(required=True)


class RulesAnswer(Schema):
    items = fields.List(fields.Nested(RuleAnswer), required=True)
