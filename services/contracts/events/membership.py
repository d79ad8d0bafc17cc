"""What membership tells: members come, get numbers, are queued for a card; applications are cancelled; sessions end."""

from marshmallow import fields, validate

from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.fields import Whole
from services.contracts.shared import IMPORT_STATES, PersonFacts, UnionFacts
from services.kit.events.contract import MESSAGE_SIZE, EventContract, EventData, Parted, Sealed, choice, chunk_of

SESSION_ENDS = (
    *("signed_out", "signed_in_again", "ended_by_holder", "password_changed", "password_reset", "roles_changed"),
    *("account_disabled", "second_factor_passed", "second_factor_changed", "locked"),
)
"""Why a session ended before its time; one that is idle or too old ends by itself."""


class RegisteredMember(EventData):
    member_id = fields.UUID(required=True)


class MemberRegisteredData(EventData):
    union_id = fields.UUID(required=True)
    members = chunk_of(RegisteredMember)


class NumberedMember(EventData):
    member_id = fields.UUID(required=True)
    member_no = fields.String(required=True, validate=Whole(r"^[0-9]{10}$"))


class MemberNumberedData(EventData):
    union_id = fields.UUID(required=True)
    members = chunk_of(NumberedMember)


class QueuedApplication(EventData):
    application_id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    member_no = fields.String(required=True)


class PersonalApplication(EventData):
    """What a member chose on the phone: such an application is checked and submitted without a clerk."""

    outlet_code = fields.String(required=True)


class GivenConsent(EventData):
    """That the member agreed, on the phone, to personal data going to the bank. Always sealed."""

    version = fields.String(required=True)
    given_at = fields.AwareDateTime(required=True)
    origin = fields.String(allow_none=True, load_default=None, metadata={"description": "the address it came from"})


class MembersQueuedData(EventData):
    union = fields.Nested(UnionFacts, required=True)
    queued_by = fields.UUID(required=True, metadata={"description": "the clerk's account, or the member on the phone"})
    queued_at = fields.AwareDateTime(required=True)
    applications = chunk_of(QueuedApplication)
    personal_application = fields.Nested(PersonalApplication, allow_none=True, load_default=None)
    consent = Sealed(fields.Nested(GivenConsent), allow_none=True, load_default=None)
    persons = Sealed(Parted(fields.Nested(PersonFacts)), required=True)


class ApplicationCancelledData(EventData):
    union_id = fields.UUID(required=True)
    application_id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    reason = choice("already_issued", required=True)
    issued_application_id = fields.UUID(required=True)
    issued_union_id = fields.UUID(required=True)
    member_no = fields.String(required=True)


class CorrectionRefusedData(EventData):
    union_id = fields.UUID(required=True)
    application_id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    member_no = fields.String(required=True)
    reason = choice("document_known", required=True, metadata={"description": "another member has the document"})


class ImportStepData(EventData):
    """Names an import that has work to be done."""

    union_id = fields.UUID(required=True)
    import_id = fields.UUID(required=True)


class ImportRequestedData(ImportStepData):
    """A file whose rows are to be read."""


class ImportContinuedData(ImportStepData):
    """Rows that wait to be registered."""


class ImportProgressedData(EventData):
    union_id = fields.UUID(required=True)
    import_id = fields.UUID(required=True)
    state = choice("running", "finished", "failed", required=True, metadata={"description": "whether it ended"})
    phase = choice(
        *IMPORT_STATES, allow_none=True, load_default=None, metadata={"description": "the state, in more words"}
    )
    failure = fields.String(allow_none=True, load_default=None, metadata={"description": "why it failed, in Chinese"})
    rows_total = fields.Integer(allow_none=True, load_default=None)
    rows_read = fields.Integer(required=True)
    rows_accepted = fields.Integer(required=True)
    rows_rejected = fields.Integer(required=True)


class AuditHeadSignedData(EventData):
    position = fields.Integer(required=True, metadata={"description": "of the newest entry, counted from 1"})
    statement = fields.String(
        required=True,
        metadata={"description": "JWS in compact form, signed by membership: position, hash and time"},
    )


class OtpRecipient(EventData):
    """Where the one-time password goes. Always sealed."""

    phone = fields.String(required=True)
    code = fields.String(required=True)


class OtpPhone(EventData):
    """The telephone that somebody gave. Always sealed."""

    phone = fields.String(required=True)


class OtpRequestedData(EventData):
    code_id = fields.UUID(required=True)
    origin = fields.String(required=True, allow_none=True, metadata={"description": "the address it came from"})
    recipient = Sealed(fields.Nested(OtpPhone), required=True)


class OtpIssuedData(EventData):
    purpose = choice("personal_sign_in", required=True)
    expires_at = fields.AwareDateTime(required=True)
    recipient = Sealed(fields.Nested(OtpRecipient), required=True)


