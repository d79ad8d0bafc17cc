"""What an event is: a CloudEvents 1.0 document whose data a marshmallow schema holds to its word."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, Generic, TypeVar

from marshmallow import ValidationError, fields, validate

from services.kit.data.encryption import keyring
from services.kit.events.quick import quick_deserialize, quick_dump, quick_load, quick_serialize
from services.kit.schemas import DataclassSchema, Wrapping, schema_of
from services.kit.strict_json import read_json

Item = TypeVar("Item")
Data = TypeVar("Data")
SPEC_VERSION = "1.0"
MESSAGE_SIZE = 500
"""How many applications one event speaks of at the most; a larger set goes out in several events."""

LIVE = "live"
"""The recipient that stands for all open pages: their copy of an event may go unheard."""


@dataclass(frozen=True, kw_only=True)
class EventData:
    """Base of all event data: reads what it knows and ignores the rest, so that a producer can add fields."""

    IGNORES_UNKNOWN: ClassVar[bool] = True


class EncryptedField(fields.Field[Any]):
    """Personal data that travels encrypted: the value of the inner field as a sealed token.

    In Python it is the inner field's value, on the wire one string that only holders of the key can open.
    """

    def __init__(self, inner: fields.Field[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        return keyring().seal(json.dumps(self._dump(value), ensure_ascii=False, separators=(",", ":")))

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError("A sealed value is a token.")
        return self._load(read_json(keyring().open(value)))

    @cached_property
    def _load(self) -> Callable[[Any], Any]:
        return quick_deserialize(self.inner)

    @cached_property
    def _dump(self) -> Callable[[Any], Any]:
        return quick_serialize(self.inner)


class Parted(fields.List[Any]):
    """A list from which an item that breaks the contract is parted, so that it holds up none of the others.

    Whoever reads it must look for whom it lacks.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        kept = []
        for item in value:
            with suppress(ValidationError):
                kept.append(self._load(item))
        return kept

    @cached_property
    def _load(self) -> Callable[[Any], Any]:
        return quick_deserialize(self.inner)


class _Encrypted(Wrapping):
    def wrap(self, field: fields.Field[Any]) -> fields.Field[Any]:
        allow_none, field.allow_none = field.allow_none, False
        return EncryptedField(field, allow_none=allow_none)


class _Parted(Wrapping):
    def wrap(self, field: fields.Field[Any]) -> fields.Field[Any]:
        return Parted(field.inner)  # type: ignore[attr-defined]


ENCRYPTED = _Encrypted()
"""Marks what of a message travels encrypted."""
PARTED = _Parted()
"""Marks a list from which an item that breaks the contract is parted."""
CHUNK = validate.Length(1, MESSAGE_SIZE)
"""Holds a list to as many items as one event may have."""


@dataclass(frozen=True)
class EventContract(Generic[Data]):
    """One kind of event: who publishes it, what it is called, what its data holds."""

    producer: str
    name: str
    data: type[Data]
    summary: str
    consumers: tuple[str, ...] = ()
    """The services that must hear it; without any it is for live pages only and may go unheard."""
    version: int = 1
    is_live: bool = False
    """Whether live pages hear it besides its consumers."""

    @property
    def schema(self) -> "type[DataclassSchema]":
        """What loads and dumps its data."""
        return schema_of(self.data)

    @property
    def type(self) -> str:
        """The CloudEvents type, which each routing key begins with: `membership.members_queued.v1`."""
        return f"{self.producer}.{self.name}.v{self.version}"

    @property
    def routing_key(self) -> str:
        """What the outbox keeps it under, and what releases that sent one copy for all published it by."""
        return self.type

    @property
    def recipients(self) -> tuple[str, ...]:
        """Who gets a copy of its own: each consumer, and live pages by one that may go unheard."""
        return (*self.consumers, LIVE) if self.is_live or not self.consumers else self.consumers

    def key_for(self, recipient: str) -> str:
        """The routing key of one recipient's copy: `membership.members_queued.v1.batching`."""
        return f"{self.type}.{recipient}"

    @property
    def dataschema(self) -> str:
        """The reference of the data's schema within the AsyncAPI document."""
        return f"asyncapi.json#/components/schemas/{self.schema.__name__}"

    def dump(self, data: Data | Mapping[str, Any]) -> dict[str, Any]:
        """The data as JSON types, checked on the way; raises ValidationError for data that breaks the contract."""
        used = _used(self.schema)
        wire = used.dump(data)
        missing = [name for name in used.required if wire.get(name) is None]
        if missing:
            raise ValidationError({name: ["Missing data for required field."] for name in missing})
        return wire

    def read(self, wire: Mapping[str, Any]) -> Data:
        """The data of a document; raises ValidationError for one that breaks the contract."""
        loaded: Data = _used(self.schema).load(wire)
        return loaded


def choice(*values: str, **kwargs: Any) -> fields.String:
    """A string field that takes only the given values."""
    return fields.String(validate=validate.OneOf(values), **kwargs)


def in_messages(items: Sequence[Item]) -> list[Sequence[Item]]:
    """The items in parts that fit into one message each."""
    return [items[start : start + MESSAGE_SIZE] for start in range(0, len(items), MESSAGE_SIZE)]


@dataclass(frozen=True)
class _Used:
    """A schema in use: making one takes longer than loading with it."""

    load: Callable[[Any], Any]
    dump: Callable[[Any], dict[str, Any]]
    required: tuple[str, ...]


@cache
def _used(kind: "type[DataclassSchema]") -> _Used:
    schema = kind()
    required = tuple(name for name, field in schema.fields.items() if field.required)
    return _Used(quick_load(schema), quick_dump(schema), required)
