"""Membership's tables: unions, accounts, sessions, members, applications, imports, disclosures, the audit log."""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Sequence,
    String,
    Text,
    UniqueConstraint,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column
from sqlalchemy.types import Uuid

from services.kit.data.database import NAMES_KEYS, EncryptedBytes, EncryptedText, new_metadata
from services.kit.data.lists.ordering import smallest_first
from services.kit.data.months import CURRENT_MONTH
from services.membership.applications.application_states import ENDED, LIVE, CardState, State


class Base(DeclarativeBase):
    """All tables of membership, with the messaging kit's own."""

    metadata = new_metadata()


class Union(Base):
    """A union in the tree; `superior_ids` are all unions above it, the city's first, its superior last.

    One that was dissolved at `ended_at` keeps its place, where its history is found, and has no open accounts. Of one
    that was merged, all is the successor's, which has no successor itself.
    """

    __tablename__ = "union"
    __table_args__ = (Index(None, "superior_ids", postgresql_using="gin"),)

    union_id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[str]
    superior_union_id: Mapped[UUID | None] = mapped_column(ForeignKey("union.union_id"), index=True)
    superior_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    successor_union_id: Mapped[UUID | None] = mapped_column(ForeignKey("union.union_id"), index=True)


class UnionChange(Base):
    """A change of the tree, which one administrator requests and another one confirms (union_changes/requests.py).

    `preview` is what it concerned when it was requested; `from_union_id` was the superior then.
    """

    __tablename__ = "union_change"
    __table_args__ = (
        Index(None, "requested_at"),
        Index("uq_union_change_open", "union_id", unique=True, postgresql_where=text("state = 'requested'")),
    )

    change_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    union_id: Mapped[UUID] = mapped_column(ForeignKey("union.union_id"))
    from_union_id: Mapped[UUID] = mapped_column(ForeignKey("union.union_id"))
    target_union_id: Mapped[UUID | None] = mapped_column(ForeignKey("union.union_id"))
    reason: Mapped[str] = mapped_column(EncryptedText)
    preview: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default="requested")
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"))
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.account_id"))
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Account(Base):
    """An account that may sign in for a union.

    `locked_until` is when devices that never signed it in may try again; the `former` columns are the previous
    release's.
    """

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint("not ('operator' = any (roles)) or cardinality(roles) = 1", name="operator_alone"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    union_id: Mapped[UUID] = mapped_column(ForeignKey("union.union_id"), index=True)
    account_name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str]
    roles: Mapped[list[str]] = mapped_column(ARRAY(String))
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    phone_digest: Mapped[bytes | None] = mapped_column(index=True)
    password_hash: Mapped[str]
    must_change_password: Mapped[bool] = mapped_column(server_default="true")
    disabled: Mapped[bool] = mapped_column(server_default="false")
    former_failures: Mapped[int] = mapped_column("failures", server_default="0")
    former_first_failure_at: Mapped[datetime | None] = mapped_column("first_failure_at", DateTime(timezone=True))
    former_locked_until: Mapped[datetime | None] = mapped_column("locked_until", DateTime(timezone=True))
    last_signed_in_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    totp_secret: Mapped[str | None] = mapped_column(EncryptedText)
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    totp_last_step: Mapped[int | None] = mapped_column(BigInteger)
    phone_changed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    controlled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    locked_until: ClassVar[Any]


class AccountControl(Base):
    """An administrator's control of an account by creating it, or changing its credentials or roles (controls.py)."""

    __tablename__ = "account_control"
    __table_args__ = (Index(None, "account_id", "at"),)

    control_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"))
    administrator_id: Mapped[UUID]
    kind: Mapped[str]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class AccountPreference(Base):
    """A choice of an account on the pages, as JSON that only the pages understand."""

    __tablename__ = "account_preference"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class SavedSearch(Base):
    """A search in the audit log that an account keeps: filters by name, as the search takes them."""

    __tablename__ = "saved_search"
    __table_args__ = (UniqueConstraint("account_id", "name"),)

    search_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"))
    name: Mapped[str]
    filter: Mapped[dict[str, str]] = mapped_column(JSONB)


