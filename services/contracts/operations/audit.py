"""What may be asked of the log of acts, which membership keeps."""

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from services.contracts.events.audit import ACTIONS, OUTCOMES, RECORD_KINDS
from services.contracts.fields import document_number, text
from services.kit.events.contract import choice
from services.kit.rpc.paging import LARGEST_PAGE


class SearchActsRequest(Schema):
    """What is absent does not narrow. Acts come newest first; `before` is the answer's, for those behind it."""

    account_id = fields.UUID(metadata={"description": "who acted"})
    account_name = text(64, metadata={"description": "who acted: the whole name of the account"})
    document_number = document_number(metadata={"description": "acts on the member with this number: the whole number"})
    record_kind = choice(*RECORD_KINDS)
    record_id = text(100, metadata={"description": "acts on this record; of a member, also those on its applications"})
    action = choice(*ACTIONS)
    outcome = choice(*OUTCOMES)
    acted_from = fields.Date(metadata={"description": "day in Shanghai"})
    acted_to = fields.Date(metadata={"description": "day in Shanghai, inclusive"})
    before = fields.UUID()
    size = fields.Integer(
        load_default=20, validate=validate.Range(min=1, max=LARGEST_PAGE, error=f"每页 1 至 {LARGEST_PAGE} 条")
    )

    @validates_schema
    def names_a_whole_record(self, data: dict[str, object], **_: object) -> None:
        """`record_kind` and `record_id` belong together."""
        if ("record_kind" in data) != ("record_id" in data):
            raise ValidationError("请同时填写对象类型和对象编号", "record_id")


class ActRecordAnswer(Schema):
    kind = fields.String(required=True)
    label = fields.String(required=True, metadata={"description": "the kind in Chinese"})
    id = fields.String(required=True)


class ActAnswer(Schema):
    """Who did what, when, from where, on which records. Operators are told nothing personal."""

    act_id = fields.UUID(required=True)
    at = fields.AwareDateTime(required=True)
    recorded_at = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "when it was recorded, if that was more than five minutes after `at`"},
    )
    action = fields.String(required=True)
    label = fields.String(required=True, metadata={"description": "the action in Chinese"})
    outcome = choice(*OUTCOMES, required=True)
    problem_code = fields.String(required=True, allow_none=True, metadata={"description": "why it was refused"})
    account_id = fields.UUID(required=True, allow_none=True)
    account_name = fields.String(required=True, allow_none=True)
    display_name = fields.String(required=True, allow_none=True, metadata={"description": "not for operators"})
    member_id = fields.UUID(required=True, allow_none=True, metadata={"description": "who acted on the phone"})
    union_id = fields.UUID(required=True, allow_none=True)
    union_name = fields.String(required=True, allow_none=True)
    roles = fields.List(fields.String(), required=True)
    origin = fields.String(required=True, allow_none=True, metadata={"description": "the address it came from"})
    records = fields.List(fields.Nested(ActRecordAnswer), required=True)
    old = fields.Dict(
        keys=fields.String(), required=True, allow_none=True, metadata={"description": "masked; not for operators"}
    )
    new = fields.Dict(
        keys=fields.String(), required=True, allow_none=True, metadata={"description": "masked; not for operators"}
    )


class ActsAnswer(Schema):
    items = fields.List(fields.Nested(ActAnswer), required=True)
    before = fields.UUID(required=True, allow_none=True, metadata={"description": "null when nothing is behind"})


class GetActRequest(Schema):
    act_id = fields.UUID(required=True)


class ActDetailAnswer(ActAnswer):
    """An act with its place in the chain."""

    position = fields.Integer(required=True)
    hash = fields.String(required=True)
    previous_hash = fields.String(required=True)


class ListActNamesRequest(Schema):
    """Takes nothing."""


class ActionName(Schema):
    action = fields.String(required=True)
    label = fields.String(required=True)


class RecordKindName(Schema):
    kind = fields.String(required=True)
    label = fields.String(required=True)


class ActNamesAnswer(Schema):
    actions = fields.List(fields.Nested(ActionName), required=True)
    record_kinds = fields.List(fields.Nested(RecordKindName), required=True)
