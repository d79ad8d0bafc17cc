"""Enrolments over HTTP and the mutual-aid society's messages: who has a card is insured, and sees it."""

from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
import requests
from openpyxl import load_workbook

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from tests.desks import Desk, a_desk, form_of, people
from tests.phones import signed_in


@pytest.fixture
def desk(stack: Stack) -> Desk:
    return a_desk(stack.gateway_url)


def holders(stack: Stack, desk: Desk, count: int) -> list[dict[str, Any]]:
    """New members who have a card."""
    desk.register(*people(count))
    bank = f"{stack.simulator_urls['bank']}/batches/{desk.submit_all()}/feedback"
    wait_until(lambda: requests.post(bank, json={"outcome": "issued"}, timeout=10).ok, "the bank knows the batch")
    wait_until(lambda: desk.clerk.get("members", card_state="issued")["total"] == count, "the cards are made")
    members: list[dict[str, Any]] = desk.clerk.get("members", card_state="issued")["items"]
    return members


def report(stack: Stack, *enrolments: dict[str, Any], **order: Any) -> None:
    society = f"{stack.simulator_urls['insurer']}/reports"
    requests.post(society, json={"enrolments": enrolments, **order}, timeout=30).raise_for_status()


def an_enrolment(member_no: str, year: int, **changes: Any) -> dict[str, Any]:
    return {
        "enrolment_no": f"JZ{year}-{uuid4().hex}",
        "member_no": member_no,
        "year": year,
        "way": "collective",
        "kinds": ["hospital", "illness"],
        "covers_from": f"{year}-01-01",
        "covers_to": f"{year}-12-31",
        "state": "active",
        "changed_at": "2026-11-25T09:00:00+08:00",
        **changes,
    }


def listed(client: ApiClient, **asked: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("enrolments", **asked)["items"]
    return items


def test_who_gets_a_card_is_enrolled_by_the_society(stack: Stack, desk: Desk) -> None:
    cards = holders(stack, desk, 2)
    wait_until(lambda: desk.clerk.get("enrolments")["total"] == 2, "the society has enrolled both")

    enrolled = listed(desk.clerk, name=cards[0]["name"])
    assert {one["member_no"] for one in listed(desk.clerk)} == {one["member_no"] for one in cards}
    assert {one["status"] for one in enrolled} <= {"upcoming", "covered"}
    assert desk.clerk.get("enrolments")["is_connected"]
    member = desk.clerk.get(f"members/{cards[0]['member_id']}")
    assert [one["enrolment_no"] for one in member["enrolments"]] == [
        one["enrolment_no"] for one in listed(desk.clerk, member_no=cards[0]["member_no"])
    ]


def test_reports_may_come_twice_in_parts_and_with_faulty_lines(stack: Stack, desk: Desk) -> None:
    cards = holders(stack, desk, 3)
    lines = [an_enrolment(one["member_no"], 2027) for one in cards]
    unknown = an_enrolment("0000000000", 2027)
    report(stack, *lines, unknown, parts=2, duplicate=True, reorder=True)
    wait_until(lambda: len(listed(desk.clerk, year=2027)) == 3, "the sound lines are taken")
    receipts = wait_until(
        lambda: [
            one
            for one in requests.get(f"{stack.simulator_urls['insurer']}/receipts", timeout=10).json()["items"]
            if any(rejection["code"] == "unknown_member" for rejection in one["rejections"])
        ],
        "the society learns that it knows no such member",
    )
    assert receipts[0]["rejected"] == 1


def test_a_clerk_finds_enrolments_and_takes_them_along_as_a_sheet(stack: Stack, desk: Desk) -> None:
    card, _ = holders(stack, desk, 2)
    report(stack, an_enrolment(card["member_no"], 2025), an_enrolment(card["member_no"], 2028, kinds=["death"]))
    wait_until(lambda: len(listed(desk.clerk, member_no=card["member_no"])) >= 2, "they are taken")

    [past] = listed(desk.clerk, status="expired")
    assert (past["year"], past["covers_to"]) == (2025, "2025-12-31")
    assert [one["year"] for one in listed(desk.clerk, year=2028, kind="death", way="collective")] == [2028]
    answer = desk.clerk.http.post(f"{desk.clerk.base}/api/v1/enrolments/export", json={"year": 2025}, timeout=60)
    sheet = load_workbook(BytesIO(answer.content)).active
    assert sheet is not None
    assert [row[4].value for row in sheet.iter_rows(min_row=2)] == ["2025"]
    acts = wait_until(
        lambda: desk.office.administrator.get("audit", action="membership.export_enrolments")["items"],
        "the export is on record",
    )
    assert acts[0]["outcome"] == "done"


def test_only_the_own_union_and_those_above_it_see_an_enrolment(stack: Stack, desk: Desk) -> None:
    (card,) = holders(stack, desk, 1)
    other = a_desk(stack.gateway_url)
    wait_until(lambda: desk.clerk.get("enrolments")["total"] == 1, "the member is enrolled")

    assert not listed(other.clerk)
    with pytest.raises(ApiProblem) as foreign:
        listed(other.clerk, union_id=desk.union_id)
    assert foreign.value.status == 404
    above = listed(desk.office.reviewer, union_id=desk.union_id)
    assert [one["member_no"] for one in above] == [card["member_no"]]


def test_a_member_sees_the_own_enrolments_on_the_phone(stack: Stack, desk: Desk) -> None:
    (person,) = people(1)
    desk.clerk.post("members", form_of(person, affiliation="flexible"))
    member = signed_in(stack, person.phone)
    wait_until(lambda: member.get("personal/profile")["can_apply"], "the member has a number")
    assert member.get("personal/enrolments") == {"items": []}
    outlet = member.get("outlets", q="古北")["items"][0]
    agreed = member.get("consent-text")["version"]
    member.post("personal/applications", {"outlet_code": outlet["code"], "consent_version": agreed})
    application = wait_until(
        lambda: next((one for one in member.get("personal/applications")["items"] if one["batch_no"]), None),
        "the application is in a batch",
    )
    bank = f"{stack.simulator_urls['bank']}/batches/{application['batch_no']}/feedback"
    wait_until(lambda: requests.post(bank, json={"outcome": "issued"}, timeout=10).ok, "the bank knows the batch")

    [own] = wait_until(lambda: member.get("personal/enrolments")["items"], "the society has enrolled the member")
    assert own["status"] in ("upcoming", "covered")
    assert not listed(desk.clerk)