class Delegation(Base):
    """A reviewer's deputy for a period; `ended_at` is set where it ended early (accounts/delegations.py)."""

    __tablename__ = "delegation"
    __table_args__ = (
        CheckConstraint("principal_id <> deputy_id", name="two_accounts"),
        CheckConstraint("first_day <= last_day", name="days_in_order"),
        Index(None, "principal_id", "last_day"),
        Index(None, "deputy_id", "last_day"),
        Index(None, "union_id", "first_day"),
    )

    delegation_id: Mapped[UUID] = mapped_column(primary_key=True)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"))
    deputy_id: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"))
    union_id: Mapped[UUID] = mapped_column(ForeignKey("union.union_id"))
    first_day: Mapped[date]
    last_day: Mapped[date]
    reason: Mapped[str] = mapped_column(EncryptedText)
    made_by: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"))
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_by: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(server_default="1")


class PhoneChange(Base):
    """A change of an account's telephone, which one administrator requests and another one confirms or declines."""

    __tablename__ = "phone_change"
    __table_args__ = (
        Index(None, "account_id", "requested_at"),
        Index("uq_phone_change_open", "account_id", unique=True, postgresql_where=text("state = 'requested'")),
    )

    change_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"))
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    old_phone: Mapped[str | None] = mapped_column(EncryptedText)
    reason: Mapped[str] = mapped_column(EncryptedText)
    state: Mapped[str] = mapped_column(server_default="requested")
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"))
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.account_id"))
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RecoveryCode(Base):
    """A recovery code, valid once in place of the authenticator; only a digest is stored."""

    __tablename__ = "recovery_code"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"), primary_key=True)
    code_digest: Mapped[bytes] = mapped_column(primary_key=True)
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class SignedInSession(Base):
    """A session of an account, or of a member on the phone; `ended_at` is set where it ended before it expired."""

    __tablename__ = "signed_in_session"
    __table_args__ = (CheckConstraint("num_nonnulls(account_id, member_id) = 1", name="one_holder"),)

    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("account.account_id"), index=True)
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("member.member_id"), index=True)
    origin: Mapped[str | None]
    user_agent: Mapped[str | None]
    device_id: Mapped[UUID | None]
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
    passed_second_factor: Mapped[bool] = mapped_column(server_default="false")
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_because: Mapped[str | None]


class ResetLink(Base):
    """A link to choose another password once; only the hash of its token is stored.

    It ends by use, or is voided by a newer link, another password or the disabling of the account. `is_for_holder` is
    false for links of an earlier release, which showed them to administrators: those are void at once.
    """

    __tablename__ = "reset_link"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"), index=True)
    made_by: Mapped[UUID]
    is_for_holder: Mapped[bool] = mapped_column(server_default="false")
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    void_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class UsedCaptcha(Base):
    """An answered captcha, stored until it expires."""

    __tablename__ = "used_captcha"

    captcha_id: Mapped[UUID] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class AddressFailures(Base):
    """The previous release's failure counts of addresses; to be dropped when that release no longer runs."""

    __tablename__ = "address_failures"

    address: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(server_default="0")
    first_failure_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    locked_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class FailureCount(Base):
    """A count of failures: of a kind from an address, or of tries at an account.

    `counted_at` is the time of the first failure of an address, and of the newest of an account, which accepts no try
    before `free_at`. The account is that of the name, if there is one.
    """

    __tablename__ = "failure_count"

    kind: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    counted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    free_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    account_id: Mapped[UUID | None] = mapped_column(index=True)


OF_STRANGERS = ("name", "proof")
"""Kinds of counts that all devices share which never signed the account in."""

Account.locked_until = column_property(
    select(func.max(FailureCount.free_at))
    .where(FailureCount.account_id == Account.account_id, FailureCount.kind.in_(OF_STRANGERS))
    .scalar_subquery()
)


class KnownDevice(Base):
    """A browser, by its long-lived cookie, that has signed in an account or a member, the `holder_id`."""

    __tablename__ = "known_device"

    device_id: Mapped[UUID] = mapped_column(primary_key=True)
    holder_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)


MEMBER_NO = Sequence("member_no", metadata=Base.metadata, start=70_000_001, maxvalue=9_999_999_999)


