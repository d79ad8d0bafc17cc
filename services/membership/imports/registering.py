"""Registers the rows of a confirmed import: the database copies the facts that were judged, and gives the numbers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Select, Uuid, delete, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.membership import (
    MEMBER_NUMBERED,
    MEMBERS_COUNTED,
    CountedMember,
    MemberNumberedData,
    MembersCountedData,
    NumberedMember,
)
from services.contracts.values import today
from services.kit.data.bulk import is_any_of, values_table
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.membership.imports.judging import (
    FACTS,
    REPEATED_REASON,
    UNREGISTRABLE,
    in_halves,
    judge_again,
    update_rows,
    words,
)
from services.membership.members.members import KNOWN, NEXT_NUMBER
from services.membership.models import ImportJob, ImportRow, Member
from services.membership.unions import require_open


@dataclass(frozen=True)
class Part:
    """The outcome of some rows: how many there were, who was registered, and how many others were known or refused."""

    rows: int
    member_ids: Sequence[UUID]
    known: int
    rejected: int
    warned: int


def register_rows(session: Session, job: ImportJob, most: int) -> Part:
    """Registers the next rows of an import, `most` at once, in one transaction with their events."""
    rows = _next_rows(session, job.import_id, most)
    wrong = [row for row in rows if row.state == "wrong"]
    free = [row for row in rows if row.state != "wrong"]
    at = datetime.now(UTC)
    found = in_halves(session, free, lambda some: _insert(session, job, some, at), _REFUSED)
    registered = [(row, one) for row, one in zip(free, found, strict=True) if one.member_id]
    others = [(row, one) for row, one in zip(free, found, strict=True) if not one.member_id]
    reasons = [*((row.row_no, one.reason) for row, one in others), *((row.row_no, row.reason) for row in wrong)]
    _publish(session, job, [one for _, one in registered], at)
    _settle(session, job.import_id, [row for row, _ in registered], reasons)
    return Part(
        rows=len(rows),
        member_ids=[one.member_id for _, one in registered if one.member_id],
        known=sum(one is _KNOWN for _, one in others),
        rejected=len(reasons),
        warned=sum(row.warning is not None for row, _ in registered),
    )


@dataclass(frozen=True)
class _Registered:
    """A new member, or the reason why there is none."""

    member_id: UUID | None = None
    member_no: str = ""
    reason: str | None = None


_KNOWN = _Registered(reason=words((KNOWN,)))
_REPEATED = _Registered(reason=REPEATED_REASON)
_REFUSED = _Registered(reason=UNREGISTRABLE)


def _next_rows(session: Session, import_id: UUID, most: int) -> Sequence[Any]:
    """The next rows that wait; those are judged before that were judged on another day, or by a former release."""
    waiting = _rows(import_id).where(ImportRow.state.in_(("new", "waiting"))).limit(most)
    rows = session.execute(waiting).all()
    if former := [row.row_no for row in rows if row.judged_on != today()]:
        judge_again(session, import_id, former)
        rows = session.execute(_rows(import_id).where(is_any_of(ImportRow.row_no, [row.row_no for row in rows]))).all()
    return rows


def _rows(import_id: UUID) -> Select[*tuple[Any, ...]]:
    columns = (ImportRow.row_no, ImportRow.state, ImportRow.reason, ImportRow.warning, ImportRow.name)
    found = select(*columns, ImportRow.document_digest, ImportRow.judged_on)
    return found.where(ImportRow.import_id == import_id).order_by(ImportRow.row_no)


def _insert(session: Session, job: ImportJob, rows: Sequence[Any], at: datetime) -> list[_Registered]:
    """Inserts members for rows whose document no member has; returns an outcome for each row, in order.

    Rows are inserted in the order of the digests, so that two transactions do not deadlock.
    """
    require_open(session, job.union_id)
    own = values_table("own", {"row_no": Integer(), "member_id": Uuid()}, [(row.row_no, uuid7()) for row in rows])
    given = {
        "member_id": own.c.member_id,
        "union_id": literal(job.union_id, Uuid()),
        "import_id": literal(job.import_id, Uuid()),
        "registered_at": literal(at, Member.registered_at.type),
        "member_no": NEXT_NUMBER,
        **{name: ImportRow.__table__.c[name] for name in FACTS},
    }
    source = (
        select(*(column.label(name) for name, column in given.items()))
        .join_from(ImportRow, own, own.c.row_no == ImportRow.row_no)
        .where(ImportRow.import_id == job.import_id)
        .order_by(ImportRow.document_digest)
    )
    added = session.execute(
        insert(Member)
        .from_select(list(given), source)
        .on_conflict_do_nothing(index_elements=[Member.document_digest])
        .returning(Member.document_digest, Member.member_id, Member.member_no)
    )
    found = {bytes(row.document_digest): _Registered(row.member_id, row.member_no or "") for row in added}
    first = {bytes(row.document_digest): row.row_no for row in reversed(rows)}
    return [
        found.get(digest, _KNOWN) if first[digest] == row.row_no else _REPEATED
        for row in rows
        if (digest := bytes(row.document_digest))
    ]


def _publish(session: Session, job: ImportJob, registered: Sequence[_Registered], at: datetime) -> None:
    for chunk in in_chunks(registered):
        ids = [(one.member_id, one.member_no) for one in chunk if one.member_id]
        counted = [CountedMember(member_id=one, union_id=job.union_id, registered_at=at) for one, _ in ids]
        publish(session, MEMBERS_COUNTED, MembersCountedData(members=counted))
        numbered = [NumberedMember(member_id=one, member_no=number) for one, number in ids]
        publish(session, MEMBER_NUMBERED, MemberNumberedData(union_id=job.union_id, members=numbered))


def _settle(
    session: Session, import_id: UUID, registered: Sequence[Any], reasons: Sequence[tuple[int, str | None]]
) -> None:
    """Keeps rejected rows, only the names of registered ones with a warning, and deletes the others."""
    gone = [row.row_no for row in registered if row.warning is None]
    session.execute(
        delete(ImportRow)
        .where(ImportRow.import_id == import_id, is_any_of(ImportRow.row_no, gone))
        .execution_options(synchronize_session=False)
    )
    nothing = (None,) * len(FACTS)
    update_rows(
        session,
        import_id,
        ("state", "reason", *FACTS),
        [(row_no, "rejected", reason, *nothing) for row_no, reason in reasons],
    )
    update_rows(
        session,
        import_id,
        ("state", "cells", *FACTS),
        [
            (row.row_no, "registered", json.dumps({"姓名": row.name}, ensure_ascii=False), *nothing)
            for row in registered
            if row.warning is not None
        ],
    )
