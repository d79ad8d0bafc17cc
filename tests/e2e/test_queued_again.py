"""Members whom the bank refused, or whose batch was revoked, are queued again by one act from the batch or the list."""

import requests

from deploy.local.client import wait_until
from deploy.local.stack import Stack
from tests.desks import a_desk, people


def test_refused_and_released_members_are_queued_again_from_their_batch(stack: Stack) -> None:
    desk = a_desk(stack.gateway_url)
    desk.register(*people(4))
    batch_no = desk.submit_all()
    bank = f"{stack.simulator_urls['bank']}/batches/{batch_no}/feedback"
    wait_until(lambda: requests.post(bank, json={"outcome": "issued", "count": 1}, timeout=10).ok, "the bank has it")
    requests.post(bank, json={"outcome": "refused", "count": 2}, timeout=10).raise_for_status()
    clerk = desk.clerk
    wait_until(lambda: clerk.get("members", last_outcome="refused")["total"] == 2, "the bank's refusals are known")
    revocation = desk.ask_back(batch_no)
    desk.office.reviewer.post(f"revocations/{revocation['revocation_id']}/approve", {})
    wait_until(lambda: clerk.get("members", last_outcome="released")["total"] == 1, "the last one is released")

    marked = clerk.get("members", last_batch_no=batch_no)["items"]

    assert sorted(one["ended"]["state"] for one in marked) == ["refused", "refused", "released"]
    assert {one["ended"]["reason"] for one in marked} == {"证件影像不清晰", "批次已撤销"}
    queued = clerk.post("members/queue", {"filter": {"last_batch_no": batch_no}})
    assert (queued["queued"], queued["skipped"]) == (3, 0)
    wait_until(lambda: clerk.get("pending")["total"] == 3, "all three are on the pending list")
    assert clerk.get("members", last_batch_no=batch_no)["total"] == 0
