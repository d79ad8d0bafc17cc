"""The events of a request for a person's data: membership asks all services, each answers with what it keeps or did."""

from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from services.contracts.shared import SUBJECT_REQUEST_KINDS
from services.kit.events.contract import ENCRYPTED, EventContract, EventData, choice

ASKED = ("validation", "batching", "revocation", "notification")
MOST_ROWS = 2000
"""Most rows of one sheet: nobody has so many; the newest count."""


@dataclass(frozen=True, kw_only=True)
class SubjectRequestedData(EventData):
    request_id: UUID
    kind: Annotated[str, choice(*SUBJECT_REQUEST_KINDS), "copy: answer with all data; erasure: erase it, and say so"]
    member_id: UUID
    application_ids: Annotated[list[UUID], validate.Length(max=MOST_ROWS), "all applications of the member"]


@dataclass(frozen=True, kw_only=True)
class SubjectPart(EventData):
    """A kind of data that a service keeps of the person, and what was done with it."""

    title: Annotated[str, "in Chinese"]
    rows: Annotated[int, validate.Range(min=0), "how many records the service has of it"]
    kept_because: Annotated[str | None, "of an erasure: why these stay, in Chinese; null where they were erased"] = None


@dataclass(frozen=True, kw_only=True)
class SubjectSheet(EventData):
    """Data of one kind, as a sheet of the copy shows them."""

    title: str
    headings: list[str]
    rows: Annotated[list[list[str]], validate.Length(max=MOST_ROWS)]


@dataclass(frozen=True, kw_only=True)
class SubjectAnsweredData(EventData):
    request_id: UUID
    kind: Annotated[str, choice(*SUBJECT_REQUEST_KINDS)]
    parts: list[SubjectPart]
    sheets: Annotated[list[SubjectSheet], ENCRYPTED] = field(default_factory=list)


SUBJECT_REQUESTED = EventContract(
    "membership",
    "subject_requested",
    SubjectRequestedData,
    "A person wants a copy of the data that we keep, or has them erased after the term.",
    consumers=ASKED,
)
SUBJECT_ANSWERED = {
    producer: EventContract(
        producer,
        "subject_answered",
        SubjectAnsweredData,
        "What a service keeps of a person, or has erased.",
        consumers=("membership",),
    )
    for producer in ASKED
}
"""The contracts by answering service."""
