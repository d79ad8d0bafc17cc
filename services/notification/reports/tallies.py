"""Reads counts from the database: sums over a period, the period before, and all that was until then."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, true, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from services.contracts.operations.reports import Figures
from services.kit.data.bulk import is_any_of
from services.notification.models import ReportCount
from services.notification.reports.facts import (
    FAILED_BY_RULE,
    FLOWS,
    ISSUED_AFTER_DAYS,
    ISSUED_AFTER_DAYS_BY,
    MEMBERS,
    NOW,
    REFUSED_BY_REASON,
    WAITING,
    months_between,
    percentile,
    plus_months,
)

_STOCKS = (MEMBERS, "issued")
"""What is also counted from the beginning on."""
_BANK_AND_CHANNEL = {"branch_code", "channel"}
_REASONS = (FAILED_BY_RULE, REFUSED_BY_REASON)


@dataclass(frozen=True)
class Period:
    """Whole months, as 202611, both included."""

    first: int
    last: int

    def before(self) -> "Period":
        """The period before, which is as long."""
        months = months_between(self.first, self.last)
        return Period(plus_months(self.first, -months), plus_months(self.last, -months))

    def months(self) -> list[int]:
        """All months, the first one first."""
        return [plus_months(self.first, more) for more in range(months_between(self.first, self.last))]


@dataclass(frozen=True)
class Choice:
    """What is counted: by bank and channel or all, and whether with subordinate unions or only the union's own."""

    branch_code: str | None = None
    channel: str | None = None
    with_below: bool = True

    def condition(self) -> ColumnElement[bool]:
        """The condition on the rows; members have neither bank nor channel."""
        chosen: list[ColumnElement[bool]] = [true()]
        if self.branch_code is not None:
            chosen.append(ReportCount.branch_code == self.branch_code)
        if self.channel is not None:
            chosen.append(ReportCount.channel == self.channel)
        own = true() if self.with_below else ReportCount.is_below.is_(False)
        return and_(or_(ReportCount.measure == MEMBERS, and_(*chosen)), own)

    def flows(self, by: Iterable[str] = (), with_reasons: bool = False) -> tuple[str, ...]:
        """The measures that are read for the months of a period; of the two counts of days one is."""
        is_whole = self.branch_code is None and self.channel is None and _BANK_AND_CHANNEL.isdisjoint(by)
        days = ISSUED_AFTER_DAYS if is_whole else ISSUED_AFTER_DAYS_BY
        flows = (measure for measure in FLOWS if measure not in _STOCKS)
        return (*flows, days, *(_REASONS if with_reasons else ()))


@dataclass
class Tally:
    """The counts of a union or a part in a period; `until` are those up to its end, `now` what waits now."""

    counts: Counter[str] = field(default_factory=Counter)
    details: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    until: Counter[str] = field(default_factory=Counter)
    now: Counter[str] = field(default_factory=Counter)

    def add(self, measure: str, detail: str, count: int) -> None:
        """Adds a count of the period."""
        if detail:
            self.details[ISSUED_AFTER_DAYS if measure == ISSUED_AFTER_DAYS_BY else measure][detail] += count
        else:
            self.counts[measure] += count

    def figures(self, *, has_members: bool = True, is_current: bool = True) -> Figures:
        """The figures; a part by bank or channel has no members, and an earlier period nothing that waits now."""
        members = self.until[MEMBERS] if has_members else None
        cards = self.until["issued"]
        days = Counter({int(one): count for one, count in self.details[ISSUED_AFTER_DAYS].items() if count > 0})
        return Figures(
            members=members,
            cards=cards,
            card_rate=round(cards / members, 4) if members else None,
            **{measure: self.counts[measure] for measure in FLOWS},
            median_days=percentile(days, 0.5),
            p90_days=percentile(days, 0.9),
            waiting_submission=self.now["waiting_submission"] if is_current else None,
            waiting_bank=self.now["waiting_bank"] if is_current else None,
        )


