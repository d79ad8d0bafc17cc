"""Overdue work of batching: marked in lists, counted, and published once a day."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from services.batching import overdue
from services.batching.batches import batches
from services.batching.models import Application, Batch, Branch, Card
from services.contracts.events.overdue import WORK_OVERDUE
from services.contracts.operations.batching import ListBatchesRequest
from services.contracts.rules.working_days import due_on
from services.kit import clock
from services.kit.schemas import as_dict
from tests.integration.batching.desk import Desk, a_card_feedback, a_feedback
from tests.mothers import a_card_number, a_union, an_applicant

SHANGHAI = ZoneInfo("Asia/Shanghai")
BEGAN = datetime(2026, 3, 2, 10, tzinfo=SHANGHAI)
"""A Monday; no holiday follows for a month."""


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """`at(moment)` moves the clock."""

    def move(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment.astimezone(UTC))

    move(BEGAN)
    return move


def days_later(working_days: int, hour: int = 10) -> datetime:
    """So many working days after the work began, and one: what was due in between is overdue."""
    day = due_on(due_on(BEGAN.date(), working_days), 1)
    return datetime(day.year, day.month, day.day, hour, tzinfo=SHANGHAI)


def published(desk: Desk) -> list[dict[str, Any]]:
    return [work for event in desk.published(WORK_OVERDUE["batching"]) for work in event["works"]]


def a_batch_of(desk: Desk, size: int = 2) -> str:
    batch_no, _ = desk.a_batch(size)
    with desk.begin() as session:
        session.get_one(Batch, batch_no).submitted_at = BEGAN
    return batch_no


def listed(desk: Desk, **request: Any) -> list[dict[str, Any]]:
    with desk.begin() as session:
        answer = batches.list_batches(desk.work(session), ListBatchesRequest(**request))
    found: list[dict[str, Any]] = as_dict(answer.items)
    return found


def test_an_unchecked_entry_is_overdue_after_its_last_day_and_not_on_it(desk: Desk, at: Callable[..., None]) -> None:
    desk.queue(queued_at=BEGAN)
    last = datetime.combine(due_on(BEGAN.date(), 2), BEGAN.timetz().replace(hour=23))
    at(last)
    assert [(item["overdue"], item["due_on"]) for item in desk.show()["items"]] == [(False, date(2026, 3, 4))]
    assert desk.show(overdue=True)["total"] == 0
    at(last + timedelta(hours=1))
    assert [item["overdue"] for item in desk.show(overdue=True)["items"]] == [True]
    assert desk.show()["counts"]["ordinary"]["overdue"] == 1


def test_a_failed_entry_counts_from_its_check_and_one_that_has_passed_never(
    desk: Desk, at: Callable[..., None]
) -> None:
    failed, passed = desk.queue(an_applicant(), an_applicant(), queued_at=BEGAN - timedelta(days=30))
    desk.check()
    desk.validate({failed: "failed", passed: "passed"})
    with desk.begin() as session:
        session.get_one(Application, failed).checked_at = BEGAN
    at(days_later(2))
    assert desk.show(overdue=True)["total"] == 0
    at(days_later(3))
    assert [item["application_id"] for item in desk.show(overdue=True)["items"]] == [failed]


@pytest.mark.parametrize("working_days", range(6))
def test_the_mark_the_filter_and_the_count_say_the_same(desk: Desk, at: Callable[..., None], working_days: int) -> None:
    desk.queue(an_applicant(), an_applicant(name="王䶮", document_expiry=None), queued_at=BEGAN)
    at(days_later(working_days))
    for channel in ("ordinary", "special"):
        marked = [item["application_id"] for item in desk.show(channel=channel)["items"] if item["overdue"]]
        found = [item["application_id"] for item in desk.show(channel=channel, overdue=True)["items"]]
        assert marked == found
        assert desk.show()["counts"][channel]["overdue"] == len(found)


def test_a_batch_is_overdue_unprinted_and_then_with_a_silent_bank(desk: Desk, at: Callable[..., None]) -> None:
    batch_no = a_batch_of(desk)
    at(days_later(2))
    assert [batch["overdue"] for batch in listed(desk, overdue=True)] == [["unprinted"]]
    with desk.begin() as session:
        session.get_one(Batch, batch_no).register_state = "printed"
    assert listed(desk, overdue=True) == []
    at(days_later(10))
    assert [batch["overdue"] for batch in listed(desk)] == [["bank_silent"]]
    assert [batch["batch_no"] for batch in listed(desk, overdue=True)] == [batch_no]
    persons = desk.show_batch_members(batch_no)
    desk.feed(
        a_feedback(batch_no, *({"application_id": one["application_id"], "outcome": "accepted"} for one in persons))
    )
    assert listed(desk, overdue=True) == []


def test_overdue_work_is_published_by_union_with_what_has_waited_beyond_the_second_limit(
    desk: Desk, at: Callable[..., None]
) -> None:
    other = Desk(desk.engine, a_union())
    desk.queue(an_applicant(), an_applicant(), queued_at=BEGAN)
    other.queue(queued_at=days_later(1))
    at(days_later(5))
    overdue.remind(desk.database)
    assert _told(desk) == {
        ("unchecked", desk.union_id, "overdue", 2),
        ("unchecked", desk.union_id, "escalated", 2),
        ("unchecked", other.union_id, "overdue", 1),
    }
    assert {work["since"] for work in published(desk) if work["union_id"] == desk.union_id} == {BEGAN.astimezone(UTC)}


@pytest.mark.parametrize("by_union", [True, False])
def test_clerks_are_reminded_of_uncollected_cards_that_their_union_hands_out(
    desk: Desk, at: Callable[..., None], by_union: bool
) -> None:
    batch_no, (waiting, collected) = desk.a_batch(2)
    numbers = {waiting: a_card_number(), collected: a_card_number()}
    issued = ({"application_id": one, "outcome": "issued", "card_no": number} for one, number in numbers.items())
    desk.feed(a_feedback(batch_no, *issued))
    desk.feed(a_card_feedback({"card_no": numbers[collected], "step": "collected"}))
    with desk.begin() as session:
        session.execute(update(Card).values(made_at=BEGAN))
        session.execute(update(Branch).values(union_hands_out=by_union))
    at(days_later(22))
    overdue.remind(desk.database)
    assert _told(desk) == ({("uncollected", desk.union_id, "overdue", 1)} if by_union else set())


def test_a_day_s_reminders_go_out_once_however_often_a_process_restarts(desk: Desk, at: Callable[..., None]) -> None:
    desk.queue(queued_at=BEGAN)
    at(days_later(3))
    for _ in range(3):
        overdue.remind(desk.database)
    assert len(published(desk)) == 1
    at(days_later(4))
    overdue.remind(desk.database)
    assert len(published(desk)) == 2


def test_many_processes_send_a_day_s_reminders_once(desk: Desk, at: Callable[..., None]) -> None:
    desk.queue(queued_at=BEGAN)
    at(days_later(3))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: overdue.remind(desk.database), range(8)))
    assert len(published(desk)) == 1


def test_a_day_whose_reminders_failed_is_tried_again(
    desk: Desk, at: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.queue(queued_at=BEGAN)
    at(days_later(3))
    with monkeypatch.context() as broken:
        broken.setattr(overdue, "publish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            overdue.remind(desk.database)
    assert published(desk) == []
    overdue.remind(desk.database)
    assert len(published(desk)) == 1


@pytest.mark.parametrize(
    "moment",
    [days_later(3, hour=8), datetime(2026, 3, 14, 10, tzinfo=SHANGHAI), datetime(2026, 4, 6, 10, tzinfo=SHANGHAI)],
    ids=["before the hour", "on a Saturday", "on a holiday"],
)
def test_nobody_is_reminded_out_of_hours(desk: Desk, at: Callable[..., None], moment: datetime) -> None:
    desk.queue(queued_at=BEGAN)
    at(moment)
    overdue.remind(desk.database)
    assert published(desk) == []


def _told(desk: Desk) -> set[tuple[str, UUID, str, int]]:
    return {(work["kind"], work["union_id"], work["level"], work["count"]) for work in published(desk)}
