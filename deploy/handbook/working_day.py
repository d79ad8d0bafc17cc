"""Does a day's work with the demo accounts before the pictures are taken, so that no page is empty."""

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import requests

from deploy.local.client import ApiClient, wait_until
from deploy.local.demo_people import Person, fill_in, make_people
from deploy.local.stack import Stack
from services.membership.seed import demo_password

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_PEOPLE = 20260501
_BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0"
_CONTACT = {"contact_name": "王芳", "contact_phone": "13812345678"}
_OUTLET = "国华广场"


@dataclass(frozen=True)
class WorkingDay:
    """The result: a batch that the bank answers, one with an open revocation request, and a dead letter."""

    answered_batch: str
    revocation_id: str


def work(stack: Stack) -> WorkingDay:
    """Submits two batches of imported members: the bank answers one, a revocation of the other is requested.

    Who got a card is insured by the mutual-aid society. The other members stay on the pending list; an unsigned
    feedback of the bank waits for an operator, and another union's request of a member for the clerk.
    """
    bank = stack.simulator_urls["bank"]
    requests.put(f"{bank}/control", json={"mode": "manual"}, timeout=5).raise_for_status()
    people = make_people(_PEOPLE)
    clerk = signed_in_client(stack, "jianlang")
    _hand_out_cards(signed_in_client(stack, "city"))
    first, second, rest = people.ordinary[:12], people.ordinary[12:16], people.ordinary[16:24]
    waiting = [*rest, *people.failing[::3], people.failing[-1], people.registry_retired]
    _import(clerk, [*first, *second, *waiting, people.rare_name, people.passport, *people.broken_rows])
    answered, revoked = (_submit(clerk, group) for group in (first, second))
    for order in ({"outcome": "accepted"}, {"outcome": "issued", "count": 9}, {"outcome": "refused", "count": 1}):
        _answer(bank, answered, order)
    wait_until(lambda: clerk.get(f"batches/{answered}")["issued"] == 9, "the bank's cards are counted")
    _insure(stack.simulator_urls["insurer"], clerk, answered)
    applicant = {
        "applicant_name": "王芳",
        "applicant_phone": "13812345678",
        "reason_code": "information",
        "reason": "3 人的证件到期日填错",
    }
    revocation = clerk.post("revocations", {"batch_no": revoked, **applicant})
    _queue(clerk, [*waiting, people.rare_name, people.passport])
    _check(clerk)
    _send_unsigned(bank, signed_in_client(stack, "ops"))
    _ask_for_another_phone(signed_in_client(stack, "yangpu-admin"))
    _ask_for_a_move(signed_in_client(stack, "yangpu-admin"))
    _ask_for_a_member(signed_in_client(stack, "guohua"), first[0])
    return WorkingDay(answered, revocation["revocation_id"])


def signed_in_client(stack: Stack, account_name: str) -> ApiClient:
    """Signs in with a browser's headers, so that the account's list of devices looks real."""
    client = ApiClient(stack.gateway_url)
    client.http.headers["User-Agent"] = _BROWSER
    return client.sign_in(account_name, demo_password())


def one_time_password(stack: Stack, phone: str) -> str:
    """Waits for the one-time password that a member has requested, and returns the last one."""

    def look() -> str | None:
        address = f"{stack.simulator_urls['sms']}/messages"
        sent = requests.get(address, params={"phone": phone}, timeout=5).json()["items"]
        found = [re.search(r"验证码(\d{6})", message["text"]) for message in sent]
        return next((match[1] for match in reversed(found) if match), None)

    return wait_until(look, "the one-time password was sent")


def _hand_out_cards(city: ApiClient) -> None:
    """Lets unions hand out the cards of the branch that the batches go to."""
    branch_code = city.get("outlets", q=_OUTLET)["items"][0]["branch_code"]
    city.patch(f"branches/{branch_code}", {"union_hands_out": True})


def _import(clerk: ApiClient, people: list[Person]) -> None:
    sheet = fill_in(clerk.download("members/imports/template.xlsx"), people)
    clerk.import_members("会员名册.xlsx", sheet)


def _submit(clerk: ApiClient, people: list[Person]) -> str:
    _queue(clerk, people)
    _check(clerk)
    outlet = clerk.get("outlets", q=_OUTLET)["items"][0]
    chosen = {"branch_code": outlet["branch_code"], "outlet_code": outlet["code"]}
    consent = {"consent_version": clerk.get("consent-text")["version"]}
    return str(clerk.post("batches", {"channel": "ordinary", **chosen, **_CONTACT, **consent})["batch_no"])


