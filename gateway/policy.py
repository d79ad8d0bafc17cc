"""Checks roles, host and origin of a request before its content is read."""

from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from services.kit.problems import Forbidden, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Permission

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGES = frozenset({"same-origin", "none"})


class NotSignedIn(Problem):
    """The route requires a sign-in."""

    def __init__(self) -> None:
        super().__init__("not_signed_in", 401, "请先登录", "尚未登录或登录已失效，请登录后重试。")


class OtherAccount(Problem):
    """The page belongs to another account than the session: a sign-in in another tab has replaced it."""

    def __init__(self) -> None:
        super().__init__(
            "other_account", 409, "此浏览器已改用其他账号登录", "本页面属于原账号，已停止使用，请刷新页面。"
        )


def check_account(request: Request, caller: Caller | None) -> None:
    """Raises Problem 409 if a page says by the header X-Account-Id for whom it works, and that is not the caller.

    A browser has one session for all of its tabs: otherwise a tab would show the data of another union under the name
    of the former account.
    """
    expected = request.headers.get("X-Account-Id")
    if expected is not None and caller is not None and caller.account_id not in (None, expected):
        raise OtherAccount


def check_roles(rule: Permission, caller: Caller | None) -> None:
    """Raises Problem 401 if the rule requires a sign-in and there is none, and 403 if the caller's roles do not fit."""
    if rule.allows(caller.roles if caller else ()):
        return
    raise Forbidden if caller else NotSignedIn


def check_host(request: Request, hosts: frozenset[str]) -> None:
    """Raises Problem 421 for a request to a host that is none of our names: the header was forged or misrouted."""
    if hosts and request.host.lower() not in hosts:
        raise Problem("unknown_host", 421, "请求的网站名称有误", "请通过本系统的正式网址访问。")


def check_origin(request: Request) -> None:
    """Raises Problem 403 for a changing request that a page of another site may have sent (CSRF).

    Browsers state where a changing request comes from in `Sec-Fetch-Site` or `Origin`, which no script can forge.
    Programs and old browsers send neither. Without them, a request must be one that a browser sends to another site
    only after a preflight: JSON, another method than POST, or with a header of our own.
    """
    if request.method in SAFE_METHODS:
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
    """Whether a browser sends this for another site's page only after a preflight, which we never grant."""
    return (
        request.mimetype == "application/json"
        or request.method != "POST"
        or "Idempotency-Key" in request.headers
        or "X-Requested-With" in request.headers
    )
