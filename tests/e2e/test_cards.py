"""A card's whole life after the issue, over HTTP and the bank's messages: collected, lost, replaced, closed."""

from io import BytesIO
from typing import Any

import pytest
import requests
from openpyxl import load_workbook
from pypdf import PdfReader

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from services.membership.seed import demo_password
from tests.desks import Desk, a_desk, form_of, people
from tests.mothers import a_card_number
from tests.phones import signed_in


@pytest.fixture
def desk(stack: Stack) -> Desk:
    return a_desk(stack.gateway_url)


@pytest.fixture(scope="module")
def handed_out(stack: Stack) -> None:
    """The city agrees with the bank of these tests' outlets that unions hand out cards."""
    city = ApiClient(stack.gateway_url).sign_in("city", demo_password())
    city.patch("branches/icbc-sh", {"union_hands_out": True})


def issued(stack: Stack, desk: Desk, count: int) -> list[dict[str, Any]]:
    """The cards of new members, whose application ids and whole numbers the bank knows."""
    desk.register(*people(count))
    batch_no = desk.submit_all()
    members = desk.clerk.all_pages(f"batches/{batch_no}/members")
    numbers = {one["application_id"]: a_card_number() for one in members}
    results = [{"application_id": one, "outcome": "issued", "card_no": card_no} for one, card_no in numbers.items()]
    bank = f"{stack.simulator_urls['bank']}/batches/{batch_no}/feedback"
    wait_until(lambda: requests.post(bank, json={"results": results}, timeout=10).ok, "the bank knows the batch")
    wait_until(lambda: desk.clerk.get("cards")["total"] == count, "the cards are made")
    return [{**one, "card_no": numbers[one["application_id"]]} for one in members]


def report(stack: Stack, *cards: dict[str, Any], **order: Any) -> None:
    bank = f"{stack.simulator_urls['bank']}/cards/feedback"
    requests.post(bank, json={"cards": cards, **order}, timeout=30).raise_for_status()


def status(desk: Desk, member_id: str) -> str | None:
    found: str | None = desk.clerk.get(f"members/{member_id}")["card_status"]
    return found


def test_a_card_is_collected_lost_and_replaced_though_the_bank_says_so_twice_and_out_of_order(
    stack: Stack, desk: Desk
) -> None:
    card, other = issued(stack, desk, 2)
    number, following = card["card_no"], a_card_number()
    named = {"application_id": card["application_id"]}
    life = [
        {**named, "card_no": number, "step": "collected", "happened_at": "2026-11-20T09:00:00+08:00"},
        {**named, "card_no": number, "step": "activated", "happened_at": "2026-11-20T10:00:00+08:00"},
        {**named, "card_no": number, "step": "lost", "happened_at": "2026-11-22T10:00:00+08:00"},
        {
            **named,
            "card_no": number,
            "step": "replaced",
            "new_card_no": following,
            "happened_at": "2026-11-23T10:00:00+08:00",
        },
        {**named, "card_no": following, "step": "collected", "happened_at": "2026-11-23T11:00:00+08:00"},
    ]
    report(stack, *reversed(life), parts=5, duplicate=True, reorder=True)

    wait_until(lambda: len(desk.clerk.get(f"members/{card['member_id']}")["card_steps"]) == 5, "all is known")
    member = desk.clerk.get(f"members/{card['member_id']}")
    assert (member["card_state"], member["card_status"]) == ("issued", "collected")
    assert member["card_no"][-4:] == following[-4:]
    assert [one["step"] for one in member["card_steps"]] == [
        *("collected", "replaced", "lost", "activated", "collected"),
    ]
    assert [one["member_id"] for one in desk.clerk.get("members", card_status="made")["items"]] == [other["member_id"]]
    seen_above = desk.office.reviewer.get("cards", union_id=desk.union_id, status="collected")["items"]
    assert [one["application_id"] for one in seen_above] == [card["application_id"]]
    with pytest.raises(ApiProblem) as again:
        desk.clerk.post("members/queue", {"member_ids": [card["member_id"]]})
    assert again.value.code == "none_selectable"


def test_a_union_that_hands_out_cards_prints_the_list_to_sign_and_marks_collection(
    stack: Stack, desk: Desk, handed_out: None
) -> None:
    first, second = issued(stack, desk, 2)
    printed = PdfReader(BytesIO(desk.clerk.download("cards/collection-list.pdf"))).pages[0].extract_text()
    assert all(one["member_no"] in printed and one["card_no"] not in printed for one in (first, second))

    marked = desk.clerk.post("cards/collected", {"application_ids": [first["application_id"]]})

    assert marked == {"marked": 1, "skipped": 0}
    wait_until(lambda: status(desk, first["member_id"]) == "collected", "membership knows")
    [step] = desk.clerk.get(f"members/{first['member_id']}")["card_steps"]
    assert (step["step"], step["by_union"]) == ("collected", True)
    report(stack, {"card_no": first["card_no"], "step": "activated"})
    wait_until(lambda: status(desk, first["member_id"]) == "active", "the bank's word comes on top")
    sheet = load_workbook(BytesIO(exported(desk))).active
    assert sheet is not None
    assert [row[0] for row in sheet.iter_rows(min_row=2, values_only=True)] == [second["member_no"]]
    acts = desk.office.administrator.get("audit", action="batching.mark_collected")["items"]
    assert acts[0]["outcome"] == "done"


def exported(desk: Desk) -> bytes:
    answer = desk.clerk.http.post(f"{desk.clerk.base}/api/v1/cards/export", json={"status": "made"}, timeout=60)
    answer.raise_for_status()
    return answer.content


def test_a_report_on_a_card_that_nobody_has_is_answered_by_its_reason(stack: Stack) -> None:
    unknown = {"card_no": a_card_number(), "step": "closed"}
    report(stack, unknown, feedback_id=(feedback_id := f"unknown-{unknown['card_no']}"))
    receipts = f"{stack.simulator_urls['bank']}/receipts"

    def answered() -> Any:
        return requests.get(receipts, params={"feedback_id": feedback_id}, timeout=10).json()["items"]

    [receipt] = wait_until(answered, "the bank has its receipt")
    assert [one["code"] for one in receipt["rejections"]] == ["unknown_card"]


def test_a_member_follows_the_card_on_the_phone(stack: Stack, desk: Desk) -> None:
    (person,) = people(1)
    desk.clerk.post("members", form_of(person, affiliation="flexible"))
    member = signed_in(stack, person.phone)
    wait_until(lambda: member.get("personal/profile")["can_apply"], "the member has a number")
    outlet = member.get("outlets", q="古北")["items"][0]
    agreed = member.get("consent-text")["version"]
    member.post("personal/applications", {"outlet_code": outlet["code"], "consent_version": agreed})

    def submitted() -> Any:
        return next((one for one in member.get("personal/applications")["items"] if one["batch_no"]), None)

    application = wait_until(submitted, "the application is submitted")
    number = a_card_number()
    result = {"application_id": application["application_id"], "outcome": "issued", "card_no": number}
    bank = f"{stack.simulator_urls['bank']}/batches/{application['batch_no']}/feedback"
    wait_until(lambda: requests.post(bank, json={"results": [result]}, timeout=10).ok, "the bank knows the batch")
    report(stack, {"application_id": application["application_id"], "card_no": number, "step": "collected"})

    wait_until(lambda: member.get("personal/profile")["card_status"] == "collected", "the member sees the card")
    profile = member.get("personal/profile")
    assert [one["step"] for one in profile["card_steps"]] == ["collected"]
    assert number not in str(profile)