@dataclass
class Compared:
    """The tally of a period, and that of the period before."""

    current: Tally = field(default_factory=Tally)
    previous: Tally = field(default_factory=Tally)


def compared(
    session: Session,
    union_ids: Collection[UUID],
    period: Period,
    choice: Choice,
    *by: InstrumentedAttribute[Any],
    with_reasons: bool = False,
) -> defaultdict[tuple[Any, ...], Compared]:
    """The tallies of these unions by the values of columns, in one statement; reasons only where they are asked for."""
    before, names = period.before(), [column.key for column in by]
    counts = _counts(union_ids, Period(before.first, period.last), choice, names, with_reasons)
    in_period, in_before = (counts.month.between(one.first, one.last) for one in (period, before))
    is_stock = counts.measure.in_(_STOCKS)
    sums = {
        "current": in_period,
        "previous": in_before,
        "until": and_(is_stock, counts.month.between(1, period.last)),
        "until_before": and_(is_stock, counts.month.between(1, before.last)),
        "now": counts.month == NOW,
    }
    key = [*(counts[name] for name in names), counts.measure, counts.detail]
    summed = select(
        *key, *(func.coalesce(func.sum(counts["count"]).filter(one), 0).label(name) for name, one in sums.items())
    ).group_by(*key)
    found: defaultdict[tuple[Any, ...], Compared] = defaultdict(Compared)
    for *key, measure, detail, current, previous, until, until_before, now in session.execute(summed):
        one = found[tuple(key)]
        one.current.add(measure, detail, int(current))
        one.previous.add(measure, detail, int(previous))
        one.current.until[measure] += int(until)
        one.previous.until[measure] += int(until_before)
        one.current.now[measure] += int(now)
    return found


def by_month(session: Session, union_id: UUID, months: Sequence[int], choice: Choice) -> dict[int, Tally]:
    """The tally of each of these months, which follow one another."""
    month = func.greatest(ReportCount.month, plus_months(months[0], -1))
    summed = (
        select(month, ReportCount.measure, ReportCount.detail, func.sum(ReportCount.count))
        .where(
            ReportCount.union_id == union_id,
            or_(
                and_(ReportCount.measure.in_(choice.flows()), ReportCount.month.in_(months)),
                and_(ReportCount.measure.in_(_STOCKS), ReportCount.month.between(1, months[-1])),
            ),
            choice.condition(),
        )
        .group_by(month, ReportCount.measure, ReportCount.detail)
    )
    tallies: defaultdict[int, Tally] = defaultdict(Tally)
    for in_month, measure, detail, count in session.execute(summed):
        tallies[in_month].add(measure, detail, int(count))
    return _with_stocks(tallies, (plus_months(months[0], -1), *months))


def _counts(
    union_ids: Collection[UUID], period: Period, choice: Choice, by: Sequence[str], with_reasons: bool
) -> ReadOnlyColumnCollection[str, Any]:
    """The counts to sum up, read in three parts: each finds its rows by the beginning of the primary key."""
    names = dict.fromkeys((*by, "measure", "month", "detail", "count"))
    columns = [getattr(ReportCount, name) for name in names]
    parts = (
        (choice.flows(by, with_reasons), ReportCount.month.between(period.first, period.last)),
        (_STOCKS, ReportCount.month.between(1, period.last)),
        (WAITING, ReportCount.month == NOW),
    )
    return (
        union_all(
            *(
                select(*columns).where(
                    is_any_of(ReportCount.union_id, union_ids),
                    is_any_of(ReportCount.measure, measures),
                    months,
                    choice.condition(),
                )
                for measures, months in parts
            )
        )
        .subquery()
        .c
    )


def _with_stocks(tallies: defaultdict[int, Tally], months: Iterable[int]) -> dict[int, Tally]:
    stocks: Counter[str] = Counter()
    for month in months:
        stocks.update({measure: tallies[month].counts[measure] for measure in _STOCKS})
        tallies[month].until = stocks.copy()
    return tallies
