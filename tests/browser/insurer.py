"""Orders to the simulated mutual-aid society 市职工保障互助会."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import requests

from deploy.local.stack import Stack

_SHANGHAI = ZoneInfo("Asia/Shanghai")
ALL_KINDS = ("hospital", "illness", "accident", "death")


def this_year() -> int:
    """The year in Shanghai."""
    return datetime.now(_SHANGHAI).year


def enrolment(member_no: str, year: int, **changes: Any) -> dict[str, Any]:
    """A collective enrolment for a whole year against all kinds, with changes."""
    return {
        "enrolment_no": f"JZ{year}-{member_no}",
        "member_no": member_no,
        "year": year,
        "way": "collective",
        "kinds": list(ALL_KINDS),
        "covers_from": f"{year}-01-01",
        "covers_to": f"{year}-12-31",
        "state": "active",
        "ended_on": None,
        "reason": None,
        "changed_at": datetime.now(_SHANGHAI).isoformat(timespec="seconds"),
        **changes,
    }


def report(stack: Stack, *enrolments: dict[str, Any]) -> None:
    """Makes the society report enrolments."""
    order = {"enrolments": list(enrolments)}
    requests.post(f"{stack.simulator_urls['insurer']}/reports", json=order, timeout=10).raise_for_status()
