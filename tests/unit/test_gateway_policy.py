"""Who may use which route."""

import pytest
from marshmallow import Schema, fields

from gateway.policy import ANYONE, CLERK, REVIEWER
from gateway.reading import JSON_LIMIT
from gateway.routes import rpc_route
from tests.gateway_page import Page


class Anything(Schema):
    name = fields.String()


ROUTES = (
    rpc_route("GET", "/notices", "notification.list", roles=ANYONE, summary=""),
    rpc_route("GET", "/reviews", "revocation.list", roles=REVIEWER, summary=""),
    rpc_route("POST", "/members", "membership.register", roles=CLERK | REVIEWER, request=Anything, summary=""),
)


@pytest.fixture
def page() -> Page:
    page = Page(ROUTES)
    page.services["notification"].answers["list"] = {}
    page.services["revocation"].answers["list"] = {}
    page.services["membership"].answers["register"] = {}
    return page


def test_a_route_without_roles_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match=r"GET /open"):
        rpc_route("GET", "/open", "membership.list", roles=frozenset(), summary="")


def test_a_route_for_everybody_asks_as_somebody_anonymous(page: Page) -> None:
    assert page.get("/notices").status_code == 200
    assert page.services["notification"].calls[0].caller.roles == {"anonymous"}


def test_nobody_is_let_in_where_a_role_is_asked_for(page: Page) -> None:
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
    assert page.post("/members", data=b"{" * (JSON_LIMIT + 1)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_change_that_a_foreign_page_sends_is_refused(page: Page, headers: dict[str, str]) -> None:
    page.sign_in_as("clerk")

    response = page.post("/members", json={}, headers=headers)

    assert (response.status_code, response.get_json(force=True)["code"]) == (403, "cross_site")


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}])
def test_a_change_that_our_own_page_or_a_program_sends_is_let_in(page: Page, headers: dict[str, str]) -> None:
    page.sign_in_as("clerk")

    assert page.post("/members", json={}, headers=headers).status_code == 200
