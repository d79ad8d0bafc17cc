"""Checks that a request is well formed before it is read: framing, path, host and headers.

Attackers exploit that two programs, such as a proxy and this gateway, read the same bytes differently (request
smuggling). So an ambiguous request is refused and its connection is closed.
"""

import re
from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    MalformedHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
from email.message import Message
from http import HTTPStatus
from urllib.parse import unquote

from services.kit.problems import Problem

LONGEST_TARGET = 8000

_METHOD = re.compile(r"[A-Z]{1,20}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TARGET = re.compile(r"/[\x21-\x7e]*")
_AMBIGUOUS_PATH = re.compile(r"//|\\|%2f|%5c", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,15}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,255}(:[0-9]{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:[0-9]{1,5})?")
_BROKEN_LINES = (FirstHeaderLineIsContinuationDefect, MalformedHeaderDefect, MissingHeaderBodySeparatorDefect)


def protocol_error(method: str, target: str, version: str, headers: Message) -> Problem | None:
    """Returns the problem with a request's first line and headers, after which the connection is closed, or None."""
    if not _METHOD.fullmatch(method) or version not in ("HTTP/1.0", "HTTP/1.1"):
        return protocol_problem(400)
    return _error_in_target(target) or _error_in_headers(headers, version) or _error_in_framing(headers)


def protocol_problem(status: int) -> Problem:
    """Returns the problem for a request that cannot be read."""
    code, title = _PROBLEMS.get(status, _PROBLEMS[400])
    return Problem(code, status, title)


def _error_in_target(target: str) -> Problem | None:
    if len(target) > LONGEST_TARGET:
        return protocol_problem(414)
    path = target.partition("?")[0]
    if not _TARGET.fullmatch(target) or _AMBIGUOUS_PATH.search(path):
        return protocol_problem(400)
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        return protocol_problem(400)
    is_invalid = _CONTROL.search(decoded) or not {".", ".."}.isdisjoint(decoded.split("/"))
    return protocol_problem(400) if is_invalid else None


def _error_in_headers(headers: Message, version: str) -> Problem | None:
    if any(isinstance(defect, _BROKEN_LINES) for defect in headers.defects):
        return protocol_problem(400)
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or _CONTROL.search(value):
            return protocol_problem(400)
    hosts = headers.get_all("Host", [])
    is_named_once = len(hosts) == 1 or (not hosts and version == "HTTP/1.0")
    return None if is_named_once and all(map(_HOST.fullmatch, hosts)) else protocol_problem(400)


def _error_in_framing(headers: Message) -> Problem | None:
    lengths = headers.get_all("Content-Length", [])
    if "Transfer-Encoding" in headers:
        return protocol_problem(400 if lengths else 411)
    is_clear = not lengths or (len(lengths) == 1 and _LENGTH.fullmatch(lengths[0]))
    return None if is_clear else protocol_problem(400)


_PROBLEMS: dict[int, tuple[str, str]] = {
    HTTPStatus.BAD_REQUEST: ("bad_request", "请求格式有误"),
    HTTPStatus.REQUEST_TIMEOUT: ("request_timeout", "请求内容未在规定时间内送达"),
    HTTPStatus.LENGTH_REQUIRED: ("length_required", "请求须注明内容长度"),
    HTTPStatus.REQUEST_URI_TOO_LONG: ("address_too_long", "请求地址过长"),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: ("headers_too_large", "请求头过多或过长"),
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: ("bad_request", "不支持的 HTTP 版本"),
}
