"""A member with a card and one who is queued move to another union: asked for, agreed to, told to everybody."""

import pytest
import requests

from deploy.invariants import System, check
from deploy.local.client import ApiProblem, wait_until
from deploy.local.stack import Stack
from tests.desks import a_desk, form_of, people
from tests.phones import messages_to


def test_members_move_to_the_union_that_asks_for_them_with_number_and_card(stack: Stack) -> None:
    old, new = a_desk(stack.gateway_url), a_desk(stack.gateway_url)
    holder, waiting = people(2)
    old.register(holder)
    batch_no = old.submit_all()
    bank = f"{stack.simulator_urls['bank']}/batches/{batch_no}/feedback"
    wait_until(lambda: requests.post(bank, json={"outcome": "issued"}, timeout=10).ok, "the bank knows the batch")
    wait_until(lambda: old.clerk.get("members", card_state="issued")["total"] == 1, "the card is issued")
    old.register(waiting)
    old.queue_all()
    before = {one["name"]: one for one in old.clerk.all_pages("members")}

    for person in (holder, waiting):
        with pytest.raises(ApiProblem) as elsewhere:
            new.clerk.post("members", form_of(person))
        assert elsewhere.value.code == "member_elsewhere"
        given = form_of(person)
        asked = {name: given[name] for name in ("name", "document_type", "document_number")}
        transfer = new.clerk.post("transfers", asked)
        assert (transfer["from_union"], transfer["member_no"]) == (None, None)
    words = "申请将您的会员关系转入"
    wait_until(lambda: [one for one in messages_to(stack, holder.phone) if words in one], "the member is told")
    waits = wait_until(lambda: old.clerk.get("transfers", state="requested")["items"], "the old union sees them")
    assert len(waits) == 2
    for transfer in waits:
        old.clerk.post(f"transfers/{transfer['transfer_id']}/accept", {})

    moved = {one["name"]: one for one in new.clerk.all_pages("members")}
    assert {name: one["member_no"] for name, one in moved.items()} == {
        name: one["member_no"] for name, one in before.items()
    }
    assert moved[holder.name]["card_no"] == before[holder.name]["card_no"]
    assert old.clerk.get("members")["total"] == 0
    wait_until(lambda: new.clerk.get("cards")["total"] == 1, "the card is the new union's")
    wait_until(lambda: old.clerk.get("pending")["total"] == 0, "nobody is left on the old union's list")
    assert old.clerk.get("cards")["total"] == 0
    wait_until(lambda: new.clerk.get("members", card_state="none")["total"] == 1, "the queued one is free")
    new.queue_all()
    kinds = {message["kind"] for message in new.clerk.get("messages")["items"]}
    assert "member_transferred_in" in kinds
    broken = check(System.of_stack(stack), settle_seconds=30)
    assert [one for one in broken if one.invariant.startswith("transfer")] == []


def test_who_has_left_is_not_queued_and_moves_to_another_union_without_consent(stack: Stack) -> None:
    old, new = a_desk(stack.gateway_url), a_desk(stack.gateway_url)
    (person,) = people(1)
    (member_id,) = old.register(person)
    old.clerk.post(f"members/{member_id}/leave", {"because": "left"})
    with pytest.raises(ApiProblem) as refused:
        old.clerk.post("members/queue", {"filter": {}})
    assert refused.value.code == "none_selectable"
    given = form_of(person)
    asked = {name: given[name] for name in ("name", "document_type", "document_number")}
    assert new.clerk.post("transfers", asked)["is_automatic"]
    assert new.clerk.get(f"members/{member_id}")["left_because"] is None
    acts = old.office.administrator.get("audit", action="membership.end_membership")["items"]
    assert acts[0]["outcome"] == "done"
