"""Generated requests for each operation, by each role that may use it: every answer fits the OpenAPI document.

`FUZZ_EXAMPLES` is their number for each operation; `make fuzz` sends 200. Separate processes generate them, for
Hypothesis cannot work in two threads.
"""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from deploy.local.client import ApiClient
from deploy.local.stack import Stack
from gateway.api import ROUTES
from gateway.routes import Route
from services.membership.seed import FLEXIBLE_PHONES, demo_password
from tests.e2e.matrix_world import an_account
from tests.fuzzing import Cookies, fuzz_over_http
from tests.phones import signed_in

pytestmark = pytest.mark.long("thousands of requests over HTTP")

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
_AT_ONCE = 3
_APART = frozenset({"GET /api/v1/stream", "DELETE /api/v1/sessions/current"})
"""One never ends, and one ends the session that all others use."""
FUZZED = [route for route in ROUTES if f"{route.method} {route.template}" not in _APART]


@pytest.fixture(scope="module")
def outcomes(stack: Stack) -> Iterator[dict[Route, "Future[str]"]]:
    """What the fuzzing of each operation found, or will find."""
    member = signed_in(stack, FLEXIBLE_PHONES[1]).http.cookies.get_dict()
    cookies, of_guessers = {**_cookies(stack), "member": member}, _cookies(stack)

    def begin(route: Route) -> "Future[str]":
        known = of_guessers if _guesses(route) else cookies
        who: Cookies = {role: cookie for role, cookie in known.items() if role in route.rule.roles}
        return pool.submit(fuzz_over_http, stack.gateway_url, route.method, route.template, who, EXAMPLES)

    with ProcessPoolExecutor(_AT_ONCE, multiprocessing.get_context("spawn")) as pool:
        yield {route: begin(route) for route in FUZZED}
        pool.shutdown(cancel_futures=True)


def _cookies(stack: Stack) -> dict[str, dict[str, str]]:
    """New accounts, one for each role of staff: failed sign-ins lock no account of other tests."""
    city = ApiClient(stack.gateway_url).sign_in("city", demo_password())
    own = city.account["union"]["union_id"]
    district = city.get("unions", q="长宁区总工会")["items"][0]["union_id"]
    unions = {"clerk": district, "reviewer": district, "administrator": district, "operator": own}
    clients = {role: an_account(city, union_id, [role]) for role, union_id in unions.items()}
    return {role: client.http.cookies.get_dict() for role, client in clients.items()}


def _guesses(route: Route) -> bool:
    """Whether wrong values count as guesses, which lock the account and end its sessions."""
    return any(word in route.path for word in ("password", "second-factor"))


@pytest.mark.parametrize("route", FUZZED, ids=lambda route: f"{route.method} {route.template}")
def test_every_answer_is_one_that_the_document_knows(route: Route, outcomes: dict[Route, "Future[str]"]) -> None:
    assert outcomes[route].result() == ""


def test_what_is_left_out_is_asked_apart(stack: Stack) -> None:
    client = ApiClient(stack.gateway_url).sign_in("gubei", demo_password())
    with client.http.get(f"{stack.gateway_url}/api/v1/stream", stream=True, timeout=60) as stream:
        assert (stream.status_code, stream.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    client.delete("sessions/current")
    assert client.http.get(f"{stack.gateway_url}/api/v1/me", timeout=60).status_code == 401
