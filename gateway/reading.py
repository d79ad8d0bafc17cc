"""Reading requests: queries, JSON bodies and uploads, each within its bounds and by its schema."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wrappers import Request

from services.kit import strict_json
from services.kit.problems import FieldProblem, Invalid, Problem, invalid_fields

JSON_LIMIT = 1 << 20
UPLOAD_LIMIT = 20 << 20
ANONYMOUS_LIMIT = 16 << 10
"""Bytes of JSON that are read from somebody who is not signed in."""
_DEEPEST = 20
"""How deep objects and lists may lie in one another; the deepest request of ours has four."""
_FORM_OVERHEAD = 64 << 10
_LONGEST_KEY = 200


def read_query(request: Request, schema: type[Schema]) -> dict[str, Any]:
    """The query's parameters as text. Empty ones count as not given: a search form sends them all.

    A parameter may come more than once only where the schema holds a list; otherwise Problem 422.
    """
    lists = {name for name, field in schema().fields.items() if isinstance(field, fields.List)}
    query: dict[str, Any] = {}
    for name, values in request.args.lists():
        given = [value for value in values if value]
        if len(given) > 1 and name not in lists:
            raise Invalid([FieldProblem(name, "repeated", "此项只能填写一次")])
        if given:
            query[name] = given if name in lists else given[0]
    _refuse_unstorable_text(query)
    return query


def read_json(request: Request, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """The JSON object in the body, {} when there is no body; `limit` in bytes. Raises HTTP errors 400, 413 and 415."""
    _check_length(request, limit)
    if not request.content_length:
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        document = strict_json.read_json(request.get_data(cache=False))
    except ValueError as error:
        raise BadRequest from error
    if not isinstance(document, dict) or _is_deeper_than(_DEEPEST, document):
        raise BadRequest
    return document


def read_upload(request: Request) -> dict[str, str]:
    """The form's field `file` as {file_name, content}, the content as base64. Raises HTTP errors 413 and 415."""
    _check_length(request, UPLOAD_LIMIT + _FORM_OVERHEAD)
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType
    file = request.files.get("file")
    if file is None or not file.filename:
        raise Invalid([FieldProblem("file", "required", "请选择要上传的文件")])
    content = file.read(UPLOAD_LIMIT + 1)
    if len(content) > UPLOAD_LIMIT:
        raise RequestEntityTooLarge
    return {"file_name": file.filename, "content": base64.b64encode(content).decode()}


def read_request_id(request: Request) -> str | None:
    """The id of a command, from the header Idempotency-Key; services keep the ids of each account apart."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise Problem("invalid_idempotency_key", 400, "请求编号有误", f"请求编号应为 1 至 {_LONGEST_KEY} 个字符。")
    return key


def check_request(schema: type[Schema], data: Mapping[str, Any]) -> None:
    """Raises Problem 422, which names each wrong field, for what the service would refuse to read."""
    try:
        schema().load(data)
    except ValidationError as error:
        raise invalid_fields(error.messages) from error


def _check_length(request: Request, limit: int) -> None:
    """Only bodies that tell their length beforehand are read, and only within the limit."""
    if "Transfer-Encoding" in request.headers:
        raise Problem("length_required", 411, "请求须注明内容长度")
    if (request.content_length or 0) > limit:
        raise RequestEntityTooLarge


def _is_deeper_than(depth: int, document: Any) -> bool:
    level = [document]
    for _ in range(depth):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(innermost, dict | list) for innermost in level)


def _refuse_unstorable_text(query: Mapping[str, Any]) -> None:
    """NUL characters and halves of surrogate pairs may stand in a query, but no database can keep them."""
    text = json.dumps(query, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest from error
    if "\\u0000" in text:
        raise BadRequest
