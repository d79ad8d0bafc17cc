"""The audit log: the audit events of all services in one chain, whose old months are in archives."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import structlog
from nameko.extensions import DependencyProvider
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from services.contracts.events.audit import ActRecordedData
from services.kit.data.bulk import insert_rows, is_any_of
from services.kit.data.months import later, month_of
from services.kit.schemas import as_dict
from services.kit.settings import read_settings
from services.membership.audit.audit_chain import START, AuditKeys, AuditSettings, Head
from services.membership.models import AuditArchive, AuditEntry, AuditScope, Union

log = structlog.get_logger()

HASHED_COLUMNS = (
    *("act_id", "at", "action", "outcome", "problem_code", "account_id", "account_name", "member_id", "union_id"),
    *("roles", "origin", "request_id", "correlation_id", "records", "unions", "personal", "recorded_at"),
)
"""The columns that the hash of an entry covers, beside its place in the chain."""

_LOCK = 0x61756469
_ENTRIES: Any = AuditEntry.__table__
"""The table: the class would make a statement for each set of columns that are empty."""
_AS_PUBLISHED = (
    *("act_id", "action", "outcome", "problem_code", "account_id", "account_name", "member_id", "union_id"),
    *("roles", "origin", "request_id", "correlation_id", "records"),
)


class ChainKeys(DependencyProvider):
    """The keys of the audit log as a dependency: a process without them does not start."""

    def check_keys(self) -> None:
        """Raises SettingsError where the keys cannot be read."""
        AuditKeys.from_text(read_settings(AuditSettings).audit_keys)

    def setup(self) -> None:
        """Reads the keys."""
        self.keys = AuditKeys.from_text(read_settings(AuditSettings).audit_keys)

    def get_dependency(self, worker_ctx: Any) -> AuditKeys:
        """The keys."""
        return self.keys


def append(session: Session, keys: AuditKeys, acts: Sequence[tuple[ActRecordedData, datetime | None]]) -> Head | None:
    """Appends audit events to the chain; returns the new head, or None where all are there already.

    The time beside an event marks one that came late. Appending is locked until the transaction ends, so that the chain
    has no gaps and no forks.
    """
    session.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    recorded = _recorded(session, [act.act_id for act, _ in acts])
    new: dict[UUID, tuple[ActRecordedData, datetime | None]] = {}
    for act, late in acts:
        if act.act_id not in recorded:
            new.setdefault(act.act_id, (act, late))
    if not new:
        return None
    end, newest_month = _newest(session)
    month = max(newest_month, month_of(datetime.now(UTC)))  # a clock that was set back splits no month
    reach = _Reach(session, [act for act, _ in new.values()])
    entries, scopes = [], []
    for act, late in new.values():
        content = _content(act, reach.of(act), late)
        digest = keys.digest(keys.current, end, content)
        link = {"key_id": keys.current, "previous_hash": end.hash, "hash": digest}
        end = Head(end.position + 1, digest)
        entries.append({"position": end.position, "month": month, **content, **link})
        found_by = {"act_id": act.act_id, "month": month, "action": act.action, "outcome": act.outcome}
        scopes += [{"union_id": one, **found_by} for one in content["unions"]]
    session.execute(insert(_ENTRIES), entries)
    if scopes:
        session.execute(insert_rows(AuditScope, scopes))
    return end


def head(session: Session) -> Head:
    """The current head of the chain."""
    return _newest(session)[0]


def log_head(session: Session) -> None:
    """Logs the head outside of the database, so that removing the last entries is detected."""
    end = head(session)
    if end != START:
        log.info("audit_head", head=str(end))


def time_of(act_id: UUID) -> datetime:
    """The time of an audit event, from the milliseconds in its id, a UUID version 7."""
    return datetime.fromtimestamp((act_id.int >> 80) / 1000, UTC)


def _recorded(session: Session, act_ids: Sequence[UUID]) -> set[UUID]:
    """Those that are in the log; none was recorded in a month long before it happened, which is not read."""
    since = later(month_of(min(map(time_of, act_ids))), -1)
    found = select(AuditEntry.act_id).where(is_any_of(AuditEntry.act_id, act_ids), AuditEntry.month >= since)
    return set(session.scalars(found))


def _newest(session: Session) -> tuple[Head, date]:
    """The head, and the month that its entry is in; where the database has no entry, that of the last archive.

    The last months are read first, since each further one takes time.
    """
    newest = (
        select(AuditEntry.position, AuditEntry.hash, AuditEntry.month).order_by(AuditEntry.position.desc()).limit(1)
    )
    for since in (later(month_of(datetime.now(UTC)), -1), date.min):
        row = session.execute(newest.where(AuditEntry.month >= since)).first()
        if row is not None:
            return Head(row.position, row.hash), row.month
    archived = select(AuditArchive.last_position, AuditArchive.last_hash)
    last = session.execute(archived.order_by(AuditArchive.last_position.desc()).limit(1)).first()
    return Head(last.last_position, last.last_hash) if last else START, date.min


def _content(audit_event: ActRecordedData, unions: Sequence[UUID], recorded_at: datetime | None) -> dict[str, Any]:
    """The columns of an entry that its hash covers, without its place in the chain."""
    return {
        **{name: getattr(audit_event, name) for name in _AS_PUBLISHED},
        "at": time_of(audit_event.act_id),
        "unions": unions,
        "personal": json.dumps(as_dict(audit_event.personal), ensure_ascii=False, sort_keys=True),
        "recorded_at": recorded_at,
    }


class _Reach:
    """The unions in whose scope audit events are."""

    def __init__(self, session: Session, acts: Sequence[ActRecordedData]) -> None:
        self._session = session
        named = {one for act in acts for one in _named(act)}
        found = session.scalars(select(Union).where(is_any_of(Union.union_id, named))).all() if named else []
        self._above = {union.union_id: [union.union_id, *union.superior_ids] for union in found}

    def of(self, act: ActRecordedData) -> list[UUID]:
        """The unions with all their superiors; events without a union, such as failed sign-ins, are the city's."""
        reached = {one for union_id in _named(act) for one in self._above.get(union_id, ())}
        return sorted(reached) if reached else self._city

    @cached_property
    def _city(self) -> list[UUID]:
        return sorted(self._session.scalars(select(Union.union_id).where(Union.superior_union_id.is_(None))))


def _named(act: ActRecordedData) -> set[UUID]:
    return {one for one in (act.union_id, *act.union_ids) if one is not None}
