"""Works as the bank through the simulator: sends results in parts, late ones for recalled cards, reports on cards."""

import hashlib
import random
import threading
import time
from typing import Any
from uuid import uuid4

import requests

from deploy.simulators.bank_ledger import life_of_card
from tests.chaos.bank_faults import BANK_FAULTS, REUSED, SOUND, BankFault
from tests.chaos.faults import BankBehaviour
from tests.chaos.promises import Promises

_PAUSE = 1.0
_REST_OF_A_BATCH = 4.0
"""The minimum time between two messages on a batch."""
_REFUSED_OF_100 = 6
_LATE_OF_100 = 15
_DECIDED = ("issued", "refused")
_EARLY_ONE_IN = 4
"""The share of reports on cards that are also sent before the result that issues the card."""


class BankDesk:
    """Decides on each applicant once: repeated decisions are the same."""

    def __init__(self, url: str, promises: Promises, behaviour: BankBehaviour, seed: int) -> None:
        self.messages = 0
        self._url = url
        self._promises = promises
        self._behaviour = behaviour
        self._dice = random.Random(f"{seed} bank")
        self._touched: dict[str, float] = {}
        self._told_late: set[str] = set()
        self._asked = requests.Session()

    def work(self, is_over: threading.Event, nobody_waits: threading.Event) -> None:
        """Sends results until the run is over and the bank has decided on all applicants."""
        while not nobody_waits.is_set():
            is_last = is_over.is_set()
            left = sum(self._attend(batch["batch_no"], is_last) for batch in self._get("batches")["items"])
            if is_last and not left:
                return
            time.sleep(_PAUSE)

    def open_applicants(self) -> int:
        """Returns the number of applicants of all batches that are neither decided nor recalled."""
        return sum(len(self._open(self._get(f"batches/{one['batch_no']}"))) for one in self._get("batches")["items"])

    def _attend(self, batch_no: str, is_last: bool) -> int:
        """Sends some results of a batch; returns the number of undecided applicants."""
        if not is_last and time.monotonic() < self._touched.get(batch_no, 0) + _REST_OF_A_BATCH:
            return 1
        is_new = batch_no not in self._touched
        self._touched[batch_no] = time.monotonic()
        batch = self._get(f"batches/{batch_no}")
        waiting = self._open(batch)
        late = [one for one in batch["applicants"] if self._is_late(batch, one)]
        if late:
            self._tell(batch_no, [_result(one["application_id"], "issued") for one in late])
            self._told_late |= {one["application_id"] for one in late}
        if not waiting:
            return 0
        if is_new and not is_last:
            self._tell(batch_no, [{"application_id": one["application_id"], "outcome": "accepted"} for one in waiting])
            return len(waiting)
        chosen = waiting if is_last or len(waiting) < 5 else self._dice.sample(waiting, len(waiting) * 6 // 10)
        self._tell(batch_no, [_result(one["application_id"], _decision(one["application_id"])) for one in chosen])
        return len(waiting) - len(chosen)

    def _open(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        recalled = set(batch["recalled"])
        return [
            one
            for one in batch["applicants"]
            if one["outcome"] not in _DECIDED and one["application_id"] not in recalled
        ]

    def _is_late(self, batch: dict[str, Any], applicant: dict[str, Any]) -> bool:
        """Whether a recalled applicant's card is issued nevertheless."""
        application_id = applicant["application_id"]
        return (
            application_id in batch["recalled"]
            and application_id not in self._told_late
            and applicant["outcome"] not in _DECIDED
            and _decision(application_id) == "issued"
            and _share(f"late {application_id}") < _LATE_OF_100
        )

    def _tell(self, batch_no: str, results: list[dict[str, Any]]) -> None:
        """Sends results, again if an error in the message kept them from being applied."""
        name = self._behaviour.faults.popleft() if self._behaviour.faults else None
        if name == REUSED:
            self._reuse_feedback_id(batch_no, results[0]["application_id"])
            name = None
        fault = BANK_FAULTS[name] if name else SOUND
        reports = [
            report for one in results if one["outcome"] == "issued" for report in life_of_card(one["application_id"])
        ]
        self._dice.shuffle(reports)
        early = reports[: len(reports) // _EARLY_ONE_IN]
        self._report(early)
        self._send(batch_no, results, fault)
        if fault.spoils_all:
            self._send(batch_no, results, SOUND)
        self._promises.record_results(results)
        self.messages += 1
        self._report(reports)

    def _report(self, reports: list[dict[str, Any]]) -> None:
        """Reports what happens to cards, in any order, in parts that come twice where the bank sends twice."""
        if not reports:
            return
        parts = self._dice.randint(1, 4)
        order = {
            "cards": reports,
            "parts": parts,
            "duplicate": self._behaviour.twice,
            "reorder": self._behaviour.out_of_order,
        }
        while not self._post("cards/feedback", order | {"feedback_id": (feedback_id := str(uuid4()))}):
            time.sleep(_PAUSE)
        numbers = range(1, min(parts, len(reports)) + 1)
        self._promises.record_feedback([f"{feedback_id}-{n}" for n in numbers] if parts > 1 else [feedback_id], SOUND)
        self._promises.record_cards(reports)

    def _send(self, batch_no: str, results: list[dict[str, Any]], fault: BankFault) -> None:
        """Retries until the simulator has sent all parts; each attempt has a new id, since its time differs."""
        parts = self._dice.randint(1, 6)
        order = {
            "results": results,
            "parts": parts,
            "duplicate": self._behaviour.twice,
            "reorder": self._behaviour.out_of_order,
            **fault.order,
        }
        while not self._post(f"batches/{batch_no}/feedback", order | {"feedback_id": (feedback_id := str(uuid4()))}):
            time.sleep(_PAUSE)
        numbers = range(1, min(parts, len(results)) + 1)
        self._promises.record_feedback([f"{feedback_id}-{n}" for n in numbers] if parts > 1 else [feedback_id], fault)

    def _reuse_feedback_id(self, batch_no: str, application_id: str) -> None:
        """Sends other content under a used feedback id; retries later if there is none yet."""
        if not (answered := self._get("receipts")["items"]):
            self._behaviour.faults.append(REUSED)
            return
        feedback_id = answered[-1]["feedback_id"]
        result = {"application_id": application_id, "outcome": "accepted", "reason": "something else"}
        order = {"results": [result], "feedback_id": feedback_id}
        while not self._post(f"batches/{batch_no}/feedback", order):
            time.sleep(_PAUSE)
        self._promises.record_feedback([feedback_id], BANK_FAULTS[REUSED])

    def _post(self, path: str, order: dict[str, Any]) -> bool:
        try:
            answer = self._asked.post(f"{self._url}/{path}", json=order, timeout=60)
        except requests.RequestException:
            return False
        if answer.status_code not in (202, 503):
            answer.raise_for_status()
        return answer.status_code == 202

    def _get(self, path: str) -> Any:
        answer = self._asked.get(f"{self._url}/{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()


def _decision(application_id: str) -> str:
    return "refused" if _share(application_id) < _REFUSED_OF_100 else "issued"


def _share(text: str) -> int:
    """Returns a number below 100, always the same for a text."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 100


def _result(application_id: str, outcome: str) -> dict[str, Any]:
    reason = {"reason_code": "photo_unclear", "reason": "证件影像不清晰"} if outcome == "refused" else {}
    return {"application_id": application_id, "outcome": outcome, **reason}
