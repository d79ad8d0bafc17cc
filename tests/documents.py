"""Loads documents of requests, answers and events as the product does."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError

from services.kit.events.contract import Data, EventContract, Item
from services.kit.events.envelope import Event, unwrap
from services.kit.schemas import as_dict, schema_of


def loaded(kind: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of a document as a dict; raises ValidationError."""
    values: dict[str, Any] = as_dict(read(kind, document))
    return values


def errors_in(kind: type[Any], document: Mapping[str, Any]) -> Any:
    """Returns the errors in a document, by field."""
    try:
        read(kind, document)
    except ValidationError as error:
        return error.messages
    return {}


def unwrapped(contract: EventContract[Any], body: bytes) -> Event[dict[str, Any]]:
    """Returns the event in a body, with its data as a dict."""
    event = unwrap(contract, body)
    return replace(event, data=as_dict(event.data))


def event_data(contract: EventContract[Any], wire: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the data of an event's document as a dict; raises ValidationError."""
    values: dict[str, Any] = as_dict(contract.read(wire))
    return values


def an_event(data: Data) -> Event[Data]:
    """Returns an event with this data."""
    return Event("e1", "type", "/source", None, datetime.now(UTC), None, None, data)


def read(kind: type[Item], document: Mapping[str, Any]) -> Item:
    """Loads a message of this kind; raises ValidationError."""
    made: Item = schema_of(kind)().load(document)
    return made
