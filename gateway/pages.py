"""Serves the pages: the console for every path outside the API, the phone pages under /m, and the files they load.

The build puts a content hash into the name of each file in `assets/`, so that browsers may cache it for ever; the two
HTML documents that name these files are fetched anew each time. Videos have lasting names, since guides link to them:
browsers ask each time whether one has changed, and players fetch the parts that they play.
"""

from pathlib import Path

from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Request, Response

from gateway.headers import PAGE
from gateway.routes import RequestContext, gateway_query, route
from services.kit.problems import Problem
from services.kit.rpc.operation import ANONYMOUS, no_union

_PAGES = gateway_query("pages", no_union(ANONYMOUS))


DIST = Path(__file__).parent / "web" / "dist"
"""The build's output; read at each request, so that a new build needs no restart."""

_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".woff2": "font/woff2",
}
_COMPRESSED = frozenset({".css", ".html", ".js", ".svg"})


def are_built() -> bool:
    """Whether there are pages to serve."""
    return (DIST / "index.html").is_file()


class PagePath(BaseConverter):
    """Matches the path of a page: any that belongs neither to the API nor to assets or videos.

    The first segment has no dot, since a dot there means a file. The following segments are data, such as the name of
    a queue or the id of a message, and may be anything.
    """

    regex = r"(?s:(?!(?:api|assets|videos)(?:/|$))[^/.]+(?:/.*)?)"
    part_isolating = False


@route("GET", "/", _PAGES, summary="The console")
def console(context: RequestContext) -> Response:
    return _document(context.request, "index.html")


@route("GET", "/<page:path>", _PAGES, summary="A page of the console or the phone; which one its script knows")
def page(context: RequestContext) -> Response:
    is_phone = context.path_values["path"].partition("/")[0] == "m"
    return _document(context.request, "m/index.html" if is_phone else "index.html")


@route("GET", "/assets/<file>", _PAGES, summary="A file that pages load")
def asset(context: RequestContext) -> Response:
    response = _file(context.request, _built("assets", context.path_values["file"]))
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@route("GET", "/videos/<file>", _PAGES, summary="A video of the guides, its captions, or its first picture")
def video(context: RequestContext) -> Response:
    path = _built("videos", context.path_values["file"])
    response = _file(context.request, path)
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    return response.make_conditional(context.request, accept_ranges=True, complete_length=path.stat().st_size)


ROUTES = (console, page, asset, video)


def _built(folder: str, name: str) -> Path:
    """Returns the path of a file of the build; raises NotFound."""
    path = DIST / folder / name
    if path.suffix not in _CONTENT_TYPES or not path.is_file():
        raise NotFound
    return path


def _document(request: Request, name: str) -> Response:
    path = DIST / name
    if not path.is_file():
        raise Problem("pages_not_built", 503, "页面尚未生成", "请联系运维人员生成页面。")
    response = _file(request, path)
    response.headers["Cache-Control"] = "no-cache"
    response.headers.update(PAGE)
    response.add_etag()
    return response.make_conditional(request)


def _file(request: Request, path: Path) -> Response:
    """Returns the file, or the compressed copy that the build made of it, if the browser accepts that."""
    response = Response(content_type=_CONTENT_TYPES[path.suffix])
    if path.suffix in _COMPRESSED:
        response.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip") > 0:
            response.content_encoding = "gzip"
            path = path.with_name(f"{path.name}.gz")
    response.set_data(path.read_bytes())
    return response
