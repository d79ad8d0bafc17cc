"""The operations on the audit log, which membership keeps: search, export, saved searches."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from marshmallow import ValidationError, validate

from services.contracts.events.audit import OUTCOMES, RECORD_KINDS
from services.contracts.fields import DocumentNumber
from services.contracts.operations.roles import subordinates
from services.contracts.operations.titles import ACTIONS
from services.kit.events.contract import choice
from services.kit.fields import text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import command, no_union, own_data, query
from services.kit.rpc.paging import LARGEST_PAGE
from services.kit.schemas import UNSET, Unset

LARGEST_EXPORT = 10_000
"""Most audit events in one exported sheet."""
INTERVENTIONS = tuple(
    action
    for action in ACTIONS
    if action.partition(".")[2]
    in ("replay_dead_letters", "discard_dead_letters", "resend_to_bank", "correct_processed_at", "repair", "reconcile")
)
"""The actions by which operators intervene; they name no persons."""
MOST_SEARCHES = 30
"""The most saved searches of one account."""


@dataclass(frozen=True, kw_only=True)
class KeptFilter:
    """The filters that a saved search keeps: all but a document number, which is not to be stored."""

    account_name: Annotated[
        str | Unset, text(64), "who acted, or failed to sign in: the whole name of the account, which need not exist"
    ] = UNSET
    record_kind: Annotated[str | Unset, choice(*RECORD_KINDS)] = UNSET
    record_id: Annotated[str | Unset, text(100), "the record acted on; for a member, also its applications"] = UNSET
    action: Annotated[str | Unset, choice(*ACTIONS)] = UNSET
    outcome: Annotated[str | Unset, choice(*OUTCOMES)] = UNSET
    acted_from: Annotated[date | Unset, "day in Shanghai"] = UNSET
    acted_to: Annotated[date | Unset, "day in Shanghai, inclusive"] = UNSET

    def __post_init__(self) -> None:
        """Validates that `record_kind` and `record_id` are present together."""
        if (self.record_kind is UNSET) != (self.record_id is UNSET):
            raise ValidationError("请同时填写对象类型和对象编号", "record_id")


@dataclass(frozen=True, kw_only=True)
class ActFilter(KeptFilter):
    """Absent filters are not applied."""

    account_id: Annotated[UUID | Unset, "who acted"] = UNSET
    document_number: Annotated[DocumentNumber | Unset, "of the member acted on: the whole number"] = UNSET


@dataclass(frozen=True, kw_only=True)
class SearchActsRequest(ActFilter):
    """Audit events come newest first; `before` of an answer requests the next page."""

    before: UUID | Unset = UNSET
    size: Annotated[int, validate.Range(min=1, max=LARGEST_PAGE, error=f"每页 1 至 {LARGEST_PAGE} 条")] = 20


@dataclass(frozen=True, kw_only=True)
class ExportActsRequest(ActFilter):
    """The audit events of a search as a sheet, newest first; who exports which search is an audit event itself."""


@dataclass(frozen=True, kw_only=True)
class ActRecordAnswer:
    kind: str
    label: Annotated[str, "the kind in Chinese"]
    id: str


@dataclass(frozen=True, kw_only=True)
class ActAnswer:
    """Who did what, when, from where, on which records. Operators get no personal data."""

    act_id: UUID
    at: datetime
    recorded_at: Annotated[datetime | None, "when it was recorded, if that was more than five minutes after `at`"]
    action: str
    label: Annotated[str, "the action in Chinese"]
    outcome: Annotated[str, choice(*OUTCOMES)]
    problem_code: Annotated[str | None, "why it was refused"]
    account_id: UUID | None
    account_name: str | None
    display_name: Annotated[str | None, "not for operators"]
    member_id: Annotated[UUID | None, "who acted on the phone"]
    union_id: UUID | None
    union_name: str | None
    roles: list[str]
    origin: Annotated[str | None, "the address it came from"]
    records: list[ActRecordAnswer]
    old: Annotated[dict[str, Any] | None, "masked; for operators only of interventions"]
    new: Annotated[dict[str, Any] | None, "masked; for operators only of interventions"]


@dataclass(frozen=True, kw_only=True)
class ActsAnswer:
    items: list[ActAnswer]
    before: Annotated[UUID | None, "null on the last page"]


@dataclass(frozen=True, kw_only=True)
class ListInterventionsRequest:
    """The newest acts by which operators intervened: dead letters, the bank's messages, repairs."""

    size: Annotated[int, validate.Range(min=1, max=LARGEST_PAGE, error=f"每页 1 至 {LARGEST_PAGE} 条")] = 20


