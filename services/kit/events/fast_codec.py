"""Loads and dumps by a schema's fields without marshmallow's own code, which takes several times as long.

The schema stays the only definition: its fields and validators are read once. An invalid value, and any hook or kind of
field that is unknown here, is left to the schema itself, which gives the result or raises the error.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing

from services.kit.schemas import UNSET, DataclassSchema, SizedList

Conversion = Callable[[Any], Any]
"""Converts a value; raises one of _INVALID where the schema itself is to be used."""

_INVALID = (ValidationError, ValueError, TypeError, LookupError, AttributeError)
_LISTS = (list, tuple)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?[+-][0-9]{2}:[0-9]{2}")
_LEFT = object()
"""Stands for a default that only the field itself can compute."""


def fast_load(schema: Schema) -> Callable[[Any], dict[str, Any]]:
    """A function that loads as `schema.load` does."""
    return _first(_reading_by(schema), schema.load)


def fast_dump(schema: Schema) -> Callable[[Any], dict[str, Any]]:
    """A function that dumps as `schema.dump` does."""
    return _first(_writing_by(schema), schema.dump)


def fast_deserialize(field: fields.Field[Any]) -> Conversion:
    """A function that loads a value as `field.deserialize` does."""
    return _first(_reading(field), field.deserialize)


def fast_serialize(field: fields.Field[Any]) -> Conversion:
    """A function that dumps a value other than None as the field does."""
    return _first(_writing(field), _plainly_written(field))


def _first(quick: Conversion | None, thorough: Conversion) -> Conversion:
    if quick is None:
        return thorough

    def change(value: Any) -> Any:
        try:
            return quick(value)
        except _INVALID:
            return thorough(value)

    return change


def _reading(field: fields.Field[Any]) -> Conversion:
    make = _READERS.get(type(field))
    read = make(field) if make else None
    if read is None or field.pre_load or field.post_load:
        return field.deserialize
    return _validated(read, tuple(field.validators)) if field.validators else read


def _writing(field: fields.Field[Any]) -> Conversion:
    make = _WRITERS.get(type(field))
    return (make(field) if make else None) or _plainly_written(field)


def _reading_by(schema: Schema) -> Conversion | None:
    hooks = {kind: hooked for kind, hooked in schema._hooks.items() if hooked and not kind.endswith("dump")}
    made = _made_by(schema, hooks)
    checks = [getattr(schema, name) for name, *_ in hooks.pop("validates_schema", [])]
    if hooks or schema.unknown != EXCLUDE or schema.many or schema.partial:
        return None
    parts = [(field.attribute or name, _key(name, field), _taking(field)) for name, field in schema.load_fields.items()]
    defaults = {field.attribute or name: field.load_default for name, field in schema.load_fields.items()}
    fixed = {name: default for name, default in defaults.items() if default is not missing and not callable(default)}
    must_be_there = {_key(name, field) for name, field in schema.load_fields.items() if _must_be_there(field)}

    def read(document: Any) -> dict[str, Any]:
        if not document.keys() >= must_be_there:
            raise LookupError
        loaded = dict(fixed)
        for target, key, take in parts:
            value = document.get(key, missing)
            if value is not missing:
                loaded[target] = take(value)
        for check in checks:
            check(loaded, partial=None, many=False, unknown=EXCLUDE)
        return made(**loaded)

    return read


def _made_by(schema: Schema, hooks: dict[str, Any]) -> Callable[..., Any]:
    """The type that a schema makes of loaded fields; removes the hook that makes it from `hooks`."""
    if not isinstance(schema, DataclassSchema) or [name for name, *_ in hooks["post_load"]] != ["make"]:
        return dict
    del hooks["post_load"]
    return schema.made


def _must_be_there(field: fields.Field[Any]) -> bool:
    """Whether only the field itself can handle a missing value."""
    return field.required or callable(field.load_default)


def _taking(field: fields.Field[Any]) -> Conversion:
    read = _reading(field)
    return (lambda value: None if value is None else read(value)) if field.allow_none else read


def _writing_by(schema: Schema) -> Conversion | None:
    if schema.many or any(hooked for kind, hooked in schema._hooks.items() if kind.endswith("dump")):
        return None
    parts = [_dumped_part(name, field) for name, field in schema.dump_fields.items()]
    made = getattr(schema, "made", dict)

    def write(document: Any) -> dict[str, Any]:
        if type(document) is made:
            document = vars(document)
        elif type(document) is not dict:
            raise TypeError
        dumped = {}
        for source, key, default, put in parts:
            value = document.get(source, default)
            if value is _LEFT:
                raise LookupError
            if value is not missing and value is not UNSET:
                dumped[key] = None if value is None else put(value)
        return dumped

    return write


def _dumped_part(name: str, field: fields.Field[Any]) -> tuple[str, str, Any, Conversion]:
    """A field's attribute and key, the value for a missing one, and its writer."""
    is_left = callable(field.dump_default) or "." in (field.attribute or name)
    return field.attribute or name, _key(name, field), _LEFT if is_left else field.dump_default, _writing(field)


