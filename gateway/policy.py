"""Who may use a route: roles, and the pages that requests may come from. Checked before anything is read."""

from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from services.common.messaging.rpc import Caller
from services.common.problems import Forbidden, Problem

ANYONE = frozenset({"anonymous"})
CLERK = frozenset({"clerk"})
REVIEWER = frozenset({"reviewer"})
ADMINISTRATOR = frozenset({"administrator"})
STAFF = CLERK | REVIEWER | ADMINISTRATOR
ACCOUNTS = STAFF | {"operator"}
MEMBER = frozenset({"member"})

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGES = frozenset({"same-origin", "none"})


class NotSignedIn(Problem):
    """The route is for those who are signed in."""

    def __init__(self) -> None:
        super().__init__("not_signed_in", 401, "请先登录", "尚未登录或登录已失效，请登录后重试。")


def check_roles(roles: frozenset[str], caller: Caller | None) -> None:
    """Lets pass who holds one of the roles; raises Problem 401 for nobody and 403 for somebody else."""
    if "anonymous" in roles:
        return
    if caller is None:
        raise NotSignedIn
    if roles.isdisjoint(caller.roles):
        raise Forbidden


def check_origin(request: Request) -> None:
    """Lets pass what our own pages send, and programs, which send no origin; raises Problem 403 for other sites' pages.

    Browsers name the page that a changing request comes from in `Sec-Fetch-Site` or `Origin`, and no script can forge
    these: a foreign page cannot act with the cookie of who looks at it.
    """
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    is_own = site in _OWN_PAGES if site else origin is None or urlsplit(origin).netloc == request.host
    if not is_own:
        raise Forbidden("cross_site", "不接受来自其他网站的请求", "请在本系统的页面中操作。")
