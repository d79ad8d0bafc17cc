"""How long a session lives, and that nobody can make one."""

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from gateway.policy import CLERK
from gateway.routes import rpc_route
from gateway.sessions import IDLE_SECONDS, LONGEST_SECONDS, Sessions
from tests.gateway_page import Page, a_caller

ROUTES = (rpc_route("GET", "/me", "membership.get_me", roles=CLERK, summary=""),)


@pytest.fixture
def page() -> Page:
    page = Page(ROUTES)
    page.services["membership"].answers["get_me"] = {}
    page.sign_in_as("clerk")
    return page


def test_a_session_that_is_used_lives_on(page: Page) -> None:
    for _ in range(10):
        page.clock.pass_by(IDLE_SECONDS - 60)
        assert page.get("/me").status_code == 200


def test_an_idle_session_ends(page: Page) -> None:
    page.clock.pass_by(IDLE_SECONDS)

    assert page.get("/me").status_code == 401


def test_a_session_ends_after_its_longest_time_although_it_is_used(page: Page) -> None:
    for _ in range(LONGEST_SECONDS // 1200 - 1):
        page.clock.pass_by(1200)
        assert page.get("/me").status_code == 200
    page.clock.pass_by(1200)

    assert page.get("/me").status_code == 401


def test_the_cookie_is_written_anew_once_a_minute_at_most(page: Page) -> None:
    page.clock.pass_by(59)
    assert "Set-Cookie" not in page.get("/me").headers

    page.clock.pass_by(1)
    assert "Set-Cookie" in page.get("/me").headers


@pytest.mark.parametrize("cookie", ["", "e30.forged", "not a token", "é"])
def test_a_cookie_that_we_did_not_sign_is_nobody(page: Page, cookie: str) -> None:
    page.set_cookie("session", cookie)

    assert page.get("/me").status_code == 401


def test_a_cookie_signed_with_another_secret_is_nobody(page: Page) -> None:
    response = Response()
    Sessions("another secret", secure=False, now=page.clock).start(response, a_caller())
    page.set_cookie("session", response.headers["Set-Cookie"].partition(";")[0].partition("=")[2])

    assert page.get("/me").status_code == 401


def test_scripts_and_other_sites_do_not_get_the_cookie() -> None:
    response = Response()
    Sessions("secret", secure=True).start(response, a_caller())

    cookie = response.headers["Set-Cookie"]
    assert all(attribute in cookie for attribute in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/"))


def test_the_session_gives_back_who_signed_in() -> None:
    sessions, response = Sessions("secret", secure=False), Response()
    sessions.start(response, a_caller(("clerk", "reviewer")))
    cookie = response.headers["Set-Cookie"].partition(";")[0]

    session = sessions.read(Request({**EnvironBuilder().get_environ(), "HTTP_COOKIE": cookie}))

    assert session is not None
    assert session.caller == a_caller(("clerk", "reviewer"))