class Member(Base):
    """A member of a union and the state of the card.

    `document_digest` is unique for each person and kind of document in the whole city; `document_end` finds members by
    the end of the number, and is filled in later where an earlier release wrote the number. `replaced_phone` is the
    last replaced number, until the new one can be used to sign in. `application_id`, `channel` and `applied_at` belong
    to the application of the card state; they are null for CardState.NONE. `card_status` is that of the newest known
    step of the card, `card_version`; null means that nothing happened to the card since it was made. `transfers` is how
    often the member has moved to another union, `membership_version` how often the membership has changed by that, by
    leaving or by coming back. Of an erased one, since `erased_at`, number and states remain, and nothing of the person.
    """

    __tablename__ = "member"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    union_id: Mapped[UUID] = mapped_column(ForeignKey("union.union_id"))
    member_no: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(String(collation="C"))
    name_key: Mapped[str] = mapped_column(
        String(collation="C"), Computed('lower(name collate "und-x-icu")', persisted=True)
    )
    document_type: Mapped[str]
    document_number: Mapped[str] = mapped_column(EncryptedText)
    document_digest: Mapped[bytes] = mapped_column(unique=True)
    document_end: Mapped[bytes | None]
    document_expiry: Mapped[date | None]
    document_issued: Mapped[date | None]
    birth_date: Mapped[date | None]
    sex: Mapped[str | None]
    nationality: Mapped[str | None]
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    phone_digest: Mapped[bytes | None]
    phone_changed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    replaced_phone: Mapped[str | None] = mapped_column(EncryptedText)
    address: Mapped[str | None]
    retirement_category: Mapped[str | None]
    special_retirement_month: Mapped[date | None]
    affiliation: Mapped[str]
    registered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    card_state: Mapped[str] = mapped_column(server_default=CardState.NONE)
    card_no: Mapped[str | None] = mapped_column(EncryptedText)
    card_status: Mapped[str | None]
    card_version: Mapped[int] = mapped_column(server_default="0")
    transfers: Mapped[int] = mapped_column(server_default="0")
    left_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    left_because: Mapped[str | None]
    membership_version: Mapped[int] = mapped_column(server_default="0")
    application_id: Mapped[UUID | None]
    channel: Mapped[str | None]
    applied_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    import_id: Mapped[UUID | None]
    erased_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


EMPLOYED = Member.affiliation == literal_column("'employer'")
"""Whether a member is in the union's list; flexible members are not. Literal, for the partial indexes."""


# One index for each filter of the list, in the order of that filter's answer. The index of names includes the columns
# of filters that are combined with it, so that only matching members are read.
for _name, _columns in {
    "ix_member_union_id": (Member.member_id,),
    "ix_member_union_id_name_and_more": (
        Member.name_key,
        Member.member_id,
        Member.sex,
        Member.card_state,
        Member.channel,
        Member.applied_at,
    ),
    "ix_member_union_id_sex": (Member.sex, Member.member_id),
    "ix_member_union_id_card_state": (Member.card_state, Member.member_id),
    "ix_member_union_id_card_status": (Member.card_status, Member.member_id),
    "ix_member_union_id_channel": (Member.channel, Member.member_id),
    "ix_member_union_id_applied_at": (Member.applied_at, Member.member_id),
    "ix_member_union_id_document_end": (Member.document_end, Member.member_id),
}.items():
    Index(_name, Member.union_id, *_columns, postgresql_where=EMPLOYED)
Index("ix_member_union_id_left", Member.union_id, Member.member_id, postgresql_where=Member.left_at.is_not(None))
# For searches over many unions, which no index by union serves; those that import members are in one of them alone.
Index("ix_member_name_key", Member.name_key, Member.member_id, postgresql_where=EMPLOYED)
Index(
    "ix_member_in_progress",
    Member.card_state,
    Member.member_id,
    postgresql_where=EMPLOYED
    & Member.card_state.in_([literal_column(f"'{state}'") for state in (CardState.PENDING, CardState.SUBMITTED)]),
)
Index(
    "ix_member_applied_at",
    Member.applied_at,
    Member.member_id,
    postgresql_where=EMPLOYED & Member.applied_at.is_not(None),
)
Index(
    "ix_member_special", Member.member_id, postgresql_where=EMPLOYED & (Member.channel == literal_column("'special'"))
)
# Orders that a caller may want; that by name has the index of names.
for _column in (Member.member_no, Member.applied_at):
    Index(
        f"ix_member_union_id_by_{_column.key}",
        Member.union_id,
        smallest_first(_column),
        Member.member_id,
        postgresql_where=EMPLOYED,
    )
