"""A union moves to another superior, who decides and sees from then on; an empty union is dissolved."""

from typing import Any

import pytest

from deploy.invariants import System, check
from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from services.membership.seed import demo_password
from tests.desks import a_desk, a_desk_below, an_office_below, people


@pytest.fixture
def asker(stack: Stack) -> ApiClient:
    return ApiClient(stack.gateway_url).sign_in("yangpu-admin", demo_password())


@pytest.fixture
def city(stack: Stack) -> ApiClient:
    return ApiClient(stack.gateway_url).sign_in("city", demo_password())


def test_a_union_moves_and_its_batches_requests_and_figures_go_along(
    stack: Stack, asker: ApiClient, city: ApiClient
) -> None:
    desk, new = a_desk_below(an_office_below(asker)), an_office_below(asker)
    former = desk.office
    desk.register(*people(2))
    batch_no = desk.submit_all()
    request = desk.ask_back(batch_no)
    wait_until(lambda: requests_told(former.reviewer), "the former reviewer is told")

    move = {"kind": "move", "target_union_id": new.union["union_id"]}
    preview = asker.get(f"unions/{desk.union_id}/changes/preview", **move)
    assert (preview["members"], preview["waiting"], preview["obstacles"]) == (2, 2, [])
    change = asker.post(f"unions/{desk.union_id}/changes", {**move, "reason": "区划调整"})
    with pytest.raises(ApiProblem) as alone:
        asker.post(f"union-changes/{change['change_id']}/confirm", {})
    assert alone.value.code == "own_request"
    assert city.post(f"union-changes/{change['change_id']}/confirm", {})["state"] == "done"

    revocation = f"revocations/{request['revocation_id']}"
    wait_until(lambda: new.reviewer.get("revocations")["total"] == 1, "the new superior has the request")
    with pytest.raises(ApiProblem) as gone:
        former.reviewer.get(revocation)
    assert gone.value.status == 404
    wait_until(lambda: new.reviewer.get("batches", batch_no=batch_no)["total"] == 1, "the batch has followed")
    assert former.reviewer.get("batches", batch_no=batch_no)["total"] == 0
    wait_until(lambda: requests_told(new.reviewer), "the new reviewer is told")
    wait_until(lambda: not requests_told(former.reviewer), "the former one need not act")
    assert new.reviewer.post(f"{revocation}/approve", {"remark": "同意"})["state"] == "approved"
    wait_until(lambda: desk.clerk.get(f"batches/{batch_no}")["released"] == 2, "the members are free")

    assert desk.submit_all() != batch_no
    wait_until(lambda: new.administrator.get("batches")["total"] == 2, "the new superior sees the next batch as well")
    assert broken_of_unions(stack) == []


def broken_of_unions(stack: Stack) -> list[str]:
    """What is wrong with unions and what belongs to them; others work in the same system meanwhile."""
    found = check(System.of_stack(stack), settle_seconds=30)
    return [str(one) for one in found if one.invariant.startswith(("union", "merged", "transfer"))]


def requests_told(reviewer: ApiClient) -> list[Any]:
    """The messages of requests that the reviewer is to decide."""
    unread = reviewer.get("messages", unread="true")["items"]
    return [message for message in unread if message["kind"] == "revocation_requested"]


def test_a_union_is_merged_and_its_people_go_on_in_the_successor(
    stack: Stack, asker: ApiClient, city: ApiClient
) -> None:
    office = an_office_below(asker)
    merged, successor = a_desk(stack.gateway_url), a_desk_below(office)
    merged.register(*people(3))
    batch_no = merged.submit_all()
    merged.register(*people(1))
    merged.queue_all()
    request = merged.ask_back(batch_no)
    merger = {"kind": "merge", "target_union_id": successor.union_id}
    change = asker.post(f"unions/{merged.union_id}/changes", {**merger, "reason": "企业合并"})
    assert city.post(f"union-changes/{change['change_id']}/confirm", {})["state"] == "done"

    with pytest.raises(ApiProblem) as ended:
        wait_until(lambda: merged.clerk.get("members") is None, "the session has ended", 5)
    assert ended.value.status == 401
    clerk = merged.sign_in_again()
    assert clerk.account["union"]["union_id"] == successor.union_id
    wait_until(lambda: clerk.get("members")["total"] == 4, "the members are the successor's")
    wait_until(lambda: clerk.get("pending")["total"] == 1, "the pending list is the successor's")
    wait_until(lambda: clerk.get("batches")["total"] == 1, "the batch is the successor's")
    assert successor.clerk.get("members")["total"] == 4
    wait_until(lambda: requests_told(office.reviewer), "the successor's superior is asked")
    assert office.reviewer.post(f"revocations/{request['revocation_id']}/reject", {"remark": "材料已送银行"})
    wait_until(lambda: clerk.get("reports")["current"]["members"] == 4, "the report counts the members")
    below = asker.get("unions", ended="true", q=merged.clerk.account["union"]["code"])
    assert [one["union_id"] for one in below["items"]] == [merged.union_id]
    assert broken_of_unions(stack) == []


def test_an_empty_union_is_dissolved_and_its_clerk_is_out(stack: Stack, asker: ApiClient, city: ApiClient) -> None:
    full, empty = a_desk(stack.gateway_url), a_desk_below(an_office_below(asker))
    full.register(*people(1))
    with pytest.raises(ApiProblem) as obstructed:
        asker.post(f"unions/{full.union_id}/changes", {"kind": "dissolve", "reason": "企业注销"})
    assert (obstructed.value.code, "1 名会员" in str(obstructed.value)) == ("union_change_obstructed", True)

    change = asker.post(f"unions/{empty.union_id}/changes", {"kind": "dissolve", "reason": "企业注销"})
    city.post(f"union-changes/{change['change_id']}/confirm", {})
    with pytest.raises(ApiProblem) as ended:
        wait_until(lambda: empty.clerk.get("members") is None, "the session has ended", 5)
    assert ended.value.status == 401
    below = asker.get("unions", superior_union_id=empty.office.union["union_id"])
    assert below["total"] == 0
    acts = city.get("audit", action="membership.confirm_union_change")["items"]
    assert acts[0]["outcome"] == "done"
