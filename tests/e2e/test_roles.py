"""Each role over HTTP: one query that it may send, and one that it may not.

tests/contract/test_gateway_answers.py and test_services_let_in.py compare every route with the policy;
test_boundaries.py and test_administration.py test the scope of roles.
"""

import pytest

from deploy.local.client import ApiClient
from deploy.local.stack import Stack
from services.contracts.operations.roles import DEPUTY, LIMITED, ROLES
from services.kit.rpc.operation import ANONYMOUS
from services.membership.seed import demo_password
from tests.desks import a_desk, a_phone, an_account, form_of, limited, people
from tests.phones import signed_in

QUESTIONS = {
    "clerk": ("pending", "unions"),
    "reviewer": ("unions", "accounts"),
    "administrator": ("accounts", "members/imports"),
    "operator": ("operations/queues", "members"),
    "member": ("personal/profile", "members"),
    LIMITED: ("me", "members"),
    ANONYMOUS: ("announcements", "members"),
}


@pytest.fixture(scope="module")
def callers(stack: Stack) -> dict[str, ApiClient]:
    """Somebody of each role."""
    desk = a_desk(stack.gateway_url)
    (person,) = people(1)
    desk.clerk.post("members", form_of(person, affiliation="flexible"))
    name = f"limited-{a_phone()}"
    newcomer = an_account(desk.office.administrator, desk.union_id, name, "clerk")
    return {
        "clerk": desk.clerk,
        "reviewer": desk.office.reviewer,
        "administrator": desk.office.administrator,
        "operator": ApiClient(stack.gateway_url).sign_in("ops", demo_password()),
        "member": signed_in(stack, person.phone),
        LIMITED: limited(newcomer, name),
        ANONYMOUS: ApiClient(stack.gateway_url),
    }


@pytest.mark.parametrize("role", [role for role in ROLES if role != DEPUTY])  # which comes beside other roles
def test_a_role_is_allowed_where_the_policy_says_and_nowhere_else(callers: dict[str, ApiClient], role: str) -> None:
    statuses = [
        callers[role].http.get(f"{callers[role].base}/api/v1/{question}", timeout=60).status_code
        for question in QUESTIONS[role]
    ]
    assert statuses == [200, 401 if role == ANONYMOUS else 403]