Index(
    "ix_member_address_keys",
    func.address_keys(Member.union_id, Member.address),
    postgresql_using="gin",
    postgresql_where=EMPLOYED,
)
Index(
    "ix_member_without_number",
    Member.union_id,
    Member.member_id,
    postgresql_where=Member.member_no.is_(None) & EMPLOYED,
)
Index("ix_member_without_document_end", Member.member_id, postgresql_where=Member.document_end.is_(None))
Index(
    "ix_member_import_without_number",
    Member.import_id,
    postgresql_where=Member.member_no.is_(None) & Member.import_id.is_not(None),
)
Index("ix_member_phone_digest", Member.phone_digest, postgresql_where=Member.phone_digest.is_not(None))


class Application(Base):
    """One attempt of a member to get a card, by batching's events; `version` is that of the newest known step.

    A personal application has the outlet that the member chose. The consent was given on the phone, or, as the clerk
    attests, on a signed form before the submission.
    """

    __tablename__ = "application"
    __table_args__ = (Index(None, "member_id", "application_id"), Index(None, "union_id", "queued_at"))

    application_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.member_id"))
    union_id: Mapped[UUID] = mapped_column(ForeignKey("union.union_id"))
    state: Mapped[str] = mapped_column(server_default=State.QUEUED)
    version: Mapped[int] = mapped_column(server_default="0")
    channel: Mapped[str] = mapped_column(server_default="ordinary")
    batch_no: Mapped[str | None]
    queued_by: Mapped[UUID]
    queued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    outlet_code: Mapped[str | None]
    consent_version: Mapped[str | None]
    consented_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Transfer(Base):
    """A member's move to another union, which that union requests; without a decision until `due_on` it happens.

    `decided_by` is null where the time has passed.
    """

    __tablename__ = "transfer"
    __table_args__ = (
        Index(None, "member_id"),
        Index(None, "from_union_id", "requested_at"),
        Index(None, "to_union_id", "requested_at"),
        Index("uq_transfer_open", "member_id", unique=True, postgresql_where=text("state = 'requested'")),
        Index("ix_transfer_due", "due_on", postgresql_where=text("state = 'requested'")),
        CheckConstraint("from_union_id <> to_union_id", name="two_unions"),
    )

    transfer_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.member_id"))
    from_union_id: Mapped[UUID] = mapped_column(ForeignKey("union.union_id"))
    to_union_id: Mapped[UUID] = mapped_column(ForeignKey("union.union_id"))
    affiliation: Mapped[str]
    reason: Mapped[str | None] = mapped_column(EncryptedText)
    state: Mapped[str] = mapped_column(server_default="requested")
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"))
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    due_on: Mapped[date]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.account_id"))
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    remark: Mapped[str | None] = mapped_column(EncryptedText)


class MemberCorrection(Base):
    """A clerk's correction of a member in the pending list; `old` and `new` are CorrectedFacts as JSON.

    A refused correction had a document of another member.
    """

    __tablename__ = "member_correction"
    __table_args__ = (Index(None, "member_id", "corrected_at"),)

    correction_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.member_id"))
    application_id: Mapped[UUID]
    corrected_by: Mapped[UUID]
    corrected_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    refused: Mapped[bool]
    old: Mapped[str] = mapped_column(EncryptedText)
    new: Mapped[str] = mapped_column(EncryptedText)


Index(
    "uq_application_live_member_id",
    Application.member_id,
    unique=True,
    postgresql_where=Application.state.in_([literal_column(f"'{state}'") for state in LIVE]),
)
Index(
    "ix_application_ended",
    Application.union_id,
    Application.application_id,
    postgresql_where=Application.state.in_([literal_column(f"'{state}'") for state in ENDED]),
)
Index(
    "uq_application_issued_member_id",
    Application.member_id,
    unique=True,
    postgresql_where=Application.state == literal_column(f"'{State.ISSUED}'"),
)


class ApplicationHistory(Base):
    """A step of an application; the step of version 0 is the queueing."""

    __tablename__ = "application_history"
    __table_args__ = (Index(None, "union_id", "at"),)

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.application_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    union_id: Mapped[UUID]
    state: Mapped[str]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    note: Mapped[str | None]


