"""Whether an audit event may enter the log: a service publishes its own, when they happen.

The publisher of the event has been checked before; here it is held to what it may say.
"""

from datetime import UTC, datetime, timedelta

from services.contracts.events.audit import ActRecordedData
from services.kit.events.subscribe import Event, Reject
from services.membership.audit.audit_log import time_of

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far clocks of machines may be apart, and an audit event from when it was published."""

_TIME_ORDERED = 7
_LAST_YEAR = 9998


def kept_late_at(event: Event[ActRecordedData], now: datetime | None = None) -> datetime | None:
    """When an audit event is kept that comes long after it happened, as after an outage; None for one in time.

    Raises Reject for one of another service, and for a time that lies ahead or that is not the message's.
    """
    now = now or datetime.now(UTC)
    producer, action = event.type.partition(".")[0], event.data.action
    if action.partition(".")[0] != producer:
        raise Reject(f"act_of_another_service: {producer} tells of {action}"[:200])
    done_at = _time_of(event)
    if done_at - now > CLOCKS_DIFFER:
        raise Reject(f"act_not_yet_done: at {done_at.isoformat(timespec='seconds')}")
    if event.time.tzinfo is None or abs(event.time - done_at) > CLOCKS_DIFFER:
        raise Reject("act_of_another_time: the event says another time than the act")
    return now if now - done_at > CLOCKS_DIFFER else None


def _time_of(event: Event[ActRecordedData]) -> datetime:
    """The time in the audit event's id; raises Reject for an id that holds none."""
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
