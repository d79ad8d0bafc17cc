"""Generates the OpenAPI 3.1 document from the routes and the schemas of their requests and answers."""

import json
import re
from functools import cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from gateway.api import RESOURCES
from gateway.routes import WITHOUT_BODY, Route
from services.contracts import operations

_DESCRIPTION = """\
Everything that the pages do, for integrators. Texts that people read are in Simplified Chinese.

Sign in with `POST /api/v1/sessions`; the answer sets the cookie `session` (`__Host-session` over HTTPS). A session ends
after 30 minutes without a request and after 12 hours; background requests of a page, marked with the header
`X-Background: 1`, do not count. As long as `next_step` of the account is not null, only that step and signing out are
allowed. With the header `X-Account-Id` a request is refused (409 `other_account`) unless the session is that account's:
a browser's tabs share one session.

Lists take `page` and `size` and answer `items` and `total`. A query parameter without a value is ignored; an unknown
one is refused. A command takes the header `Idempotency-Key`: repeated with the same key, it gives the same answer and
changes nothing twice. Every error is answered as `application/problem+json` with a stable `code`; with 503
comes `Retry-After`."""


class FieldProblem(Schema):
    """One field that is wrong."""

    field = fields.String(required=True, metadata={"description": "its path, such as `member_ids.3`"})
    code = fields.String(required=True)
    reason = fields.String(required=True, metadata={"description": "in Chinese"})


class Problem(Schema):
    """What went wrong (RFC 9457)."""

    type = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "stable, for programs"})
    status = fields.Integer(required=True)
    title = fields.String(required=True, metadata={"description": "in Chinese"})
    detail = fields.String(metadata={"description": "what to do, in Chinese"})
    instance = fields.String(required=True, metadata={"description": "the path of the request"})
    wrong_fields = fields.List(fields.Nested(FieldProblem), data_key="fields")
    retry_after = fields.Integer(metadata={"description": "seconds"})


def text() -> str:
    """Returns the document as text, as in docs/api/openapi.json."""
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"


@cache
def document() -> dict[str, Any]:
    """Returns the whole document as JSON types."""
    plugin = MarshmallowPlugin(schema_name_resolver=_component_name)
    spec = APISpec(
        title="Union card services",
        version="1",
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": _DESCRIPTION},
        tags=[{"name": _tag(resource), "description": _summary_of(resource)} for resource in RESOURCES],
    )
    _describe_common_parts(spec)
    for resource in RESOURCES:
        for route in resource.ROUTES:
            operation = {"tags": [_tag(resource)], **_operation(plugin, route)}
            spec.path(path=route.template, operations={route.method.lower(): operation})
    return spec.to_dict()


def _describe_common_parts(spec: APISpec) -> None:
    spec.components.security_scheme("session", {"type": "apiKey", "in": "cookie", "name": "session"})
    spec.components.parameter(
        "Idempotency-Key",
        "header",
        {
            "description": "names this command; the same key never does anything twice",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        },
    )
    spec.components.response(
        "Problem",
        {"description": "What went wrong", "content": {"application/problem+json": {"schema": Problem}}},
    )


def _operation(plugin: MarshmallowPlugin, route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": "_".join([route.method.lower(), *re.findall(r"\w+", route.template.removeprefix("/api/v1"))]),
        "summary": route.summary,
        "description": "For everybody." if route.is_public else f"For {', '.join(sorted(route.rule.roles))}.",
        "security": [] if route.is_public else [{"session": []}],
        "parameters": _parameters(plugin, route),
        "responses": {str(route.status): _answer(route), **dict.fromkeys(map(str, _refusals(route)), "Problem")},
    }
    if route.uploads:
        operation["requestBody"] = _upload()
    elif route.request and route.method not in WITHOUT_BODY:
        operation["requestBody"] = _body(plugin, route, route.request)
    return operation


def _parameters(plugin: MarshmallowPlugin, route: Route) -> list[Any]:
    parameters: list[Any] = []
    converter = _converter(plugin)
    if route.request:
        in_path = route.request(only=route.path_names)
        parameters += converter.schema2parameters(in_path, location="path")
        if route.method in WITHOUT_BODY:
            in_query = route.request(exclude=_own_fields(route))
            parameters += converter.schema2parameters(in_query, location="query")
    if route.needs_idempotency_key:
        parameters.append("Idempotency-Key")
    return parameters


def _body(plugin: MarshmallowPlugin, route: Route, request: type[Schema]) -> dict[str, Any]:
    schema = _converter(plugin).schema2jsonschema(request(exclude=_own_fields(route)))
    is_required = bool(schema.get("required"))
    return {"required": is_required, "content": {"application/json": {"schema": schema}}}


def _upload() -> dict[str, Any]:
    form = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
    return {"required": True, "content": {"multipart/form-data": {"schema": form}}}


def _answer(route: Route) -> dict[str, Any]:
    if route.answer is None:
        return {"description": "Done"}
    if isinstance(route.answer, str):
        return {"description": "Done", "content": {route.answer: {"schema": {"type": "string"}}}}
    return {"description": "Done", "content": {"application/json": {"schema": route.answer}}}


def _refusals(route: Route) -> list[int]:
    """Returns the statuses of the problems that the route can answer with, in order."""
    changes, reads_body = route.method != "GET", route.uploads or (route.request and route.method not in WITHOUT_BODY)
    found = {
        400: True,
        401: not route.is_public or route.has_secrets or route.kind == "sensitive",
        403: changes or not route.is_public,
        404: route.request is not None and bool(route.request().fields),
        408: reads_body,
        409: changes or not route.is_public,
        411: reads_body,
        413: reads_body,
        415: reads_body,
        421: True,
        422: route.request is not None,
        429: not route.is_unlimited,
        500: True,
        503: True,
    }
    return [status for status, can_be in found.items() if can_be]


def _own_fields(route: Route) -> list[str]:
    """Returns the fields of the request that come neither from the query nor from the body."""
    return [*route.path_names, *route.fixed]


def _converter(plugin: MarshmallowPlugin) -> Any:
    if plugin.converter is None:
        raise RuntimeError("the plugin belongs to no specification yet")
    return plugin.converter


def _component_name(schema: Any) -> str:
    """Returns a name such as `batching.PendingAnswer`: two services may use the same class name."""
    kind = schema if isinstance(schema, type) else type(schema)
    if kind.__module__ == __name__:
        return kind.__name__
    in_service = kind.__module__.removeprefix(f"{operations.__name__}.")
    owner = in_service.partition(".")[0] if in_service != kind.__module__ else kind.__module__.rpartition(".")[2]
    return f"{owner}.{kind.__name__}"


def _tag(resource: Any) -> str:
    return str(resource.__name__.rpartition(".")[2])


def _summary_of(resource: Any) -> str:
    return str(resource.__doc__).strip().partition("\n")[0]