@dataclass(frozen=True, kw_only=True)
class InterventionsAnswer:
    items: Annotated[list[ActAnswer], "the newest first"]


@dataclass(frozen=True, kw_only=True)
class GetActRequest:
    act_id: UUID


@dataclass(frozen=True, kw_only=True)
class ActDetailAnswer(ActAnswer):
    """An audit event with its place in the chain."""

    position: int
    hash: str
    previous_hash: str


@dataclass(frozen=True, kw_only=True)
class ListActNamesRequest:
    """Has no parameters."""


@dataclass(frozen=True, kw_only=True)
class ActionName:
    action: str
    label: str


@dataclass(frozen=True, kw_only=True)
class RecordKindName:
    kind: str
    label: str


@dataclass(frozen=True, kw_only=True)
class ActNamesAnswer:
    actions: list[ActionName]
    record_kinds: list[RecordKindName]


SearchName = Annotated[str, text(30)]


@dataclass(frozen=True, kw_only=True)
class ListSearchesRequest:
    """Has no parameters: the caller is known."""


@dataclass(frozen=True, kw_only=True)
class SaveSearchRequest:
    """Keeps a search under a name for the caller's account."""

    name: SearchName
    filter: KeptFilter


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """Identifies a saved search of the caller's account."""

    search_id: UUID


@dataclass(frozen=True, kw_only=True)
class RenameSearchRequest(SearchRequest):
    name: SearchName


@dataclass(frozen=True, kw_only=True)
class SavedSearchAnswer:
    search_id: UUID
    name: str
    filter: Annotated[dict[str, str], "the filters that are applied, as the search takes them"]


@dataclass(frozen=True, kw_only=True)
class SavedSearchesAnswer:
    items: Annotated[list[SavedSearchAnswer], "by name"]


_READERS = ("administrator", "operator")

SEARCH_ACTS = query(
    "membership.search_acts",
    SearchActsRequest,
    ActsAnswer,
    allow=subordinates(*_READERS),
    may_lag=_READERS,
)
GET_ACT = query("membership.get_act", GetActRequest, ActDetailAnswer, allow=subordinates(*_READERS), may_lag=_READERS)
LIST_INTERVENTIONS = query(
    "membership.list_interventions",
    ListInterventionsRequest,
    InterventionsAnswer,
    allow=subordinates("operator"),
)
LIST_ACT_NAMES = query(
    "membership.list_act_names", ListActNamesRequest, ActNamesAnswer, allow=no_union("administrator", "operator")
)

EXPORT_ACTS = command(
    "membership.export_acts",
    ExportActsRequest,
    FileAnswer,
    allow=subordinates(*_READERS),
    title=ACTIONS["membership.export_acts"],
)
LIST_SEARCHES = query("membership.list_searches", ListSearchesRequest, SavedSearchesAnswer, allow=own_data(*_READERS))
SAVE_SEARCH = command(
    "membership.save_search",
    SaveSearchRequest,
    SavedSearchAnswer,
    allow=own_data(*_READERS),
    title=ACTIONS["membership.save_search"],
)
RENAME_SEARCH = command(
    "membership.rename_search",
    RenameSearchRequest,
    SavedSearchAnswer,
    allow=own_data(*_READERS),
    title=ACTIONS["membership.rename_search"],
)
DELETE_SEARCH = command(
    "membership.delete_search", SearchRequest, allow=own_data(*_READERS), title=ACTIONS["membership.delete_search"]
)
