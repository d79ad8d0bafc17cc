"""One enrolment 参保 of a member, as lists, a member's details and the member's own phone show it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from services.contracts.shared import ENROLMENT_WAYS
from services.kit.events.contract import choice

ENROLMENT_STATUSES = ("upcoming", "covered", "expired", "ended")
"""What an enrolment is today: 未生效, 保障中, 已到期, 已终止."""


@dataclass(frozen=True, kw_only=True)
class Cover:
    """One enrolment of a member, as the mutual-aid society said last."""

    enrolment_no: Annotated[str, "the society's number"]
    year: int
    way: Annotated[str, choice(*ENROLMENT_WAYS)]
    kinds: list[str]
    covers_from: date
    covers_to: Annotated[date, "the last day; of one that ended, the day of its end"]
    status: Annotated[str, choice(*ENROLMENT_STATUSES), "today in Shanghai"]
    reason: Annotated[str | None, "why it ended"]
    changed_at: Annotated[datetime, "when the society last changed it"]
