"""Whatever text a request holds is cleaned by a value type, one of a few words, or a code or secret named here."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import is_dataclass

import pytest
from marshmallow import Schema, fields, validate

from services import contracts
from services.contracts import events
from services.contracts import operations as rpc
from services.kit.fields import Cleaned, Whole
from services.kit.schemas import schema_of

_AS_IT_COMES = {
    *("password", "current_password", "new_password"),  # every character counts
    "content",  # base64
    "content_type",  # not believed
    *("code", "batch_no", "queue", "id", "ids"),  # compared with what is known
}


def _schemas() -> Iterator[type[Schema]]:
    for package in (contracts, events, rpc):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                if is_dataclass(kind) and kind.__module__ == module.name and not kind.__name__.endswith("Settings"):
                    yield schema_of(kind)
                elif issubclass(kind, Schema):
                    yield kind


SCHEMAS = sorted(set(_schemas()), key=lambda kind: (kind.__module__, kind.__name__))
REQUESTS = [
    kind
    for kind in SCHEMAS
    if kind.__module__.startswith(rpc.__name__) and not kind.__name__.endswith(("Answer", "Item", "Data"))
]


@pytest.mark.parametrize("kind", [kind for kind in REQUESTS if kind.__name__.endswith(("Request", "Form", "Facts"))])
def test_each_text_of_a_request_is_cleaned(kind: type[Schema]) -> None:
    for name, field in kind().fields.items():
        inner = field.inner if isinstance(field, fields.List) else field
        if type(inner) in (fields.String, Cleaned) and name not in _AS_IT_COMES:
            is_bounded = any(isinstance(validator, validate.OneOf | Whole) for validator in inner.validators)
            assert isinstance(inner, Cleaned) or is_bounded, name


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_form_is_held_to_the_whole_of_a_text(kind: type[Schema]) -> None:
    for name, field in kind().fields.items():
        for validator in (field.inner if isinstance(field, fields.List) else field).validators:
            if isinstance(validator, validate.Regexp):
                assert isinstance(validator, Whole), name
                assert "\\d" not in validator.regex.pattern, name
