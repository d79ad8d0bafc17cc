"""Validates audit events before they enter the log: a service may publish only its own, and at the time they happen.

The publisher of the message has been verified before; here its content is.
"""

from datetime import UTC, datetime, timedelta

from services.contracts.events.audit import ActRecordedData
from services.kit.events.subscribe import Event, Reject
from services.membership.audit.audit_log import time_of

CLOCKS_DIFFER = timedelta(minutes=5)
"""Largest difference between clocks, and between an audit event and its publication."""

_TIME_ORDERED = 7
_LAST_YEAR = 9998


def late_recording_time(event: Event[ActRecordedData], now: datetime | None = None) -> datetime | None:
    """The time of recording for an audit event that comes late, as after an outage; None for one in time.

    Raises Reject for an event of another service, and for a time in the future or one that is not the message's.
    """
    now = now or datetime.now(UTC)
    producer, action = event.type.partition(".")[0], event.data.action
    if action.partition(".")[0] != producer:
        raise Reject(f"act_of_another_service: {producer} publishes {action}"[:200])
    done_at = _time_of(event)
    if done_at - now > CLOCKS_DIFFER:
        raise Reject(f"act_not_yet_done: at {done_at.isoformat(timespec='seconds')}")
    if event.time.tzinfo is None or abs(event.time - done_at) > CLOCKS_DIFFER:
        raise Reject("act_of_another_time: the event says another time than the act")
    return now if now - done_at > CLOCKS_DIFFER else None


def _time_of(event: Event[ActRecordedData]) -> datetime:
    """The time in the audit event's id; raises Reject for an id without one."""
    act_id = event.data.act_id
    if act_id.version != _TIME_ORDERED:
        raise Reject("act_without_time: the id is no UUID of version 7")
    try:
        done_at = time_of(act_id)
    except (ValueError, OverflowError):
        raise Reject("act_not_yet_done: in a year that nobody reads") from None
    if done_at.year > _LAST_YEAR:
        raise Reject("act_not_yet_done: in a year that nobody reads")
    return done_at
