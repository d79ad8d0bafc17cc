"""Answers of reports: figures of a union and everything below it, compared with the period before, in rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import any_, literal, or_, select
from sqlalchemy.orm import Session

from services.contracts.operations.reports import (
    GetReportRequest,
    MonthFigures,
    ReasonCount,
    ReportAnswer,
    ReportedUnion,
    ReportRequest,
    ReportRow,
)
from services.contracts.values import SHANGHAI
from services.kit.data.lists.page_rows import page_of
from services.kit.problems import NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.paging import DEEPEST_ROW, Counted
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.notification.models import ReportCount, ReportName, ReportRebuild, ReportUnion
from services.notification.reports.facts import FAILED_BY_RULE, REFUSED_BY_REASON, month_of, plus_months
from services.notification.reports.tallies import Choice, Compared, Period, Tally, by_month, compared

CHANNEL_NAMES = {"ordinary": "普通通道", "special": "特殊通道"}
KIND_NAMES = {"city": "市总工会", "superior": "区局（产业）及街镇工会", "grassroots": "基层工会", "": "类别未知"}
OWN = "本级"
NOT_SUBMITTED = "未提交"
_FEWEST_MONTHS = 12
_COLUMNS: Mapping[str, Any] = {
    "branch": ReportCount.branch_code,
    "channel": ReportCount.channel,
    "kind": ReportCount.kind,
}


@dataclass(frozen=True)
class Asked:
    """What a report is about, as the caller may see it."""

    union: ReportUnion
    period: Period
    choice: Choice
    by: str


def get_report(work: Work, request: GetReportRequest) -> ReportAnswer:
    """A report; raises NotFound for a union out of scope."""
    session = work.session
    asked = _asked(work, request)
    whole = compared(
        session, [asked.union.union_id], asked.period, asked.choice, ReportCount.is_below, with_reasons=True
    )
    total = _sum(whole.values())
    rows, counted = _rows(session, asked, request, whole.get((False,)))
    before = asked.period.before()
    names = _names(session)
    return ReportAnswer.of(
        rows,
        request,
        counted,
        union=_reported(asked.union),
        above=_above(session, work.caller, asked.union),
        first_month=_text(asked.period.first),
        last_month=_text(asked.period.last),
        previous_first_month=_text(before.first),
        previous_last_month=_text(before.last),
        current=total.current.figures(),
        previous=total.previous.figures(is_current=False),
        months=_months(session, asked),
        failed_by_rule=_reasons(total, FAILED_BY_RULE, "rule", names),
        refused_by_reason=_reasons(total, REFUSED_BY_REASON, "refusal", names),
        branches=_branches(session, asked, names),
        made_at=datetime.now(UTC),
        is_rebuilding=is_rebuilding(session),
    )


def is_rebuilding(session: Session) -> bool:
    """Whether a rebuild has begun that has not ended."""
    unfinished = select(ReportRebuild).where(ReportRebuild.started_at.is_not(None), ReportRebuild.finished_at.is_(None))
    return bool(session.scalar(select(unfinished.exists())))


def _asked(work: Work, request: ReportRequest) -> Asked:
    caller = work.caller
    this_month = month_of(datetime.now(SHANGHAI))
    first, last = (
        _number(one) if one is not UNSET else this_month for one in (request.first_month, request.last_month)
    )
    return Asked(
        union=_union_in_scope(work.session, caller, request.union_id or UUID(caller.union_id)),
        period=Period(first, last),
        choice=Choice(
            branch_code=request.branch_code if request.branch_code is not UNSET else None,
            channel=request.channel if request.channel is not UNSET else None,
            with_below=caller.scope >= Scope.SUBORDINATES,
        ),
        by=request.by,
    )


def _union_in_scope(session: Session, caller: Caller, union_id: UUID) -> ReportUnion:
    own = UUID(caller.union_id)
    scope = ReportUnion.union_id == own
    if caller.scope >= Scope.SUBORDINATES:
        scope = or_(scope, literal(own) == any_(ReportUnion.superior_ids))
    union = session.scalar(select(ReportUnion).where(ReportUnion.union_id == union_id, scope))
    if union is None and union_id == own:
        # Before the first rebuild the own union is unknown here.
        return ReportUnion(
            union_id=own, code=caller.union_code or "", name=caller.union_name or "", kind="", superior_ids=[]
        )
    if union is None:
        raise NotFound(title="未找到该工会")
    return union


def _rows(
    session: Session, asked: Asked, request: GetReportRequest, own: Compared | None
) -> tuple[list[ReportRow], Counted]:
    if asked.by == "union":
        return _rows_of_unions(session, asked, request, own)
    rows = _rows_of_months(session, asked) if asked.by == "month" else _rows_of_parts(session, asked)
    return _page(_in_order(rows, request), request)


def _in_order(rows: list[ReportRow], request: ReportRequest) -> list[ReportRow]:
    """The rows in the requested order; those without the figure come last."""
    if request.sort is UNSET:
        return rows
    name = request.sort.removeprefix("-")
    having = [row for row in rows if getattr(row.current, name) is not None]
    lacking = [row for row in rows if getattr(row.current, name) is None]
    return [*sorted(having, key=lambda row: getattr(row.current, name), reverse=request.sort != name), *lacking]


def _page(rows: Sequence[ReportRow], request: GetReportRequest) -> tuple[list[ReportRow], Counted]:
    first = (request.page - 1) * request.size
    return list(rows[first : first + request.size]), Counted(len(rows), is_exact=True)


def _rows_of_unions(
    session: Session, asked: Asked, request: GetReportRequest, own: Compared | None
) -> tuple[list[ReportRow], Counted]:
    """The direct subordinates; on the first page, before them, what the union itself has."""
    if not asked.choice.with_below:
        return [], Counted(0, is_exact=True)
    counts = select(ReportCount.union_id).where(ReportCount.union_id == ReportUnion.union_id, ReportCount.count != 0)
    is_shown = or_(ReportUnion.ended_at.is_(None), counts.exists())
    of_superior = select(ReportUnion).where(ReportUnion.superior_union_id == asked.union.union_id, is_shown)
    direct = of_superior.order_by(ReportUnion.code)
    if request.sort is UNSET:
        found, counted = page_of(session, direct, request)
        rows = _union_rows(session, asked, [row.ReportUnion for row in found])
    else:
        unions = session.scalars(direct.limit(DEEPEST_ROW)).all()
        rows, counted = _page(_in_order(_union_rows(session, asked, unions), request), request)
    parents = _with_subordinates(session, [row.union_id for row in rows])
    rows = [replace(row, has_below=row.union_id in parents) for row in rows]
    if own is not None and rows and request.page == 1:
        rows.insert(0, _row("own", OWN, own))
    return rows, counted


def _union_rows(session: Session, asked: Asked, unions: Sequence[ReportUnion]) -> list[ReportRow]:
    ids = [union.union_id for union in unions]
    tallies = compared(session, ids, asked.period, asked.choice, ReportCount.union_id) if ids else {}
    return [
        replace(
            _row(str(union.union_id), _name(union), tallies.get((union.union_id,), Compared())),
            union_id=union.union_id,
        )
        for union in unions
    ]


def _name(union: ReportUnion) -> str:
    return f"{union.name}（已撤销）" if union.ended_at else union.name


def _with_subordinates(session: Session, union_ids: Sequence[UUID | None]) -> set[UUID]:
    superiors = select(ReportUnion.superior_union_id).where(ReportUnion.superior_union_id.in_(union_ids)).distinct()
    return {one for one in session.scalars(superiors) if one is not None}


def _rows_of_parts(session: Session, asked: Asked) -> list[ReportRow]:
    found = compared(session, [asked.union.union_id], asked.period, asked.choice, _COLUMNS[asked.by])
    parts: dict[str, Compared] = {}
    for (value,), one in found.items():
        key = (value or asked.union.kind) if asked.by == "kind" else value
        parts[key] = _sum([parts[key], one]) if key in parts else one
    if asked.by == "channel":
        parts.pop("", None)
    names = _part_names(session, asked.by)
    has_members = asked.by == "kind"
    return [
        _row(key or "none", names.get(key, key or NOT_SUBMITTED), parts[key], has_members)
        for key in sorted(parts, key=lambda key: (key == "", key))
        if has_members or _has_any(parts[key])
    ]


def _has_any(one: Compared) -> bool:
    return any(
        count for tally in (one.current, one.previous) for count in (*tally.counts.values(), *tally.now.values())
    )


def _part_names(session: Session, by: str) -> Mapping[str, str]:
    if by == "branch":
        return {code: name for (kind, code), name in _names(session).items() if kind == "branch"}
    return CHANNEL_NAMES if by == "channel" else KIND_NAMES


def _rows_of_months(session: Session, asked: Asked) -> list[ReportRow]:
    months = asked.period.months()
    tallies = by_month(session, asked.union.union_id, (plus_months(months[0], -1), *months), asked.choice)
    return [
        ReportRow(
            key=_text(month),
            name=_text(month),
            union_id=None,
            has_below=False,
            current=tallies[month].figures(is_current=False),
            previous=tallies[plus_months(month, -1)].figures(is_current=False),
        )
        for month in months
    ]


def _months(session: Session, asked: Asked) -> list[MonthFigures]:
    first = min(asked.period.first, plus_months(asked.period.last, 1 - _FEWEST_MONTHS))
    months = Period(first, asked.period.last).months()
    tallies = by_month(session, asked.union.union_id, months, asked.choice)
    return [MonthFigures(month=_text(one), figures=tallies[one].figures(is_current=False)) for one in months]


def _row(key: str, name: str, one: Compared, has_members: bool = True) -> ReportRow:
    return ReportRow(
        key=key,
        name=name,
        union_id=None,
        has_below=False,
        current=one.current.figures(has_members=has_members),
        previous=one.previous.figures(has_members=has_members, is_current=False),
    )


def _sum(parts: Any) -> Compared:
    total = Compared()
    for part in parts:
        for into, tally in ((total.current, part.current), (total.previous, part.previous)):
            _add(into, tally)
    return total


def _add(into: Tally, tally: Tally) -> None:
    into.counts.update(tally.counts)
    into.until.update(tally.until)
    into.now.update(tally.now)
    for measure, details in tally.details.items():
        into.details[measure].update(details)


def _reasons(total: Compared, measure: str, kind: str, names: Mapping[tuple[str, str], str]) -> list[ReasonCount]:
    """The reasons of both periods, the most frequent first."""
    current, previous = total.current.details[measure], total.previous.details[measure]
    return _counted_reasons(current, previous, kind, names)


def _counted_reasons(
    current: Counter[str], previous: Counter[str], kind: str, names: Mapping[tuple[str, str], str]
) -> list[ReasonCount]:
    codes = sorted(
        (one for one in {*current, *previous} if current[one] or previous[one]), key=lambda one: (-current[one], one)
    )
    return [
        ReasonCount(code=code, reason=names.get((kind, code), code), count=current[code], previous=previous[code])
        for code in codes
    ]


def _branches(session: Session, asked: Asked, names: Mapping[tuple[str, str], str]) -> list[ReasonCount]:
    """The branches with submissions, whichever is chosen."""
    choice = Choice(with_below=asked.choice.with_below)
    found = compared(session, [asked.union.union_id], asked.period, choice, ReportCount.branch_code)
    current, previous = (
        Counter({code: getattr(one, when).counts["submitted"] for (code,), one in found.items() if code})
        for when in ("current", "previous")
    )
    return _counted_reasons(current, previous, "branch", names)


def _names(session: Session) -> dict[tuple[str, str], str]:
    return {(one.kind, one.code): one.name for one in session.scalars(select(ReportName))}


def _above(session: Session, caller: Caller, union: ReportUnion) -> list[ReportedUnion]:
    own = UUID(caller.union_id)
    if own not in union.superior_ids:
        return []
    ids = union.superior_ids[union.superior_ids.index(own) :]
    known = {one.union_id: one for one in session.scalars(select(ReportUnion).where(ReportUnion.union_id.in_(ids)))}
    return [_reported(known[one]) for one in ids if one in known]


def _reported(union: ReportUnion) -> ReportedUnion:
    return ReportedUnion(union_id=union.union_id, code=union.code, name=union.name, kind=union.kind or None)


def _number(month: Any) -> int:
    return int(month[:4]) * 100 + int(month[5:])


def _text(month: int) -> str:
    return f"{month // 100}-{month % 100:02d}"
