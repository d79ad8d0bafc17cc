"""The CloudEvents 1.0 envelope of events, and the correlation and causation ids of the message at hand."""

import json
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from marshmallow import ValidationError
from uuid_utils import uuid7

from services.kit.events.contract import SPEC_VERSION, Data, EventContract
from services.kit.operations.tracing import TRACEPARENT, traceparent, valid_traceparent
from services.kit.strict_json import read_json

LARGEST_EVENT = 4_000_000
"""Bytes of the largest event; five hundred applications with all their persons need a quarter of it."""
_LONGEST_ID = 255

correlation: ContextVar[str | None] = ContextVar("correlation", default=None)
"""The id that all messages share which result from one request."""

causation: ContextVar[str | None] = ContextVar("causation", default=None)
"""The id of the message or request that is being handled now."""


class NotAnEvent(ValueError):
    """A body is not an event, or not the expected one; the message says what is wrong, without values."""


Data_co = TypeVar("Data_co", covariant=True)


@dataclass(frozen=True)
class Event(Generic[Data_co]):
    """A received event: its envelope, and its data as the contract's schema loaded it."""

    id: str
    type: str
    source: str
    subject: str | None
    time: datetime
    correlation_id: str | None
    causation_id: str | None
    data: Data_co
    traceparent: str | None = None
    """The W3C trace context of what published the event."""


def new_message_id() -> str:
    """A new UUID version 7; later ones are larger, which keeps indexes compact."""
    return str(uuid7())


def wrap(contract: EventContract[Data], data: Data | Mapping[str, Any], subject: str | None) -> dict[str, Any]:
    """The event document, with a new id, for data that the contract checks and dumps."""
    message_id = new_message_id()
    document = {
        "specversion": SPEC_VERSION,
        "id": message_id,
        "source": f"/{contract.producer}",
        "type": contract.type,
        "subject": subject,
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "dataschema": contract.dataschema,
        "correlationid": correlation.get() or message_id,
        "causationid": causation.get(),
        TRACEPARENT: traceparent(),
        "data": contract.dump(data),
    }
    return {name: value for name, value in document.items() if value is not None}


def unwrap(contract: EventContract[Data], body: bytes) -> Event[Data]:
    """The event in a body; unknown attributes and fields are ignored. Raises NotAnEvent."""
    return unwrap_one_of((contract,), body)


def unwrap_one_of(contracts: Sequence[EventContract[Data]], body: bytes) -> Event[Data]:
    """As `unwrap`, for a body that may be an event of any of these contracts."""
    if len(body) > LARGEST_EVENT:
        raise NotAnEvent(f"An event has at most {LARGEST_EVENT} bytes.")
    try:
        document = read_json(body)
        contract = next((one for one in contracts if one.type == document["type"]), None)
        if document["specversion"] != SPEC_VERSION or contract is None:
            names = " or ".join(one.type for one in contracts)
            raise NotAnEvent(f"This is no {names} of CloudEvents {SPEC_VERSION}.")
        return Event(
            id=_id(document, "id") or _missing("id"),
            type=document["type"],
            source=_id(document, "source") or _missing("source"),
            subject=_id(document, "subject"),
            time=_moment(document["time"]),
            correlation_id=_id(document, "correlationid"),
            causation_id=_id(document, "causationid"),
            data=contract.read(document["data"]),
            traceparent=valid_traceparent(document.get(TRACEPARENT)),
        )
    except NotAnEvent:
        raise
    except Exception as error:
        # An outsider's bytes can raise any error in reading; whichever it is, this is not our event.
        raise NotAnEvent(_without_values(error)) from error


def _id(document: dict[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is not None and not (isinstance(value, str) and 0 < len(value.encode()) <= _LONGEST_ID):
        raise NotAnEvent(f"{name} is no text of 1 to {_LONGEST_ID} bytes.")
    return value


def _missing(name: str) -> str:
    raise NotAnEvent(f"{name} is missing.")


def _moment(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise NotAnEvent("time is no moment.") from None


def _without_values(error: Exception) -> str:
    """Which fields are invalid and why; for errors whose messages may quote values, only the class."""
    if isinstance(error, (ValidationError, KeyError, json.JSONDecodeError)):
        return f"{type(error).__name__}: {error}"[:1000]
    return type(error).__name__
