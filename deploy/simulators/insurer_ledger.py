"""The simulated society's ledger: members who may be insured, what was told of enrolments, and receipts."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.simulators.external_orders import ABSENT, Line
from deploy.simulators.ledger_file import LedgerFile
from services.contracts.shared import ENROLMENT_KINDS

RECEIPTS_KEPT = 10_000
ERRORS: dict[str, Line] = {
    "year": {"year": 1999},
    "way": {"way": "monthly"},
    "kinds": {"kinds": []},
    "covers_to": {"covers_to": "2026-06-30"},
    "ended_on": {"state": "ended", "ended_on": None},
    "changed_at": {"changed_at": "2026-11-25T09:00:00"},
    "missing": {"member_no": ABSENT},
    "nobody": {"enrolment_no": "JS-of-nobody", "member_no": "0000000000"},
}
"""Errors that can be put into a line; the last one fits the schema, but there is no such member."""


class Ledger:
    """Members and enrolments by number, in memory and, where a file is given, there. Safe for several threads."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._file = LedgerFile(path)
        kept = self._file.read() or {}
        self._members: dict[str, dict[str, Any]] = kept.get("members", {})
        self._enrolments: dict[str, Line] = kept.get("enrolments", {})
        self._receipts: deque[dict[str, Any]] = deque(maxlen=RECEIPTS_KEPT)

    def store_members(self, message: dict[str, Any]) -> None:
        """Stores eligible members; one who is told again changes nothing but the union and the day."""
        with self._lock:
            enrolled = {one.get("member_no") for one in self._enrolments.values()}
            for member in message["members"]:
                number = member["member_no"]
                known = self._members.get(number, {"since": time.time(), "enrolled": number in enrolled})
                self._members[number] = {**known, **member}
            self._save()

    def store_receipts(self, message: dict[str, Any]) -> None:
        """Stores the newest receipts, in memory only."""
        with self._lock:
            self._receipts += message["receipts"]

    def members(self) -> list[dict[str, Any]]:
        """Returns the eligible members, in the order in which they were first told."""
        with self._lock:
            return [dict(member) for member in self._members.values()]

    def enrolments(self, member_no: str | None = None) -> list[Line]:
        """Returns each enrolment as it was told last, or those of one member."""
        with self._lock:
            return [dict(one) for one in self._enrolments.values() if member_no in (None, one.get("member_no"))]

    def receipts(self, report_id: str | None = None) -> list[dict[str, Any]]:
        """Returns the stored receipts, or those of one report; the oldest first."""
        with self._lock:
            return [one for one in self._receipts if report_id in (None, one["report_id"])]

    def due_members(self, due_before: float) -> list[str]:
        """Returns the numbers of members who were told before this time and whom nobody has enrolled yet."""
        with self._lock:
            return [no for no, one in self._members.items() if not one["enrolled"] and one["since"] <= due_before]

    def record(self, enrolments: Iterable[Line]) -> None:
        """Records what was told of enrolments; who is named needs no automatic enrolment any more."""
        with self._lock:
            for one in enrolments:
                self._enrolments[str(one.get("enrolment_no"))] = one
                member = self._members.get(str(one.get("member_no")))
                if member is not None:
                    member["enrolled"] = True
            self._save()

    def _save(self) -> None:
        self._file.write({"members": self._members, "enrolments": self._enrolments})


def new_enrolment(member_no: str, now: datetime) -> Line:
    """Returns an enrolment of all kinds: 即时参保 from tomorrow for the rest of the year.

    On 31 December there is no rest: then 集中参保 for the whole next year. A member has a number for each year and way.
    """
    tomorrow = now.date() + timedelta(days=1)
    way, mark = ("immediate", "JS") if tomorrow.year == now.year else ("collective", "JZ")
    return {
        "enrolment_no": f"{mark}{tomorrow.year}-{member_no}",
        "member_no": member_no,
        "year": tomorrow.year,
        "way": way,
        "kinds": list(ENROLMENT_KINDS),
        "covers_from": tomorrow.isoformat(),
        "covers_to": date(tomorrow.year, 12, 31).isoformat(),
        "state": "active",
        "ended_on": None,
        "reason": None,
        "changed_at": now.isoformat(timespec="milliseconds"),
    }
