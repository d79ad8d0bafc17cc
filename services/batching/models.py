"""Tables: branches and outlets, applications from the pending list to the bank's decision, batches, cards, feedback."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    String,
    Uuid,
    and_,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.batching.cards.card_states import Status
from services.batching.pending.application_states import Check, State
from services.batching.pending.channels import Charset
from services.kit.data.database import EncryptedText, new_metadata
from services.kit.data.lists.name_search import indexed_name
from services.kit.data.lists.ordering import smallest_first


class Base(DeclarativeBase):
    """All tables of batching, with the messaging kit's own."""

    metadata = new_metadata()


class Branch(Base):
    """A bank's branch that issues cards 发卡支行; `charset` is the character set in which its systems hold names.

    Outlets of a closed branch cannot be chosen. By the bank's own `cut_off_day`, or the setting where it has none, and
    its `cut_off_dates` of single months submissions count for a month (rules/cut_off.py). Where `union_hands_out`,
    clerks hand out its cards and mark them as collected.

    Where `by_file`, batches go to it as files, which are locked by `file_password`, made at `file_password_at`; the
    bank's files may still be locked by the former one.
    """

    __tablename__ = "branch"

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    charset: Mapped[Charset] = mapped_column(String)
    closed: Mapped[bool] = mapped_column(server_default="false")
    union_hands_out: Mapped[bool] = mapped_column(server_default="false")
    cut_off_day: Mapped[int | None]
    cut_off_dates: Mapped[list[date]] = mapped_column(ARRAY(Date), server_default="{}")
    by_file: Mapped[bool] = mapped_column(server_default="false")
    file_password: Mapped[str | None] = mapped_column(EncryptedText)
    former_file_password: Mapped[str | None] = mapped_column(EncryptedText)
    file_password_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Outlet(Base):
    """An outlet of a branch where batches are handed in and cards are collected 经办网点.

    A closed one cannot be chosen; batches keep the data of the outlet that they were submitted to.
    """

    __tablename__ = "outlet"

    code: Mapped[str] = mapped_column(primary_key=True)
    branch_code: Mapped[str] = mapped_column(ForeignKey("branch.code"), index=True)
    name: Mapped[str]
    address: Mapped[str]
    district: Mapped[str]
    phone: Mapped[str]
    closed: Mapped[bool] = mapped_column(server_default="false")


class Application(Base):
    """One attempt of one member to get a card, from the moment it is queued.

    `version` counts its published steps. `other_facts` holds, as JSON, the person's further facts for validation and
    the bank.
    """

    __tablename__ = "application"

    application_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    member_no: Mapped[str]
    union_id: Mapped[UUID]
    personal: Mapped[bool] = mapped_column(server_default="false")
    listed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    name: Mapped[str]
    document_type: Mapped[str]
    document_number: Mapped[str] = mapped_column(EncryptedText)
    document_digest: Mapped[bytes]
    document_expiry: Mapped[date | None]
    nationality: Mapped[str | None]
    other_facts: Mapped[str] = mapped_column(EncryptedText)
    channel: Mapped[str]
    channel_reason: Mapped[str | None]
    channel_reason_code: Mapped[str | None]
    channel_note: Mapped[str | None] = mapped_column(EncryptedText)
    state: Mapped[str] = mapped_column(server_default=State.QUEUED)
    version: Mapped[int] = mapped_column(server_default="0")
    check_state: Mapped[str] = mapped_column(server_default=Check.UNCHECKED)
    check_no: Mapped[int] = mapped_column(server_default="0")
    checked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    findings: Mapped[str | None] = mapped_column(EncryptedText)
    batch_no: Mapped[str | None] = mapped_column(ForeignKey("batch.batch_no"))
    bank_outcome: Mapped[str | None]
    card_no: Mapped[str | None] = mapped_column(EncryptedText)
    card_digest: Mapped[bytes | None]
    reason_code: Mapped[str | None]
    reason: Mapped[str | None]
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    released_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    released_because: Mapped[str | None]


PENDING = and_(Application.state == literal_column(f"'{State.QUEUED}'"), Application.personal.is_(False))
"""Whether it is on a clerk's pending list; personal applications are not. Literal, for the partial index."""

