"""The events of membership: members registered, numbered and queued; applications cancelled; sessions ended."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.events.status import STATUSES_SAMPLED
from services.contracts.events.subjects import SUBJECT_REQUESTED
from services.contracts.overdue import ROLE_OF_KIND
from services.contracts.shared import IMPORT_STATES, UNION_CHANGE_KINDS, UNION_KINDS, PersonFacts, UnionFacts
from services.kit.events.contract import (
    CHUNK,
    ENCRYPTED,
    MESSAGE_SIZE,
    PARTED,
    EventContract,
    EventData,
    choice,
)
from services.kit.fields import FullMatch

SESSION_ENDS = (
    *("signed_out", "signed_in_again", "ended_by_holder", "password_changed", "password_reset", "roles_changed"),
    *("account_disabled", "second_factor_passed", "second_factor_changed", "locked"),
)
"""Why a session ended before it expired; an idle or too old one expires without an event."""


@dataclass(frozen=True, kw_only=True)
class RegisteredMember(EventData):
    member_id: UUID


@dataclass(frozen=True, kw_only=True)
class MemberRegisteredData(EventData):
    union_id: UUID
    members: Annotated[list[RegisteredMember], CHUNK]


@dataclass(frozen=True, kw_only=True)
class CountedMember(EventData):
    """What reports count of a member, as the membership is now."""

    member_id: UUID
    union_id: UUID
    registered_at: datetime
    left_at: Annotated[datetime | None, "when the member left or retired"] = None
    version: Annotated[int, validate.Range(min=0), "how often the membership has changed: the newest counts"] = 0


@dataclass(frozen=True, kw_only=True)
class MembersCountedData(EventData):
    members: Annotated[list[CountedMember], CHUNK]
    rebuild_id: Annotated[UUID | None, "the rebuild of the reports that it belongs to"] = None


@dataclass(frozen=True, kw_only=True)
class ChangedUnion(UnionFacts):
    kind: Annotated[str, choice(*UNION_KINDS)]
    ended_at: Annotated[datetime | None, "when it was dissolved or merged"] = None
    successor_union_id: Annotated[UUID | None, "the union that it was merged into, which is in the event as well"] = (
        None
    )


@dataclass(frozen=True, kw_only=True)
class UnionsChangedData(EventData):
    unions: Annotated[list[ChangedUnion], CHUNK]
    rebuild_id: Annotated[UUID | None, "the rebuild of the reports that it belongs to"] = None


@dataclass(frozen=True, kw_only=True)
class UnionChangeNotedData(EventData):
    change_id: UUID
    kind: Annotated[str, choice(*UNION_CHANGE_KINDS)]
    state: Annotated[str, choice("requested", "done", "declined", "withdrawn", "expired")]
    union_id: UUID
    union_name: str
    target_union_name: Annotated[str | None, "the new superior, or the successor"] = None
    told_union_ids: Annotated[list[UUID], "whose administrators are told"]
    target_union_id: UUID | None = None
    moved_account_ids: Annotated[list[UUID], "accounts of a merged union, whose holders sign in again"] = field(
        default_factory=list
    )


@dataclass(frozen=True, kw_only=True)
class UnionMergedData(EventData):
    union_id: UUID


@dataclass(frozen=True, kw_only=True)
class NumberedMember(EventData):
    member_id: UUID
    member_no: Annotated[str, FullMatch(r"^[0-9]{10}$")]


@dataclass(frozen=True, kw_only=True)
class MemberNumberedData(EventData):
    union_id: UUID
    members: Annotated[list[NumberedMember], CHUNK]


@dataclass(frozen=True, kw_only=True)
class QueuedApplication(EventData):
    application_id: UUID
    member_id: UUID
    member_no: str


@dataclass(frozen=True, kw_only=True)
class PersonalApplication(EventData):
    """A member's choice on the phone; such an application is checked and submitted without a clerk."""

    outlet_code: str


@dataclass(frozen=True, kw_only=True)
class GivenConsent(EventData):
    """The member's consent, on the phone, to personal data going to the bank. Always encrypted."""

    version: str
    given_at: datetime
    origin: Annotated[str | None, "the address it came from"] = None


