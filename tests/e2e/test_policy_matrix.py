"""The policy matrix over HTTP: every route by every role, with data of own, subordinate, superior and foreign unions.

The cells come from the routes and the policy. This module only declares how an object is named in a query or a body; a
new route with other names fails until they are declared here.
"""

from typing import Any
from uuid import uuid4

import pytest
import requests

from deploy.local.client import ApiClient
from deploy.local.stack import Stack
from gateway.api import ROUTES
from gateway.routes import WITHOUT_BODY, Route
from services.contracts.consent import CURRENT_CONSENT
from services.contracts.operations.roles import DEPUTY, ROLES
from services.kit.rpc.operation import ANONYMOUS, Scope
from services.membership.seed import demo_password
from tests.desks import a_phone
from tests.e2e.matrix_world import NOBODYS_ID, RELATIONS, Thing, World, build

pytestmark = pytest.mark.long("every route by every role over HTTP; tests/contract/test_gateway_answers.py is quicker")

FREE_NAMES = dict.fromkeys(("message_id", "announcement_id", "attachment_id", "guide_id", "code"), NOBODYS_ID)
FREE_NAMES |= {
    "queue": "batching.members_queued.dead",
    "id": NOBODYS_ID,
    "transfer_id": NOBODYS_ID,
    "delegation_id": NOBODYS_ID,
    "search_id": NOBODYS_ID,
    "kind": "sms_member_released",
    "file_id": NOBODYS_ID,
    "result_file_id": NOBODYS_ID,
    "branch_code": "icbc-sh",
}
"""Names in paths of what belongs to no union, to two, or to one's own inbox: any id will do."""

SIGNS_OUT = {"gateway.sign_out"}
STREAMS = {"gateway.stream"}
CONTACT = {"contact_name": "矩阵", "contact_phone": "13911112222"}
APPLICANT = {
    "applicant_name": "矩阵",
    "applicant_phone": "13911112222",
    "reason_code": "information",
    "reason": "3 人的证件到期日填错",
}
BELOW_ONLY = {
    "revocation.approve_revocation",
    "revocation.reject_revocation",
    "revocation.reveal_applicant",
    "membership.rename_union",
    "membership.preview_union_change",
    "membership.request_union_change",
    "membership.confirm_union_change",
    "membership.decline_union_change",
}
"""What a superior union does for those below it, and none for itself: that is 403 for one's own."""


def body_of(route: Route, thing: Thing, outlet: dict[str, str]) -> dict[str, Any]:
    """A body that the route's schema takes, which speaks of the thing where the route does."""
    bodies: dict[str, dict[str, Any]] = {
        "membership.queue_members": {"member_ids": [thing["member_id"]]},
        "membership.create_union": {"name": "新", "code": "0", "superior_union_id": thing["union_id"]},
        "membership.rename_union": {"name": "矩阵改名"},
        "membership.create_account": {
            "account_name": f"m-{uuid4().hex[:12]}",
            "display_name": "矩阵",
            "roles": ["clerk"],
            "phone": a_phone(),
        },
        "membership.request_phone_change": {"phone": a_phone(), "reason": "矩阵"},
        "membership.update_account": {"display_name": "矩阵"},
        "membership.update_member": {"address": "上海市"},
        "membership.reveal_member": {"reason": "核对"},
        "membership.register_member": {"name": "甲", "document_type": "passport", "document_number": "E0"},
        "batching.update_pending": {"nationality": "FRA"},
        "batching.submit_batch": {
            "channel": "special",
            **outlet,
            "contact_name": "矩阵",
            "contact_phone": "13911112222",
            "consent_version": CURRENT_CONSENT.version,
        },
        "membership.end_membership": {"because": "left"},
        "membership.decline_transfer": {"remark": "矩阵"},
        "batching.mark_collected": {"application_ids": [thing["application_id"]]},
        "batching.remove_pending_many": {"application_ids": [thing["application_id"]]},
        "batching.check_pending": {"application_ids": [thing["application_id"]]},
        "batching.resend_to_bank": {"what": "batch", "reason": "矩阵"},
        "revocation.request_revocation": {"batch_no": thing["batch_no"], **APPLICANT},
        "revocation.reject_revocation": {"remark": "矩阵"},
        "revocation.reveal_applicant": {"reason": "矩阵"},
        "revocation.decide_revocations": {
            "decisions": [{"revocation_id": thing["revocation_id"], "decision": "reject", "remark": "矩阵"}]
        },
        "membership.request_union_change": {"kind": "dissolve", "reason": "矩阵"},
        "membership.find_person": {"document_number": "310115196501150016"},
    }
    return bodies.get(route.allowed_by, {})


BOUND = {
    "membership.create_union",
    "membership.queue_members",
    "batching.check_pending",
    "batching.mark_collected",
    "batching.remove_pending_many",
}
BOUND |= {"revocation.request_revocation", "revocation.decide_revocations"}
"""Routes that name a union's thing in the body alone."""
OF_A_SET = {
    *("membership.queue_members", "batching.check_pending"),
    *("batching.mark_collected", "batching.remove_pending_many"),
    "revocation.decide_revocations",
}
"""Routes that take a set, and ignore or refuse one by one what is not in the caller's scope."""
ASKED = {"membership.preview_union_change": {"kind": "dissolve"}}
"""What a query needs besides the thing."""
ENDING = (
    *("DELETE /api/v1/pending/{application_id}", "POST /api/v1/pending/remove", "POST /api/v1/batches"),
    *(f"POST /api/v1/union-changes/{{change_id}}/{verdict}" for verdict in ("decline", "confirm")),
)


