"""The decision about a failed message, by its error and its earlier attempts."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from amqp.basic_message import Message
from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from services.kit.events.failures import (
    MoveToDeadLetters,
    Reject,
    Requeue,
    Retry,
    RetryLater,
    decide,
    failed_properties,
    is_transient,
    without_history,
)
from services.kit.secret_values import Secret
from services.kit.settings import MessagingSettings

SETTINGS = MessagingSettings(Secret())
AWAY = OperationalError("", {}, errors.AdminShutdown())
DEADLOCK = OperationalError("", {}, errors.DeadlockDetected())


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (Retry("away"), True),
        (AWAY, True),
        (DEADLOCK, True),
        (requests.ConnectionError(), True),
        (requests.ReadTimeout(), True),
        (ConnectionResetError(), True),
        (requests.HTTPError(), False),
        (IntegrityError("", {}, errors.UniqueViolation()), False),
        (FileNotFoundError(), False),
        (ZeroDivisionError(), False),
        (OperationalError("", {}, errors.ProgramLimitExceeded()), False),
        (Reject("wrong"), False),
    ],
)
def test_some_errors_are_transient_and_some_are_not(error: Exception, passing: bool) -> None:
    assert is_transient(error) is passing


@given(st.integers(min_value=0, max_value=10_000))
def test_a_transient_error_is_retried_without_limit_and_with_backoff(attempts: int) -> None:
    verdict = decide(Retry("away"), {"x-attempts": attempts}, time.monotonic(), SETTINGS)
    assert verdict == RetryLater([1, 5, 30, 120, 600][min(attempts, 4)])


@pytest.mark.parametrize(("attempts", "verdict"), [(0, RetryLater(1)), (4, RetryLater(600)), (5, MoveToDeadLetters())])
def test_a_bug_is_tried_again_five_times(attempts: int, verdict: object) -> None:
    assert decide(ZeroDivisionError(), {"x-attempts": attempts}, time.monotonic(), SETTINGS) == verdict


@pytest.mark.parametrize(
    "error",
    [
        Reject("wrong"),
        DataError("", {}, errors.UntranslatableCharacter()),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "half a character"),
    ],
)
def test_what_is_wrong_in_itself_is_never_tried_again(error: Exception) -> None:
    assert decide(error, {}, time.monotonic(), SETTINGS) == MoveToDeadLetters()


_HEADERS = st.dictionaries(
    st.sampled_from(["x-attempts", "x-first-failed-at", "x-reason", "theirs", b"bytes", "CC"]),
    st.none() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.integers()) | st.datetimes(),
)


@given(_HEADERS)
def test_headers_that_somebody_made_up_keep_no_message_from_being_moved(headers: dict[Any, Any]) -> None:
    decide(ZeroDivisionError(), headers, time.monotonic(), SETTINGS)
    moved = failed_properties(Message(b"x", application_headers=headers), Reject("wrong"), "bank.feedback")
    assert json.loads(json.dumps(moved, allow_nan=False)) == moved
    assert moved["application_headers"]["x-reason"] == "wrong"


def test_what_is_moved_is_published_in_our_name_to_one_queue_and_fits_into_a_frame() -> None:
    headers = {"CC": ["batching.revocation_approved"], "BCC": ["a"], "theirs": 1, "large": "x" * 100_000}
    message = Message(b"x", user_id="bank", message_id="m", application_headers=headers)
    moved = failed_properties(message, Reject("wrong"), "bank.feedback")
    assert "user_id" not in moved
    assert moved["application_headers"].keys() & {"CC", "BCC", "theirs", "large"} == {"theirs"}
    assert len(Message(b"x", **moved)._serialize_properties()) < 100_000


def test_a_message_is_held_while_the_database_is_away_but_not_for_ever() -> None:
    assert decide(AWAY, {}, time.monotonic(), SETTINGS) == Requeue()
    assert decide(AWAY, {}, time.monotonic() - 61, SETTINGS) == RetryLater(1)


def test_a_deadlock_delays_only_its_own_message() -> None:
    assert decide(DEADLOCK, {}, time.monotonic(), SETTINGS) == RetryLater(1)


@pytest.mark.parametrize(("after", "seconds"), [(0.5, 1), (20, 30), (30, 30), (9999, 600)])
def test_a_handler_can_ask_for_a_pause(after: float, seconds: float) -> None:
    assert decide(Retry("away", after=after), {}, time.monotonic(), SETTINGS) == RetryLater(seconds)


def test_a_handler_can_give_up() -> None:
    error = Retry("away", give_up_after=3600)
    first = datetime.now(UTC) - timedelta(hours=2)
    assert decide(error, {}, time.monotonic(), SETTINGS) == RetryLater(1)
    assert decide(error, {"x-first-failed-at": first.isoformat()}, time.monotonic(), SETTINGS) == MoveToDeadLetters()


def test_the_history_of_a_message_grows_and_can_be_taken_away() -> None:
    message = Message(b"x", message_id="m", expiration="5", application_headers={"theirs": 1, "x-death": []})
    once = failed_properties(message, Reject("wrong"), "validation.members_queued")
    twice = failed_properties(Message(b"x", **once), ZeroDivisionError("personal"), "validation.members_queued")
    headers = twice["application_headers"]
    assert headers["x-attempts"] == 2
    assert headers["x-first-failed-at"] == once["application_headers"]["x-first-failed-at"]
    assert headers["x-consumer"] == "validation"
    assert "personal" not in str(headers)
    assert without_history(Message(b"x", **twice)) == {
        "message_id": "m",
        "delivery_mode": 2,
        "application_headers": {"theirs": 1},
    }
