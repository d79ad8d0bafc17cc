"""Each route in this process: by each role and with generated requests, as the policy and the OpenAPI document say.

The services behind answer as their contracts say. Over HTTP the same is done by tests/e2e/test_policy_matrix.py and
tests/e2e/test_fuzz.py.
"""

from itertools import chain
from typing import Any

import pytest
from schemathesis.transport.wsgi import WSGI_TRANSPORT

from gateway import queue_depths
from gateway.api import ROUTES
from gateway.routes import Route
from services.contracts.operations.membership.identity import RequestOtpForm, SignInForm
from services.contracts.operations.membership.members import RegisterMemberRequest
from services.contracts.operations.roles import ROLES
from services.kit.rpc.operation import ANONYMOUS
from services.kit.schemas import schema_of
from tests.answering_gateway import a_page_of, calls_to_services
from tests.fuzzing import fuzz, right_requests
from tests.gateway_page import Page

EXAMPLES = 5
_TRIES = (2, 30)
"""How many requests are made first, and then."""
_ANSWERED_BY_THE_GATEWAY = {
    "gateway.consent_text",
    "gateway.healthz",
    "gateway.list_queues",
    "gateway.modules",
    "gateway.readyz",
    "gateway.support",
}
_SIGNS_OUT, _STREAM = "gateway.sign_out", "gateway.stream"
_NAMES = {"queue": "batching.members_queued.dead"}
"""Names in paths of which the document does not say that there are few."""
ASKED = [route for route in ROUTES if route.allowed_by != _STREAM]


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The depth of one queue."""
    monkeypatch.setattr(queue_depths, "depths", lambda names: [(name, 0, 1) for name in list(names)[:1]])
    monkeypatch.setattr(queue_depths, "depths_of_all", lambda: ([("membership.requests", 0, 1)], []))


def name_of(route: Route) -> str:
    return f"{route.method} {route.template}"


def send(case: Any, page: Page) -> Any:
    case.cookies = {}  # the page has its own
    return WSGI_TRANSPORT.send(case, session=page, app=page.application)


@pytest.mark.parametrize("route", ASKED, ids=name_of)
def test_every_answer_is_one_that_the_document_knows(route: Route) -> None:
    assert fuzz(route.method, route.template, ROLES, EXAMPLES, lambda case, role: send(case, a_page_of(role))) == ""


@pytest.mark.parametrize("route", ASKED, ids=name_of)
def test_a_service_is_called_only_for_roles_that_the_policy_allows(route: Route) -> None:
    request = a_request_that_is_answered(route)
    for role in ROLES:
        page = a_page_of(role)
        answer = send(request, page)
        calls = calls_to_services(page)
        if not route.rule.allows([role]):
            assert (answer.status_code, calls) == (401 if role == ANONYMOUS else 403, []), role
            continue
        assert answer.status_code == route.status, role
        is_known = role != ANONYMOUS or route.allowed_by != _SIGNS_OUT
        assert bool(calls) == (is_known and route.allowed_by not in _ANSWERED_BY_THE_GATEWAY), role
        assert {call.caller.roles for call in calls} <= {frozenset([role if reads_session(route) else ANONYMOUS])}, role


@pytest.mark.parametrize("role", ROLES)
def test_the_stream_is_opened_for_roles_that_the_policy_allows(role: str) -> None:
    (route,) = [route for route in ROUTES if route.allowed_by == _STREAM]
    answer = a_page_of(role).get(route.path, buffered=False)
    refused = 401 if role == ANONYMOUS else 403
    assert answer.status_code == (200 if route.rule.allows([role]) else refused)
    answer.close()


def reads_session(route: Route) -> bool:
    """Whether its services receive the caller; those of other routes are called anonymously."""
    return route.reads_session or not route.is_public or route.allowed_by == _SIGNS_OUT


def a_request_that_is_answered(route: Route) -> Any:
    """One that keeps to the document and to what it does not say, such as that two dates are in their order."""
    role = min(route.rule.roles)
    for case in chain.from_iterable(right_requests(route.method, route.template, number) for number in _TRIES):
        case.path_parameters |= {name: value for name, value in _NAMES.items() if name in case.path_parameters}
        if route.request is schema_of(RegisterMemberRequest):
            case.body["name"] = "王芳"  # the document does not list the characters that names have
        if route.request is schema_of(SignInForm):
            case.body |= a_page_of(ANONYMOUS).answered_captcha()
        if route.request is schema_of(RequestOtpForm):
            case.body |= a_page_of(ANONYMOUS).answered_captcha("sms_code")
        if send(case, a_page_of(role)).status_code == route.status:
            return case
    raise AssertionError(f"none of {sum(_TRIES)} requests is answered")
