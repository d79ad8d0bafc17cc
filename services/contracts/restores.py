"""What services tell one whose database was restored to an earlier moment, so that it knows again what it forgot.

The facts go from process to process while `python -m deploy.repair` runs, never through the broker.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.contracts.shared import PersonFacts, UnionFacts
from services.kit.schemas import schema_of


@dataclass(frozen=True, kw_only=True)
class KnownApplication:
    """An application as membership or batching knows it; `corrected` where the person was corrected since the moment.

    `queued_by`, `decided_at`, `reason` and `card_no` are known to one of them only, or follow from the state. `card_no`
    is the first number of the card.
    """

    application_id: UUID
    member_id: UUID
    member_no: str
    union_id: UUID
    state: str
    version: int
    channel: str
    batch_no: str | None = None
    personal: bool = False
    outlet_code: str | None = None
    queued_at: datetime
    queued_by: UUID | None = None
    consent_version: str | None = None
    consented_at: datetime | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    card_no: str | None = None
    corrected: bool = False
    person: PersonFacts


@dataclass(frozen=True, kw_only=True)
class KnownBatch:
    """A batch as revocation or batching knows it, with the state of its revocation.

    Batches from before revocation kept the contact lack it, the outlet's code and who submitted it.
    """

    batch_no: str
    union: UnionFacts
    personal: bool = False
    channel: str
    outlet_code: str | None = None
    outlet_name: str
    submitted_by: UUID | None = None
    submitted_at: datetime
    total: int
    contact_name: str | None = None
    contact_phone: str | None = None
    revocation_state: str | None = None
    revocation_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class KnownCheck:
    """The newest check of an application; `findings` are those that the pending list shows, as JSON."""

    application_id: UUID
    check_no: int
    union_id: UUID
    result: str
    checked_at: datetime | None = None
    findings: str | None = None


@dataclass(frozen=True, kw_only=True)
class KnownCardStep:
    """A step of a card that membership knows; `card_no` is the card's number after it, or after a later step."""

    application_id: UUID
    version: int
    step: str
    happened_at: datetime
    by_union: bool
    card_no: str


@dataclass(frozen=True, kw_only=True)
class KnownRevocation:
    """A revocation request of which notification told the reviewers."""

    revocation_id: UUID
    batch_no: str


@dataclass(frozen=True, kw_only=True)
class KnownFacts:
    """All that others tell a restored service; `member_no` is the highest number that they know.

    `batch_nos` are numbers that the bank knows, `reminded_days` those on which people were reminded of overdue work.
    """

    applications: list[KnownApplication] = field(default_factory=list)
    batches: list[KnownBatch] = field(default_factory=list)
    batch_nos: list[str] = field(default_factory=list)
    unions: list[UnionFacts] = field(default_factory=list)
    checks: list[KnownCheck] = field(default_factory=list)
    card_steps: list[KnownCardStep] = field(default_factory=list)
    revocations: list[KnownRevocation] = field(default_factory=list)
    member_no: str | None = None
    changed_accounts: list[UUID] = field(default_factory=list)
    reminded_days: list[date] = field(default_factory=list)
    lost_audit_entries: str | None = None


def facts_from_json(document: dict[str, Any]) -> KnownFacts:
    """The facts of a JSON document; raises marshmallow's ValidationError."""
    facts: KnownFacts = schema_of(KnownFacts)().load(document)
    return facts


def facts_to_json(facts: KnownFacts) -> dict[str, Any]:
    """The facts as a JSON document."""
    document: dict[str, Any] = schema_of(KnownFacts)().dump(facts)
    return document