def _queue(clerk: ApiClient, people: list[Person]) -> None:
    numbers = [person.document_number for person in people]
    found = [clerk.get("members", document_number=number)["items"][0]["member_id"] for number in numbers]
    queued = clerk.post("members/queue", {"member_ids": found})["queued"]
    wait_until(lambda: _listed(clerk) == queued, "all are on the pending list")


def _check(clerk: ApiClient) -> None:
    clerk.post("pending/validate")
    states = ("unchecked", "checking", "waiting")
    wait_until(lambda: not any(_counts(clerk)["ordinary"][state] for state in states), "every check has a result")


def _listed(clerk: ApiClient) -> int:
    counts = _counts(clerk)
    return int(counts["ordinary"]["total"] + counts["special"]["total"])


def _counts(clerk: ApiClient) -> Any:
    return clerk.get("pending", size=1)["counts"]


def _answer(bank: str, batch_no: str, order: dict[str, Any]) -> None:
    address = f"{bank}/batches/{batch_no}/feedback"
    wait_until(lambda: requests.post(address, json=order, timeout=10).ok, "the bank knows the batch")


def _insure(insurer: str, clerk: ApiClient, batch_no: str) -> None:
    """Makes the society report an enrolment of each member of the batch who got a card."""
    issued = [one for one in clerk.get(f"batches/{batch_no}/members")["items"] if one["state"] == "issued"]
    wait_until(lambda: all(_has_card(clerk, one["member_id"]) for one in issued), "membership knows the cards")
    enrolments = _enrolments([one["member_no"] for one in issued], datetime.now(_SHANGHAI))
    requests.post(f"{insurer}/reports", json={"enrolments": enrolments}, timeout=10).raise_for_status()
    wait_until(lambda: clerk.get("enrolments")["total"] >= len(enrolments), "the enrolments have come")


def _enrolments(member_nos: list[str], now: datetime) -> list[dict[str, Any]]:
    """Returns enrolments of most for the whole year, of three from late in it, and one that was ended."""
    collective = {"way": "collective", "covers_from": f"{now.year}-01-01"}
    immediate = {"way": "immediate", "covers_from": f"{now.year}-11-26"}
    ended = {"state": "ended", "ended_on": f"{now.year}-11-20", "reason": "会员退会"}
    terms = [*[collective] * (len(member_nos) - 4), *[immediate] * 3, {**collective, **ended}]
    return [
        {
            "enrolment_no": f"{'JZ' if term['way'] == 'collective' else 'JS'}{now.year}-{number:08d}",
            "member_no": member_no,
            "year": now.year,
            "kinds": ["hospital", "illness", "accident", "death"],
            "covers_to": f"{now.year}-12-31",
            "state": "active",
            "changed_at": now.isoformat(timespec="seconds"),
            **term,
        }
        for number, (member_no, term) in enumerate(zip(member_nos, terms, strict=True), start=1)
    ]


def _has_card(clerk: ApiClient, member_id: str) -> bool:
    return bool(clerk.get(f"members/{member_id}")["card_state"] == "issued")


def _send_unsigned(bank: str, operator: ApiClient) -> None:
    order = {"body": base64.b64encode(b'{"feedback_id": "unsigned"}').decode(), "headers": {}}
    requests.post(f"{bank}/raw", json=order, timeout=10).raise_for_status()
    wait_until(lambda: operator.get("operations/dead-letters")["items"], "the unsigned feedback waits for an operator")


def _ask_for_a_member(clerk: ApiClient, person: Person) -> None:
    document = {"document_type": "resident_id", "document_number": person.document_number}
    clerk.post("transfers", {"name": person.name, **document, "reason": "已到本单位工作，劳动合同自本月起"})


def _ask_for_another_phone(administrator: ApiClient) -> None:
    (account,) = administrator.get("accounts", q="guoding")["items"]
    change = {"phone": "13812345679", "reason": "原手机号已停用，已电话核实本人"}
    administrator.post(f"accounts/{account['account_id']}/phone-changes", change)


def _ask_for_a_move(administrator: ApiClient) -> None:
    (union,) = administrator.get("unions", q="国定")["items"]
    (above,) = administrator.get("unions", q="杨浦区总工会")["items"]
    change = {"kind": "move", "target_union_id": above["union_id"], "reason": "规模扩大，改由区总工会直接管理"}
    administrator.post(f"unions/{union['union_id']}/changes", change)
