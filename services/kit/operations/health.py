"""Health over HTTP: /healthz (the process is alive), /readyz (it can work), /metrics (for Prometheus)."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.kit.data.encryption import keyring
from services.kit.operations import metrics
from services.kit.operations.logs import class_name
from services.kit.settings import SettingsError

log = structlog.get_logger()

_SECONDS_BETWEEN_CHECKS = 10.0


def health_app(containers: Sequence[Any]) -> Callable[..., Iterable[bytes]]:
    """A WSGI application for nameko containers.

    /readyz calls the method `why_not_ready()` of extensions that have it; it returns one reason or several.
    """

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/healthz":
            return _answer(start_response, "200 OK", {"status": "alive", **_keys()})
        if path == "/readyz":
            reasons = not_ready(containers)
            status = "503 Service Unavailable" if reasons else "200 OK"
            return _answer(start_response, status, {"status": "not ready" if reasons else "ready", "reasons": reasons})
        if path == "/metrics":
            start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
            return [generate_latest()]
        return _answer(start_response, "404 Not Found", {"status": "unknown path"})

    return app


def watch_readiness(containers: Sequence[Any]) -> None:
    """Measures every few seconds whether the process can work, for ever; a scrape itself waits for nothing."""
    while True:
        try:
            metrics.ready.set(not not_ready(containers))
        except Exception as error:
            metrics.ready.set(0)
            log.warning("readiness_unknown", error=class_name(error))
        time.sleep(_SECONDS_BETWEEN_CHECKS)


def not_ready(containers: Sequence[Any]) -> list[str]:
    """The reasons why the containers' services cannot work; empty where they can."""
    reasons = [] if all(container.started for container in containers) else ["starting"]
    for container in containers:
        for extension in container.extensions:
            if hasattr(extension, "why_not_ready") and (reason := extension.why_not_ready()):
                reasons += [reason] if isinstance(reason, str) else reason
    return reasons


def _keys() -> dict[str, list[str]]:
    """The ids of the process's keys of personal data, if any, the encrypting one first.

    A key rotation waits until all processes know the new key.
    """
    try:
        return {"personal_data_keys": keyring().key_ids()}
    except SettingsError:
        return {}


def _answer(start_response: Callable[..., Any], status: str, document: dict[str, Any]) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(document).encode()]