COMPLETE = and_(Application.document_expiry.is_not(None), Application.nationality.is_not(None))
"""Whether the special channel's required information is complete."""

Index(
    "ix_application_pending",
    Application.union_id,
    Application.channel,
    Application.listed_at,
    Application.application_id,
    postgresql_where=PENDING,
)
Index("ix_application_union_id", Application.union_id)
# One index for each order of the list; that of the time is above.
for _column in (Application.member_no, Application.name, Application.document_expiry):
    Index(
        f"ix_application_pending_{_column.key}",
        Application.union_id,
        Application.channel,
        smallest_first(_column),
        Application.application_id,
        postgresql_where=PENDING,
    )
Index(
    "ix_application_batch_no_member_no",
    Application.batch_no,
    Application.member_no,
    postgresql_where=Application.batch_no.is_not(None),
)
# With the reasons, so that they are counted without reading the applications.
Index(
    "ix_application_refused_reason",
    Application.batch_no,
    Application.reason_code,
    Application.reason,
    postgresql_where=Application.state == literal_column(f"'{State.REFUSED}'"),
)
Index(
    "ix_application_queued_member_id",
    Application.member_id,
    postgresql_where=Application.state == literal_column(f"'{State.QUEUED}'"),
)
Index("uq_application_card_digest", Application.card_digest, unique=True)
IS_ISSUED = Application.state == literal_column(f"'{State.ISSUED}'")
"""Whether it has a card; literal, for the partial indexes."""
Index("uq_application_issued_member_id", Application.member_id, unique=True, postgresql_where=IS_ISSUED)
Index(
    "ix_application_issued_name",
    indexed_name(Application.name).label("indexed_name"),
    Application.application_id,
    postgresql_ops={"indexed_name": "text_pattern_ops"},
    postgresql_where=IS_ISSUED,
)


class ListedUnion(Base):
    """A union with members on the pending list, as its newest queueing described it, for the unions above it."""

    __tablename__ = "listed_union"
    __table_args__ = (Index(None, "superior_ids", postgresql_using="gin"),)

    union_id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]
    superior_union_id: Mapped[UUID | None]
    superior_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    queued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class KnownUnion(Base):
    """A union as membership published it at `known_at`; all that was a merged one's is the successor's."""

    __tablename__ = "known_union"

    union_id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]
    superior_union_id: Mapped[UUID | None]
    superior_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    successor_union_id: Mapped[UUID | None]
    known_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class PersonalApplication(Base):
    """A member's choice on the phone, and the union whose batch the application becomes."""

    __tablename__ = "personal_application"

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.application_id"), primary_key=True)
    applied_by: Mapped[UUID]
    outlet_code: Mapped[str]
    union_code: Mapped[str]
    union_name: Mapped[str]
    superior_union_id: Mapped[UUID | None]
    superior_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")


class Batch(Base):
    """A batch 办卡批次: the frozen facts of its submission, and the bank's progress.

    `register_hash` is that of the register as submitted, `erased_register_hash` that since a person was erased from it.

    `superior_ids` are all unions above its union, the city's first, its superior last.
    """

    __tablename__ = "batch"

    batch_no: Mapped[str] = mapped_column(primary_key=True)
    union_id: Mapped[UUID]
    union_code: Mapped[str]
    union_name: Mapped[str]
    superior_union_id: Mapped[UUID | None]
    superior_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    personal: Mapped[bool]
    channel: Mapped[str]
    branch_code: Mapped[str] = mapped_column(ForeignKey("branch.code"))
    outlet_code: Mapped[str] = mapped_column(ForeignKey("outlet.code"))
    outlet_name: Mapped[str]
    outlet_address: Mapped[str]
    contact_name: Mapped[str] = mapped_column(EncryptedText)
    contact_phone: Mapped[str] = mapped_column(EncryptedText)
    submitted_by: Mapped[UUID]
    submitted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    count_month: Mapped[str]
    register_hash: Mapped[str]
    erased_register_hash: Mapped[str | None]
    register_state: Mapped[str] = mapped_column(server_default="unprinted")
    total: Mapped[int]
    issued: Mapped[int] = mapped_column(server_default="0")
    refused: Mapped[int] = mapped_column(server_default="0")
    released: Mapped[int] = mapped_column(server_default="0")
    feedback_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revocation_state: Mapped[str | None]
    revocation_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


