"""What reports know of applications and members, how facts from several events merge, and what they add to counts.

Facts merge in any order and any number of times to the same result, so that a count is the sum over merged facts.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from services.contracts.values import SHANGHAI

NOW = 0
"""The month of what is counted as it stands, such as waiting applications."""
MOST_DAYS = 366
"""The days from queueing to issue are counted one by one up to here; longer ones count as this many."""
FLOWS = ("queued", "passed", "failed", "submitted", "issued", "refused", "revoked")
WAITING = ("waiting_submission", "waiting_bank")
MEMBERS = "members"
FAILED_BY_RULE = "failed_by_rule"
REFUSED_BY_REASON = "refused_by_reason"
ISSUED_AFTER_DAYS = "issued_after_days"
"""Counted over all banks and channels, so that a report on many unions reads few rows; the next one by these."""
ISSUED_AFTER_DAYS_BY = "issued_after_days_by"
REVOKED = "revoked"

_OVER_ALL = ("", "")
_WAITS = dict(zip(("queued", "submitted"), WAITING, strict=True))
_Happened = tuple[str, datetime | None, str]
"""A measure, when it happened, and its detail."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Cell(NamedTuple):
    """What one count is of: a measure of a union in a month (as 202611), by bank and channel.

    `branch_code` is empty before the submission; `detail` is a rule, a reason or a number of days where the measure is
    counted by these.
    """

    union_id: UUID
    month: int
    measure: str
    branch_code: str = ""
    channel: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ApplicationFacts:
    """What is known of an application; any part may be unknown yet.

    The channel and the state count by the newest version. Of facts with one version the latest `known_at` counts: a
    corrected time of issue. The check counts by its number.
    """

    application_id: UUID
    union_id: UUID
    queued_at: datetime | None = None
    channel: str = "ordinary"
    channel_version: int = -1
    state: str | None = None
    version: int = -1
    state_at: datetime | None = None
    known_at: datetime = _NEVER
    reason_code: str | None = None
    branch_code: str | None = None
    submitted_at: datetime | None = None
    check_no: int = 0
    check_result: str | None = None
    checked_at: datetime | None = None
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """What is known of a member: the newest version of the membership."""

    member_id: UUID
    union_id: UUID
    registered_at: datetime
    left_at: datetime | None = None
    version: int = 0


def merged(known: ApplicationFacts, news: ApplicationFacts) -> ApplicationFacts:
    """The facts of both, whichever came first."""
    result = replace(
        known,
        queued_at=known.queued_at or news.queued_at,
        branch_code=known.branch_code or news.branch_code,
        submitted_at=known.submitted_at or news.submitted_at,
    )
    if news.channel_version > known.channel_version:
        result = replace(result, channel=news.channel, channel_version=news.channel_version)
    if (news.version, news.known_at) > (known.version, known.known_at):
        result = replace(
            result,
            state=news.state,
            version=news.version,
            state_at=news.state_at,
            known_at=news.known_at,
            reason_code=news.reason_code,
        )
    if news.check_no > known.check_no:
        result = replace(
            result,
            check_no=news.check_no,
            check_result=news.check_result,
            checked_at=news.checked_at,
            rules=news.rules,
        )
    return result


def merged_all(facts: Iterable[ApplicationFacts]) -> dict[UUID, ApplicationFacts]:
    """The merged facts of each application."""
    known: dict[UUID, ApplicationFacts] = {}
    for news in facts:
        before = known.get(news.application_id)
        known[news.application_id] = merged(before, news) if before else news
    return known


def counts_of(facts: ApplicationFacts) -> Counter[Cell]:
    """What an application adds to the counts of its union."""
    by = (facts.branch_code or "", facts.channel)
    counted = Counter(
        Cell(facts.union_id, month_of(at), measure, *(_OVER_ALL if measure == ISSUED_AFTER_DAYS else by), detail)
        for measure, at, detail in (*_steps(facts), *_checks(facts), *_end(facts))
        if at is not None
    )
    if facts.state in _WAITS:
        counted[Cell(facts.union_id, NOW, _WAITS[facts.state], *by)] += 1
    return counted


def counts_of_member(facts: MemberFacts) -> Counter[Cell]:
    """What a member adds to the counts of the union: one in the month of registration, less one in that of leaving."""
    counts = Counter({Cell(facts.union_id, month_of(facts.registered_at), MEMBERS): 1})
    if facts.left_at is not None:
        counts[Cell(facts.union_id, month_of(facts.left_at), MEMBERS)] -= 1
    return counts


def month_of(at: datetime) -> int:
    """The month in Shanghai, as 202611."""
    day = at.astimezone(SHANGHAI)
    return day.year * 100 + day.month


def plus_months(month: int, more: int) -> int:
    """The month so many months later, or earlier."""
    months = month // 100 * 12 + month % 100 - 1 + more
    return months // 12 * 100 + months % 12 + 1


def months_between(first: int, last: int) -> int:
    """How many months these are, both included."""
    return (last // 100 - first // 100) * 12 + last % 100 - first % 100 + 1


def percentile(after_days: Counter[int], share: float) -> int | None:
    """The fewest days within which this share of the cards was issued; None without any."""
    total = after_days.total()
    reached = 0
    for days in sorted(after_days):
        reached += after_days[days]
        if reached >= share * total:
            return days
    return None


def _steps(facts: ApplicationFacts) -> Iterator[_Happened]:
    yield "queued", facts.queued_at, ""
    yield "submitted", facts.submitted_at, ""


def _checks(facts: ApplicationFacts) -> Iterator[_Happened]:
    if facts.check_result:
        yield facts.check_result, facts.checked_at, ""
    for rule in facts.rules:
        yield FAILED_BY_RULE, facts.checked_at, rule


def _end(facts: ApplicationFacts) -> Iterator[_Happened]:
    if facts.state == "issued":
        yield "issued", facts.state_at, ""
        if facts.queued_at and facts.state_at:
            days = str(_days(facts.queued_at, facts.state_at))
            yield ISSUED_AFTER_DAYS, facts.state_at, days
            yield ISSUED_AFTER_DAYS_BY, facts.state_at, days
    elif facts.state == "refused":
        yield "refused", facts.state_at, ""
        yield REFUSED_BY_REASON, facts.state_at, facts.reason_code or ""
    elif facts.state == "released" and facts.reason_code == REVOKED:
        yield "revoked", facts.state_at, ""


def _days(queued_at: datetime, issued_at: datetime) -> int:
    """Whole days; 0 where the bank's clock is behind."""
    return min(max((issued_at - queued_at).days, 0), MOST_DAYS)
