"""Roles, host and origin are checked on each route."""

from contextlib import nullcontext

import pytest
from marshmallow import Schema, fields
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from gateway.policy import check_origin
from gateway.reading import JSON_LIMIT
from gateway.routes import rpc_route
from services.kit.problems import Forbidden
from services.kit.rpc.operation import UnknownOperation, operation_of
from tests.gateway_page import Page
from tests.policy_rows import authorized

authorized("notification.list", "anonymous")
authorized("revocation.list", "reviewer")
authorized("membership.invite", "clerk", "reviewer")


class Anything(Schema):
    name = fields.String()


ROUTES = (
    rpc_route("GET", "/notices", operation_of("notification.list"), summary=""),
    rpc_route("GET", "/reviews", operation_of("revocation.list"), summary=""),
    rpc_route("POST", "/members", operation_of("membership.invite"), request=Anything, summary=""),
)


@pytest.fixture
def page() -> Page:
    page = Page(ROUTES)
    page.services["notification"].answers["list"] = {}
    page.services["revocation"].answers["list"] = {}
    page.services["membership"].answers["invite"] = {}
    return page


def test_a_route_that_the_policy_does_not_name_cannot_be_declared() -> None:
    with pytest.raises(UnknownOperation, match=r"membership.list_secrets"):
        rpc_route("GET", "/open", operation_of("membership.list_secrets"), summary="")


def test_a_route_for_everybody_asks_as_somebody_anonymous(page: Page) -> None:
    assert page.get("/notices").status_code == 200
    assert page.services["notification"].calls[0].caller.roles == {"anonymous"}


def test_an_anonymous_caller_is_refused_where_a_role_is_required(page: Page) -> None:
    response = page.get("/reviews")

    assert (response.status_code, response.get_json(force=True)["code"]) == (401, "not_signed_in")


def test_another_role_is_not_enough(page: Page) -> None:
    page.sign_in_as("clerk", "operator")

    response = page.get("/reviews")

    assert (response.status_code, response.get_json(force=True)["code"]) == (403, "forbidden")
    assert page.services["revocation"].calls == []


def test_one_of_the_roles_is_enough(page: Page) -> None:
    page.sign_in_as("operator", "reviewer")

    assert page.post("/members", json={}).status_code == 200


def test_roles_are_checked_before_the_body_is_read(page: Page) -> None:
    assert page.post("/members", data=b"{" * (JSON_LIMIT + 1), content_type="application/json").status_code == 401


@pytest.mark.parametrize(
    ("headers", "is_let_in"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, True),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "http://LOCALHOST"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Idempotency-Key": "1"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"}, False),
        ({"Sec-Fetch-Site": "same-origin,cross-site"}, False),
        ({"Sec-Fetch-Site": "anything"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "http://localhost.evil.example"}, False),
        ({"Origin": "http://localhost@evil.example"}, False),
        ({"Origin": "http://localhost:8080"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Origin": "https://evil.example", "Idempotency-Key": "1"}, False),
        ({"Referer": "https://evil.example/"}, True),
    ],
)
def test_a_change_is_allowed_by_the_site_that_it_comes_from(
    page: Page, headers: dict[str, str], is_let_in: bool
) -> None:
    page.sign_in_as("clerk")

    response = page.post("/members", json={}, headers=headers)

    assert response.status_code == (200 if is_let_in else 403)
    if not is_let_in:
        assert response.get_json(force=True)["code"] == "cross_site"
        assert page.services["membership"].calls == []


@pytest.mark.parametrize(
    ("method", "content_type", "headers", "is_let_in"),
    [
        ("POST", "application/json", {}, True),
        ("POST", "application/json; charset=utf-8", {}, True),
        ("POST", None, {"Idempotency-Key": "1"}, True),
        ("POST", None, {"X-Requested-With": "curl"}, True),
        ("POST", None, {}, False),
        ("POST", "text/plain", {}, False),
        ("POST", "text/plain; application/json", {}, False),
        ("POST", "application/x-www-form-urlencoded", {}, False),
        ("POST", "multipart/form-data; boundary=x", {}, False),
        ("POST", "multipart/form-data; boundary=x", {"Sec-Fetch-Site": "same-origin"}, True),
        ("PATCH", None, {}, True),
        ("DELETE", None, {}, True),
    ],
)
def test_a_change_without_origin_headers_must_be_one_that_no_foreign_page_can_send(
    method: str, content_type: str | None, headers: dict[str, str], is_let_in: bool
) -> None:
    request = Request(EnvironBuilder(method=method, content_type=content_type, headers=Headers(headers)).get_environ())

    with nullcontext() if is_let_in else pytest.raises(Forbidden):
        check_origin(request)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_question_may_come_from_anywhere(page: Page, method: str) -> None:
    assert page.open("/notices", method=method, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_no_foreign_page_is_promised_anything_before_it_asks(page: Page) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    response = page.options("/members", headers=headers)

    assert response.status_code // 100 != 2
    assert not any(name.startswith("Access-Control") for name, _ in response.headers)


@pytest.mark.parametrize(
    ("host", "status"),
    [("cards.example", 200), ("CARDS.example", 200), ("cards.example:8080", 421), ("evil.example", 421)],
)
def test_only_our_own_names_are_answered_to(page: Page, host: str, status: int) -> None:
    page.hosts = frozenset({"cards.example"})

    assert page.get("/notices", headers={"Host": host}).status_code == status


def test_a_page_of_another_account_than_the_sessions_is_refused_before_anything_is_called(page: Page) -> None:
    caller = page.sign_in_as("reviewer")

    assert page.get("/reviews", headers={"X-Account-Id": str(caller.account_id)}).status_code == 200
    calls = len(page.services["revocation"].calls)
    refused = page.get("/reviews", headers={"X-Account-Id": "another"})

    assert (refused.status_code, refused.json and refused.json["code"]) == (409, "other_account")
    assert len(page.services["revocation"].calls) == calls


def test_a_page_without_a_session_is_sent_to_the_sign_in_whatever_account_it_was_of(page: Page) -> None:
    assert page.get("/reviews", headers={"X-Account-Id": "another"}).status_code == 401
    assert page.get("/notices", headers={"X-Account-Id": "another"}).status_code == 200
