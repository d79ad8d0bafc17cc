"""No request from outside determines the address of an outgoing request."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import ROOT

_CLIENTS = {"requests", "urllib", "urllib3", "http", "httpx", "aiohttp"}
_HARMLESS = {"urllib.parse", "http.HTTPStatus"}
_VERBS = {"get", "post", "put", "patch", "delete", "head", "request"}
KNOWN = {
    "services/kit/events/failures.py": 0,
    "services/notification/sms.py": 1,
    "services/validation/registry.py": 1,
}
"""The modules that import a client of HTTP, and how many calls each makes; both ask addresses of their settings."""


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


@functools.cache
def sources() -> dict[str, ast.AST]:
    files = [file for folder in ("services", "gateway") for file in (ROOT / folder).rglob("*.py")]
    own = [file for file in files if not {"node_modules", "web"} & set(file.relative_to(ROOT).parts)]
    return {file.relative_to(ROOT).as_posix(): ast.parse(Path(file).read_text("utf-8")) for file in own}


def calls_of(tree: ast.AST) -> list[ast.Call]:
    """Calls of a client: those of an HTTP verb that bound their time."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _VERBS
        and any(keyword.arg == "timeout" for keyword in node.keywords)
    ]


def test_only_these_modules_can_send_requests() -> None:
    senders = {
        path
        for path, tree in sources().items()
        if any(name.partition(".")[0] in _CLIENTS and not name.startswith(tuple(_HARMLESS)) for name in imported(tree))
    }

    assert senders == set(KNOWN)


@pytest.mark.parametrize(("path", "calls"), KNOWN.items())
def test_they_follow_no_redirect_and_take_the_address_from_their_settings(path: str, calls: int) -> None:
    found = calls_of(sources()[path])

    assert len(found) == calls
    for call in found:
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert options["allow_redirects"] == "False"
        assert "url" in ast.unparse(call.args[0])
        assert "settings" in ast.unparse(call.args[0]) or ast.unparse(call.args[0]) == "self._url"
