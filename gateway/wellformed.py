"""What is wrong with a request before anybody reads what it asks: ambiguous framing, odd paths, forged hosts.

Two programs that read the same bytes differently, such as a proxy and this gateway, can be played off against each
other; so what could be read in two ways is refused, and its connection ends.
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
_ODD_PATH = re.compile(r"//|\\|%2f|%5c", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,15}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,255}(:[0-9]{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:[0-9]{1,5})?")
_BROKEN_LINES = (FirstHeaderLineIsContinuationDefect, MalformedHeaderDefect, MissingHeaderBodySeparatorDefect)


def flaw_of(method: str, target: str, version: str, headers: Message) -> Problem | None:
    """The problem that a request's first line and headers are, with which its connection is to end; None for none."""
    if not _METHOD.fullmatch(method) or version not in ("HTTP/1.0", "HTTP/1.1"):
        return protocol_problem(400)
    return _flaw_of_target(target) or _flaw_of_headers(headers, version) or _flaw_of_framing(headers)


def protocol_problem(status: int) -> Problem:
    """What is told of a request that cannot be read."""
    code, title = _PROBLEMS.get(status, _PROBLEMS[400])
    return Problem(code, status, title)


def _flaw_of_target(target: str) -> Problem | None:
    if len(target) > LONGEST_TARGET:
        return protocol_problem(414)
    path = target.partition("?")[0]
    if not _TARGET.fullmatch(target) or _ODD_PATH.search(path):
        return protocol_problem(400)
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        return protocol_problem(400)
    is_odd = _CONTROL.search(decoded) or not {".", ".."}.isdisjoint(decoded.split("/"))
    return protocol_problem(400) if is_odd else None


def _flaw_of_headers(headers: Message, version: str) -> Problem | None:
    if any(isinstance(defect, _BROKEN_LINES) for defect in headers.defects):
        return protocol_problem(400)
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or _CONTROL.search(value):
            return protocol_problem(400)
    hosts = headers.get_all("Host", [])
    is_named_once = len(hosts) == 1 or (not hosts and version == "HTTP/1.0")
    return None if is_named_once and all(map(_HOST.fullmatch, hosts)) else protocol_problem(400)


def _flaw_of_framing(headers: Message) -> Problem | None:
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
