"""Security headers of every response."""

import re

import pytest
from werkzeug.wrappers import Response

from gateway.headers import PAGE, PAGE_POLICY
from gateway.routes import RequestContext, route, rpc_route
from gateway.settings import GatewaySettings
from services.kit.rpc.operation import operation_of
from services.kit.secret_values import Key
from services.kit.settings import SettingsError
from tests.gateway_page import Page
from tests.policy_rows import authorized

authorized("gateway.page", "anonymous")
authorized("membership.list", "clerk")


@route("GET", "/page", operation_of("gateway.page"), summary="")
def a_page(context: RequestContext) -> Response:
    return Response("<p>", content_type="text/html", headers={**PAGE, "Cache-Control": "public"})


ROUTES = (a_page, rpc_route("GET", "/members", operation_of("membership.list"), summary=""))


@pytest.mark.parametrize("path", ["/members", "/nothing", "/page"])
def test_every_answer_and_every_problem_is_kept_from_other_sites(path: str) -> None:
    headers = Page(ROUTES).get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert not {"Server", "X-Powered-By", "Access-Control-Allow-Origin"} & set(headers.keys())


def test_what_the_api_answers_is_neither_kept_nor_shown_as_a_page() -> None:
    headers = Page(ROUTES).get("/members").headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; base-uri 'none'")


def test_a_page_says_of_itself_what_it_needs() -> None:
    headers = Page(ROUTES).get("/page").headers

    assert (headers["Content-Security-Policy"], headers["Cache-Control"]) == (PAGE_POLICY, "public")


def test_no_page_runs_scripts_but_those_of_our_own_files() -> None:
    rules = dict(rule.split(" ", 1) for rule in PAGE_POLICY.split("; "))

    assert (rules["default-src"], rules["script-src"], rules["object-src"]) == ("'none'", "'self'", "'none'")
    assert (rules["base-uri"], rules["form-action"], rules["frame-ancestors"]) == ("'none'", "'self'", "'none'")
    assert rules["media-src"] == "'self'"
    assert "unsafe" not in PAGE_POLICY
    assert not re.search(r"https?:|\*", PAGE_POLICY)


@pytest.mark.parametrize("by_https", [True, False])
def test_browsers_are_kept_to_https_where_there_is_https(by_https: bool) -> None:
    response = Page(ROUTES, secure=by_https).get("/members")

    assert ("Strict-Transport-Security" in response.headers) == by_https


def test_in_production_the_names_of_the_site_must_be_told() -> None:
    secret = Key("bm90IGEgc2VjcmV0IGJ1dCBhIGtleSBvZiB0ZXN0cyE=")

    with pytest.raises(SettingsError, match="ALLOWED_HOSTS"):
        GatewaySettings(secret)

    named = GatewaySettings(secret, allowed_hosts="Cards.example, cards.example:8443,")
    assert named.hosts == {"cards.example", "cards.example:8443"}
    assert GatewaySettings(secret, environment="demo").hosts == frozenset()
