"""Builds HTTP responses: JSON, file downloads, and problems as RFC 9457 documents."""

import base64
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from prometheus_client import Counter
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestedRangeNotSatisfiable
from werkzeug.wrappers import Response

from services.kit.problems import Problem

_answers = Counter("http_answers", "Answers over HTTP by class of status, without those to health checks.", ["class"])
for _class in ("2xx", "3xx", "4xx", "5xx"):
    _answers.labels(_class)

_PROBLEM_TYPE = "urn:union-card-services:problem:"
_LONGEST_NAME = 150
_NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|%;]')
_TITLES = {
    400: ("bad_request", "请求格式有误"),
    404: ("not_found", "未找到所查的内容"),
    405: ("method_not_allowed", "此地址不支持该操作"),
    413: ("too_large", "提交的内容过大"),
    415: ("unsupported_media_type", "不支持的内容格式"),
    416: ("range_not_satisfiable", "文件没有所请求的部分"),
}


def count_answer(status: int) -> None:
    """Counts an answer by its class of status, such as `5xx`."""
    _answers.labels(f"{status // 100}xx").inc()


def json_answer(document: Any, status: int = 200, location: str | None = None) -> Response:
    """Returns a JSON response; `location` is the path at which a created resource can be read."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    headers = {"Location": location} if location else None
    return Response(text, status, headers, content_type="application/json")


def no_content() -> Response:
    """Returns an empty response with status 204."""
    return Response(status=204)


def file_download(file: Mapping[str, Any]) -> Response:
    """Returns the file of a FileAnswer as a download under its name."""
    response = Response(base64.b64decode(file["content"]), content_type=file["content_type"])
    response.headers.set("Content-Disposition", "attachment", **_attachment(file["file_name"]))
    return response


def file_part(file: Mapping[str, Any]) -> Response:
    """Returns a part of a file, with its place in the whole; raises RequestedRangeNotSatisfiable for an empty one."""
    start, size = file["start"], file["size"]
    response = file_download(file)
    length = response.calculate_content_length() or 0
    if not length:
        raise RequestedRangeNotSatisfiable(size)
    response.status_code = 206
    response.content_range.set(start, start + length, size)
    return response


def problem_answer(problem: Problem, instance: str) -> Response:
    """Returns the problem as application/problem+json; `instance` is the path of the request."""
    document = {"type": _PROBLEM_TYPE + problem.code, **problem.to_dict(), "instance": instance}
    response = json_answer(document, problem.status)
    response.content_type = "application/problem+json"
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def http_error_answer(error: HTTPException, instance: str) -> Response:
    """Returns the problem for an error that Werkzeug found in a request: unknown path, wrong method, broken body."""
    code, title = _TITLES.get(error.code or 400, _TITLES[400])
    response = problem_answer(Problem(code, error.code or 400, title), instance)
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    if isinstance(error, RequestedRangeNotSatisfiable):
        response.headers["Content-Range"] = f"bytes */{error.length}"
    return response


def _attachment(name: str) -> dict[str, str]:
    """Returns the parameters that name a download: `filename` in ASCII, and `filename*` (RFC 5987) for other names."""
    file_name = _harmless(name)
    plain = file_name.encode("ascii", "ignore").decode().strip(". ") or "download"
    if plain == file_name:
        return {"filename": plain}
    return {"filename": plain, "filename*": "UTF-8''" + quote(file_name, safe="")}


def _harmless(file_name: str) -> str:
    """Returns the name without folders and without control, formatting and reserved characters."""
    base = re.split(r"[/\\]", file_name)[-1]
    visible = "".join(character for character in base if unicodedata.category(character)[0] != "C")
    stem, dot, ending = _NOT_IN_NAMES.sub("_", visible).strip(". ").rpartition(".")
    return f"{stem[:_LONGEST_NAME]}{dot}{ending[:10]}" or "download"
