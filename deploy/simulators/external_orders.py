"""How a simulated outside party is told to send its messages, and what shall be wrong with them."""

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from marshmallow import Schema, fields, validate

from deploy.simulators.external_keys import Keys, OutgoingMessage

Line = dict[str, Any]
ABSENT = object()
"""Stands in an error for a field that is left out."""


class MessageOrder(Schema):
    """How messages are sent, and what is wrong with them."""

    parts = fields.Integer(load_default=1, validate=validate.Range(min=1))
    duplicate = fields.Boolean(load_default=False)
    reorder = fields.Boolean(load_default=False)
    unsigned = fields.Boolean(load_default=False)
    upper_case_signature = fields.Boolean(load_default=False)
    malformed = fields.Boolean(load_default=False)
    clear = fields.Boolean(load_default=False, metadata={"description": "not encrypted, though there is a key"})
    ahead_seconds = fields.Integer(
        load_default=0, metadata={"description": "by how much its times lie in the future, or in the past"}
    )
    delay_ms = fields.Integer(load_default=0, validate=validate.Range(min=0))


class RawOrder(Schema):
    """Bytes and headers to send as they are."""

    body = fields.String(required=True, metadata={"description": "base64"})
    headers = fields.Dict(keys=fields.String(), load_default=dict)


def one_of_errors(errors: Iterable[str]) -> fields.String:
    """Returns the field of an order that names one of these errors."""
    return fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf([*errors]),
        metadata={"description": "each message gets one line more, with this wrong in it"},
    )


def as_messages(bodies: list[bytes], order: dict[str, Any], keys: Keys, name: str) -> list[OutgoingMessage]:
    """Returns the bodies as messages of this name, with all that the order says is wrong."""
    if order["clear"] or order["malformed"]:
        bodies = [body[: len(body) // (2 if order["malformed"] else 1)] for body in bodies]
    else:
        bodies = [keys.encrypted(body, name) for body in bodies]
    if order["reorder"]:
        bodies.reverse()
    upper = order["upper_case_signature"]
    messages = [OutgoingMessage(body) if order["unsigned"] else keys.signed(body, upper_case=upper) for body in bodies]
    return [message for message in messages for _ in range(2 if order["duplicate"] else 1)]


def raw_message(order: dict[str, Any]) -> OutgoingMessage:
    """Returns the message of a RawOrder. Raises ValueError for a body that is not base64."""
    return OutgoingMessage(base64.b64decode(order["body"]), order["headers"])


def in_parts(lines: list[Line], order: dict[str, Any], errors: dict[str, Line]) -> list[list[Line]]:
    """Splits lines into parts of nearly equal size, each with the faulty line; fewer if there are too few lines."""
    parts = order["parts"]
    found = [list(part) for part in (lines[start::parts] for start in range(parts)) if part]
    how = order["faulty_line"]
    return [[*part, with_error(part[0], errors[how])] for part in found] if how else found


def part_id(given: str | None, number: int, order: dict[str, Any]) -> str | None:
    """Returns the id of a part, numbered from 1, from the one that was given for all of them."""
    return f"{given}-{number}" if given and order["parts"] > 1 else given


def with_error(line: Line, error: Line) -> Line:
    """Returns the line with an error in it, as the program of an outside party might make."""
    return {name: value for name, value in (line | error).items() if value is not ABSENT}


def digest(content: dict[str, Any]) -> str:
    """Returns an id for a message that follows from its content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