@dataclass(frozen=True, kw_only=True)
class MembersQueuedData(EventData):
    union: UnionFacts
    queued_by: Annotated[UUID, "the clerk's account, or the member on the phone"]
    queued_at: datetime
    applications: Annotated[list[QueuedApplication], CHUNK]
    personal_application: PersonalApplication | None = None
    consent: Annotated[GivenConsent | None, ENCRYPTED] = None
    persons: Annotated[list[PersonFacts], PARTED, ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class ApplicationCancelledData(EventData):
    union_id: UUID
    application_id: UUID
    member_id: UUID
    reason: Annotated[str, choice("already_issued")]
    issued_application_id: UUID
    issued_union_id: UUID
    member_no: str


@dataclass(frozen=True, kw_only=True)
class CorrectionRefusedData(EventData):
    union_id: UUID
    application_id: UUID
    member_id: UUID
    member_no: str
    reason: Annotated[str, choice("document_known"), "another member has the document"]


@dataclass(frozen=True, kw_only=True)
class ImportStepData(EventData):
    """An import that has work to do."""

    union_id: UUID
    import_id: UUID


@dataclass(frozen=True, kw_only=True)
class ImportRequestedData(ImportStepData):
    """An import whose file is to be read."""


@dataclass(frozen=True, kw_only=True)
class ImportContinuedData(ImportStepData):
    """An import whose rows wait to be judged or registered."""


@dataclass(frozen=True, kw_only=True)
class ImportProgressedData(EventData):
    union_id: UUID
    import_id: UUID
    state: Annotated[str, choice("running", "finished", "failed"), "whether it ended"]
    phase: Annotated[str | None, choice(*IMPORT_STATES, allow_none=True), "the detailed state"] = None
    failure: Annotated[str | None, "why it failed, in Chinese"] = None
    rows_total: int | None = None
    rows_read: int
    rows_accepted: int
    rows_rejected: int


@dataclass(frozen=True, kw_only=True)
class AuditHeadSignedData(EventData):
    position: Annotated[int, "of the newest entry, counted from 1"]
    statement: Annotated[str, "JWS in compact form, signed by membership: position, hash and time"]


@dataclass(frozen=True, kw_only=True)
class OtpRecipient(EventData):
    """The recipient of a one-time password. Always encrypted."""

    phone: str
    code: str


@dataclass(frozen=True, kw_only=True)
class OtpPhone(EventData):
    """The telephone in a request for a one-time password. Always encrypted."""

    phone: str


@dataclass(frozen=True, kw_only=True)
class OtpRequestedData(EventData):
    code_id: UUID
    origin: Annotated[str | None, "the address it came from"]
    recipient: Annotated[OtpPhone, ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class OtpIssuedData(EventData):
    purpose: Annotated[str, choice("personal_sign_in")]
    expires_at: datetime
    recipient: Annotated[OtpRecipient, ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class SessionsEndedData(EventData):
    session_ids: Annotated[list[UUID], validate.Length(1, MESSAGE_SIZE)]
    because: Annotated[str, choice(*SESSION_ENDS)]


ACCOUNT_CHANGES = (
    *("link_sent", "password_set", "second_factor_on", "second_factor_off", "roles_changed"),
    *("phone_change_requested", "phone_changed", "phone_change_ended", "reopened", "unlocked"),
)
"""The changes of an account of which its holder is notified."""


@dataclass(frozen=True, kw_only=True)
class AccountHolder(EventData):
    """The holder to notify, at which telephones, and who made the change. Always encrypted."""

    account_name: str
    phones: Annotated[list[str], "the old number is among them"] = field(default_factory=list)
    changed_by: Annotated[str | None, "the administrator; null where the holder did it"] = None


@dataclass(frozen=True, kw_only=True)
class AccountChangedData(EventData):
    change_id: Annotated[UUID, "of this change: its holder is notified once"]
    account_id: UUID
    union_id: UUID
    change: Annotated[str, choice(*ACCOUNT_CHANGES)]
    changed_at: datetime
    administrators_of: Annotated[list[UUID], "the unions whose administrators are asked to confirm"] = field(
        default_factory=list
    )
    holder: Annotated[AccountHolder, ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class ResetLinkRecipient(EventData):
    """The recipient of a reset link, and the account it is for. Always encrypted."""

    phone: str
    account_name: str
    url_path: Annotated[str, "the page to open, with the token"]
    made_by: Annotated[str | None, "the administrator's name"] = None


@dataclass(frozen=True, kw_only=True)
class ResetLinkMadeData(EventData):
    account_id: UUID
    expires_at: datetime
    is_first: Annotated[bool, "the account is new: no password was chosen"] = False
    recipient: Annotated[ResetLinkRecipient, ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class ChangedPhone(EventData):
    """The numbers that are notified of the change. Always encrypted."""

    old_phone: str | None = None
    new_phone: str | None = None


@dataclass(frozen=True, kw_only=True)
class MemberPhoneChangedData(EventData):
    union_id: UUID
    member_id: UUID
    changed_at: datetime
    held_until: Annotated[datetime, "until when the member can apply for nothing on the phone"]
    numbers: Annotated[ChangedPhone, ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class OverdueCount(EventData):
    kind: Annotated[str, choice(*ROLE_OF_KIND)]
    count: Annotated[int, validate.Range(min=1)]
    since: Annotated[datetime, "since when the oldest waits"]


@dataclass(frozen=True, kw_only=True)
class Reminder(EventData):
    """What one role in one union is reminded of."""

    union_id: UUID
    role: str
    of_subordinates: Annotated[int, "how many unions below did not act in time; 0: it is the union's own work"] = 0
    works: Annotated[list[OverdueCount], validate.Length(min=1)]


@dataclass(frozen=True, kw_only=True)
class ReminderRecipients(EventData):
    """The telephones of those who hold a role in a union. Always encrypted."""

    union_id: UUID
    role: str
    phones: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class RemindersDueData(EventData):
    day: Annotated[date, "the day in Shanghai"]
    reminders: Annotated[list[Reminder], CHUNK]
    recipients: Annotated[list[ReminderRecipients], ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class TransferredPerson(EventData):
    """The telephone of the member who is to be transferred. Always encrypted."""

    phone: str | None = None


@dataclass(frozen=True, kw_only=True)
class TransferRequestedData(EventData):
    transfer_id: UUID
    from_union_id: UUID
    union: Annotated[UnionFacts, "the union that requests the member"]
    member_no: str
    due_on: Annotated[date, "the last day to decide; after it the member is transferred"]
    person: Annotated[TransferredPerson, ENCRYPTED]
    member_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class TransferEndedData(EventData):
    transfer_id: UUID
    from_union_id: UUID
    to_union_id: UUID
    state: Annotated[str, choice("declined", "withdrawn")]
    remark: Annotated[str | None, "the old union's reason"] = None


@dataclass(frozen=True, kw_only=True)
class MemberTransferredData(EventData):
    transfer_id: UUID
    member_id: UUID
    member_no: str
    from_union_id: UUID
    union: Annotated[UnionFacts, "the member's union from now on"]
    version: Annotated[int, validate.Range(min=1), "how often the member has moved: the newest counts"]
    transferred_at: datetime
    automatic: Annotated[bool, "nobody decided in time"] = False


@dataclass(frozen=True, kw_only=True)
class DelegationPeople(EventData):
    """The names in a delegation, and why it was made. Always encrypted."""

    principal_name: str
    deputy_name: str
    changed_by_name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class DelegationChangedData(EventData):
    delegation_id: UUID
    version: Annotated[int, validate.Range(min=1), "how often the delegation has changed: the newest counts"]
    change: Annotated[str, choice("named", "ended"), "ended: early, by somebody"]
    principal_id: Annotated[UUID, "the reviewer"]
    union_id: Annotated[UUID, "the reviewer's union"]
    deputy_id: UUID
    deputy_union_id: UUID
    changed_by: Annotated[UUID | None, "the account that made or ended it"] = None
    first_day: Annotated[date, "in Shanghai"]
    last_day: Annotated[date, "in Shanghai, inclusive"]
    people: Annotated[DelegationPeople, ENCRYPTED]


MEMBER_REGISTERED = EventContract(
    "membership",
    "member_registered",
    MemberRegisteredData,
    "Members were registered and wait for their numbers.",
    consumers=("membership",),
    is_live=True,
)
MEMBERS_COUNTED = EventContract(
    "membership",
    "members_counted",
    MembersCountedData,
    "Members were registered, or are counted anew for a rebuild of the reports: without personal data.",
    consumers=("notification",),
)
UNION_CHANGE_NOTED = EventContract(
    "membership",
    "union_change_noted",
    UnionChangeNotedData,
    "A change of the tree of unions was requested, was carried out, or ended without: administrators are told.",
    consumers=("notification",),
)
UNION_MERGED = EventContract(
    "membership",
    "union_merged",
    UnionMergedData,
    "A union was merged into another one: its members and applications are to follow.",
    consumers=("membership",),
)
UNIONS_CHANGED = EventContract(
    "membership",
    "unions_changed",
    UnionsChangedData,
    "Unions were created, renamed, moved or merged; the event that was published last has their place and name.",
    consumers=("validation", "batching", "revocation", "notification"),
)
MEMBER_NUMBERED = EventContract(
    "membership", "member_numbered", MemberNumberedData, "Members got their numbers and can be queued for a card."
)
MEMBERS_QUEUED = EventContract(
    "membership",
    "members_queued",
    MembersQueuedData,
    "Members were queued for a card, each with a new application.",
    consumers=("batching",),
    is_live=True,
)
APPLICATION_CANCELLED = EventContract(
    "membership",
    "application_cancelled",
    ApplicationCancelledData,
    "A live application ended because the member's card of an earlier application was issued after all.",
    consumers=("batching", "notification"),
    is_live=True,
)
CORRECTION_REFUSED = EventContract(
    "membership",
    "correction_refused",
    CorrectionRefusedData,
    "A clerk's correction in the pending list has another member's document: the application ends.",
    consumers=("batching", "notification"),
)
IMPORT_REQUESTED = EventContract(
    "membership",
    "import_requested",
    ImportRequestedData,
    "A file of members was uploaded; it is to be read.",
    consumers=("membership",),
)
IMPORT_CONTINUED = EventContract(
    "membership",
    "import_continued",
    ImportContinuedData,
    "Rows of an import wait to be judged for its preview, or to be registered, a part at a time.",
    consumers=("membership",),
)
IMPORT_PROGRESSED = EventContract(
    "membership",
    "import_progressed",
    ImportProgressedData,
    "An import of members progressed or ended.",
    consumers=("notification",),
    is_live=True,
)
OTP_REQUESTED = EventContract(
    "membership",
    "otp_requested",
    OtpRequestedData,
    "Somebody requested a one-time password for a telephone; whether it is a member's is looked up asynchronously.",
    consumers=("membership",),
)
OTP_ISSUED = EventContract(
    "membership",
    "otp_issued",
    OtpIssuedData,
    "A one-time password was created and is to be sent to the member's phone.",
    consumers=("notification",),
)
SESSIONS_ENDED = EventContract(
    "membership",
    "sessions_ended",
    SessionsEndedData,
    "Sessions of an account or of a member on the phone were ended; they are no longer valid.",
)
RESET_LINK_MADE = EventContract(
    "membership",
    "reset_link_made",
    ResetLinkMadeData,
    "An administrator created a link to choose a password; it is sent only to the account's telephone.",
    consumers=("notification",),
)
ACCOUNT_CHANGED = EventContract(
    "membership",
    "account_changed",
    AccountChangedData,
    "An account's credentials, telephone or roles changed, or are to change; its holder is notified.",
    consumers=("notification",),
)
MEMBER_PHONE_CHANGED = EventContract(
    "membership",
    "member_phone_changed",
    MemberPhoneChangedData,
    "A member's phone changed, or can be used to sign in for the first time; the new and old numbers are notified.",
    consumers=("notification",),
)
AUDIT_HEAD_SIGNED = EventContract(
    "membership",
    "audit_head_signed",
    AuditHeadSignedData,
    "The audit log ended at this entry; consumers keep it, so that a shortened log is detected.",
    consumers=("validation", "batching", "revocation", "notification"),
)
REMINDERS_DUE = EventContract(
    "membership",
    "reminders_due",
    RemindersDueData,
    "People are reminded of overdue work: those who can act on it, and the next superior of what has waited too long.",
    consumers=("notification",),
)
TRANSFER_REQUESTED = EventContract(
    "membership",
    "transfer_requested",
    TransferRequestedData,
    "A union requested a member of another one, which is asked to agree; the member is told.",
    consumers=("notification",),
)
TRANSFER_ENDED = EventContract(
    "membership",
    "transfer_ended",
    TransferEndedData,
    "A transfer was declined by the old union, or withdrawn by the new one: the member stays.",
    consumers=("notification",),
)
MEMBER_TRANSFERRED = EventContract(
    "membership",
    "member_transferred",
    MemberTransferredData,
    "A member belongs to another union from now on, with number and card.",
    consumers=("batching", "notification"),
    is_live=True,
)
DELEGATION_CHANGED = EventContract(
    "membership",
    "delegation_changed",
    DelegationChangedData,
    "A reviewer's deputy was named for a period, or the delegation ended early; those concerned are notified.",
    consumers=("notification",),
)
ACT_RECORDED = ACTS_RECORDED["membership"]
STATUS_SAMPLED = STATUSES_SAMPLED["membership"]
EVENTS = (
    MEMBER_REGISTERED,
    MEMBERS_COUNTED,
    UNIONS_CHANGED,
    UNION_CHANGE_NOTED,
    UNION_MERGED,
    MEMBER_NUMBERED,
    MEMBERS_QUEUED,
    APPLICATION_CANCELLED,
    CORRECTION_REFUSED,
    IMPORT_REQUESTED,
    IMPORT_CONTINUED,
    IMPORT_PROGRESSED,
    OTP_REQUESTED,
    OTP_ISSUED,
    SESSIONS_ENDED,
    RESET_LINK_MADE,
    MEMBER_PHONE_CHANGED,
    ACCOUNT_CHANGED,
    ACT_RECORDED,
    STATUS_SAMPLED,
    AUDIT_HEAD_SIGNED,
    REMINDERS_DUE,
    TRANSFER_REQUESTED,
    TRANSFER_ENDED,
    MEMBER_TRANSFERRED,
    DELEGATION_CHANGED,
    SUBJECT_REQUESTED,
)
