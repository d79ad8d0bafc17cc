"""The OpenAPI document and a page of our own to read it, which needs no other site."""

from pathlib import Path

from werkzeug.wrappers import Response

from gateway import openapi
from gateway.answers import json_answer
from gateway.headers import PAGE
from gateway.routes import RequestContext, Route, gateway_query, route
from services.kit.rpc.operation import ANONYMOUS, no_union

_DOCUMENTATION = gateway_query("documentation", no_union(ANONYMOUS))


_FOLDER = Path(__file__).parent


@route("GET", "/api/openapi.json", _DOCUMENTATION, summary="The OpenAPI document")
def openapi_document(context: RequestContext) -> Response:
    return json_answer(openapi.document())


def _file(path: str, name: str, content_type: str) -> Route:
    content = (_FOLDER / name).read_bytes()

    @route("GET", path, _DOCUMENTATION, summary=f"Part of the page that shows the document: {name}")
    def part(context: RequestContext) -> Response:
        return Response(content, content_type=content_type, headers=PAGE)

    return part


ROUTES = (
    openapi_document,
    _file("/api/docs", "page.html", "text/html; charset=utf-8"),
    _file("/api/docs/page.css", "page.css", "text/css; charset=utf-8"),
    _file("/api/docs/page.js", "page.js", "text/javascript; charset=utf-8"),
)
