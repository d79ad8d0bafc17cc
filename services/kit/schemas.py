"""Marshmallow schemas made from frozen dataclasses, which declare each field, its type and its validation once.

A field of a plain type gets the marshmallow field of that type. `Annotated` says more:

    remark: Annotated[str | None, lines(200, allow_none=True)] = None      the marshmallow field itself
    version: Annotated[int, validate.Range(min=1)]                         further validators
    decided_at: Annotated[datetime, "when it was decided or closed"]       what the API's document says
    person: Annotated[PersonFacts, ENCRYPTED]                              what travels encrypted

A field without a default is required. Rules between fields are checked in `__post_init__`, which raises marshmallow's
ValidationError.
"""

import types
from collections.abc import Hashable, Iterable
from copy import copy
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints
from uuid import UUID

import marshmallow
from marshmallow import Schema, post_load, validate

Item = TypeVar("Item")


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "unset"

    def __bool__(self) -> Literal[False]:
        return False


UNSET: Final = Unset.UNSET
"""The value of an absent field, where None is a value of its own; a change leaves such a field as it is."""


class DataclassSchema(Schema):
    """Base of the schemas that `schema_of` makes: what they load is an instance of `made`."""

    made: ClassVar[type]

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """A field's value for dumping; an absent one is left out."""
        value = super().get_attribute(obj, attr, default)
        return marshmallow.missing if value is UNSET else value

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> Any:
        """The instance; raises the ValidationError of its `__post_init__`."""
        return self.made(**data)


class SizedList(marshmallow.fields.List[Any]):
    """A list whose length is validated before its items: a request may hold hundreds of thousands of wrong ones."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list):
            for validator in self.validators:
                if isinstance(validator, validate.Length):
                    validator(value)
        return super()._deserialize(value, attr, data, **kwargs)


class Wrapping:
    """Base of markers in `Annotated` that replace the field of a type by one that wraps it."""

    def wrap(self, field: marshmallow.fields.Field[Any]) -> marshmallow.fields.Field[Any]:
        """The field to use."""
        raise NotImplementedError


def schema_of(kind: type[Any]) -> type[DataclassSchema]:
    """The schema of a dataclass; raises TypeError for a field whose type has no matching marshmallow field.

    Unknown fields are refused, unless the dataclass has `IGNORES_UNKNOWN = True`.
    """
    return _schema_of(cast(Hashable, kind))


def as_dict(value: Any) -> Any:
    """A message with all nested values as dicts and lists; absent fields are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: as_dict(one) for name, one in values_of(value).items()}
    if isinstance(value, list):
        return [as_dict(one) for one in value]
    if isinstance(value, dict):
        return {name: as_dict(one) for name, one in value.items()}
    return value


def required(value: Item | None) -> Item:
    """The value, typed as not None; raises ValueError for None."""
    if value is None:
        raise ValueError("a value is missing")
    return value


def change_fields(record: Any, request: Any, names: Iterable[str]) -> None:
    """Sets on a record those of the fields that are present in a request."""
    for name in names:
        if (value := getattr(request, name)) is not UNSET:
            setattr(record, name, value)


def values_of(instance: Any) -> dict[str, Any]:
    """The present fields of a message, by name."""
    return {name: value for name, value in vars(instance).items() if value is not UNSET}


@cache
def _schema_of(kind: Hashable) -> type[DataclassSchema]:
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise TypeError(f"{kind} is no dataclass.")
    hints = get_type_hints(kind, include_extras=True)
    attributes: dict[str, Any] = {field.name: _field(hints[field.name], field) for field in fields(kind)}
    if getattr(kind, "IGNORES_UNKNOWN", False):
        attributes["Meta"] = type("Meta", (), {"unknown": marshmallow.EXCLUDE})
    attributes |= {"made": kind, "__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (DataclassSchema,), attributes)


def _field(hint: Any, declared: Field[Any]) -> marshmallow.fields.Field[Any]:
    made = _field_of(hint)
    default = declared.default if declared.default_factory is MISSING else declared.default_factory
    made.required = default is MISSING
    if not made.required and default is not UNSET and (default is not None or made.allow_none):
        made.load_default = default
    return made


def _field_of(hint: Any) -> marshmallow.fields.Field[Any]:
    kind, notes = _parts(hint)
    declared = next((note for note in notes if isinstance(note, marshmallow.fields.Field)), None)
    made = _field_of_type(kind) if declared is None else _copy_of(declared)
    for note in notes:
        if isinstance(note, str):
            made.metadata = {**made.metadata, "description": note}
        elif isinstance(note, validate.Validator):
            made.validators.append(note)
        elif isinstance(note, Wrapping):
            made = note.wrap(made)
    return made


def _copy_of(original: marshmallow.fields.Field[Any]) -> marshmallow.fields.Field[Any]:
    """An independent copy: marshmallow's own copies share their metadata."""
    made = copy(original)
    made.metadata, made.validators = dict(original.metadata), list(original.validators)
    return made


def _field_of_type(kind: Any) -> marshmallow.fields.Field[Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (inner,) = [argument for argument in arguments if argument not in (types.NoneType, Unset)]
        made = _field_of(inner)
        made.allow_none = types.NoneType in arguments
        return made
    if origin is Literal:
        return marshmallow.fields.String(validate=validate.OneOf(arguments))
    if origin in (list, tuple):
        return SizedList(_field_of(arguments[0]))
    if origin is dict:
        key, value = arguments
        return marshmallow.fields.Dict(keys=_field_of(key), values=None if value is Any else _field_of(value))
    if is_dataclass(kind):
        return marshmallow.fields.Nested(schema_of(kind))  # type: ignore[arg-type]
    try:
        return _OF_TYPE[kind]()
    except KeyError:
        raise TypeError(f"{kind} has no marshmallow field.") from None


def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type, and the metadata of `Annotated`."""
    if get_origin(hint) is Annotated:
        kind, *notes = get_args(hint)
        return kind, tuple(notes)
    return hint, ()


_OF_TYPE: dict[Any, type[marshmallow.fields.Field[Any]]] = {
    str: marshmallow.fields.String,
    int: marshmallow.fields.Integer,
    bool: marshmallow.fields.Boolean,
    float: marshmallow.fields.Float,
    UUID: marshmallow.fields.UUID,
    date: marshmallow.fields.Date,
    datetime: marshmallow.fields.AwareDateTime,
    Any: marshmallow.fields.Raw,
}
