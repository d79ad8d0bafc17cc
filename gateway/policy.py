"""Holds a request against the policy, and against the pages that it may come from, before anything of it is read."""

from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from services.kit.problems import Forbidden, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Permission

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGES = frozenset({"same-origin", "none"})


class NotSignedIn(Problem):
    """The route is for those who are signed in."""

    def __init__(self) -> None:
        super().__init__("not_signed_in", 401, "请先登录", "尚未登录或登录已失效，请登录后重试。")


def check_roles(rule: Permission, caller: Caller | None) -> None:
    """Lets pass whom the rule lets in; raises Problem 401 for nobody and 403 for somebody else."""
    if rule.allows(caller.roles if caller else ()):
        return
    raise Forbidden if caller else NotSignedIn


def check_host(request: Request, hosts: frozenset[str]) -> None:
    """Lets pass what was sent to one of our names; raises Problem 421 for another, which a proxy or browser made up."""
    if hosts and request.host.lower() not in hosts:
        raise Problem("unknown_host", 421, "请求的网站名称有误", "请通过本系统的正式网址访问。")


def check_origin(request: Request) -> None:
    """Lets pass what our own pages and programs send; raises Problem 403 for what another site's page may have sent.

    Browsers name where a changing request comes from in `Sec-Fetch-Site` or `Origin`, and no script can forge these.
    Programs name neither, and nor did old browsers; so without them a request must be one that no page can make a
    browser send to a foreign site unasked: JSON, another method than POST, or with a header of our own.
    """
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site:
        is_own = site in _OWN_PAGES
    elif origin is not None:
        is_own = urlsplit(origin).netloc.lower() == request.host.lower()
    else:
        is_own = _asks_browsers_first(request)
    if not is_own:
        raise Forbidden("cross_site", "不接受来自其他网站的请求", "请在本系统的页面中操作。")


def _asks_browsers_first(request: Request) -> bool:
    """Whether a browser would ask us by a preflight, which we never grant, before it sent this for a foreign page."""
    return (
        request.mimetype == "application/json"
        or request.method != "POST"
        or "Idempotency-Key" in request.headers
        or "X-Requested-With" in request.headers
    )
