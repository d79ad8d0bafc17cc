"""What the bank does with a batch, by orders to the simulated one."""

from random import Random
from typing import Any

import requests

from deploy.local.client import wait_until
from deploy.simulators.bank_ledger import life_of_card

_REFUSALS = (
    ("photo_unclear", "证件影像不清晰"),
    ("document_expired", "证件已过期"),
    ("name_mismatch", "姓名与证件不符"),
    ("phone_invalid", "联系电话无法接通"),
)
_SECONDS_TO_ANSWER = 30


class Bank:
    """The simulated bank, which does nothing by itself."""

    def __init__(self, url: str) -> None:
        self._url = url

    def accept(self, batch_no: str) -> None:
        """Takes a batch in, once the whole of it has come."""
        self._order(batch_no, {"outcome": "accepted"})

    def make(self, batch_no: str) -> None:
        """Begins to make the cards."""
        self._order(batch_no, {"outcome": "made"})

    def decide(self, batch_no: str, dice: Random, share: float = 1.0) -> tuple[int, int]:
        """Issues cards for a share of those who wait, and refuses a few; returns how many of both."""
        waiting = [one["application_id"] for one in self.applicants(batch_no) if _waits(one)]
        decided = waiting[: max(1, round(share * len(waiting)))] if waiting else []
        refused = {one: dice.choice(_REFUSALS) for one in decided if dice.random() < 0.05}
        issued = len(decided) - len(refused)
        if issued:
            self._order(batch_no, {"results": [_issued(one) for one in decided if one not in refused]})
        if refused:
            self._order(batch_no, {"results": [_refused(one, *why) for one, why in refused.items()]})
        return issued, len(refused)

    def report_on_cards(self, batch_no: str, number: int) -> int:
        """Reports what happens to the cards of a batch in the step of this number, from 0; returns on how many."""
        issued = [one["application_id"] for one in self.applicants(batch_no) if one["outcome"] == "issued"]
        lives = map(life_of_card, issued)
        reports = [life[number] for life in lives if len(life) > number]
        if reports:
            self._send("cards/feedback", {"cards": reports})
        return len(reports)

    def send_unreadable(self, text: str) -> None:
        """Sends a message that is no feedback."""
        self._send("raw", {"body": text, "headers": {}})

    def applicants(self, batch_no: str) -> list[dict[str, Any]]:
        """The applicants of a batch with their outcomes, without those whom the union took back."""
        batch = requests.get(f"{self._url}/batches/{batch_no}", timeout=_SECONDS_TO_ANSWER).json()
        recalled = set(batch["recalled"])
        return [one for one in batch["applicants"] if one["application_id"] not in recalled]

    def wait_for(self, batch_no: str, persons: int) -> None:
        """Waits until the bank has received a batch whole."""

        def has_all() -> bool:
            answer = requests.get(f"{self._url}/batches/{batch_no}", timeout=_SECONDS_TO_ANSWER)
            return answer.ok and answer.json()["received"] == persons

        wait_until(has_all, f"the bank has received {batch_no}")

    def _order(self, batch_no: str, order: dict[str, Any]) -> None:
        self._send(f"batches/{batch_no}/feedback", order)

    def _send(self, path: str, order: dict[str, Any]) -> None:
        requests.post(f"{self._url}/{path}", json=order, timeout=_SECONDS_TO_ANSWER).raise_for_status()


def _waits(applicant: dict[str, Any]) -> bool:
    return applicant["outcome"] not in ("issued", "refused")


def _issued(application_id: str) -> dict[str, str]:
    return {"application_id": application_id, "outcome": "issued"}


def _refused(application_id: str, code: str, reason: str) -> dict[str, str]:
    return {"application_id": application_id, "outcome": "refused", "reason_code": code, "reason": reason}
