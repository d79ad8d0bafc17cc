"""The CloudEvents 1.0 envelope in which events travel, and the work that a message belongs to."""

import json
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from uuid_utils import uuid7

from services.common.contracts.event import SPEC_VERSION, EventContract

correlation: ContextVar[str | None] = ContextVar("correlation", default=None)
"""The id that all messages of one piece of work share, from the first request on."""

causation: ContextVar[str | None] = ContextVar("causation", default=None)
"""The id of the message or request that is being handled now."""


class NotAnEvent(ValueError):
    """A body that is no event, or not the event that it should be; the message says what is wrong, without values."""


@dataclass(frozen=True)
class Event:
    """An event that came: its envelope, and its data as the contract's schema loaded it."""

    id: str
    type: str
    source: str
    subject: str | None
    time: datetime
    correlation_id: str | None
    causation_id: str | None
    data: dict[str, Any]


def new_message_id() -> str:
    """A UUID version 7: later ones are larger, which indexes like."""
    return str(uuid7())


def wrap(contract: EventContract, data: dict[str, Any], subject: str | None) -> dict[str, Any]:
    """The event document for data, which is checked and dumped by the contract; it gets a new id."""
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
        "data": contract.dump(data),
    }
    return {name: value for name, value in document.items() if value is not None}


def unwrap(contract: EventContract, body: bytes) -> Event:
    """The event in a body; unknown attributes and fields are ignored. Raises NotAnEvent."""
    try:
        document = json.loads(body)
        if document["specversion"] != SPEC_VERSION or document["type"] != contract.type:
            raise NotAnEvent(f"This is no {contract.type} of CloudEvents {SPEC_VERSION}.")
        return Event(
            id=str(document["id"]),
            type=document["type"],
            source=document["source"],
            subject=document.get("subject"),
            time=datetime.fromisoformat(document["time"]),
            correlation_id=document.get("correlationid"),
            causation_id=document.get("causationid"),
            data=contract.load(document["data"]),
        )
    except NotAnEvent:
        raise
    except Exception as error:
        # A stranger's bytes can break the reading in any way; whatever it is, this is not our event.
        raise NotAnEvent(_without_values(error)) from error


def _without_values(error: Exception) -> str:
    """Which fields are wrong and why; json's and KeyError's messages hold positions and names only."""
    return f"{type(error).__name__}: {error}"[:1000]
