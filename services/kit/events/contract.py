"""Event contracts: an event is a CloudEvents 1.0 document whose data a marshmallow schema validates."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, Generic, TypeVar

from marshmallow import ValidationError, fields, validate

from services.kit.data.encryption import keyring
from services.kit.events.fast_codec import fast_deserialize, fast_dump, fast_load, fast_serialize
from services.kit.schemas import DataclassSchema, Wrapping, schema_of
from services.kit.strict_json import read_json

Item = TypeVar("Item")
Data = TypeVar("Data")
SPEC_VERSION = "1.0"
MESSAGE_SIZE = 500
"""How many applications one event names at most; more are published in several events."""

LIVE = "live"
"""The recipient that stands for all open pages; their copy of an event may be routed to nobody."""


@dataclass(frozen=True, kw_only=True)
class EventData:
    """Base of all event data. Unknown fields are ignored on reading, so that a producer can add fields."""

    IGNORES_UNKNOWN: ClassVar[bool] = True


class EncryptedField(fields.Field[Any]):
    """A field of personal data that travels encrypted, as a token of the inner field's value.

    In Python it is the inner field's value, on the wire one string that only holders of the key can decrypt.
    """

    def __init__(self, inner: fields.Field[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        return keyring().encrypt_token(json.dumps(self._dump(value), ensure_ascii=False, separators=(",", ":")))

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError("An encrypted value is a token.")
        return self._load(read_json(keyring().decrypt_token(value)))

    @cached_property
    def _load(self) -> Callable[[Any], Any]:
        return fast_deserialize(self.inner)

    @cached_property
    def _dump(self) -> Callable[[Any], Any]:
        return fast_serialize(self.inner)


class Parted(fields.List[Any]):
    """A list that drops items which break the contract, so that these do not block the others.

    Its consumer must check which items are missing.
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
        return fast_deserialize(self.inner)


class _Encrypted(Wrapping):
    def wrap(self, field: fields.Field[Any]) -> fields.Field[Any]:
        allow_none, field.allow_none = field.allow_none, False
        return EncryptedField(field, allow_none=allow_none)


class _Parted(Wrapping):
    def wrap(self, field: fields.Field[Any]) -> fields.Field[Any]:
        return Parted(field.inner)  # type: ignore[attr-defined]


ENCRYPTED = _Encrypted()
"""Marks a field of a message that travels encrypted."""
PARTED = _Parted()
"""Marks a list that drops items which break the contract."""
CHUNK = validate.Length(1, MESSAGE_SIZE)
"""Limits a list to as many items as one event may have, at least one."""


@dataclass(frozen=True)
class EventContract(Generic[Data]):
    """One kind of event: its producer, its name and the type of its data."""

    producer: str
    name: str
    data: type[Data]
    summary: str
    consumers: tuple[str, ...] = ()
    """The services that must receive it; without any it is for live pages only and may be routed to nobody."""
    version: int = 1
    is_live: bool = False
    """Whether live pages receive it besides its consumers."""

    @property
    def schema(self) -> "type[DataclassSchema]":
        """The schema that loads and dumps its data."""
        return schema_of(self.data)

    @property
    def type(self) -> str:
        """The CloudEvents type, which each routing key begins with: `membership.members_queued.v1`."""
        return f"{self.producer}.{self.name}.v{self.version}"

    @property
    def routing_key(self) -> str:
        """The routing key in the outbox; earlier releases, which sent one copy to all, published by it."""
        return self.type

    @property
    def recipients(self) -> tuple[str, ...]:
        """The recipients of a copy each: all consumers, and `LIVE` for live pages."""
        return (*self.consumers, LIVE) if self.is_live or not self.consumers else self.consumers

    def key_for(self, recipient: str) -> str:
        """The routing key of one recipient's copy: `membership.members_queued.v1.batching`."""
        return f"{self.type}.{recipient}"

    @property
    def dataschema(self) -> str:
        """The reference of the data's schema within the AsyncAPI document."""
        return f"asyncapi.json#/components/schemas/{self.schema.__name__}"

    def dump(self, data: Data | Mapping[str, Any]) -> dict[str, Any]:
        """The data as JSON types; raises ValidationError for data that breaks the contract."""
        codec = _codec_of(self.schema)
        wire = codec.dump(data)
        missing = [name for name in codec.required if wire.get(name) is None]
        if missing:
            raise ValidationError({name: ["Missing data for required field."] for name in missing})
        return wire

    def read(self, wire: Mapping[str, Any]) -> Data:
        """The data of a document; raises ValidationError for one that breaks the contract."""
        loaded: Data = _codec_of(self.schema).load(wire)
        return loaded


def choice(*values: str, **kwargs: Any) -> fields.String:
    """A string field that takes only the given values."""
    return fields.String(validate=validate.OneOf(values), **kwargs)


def in_chunks(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Splits the items into parts that fit into one message each."""
    return [items[start : start + MESSAGE_SIZE] for start in range(0, len(items), MESSAGE_SIZE)]


@dataclass(frozen=True)
class _Codec:
    """The functions of a schema instance, kept because making one takes longer than loading with it."""

    load: Callable[[Any], Any]
    dump: Callable[[Any], dict[str, Any]]
    required: tuple[str, ...]


@cache
def _codec_of(kind: "type[DataclassSchema]") -> _Codec:
    schema = kind()
    required = tuple(name for name, field in schema.fields.items() if field.required)
    return _Codec(fast_load(schema), fast_dump(schema), required)
