"""Which audit events may enter the audit log: those of the publishing service itself, in time or after an outage."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.contracts.events.audit import ActRecordedData
from services.kit.events.envelope import Event
from services.kit.events.failures import Reject
from services.membership.audit.event_checks import late_recording_time
from tests.mothers import an_audit_event

NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)


def published(
    ago: timedelta = timedelta(0), *, action: str = "batching.submit_batch", act_id: UUID | None = None, **changes: Any
) -> Event[ActRecordedData]:
    """An audit event that batching publishes, of something done so long ago."""
    done_at = NOW - ago
    data = an_audit_event(act_id=act_id or id_at(int(done_at.timestamp() * 1000)), action=action)
    facts = {"type": "batching.act_recorded.v1", "time": done_at, "data": data, **changes}
    return Event(id="1", source="/batching", subject=None, correlation_id=None, causation_id=None, **facts)


def id_at(milliseconds: int) -> UUID:
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62)


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(minutes=4), -timedelta(minutes=4)])
def test_an_event_published_in_time_is_kept_unchanged(ago: timedelta) -> None:
    assert late_recording_time(published(ago), NOW) is None


@pytest.mark.parametrize("ago", [timedelta(minutes=6), timedelta(days=400)])
def test_an_event_published_after_an_outage_is_kept_with_both_times(ago: timedelta) -> None:
    assert late_recording_time(published(ago), NOW) == NOW


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (published(action="revocation.approve_revocation"), "act_of_another_service"),
        (published(action="batchingx.submit_batch"), "act_of_another_service"),
        (published(-timedelta(minutes=6)), "act_not_yet_done"),
        (published(act_id=id_at(247_561_536_000_000), time=datetime(9815, 1, 1, tzinfo=UTC)), "act_not_yet_done"),
        (published(act_id=id_at((1 << 48) - 1)), "act_not_yet_done"),
        (published(act_id=uuid4()), "act_without_time"),
        (published(time=NOW - timedelta(hours=1)), "act_of_another_time"),
        (published(time=NOW.replace(tzinfo=None)), "act_of_another_time"),
    ],
)
def test_what_a_service_may_not_publish_is_rejected_with_the_reason(event: Event[ActRecordedData], reason: str) -> None:
    with pytest.raises(Reject, match=reason):
        late_recording_time(event, NOW)
