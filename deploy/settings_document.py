"""Generates docs/settings.md, the list of all settings, from the classes that read them."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from deploy.permissions import SERVICES
from services.kit import settings
from services.kit.secret_values import Secret
from services.kit.settings import Setting

_READ_BY = {
    "MessagingSettings": "all",
    "ProcessSettings": "all",
    "DatabaseSettings": "services",
    "PersonalDataSettings": "services",
    "RetentionSettings": "services",
    "VerifyingSettings": "services",
    "SigningSettings": "gateway",
    "RequestDecryptionSettings": "services",
    "RequestEncryptionSettings": "gateway",
    "BankEncryptionSettings": "batching",
    "InsurerSettings": "membership",
    "AuditHeadSettings": "services",
    "TracingSettings": "all",
    "ClockSettings": "services",
    "ReminderSettings": "services",
}
"""Which programs read the settings classes that several programs share."""

_HEAD = """# Settings

Made from the code by `make docs` (`deploy/settings_document.py`); do not edit. Each setting is an environment variable,
read once at the start. A **secret** can be in a file instead, which `<VARIABLE>_FILE` names; it hides from logs and is
held against [what production asks of it](operations/installing.md#processes). Times are in seconds, lists are written
with commas.

| variable | read by | type | default | says |
|---|---|---|---|---|
"""
_FOOT = """
Besides: `python -m services.kit.data.migrate <service>` and `.reencrypt` read `DATABASE_URL_<SERVICE>`,
`python -m deploy.dead_letters` reads `AMQP_URI`, and `BLIND_INDEX_KEY` to replay;
`python -m deploy.broker` reads `AMQP_URI` and `RETRY_DELAYS` to declare, and `AMQP_PASSWORD_<PROGRAM>` to prepare; its
`definitions` alone read `BROKER_VHOST` instead of the address, `python -m deploy.broker_import` also
`BROKER_MANAGEMENT_URL` (`https://administrator:password@broker:15671`), `python -m deploy.invariants` what it lists
with `--help`, `python -m services.membership.audit.audit_verify` also `AUDIT_LOST`, `python -m deploy.repair` also
`DATABASE_OWNER_URL_<SERVICE>` to free a service after a restore, `python -m deploy.databases` reads
`DATABASE_ADMIN_URL` and `DATABASE_PASSWORD_<ROLE>`. Addresses, keys and passwords may be in files that
`<VARIABLE>_FILE` names. Those of compose are in [operations](operations/containers.md#for-work).

Authorities of your own are in the files that `SSL_CERT_FILE` (the broker's), `REQUESTS_CA_BUNDLE` (of registry, SMS
provider and the broker's management) and `sslrootcert` in a database's address name.
"""


def text() -> str:
    """Returns the document: one row for each variable, common ones first."""
    rows: dict[str, str] = {}
    for kind in sorted(_kinds(), key=_order):
        said = _sayings(kind)
        for setting in settings.settings_of(kind):
            rows.setdefault(setting.variable, _row(kind, setting, said.get(setting.name, "")))
    return _HEAD + "\n".join(rows.values()) + "\n" + _FOOT


def settings_by_reader() -> dict[str, list[Setting]]:
    """Returns the settings by who reads them: `all`, `services`, or one program."""
    found: dict[str, list[Setting]] = {}
    for kind in _kinds():
        found.setdefault(_reader(kind), []).extend(settings.settings_of(kind))
    return found


def _kinds() -> Iterator[type[Any]]:
    """Returns all settings classes of services and gateway."""
    for module in (*(f"services.{service}.service" for service in SERVICES), "gateway.service"):
        import_module(module)
    return (kind for kind in settings.declared() if kind.__module__.partition(".")[0] in ("services", "gateway"))


def _order(kind: type[Any]) -> tuple[bool, str, str]:
    return kind.__name__ not in _READ_BY, _reader(kind), kind.__name__


def _reader(kind: type[Any]) -> str:
    parts = kind.__module__.split(".")
    return _READ_BY.get(kind.__name__) or (parts[1] if parts[0] == "services" else parts[0])


def _row(kind: type[Any], setting: Setting, said: str) -> str:
    is_secret = isinstance(setting.of_type, type) and issubclass(setting.of_type, Secret)
    of_type = "**secret**" if is_secret else getattr(setting.of_type, "__name__", str(setting.of_type))
    default = "must be set" if setting.is_required else f"`{_text(setting.default)}`"
    return f"| `{setting.variable}` | {_reader(kind)} | {of_type} | {default} | {said} |"


def _text(value: Any) -> str:
    return ",".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value)


def _sayings(kind: type[Any]) -> dict[str, str]:
    """Returns the docstring of each field, or that of the class for fields without one."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101
    said, field = {}, None
    for statement in body.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            field = statement.target.id
        elif field and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            said[field] = " ".join(str(statement.value.value).split())
    return said
