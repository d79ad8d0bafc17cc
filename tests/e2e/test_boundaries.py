"""Scope of callers over the API of a whole stack: nobody reads or changes data of other unions."""

from typing import Any

import pytest

from deploy.local.client import ApiClient, ApiProblem
from deploy.local.stack import Stack
from services.membership.seed import demo_password
from tests.desks import Desk, a_desk, a_desk_below, a_foreigner, an_office_below, people


@pytest.fixture(scope="module")
def desk(stack: Stack) -> Desk:
    """A desk with a member of each channel."""
    desk = a_desk(stack.gateway_url)
    desk.register(*people(1), a_foreigner())
    return desk


@pytest.fixture(scope="module")
def clerk(desk: Desk) -> ApiClient:
    return desk.clerk


@pytest.fixture(scope="module")
def foreign(stack: Stack) -> Desk:
    """A desk below another superior union."""
    return a_desk_below(an_office_below(ApiClient(stack.gateway_url).sign_in("yangpu-admin", demo_password())))


@pytest.fixture(scope="module")
def foreign_clerk(foreign: Desk) -> ApiClient:
    return foreign.clerk


@pytest.fixture(scope="module")
def foreign_reviewer(foreign: Desk) -> ApiClient:
    return foreign.office.reviewer


@pytest.fixture(scope="module")
def batch_no(desk: Desk) -> str:
    """A batch of the special channel."""
    return desk.submit_all("special")


def refusal(call: Any, *arguments: Any, **named: Any) -> int:
    with pytest.raises(ApiProblem) as problem:
        call(*arguments, **named)
    return problem.value.status


def test_another_unions_member_is_not_there(clerk: ApiClient, foreign_clerk: ApiClient) -> None:
    member_id = clerk.get("members")["items"][0]["member_id"]
    assert refusal(foreign_clerk.get, f"members/{member_id}") == 404
    assert refusal(foreign_clerk.patch, f"members/{member_id}", {"address": "x"}) == 404
    assert refusal(foreign_clerk.post, "members/queue", {"member_ids": [member_id]}) == 409


def test_another_unions_batch_is_not_there(foreign_clerk: ApiClient, clerk: ApiClient, batch_no: str) -> None:
    for path in ("", "/members", "/register.pdf", "/register.xlsx", "/attachments.zip"):
        assert refusal(foreign_clerk.get, f"batches/{batch_no}{path}") == 404
    applicant = {
        "applicant_name": "张敏",
        "applicant_phone": "13900001111",
        "reason_code": "information",
        "reason": "3 人的证件到期日填错",
    }
    assert refusal(foreign_clerk.post, "revocations", {"batch_no": batch_no, **applicant}) == 404
    assert clerk.get("batches")["items"]
    assert foreign_clerk.get("batches")["items"] == []


def test_only_the_superior_unions_reviewer_sees_and_decides_a_request(
    desk: Desk, foreign_reviewer: ApiClient, batch_no: str
) -> None:
    asked = desk.ask_back(batch_no)
    path = f"revocations/{asked['revocation_id']}"
    assert foreign_reviewer.get("revocations")["items"] == []
    assert refusal(foreign_reviewer.get, path) == 404
    assert refusal(foreign_reviewer.post, f"{path}/approve", {}) == 404
    assert refusal(desk.clerk.post, f"{path}/approve", {}) == 403
    assert desk.office.reviewer.post(f"{path}/approve", {})["state"] == "approved"


def test_a_reviewer_looks_into_subordinate_unions_but_registers_nobody(desk: Desk, foreign_reviewer: ApiClient) -> None:
    reviewer = desk.office.reviewer
    assert reviewer.get("members", union_id=desk.union_id)["total"] > 0
    assert refusal(reviewer.post, "members", {}) == 403
    assert refusal(foreign_reviewer.get, "members", union_id=desk.union_id) == 404


def test_personal_data_is_masked_in_lists(clerk: ApiClient) -> None:
    for member in clerk.get("members", size=50)["items"]:
        assert member["document_number"].strip("*") != member["document_number"] or "*" in member["document_number"]
        shown = len(member["document_number"]) - member["document_number"].count("*")
        assert shown <= (7 if len(member["document_number"]) == 18 else len(member["document_number"]) / 3)


def test_no_route_for_roles_answers_without_sign_in(stack: Stack) -> None:
    anybody = ApiClient(stack.gateway_url)
    for path in ("members", "pending", "batches", "revocations", "messages", "unions", "summary", "me", "stream"):
        assert refusal(anybody.get, path) == 401
    for path in ("announcements", "guides"):
        assert anybody.get(path)["total"] > 0


def test_signing_out_ends_the_session(stack: Stack) -> None:
    client = ApiClient(stack.gateway_url).sign_in("gubei", demo_password())
    assert client.get("me")["account_name"] == "gubei"
    client.delete("sessions/current")
    assert refusal(client.get, "me") == 401
