"""The operations of batching on cards that are made: who has not collected one, and collection at the union."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from services.contracts.fields import NamePart
from services.contracts.operations.batching import BatchOutlet
from services.contracts.operations.roles import STAFF, SUPERIORS, subordinates
from services.contracts.shared import CARD_STATUSES
from services.kit.events.contract import choice
from services.kit.fields import text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import command, own_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest, sortable
from services.kit.schemas import UNSET, Unset

HANDED_OUT_BY = ("union", "outlet")

LARGEST_COLLECTION = 500
"""Most cards that are marked as collected at once."""


@dataclass(frozen=True, kw_only=True)
class CardFilter:
    """Filters for cards; absent ones are not applied."""

    union_id: Annotated[UUID | Unset, "a subordinate union; all in the caller's scope where absent"] = UNSET
    with_subordinates: Annotated[
        bool | Unset, "with `union_id` also the cards of all unions below it; false without it: the own alone"
    ] = UNSET
    status: Annotated[str | Unset, choice(*CARD_STATUSES)] = UNSET
    overdue: Annotated[bool | Unset, "only cards that have waited too long for collection, or only others"] = UNSET
    handed_out_by: Annotated[str | Unset, choice(*HANDED_OUT_BY)] = UNSET
    batch_no: Annotated[str | Unset, text(40), "what the number begins or ends with"] = UNSET
    name: Annotated[NamePart | Unset, "what the name begins with"] = UNSET


@dataclass(frozen=True, kw_only=True)
class ListCardsRequest(CardFilter, PageRequest):
    sort: Annotated[str, sortable("made_at")] = "made_at"


@dataclass(frozen=True, kw_only=True)
class ExportCardsRequest(CardFilter):
    pass


@dataclass(frozen=True, kw_only=True)
class CardAnswer:
    """A member's card, with the times of its current number."""

    application_id: UUID
    member_id: UUID
    member_no: str
    name: str
    union_id: UUID
    union_name: str
    batch_no: str
    outlet: BatchOutlet
    card_no: Annotated[str, "masked"]
    status: Annotated[str, choice(*CARD_STATUSES)]
    made_at: datetime
    collected_at: datetime | None
    waiting_days: Annotated[int | None, "since it was made; null once it is collected"]
    overdue: Annotated[bool, "it has waited too long for collection"]
    reminded_at: Annotated[datetime | None, "when the member was reminded by SMS"]
    unreachable: Annotated[bool, "the member could not be reminded, for no mobile number is known"]
    can_be_marked: Annotated[bool, "the caller's union hands it out and may mark it as collected"]


@dataclass(frozen=True, kw_only=True)
class CardCounts:
    waiting: Annotated[int, "cards that nobody has collected"]
    overdue: int


@dataclass(frozen=True, kw_only=True)
class ListCardsAnswer(PageAnswer):
    items: list[CardAnswer]
    counts: Annotated[CardCounts, "of all cards of the chosen unions, whatever the rest of the filter"]
    overdue_days: Annotated[int, "after how many working days an uncollected card is overdue"]
    collection_codes: Annotated[bool, "registers and collection lists have codes to scan on collection"]


@dataclass(frozen=True, kw_only=True)
class GetCardRequest:
    application_id: UUID


@dataclass(frozen=True, kw_only=True)
class CollectionListRequest:
    """Of all cards that the union hands out and nobody has collected, or of those of one batch."""

    batch_no: Annotated[str | Unset, text(64)] = UNSET


@dataclass(frozen=True, kw_only=True)
class MarkCollectedRequest:
    application_ids: Annotated[
        list[UUID], validate.Length(1, LARGEST_COLLECTION, error=f"请选择 1 至 {LARGEST_COLLECTION} 位会员")
    ]
    collected_on: Annotated[date | Unset, "the day in Shanghai; today where absent"] = UNSET


@dataclass(frozen=True, kw_only=True)
class MarkCollectedAnswer:
    marked: int
    skipped: Annotated[int, "cards that are collected already, are not handed out by this union, or are not its"]


LIST_CARDS = query(
    "batching.list_cards", ListCardsRequest, ListCardsAnswer, allow=subordinates(*STAFF), may_lag=SUPERIORS
)
GET_CARD = query("batching.get_card", GetCardRequest, CardAnswer, allow=own_union("clerk"))
EXPORT_CARDS = command(
    "batching.export_cards", ExportCardsRequest, FileAnswer, allow=subordinates(*STAFF), title="导出领卡名单"
)
GET_COLLECTION_LIST = command(
    "batching.get_collection_list",
    CollectionListRequest,
    FileAnswer,
    allow=own_union("clerk"),
    title="打印领卡签收单",
)
MARK_COLLECTED = command(
    "batching.mark_collected",
    MarkCollectedRequest,
    MarkCollectedAnswer,
    allow=own_union("clerk"),
    title="登记领卡",
)
