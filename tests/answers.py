"""Sample answers of services: for each method that a route calls, one that its schema allows."""

import base64
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache, partial
from typing import Any

from marshmallow import fields, validate

from gateway.api import ROUTES
from gateway.routes import Route
from services.contracts.operations import batching
from services.contracts.operations.membership import accounts, identity, members
from services.contracts.services import SERVICES
from services.kit.operations import operators as operations
from services.kit.rpc import files
from services.kit.schemas import schema_of

_ID = "0192f0c1-0000-7000-8000-00000000abcd"
_SIMPLE: dict[type[fields.Field[Any]], Any] = {
    fields.UUID: _ID,
    fields.AwareDateTime: "2026-11-25T02:00:00+00:00",
    fields.DateTime: "2026-11-25T02:00:00+00:00",
    fields.Date: "2026-11-25",
    fields.Boolean: True,
    fields.Float: 1.5,
    fields.Integer: 1,
    fields.Dict: {},
    fields.Url: "https://cards.example/",
    fields.String: "一二三四",
    fields.Raw: "一",
}
_OTHERS: Mapping[str, Any] = {
    "membership.get_member_summary": members.MemberSummaryAnswer,
    "batching.get_batch_summary": batching.BatchSummaryAnswer,
    "membership.name_unions": accounts.NameUnionsAnswer,
    "membership.get_captcha_level": identity.CaptchaLevelAnswer,
    **{
        f"{service}.{name}": answer
        for service in SERVICES
        for name, answer in (
            ("get_status", operations.StatusAnswer),
            ("list_dead_letters", operations.ServiceDeadLettersAnswer),
            ("get_dead_letter", operations.DeadLetterDetailAnswer),
            ("replay_dead_letters", operations.SettledAnswer),
            ("discard_dead_letters", operations.SettledAnswer),
        )
    },
}
"""The answers of methods whose answer no route passes on unchanged."""


@cache
def answers_of(service: str) -> dict[str, Any]:
    """Returns the answers by method, without those that start a session."""
    found: dict[str, Any] = {name: an_answer(schema) for name, schema in _OTHERS.items()}
    found["batching.get_register"] = partial(_file, "batching.get_register", "format", batching.RegisterAnswer)
    found["notification.export_report"] = partial(_file, "notification.export_report", "form", files.FileAnswer)
    found["membership.count_number_search"] = {}
    for route in ROUTES:
        if route.allowed_by not in found:
            found[route.allowed_by] = _answer_to(route)
    return {name.partition(".")[2]: answer for name, answer in found.items() if name.partition(".")[0] == service}


def an_answer(schema: Any) -> dict[str, Any]:
    """Returns an allowed JSON value for each field of the schema."""
    if isinstance(schema, type) and is_dataclass(schema):
        schema = schema_of(schema)
    made = schema() if isinstance(schema, type) else schema
    return {field.data_key or name: _value(name, field) for name, field in made.dump_fields.items()}


def _answer_to(route: Route) -> Any:
    if isinstance(route.answer, str):
        return {**an_answer(files.FileAnswer), "content_type": route.answer}
    return {} if route.answer is None else an_answer(route.answer)


def _file(operation: str, form: str, schema: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a file in the form that was asked for; each form has a route."""
    (content_type,) = {
        str(route.answer) for route in ROUTES if route.allowed_by == operation and route.fixed[form] == asked[form]
    }
    return {**an_answer(schema), "content_type": content_type}


def _value(name: str, field: fields.Field[Any]) -> Any:
    if isinstance(field, fields.Nested):
        return [an_answer(field.schema)] if field.many else an_answer(field.schema)
    if isinstance(field, fields.List):
        return [_value(name, field.inner)]
    if name == "content" and isinstance(field, fields.String):
        return base64.b64encode(b"content").decode()
    for rule in field.validators:
        if isinstance(rule, validate.OneOf):
            return next(iter(rule.choices))
    return next(value for kind, value in _SIMPLE.items() if isinstance(field, kind))
