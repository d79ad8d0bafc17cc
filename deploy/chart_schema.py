"""Keeps the settings and secrets of the chart's values.schema.json as the classes that read them have them."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from deploy.permissions import SERVICES
from deploy.settings_document import settings_by_reader
from services.kit.secret_values import Secret
from services.kit.settings import Setting

SCHEMA = Path(__file__).parent / "chart" / "values.schema.json"
SHARED_SECRETS = ("PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY", "AUDIT_PUBLIC_KEYS")
"""Secrets that the five services have in common; all others are in the Secret of one program."""
SET_BY_CHART = frozenset(
    {
        *("ENVIRONMENT", "ALLOW_PLAIN_CONNECTIONS", "RETRY_DELAYS", "STOP_SECONDS", "MAX_WORKERS"),
        *("HEALTH_HOST", "HEALTH_PORT", "GATEWAY_HOST", "GATEWAY_PORT", "ALLOWED_HOSTS", "TRUSTED_PROXIES"),
        *("CALLER_PUBLIC_KEYS", "PERSONAL_DATA_KEYS_FILE", "PUBLIC_URL", "REGISTRY_URL", "SMS_URL", "MODULES_PATH"),
        "AUDIT_ARCHIVE_FOLDER",
    }
)
"""Settings that templates set, from values of their own where they differ."""
_NOT_OF_PODS = frozenset({"AUDIT_HEAD_FILE", "RELEASE"})
"""A file that outlives the process, which a pod does not have, and what the image knows."""


def text() -> str:
    """Returns the committed schema with the current lists of settings and secrets."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    parts = schema["$defs"]
    parts["commonSettings"]["propertyNames"]["enum"] = _free(settings_by_reader()["all"])
    for program in (*SERVICES, "gateway"):
        parts[f"{program}Settings"]["propertyNames"]["enum"] = _free(settings_of_program(program))
        parts[f"{program}Secrets"]["enum"] = sorted(secrets_of_program(program) - set(SHARED_SECRETS))
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def settings_of_program(program: str) -> Iterator[Setting]:
    """Yields the settings that a service or the gateway reads."""
    by_reader = settings_by_reader()
    for reader in ("all", *(["services"] if program in SERVICES else []), program):
        yield from by_reader.get(reader, [])


def secrets_of_program(program: str) -> set[str]:
    """Returns the variables that a program reads and that are in Secrets, its own and the shared ones."""
    return {one.variable for one in settings_of_program(program) if _is_secret(one)} - SET_BY_CHART


def _free(found: Iterable[Setting]) -> list[str]:
    """Returns the variables that values may set."""
    return sorted({one.variable for one in found if not _is_secret(one)} - SET_BY_CHART - _NOT_OF_PODS)


def _is_secret(one: Setting) -> bool:
    """Returns whether the setting is read from a file too, and hidden from logs."""
    kind: Any = one.of_type
    return isinstance(kind, type) and issubclass(kind, Secret)
