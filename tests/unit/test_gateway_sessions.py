"""Sessions of the gateway: signed cookies, the cache and its time, and forged sessions."""

from collections.abc import Callable
from typing import Any

import pytest
from itsdangerous import URLSafeSerializer
from werkzeug.wrappers import Response

from gateway.api import ROUTES as API_ROUTES
from gateway.routes import rpc_route
from gateway.sessions import CHECK_SECONDS, GRACE_SECONDS, Sessions
from services.kit.problems import DatabaseReadOnly, Problem, Unavailable
from services.kit.rpc.operation import operation_of
from tests.gateway_page import SESSION_ID, Page, a_caller, a_session_answer
from tests.policy_rows import authorized

authorized("membership.list_mine", "clerk")
authorized("membership.list_news", "anonymous")

ROUTES = (
    rpc_route("GET", "/me", operation_of("membership.list_mine"), summary=""),
    rpc_route("GET", "/step", operation_of("membership.get_me"), summary=""),
    rpc_route("GET", "/news", operation_of("membership.list_news"), summary=""),
)
ENDED = Problem("session_ended", 401, "登录已失效")


@pytest.fixture
def page() -> Page:
    page = Page(ROUTES)
    page.services["membership"].answers |= {"list_mine": {}, "get_me": {}, "list_news": {}}
    page.sign_in_as("clerk")
    return page


def asked_of_sessions(page: Page) -> list[str]:
    return [call.name for call in page.services["membership"].calls if call.name.endswith("_session")]


def a_cookie(sessions: Sessions, session_id: str = SESSION_ID) -> str:
    """The header that gives a browser a session."""
    response = Response()
    sessions.start(response, a_session_answer(a_caller(session_id=session_id), 0))
    return response.headers["Set-Cookie"]


def value_of(cookie: str) -> str:
    return cookie.partition(";")[0].partition("=")[2]


def test_a_session_is_checked_again_only_after_a_while(page: Page) -> None:
    page.clock.pass_by(CHECK_SECONDS - 1)
    page.get("/me")
    assert asked_of_sessions(page) == []

    page.clock.pass_by(1)
    page.get("/me")
    page.get("/me")
    assert asked_of_sessions(page) == ["use_session"]


def test_a_check_brings_what_has_changed_of_the_caller(page: Page) -> None:
    page.services["membership"].answers["use_session"] = page.a_session_of(a_caller(["reviewer"]))

    page.clock.pass_by(CHECK_SECONDS)

    assert page.get("/me").status_code == 403


@pytest.mark.parametrize("why", ["ended", "gone idle"])
def test_a_session_that_membership_ended_is_nobodys(page: Page, why: str) -> None:
    page.services["membership"].answers["use_session"] = ENDED

    page.clock.pass_by(CHECK_SECONDS)

    assert [page.get("/me").status_code for _ in range(2)] == [401, 401]


def test_a_session_whose_end_is_published_is_invalid_at_once(page: Page) -> None:
    page.services["membership"].answers["use_session"] = ENDED

    page.sessions.forget([SESSION_ID])

    assert page.get("/me").status_code == 401


def test_an_answer_that_was_on_its_way_when_the_session_ended_does_not_count(page: Page) -> None:
    begun = page.a_session_of(a_caller())

    def ends_meanwhile(_data: dict[str, Any]) -> dict[str, Any]:
        page.sessions.forget([SESSION_ID])
        return begun

    page.services["membership"].answers["use_session"] = ends_meanwhile
    page.clock.pass_by(CHECK_SECONDS)

    assert page.get("/me").status_code == 401


def test_a_session_checked_recently_stays_valid_without_membership(page: Page) -> None:
    page.services["membership"].answers["use_session"] = Unavailable(5)

    page.clock.pass_by(GRACE_SECONDS - 1)
    assert page.get("/me").status_code == 200
    page.clock.pass_by(1)
    assert page.get("/me").status_code == 503


def test_a_session_stays_valid_while_membership_is_read_only(page: Page) -> None:
    page.services["membership"].answers["use_session"] = DatabaseReadOnly(5)

    page.clock.pass_by(GRACE_SECONDS)

    assert page.get("/me").status_code == 200
    assert asked_of_sessions(page)[-2:] == ["use_session", "look_at_session"]