Index("ix_batch_union_id_submitted_at", Batch.union_id, Batch.submitted_at)
Index("ix_batch_submitted_at_batch_no", Batch.submitted_at, Batch.batch_no)
HAS_UNDECIDED = Batch.total > Batch.issued + Batch.refused + Batch.released
"""Whether the bank has not decided on all of a batch."""

Index("ix_batch_undecided", Batch.submitted_at, Batch.union_id, postgresql_where=HAS_UNDECIDED)
for _counted in (Batch.total, Batch.issued, Batch.feedback_at):
    Index(f"ix_batch_{_counted.key}_batch_no", smallest_first(_counted), Batch.batch_no)
Index(
    "ix_batch_reversed_batch_no",
    func.reverse(Batch.batch_no).label("reversed"),
    postgresql_ops={"reversed": "text_pattern_ops"},
)
Index("ix_batch_superior_ids", Batch.superior_ids, postgresql_using="gin")


class BatchPerson(Base):
    """A person as submitted; append-only, but after three years the person may be erased."""

    __tablename__ = "batch_person"

    batch_no: Mapped[str] = mapped_column(ForeignKey("batch.batch_no"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[UUID] = mapped_column(
        ForeignKey("application.application_id"),
        ForeignKey("consent_receipt.application_id", name="fk_batch_person_consent"),
        unique=True,
    )
    member_no: Mapped[str]
    name: Mapped[str]
    document_type: Mapped[str]
    document_number: Mapped[str] = mapped_column(EncryptedText)
    document_expiry: Mapped[date | None]
    nationality: Mapped[str | None]
    channel_reason: Mapped[str | None] = mapped_column(EncryptedText)


class ConsentReceipt(Base):
    """A member's consent to personal data going to the bank. The database admits no person to a batch without one.

    `recorded_by` is the member for `basis` phone, the clerk's account for signed_form.
    """

    __tablename__ = "consent_receipt"

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.application_id"), primary_key=True)
    member_id: Mapped[UUID] = mapped_column(index=True)
    version: Mapped[str]
    basis: Mapped[str]
    given_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_by: Mapped[UUID]
    origin: Mapped[str | None] = mapped_column(EncryptedText)


class BatchCounter(Base):
    """The last batch number of a union on a day."""

    __tablename__ = "batch_counter"

    union_code: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    last: Mapped[int]


class ReminderDay(Base):
    """A day on which people were reminded of overdue work."""

    __tablename__ = "reminder_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    done_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Card(Base):
    """The card of an issued application; the database makes it together with the issue.

    The numbers and times are those of the current number. `version` counts its published steps. The union is the
    member's current one. `collected_by` is the clerk's account where a union handed it out, and `reminded_at` when the
    member was told that it waits for collection, or found `unreachable` because no mobile number is known.
    """

    __tablename__ = "card"

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.application_id"), primary_key=True)
    member_id: Mapped[UUID]
    union_id: Mapped[UUID]
    union_name: Mapped[str]
    superior_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    status: Mapped[str] = mapped_column(server_default=Status.MADE)
    version: Mapped[int] = mapped_column(server_default="0")
    card_no: Mapped[str] = mapped_column(EncryptedText)
    card_digest: Mapped[bytes] = mapped_column(unique=True)
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    collected_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    activated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    lost_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    collected_by: Mapped[UUID | None]
    reminded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    unreachable: Mapped[bool] = mapped_column(server_default="false")


IN_USE = Card.status != literal_column(f"'{Status.CLOSED}'")
"""Whether the card is not closed: a member has at most one such card."""
WAITING = Card.status == literal_column(f"'{Status.MADE}'")
"""Whether the card waits for collection. Literal, for the partial indexes."""

Index("uq_card_in_use_member_id", Card.member_id, unique=True, postgresql_where=IN_USE)
Index("ix_card_union_id_status", Card.union_id, Card.status, Card.made_at, Card.application_id)
Index("ix_card_made_at", Card.made_at, Card.application_id)
Index("ix_card_superior_ids", Card.superior_ids, postgresql_using="gin")
Index("ix_card_to_remind", Card.made_at, postgresql_where=WAITING & Card.reminded_at.is_(None))


class MovedMember(Base):
    """The union of a member who moved there from another one; `version` is that of the newest known transfer."""

    __tablename__ = "moved_member"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    union_id: Mapped[UUID] = mapped_column(index=True)
    union_name: Mapped[str]
    superior_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    version: Mapped[int]
    transferred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class CardReport(Base):
    """A step of the card of a number, as the bank or a clerk reported it.

    `version` is that of the published step; None while its number is not known to be the application's, because the
    report overtook the issue or the replacement. A clerk's report has `reported_by` instead of a feedback.
    """

    __tablename__ = "card_report"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.application_id"))
    card_digest: Mapped[bytes]
    step: Mapped[str]
    happened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    new_card_no: Mapped[str | None] = mapped_column(EncryptedText)
    new_card_digest: Mapped[bytes | None] = mapped_column(unique=True)
    feedback_id: Mapped[str | None]
    reported_by: Mapped[UUID | None]
    version: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


Index("uq_card_report_step", CardReport.application_id, CardReport.card_digest, CardReport.step, unique=True)
Index(
    "uq_card_report_successor",
    CardReport.application_id,
    CardReport.card_digest,
    unique=True,
    postgresql_where=CardReport.new_card_digest.is_not(None),
)
Index("ix_card_report_early", CardReport.application_id, postgresql_where=CardReport.version.is_(None))


class BankFeedback(Base):
    """A feedback of the bank and the outcome of its results: `results` = `applied` + `repeated` + `rejected`.

    One on cards belongs to no batch; one that came by file has its `result_file_id`. The first record of a feedback's
    id has the digest of the content: other content under that id is rejected.
    """

    __tablename__ = "bank_feedback"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    feedback_id: Mapped[str] = mapped_column(index=True)
    batch_no: Mapped[str | None] = mapped_column(index=True)
    content_digest: Mapped[bytes | None]
    processed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    results: Mapped[int]
    applied: Mapped[int]
    repeated: Mapped[int]
    rejected: Mapped[int]
    result_file_id: Mapped[UUID | None] = mapped_column(ForeignKey("bank_result_file.result_file_id"))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


Index(
    "uq_bank_feedback_content",
    BankFeedback.feedback_id,
    unique=True,
    postgresql_where=BankFeedback.content_digest.is_not(None),
)


class BankFile(Base):
    """A batch or a recall for a branch that takes no messages, made into a file when an operator fetches it.

    `persons` are the batch's applicants, or those recalled by then.
    """

    __tablename__ = "bank_file"

    file_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    batch_no: Mapped[str] = mapped_column(ForeignKey("batch.batch_no"), index=True)
    persons: Mapped[int]
    repeated: Mapped[bool]
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
    fetched_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    fetched_by: Mapped[str | None]


UNFETCHED = BankFile.fetched_at.is_(None)
"""Whether nobody has fetched it."""

Index("ix_bank_file_unfetched", BankFile.made_at, postgresql_where=UNFETCHED)


class BankResultFile(Base):
    """A file of the bank's results that an operator uploaded.

    `lines` = `applied` + `repeated` + `rejected` + `skipped`, which have no result. `rejections` and `not_read`, as
    JSON, say what was not taken; neither holds a value of the file.
    """

    __tablename__ = "bank_result_file"

    result_file_id: Mapped[UUID] = mapped_column(primary_key=True)
    branch_code: Mapped[str] = mapped_column(ForeignKey("branch.code"), index=True)
    file_name: Mapped[str]
    uploaded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
    uploaded_by: Mapped[str]
    lines: Mapped[int]
    applied: Mapped[int]
    repeated: Mapped[int]
    rejected: Mapped[int]
    skipped: Mapped[int]
    rejections: Mapped[str]
    not_read: Mapped[str]
