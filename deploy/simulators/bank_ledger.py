"""The simulated bank's ledger: received batches and recalls, and the outcome for each applicant."""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from deploy.simulators.external_orders import ABSENT
from deploy.simulators.ledger_file import LedgerFile

Applicant = dict[str, Any]
Result = dict[str, Any]
Report = dict[str, Any]

DECIDED = ("issued", "refused")
RECEIPTS_KEPT = 10_000
ERRORS: dict[str, Result] = {
    "card_no": {"outcome": "issued", "card_no": "6231620000000000012"},
    "outcome": {"outcome": "lost"},
    "missing": {"outcome": ABSENT},
    "member_no": {"member_no": 7},
    "nobody": {"application_id": None, "member_no": None},
}
"""Errors that can be put into a line."""
CARD_ERRORS: dict[str, Result] = {
    "card_no": {"card_no": "6231620000000000012"},
    "step": {"step": "stolen"},
    "nobody": {"application_id": None, "member_no": None, "card_no": "6231620000000000013"},
}
"""Errors that can be put into a report on a card."""
REFUSAL = {"reason_code": "photo_unclear", "reason": "证件影像不清晰"}


class UnknownBatch(LookupError):
    """The bank has received no batch of this number."""


class Ledger:
    """Batches by number, kept in memory and, where a file is given, in that file too. Safe for several threads."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._file = LedgerFile(path)
        self._batches: dict[str, dict[str, Any]] = self._file.read() or {}
        self._receipts: deque[dict[str, Any]] = deque(maxlen=RECEIPTS_KEPT)

    def store_batch(self, message: dict[str, Any]) -> None:
        """Stores a part of a batch; a repeated part changes nothing."""
        with self._lock:
            batch = self._batch_of(message["batch_no"])
            batch |= {
                name: value for name, value in message.items() if name not in ("applicants", "message_id", "part")
            }
            batch["repetitions"] += message.get("repeated", False)
            for applicant in message["applicants"]:
                new = applicant | {"outcome": None, "since": time.time()}
                batch["applicants"].setdefault(applicant["application_id"], new)
            self._save()

    def store_recall(self, message: dict[str, Any]) -> None:
        """Records recalled applicants; a recall may arrive before its batch."""
        with self._lock:
            batch = self._batch_of(message["batch_no"])
            recalled = (applicant["application_id"] for applicant in message["applicants"])
            batch["recalled"] = sorted({*batch["recalled"], *recalled})
            self._save()

    def store_receipts(self, message: dict[str, Any]) -> None:
        """Stores the newest receipts, in memory only."""
        with self._lock:
            self._receipts += message["receipts"]

    def receipts(self, feedback_id: str | None = None) -> list[dict[str, Any]]:
        """Returns the stored receipts, or those of one feedback; the oldest first."""
        with self._lock:
            return [one for one in self._receipts if feedback_id in (None, one["feedback_id"])]

    def batches(self) -> list[dict[str, Any]]:
        """Returns each batch with the counts of outcomes, without applicants."""
        with self._lock:
            return [_summary(batch) for batch in self._batches.values()]

    def batch(self, batch_no: str) -> dict[str, Any]:
        """Returns one batch with its applicants and recalls; raises UnknownBatch."""
        with self._lock:
            if batch_no not in self._batches:
                raise UnknownBatch(batch_no)
            batch = self._batches[batch_no]
            return _summary(batch) | {"applicants": [dict(applicant) for applicant in batch["applicants"].values()]}

    def open_applicants(self, batch_no: str) -> list[Applicant]:
        """Returns the undecided applicants: neither issued nor refused nor recalled."""
        batch = self.batch(batch_no)
        return [
            applicant
            for applicant in batch["applicants"]
            if applicant["outcome"] not in DECIDED and applicant["application_id"] not in batch["recalled"]
        ]

    def record(self, batch_no: str, results: Iterable[Result]) -> None:
        """Records the outcomes that the bank sent for known applicants; a decision never changes."""
        with self._lock:
            applicants = self._batches.get(batch_no, {}).get("applicants", {})
            for result in results:
                applicant = applicants.get(result.get("application_id"))
                if applicant is not None and applicant["outcome"] not in DECIDED:
                    applicant |= {"outcome": result["outcome"], "since": time.time()}
            self._save()

    def next_reports(self, due_before: float) -> dict[str, Report]:
        """Returns the next report on each card whose former step is older than `due_before`, by application."""
        with self._lock:
            applicants = [one for batch in self._batches.values() for one in batch["applicants"].values()]
            due = [one for one in applicants if one["outcome"] == "issued" and one["since"] <= due_before]
            planned = {one["application_id"]: life_of_card(one["application_id"]) for one in due}
            return {
                one["application_id"]: planned[one["application_id"]][one.get("card_steps", 0)]
                for one in due
                if one.get("card_steps", 0) < len(planned[one["application_id"]])
            }

    def record_reports(self, application_ids: Iterable[str]) -> None:
        """Records that the bank sent the next report on these cards."""
        with self._lock:
            applicants = {key: one for batch in self._batches.values() for key, one in batch["applicants"].items()}
            for application_id in application_ids:
                applicant = applicants[application_id]
                applicant |= {"card_steps": applicant.get("card_steps", 0) + 1, "since": time.time()}
            self._save()

    def _batch_of(self, batch_no: str) -> dict[str, Any]:
        new: dict[str, Any] = {"batch_no": batch_no, "applicants": {}, "recalled": [], "repetitions": 0}
        return self._batches.setdefault(batch_no, new)

    def _save(self) -> None:
        self._file.write(self._batches)


def decide(applicant: Applicant, outcome: str) -> Result:
    """Returns the result with this outcome for an applicant: an issued one has a card, a refused one a reason."""
    extra: Result = {}
    if outcome == "issued":
        extra = {"card_no": card_number(applicant["application_id"])}
    elif outcome == "refused":
        extra = REFUSAL
    return {"application_id": applicant["application_id"], "outcome": outcome, **extra}


def life_of_card(application_id: str) -> list[Report]:
    """Returns what happens to a card, without times, always the same for an application.

    One in five is never collected, one in seven is lost and replaced, one in eleven is closed in the end.
    """
    fate = _number_from(f"life {application_id}")
    first, second = card_number(application_id), card_number(f"{application_id} again")
    steps: list[tuple[str, str]] = []
    if fate % 5:
        steps = [("collected", first), ("activated", first)]
    if steps and fate % 7 == 0:
        steps += [("lost", first), ("replaced", first), ("collected", second), ("activated", second)]
    if steps and fate % 11 == 0:
        steps += [("closed", steps[-1][1])]
    return [
        {
            "application_id": application_id,
            "card_no": number,
            "step": step,
            **({"new_card_no": second} if step == "replaced" else {}),
        }
        for step, number in steps
    ]


def refusing_every(nth: int) -> Callable[[Applicant], str]:
    """Returns a function that refuses about one applicant in `nth` (0: none), always the same ones."""

    def outcome(applicant: Applicant) -> str:
        return "refused" if nth and _number_from(applicant["application_id"]) % nth == 0 else "issued"

    return outcome


def card_number(application_id: str) -> str:
    """Returns a synthetic card number of 19 digits that passes the Luhn check, always the same for an application."""
    digits = f"623162{_number_from(application_id) % 10**12:012d}"
    doubled = (2 * int(digit) - 9 if digit > "4" else 2 * int(digit) for digit in digits[::-2])
    total = sum(doubled) + sum(map(int, digits[-2::-2]))
    return f"{digits}{-total % 10}"


def _number_from(application_id: str) -> int:
    return int.from_bytes(hashlib.sha256(application_id.encode()).digest()[:8])


def _summary(batch: dict[str, Any]) -> dict[str, Any]:
    applicants = batch["applicants"].values()
    counts = dict.fromkeys(("undecided", "accepted", "made", *DECIDED), 0)
    for applicant in applicants:
        counts[applicant["outcome"] or "undecided"] += 1
    facts = {name: value for name, value in batch.items() if name != "applicants"}
    return facts | {"received": len(applicants), "outcomes": counts}
