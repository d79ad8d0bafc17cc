"""Reads requests: queries, JSON bodies and uploads, within limits and by schema."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from marshmallow import Schema, ValidationError, fields
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wrappers import Request

from services.kit import strict_json
from services.kit.problems import FieldProblem, Invalid, Problem, invalid_fields

JSON_LIMIT = 1 << 20
UPLOAD_LIMIT = 20 << 20
ATTACHMENTS_LIMIT = 28 << 20
"""The most bytes of JSON that holds files: 20 MB of files are 27 MB in base64."""
ANONYMOUS_LIMIT = 16 << 10
"""The most bytes of JSON that are read from a client that is not signed in."""
_DEEPEST = 20
"""How deep objects and lists may be nested; our deepest request has four levels."""
_FORM_OVERHEAD = 64 << 10
_LONGEST_KEY = 200
_LONGEST_PART = 1 << 20
"""The most bytes of a file that one answer to a player holds; it asks for more as it plays."""


def read_query(request: Request, schema: type[Schema]) -> dict[str, Any]:
    """Returns the query's parameters as text, without empty ones: a search form sends all its fields.

    Raises Problem 422 for a parameter that comes more than once although the schema has no list for it.
    """
    lists = {name for name, field in _instance_of(schema).fields.items() if isinstance(field, fields.List)}
    query: dict[str, Any] = {}
    for name, values in request.args.lists():
        filled = [value for value in values if value]
        if len(filled) > 1 and name not in lists:
            raise Invalid([FieldProblem(name, "repeated", "此项只能填写一次")])
        if filled:
            query[name] = filled if name in lists else filled[0]
    _refuse_unstorable_text(query)
    return query


def read_json(request: Request, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """Returns the JSON object in the body, {} without a body; `limit` in bytes. Raises HTTP errors 400, 413 and 415."""
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
    """Returns the form's field `file` as {file_name, content}, content in base64. Raises HTTP errors 413 and 415."""
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
    """Returns the id of a command from the header Idempotency-Key; services keep the ids of each account apart."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise Problem("invalid_idempotency_key", 400, "请求编号有误", f"请求编号应为 1 至 {_LONGEST_KEY} 个字符。")
    return key


def read_part(request: Request) -> dict[str, int]:
    """Returns the part of a file that the header Range asks for, as {start, most}; {} for the whole file.

    A negative start counts from the file's end. What is not one range of bytes is the whole file.
    """
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return {}
    ((start, stop),) = asked.ranges
    wanted = -start if start < 0 else _LONGEST_PART if stop is None else stop - start
    return {"start": start, "most": min(wanted, _LONGEST_PART)}


def check_request(schema: type[Schema], data: Mapping[str, Any]) -> None:
    """Raises Problem 422, which names each invalid field, for data that the service would refuse."""
    try:
        _instance_of(schema).load(data)
    except ValidationError as error:
        raise invalid_fields(error.messages) from error


@cache
def _instance_of(schema: type[Schema]) -> Schema:
    """The schema's only instance: making one copies all its fields."""
    return schema()


def _check_length(request: Request, limit: int) -> None:
    """Raises an HTTP error unless the body states its length beforehand and is within the limit."""
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
    """Raises Problem 422 for NUL characters and lone surrogates, which the database cannot store."""
    text = json.dumps(query, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest from error
    if "\\u0000" in text:
        raise BadRequest
