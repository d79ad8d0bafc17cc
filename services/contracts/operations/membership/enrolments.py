"""The operations on enrolments 参保: the list of a union's members, its export, the member's own on the phone."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from services.contracts.external import insurer
from services.contracts.fields import DocumentNumber, NamePart
from services.contracts.operations.membership.covers import ENROLMENT_STATUSES, Cover
from services.contracts.operations.membership.members import REASONS_OF_LEAVING
from services.contracts.operations.roles import STAFF, SUPERIORS, subordinates
from services.contracts.shared import CARD_STATUSES, DOCUMENT_TYPES, ENROLMENT_KINDS, ENROLMENT_WAYS
from services.kit.events.contract import choice
from services.kit.fields import text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import command, own_data, query
from services.kit.rpc.paging import PageAnswer, PageRequest, sortable
from services.kit.schemas import UNSET, Unset

LARGEST_EXPORT = 50_000
"""Most enrolments in one exported sheet."""


@dataclass(frozen=True, kw_only=True)
class EnrolmentFilter:
    """Filters for the enrolments of one union's members, or of one and all below it; absent ones are not applied."""

    union_id: Annotated[UUID | Unset, "a subordinate union; the caller's own where absent"] = UNSET
    with_subordinates: Annotated[
        bool | Unset, "also the members of all unions below; for reviewers and administrators"
    ] = UNSET
    name: Annotated[NamePart | Unset, "what the member's name begins with"] = UNSET
    member_no: Annotated[str | Unset, text(20), "the whole number"] = UNSET
    document_number: Annotated[DocumentNumber | Unset, "the whole number; such searches are counted and recorded"] = (
        UNSET
    )
    year: Annotated[int | Unset, validate.Range(insurer.FIRST_YEAR, insurer.LAST_YEAR)] = UNSET
    way: Annotated[str | Unset, choice(*ENROLMENT_WAYS)] = UNSET
    kind: Annotated[str | Unset, choice(*ENROLMENT_KINDS), "enrolments that insure it"] = UNSET
    status: Annotated[str | Unset, choice(*ENROLMENT_STATUSES), "today in Shanghai"] = UNSET


@dataclass(frozen=True, kw_only=True)
class ListEnrolmentsRequest(EnrolmentFilter, PageRequest):
    sort: Annotated[str, sortable("year", "covers_from", "name")] = "-year"


@dataclass(frozen=True, kw_only=True)
class ExportEnrolmentsRequest(EnrolmentFilter):
    pass


@dataclass(frozen=True, kw_only=True)
class EnrolmentAnswer(Cover):
    """An enrolment in the list, with its member."""

    member_id: UUID
    member_no: str
    name: str
    document_type: Annotated[str, choice(*DOCUMENT_TYPES)]
    document_number: Annotated[str, "masked"]
    union_id: UUID
    union_name: str
    card_status: Annotated[
        str | None, choice(*CARD_STATUSES, allow_none=True), "of the member's card, without which nobody is insured"
    ]
    left_because: Annotated[
        str | None, choice(*REASONS_OF_LEAVING, allow_none=True), "who has left is not insured beyond the year's end"
    ]


@dataclass(frozen=True, kw_only=True)
class ListEnrolmentsAnswer(PageAnswer):
    items: list[EnrolmentAnswer]
    hint: Annotated[str, "which members are not in this list, and where they see their enrolments"]
    is_connected: Annotated[bool, "the mutual-aid society is connected; otherwise no enrolments come"]


@dataclass(frozen=True, kw_only=True)
class GetPersonalEnrolmentsRequest:
    """Takes nothing: the member is known."""


@dataclass(frozen=True, kw_only=True)
class PersonalEnrolmentsAnswer:
    items: Annotated[list[Cover], "newest first"]


LIST_ENROLMENTS = query(
    "membership.list_enrolments",
    ListEnrolmentsRequest,
    ListEnrolmentsAnswer,
    allow=subordinates(*STAFF),
    may_lag=SUPERIORS,
)
EXPORT_ENROLMENTS = command(
    "membership.export_enrolments",
    ExportEnrolmentsRequest,
    FileAnswer,
    allow=subordinates(*STAFF),
    title="导出参保信息",
)
GET_PERSONAL_ENROLMENTS = query(
    "membership.get_personal_enrolments",
    GetPersonalEnrolmentsRequest,
    PersonalEnrolmentsAnswer,
    allow=own_data("member"),
)
