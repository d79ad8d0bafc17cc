"""Nobody sees or does what is not theirs, over the API of a whole stack."""

from typing import Any

import pytest

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from services.membership.seed import demo_password


@pytest.fixture(scope="module")
def clerk(stack: Stack) -> ApiClient:
    return ApiClient(stack.gateway_url).sign_in("guohua", demo_password())


@pytest.fixture(scope="module")
def foreign_clerk(stack: Stack) -> ApiClient:
    return ApiClient(stack.gateway_url).sign_in("gubei", demo_password())


@pytest.fixture(scope="module")
def foreign_reviewer(stack: Stack) -> ApiClient:
    return ApiClient(stack.gateway_url).sign_in("changning", demo_password())


@pytest.fixture(scope="module")
def batch(clerk: ApiClient) -> dict[str, Any]:
    """A batch of the special channel: it needs no check."""
    member = wait_until(
        lambda: next(
            (m for m in clerk.get("members", name="SMITH")["items"] if m["selectable"] or m["application_id"]), None
        ),
        "the foreigner has a number",
    )
    clerk.post("members/queue", {"member_ids": [member["member_id"]]})
    entry = wait_until(lambda: clerk.get("pending", channel="special")["items"], "the foreigner is listed")[0]
    completed = {"document_expiry": "2031-05-01", "nationality": "GBR"}
    clerk.patch(f"pending/{entry['application_id']}", completed)
    outlet = clerk.get("outlets", q="黄兴路")["items"][0]
    place = {"branch_code": outlet["branch_code"], "outlet_code": outlet["code"]}
    made: dict[str, Any] = clerk.post(
        "batches",
        {
            "channel": "special",
            **place,
            "contact_name": "李伟",
            "contact_phone": "13911112222",
            "consent_version": clerk.get("consent-text")["version"],
        },
    )
    return made


def refusal(call: Any, *arguments: Any, **named: Any) -> int:
    with pytest.raises(ApiProblem) as problem:
        call(*arguments, **named)
    return problem.value.status


def test_another_unions_member_is_not_there(clerk: ApiClient, foreign_clerk: ApiClient) -> None:
    member_id = clerk.get("members")["items"][0]["member_id"]
    assert refusal(foreign_clerk.get, f"members/{member_id}") == 404
    assert refusal(foreign_clerk.patch, f"members/{member_id}", {"address": "x"}) == 404
    assert refusal(foreign_clerk.post, "members/queue", {"member_ids": [member_id]}) == 409


def test_another_unions_batch_is_not_there(foreign_clerk: ApiClient, batch: dict[str, Any]) -> None:
    batch_no = batch["batch_no"]
    for path in ("", "/members", "/register.pdf", "/register.xlsx", "/attachments.zip"):
        assert refusal(foreign_clerk.get, f"batches/{batch_no}{path}") == 404
    applicant = {"applicant_name": "张敏", "applicant_phone": "13900001111"}
    assert refusal(foreign_clerk.post, "revocations", {"batch_no": batch_no, **applicant}) == 404
    assert foreign_clerk.get("batches")["items"] == []


def test_only_the_superior_unions_reviewer_sees_and_decides_a_request(
    stack: Stack, clerk: ApiClient, foreign_reviewer: ApiClient, batch: dict[str, Any]
) -> None:
    applicant = {"applicant_name": "李伟", "applicant_phone": "13911112222"}
    body = {"batch_no": batch["batch_no"], **applicant}
    asked = wait_until(lambda: _unless_not_found(clerk, body), "revocation has heard of the batch")
    path = f"revocations/{asked['revocation_id']}"
    assert foreign_reviewer.get("revocations")["items"] == []
    assert refusal(foreign_reviewer.get, path) == 404
    assert refusal(foreign_reviewer.post, f"{path}/approve", {}) == 404
    assert refusal(clerk.post, f"{path}/approve", {}) == 403
    reviewer = ApiClient(stack.gateway_url).sign_in("yangpu", demo_password())
    assert reviewer.post(f"{path}/approve", {})["state"] == "approved"


def test_a_reviewer_looks_into_subordinate_unions_but_registers_nobody(stack: Stack, clerk: ApiClient) -> None:
    reviewer = ApiClient(stack.gateway_url).sign_in("yangpu", demo_password())
    union_id = clerk.account["union"]["union_id"]
    assert reviewer.get("members", union_id=union_id)["total"] > 0
    assert refusal(reviewer.post, "members", {}) == 403
    foreign = ApiClient(stack.gateway_url).sign_in("changning", demo_password())
    assert refusal(foreign.get, "members", union_id=union_id) == 404


def test_personal_data_is_masked_in_lists(clerk: ApiClient) -> None:
    for member in clerk.get("members", size=50)["items"]:
        assert member["document_number"].strip("*") != member["document_number"] or "*" in member["document_number"]
        assert member["document_number"].count("*") == len(member["document_number"]) - 2


def test_nobody_is_let_in_without_signing_in(stack: Stack) -> None:
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


def _unless_not_found(clerk: ApiClient, body: dict[str, Any]) -> dict[str, Any] | None:
    try:
        asked: dict[str, Any] = clerk.post("revocations", body)
    except ApiProblem as problem:
        if problem.status == 404:
            return None
        raise
    return asked
