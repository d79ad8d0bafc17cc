"""What nginx says of the pages in place of the gateway is what the gateway says."""

import re
from pathlib import Path

import pytest
from werkzeug.wrappers import Response

from gateway import headers
from gateway.api import ROUTES
from gateway.reading import ATTACHMENTS_LIMIT, JSON_LIMIT, UPLOAD_LIMIT

_FOLDER = Path(__file__).parents[2] / "deploy" / "compose" / "nginx"
_ADDED = re.compile(r'^add_header (\S+) "(.*)" always;$', re.MULTILINE)
_HSTS = "Strict-Transport-Security"


def added(name: str) -> dict[str, str]:
    """The headers that a file of nginx's configuration adds."""
    return dict(_ADDED.findall((_FOLDER / name).read_text()))


def secured(**own: str) -> dict[str, str]:
    """The headers of an answer of the gateway that sets these itself."""
    response = Response(headers={name.replace("_", "-"): value for name, value in own.items()})
    headers.secure(response, by_https=True)
    return {name: value for name, value in response.headers if name not in ("Content-Type", "Content-Length", _HSTS)}


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("page_headers.conf", {"Cache_Control": "no-cache", "Content_Security_Policy": headers.PAGE_POLICY}),
        ("asset_headers.conf", {"Cache_Control": "public, max-age=31536000, immutable"}),
        ("video_headers.conf", {"Cache_Control": "no-cache"}),
        ("problem_headers.conf", {}),
    ],
)
def test_nginx_adds_the_headers_that_the_gateway_would(file: str, own: dict[str, str]) -> None:
    assert added(file) == secured(**own)
    assert f"add_header {_HSTS} $strict_transport always;" in (_FOLDER / file).read_text()


def test_browsers_are_told_to_insist_on_https_as_the_gateway_tells_them() -> None:
    response = Response()
    headers.secure(response, by_https=True)
    assert f'default "{response.headers[_HSTS]}";' in (_FOLDER / "nginx.conf").read_text()


def test_large_bodies_pass_where_a_route_takes_them_and_nowhere_else() -> None:
    text = (_FOLDER / "nginx.conf").read_text()
    (pattern,) = re.findall(r"location ~ (\S+) \{\s+include gateway\.conf;\s+client_max_body_size 29m;", text)
    large = {route.template for route in ROUTES if route.uploads or route.body_limit > JSON_LIMIT}
    assert large
    assert {path for path in large if re.search(pattern, path)} == large
    assert UPLOAD_LIMIT < ATTACHMENTS_LIMIT < 29 << 20
    assert JSON_LIMIT < 1100 << 10
