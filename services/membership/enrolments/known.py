"""Judges enrolments against what is known: what the society said last counts, in whatever order its reports come."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from services.kit.external.contradictions import Contradiction
from services.membership.enrolments.reading import Line

ACTIVE = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Insured:
    """A member whom an enrolment names, and whether the member holds a card."""

    member_id: UUID
    has_card: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentFacts:
    """An enrolment as it is known. One that is `superseded` is active, but a later one of the year counts."""

    enrolment_no: str
    member_id: UUID
    year: int
    way: str
    kinds: str
    covers_from: date
    covers_to: date
    state: str
    ended_on: date | None
    reason: str | None
    changed_at: datetime
    superseded: bool = False


class KnownEnrolments:
    """The enrolments that lines name, and all others of their members' years.

    `members` are by number, `enrolments` all those of the years. Whatever order lines come in, the result is the same:
    of an enrolment the line that was changed last counts, of a member's year the active one that was changed last.
    """

    def __init__(self, members: Mapping[str, Insured], enrolments: Iterable[EnrolmentFacts]) -> None:
        self._members = members
        self._stored = {one.enrolment_no: one for one in enrolments}
        self._now = dict(self._stored)

    def apply(self, line: Line) -> bool:
        """Applies a line; False where it says nothing new. Raises Contradiction for one that cannot be true."""
        member = self._members.get(line.member_no)
        if member is None:
            raise Contradiction("unknown_member")
        if not member.has_card:
            raise Contradiction("no_card")
        said = _enrolment(line, member.member_id)
        known = self._now.get(line.enrolment_no)
        if known is not None:
            if (known.member_id, known.year) != (said.member_id, said.year):
                raise Contradiction("enrolment_no_reused")
            if said.changed_at < known.changed_at:
                return False
            if said.changed_at == known.changed_at:
                if replace(known, superseded=False) != said:
                    raise Contradiction("changed_at_reused")
                return False
        self._now[said.enrolment_no] = said
        return True

    def changes(self) -> list[EnrolmentFacts]:
        """The enrolments that are new or changed, with those that others of their year have superseded."""
        years: defaultdict[tuple[UUID, int], list[EnrolmentFacts]] = defaultdict(list)
        for one in self._now.values():
            if one.state == ACTIVE:
                years[one.member_id, one.year].append(one)
        current = {max(active, key=_newest).enrolment_no for active in years.values()}
        for one in self._now.values():
            superseded = one.state == ACTIVE and one.enrolment_no not in current
            if one.superseded != superseded:
                self._now[one.enrolment_no] = replace(one, superseded=superseded)
        return [one for one in self._now.values() if one != self._stored.get(one.enrolment_no)]

    def is_stored(self, enrolment: EnrolmentFacts) -> bool:
        """Whether it was known before."""
        return enrolment.enrolment_no in self._stored


def _newest(enrolment: EnrolmentFacts) -> tuple[datetime, str]:
    return enrolment.changed_at, enrolment.enrolment_no


def _enrolment(line: Line, member_id: UUID) -> EnrolmentFacts:
    return EnrolmentFacts(
        enrolment_no=line.enrolment_no,
        member_id=member_id,
        year=line.year,
        way=line.way,
        kinds=line.kinds,
        covers_from=line.covers_from,
        covers_to=line.covers_to,
        state=line.state,
        ended_on=line.ended_on,
        reason=line.reason,
        changed_at=line.changed_at,
    )