def test_a_session_that_this_process_has_not_seen_waits_for_membership(page: Page) -> None:
    page.services["membership"].answers["use_session"] = Unavailable(5)
    page.set_cookie("session", value_of(a_cookie(Sessions("secret of the tests", secure=False), "another")))

    assert page.get("/me").status_code == 503


def test_a_limited_session_is_checked_each_time(page: Page) -> None:
    page.sign_in_as("limited")

    page.get("/step")
    page.get("/step")
    page.services["membership"].answers["use_session"] = page.a_session_of(a_caller())

    assert asked_of_sessions(page) == ["use_session"] * 2
    assert page.get("/me").status_code == 200


@pytest.mark.parametrize("headers", [{"X-Background": "1"}, {"Accept": "text/event-stream"}])
def test_background_requests_of_a_page_do_not_keep_a_session_from_going_idle(
    page: Page, headers: dict[str, str]
) -> None:
    for _ in range(3):
        page.clock.pass_by(CHECK_SECONDS - 1)
        page.get("/me", headers=headers)
    page.get("/me")

    assert asked_of_sessions(page) == ["look_at_session", "use_session"]


def test_a_route_for_everybody_asks_for_no_session(page: Page) -> None:
    page.clock.pass_by(CHECK_SECONDS)

    assert page.get("/news").status_code == 200
    assert asked_of_sessions(page) == []


@pytest.mark.parametrize("forge", [lambda: "", lambda: "e30.forged", lambda: "é", lambda: SESSION_ID])
def test_a_cookie_that_we_did_not_sign_is_nobody_and_costs_no_question(page: Page, forge: Callable[[], str]) -> None:
    page.set_cookie("session", forge())

    assert page.get("/me").status_code == 401
    assert asked_of_sessions(page) == []


def test_a_cookie_signed_with_another_secret_is_nobody(page: Page) -> None:
    page.set_cookie("session", value_of(a_cookie(Sessions("another secret", secure=False))))

    assert page.get("/me").status_code == 401


def test_scripts_and_other_sites_do_not_get_the_cookie_and_it_goes_with_the_browser() -> None:
    cookie = a_cookie(Sessions("secret", secure=True))

    assert cookie.startswith("__Host-session=")
    assert set(cookie.split("; ")[1:]) == {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"}


def test_the_cookie_says_nothing_of_who_signed_in(page: Page) -> None:
    value = value_of(a_cookie(page.sessions))

    assert URLSafeSerializer("without a key").load_payload(value.rpartition(".")[0].encode()) == SESSION_ID


@pytest.fixture
def signed_in() -> Page:
    """A browser at the real routes, whose clerk is `wangfang`."""
    page = Page(API_ROUTES)
    page.services["membership"].answers |= {"get_me": {"account_name": "wangfang"}, "end_my_session": None}
    page.sign_in_as("clerk")
    return page


def asked_who(page: Page) -> int:
    """How often membership was asked who is signed in, after a request."""
    assert page.get("/api/v1/me").get_json()["account_name"] == "wangfang"
    return [call.name for call in page.services["membership"].calls].count("get_me")


def test_who_is_signed_in_is_asked_again_only_with_the_session(signed_in: Page) -> None:
    assert [asked_who(signed_in) for _ in range(3)] == [1, 1, 1]
    signed_in.services["membership"].answers["use_session"] = signed_in.a_session_of(a_caller())
    signed_in.clock.pass_by(CHECK_SECONDS)
    assert [asked_who(signed_in) for _ in range(2)] == [2, 2]


@pytest.mark.parametrize("answer", [None, Unavailable(5)])
def test_who_is_signed_in_is_asked_again_after_a_command_even_if_that_failed(signed_in: Page, answer: Any) -> None:
    asked_who(signed_in)
    signed_in.services["membership"].answers["end_my_session"] = answer
    signed_in.delete("/api/v1/me/sessions/7b5e1a3c-9f04-4d43-8a31-0a6f3f4b3f10")
    assert asked_who(signed_in) == 2


def test_nobody_learns_who_was_signed_in_once_the_session_has_ended(signed_in: Page) -> None:
    asked_who(signed_in)
    signed_in.services["membership"].answers["use_session"] = ENDED
    signed_in.sessions.forget([SESSION_ID])
    assert signed_in.get("/api/v1/me").status_code == 401


def test_the_account_of_a_limited_session_is_asked_each_time(signed_in: Page) -> None:
    signed_in.sign_in_as("limited")
    assert [asked_who(signed_in) for _ in range(2)] == [1, 2]
