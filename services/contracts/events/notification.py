"""The event of notification: a message was posted to an inbox."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.events.status import STATUSES_SAMPLED
from services.contracts.events.subjects import SUBJECT_ANSWERED
from services.kit.events.contract import EventContract, EventData

EVERYWHERE = UUID(int=0)
"""Replaces the union of a message for all operators, who look after the whole system."""


@dataclass(frozen=True, kw_only=True)
class MessagePostedData(EventData):
    message_id: UUID
    union_id: Annotated[UUID, "the nil UUID for all operators"]
    role: Annotated[str, "the role in the union that the message is for, or `holder`"]
    account_id: Annotated[UUID | None, "the account that it is for alone"] = None
    kind: str
    title: str


MESSAGE_POSTED = EventContract(
    "notification",
    "message_posted",
    MessagePostedData,
    "A message was put into the inbox of a union's role, or of one account.",
)
ACT_RECORDED = ACTS_RECORDED["notification"]
STATUS_SAMPLED = STATUSES_SAMPLED["notification"]
ANSWERED = SUBJECT_ANSWERED["notification"]
EVENTS = (MESSAGE_POSTED, ACT_RECORDED, STATUS_SAMPLED, ANSWERED)
