"""Each text field of a request is cleaned by a value type, is an enumeration, or is a code or secret named here."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import is_dataclass

import pytest
from marshmallow import Schema, ValidationError, fields, validate

from gateway.api import ROUTES
from services import contracts
from services.contracts import events, operations
from services.contracts.operations.membership.members import QueueMembersRequest
from services.kit.fields import Cleaned, FullMatch, length
from services.kit.operations import operators
from services.kit.rpc import paging
from services.kit.rpc.operation import OPERATIONS
from services.kit.schemas import schema_of

_AS_IT_COMES = {
    *("password", "current_password", "new_password", "token"),  # every character counts
    "content",  # base64
    "content_type",  # not believed
    *("code", "batch_no", "queue", "id", "ids"),  # compared with what is known
}


def _modules() -> Iterator[str]:
    yield from (operators.__name__, paging.__name__)
    for package in (contracts, events, operations):
        yield from (module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))


def _schemas() -> Iterator[type[Schema]]:
    for module in _modules():
        for _, kind in inspect.getmembers(importlib.import_module(module), inspect.isclass):
            is_private = kind.__name__.startswith("_") or kind.__name__.endswith("Settings")
            if is_dataclass(kind) and kind.__module__ == module and not is_private:
                yield schema_of(kind)
            elif issubclass(kind, Schema):
                yield kind


def _requests() -> Iterator[type[Schema]]:
    yield from (operation.request_schema for operation in OPERATIONS.values() if operation.request)
    yield from (route.request for route in ROUTES if route.request)
    asked = [kind for kind in SCHEMAS if kind.__module__.startswith(operations.__name__)]
    yield from (kind for kind in asked if kind.__name__.endswith(("Request", "Form", "Facts")))


def _ordered(kinds: Iterator[type[Schema]]) -> list[type[Schema]]:
    return sorted(set(kinds), key=lambda kind: (kind.__module__, kind.__name__))


SCHEMAS = _ordered(_schemas())


@pytest.mark.parametrize("kind", _ordered(_requests()))
def test_each_text_of_a_request_is_cleaned(kind: type[Schema]) -> None:
    for name, field in kind().fields.items():
        inner = field.inner if isinstance(field, fields.List) else field
        if type(inner) in (fields.String, Cleaned) and name not in _AS_IT_COMES:
            is_bounded = any(isinstance(validator, validate.OneOf | FullMatch) for validator in inner.validators)
            assert isinstance(inner, Cleaned) or is_bounded, name


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_form_is_held_to_the_whole_of_a_text(kind: type[Schema]) -> None:
    for name, field in kind().fields.items():
        for validator in (field.inner if isinstance(field, fields.List) else field).validators:
            if isinstance(validator, validate.Regexp):
                assert isinstance(validator, FullMatch), name
                assert "\\d" not in validator.regex.pattern, name


def test_a_text_that_is_much_too_long_is_refused_before_it_is_cleaned() -> None:
    cleaned: list[str] = []
    field = Cleaned(lambda text: cleaned.append(text) or text.strip(), validate=length(50))  # type: ignore[func-returns-value]
    assert field.deserialize(" " * 900 + "王芳") == "王芳"
    with pytest.raises(ValidationError, match="内容过长"):
        field.deserialize("\ufdfa" * 1001)
    assert len(cleaned) == 1


def test_a_list_that_is_too_long_is_refused_before_its_items_are_read() -> None:
    with pytest.raises(ValidationError) as refused:
        schema_of(QueueMembersRequest)().load({"member_ids": ["no id"] * 10_001})
    assert refused.value.messages == {"member_ids": ["请选择 1 至 10000 位会员"]}
