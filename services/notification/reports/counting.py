"""Stores merged facts and keeps the counts of each union, and of all unions above it, in step with them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.events.membership import ChangedUnion
from services.contracts.masks import mask_numbers
from services.contracts.shared import CodedName
from services.kit.data.bulk import insert_rows, is_any_of, types_of, values_table
from services.kit.data.links import shorten
from services.kit.schemas import required
from services.notification.message_inbox import move_messages
from services.notification.models import (
    ReportApplication,
    ReportCount,
    ReportMember,
    ReportName,
    ReportRebuild,
    ReportRebuildEvent,
    ReportUnion,
)
from services.notification.reports.facts import (
    ApplicationFacts,
    Cell,
    MemberFacts,
    counts_of,
    counts_of_member,
    merged,
    merged_all,
)

REBUILD_LOCK = "reports rebuild"
"""The name of the advisory lock that events share while they are counted, and that a rebuild begins with."""
_LONGEST_NAME = 60
_KEY = ("union_id", "measure", "month", "is_below", "kind", "branch_code", "channel", "detail")
_FACTS = (
    *("application_id", "union_id", "queued_at", "channel", "channel_version", "state", "version", "state_at"),
    *("known_at", "reason_code", "branch_code", "submitted_at", "check_no", "check_result", "checked_at", "rules"),
)
_CHANGES = types_of(ReportApplication, _FACTS)
_MEMBER_FACTS = ("member_id", "union_id", "registered_at", "left_at", "version")
Facts = TypeVar("Facts", ApplicationFacts, MemberFacts)
_MEMBER_CHANGES = types_of(ReportMember, _MEMBER_FACTS)


class Place(NamedTuple):
    """The kind of a union, and all unions above it."""

    kind: str
    superior_ids: Sequence[UUID]


class _Unions(NamedTuple):
    """The places of unions and of their successors, and the successor of each; one that was not merged is its own."""

    places: dict[UUID, Place]
    successors: dict[UUID, UUID]


class Row(NamedTuple):
    """The key of a row of ReportCount, in the order in which transactions write rows."""

    union_id: UUID
    measure: str
    month: int
    is_below: bool
    kind: str
    branch_code: str
    channel: str
    detail: str


def count_applications(session: Session, facts: Iterable[ApplicationFacts]) -> None:
    """Merges facts into what is known of their applications, and changes the counts by the difference.

    An application stays with the union that was named first, or its successor.
    """
    news = merged_all(facts)
    hold_off_rebuild(session)
    unions = _lock_unions(session, {one.union_id for one in news.values()})
    news = {one.application_id: one for one in _of_successors(unions, news.values())}
    changes: Counter[Cell] = Counter()
    changed = []
    locked = _lock_applications(session, news)
    unions = _with(session, unions, locked)
    for known in _of_successors(unions, locked):
        after = merged(known, news[known.application_id])
        if after != known:
            changed.append(after)
            changes.update(counts_of(after))
            changes.subtract(counts_of(known))
    _store(session, changed)
    _add(session, changes, unions.places)


def count_members(session: Session, members: Iterable[MemberFacts]) -> None:
    """Counts members that are not counted yet, and changes the counts of those whose membership has changed since."""
    newest = {one.member_id: one for one in sorted(members, key=lambda one: (one.member_id, one.version))}
    hold_off_rebuild(session)
    unions = _lock_unions(session, {one.union_id for one in newest.values()})
    news = {one.member_id: one for one in _of_successors(unions, newest.values())}
    new = session.execute(
        insert_rows(ReportMember, [asdict(one) for one in news.values()])
        .on_conflict_do_nothing()
        .returning(ReportMember.member_id)
    )
    changes: Counter[Cell] = Counter()
    for member_id in new.scalars():
        changes.update(counts_of_member(news.pop(member_id)))
    locked = _lock_members(session, news)
    unions = _with(session, unions, locked)
    for known in _of_successors(unions, locked):
        after = news[known.member_id]
        changes.update(counts_of_member(after))
        changes.subtract(counts_of_member(known))
    _store_members(session, [news[known.member_id] for known in locked])
    _add(session, changes, unions.places)


def change_unions(session: Session, unions: Collection[ChangedUnion], known_at: datetime) -> None:
    """Stores names and places of unions, unless newer ones are known; the counts of moved and merged unions move along.

    The successor of a merged union is among the unions. Its messages move along, too.
    """
    hold_off_rebuild(session)
    _add_unions(session, {one.union_id for one in unions})
    given = {one.union_id: one for one in unions}
    locked = select(ReportUnion).where(is_any_of(ReportUnion.union_id, given)).order_by(ReportUnion.union_id)
    moved: dict[UUID, tuple[Place, Place]] = {}
    for row in session.scalars(locked.with_for_update()):
        news = given[row.union_id]
        if row.known_at is not None and row.known_at >= known_at:
            continue
        before, after = Place(row.kind, row.superior_ids), Place(news.kind, news.superior_ids)
        if before != after:
            moved[row.union_id] = before, after
        row.code, row.name, row.kind, row.known_at = news.code, news.name, news.kind, known_at
        row.superior_union_id, row.superior_ids = news.superior_union_id, list(news.superior_ids)
        row.ended_at, row.successor_union_id = news.ended_at, news.successor_union_id
    session.flush()
    _move_counts(session, moved)
    merged = [one.union_id for one in unions if one.successor_union_id is not None]
    if merged:
        merged += shorten(session, ReportUnion.union_id, ReportUnion.successor_union_id)
        for row in session.scalars(select(ReportUnion).where(is_any_of(ReportUnion.union_id, merged))).all():
            _merge(session, row.union_id, required(row.successor_union_id))


def store_names(session: Session, names: Iterable[CodedName]) -> None:
    """Stores names that are new or have changed; the others are not locked.

    The bank writes its reasons by hand: numbers in them are masked.
    """
    given = {(one.kind, one.code): mask_numbers(one.name)[:_LONGEST_NAME] for one in names}
    if not given:
        return
    hold_off_rebuild(session)
    of_codes = select(ReportName).where(is_any_of(ReportName.code, {code for _, code in given}))
    known = {(one.kind, one.code): one.name for one in session.scalars(of_codes)}
    rows = [
        {"kind": kind, "code": code, "name": name}
        for (kind, code), name in sorted(given.items())
        if known.get((kind, code)) != name
    ]
    if rows:
        new = insert_rows(ReportName, rows)
        session.execute(new.on_conflict_do_update(index_elements=["kind", "code"], set_={"name": new.excluded.name}))


def hold_off_rebuild(session: Session) -> None:
    """Lets no rebuild begin before the transaction ends; other events are counted meanwhile."""
    session.execute(text("select pg_advisory_xact_lock_shared(hashtextextended(:name, 0))"), {"name": REBUILD_LOCK})


def note_rebuild_event(session: Session, rebuild_id: UUID | None, message_id: str) -> None:
    """Notes that an event of the newest rebuild was counted."""
    if rebuild_id is None:
        return
    hold_off_rebuild(session)
    if session.scalar(select(ReportRebuild.rebuild_id)) == rebuild_id:
        row = {"rebuild_id": rebuild_id, "message_id": message_id}
        session.execute(insert(ReportRebuildEvent).values(row).on_conflict_do_nothing())


def _lock_unions(session: Session, union_ids: Collection[UUID]) -> _Unions:
    """Unions, which no other transaction changes meanwhile, with their successors; unknown unions are added before."""
    known = session.scalars(select(ReportUnion.union_id).where(is_any_of(ReportUnion.union_id, union_ids)))
    _add_unions(session, set(union_ids).difference(known))
    locked = (
        select(ReportUnion.union_id, ReportUnion.kind, ReportUnion.superior_ids, ReportUnion.successor_union_id)
        .where(is_any_of(ReportUnion.union_id, union_ids))
        .order_by(ReportUnion.union_id)
        .with_for_update(read=True)
    )
    unions = _Unions({}, {})
    for row in session.execute(locked):
        unions.places[row.union_id] = Place(row.kind, row.superior_ids)
        unions.successors[row.union_id] = row.successor_union_id or row.union_id
    if successors := set(unions.successors.values()).difference(unions.places):
        unions.places.update(_lock_unions(session, successors).places)
    return unions


def _with(session: Session, unions: _Unions, counted: Iterable[ApplicationFacts | MemberFacts]) -> _Unions:
    """The unions, and those that were named before."""
    named_before = {one.union_id for one in counted}.difference(unions.successors)
    if not named_before:
        return unions
    more = _lock_unions(session, named_before)
    return _Unions({**unions.places, **more.places}, {**unions.successors, **more.successors})


def _of_successors(unions: _Unions, facts: Iterable[Facts]) -> list[Facts]:
    """The facts, of the successors of merged unions."""
    return [replace(one, union_id=unions.successors[one.union_id]) for one in facts]


def _add_unions(session: Session, union_ids: Collection[UUID]) -> None:
    rows = [{"union_id": union_id} for union_id in sorted(union_ids)]
    if rows:
        session.execute(insert_rows(ReportUnion, rows).on_conflict_do_nothing())


def _lock_applications(session: Session, news: Mapping[UUID, ApplicationFacts]) -> list[ApplicationFacts]:
    """What is known of the applications, with an empty row for each new one."""
    rows = [_row(ApplicationFacts(one, news[one].union_id)) for one in sorted(news)]
    if not rows:
        return []
    session.execute(insert_rows(ReportApplication, rows).on_conflict_do_nothing())
    columns = [getattr(ReportApplication, name) for name in _FACTS]
    locked = select(*columns).where(is_any_of(ReportApplication.application_id, news))
    found = session.execute(locked.order_by(ReportApplication.application_id).with_for_update())
    return [ApplicationFacts(**{**row, "rules": tuple(row["rules"].split())}) for row in found.mappings()]


def _lock_members(session: Session, news: Mapping[UUID, MemberFacts]) -> list[MemberFacts]:
    """What is known of the members of whom a newer version has come."""
    if not news:
        return []
    known = select(*(getattr(ReportMember, name) for name in _MEMBER_FACTS)).where(
        is_any_of(ReportMember.member_id, news)
    )
    found = session.execute(known.order_by(ReportMember.member_id).with_for_update()).mappings()
    return [MemberFacts(**row) for row in found if row["version"] < news[row["member_id"]].version]


def _store_members(session: Session, changed: Sequence[MemberFacts]) -> None:
    if not changed:
        return
    new = values_table("changed", _MEMBER_CHANGES, [list(asdict(one).values()) for one in changed]).c
    session.execute(
        update(ReportMember)
        .where(ReportMember.member_id == new.member_id)
        .values({name: new[name] for name in _MEMBER_FACTS if name != "member_id"})
        .execution_options(synchronize_session=False)
    )


def _row(facts: ApplicationFacts) -> dict[str, Any]:
    return {**{name: getattr(facts, name) for name in _FACTS}, "rules": " ".join(facts.rules)}


def _store(session: Session, changed: Sequence[ApplicationFacts]) -> None:
    if not changed:
        return
    rows = [list(_row(one).values()) for one in changed]
    new = values_table("changed", _CHANGES, rows).c
    session.execute(
        update(ReportApplication)
        .where(ReportApplication.application_id == new.application_id)
        .values({name: new[name] for name in _FACTS if name != "application_id"})
        .execution_options(synchronize_session=False)
    )


def _move_counts(session: Session, moved: Mapping[UUID, tuple[Place, Place]]) -> None:
    """Takes the own counts of moved unions from the unions that were above them to those that are."""
    changes: Counter[Row] = Counter()
    for cell, count in _own_counts(session, moved):
        before, after = moved[cell.union_id]
        for row in _below(cell, before):
            changes[row] -= count
        for row in _below(cell, after):
            changes[row] += count
    _write(session, changes)


def _merge(session: Session, union_id: UUID, successor_id: UUID) -> None:
    """Takes the counts and messages of a union to its successor; facts follow when they are next merged."""
    changes: Counter[Cell] = Counter()
    for cell, count in _own_counts(session, [union_id]):
        changes[cell] -= count
        changes[cell._replace(union_id=successor_id)] += count
    _add(session, changes, _lock_unions(session, [union_id, successor_id]).places)
    move_messages(session, union_id, successor_id)


def _own_counts(session: Session, union_ids: Collection[UUID]) -> list[tuple[Cell, int]]:
    if not union_ids:
        return []
    own = select(ReportCount).where(is_any_of(ReportCount.union_id, union_ids), ReportCount.is_below.is_(False))
    return [
        (Cell(one.union_id, one.month, one.measure, one.branch_code, one.channel, one.detail), one.count)
        for one in session.scalars(own)
    ]


def _add(session: Session, changes: Counter[Cell], places: Mapping[UUID, Place]) -> None:
    rows: Counter[Row] = Counter()
    for cell, change in changes.items():
        rows[_own(cell)] += change
        for row in _below(cell, places[cell.union_id]):
            rows[row] += change
    _write(session, rows)


def _own(cell: Cell) -> Row:
    return Row(cell.union_id, cell.measure, cell.month, False, "", cell.branch_code, cell.channel, cell.detail)


def _below(cell: Cell, place: Place) -> list[Row]:
    """The rows of the unions above."""
    own = _own(cell)
    return [own._replace(union_id=one, is_below=True, kind=place.kind) for one in place.superior_ids]


def _write(session: Session, changes: Counter[Row]) -> None:
    """Adds the changes to the counts, always in the same order, so that transactions do not deadlock."""
    rows = [{**row._asdict(), "count": change} for row, change in sorted(changes.items()) if change]
    if rows:
        new = insert_rows(ReportCount, rows)
        added = ReportCount.count + new.excluded.count
        session.execute(new.on_conflict_do_update(index_elements=list(_KEY), set_={"count": added}))
