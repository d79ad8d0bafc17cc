"""The operators' overview of the whole system: the last hour, what changed, and the alerts of monitoring."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from marshmallow import validate

from services.kit.events.contract import choice
from services.kit.rpc.operation import ANONYMOUS, command, no_union, query

SEVERITIES = ("page", "ticket", "none")
MOST_ALERTS = 100
"""Most alerts that monitoring may tell of at once."""
_IN_OUR_TIME = validate.Range(
    datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), error="时间应在 2000 年至 2099 年之间"
)
HEARTBEAT = "Watchdog"
"""The alert that always fires: it shows that alerts arrive."""


@dataclass(frozen=True, kw_only=True)
class GetOverviewRequest:
    """Has no parameters: it is about the last hour, and what changed within a day."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """How a service did in one minute; null is what nobody knew, as while the broker was away."""

    service: str
    minute: datetime
    waiting: Annotated[int | None, "messages in its queues of events"]
    dead: Annotated[int | None, "dead letters"]
    outbox_messages: Annotated[int, "that were not published yet, counted up to 10000"]
    outbox_seconds: Annotated[float, "how long the oldest of them had waited"]
    to_bank: Annotated[int | None, "batches and recalls that the bank had not fetched; only of batching"]
    from_bank: Annotated[int | None, "messages of the bank that waited; only of batching"]


@dataclass(frozen=True, kw_only=True)
class SmsMinute:
    """The text messages that were made in one minute."""

    minute: datetime
    sent: int
    failed: int
    waiting: Annotated[int, "that are still to be sent"]


@dataclass(frozen=True, kw_only=True)
class StatusChange:
    """What changed in a service from one sample to the next."""

    at: datetime
    service: str
    kind: Annotated[
        str,
        choice("release", "processes", "reasons", "silence"),
        "`silence`: no sample came for some minutes, from `before` on",
    ]
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class AlertAnswer:
    fingerprint: Annotated[str, "of all that fire, one has it"]
    name: str
    severity: Annotated[str, choice(*SEVERITIES), "`page` cannot wait until morning"]
    subject: Annotated[str, "the program or queue; empty for the whole system"]
    instance: Annotated[str, "the process; empty for all"]
    notice: Annotated[str, "what is wrong, in Chinese"]
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class OverviewAnswer:
    at: Annotated[datetime, "now, by the service's clock"]
    samples: Annotated[list[Sample], "of the last hour, by minute"]
    sms: Annotated[list[SmsMinute], "of the last hour, by minute"]
    sms_oldest_at: Annotated[datetime | None, "when the oldest text message was made that is due and not sent"]
    sms_failed: Annotated[int, "text messages of the last day that were given up"]
    changes: Annotated[list[StatusChange], "of the last day, the newest first, 50 at most"]
    alerts: Annotated[list[AlertAnswer], "that fire, and those that ended within a day; the newest first"]
    alerts_heard_at: Annotated[datetime | None, "when monitoring last showed that its alerts arrive here"]


@dataclass(frozen=True, kw_only=True)
class ReportedAlert:
    """An alert as monitoring tells of it."""

    fingerprint: Annotated[str, validate.Length(1, 100)]
    name: Annotated[str, validate.Length(1, 100)]
    severity: Annotated[str, choice(*SEVERITIES)]
    subject: Annotated[str, validate.Length(max=200)]
    instance: Annotated[str, validate.Length(max=200)]
    notice: Annotated[str, validate.Length(max=500)]
    started_at: Annotated[datetime, _IN_OUR_TIME]
    ended_at: Annotated[datetime | None, _IN_OUR_TIME]


@dataclass(frozen=True, kw_only=True)
class RecordAlertsRequest:
    """The token shows that monitoring tells it (the setting ALERTS_TOKEN)."""

    token: Annotated[str, validate.Length(max=500)]
    alerts: Annotated[list[ReportedAlert], validate.Length(max=MOST_ALERTS)]


GET_OVERVIEW = query("notification.get_overview", GetOverviewRequest, OverviewAnswer, allow=no_union("operator"))
RECORD_ALERTS = command(
    "notification.record_alerts", RecordAlertsRequest, allow=no_union(ANONYMOUS), title="记录系统告警"
)
