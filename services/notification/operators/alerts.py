"""The alerts of monitoring: kept, and told to all operators by inbox; monitoring shows by a token who it is."""

import hmac
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, false, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from services.contracts.events.notification import EVERYWHERE
from services.contracts.operations.overview import HEARTBEAT, AlertAnswer, RecordAlertsRequest, ReportedAlert
from services.kit.data.bulk import insert_rows
from services.kit.problems import Forbidden
from services.kit.rpc.work import Work
from services.kit.secret_values import Key
from services.kit.settings import read_settings, settings_class
from services.notification.message_inbox import OPERATOR, Audience, post, reopen, settle
from services.notification.models import Alert
from services.notification.templates import texts

MOST_SHOWN = 100
_UNHEARD = timedelta(minutes=20)
"""Monitoring tells of an alert every five minutes while it fires; one of which it told nothing for so long is over."""
_PAUSE = timedelta(minutes=10)
"""The heartbeat comes every five minutes; after a longer time it had stopped."""
_LATE = timedelta(minutes=3)
"""So long after an alert was over, monitoring may still repeat that it fires; afterwards it fires again."""
_OPERATORS = Audience(EVERYWHERE, OPERATOR)

_AlertKey = tuple[str, datetime]


@settings_class
class AlertSettings:
    """How monitoring shows who it is."""

    alerts_token: Key = Key("")
    """The bearer token with which Alertmanager tells of alerts; without one none is accepted."""


def record_alerts(work: Work, request: RecordAlertsRequest) -> None:
    """Stores the alerts and tells operators of those that begin or are over; told again, it changes nothing.

    An alert is over, too, when the heartbeat goes on but nothing is told of it any more, or when a newer one fires in
    its place: it was silenced meanwhile, or Alertmanager has forgotten it. Raises Forbidden for a wrong token.
    """
    _check_token(request.token)
    session = work.session
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("alerts"))))
    alerts = list({_key(alert): alert for alert in request.alerts if _says_something(alert)}.values())
    known = _known(session, alerts)
    for alert in alerts:
        if alert.name != HEARTBEAT and alert.severity != "none":
            _tell(session, alert, known.get(_key(alert)))
    is_beating = _is_beating(session, alerts)
    _store(session, alerts, known)
    for forgotten in _end_forgotten(session, alerts, is_beating=is_beating):
        _tell_end(session, forgotten)


def alerts_since(session: Session, since: datetime) -> list[AlertAnswer]:
    """The alerts that fire, and those that ended from a moment on; the newest first."""
    found = session.scalars(
        select(Alert)
        .where(Alert.heard_at >= since, Alert.name != HEARTBEAT, or_(Alert.ended_at.is_(None), Alert.ended_at >= since))
        .order_by(Alert.started_at.desc())
        .limit(MOST_SHOWN)
    )
    return [
        AlertAnswer(
            fingerprint=one.fingerprint,
            name=one.name,
            severity=one.severity,
            subject=one.subject,
            instance=one.instance,
            notice=one.notice,
            started_at=one.started_at,
            ended_at=one.ended_at,
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


def _says_something(alert: ReportedAlert) -> bool:
    """Whether the report counts: that the heartbeat is over is no sign of life."""
    return alert.name != HEARTBEAT or alert.ended_at is None


def _key(alert: ReportedAlert | Alert) -> _AlertKey:
    return alert.fingerprint, alert.started_at.astimezone(UTC)


def _known(session: Session, alerts: Iterable[ReportedAlert]) -> dict[_AlertKey, Alert]:
    """The stored ones of these alerts."""
    keys = [_key(alert) for alert in alerts]
    stored = session.scalars(select(Alert).where(tuple_(Alert.fingerprint, Alert.started_at).in_(keys)))
    return {_key(one): one for one in stored}


def _tell(session: Session, alert: ReportedAlert, before: Alert | None) -> None:
    """Posts the alert when it begins, and when it is over; these are one message."""
    if alert.ended_at is None:
        if before is None or _fires_again(before):
            post(session, _OPERATORS, _topic(alert), texts.alert_fires(alert))
            reopen(session, _OPERATORS, _topic(alert))
    elif before is None or before.ended_at is None:
        _tell_end(session, alert)


def _fires_again(before: Alert) -> bool:
    """Whether an alert that was over, and of which monitoring tells now, fires again."""
    return before.ended_at is not None and datetime.now(UTC) - before.heard_at > _LATE


def _tell_end(session: Session, alert: ReportedAlert | Alert) -> None:
    post(session, _OPERATORS, _topic(alert), texts.alert_ended(alert))
    settle(session, _OPERATORS, _topic(alert))


def _topic(alert: ReportedAlert | Alert) -> str:
    fingerprint, started_at = _key(alert)
    return f"alert:{fingerprint}:{started_at.isoformat()}"


def _store(session: Session, alerts: Collection[ReportedAlert], known: dict[_AlertKey, Alert]) -> None:
    """An alert that is over stays so where monitoring repeats itself late."""
    if not alerts:
        return
    rows = [{**vars(alert), "ended_at": _end_of(alert, known.get(_key(alert)))} for alert in alerts]
    adding = insert_rows(Alert, [{**row, "heard_at": datetime.now(UTC)} for row in rows])
    told_again = {name: adding.excluded[name] for name in ("heard_at", "notice", "ended_at")}
    session.execute(adding.on_conflict_do_update(index_elements=[Alert.fingerprint, Alert.started_at], set_=told_again))


def _end_of(alert: ReportedAlert, before: Alert | None) -> datetime | None:
    if before is None or before.ended_at is None or _fires_again(before):
        return alert.ended_at
    return before.ended_at


def _is_beating(session: Session, alerts: Iterable[ReportedAlert]) -> bool:
    """Whether the heartbeat has come and had not stopped before: after a pause, alerts are first told of again."""
    before = last_heard_at(session)
    is_here = any(alert.name == HEARTBEAT for alert in alerts)
    return is_here and before is not None and datetime.now(UTC) - before < _PAUSE


def _end_forgotten(session: Session, alerts: Collection[ReportedAlert], *, is_beating: bool) -> list[Alert]:
    """Ends the alerts of which monitoring tells nothing any more, and those in whose place a newer one fires."""
    newer: list[Any] = [
        and_(Alert.fingerprint == alert.fingerprint, Alert.started_at < alert.started_at) for alert in alerts
    ]
    unheard = [Alert.heard_at < datetime.now(UTC) - _UNHEARD] if is_beating else []
    is_forgotten = or_(false(), *unheard, *newer)
    ended = session.scalars(
        update(Alert)
        .where(Alert.ended_at.is_(None), Alert.name != HEARTBEAT, is_forgotten)
        .values(ended_at=Alert.heard_at)
        .returning(Alert)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return list(ended)
