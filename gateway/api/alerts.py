"""Alerts: Alertmanager tells of them by its webhook, and shows who it is by a bearer token."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from marshmallow import fields, validate
from werkzeug.wrappers import Response

from gateway.answers import no_content
from gateway.routes import RequestContext, route
from services.contracts.operations import overview as rpc
from services.kit.events.contract import choice
from services.kit.schemas import schema_of

_BYTES = 256 << 10
_NAMES = fields.Dict(keys=fields.String(), values=fields.String(validate=validate.Length(max=5000)))


@dataclass(frozen=True, kw_only=True)
class AlertmanagerAlert:
    """An alert of Alertmanager's webhook, version 4; other fields are ignored.

    The labels `alertname`, `severity`, `queue` or `program`, and `instance` are used, and the annotation `notice`, or
    else `summary`.
    """

    IGNORES_UNKNOWN: ClassVar[bool] = True

    status: Annotated[str, choice("firing", "resolved")]
    labels: Annotated[dict[str, str], _NAMES]
    annotations: Annotated[dict[str, str], _NAMES]
    startsAt: datetime  # noqa: N815 - Alertmanager's names
    endsAt: Annotated[datetime, "of one that fires, meaningless"]  # noqa: N815
    fingerprint: Annotated[str, validate.Length(1, 100)]


@dataclass(frozen=True, kw_only=True)
class AlertmanagerMessage:
    """What Alertmanager's webhook sends, version 4; other fields are ignored."""

    IGNORES_UNKNOWN: ClassVar[bool] = True

    alerts: Annotated[list[AlertmanagerAlert], validate.Length(max=rpc.MOST_ALERTS)]


@route(
    "POST",
    "/api/v1/operations/alerts",
    rpc.RECORD_ALERTS,
    request=AlertmanagerMessage,
    status=204,
    anonymous_limit=_BYTES,
    summary="Alerts that begin, go on or are over, from Alertmanager's webhook with the bearer token of ALERTS_TOKEN",
)
def record_alerts(context: RequestContext) -> Response:
    message: AlertmanagerMessage = schema_of(AlertmanagerMessage)().load(context.read())
    request = rpc.RecordAlertsRequest(token=_bearer_token(context), alerts=[_reported(one) for one in message.alerts])
    context.call(rpc.RECORD_ALERTS, schema_of(rpc.RecordAlertsRequest)().dump(request))
    return no_content()


def _bearer_token(context: RequestContext) -> str:
    authorization = context.request.authorization
    if authorization is None or authorization.type != "bearer":
        return ""
    return authorization.token or ""


def _reported(alert: AlertmanagerAlert) -> rpc.ReportedAlert:
    """The alert as it is kept."""
    labels = alert.labels
    name, severity = labels.get("alertname", ""), labels.get("severity", "")
    return rpc.ReportedAlert(
        fingerprint=alert.fingerprint,
        name=name[:100] or "?",
        severity=severity if severity in rpc.SEVERITIES else "ticket",
        subject=(labels.get("queue") or labels.get("program") or "")[:200],
        instance=labels.get("instance", "")[:200],
        notice=(alert.annotations.get("notice") or alert.annotations.get("summary") or name)[:500],
        started_at=alert.startsAt,
        ended_at=alert.endsAt if alert.status == "resolved" else None,
    )


ROUTES = (record_alerts,)