def _key(name: str, field: fields.Field[Any]) -> str:
    return name if field.data_key is None else field.data_key


def _validated(read: Conversion, validators: Iterable[Callable[[Any], Any]]) -> Conversion:
    def take(value: Any) -> Any:
        loaded = read(value)
        for validate in validators:
            validate(loaded)
        return loaded

    return take


def _plainly_written(field: fields.Field[Any]) -> Conversion:
    return lambda value: field._serialize(value, None, None)


def _of_type(kind: type, change: Conversion) -> Conversion:
    """The conversion, for values of exactly this type."""

    def changed(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError
        return change(value)

    return changed


def _itself(kind: type) -> Conversion:
    def same(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError
        return value

    return same


def _moment(value: Any) -> datetime:
    if not _MOMENT.fullmatch(value):
        raise ValueError
    return datetime.fromisoformat(value)


def _listed(change: Conversion) -> Conversion:
    def listed(values: Any) -> list[Any]:
        if type(values) not in _LISTS or None in values:
            raise TypeError
        return [change(value) for value in values]

    return listed


def _is_iso(field: Any) -> bool:
    return field.format in (None, "iso")


def _has_one(field: Any) -> bool:
    return not field.many and field.unknown is None


_Make = Callable[[Any], Conversion | None]
_READERS: dict[type, _Make] = {
    fields.Raw: lambda _: lambda value: value,
    fields.String: lambda _: _itself(str),
    fields.UUID: lambda _: _of_type(str, UUID),
    fields.Integer: lambda _: _itself(int),
    fields.Boolean: lambda _: _itself(bool),
    fields.Date: lambda field: _of_type(str, field.DESERIALIZATION_FUNCS["iso"]) if _is_iso(field) else None,
    fields.AwareDateTime: lambda field: _moment if _is_iso(field) else None,
    **dict.fromkeys((fields.List, SizedList), lambda field: _listed(_reading(field.inner))),
    fields.Nested: lambda field: _reading_by(field.schema) if _has_one(field) else None,
}
_WRITERS: dict[type, _Make] = {
    fields.String: lambda _: _itself(str),
    fields.UUID: lambda _: _of_type(UUID, str),
    fields.Integer: lambda field: None if field.as_string else _itself(int),
    fields.Boolean: lambda _: _itself(bool),
    fields.Date: lambda field: _of_type(date, date.isoformat) if _is_iso(field) else None,
    fields.AwareDateTime: lambda field: _of_type(datetime, datetime.isoformat) if _is_iso(field) else None,
    **dict.fromkeys((fields.List, SizedList), lambda field: _listed(_writing(field.inner))),
    fields.Nested: lambda field: _writing_by(field.schema) if _has_one(field) else None,
}
