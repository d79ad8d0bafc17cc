"""Facts of the reports: whatever order events come in, and however often, the same is counted."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.notification.reports.facts import (
    MOST_DAYS,
    NOW,
    ApplicationFacts,
    Cell,
    counts_of,
    merged_all,
    month_of,
    months_between,
    percentile,
    plus_months,
)

UNION = UUID(int=1)
QUEUED = datetime(2026, 9, 30, 15, 59, tzinfo=UTC)
"""The last minute of September in Shanghai."""


@dataclass
class History:
    """What happened to one application, as events tell it, and what it is in the end."""

    draw: st.DrawFn
    last: ApplicationFacts = field(default_factory=lambda: ApplicationFacts(uuid4(), UNION))
    facts: list[ApplicationFacts] = field(default_factory=list)
    now: datetime = QUEUED
    version: int = 0

    def tell(self, **changes: Any) -> None:
        """Something happens, and an event tells no more than this."""
        self.facts.append(replace(ApplicationFacts(self.last.application_id, UNION), **changes))
        self.last = replace(self.last, **changes)

    def queue(self) -> None:
        self.tell(queued_at=self.now, state="queued", version=0, channel_version=0, known_at=self.now)
        for _ in range(self.draw(st.integers(0, 2))):
            self.version += 1
            self.tell(channel="special" if self.version % 2 else "ordinary", channel_version=self.version)

    def check(self) -> None:
        for check_no in range(1, self.draw(st.integers(0, 3)) + 1):
            self.now += timedelta(days=self.draw(st.integers(0, 20)))
            rules = tuple(sorted(self.draw(st.sets(st.sampled_from(("age", "form", "term"))))))
            result = "failed" if rules else "passed"
            self.tell(check_no=check_no, check_result=result, checked_at=self.now, rules=rules)

    def step(self, state: str, days: int = 0, **changes: Any) -> None:
        self.version, self.now = self.version + 1, self.now + timedelta(days=days)
        self.tell(state=state, version=self.version, state_at=self.now, **changes)

    def submit(self) -> None:
        self.now += timedelta(days=self.draw(st.integers(0, 40)))
        channel: dict[str, Any] = {"channel": self.last.channel, "channel_version": self.version + 1}
        self.step("submitted", branch_code="icbc", submitted_at=self.now, **channel)

    def issue(self) -> None:
        self.step("issued", self.draw(st.integers(0, 500)), reason_code=None)
        if self.draw(st.booleans()):
            self.last = replace(self.last, state_at=self.now - timedelta(days=40), known_at=self.now)
            self.facts.append(replace(self.last, check_no=0, check_result=None, checked_at=None, rules=()))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """A history that services could have: queued, perhaps switched, checked, submitted, decided, corrected."""
    history = History(draw)
    history.queue()
    history.check()
    end = draw(st.sampled_from(("queued", "removed", "submitted", "issued", "refused", "released", "late")))
    if end == "removed":
        history.step("removed")
    elif end != "queued":
        history.submit()
    if end in ("released", "late"):
        history.step("released", 3, reason_code=draw(st.sampled_from(("revoked", "cancelled"))))
    if end in ("issued", "late"):
        history.issue()
    elif end == "refused":
        history.step("refused", 5, reason_code="name_mismatch")
    return history


@given(st.lists(histories(), min_size=1, max_size=4), st.data())
def test_events_in_any_order_and_repeated_count_the_same(told: list[History], data: st.DataObject) -> None:
    facts = [one for history in told for one in history.facts]
    again = data.draw(st.lists(st.sampled_from(facts)))
    shuffled = data.draw(st.permutations([*facts, *again]))
    totals: Counter[Cell] = Counter()
    known: dict[UUID, ApplicationFacts] = {}
    for news in shuffled:
        before = known.get(news.application_id, ApplicationFacts(news.application_id, UNION))
        after = merged_all([before, news])[news.application_id]
        totals.update(counts_of(after))
        totals.subtract(counts_of(before))
        known[news.application_id] = after
    expected: Counter[Cell] = Counter()
    for history in told:
        expected.update(counts_of(replace(history.last, known_at=known[history.last.application_id].known_at)))
    assert +totals == expected
    assert min(totals.values()) >= 0


@given(histories())
def test_an_application_is_counted_once_for_each_thing_that_happened(history: History) -> None:
    counted = counts_of(history.last)
    measures = Counter({cell.measure: number for cell, number in counted.items() if cell.measure != "failed_by_rule"})
    assert set(measures.values()) == {1}
    assert ("passed" in measures) + ("failed" in measures) == (history.last.check_result is not None)
    decided = sum(name in measures for name in ("issued", "refused", "revoked"))
    waiting = sum(name in measures for name in ("waiting_submission", "waiting_bank"))
    assert decided + waiting == (not _is_uncounted_end(history.last))


def test_an_issued_card_counts_in_its_months_by_bank_and_channel_with_its_days() -> None:
    issued = ApplicationFacts(
        uuid4(),
        UNION,
        queued_at=QUEUED,
        channel="special",
        channel_version=2,
        state="issued",
        version=2,
        state_at=QUEUED + timedelta(days=9, hours=3),
        branch_code="icbc",
        submitted_at=QUEUED + timedelta(minutes=2),
    )
    cell = Cell(UNION, 202610, "issued", "icbc", "special")
    assert counts_of(issued) == Counter(
        [
            cell._replace(month=202609, measure="queued"),
            cell._replace(measure="submitted"),
            cell,
            cell._replace(measure="issued_after_days", branch_code="", channel="", detail="9"),
            cell._replace(measure="issued_after_days_by", detail="9"),
        ]
    )


def test_days_are_counted_from_none_to_a_year() -> None:
    def days(after: timedelta) -> str:
        issued = ApplicationFacts(uuid4(), UNION, queued_at=QUEUED, state="issued", version=1, state_at=QUEUED + after)
        [found] = [cell.detail for cell in counts_of(issued) if cell.measure == "issued_after_days"]
        return found

    assert [days(timedelta(hours=-1)), days(timedelta(hours=47)), days(timedelta(days=4000))] == [
        "0",
        "1",
        str(MOST_DAYS),
    ]


def test_what_waits_is_counted_as_it_stands_now() -> None:
    queued = ApplicationFacts(uuid4(), UNION, queued_at=QUEUED, state="queued", version=0)
    assert Cell(UNION, NOW, "waiting_submission", "", "ordinary") in counts_of(queued)
    removed = merged_all([queued, replace(queued, queued_at=None, state="removed", version=1)])
    assert set(counts_of(removed[queued.application_id])) == {Cell(UNION, 202609, "queued", "", "ordinary")}


@given(st.lists(st.integers(0, 60), min_size=1), st.sampled_from((0.5, 0.9)))
def test_a_percentile_of_counted_days_is_that_of_the_days_themselves(days: list[int], share: float) -> None:
    found = percentile(Counter(days), share)
    assert found is not None
    assert sum(day <= found for day in days) >= share * len(days)
    assert sum(day < found for day in days) < share * len(days)


def test_counted_days_of_unions_add_up_to_those_of_all() -> None:
    assert percentile(Counter({3: 9}) + Counter({20: 1}), 0.9) == 3
    assert percentile(Counter({3: 8}) + Counter({20: 2}), 0.9) == 20
    assert percentile(Counter(), 0.5) is None


@given(st.integers(-40, 40))
def test_months_are_counted_over_the_ends_of_years(more: int) -> None:
    later = plus_months(202611, more)
    assert 1 <= later % 100 <= 12
    assert months_between(202611, later) == more + 1
    assert plus_months(later, -more) == 202611
    assert month_of(QUEUED) == 202609


def _is_uncounted_end(facts: ApplicationFacts) -> bool:
    return facts.state == "removed" or (facts.state == "released" and facts.reason_code == "cancelled")