@pytest.fixture(scope="module")
def world(stack: Stack) -> World:
    return build(stack)


def _name(route: Route) -> str:
    return f"{route.method} {route.template}"


ASKABLE = sorted(
    (route for route in ROUTES if route.allowed_by not in SIGNS_OUT | STREAMS), key=lambda route: _name(route) in ENDING
)


@pytest.mark.parametrize("route", ASKABLE, ids=_name)
def test_a_route_answers_each_role_as_far_as_it_reaches(world: World, route: Route) -> None:
    wrong = [
        f"{role} asks for what is {relation}: {answer.status_code} {answer.text[:200]}"
        for role in ROLES
        if role != DEPUTY  # which comes beside other roles
        for relation in (RELATIONS if _is_bound(route) else RELATIONS[:1])
        if not _is_as_the_policy_has_it(route, role, relation, answer := ask(world, route, role, relation), world)
    ]
    assert wrong == []


def test_nothing_out_of_scope_has_changed(world: World, stack: Stack) -> None:
    """Runs after the tests above: none of them has changed anything out of scope."""
    city = ApiClient(stack.gateway_url).sign_in("city", demo_password())
    for relation in ("above", "foreign"):
        thing = world.things[relation]
        member = city.get(f"members/{thing['member_id']}")
        assert (member["card_state"], member["address"]) == ("pending", None)
        assert city.get(f"revocations/{thing['revocation_id']}")["state"] == "requested"
        assert city.get(f"unions/{thing['union_id']}")["name"] != "矩阵改名"
        assert not city.get(f"accounts/{thing['account_id']}")["disabled"]


def ask(world: World, route: Route, role: str, relation: str) -> requests.Response:
    """The answer to one request."""
    thing = world.things[relation]
    client = world.callers[role]
    sent: dict[str, Any] = {"headers": {"Idempotency-Key": str(uuid4())}}
    if route.uploads:
        sent["files"] = {"file": ("empty.csv", "姓名\n".encode())}
    elif route.method not in WITHOUT_BODY:
        sent["json"] = body_of(route, thing, world.outlet)
    elif _asks_by_union(route):
        sent["params"] = {"union_id": thing["union_id"]}
    else:
        sent["params"] = ASKED.get(route.allowed_by)
    named = {"change_id": thing["union_change_id"]} if route.template.startswith("/api/v1/union-changes/") else {}
    path = route.template.format_map({**FREE_NAMES, **thing, **named})
    return client.http.request(route.method, f"{client.base}{path}", timeout=60, **sent)


def _is_as_the_policy_has_it(route: Route, role: str, relation: str, answer: requests.Response, world: World) -> bool:
    if not route.rule.allows([role]):
        return answer.status_code == (401 if role == ANONYMOUS else 403)
    if answer.status_code >= 500:
        return answer.status_code == 503 and route.allowed_by == "gateway.readyz"
    if not _is_bound(route):
        return answer.status_code not in (401, 403) or _is_refused_by_a_rule(answer)
    if _reaches(route, role, relation):
        return answer.status_code not in (401, 403, 404)
    if relation == "own" and route.allowed_by in BELOW_ONLY:
        return answer.status_code == 403
    return _shows_nothing(route, answer, world.things[relation])


def _reaches(route: Route, role: str, relation: str) -> bool:
    scope = route.rule.scope_of([role])
    if route.allowed_by in BELOW_ONLY:
        return relation == "below"
    if relation == "below" or role == "operator":  # operators are of the city's union: all others are below it
        return scope == Scope.SUBORDINATES
    return relation == "own" and scope >= Scope.OWN_UNION


def _shows_nothing(route: Route, answer: requests.Response, thing: Thing) -> bool:
    """It is not there: 404, or a list without it; a set leaves it alone."""
    if answer.status_code == 404:
        return True
    if route.allowed_by in OF_A_SET:
        return answer.status_code in (200, 202, 409)
    return answer.status_code == 200 and not any(one in answer.text for one in thing.values())


def _is_refused_by_a_rule(answer: requests.Response) -> bool:
    """Rules of the field beyond the role, such as that only the city's union publishes announcements."""
    return answer.json()["code"] != "forbidden" or "市总工会" in answer.json().get("detail", "")


def _is_bound(route: Route) -> bool:
    """Whether the route names an object of a union, so that its relation to the caller matters."""
    if all(scope == Scope.NO_UNION for _, scope in route.rule.scope_of_role):
        return False
    names = set(route.path_names) - FREE_NAMES.keys()
    return bool(names) or _asks_by_union(route) or route.allowed_by in BOUND


def _asks_by_union(route: Route) -> bool:
    fields = route.request().fields if route.request else {}
    return route.method == "GET" and "union_id" in fields and "union_id" not in route.path_names
