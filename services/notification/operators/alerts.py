"""The alerts of monitoring: kept, and told to all operators by inbox; monitoring shows by a token who it is."""

import hmac
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.events.notification import EVERYWHERE
from services.contracts.operations.overview import HEARTBEAT, AlertAnswer, RecordAlertsRequest, ReportedAlert
from services.kit.problems import Forbidden
from services.kit.rpc.work import Work
from services.kit.secret_values import Secret
from services.kit.settings import read_settings, settings_class
from services.notification import texts
from services.notification.message_inbox import OPERATOR, Audience, post, settle
from services.notification.models import Alert

MOST_SHOWN = 100
_FORGOTTEN = timedelta(days=1)
"""Monitoring tells of an alert again while it fires; one of which it told nothing for so long has ended unheard."""
_OPERATORS = Audience(EVERYWHERE, OPERATOR)


@settings_class
class AlertSettings:
    """How monitoring shows who it is."""

    alerts_token: Secret = Secret("")
    """The bearer token with which Alertmanager tells of alerts; without one none is accepted."""


def record_alerts(work: Work, request: RecordAlertsRequest) -> None:
    """Stores the alerts and tells operators of those that are new or over; told again, it changes nothing.

    Raises Forbidden for a wrong token.
    """
    _check_token(request.token)
    session = work.session
    known = _known(session, request.alerts)
    for alert in sorted(request.alerts, key=_key):
        before = known.get(_key(alert))
        if alert.name != HEARTBEAT and alert.severity != "none":
            _tell(session, alert, before)
        _store(session, alert)


def alerts_since(session: Session, since: datetime) -> list[AlertAnswer]:
    """The alerts that fire, and those that ended from a moment on; the newest first."""
    fires = Alert.ended_at.is_(None) & (Alert.heard_at > datetime.now(UTC) - _FORGOTTEN)
    found = session.scalars(
        select(Alert)
        .where(Alert.heard_at >= since, Alert.name != HEARTBEAT, or_(fires, Alert.ended_at >= since))
        .order_by(Alert.started_at.desc())
        .limit(MOST_SHOWN)
    )
    return [
        AlertAnswer(
            name=one.name,
            severity=one.severity,
            subject=one.subject,
            notice=one.notice,
            started_at=one.started_at,
            ended_at=one.ended_at,
            heard_at=one.heard_at,
        )
        for one in found
    ]


def last_heard_at(session: Session) -> datetime | None:
    """When the heartbeat last came, which shows that alerts arrive; None if it never did."""
    return session.scalar(select(func.max(Alert.heard_at)).where(Alert.name == HEARTBEAT))


def _check_token(token: str) -> None:
    expected = read_settings(AlertSettings).alerts_token
    if not expected or not hmac.compare_digest(token.encode(), expected.encode()):
        raise Forbidden("wrong_token", "告警令牌不正确", "请核对 Alertmanager 的令牌与 ALERTS_TOKEN 设置。")


def _key(alert: ReportedAlert) -> tuple[str, datetime]:
    return alert.fingerprint, alert.started_at


def _known(session: Session, alerts: list[ReportedAlert]) -> dict[tuple[str, datetime], Alert]:
    """The stored ones of these alerts, locked."""
    stored = session.scalars(
        select(Alert)
        .where(tuple_(Alert.fingerprint, Alert.started_at).in_([_key(alert) for alert in alerts]))
        .order_by(Alert.fingerprint, Alert.started_at)
        .with_for_update()
    )
    return {(one.fingerprint, one.started_at): one for one in stored}


def _tell(session: Session, alert: ReportedAlert, before: Alert | None) -> None:
    """Posts the alert, once when it begins and once when it is over; these are one message."""
    topic = f"alert:{alert.fingerprint}:{alert.started_at.isoformat()}"
    if alert.ended_at is None:
        if before is None:
            is_urgent = alert.severity == "page"
            post(session, _OPERATORS, topic, texts.alert_fires(alert.notice, alert.subject, is_urgent=is_urgent))
    elif before is None or before.ended_at is None:
        post(session, _OPERATORS, topic, texts.alert_ended(alert.notice, alert.subject, alert.ended_at))
        settle(session, _OPERATORS, topic)


def _store(session: Session, alert: ReportedAlert) -> None:
    """An alert that is over stays so, in whatever order monitoring tells of it."""
    adding = insert(Alert).values(heard_at=func.now(), **vars(alert))
    ended_at = func.coalesce(Alert.ended_at, adding.excluded.ended_at)
    told_again = {"heard_at": adding.excluded.heard_at, "notice": adding.excluded.notice, "ended_at": ended_at}
    session.execute(adding.on_conflict_do_update(index_elements=[Alert.fingerprint, Alert.started_at], set_=told_again))
