"""What the schemas of messages with outside parties have in common."""

from marshmallow import EXCLUDE, Schema, fields


def meta(meaning: str, **more: str) -> dict[str, str]:
    """A field's metadata, from which the documents of a message are generated."""
    return {"description": meaning, **more}


class ExternalMessage(Schema):
    """Base of all messages with outside parties; unknown fields are ignored."""

    class Meta:
        unknown = EXCLUDE


class Rejection(ExternalMessage):
    """One reason why a message, or some of its lines, were rejected. Never names a person."""

    lines = fields.List(
        fields.Integer(),
        required=True,
        metadata=meta("positions of the lines, from 0; empty where the whole message was rejected"),
    )
    field = fields.String(
        required=True, allow_none=True, metadata=meta("field that is wrong; null where no single one is")
    )
    code = fields.String(required=True, metadata=meta("stable code of the reason, see Rejections"))
    reason = fields.String(required=True, metadata=meta("reason in plain English"))