Index(
    "ix_application_history_ended_at",
    ApplicationHistory.at,
    postgresql_where=ApplicationHistory.state.in_(
        [literal_column(f"'{state}'") for state in (State.ISSUED, State.REFUSED, State.RELEASED, State.REMOVED)]
    ),
)


class CardStep(Base):
    """A step of a member's card after it was made, by batching's events; `card_no` is the number after it."""

    __tablename__ = "card_step"
    __table_args__ = (Index(None, "member_id"),)

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.application_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.member_id"))
    step: Mapped[str]
    happened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    by_union: Mapped[bool]
    card_no: Mapped[str] = mapped_column(EncryptedText)


class Enrolment(Base):
    """An enrolment 参保 of a member, as the mutual-aid society said last; `kinds` have spaces between them.

    Of a member's active ones of a year the one that was changed last is current, the others are `superseded`.
    """

    __tablename__ = "enrolment"
    __table_args__ = (
        Index(None, "member_id", "year"),
        Index(None, "year", "enrolment_no"),
        Index(None, "way", "year", "enrolment_no"),
        Index(None, "covers_from", "enrolment_no"),
        Index(
            "uq_enrolment_current",
            "member_id",
            "year",
            unique=True,
            postgresql_where=text("state = 'active' and not superseded"),
        ),
    )

    enrolment_no: Mapped[str] = mapped_column(String(collation="C"), primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.member_id"))
    year: Mapped[int]
    way: Mapped[str]
    kinds: Mapped[str]
    covers_from: Mapped[date]
    covers_to: Mapped[date]
    state: Mapped[str]
    ended_on: Mapped[date | None]
    reason: Mapped[str | None] = mapped_column(EncryptedText)
    superseded: Mapped[bool] = mapped_column(server_default="false")
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


ENDS_EARLY = Enrolment.superseded | (Enrolment.state == literal_column("'ended'"))
"""Whether an enrolment was ended, or another one took its place; literal, for the partial index."""
Index("ix_enrolment_ended", Enrolment.year, Enrolment.enrolment_no, postgresql_where=ENDS_EARLY)


class EnrolmentReport(Base):
    """A report of the mutual-aid society and its outcome: `enrolments` = `applied` + `repeated` + `rejected`.

    The first record of a report's id has the digest of the content: other content under that id is rejected.
    """

    __tablename__ = "enrolment_report"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    report_id: Mapped[str] = mapped_column(index=True)
    content_digest: Mapped[bytes | None]
    enrolments: Mapped[int]
    applied: Mapped[int]
    repeated: Mapped[int]
    rejected: Mapped[int]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


Index(
    "uq_enrolment_report_content",
    EnrolmentReport.report_id,
    unique=True,
    postgresql_where=EnrolmentReport.content_digest.is_not(None),
)


class ImportJob(Base):
    """An import of members from a file, which is stored until it has been read completely.

    `sheets` is JSON: what was found and what was skipped on each sheet. `rows_known` counts rejected rows of existing
    members, which is shown after the confirmation. `progressed_at` is when it last progressed, and `resumptions` how
    often it has been resumed since. `hides_known` is not read; an earlier release writes it.
    """

    __tablename__ = "import_job"
    __table_args__ = (Index(None, "union_id", "import_id"),)

    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    union_id: Mapped[UUID] = mapped_column(ForeignKey("union.union_id"))
    started_by: Mapped[UUID]
    file_name: Mapped[str]
    content: Mapped[bytes | None] = mapped_column(EncryptedBytes)
    state: Mapped[str] = mapped_column(server_default="running")
    failure: Mapped[str | None]
    sheets: Mapped[str | None] = mapped_column(EncryptedText)
    rows_total: Mapped[int | None]
    rows_new: Mapped[int] = mapped_column(server_default="0")
    rows_known: Mapped[int] = mapped_column(server_default="0")
    rows_wrong: Mapped[int] = mapped_column(server_default="0")
    rows_read: Mapped[int] = mapped_column(server_default="0")
    rows_accepted: Mapped[int] = mapped_column(server_default="0")
    rows_rejected: Mapped[int] = mapped_column(server_default="0")
    rows_warned: Mapped[int] = mapped_column(server_default="0")
    hides_known: Mapped[bool] = mapped_column(server_default="false")
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    progressed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    resumptions: Mapped[int] = mapped_column(server_default="0")
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


Index(
    "ix_import_job_open",
    ImportJob.progressed_at,
    postgresql_where=ImportJob.state.in_(
        [literal_column(f"'{state}'") for state in ("reading", "previewed", "running")]
    ),
)


class ImportRow(Base):
    """A row of an import; `cells` is the sheet's row as JSON, for a registered row only the name.

    It is judged for the preview (`new`, `wrong`; an earlier release also had `waiting` and `known`), and then rejected,
    or registered with a warning; a registered row without a warning is deleted. `judged_on` is the day of the verdict.
    A row that can be registered has the facts that its member's row gets, in columns of the same names.
    """

    __tablename__ = "import_row"

    import_id: Mapped[UUID] = mapped_column(ForeignKey("import_job.import_id", ondelete="CASCADE"), primary_key=True)
    row_no: Mapped[int] = mapped_column(Integer, primary_key=True)
    sheet_no: Mapped[int] = mapped_column(server_default="1")
    line_no: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str] = mapped_column(server_default="waiting")
    cells: Mapped[str] = mapped_column(EncryptedText)
    document_digest: Mapped[bytes | None]
    reason: Mapped[str | None] = mapped_column(Text)
    warning: Mapped[str | None] = mapped_column(Text)
    judged_on: Mapped[date | None]
    name: Mapped[str | None]
    document_type: Mapped[str | None]
    document_number: Mapped[str | None] = mapped_column(EncryptedText)
    document_end: Mapped[bytes | None]
    document_expiry: Mapped[date | None]
    document_issued: Mapped[date | None]
    birth_date: Mapped[date | None]
    sex: Mapped[str | None]
    nationality: Mapped[str | None]
    phone: Mapped[str | None] = mapped_column(EncryptedText)
    phone_digest: Mapped[bytes | None]
    address: Mapped[str | None]
    retirement_category: Mapped[str | None]
    special_retirement_month: Mapped[date | None]
    affiliation: Mapped[str | None]


