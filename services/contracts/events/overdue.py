"""The event of overdue work, which the services that own waiting work publish once a day."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from services.contracts.overdue import LEVELS, ROLE_OF_KIND
from services.kit.events.contract import CHUNK, EventContract, EventData, choice

PRODUCERS = ("batching", "revocation")


@dataclass(frozen=True, kw_only=True)
class OverdueWork(EventData):
    """How much work of one kind is overdue in the union whose it is."""

    kind: Annotated[str, choice(*ROLE_OF_KIND)]
    union_id: Annotated[UUID, "the union that can act"]
    level: Annotated[str, choice(*LEVELS), "escalated: also beyond the second limit; counted in `overdue` too"]
    count: Annotated[int, validate.Range(min=1)]
    since: Annotated[datetime, "since when the oldest waits"]


@dataclass(frozen=True, kw_only=True)
class WorkOverdueData(EventData):
    day: Annotated[date, "the day in Shanghai that people are reminded on"]
    works: Annotated[list[OverdueWork], CHUNK]


WORK_OVERDUE = {
    producer: EventContract(
        producer,
        "work_overdue",
        WorkOverdueData,
        "Work is overdue today, by union; membership knows who can act on it.",
        consumers=("membership",),
    )
    for producer in PRODUCERS
}
"""The contracts by publishing service."""
