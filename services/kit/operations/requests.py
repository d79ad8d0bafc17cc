"""What operators ask of each service: how it does, and what lies among its dead letters."""

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from services.contracts.fields import text
from services.kit.rpc.paging import PageAnswer, PageRequest

DEEPEST_LETTER = 10_000
"""As in every list, no page lies deeper."""

MOST_SETTLED = 1000
"""Dead letters that one request names."""


class GetStatusRequest(Schema):
    """How a process of the service does."""


class StatusAnswer(Schema):
    release = fields.String(required=True, metadata={"description": "the version of the code that runs"})
    started_at = fields.DateTime(required=True)
    reasons = fields.List(fields.String(), required=True, metadata={"description": "what keeps it from working"})


class ServiceStatus(Schema):
    service = fields.String(required=True)
    answers = fields.Boolean(required=True, metadata={"description": "whether a process answered within 2 seconds"})
    processes = fields.Integer(required=True, allow_none=True, metadata={"description": "how many take its requests"})
    status = fields.Nested(StatusAnswer, required=True, allow_none=True)


class ServicesAnswer(Schema):
    items = fields.List(fields.Nested(ServiceStatus), required=True)


class QueueDepth(Schema):
    queue = fields.String(required=True)
    service = fields.String(required=True, metadata={"description": "whose it is"})
    kind = fields.String(
        required=True, validate=validate.OneOf(("requests", "events", "retry", "dead", "to_bank", "from_bank"))
    )
    messages = fields.Integer(required=True, metadata={"description": "that are ready"})
    consumers = fields.Integer(required=True)
    is_missing = fields.Boolean(
        required=True, metadata={"description": "it is not there; the broker's administrator restores it"}
    )


class QueuesAnswer(Schema):
    items = fields.List(fields.Nested(QueueDepth), required=True)
    restore_command = fields.String(required=True, metadata={"description": "what restores queues that are missing"})


class DeadLetterQueue(Schema):
    queue = fields.String(required=True, validate=validate.Length(max=200))


class ListDeadLettersRequest(PageRequest):
    """The dead letters of one queue, or of all of them; the oldest failures first."""

    queue = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=200))


class ServiceDeadLettersRequest(Schema):
    """The oldest `limit` letters of all of the service's queues, or of one."""

    queue = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=200))
    limit = fields.Integer(load_default=DEEPEST_LETTER, validate=validate.Range(min=1, max=DEEPEST_LETTER))


class DeadLetterAnswer(Schema):
    queue = fields.String(required=True)
    id = fields.String(required=True)
    type = fields.String(required=True, allow_none=True, metadata={"description": "the event's type"})
    cause = fields.String(required=True, metadata={"description": "the class of the error"})
    reason = fields.String(required=True)
    first_failed_at = fields.String(required=True, allow_none=True)
    failed_at = fields.String(required=True, allow_none=True)
    attempts = fields.Integer(required=True, metadata={"description": "in all, over its replays"})
    replays = fields.Integer(required=True, metadata={"description": "how often operators have replayed it"})
    subject = fields.String(required=True, metadata={"description": "what kind of message it is, in Chinese"})
    explanation = fields.String(required=True, metadata={"description": "why it failed, in Chinese for people"})
    union_id = fields.String(required=True, allow_none=True)
    union_code = fields.String(required=True, allow_none=True)
    union_name = fields.String(required=True, allow_none=True)
    batch_no = fields.String(required=True, allow_none=True)
    persons = fields.Integer(
        required=True, allow_none=True, metadata={"description": "how many persons the message speaks of"}
    )
    correlation_id = fields.String(required=True, allow_none=True)
    size = fields.Integer(required=True, metadata={"description": "bytes"})


class ServiceDeadLettersAnswer(Schema):
    items = fields.List(fields.Nested(DeadLetterAnswer), required=True)
    total = fields.Integer(required=True)


class DeadLettersAnswer(PageAnswer):
    items = fields.List(fields.Nested(DeadLetterAnswer), required=True)
    unanswered = fields.List(
        fields.String(), required=True, metadata={"description": "services that did not answer: theirs are missing"}
    )


class GetDeadLetterRequest(DeadLetterQueue):
    id = fields.String(required=True, validate=validate.Length(1, 200))


class ReplayAnswer(Schema):
    """A replay, and the attempts that were made before it."""

    number = fields.Integer(required=True, metadata={"description": "from 1; the newest ten are kept"})
    attempts = fields.Integer(required=True, metadata={"description": "in all, up to this replay"})
    first_failed_at = fields.String(required=True, allow_none=True)
    failed_at = fields.String(required=True, allow_none=True)
    cause = fields.String(required=True)
    reason = fields.String(required=True)
    replayed_at = fields.String(required=True)
    replayed_by = fields.String(required=True, metadata={"description": "the operator's account"})


class DeadLetterDetailAnswer(DeadLetterAnswer):
    """One letter. What it says of persons is not shown: that is sealed in events, and left out of the bank's words."""

    original_queue = fields.String(required=True, allow_none=True)
    traceback = fields.String(required=True, allow_none=True)
    content = fields.Dict(keys=fields.String(), required=True, metadata={"description": "the open fields of its body"})
    history = fields.List(fields.Nested(ReplayAnswer), required=True)


class ReplayDeadLettersRequest(DeadLetterQueue):
    """`ids`, or all that lie in the queue now."""

    ids = fields.List(fields.String(), load_default=None, allow_none=True, validate=validate.Length(1, MOST_SETTLED))
    all = fields.Boolean(load_default=False)

    @validates_schema
    def names_them(self, data: dict[str, object], **_: object) -> None:
        """Either some or all."""
        if bool(data["ids"]) == bool(data["all"]):
            raise ValidationError("请填写 ids，或以 all 表示全部", "ids")


class DiscardDeadLettersRequest(DeadLetterQueue):
    ids = fields.List(fields.String(), required=True, validate=validate.Length(1, MOST_SETTLED))
    reason = text(200, shortest=2, required=True)


class SettledAnswer(Schema):
    ids = fields.List(fields.String(), required=True, metadata={"description": "of the letters that it was done with"})
