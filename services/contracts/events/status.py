"""Samples of a service's status: each service publishes one a minute, for the operators' overview."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from marshmallow import validate

from services.contracts.services import SERVICES
from services.kit.events.contract import EventContract, EventData
from services.kit.system import LONGEST_REASON, MOST_REASONS


@dataclass(frozen=True, kw_only=True)
class StatusSampledData(EventData):
    minute: Annotated[datetime, "the beginning of the minute"]
    release: Annotated[str, "the version of the code that runs"]
    reasons: Annotated[
        list[Annotated[str, validate.Length(max=LONGEST_REASON)]],
        validate.Length(max=MOST_REASONS),
        "what keeps the process that publishes from working",
    ]
    outbox_messages: Annotated[int, "that are not published yet, counted up to 10000"]
    outbox_seconds: Annotated[float, "how long the oldest of them has waited"]
    processes: Annotated[int | None, "how many take requests; null while the broker is away, as the next two"] = None
    waiting: Annotated[int | None, "messages in the queues of events"] = None
    dead: Annotated[int | None, "dead letters"] = None
    to_outside: Annotated[
        int | None, "messages that the service's outside party has not fetched; null also where it has none"
    ] = None
    from_outside: Annotated[int | None, "messages of that party that wait; null also where the service has none"] = None


STATUSES_SAMPLED = {
    producer: EventContract(
        producer,
        "status_sampled",
        StatusSampledData,
        "How the service does: published once a minute.",
        consumers=("notification",),
    )
    for producer in SERVICES
}
"""The contracts by publishing service. One queue of notification receives them all."""