Index("ix_import_row_state", ImportRow.import_id, ImportRow.state, ImportRow.row_no)


class Disclosure(Base):
    """Numbers of members that an account was shown, exported, or searched by, and its reason.

    The reason of a search is its place; `member_id` is the member with the number, if any. A search is `held` during a
    registration, and `released` afterwards, with the same time.
    """

    __tablename__ = "disclosure"
    __table_args__ = (Index(None, "account_id", "at"), Index(None, "member_id", "at"))

    disclosure_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"))
    kind: Mapped[str]
    union_id: Mapped[UUID] = mapped_column(ForeignKey("union.union_id"))
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("member.member_id"))
    members: Mapped[int]
    reason: Mapped[str] = mapped_column(EncryptedText)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class SmsCode(Base):
    """A one-time password that a browser requested for a telephone number, whether a member has it or not.

    The code is created asynchronously, only where a member has the number. The row is kept for a day, for the limits.
    """

    __tablename__ = "sms_code"
    __table_args__ = (Index(None, "phone_digest", "issued_at"), Index(None, "origin", "issued_at"))

    code_id: Mapped[UUID] = mapped_column(primary_key=True)
    phone_digest: Mapped[bytes]
    device_id: Mapped[UUID]
    origin: Mapped[str]
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("member.member_id"))
    code_digest: Mapped[bytes | None]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class OneTimePassword(Base):
    """The previous release's one-time passwords; to be dropped when that release no longer runs."""

    __tablename__ = "one_time_password"

    phone_digest: Mapped[bytes] = mapped_column(primary_key=True)
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("member.member_id"))
    code_digest: Mapped[bytes]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class SubjectRequest(Base):
    """A request for a member's data: a copy of them, or their erasure, which another administrator confirms.

    `union_id` is the member's at the request. `state` is one of STATES; an erasure has `member_no` for its receipt.
    """

    __tablename__ = "subject_request"
    __table_args__ = (Index(None, "union_id", "requested_at"), Index(None, "requested_at"))

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("member.member_id"), index=True)
    member_no: Mapped[str]
    union_id: Mapped[UUID] = mapped_column(ForeignKey("union.union_id"))
    reason: Mapped[str] = mapped_column(EncryptedText)
    state: Mapped[str]
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("account.account_id"))
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.account_id"))
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


