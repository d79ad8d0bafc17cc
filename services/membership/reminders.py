"""Who is reminded of overdue work: those who can act on it, deputies too, and the next superior once it is too late."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.events.membership import (
    REMINDERS_DUE,
    OverdueCount,
    Reminder,
    ReminderRecipients,
    RemindersDueData,
)
from services.contracts.events.overdue import OverdueWork, WorkOverdueData
from services.contracts.overdue import ROLE_OF_KIND
from services.kit.data.bulk import is_any_of
from services.kit.events.contract import in_chunks
from services.kit.events.envelope import Event
from services.kit.events.outbox import publish
from services.membership.accounts.review_rights import REVIEWER, deputies_of
from services.membership.models import Account, Union

log = structlog.get_logger()

_SUPERVISORS = ("reviewer", "administrator")
"""The roles that are told of the work of unions below, the first one that anybody holds."""

Place = tuple[UUID, str]
"""A union and a role in it."""


def work_overdue(session: Session, event: Event[WorkOverdueData]) -> None:
    """Publishes whom to remind of what: one reminder for each union and role, for own work and for that below."""
    works = _of_successors(session, event.data.works)
    superiors = _superiors(session, {work.union_id for work in works})
    phones = _phones(session, [*superiors, *(above for path in superiors.values() for above in path)])
    sheets: dict[tuple[Place, bool], _Sheet] = defaultdict(_Sheet)
    for work in works:
        place = place_of(work, superiors, phones)
        if place is None:
            log.warning("nobody_to_remind", union_id=str(work.union_id), kind=work.kind)
            continue
        sheets[place, not _can_act(work, place)].add(work)
    for some in in_chunks(list(sheets.items())):
        _publish(session, event, some, phones)


@dataclass
class _Sheet:
    """The works of one reminder, by kind and union: what is escalated is among what is overdue."""

    works: dict[tuple[str, UUID], OverdueWork] = field(default_factory=dict)

    def add(self, work: OverdueWork) -> None:
        known = self.works.get((work.kind, work.union_id))
        if known is None or known.count < work.count:
            self.works[work.kind, work.union_id] = work

    def reminder(self, place: Place, is_below: bool) -> Reminder:
        union_id, role = place
        return Reminder(
            union_id=union_id,
            role=role,
            of_subordinates=len({union_id for _, union_id in self.works}) if is_below else 0,
            works=list(self._counts()),
        )

    def _counts(self) -> Iterator[OverdueCount]:
        kinds: dict[str, list[OverdueWork]] = defaultdict(list)
        for work in self.works.values():
            kinds[work.kind].append(work)
        for kind, works in kinds.items():
            yield OverdueCount(
                kind=kind, count=sum(work.count for work in works), since=min(work.since for work in works)
            )


def place_of(work: OverdueWork, superiors: Mapping[UUID, Sequence[UUID]], phones: Collection[Place]) -> Place | None:
    """Who is to be reminded: the first of those who may act, then of those above, of whom somebody is active.

    What reviewers decide on, the next superior's may decide on where nobody below can. So its own reviewers are asked
    first, however long it has waited there, and those above them are told what has waited too long.
    """
    upwards = list(reversed(superiors.get(work.union_id, ())))
    acting = [(work.union_id, ROLE_OF_KIND[work.kind])]
    if ROLE_OF_KIND[work.kind] == REVIEWER:
        acting += [(union_id, REVIEWER) for union_id in upwards]
    actor = next((place for place in acting if place in phones), None)
    beyond = upwards if actor is None or actor[0] == work.union_id else upwards[upwards.index(actor[0]) + 1 :]
    above = [(union_id, role) for union_id in beyond for role in _SUPERVISORS]
    if work.level == "escalated":
        return next((place for place in above if place in phones), actor if beyond != upwards else None)
    if actor is not None:
        return actor
    return next((place for place in ((work.union_id, "administrator"), *above) if place in phones), None)


def _can_act(work: OverdueWork, place: Place) -> bool:
    """Whether it is work of the place's own, and not only of a union below."""
    union_id, role = place
    return union_id == work.union_id or (role == REVIEWER == ROLE_OF_KIND[work.kind] and work.level == "overdue")


def _of_successors(session: Session, works: Sequence[OverdueWork]) -> Sequence[OverdueWork]:
    """The works, of the successors of merged unions."""
    merged = select(Union.union_id, Union.successor_union_id).where(
        is_any_of(Union.union_id, {work.union_id for work in works}), Union.successor_union_id.is_not(None)
    )
    successors = {row.union_id: row.successor_union_id for row in session.execute(merged)}
    return [replace(work, union_id=successors.get(work.union_id, work.union_id)) for work in works]


def _superiors(session: Session, union_ids: Iterable[UUID]) -> dict[UUID, Sequence[UUID]]:
    """The unions above each of these, the city's first."""
    found = select(Union.union_id, Union.superior_ids).where(is_any_of(Union.union_id, union_ids))
    return {row.union_id: row.superior_ids for row in session.execute(found)}


def _phones(session: Session, union_ids: Collection[UUID]) -> dict[Place, list[str]]:
    """The telephones of active accounts by union and role, of reviewers with their deputies'; where nobody is, none."""
    active = select(Account.union_id, Account.roles, Account.phone).where(
        is_any_of(Account.union_id, set(union_ids)), Account.disabled.is_(False)
    )
    phones: dict[Place, list[str]] = defaultdict(list)
    for union_id, roles, phone in session.execute(active):
        for role in roles:
            phones[union_id, role] += [phone] if phone else []
    for union_id, deputy in deputies_of(session, union_ids):
        phones[union_id, REVIEWER] += [deputy.phone] if deputy.phone else []
    return dict(phones)


def _publish(
    session: Session,
    event: Event[WorkOverdueData],
    sheets: Sequence[tuple[tuple[Place, bool], _Sheet]],
    phones: Mapping[Place, Sequence[str]],
) -> None:
    data = RemindersDueData(
        day=event.data.day,
        reminders=[sheet.reminder(place, is_below) for (place, is_below), sheet in sheets],
        recipients=[
            ReminderRecipients(union_id=place[0], role=place[1], phones=list(dict.fromkeys(phones[place])))
            for place in dict.fromkeys(place for (place, _), _ in sheets)
        ],
    )
    publish(session, REMINDERS_DUE, data)
