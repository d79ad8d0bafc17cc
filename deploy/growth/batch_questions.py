"""Questions to batching, revocation, validation and notification."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from deploy.growth.questions import Question, call
from deploy.growth.sample import DOCUMENT_NUMBER, Sample
from services.contracts.operations import (
    batching,
    cards,
    member_messages,
    notification,
    overview,
    reports,
    revocation,
    validation,
)
from services.kit.rpc.request import Caller

_ALL_WAIT = "it counts all that waits, which is a tenth of the members here and far less where people work"
_STOPS = "the count stops at ten thousand, for which less than a second suffices"
_REASONS = {
    "cards, page 1": _STOPS,
    "cards waiting for collection": _STOPS,
    "cards that are overdue": _STOPS,
    "cards by name": "all have one name here, so that the index of names helps nobody",
    "cards of a batch by the end of its number": "unions submit on the same days here: one batch in five has this end",
}


def batch_questions(sample: Sample) -> Iterator[Question]:
    """All questions that people ask of the four services."""
    yield from _pending(sample)
    yield from _batches(sample)
    yield from _cards(sample)
    yield from _revocations(sample)
    yield from _notification(sample)


def _callers(sample: Sample) -> Iterator[tuple[str, Caller]]:
    yield "a union", sample.clerk
    yield "a district", sample.reviewer
    yield "the city", sample.city


def _pending(sample: Sample) -> Iterator[Question]:
    below: dict[str, Any] = {"with_subordinates": True, "channel": "ordinary"}
    for where, caller, data in (
        ("a union", sample.clerk, {"channel": "ordinary"}),
        ("a district", sample.reviewer, below),
        ("the city", sample.city, below),
    ):
        filters: dict[str, dict[str, Any]] = {
            "pending list with counts": {},
            "pending entries by name": {"name": "王芳"},
            "pending entries that are overdue": {"overdue": True},
        }
        for title, chosen in filters.items():
            yield call(f"{title}, {where}", batching.LIST_PENDING, caller, _ALL_WAIT, **data, **chosen)
    number = {"document_number": DOCUMENT_NUMBER, "channel": "ordinary"}
    yield call("a pending entry by document number, a union", batching.LIST_PENDING, sample.clerk, **number)
    yield call("whether a batch can be submitted", batching.PREPARE_SUBMISSION, sample.clerk)
    yield call("the check of a pending entry", validation.GET_CHECK, sample.clerk, application_id=sample.queued)


def _batches(sample: Sample) -> Iterator[Question]:
    week = {"submitted_from": str(sample.batch_day), "submitted_to": str(sample.batch_day + timedelta(days=7))}
    filters: dict[str, dict[str, Any]] = {
        "batches, page 1": {},
        "batches, the deepest page": {"page": 500},
        "batches of a week": week,
        "a batch by its whole number": {"batch_no": sample.batch_no},
        "batches by the end of a number": {"batch_no": sample.batch_no[-5:]},
        "batches at the bank": {"outcome": "awaiting"},
        "batches that are decided": {"state": "decided"},
        "batches with refusals": {"outcome": "refused"},
        "batches that are overdue": {"overdue": True},
        "batches whose register is not printed": {"register_state": "unprinted"},
        "batches of the special channel": {"channel": "special"},
        "batches, the largest first": {"sort": "-total"},
    }
    for title, data in filters.items():
        for where, caller in _callers(sample):
            yield call(f"{title}, {where}", batching.LIST_BATCHES, caller, **data)
    for where, caller in _callers(sample):
        yield call(f"workbench: batches and refusals, {where}", batching.GET_BATCH_SUMMARY, caller)
    yield call("one batch", batching.GET_BATCH, sample.clerk, batch_no=sample.batch_no)
    yield call("persons of a batch", batching.LIST_BATCH_MEMBERS, sample.clerk, batch_no=sample.batch_no)
    yield call("for operators: a batch at the bank", batching.GET_BANK_BATCH, sample.operator, batch_no=sample.batch_no)
    yield call("on the phone: progress of own applications", batching.LIST_PERSONAL_PROGRESS, sample.phone_holder)


def _cards(sample: Sample) -> Iterator[Question]:
    filters: dict[str, dict[str, Any]] = {
        "cards, page 1": {},
        "cards waiting for collection": {"status": "made"},
        "cards that are overdue": {"overdue": True},
        "cards that are lost": {"status": "lost"},
        "cards that unions hand out": {"status": "made", "handed_out_by": "union"},
        "cards by name": {"name": "王芳"},
        "cards by a rare name": {"name": "欧阳"},
        "cards of a batch by its whole number": {"batch_no": sample.batch_no},
        "cards of a batch by the end of its number": {"batch_no": sample.batch_no[-5:]},
    }
    for title, data in filters.items():
        reason = _REASONS.get(title)
        for where, caller in _callers(sample):
            yield call(f"{title}, {where}", cards.LIST_CARDS, caller, reason, **data)
    yield call("cards as a sheet, a union", cards.EXPORT_CARDS, sample.clerk)


def _revocations(sample: Sample) -> Iterator[Question]:
    for where, caller in _callers(sample):
        yield call(f"revocations, {where}", revocation.LIST_REVOCATIONS, caller)
    yield call("revocations to decide, a district", revocation.LIST_REVOCATIONS, sample.reviewer, can_decide=True)
    yield call("revocations that are overdue, the city", revocation.LIST_REVOCATIONS, sample.city, overdue=True)
    end = sample.batch_no[-5:]
    yield call(
        "revocations by the end of a batch's number, the city", revocation.LIST_REVOCATIONS, sample.city, batch_no=end
    )


def _notification(sample: Sample) -> Iterator[Question]:
    yield call("inbox, page 1", notification.LIST_MESSAGES, sample.clerk)
    yield call("inbox, unread", notification.LIST_MESSAGES, sample.clerk, unread=True)
    yield call("inbox, all read", notification.MARK_ALL_MESSAGES_READ, sample.clerk)
    yield call("on the phone: messages", member_messages.LIST_MEMBER_MESSAGES, sample.phone_holder)
    yield call("announcements", notification.LIST_ANNOUNCEMENTS, Caller())
    for where, caller in _callers(sample):
        for by in ("union", "month", "branch"):
            yield call(f"report by {by}, {where}", reports.GET_REPORT, caller, by=by)
    yield call("report by union, sorted, the city", reports.GET_REPORT, sample.city, sort="-issued")
    yield call("for operators: the overview", overview.GET_OVERVIEW, sample.operator)