Index(
    "uq_subject_request_open",
    SubjectRequest.member_id,
    SubjectRequest.kind,
    unique=True,
    postgresql_where=SubjectRequest.state.in_([literal_column("'requested'"), literal_column("'working'")]),
)


class SubjectAnswer(Base):
    """What a service keeps of a member, or did with it: `parts` are SubjectParts as JSON."""

    __tablename__ = "subject_answer"

    request_id: Mapped[UUID] = mapped_column(ForeignKey("subject_request.request_id"), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    answered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    parts: Mapped[str]


class SubjectCopy(Base):
    """The data that a service has given for a copy: `sheets` are SubjectSheets as JSON."""

    __tablename__ = "subject_copy"

    request_id: Mapped[UUID] = mapped_column(ForeignKey("subject_request.request_id"), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    answered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    sheets: Mapped[str] = mapped_column(EncryptedText)


class AuditEntry(Base):
    """An entry of the audit log, in the order of recording; append-only, partitioned by the month of recording.

    `records` have the form `kind:id`; `unions` are all that have the event in scope, superiors included. `personal` is
    JSON, the only column that may be encrypted anew with another key.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (UniqueConstraint("act_id", "month"), {"postgresql_partition_by": "RANGE (month)"})

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    month: Mapped[date] = mapped_column(primary_key=True, server_default=text(CURRENT_MONTH))
    act_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    action: Mapped[str]
    outcome: Mapped[str]
    problem_code: Mapped[str | None]
    account_id: Mapped[UUID | None]
    account_name: Mapped[str | None]
    member_id: Mapped[UUID | None]
    union_id: Mapped[UUID | None]
    roles: Mapped[list[str]] = mapped_column(ARRAY(String))
    origin: Mapped[str | None]
    request_id: Mapped[str | None]
    correlation_id: Mapped[str | None]
    records: Mapped[list[str]] = mapped_column(ARRAY(String))
    unions: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    personal: Mapped[str] = mapped_column(EncryptedText)
    recorded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """When an event was recorded that came long after it happened."""
    key_id: Mapped[str]
    previous_hash: Mapped[bytes]
    hash: Mapped[bytes]


Index("ix_audit_entry_account_id_act_id", AuditEntry.account_id, AuditEntry.act_id)
Index("ix_audit_entry_records", AuditEntry.records, postgresql_using="gin")


class AuditScope(Base):
    """A union's search index of the audit events in its scope, newest first; derived from AuditEntry, append-only.

    It has the months of AuditEntry. The database copies `account_id` from there.
    """

    __tablename__ = "audit_reach"
    __table_args__ = ({"postgresql_partition_by": "RANGE (month)"},)

    union_id: Mapped[UUID] = mapped_column(primary_key=True)
    act_id: Mapped[UUID] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True, server_default=text(CURRENT_MONTH))
    action: Mapped[str]
    outcome: Mapped[str]
    account_id: Mapped[UUID | None]


Index("ix_audit_reach_union_id_account_id_act_id", AuditScope.union_id, AuditScope.account_id, AuditScope.act_id)
Index("ix_audit_reach_union_id_action_act_id", AuditScope.union_id, AuditScope.action, AuditScope.act_id)
Index(
    "ix_audit_reach_refused",
    AuditScope.union_id,
    AuditScope.act_id,
    postgresql_where=AuditScope.outcome == literal_column("'refused'"),
)


class AuditArchive(Base):
    """A file that holds the entries of a partition of AuditEntry, written before that was dropped; append-only.

    `months` is the end of the partition's name. The file's digest, and the hashes by which the chain leads through it,
    are authenticated by `mac` under a key of the audit log. `personal_key_ids` name the keys its personal data need.
    """

    __tablename__ = "audit_archive"

    first_position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    last_position: Mapped[int] = mapped_column(BigInteger, unique=True)
    months: Mapped[str] = mapped_column(unique=True)
    previous_hash: Mapped[bytes]
    last_hash: Mapped[bytes]
    file_name: Mapped[str]
    file_digest: Mapped[bytes]
    personal_key_ids: Mapped[list[str]] = mapped_column(ARRAY(String), info=NAMES_KEYS)
    archived_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    key_id: Mapped[str]
    mac: Mapped[bytes]
