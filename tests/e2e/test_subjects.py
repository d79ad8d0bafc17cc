"""A member's data: a copy from all services by one request, and their erasure by two administrators after the term."""

from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
import requests
from openpyxl import load_workbook
from pypdf import PdfReader
from sqlalchemy import create_engine, text

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from deploy.simulators.bank_ledger import card_number
from services.contracts.services import SERVICES
from services.membership.seed import demo_password
from tests.desks import Desk, a_desk, an_account, people

AGED = {
    "membership": "update member set left_at = left_at - interval '1100 days' where member_id = :member_id",
    "batching": "update batch set submitted_at = submitted_at - interval '1100 days' where batch_no = :batch_no",
}


@pytest.fixture
def desk(stack: Stack) -> Desk:
    return a_desk(stack.gateway_url)


@pytest.fixture
def another(desk: Desk) -> ApiClient:
    """An administrator of the office whose account the other one has not made."""
    city = ApiClient(desk.clerk.base).sign_in("city", demo_password())
    return an_account(city, desk.office.union["union_id"], f"second{uuid4().hex[:8]}", "administrator")


def in_database(stack: Stack, service: str, statement: str, **values: Any) -> list[Any]:
    engine = create_engine(stack.addresses.database_urls[service])
    with engine.begin() as connection:
        result = connection.execute(text(statement), values)
        rows = list(result) if result.returns_rows else []
    engine.dispose()
    return rows


def done(client: ApiClient, request_id: str) -> dict[str, Any]:
    """The request, once all services have answered."""
    path = f"subject-requests/{request_id}"
    wait_until(lambda: client.get(path)["state"] == "done", "all services have answered")
    answer: dict[str, Any] = client.get(path)
    return answer


def an_issued_member(stack: Stack, desk: Desk) -> tuple[dict[str, Any], str]:
    """A member with a card, and the batch."""
    desk.register(*people(1))
    batch_no = desk.submit_all()
    [applicant] = desk.clerk.all_pages(f"batches/{batch_no}/members")
    bank = f"{stack.simulator_urls['bank']}/batches/{batch_no}/feedback"
    wait_until(lambda: requests.post(bank, json={"outcome": "issued"}, timeout=10).ok, "the bank issues the card")
    wait_until(lambda: desk.clerk.get("cards")["total"] == 1, "the card is made")
    return desk.clerk.get(f"members/{applicant['member_id']}"), batch_no


def test_a_copy_holds_what_all_services_keep(stack: Stack, desk: Desk) -> None:
    member, batch_no = an_issued_member(stack, desk)
    asked = desk.office.administrator.post(
        "subject-requests", {"member_no": member["member_no"], "kind": "copy", "reason": "本人书面申请"}
    )
    shown = done(desk.office.administrator, asked["request_id"])
    assert {part["service"] for part in shown["parts"]} == set(SERVICES)
    path = f"subject-requests/{asked['request_id']}"
    book = load_workbook(BytesIO(desk.office.administrator.download(f"{path}/copy.xlsx")))
    assert book["银行办理"]["B2"].value == batch_no
    assert book["本人信息"]["B2"].value == member["name"]
    assert {"系统校验", "批次撤销", "消息", "向银行提供信息的同意"} <= set(book.sheetnames)
    receipt = PdfReader(BytesIO(desk.office.administrator.download(f"{path}/receipt.pdf")))
    assert member["member_no"] in receipt.pages[0].extract_text()
    with pytest.raises(ApiProblem) as refused:
        desk.clerk.get(path)
    assert refused.value.status == 403


def test_a_person_is_erased_everywhere_after_the_term_by_two(stack: Stack, desk: Desk, another: ApiClient) -> None:
    member, batch_no = an_issued_member(stack, desk)
    member_id, name = member["member_id"], member["name"]
    first = desk.office.administrator
    request = {"member_no": member["member_no"], "kind": "erasure", "reason": "本人书面申请"}
    with pytest.raises(ApiProblem) as refused:
        first.post("subject-requests", request)
    assert refused.value.code == "not_erasable"

    desk.clerk.post(f"members/{member_id}/leave", {"because": "left"})
    [application] = in_database(
        stack, "batching", "select application_id from card where member_id = :id", id=member_id
    )
    close_card(stack, desk, member_id, str(application[0]))
    in_database(stack, "membership", AGED["membership"], member_id=member_id)
    in_database(stack, "batching", AGED["batching"], batch_no=batch_no)
    asked = first.post("subject-requests", request)
    with pytest.raises(ApiProblem) as refused:
        first.post(f"subject-requests/{asked['request_id']}/confirm", {})
    assert refused.value.code == "own_request"
    another.post(f"subject-requests/{asked['request_id']}/confirm", {})
    shown = done(first, asked["request_id"])
    assert {part["service"] for part in shown["parts"]} == set(SERVICES)

    with pytest.raises(ApiProblem) as refused:
        desk.clerk.get(f"members/{member_id}")
    assert refused.value.status == 404
    assert desk.clerk.get("members", name=name)["total"] == 0
    persons = "select count(*) from batch_person where batch_no = :batch_no and name = :name"
    assert in_database(stack, "batching", persons, batch_no=batch_no, name=name) == [(0,)]
    findings = "select count(*) from check_finding where application_id = :id"
    assert in_database(stack, "validation", findings, id=application[0]) == [(0,)]
    assert desk.clerk.get(f"batches/{batch_no}")["issued"] == 1


def close_card(stack: Stack, desk: Desk, member_id: str, application_id: str) -> None:
    """Lets the bank close the member's card."""
    closed = {"application_id": application_id, "step": "closed", "card_no": card_number(application_id)}
    url = f"{stack.simulator_urls['bank']}/cards/feedback"
    requests.post(url, json={"cards": [closed]}, timeout=30).raise_for_status()
    wait_until(lambda: desk.clerk.get(f"members/{member_id}")["card_status"] == "closed", "the card is closed")