class SessionsEndedData(EventData):
    session_ids = fields.List(fields.UUID(), required=True, validate=validate.Length(1, MESSAGE_SIZE))
    because = choice(*SESSION_ENDS, required=True)


ACCOUNT_CHANGES = (
    *("link_sent", "password_set", "second_factor_on", "second_factor_off", "roles_changed"),
    *("phone_change_requested", "phone_changed", "phone_change_ended", "reopened", "unlocked"),
)
"""What of an account its holder is told of, whoever did it."""


class AccountHolder(EventData):
    """Who is told, at which telephones, and who did it. Always sealed."""

    account_name = fields.String(required=True)
    phones = fields.List(fields.String(), load_default=list, metadata={"description": "the old number is among them"})
    changed_by = fields.String(
        allow_none=True, load_default=None, metadata={"description": "the administrator; null where the holder did it"}
    )


class AccountChangedData(EventData):
    change_id = fields.UUID(required=True, metadata={"description": "of this news: it is told once"})
    account_id = fields.UUID(required=True)
    union_id = fields.UUID(required=True)
    change = choice(*ACCOUNT_CHANGES, required=True)
    changed_at = fields.AwareDateTime(required=True)
    administrators_of = fields.List(
        fields.UUID(),
        load_default=list,
        metadata={"description": "the unions whose administrators are asked to confirm"},
    )
    holder = Sealed(fields.Nested(AccountHolder), required=True)


class ResetLinkRecipient(EventData):
    """Where the link goes, and for which account. Always sealed."""

    phone = fields.String(required=True)
    account_name = fields.String(required=True)
    url_path = fields.String(required=True, metadata={"description": "the page to open, with the token"})
    made_by = fields.String(allow_none=True, load_default=None, metadata={"description": "the administrator's name"})


class ResetLinkMadeData(EventData):
    account_id = fields.UUID(required=True)
    expires_at = fields.AwareDateTime(required=True)
    is_first = fields.Boolean(
        load_default=False, metadata={"description": "the account is new: no password was chosen"}
    )
    recipient = Sealed(fields.Nested(ResetLinkRecipient), required=True)


class ChangedPhone(EventData):
    """The numbers that are told of it. Always sealed."""

    old_phone = fields.String(allow_none=True, load_default=None)
    new_phone = fields.String(allow_none=True, load_default=None)


class MemberPhoneChangedData(EventData):
    union_id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    changed_at = fields.AwareDateTime(required=True)
    held_until = fields.AwareDateTime(
        required=True, metadata={"description": "until when the member can apply for nothing on the phone"}
    )
    numbers = Sealed(fields.Nested(ChangedPhone), required=True)


MEMBER_REGISTERED = EventContract(
    "membership",
    "member_registered",
    MemberRegisteredData,
    "Members were registered and wait for their numbers.",
    consumers=("membership",),
    is_live=True,
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
    "What a clerk corrected in the pending list cannot be the member's: the application ends.",
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
    "An import of members went on or ended.",
    consumers=("notification",),
    is_live=True,
)
OTP_REQUESTED = EventContract(
    "membership",
    "otp_requested",
    OtpRequestedData,
    "Somebody asked for a one-time password for a telephone; whether a member has it is looked up afterwards.",
    consumers=("membership",),
)
OTP_ISSUED = EventContract(
    "membership",
    "otp_issued",
    OtpIssuedData,
    "A one-time password was made and is to be sent to the member's phone.",
    consumers=("notification",),
)
SESSIONS_ENDED = EventContract(
    "membership",
    "sessions_ended",
    SessionsEndedData,
    "Sessions of an account or of a member on the phone ended before their time; nobody acts in them any more.",
)
RESET_LINK_MADE = EventContract(
    "membership",
    "reset_link_made",
    ResetLinkMadeData,
    "An administrator made a link to choose a password; it goes to the account's telephone and to nobody else.",
    consumers=("notification",),
)
ACCOUNT_CHANGED = EventContract(
    "membership",
    "account_changed",
    AccountChangedData,
    "What proves an account or what it may do was changed, or is to be; its holder is told.",
    consumers=("notification",),
)
MEMBER_PHONE_CHANGED = EventContract(
    "membership",
    "member_phone_changed",
    MemberPhoneChangedData,
    "A member's phone was changed, or can be signed in by for the first time; it and the number before are told.",
    consumers=("notification",),
)
AUDIT_HEAD_SIGNED = EventContract(
    "membership",
    "audit_head_signed",
    AuditHeadSignedData,
    "The audit log goes to this entry; who hears of it remembers it, so that cutting the log shows.",
    consumers=("validation", "batching", "revocation", "notification"),
)
ACT_RECORDED = ACTS_RECORDED["membership"]
EVENTS = (
    MEMBER_REGISTERED,
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
    AUDIT_HEAD_SIGNED,
)
