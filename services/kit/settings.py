"""Typed settings, read from the environment once; one error names all missing and invalid ones."""

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import Any, TypeVar, dataclass_transform, get_type_hints

from environs import Env, EnvError, FileAwareEnv

from services.kit.secret_values import Key, KeySet, Secret, weaknesses
from services.kit.unencrypted_addresses import is_unencrypted

Settings = TypeVar("Settings")
_SECRET = (Secret, Key, KeySet)
ENVIRONMENTS = ("production", "demo", "test")
_LONGEST_UPGRADE = timedelta(days=31)
_declared: list[type[Any]] = []


@dataclass(frozen=True)
class Setting:
    """One field of a settings class."""

    name: str
    of_type: Any
    is_required: bool
    default: Any

    @property
    def variable(self) -> str:
        """The environment variable that it is read from."""
        return self.name.upper()


class SettingsError(RuntimeError):
    """Environment variables are missing or cannot be read; the message names all of them."""


@dataclass_transform(frozen_default=True)
def settings_class(kind: type[Settings]) -> type[Settings]:
    """Declares a class of settings: a frozen dataclass that `read_settings` fills."""
    declared = dataclass(frozen=True)(kind)
    _declared.append(declared)
    return declared


@cache
def read_settings(kind: type[Settings]) -> Settings:
    """The settings of this class, filled from the environment: the field `amqp_uri` is read from `AMQP_URI`.

    A field of type Secret, Key or KeySet is read from the file that `AMQP_URI_FILE` names where `AMQP_URI` is not set.
    Fields without a default must be set. Other types: str, int, float, bool (`1`, `true`, `yes`) and tuples of numbers
    separated by commas. In production, secrets that are unfit and addresses that are not encrypted are refused. Raises
    SettingsError. A second call returns the same object.
    """
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for one in settings_of(kind):
        try:
            value = _read(one)
        except SettingsError as error:
            wrong.append(str(error))
            continue
        if value is not None:
            values[one.name] = value
        elif one.is_required:
            wrong.append(f"{one.variable} is not set")
    if is_production():
        wrong += weaknesses((name.upper(), value) for name, value in values.items() if isinstance(value, Secret))
        wrong += _plain_addresses({name.upper(): value for name, value in values.items()})
    if wrong:
        raise SettingsError("Settings in the environment: " + "; ".join(wrong) + ".")
    return kind(**values)


def database_address(variable: str) -> Secret | None:
    """The database's address in a variable, or in the file that `<variable>_FILE` names, for tools that need no other
    setting; None where there is none. Raises SettingsError for one that production refuses.
    """
    address = _secret_text(variable)
    if not address:
        return None
    wrong = [] if _is_database_address(address) else [f"{variable} is no address of PostgreSQL"]
    if is_production():
        wrong += _plain_addresses({variable: address})
    if wrong:
        raise SettingsError("Settings in the environment: " + "; ".join(wrong) + ".")
    return Secret(address)


def check_secrets() -> None:
    """Raises SettingsError in production where a secret is unfit, or used for two purposes.

    It checks all secrets that are set, of all settings classes that this process has imported.
    """
    if not is_production():
        return
    secrets: dict[str, Secret] = {}
    for kind in _declared:
        for one in settings_of(kind):
            if one.of_type in _SECRET and (secret := _read(one)) is not None:
                secrets[one.variable] = secret
    if wrong := weaknesses(secrets.items()):
        raise SettingsError("Settings in the environment: " + "; ".join(wrong) + ".")


def declared() -> list[type[Any]]:
    """All settings classes that this process has imported."""
    return list(_declared)


def settings_of(kind: type[Any]) -> list[Setting]:
    """The fields of a settings class."""
    hints = get_type_hints(kind)
    return [Setting(one.name, hints[one.name], _is_required(one), one.default) for one in fields(kind)]


def is_production() -> bool:
    """Whether this is production, the default where ENVIRONMENT is not set. Raises SettingsError."""
    environment = os.environ.get("ENVIRONMENT", "").strip() or "production"
    if environment not in ENVIRONMENTS:
        raise SettingsError(f"ENVIRONMENT is none of {', '.join(ENVIRONMENTS)}.")
    return environment == "production"


def refuse_production(what: str) -> None:
    """Ends a program for demonstrations and tests where ENVIRONMENT is production. Raises SystemExit."""
    if is_production():
        raise SystemExit(f"{what}: not with ENVIRONMENT=production, which it is when it is not set")


@settings_class
class MessagingSettings:
    """The broker's address, and how messages are retried."""

    amqp_uri: Secret
    heartbeat_seconds: int = 10
    max_workers: int = 16
    retry_delays: tuple[float, ...] = (1, 5, 30, 120, 600)
    attempts_of_unknown_errors: int = 5
    hold_seconds: float = 60
    """How long a message is requeued in place while the database is away, before it moves to a retry queue."""
    publish_seconds: float = 30
    """How long the broker may take to confirm before its connection counts as dead."""
    former_release_until: str = ""
    """Until this moment (ISO 8601 with offset, at most 31 days ahead) messages and requests are taken that name no
    publisher, do not prove whom they name, or bear no signature: those of the release before 2026-11-29, for the
    upgrade from it alone."""

    def __post_init__(self) -> None:
        moment = self._former_until
        if self.former_release_until and (moment is None or moment - datetime.now(UTC) > _LONGEST_UPGRADE):
            raise SettingsError(
                "Settings in the environment: FORMER_RELEASE_UNTIL is no moment with an offset within 31 days."
            )

    @property
    def accepts_former(self) -> bool:
        """Whether messages of the previous release are accepted now."""
        return self._former_until is not None and datetime.now(UTC) < self._former_until

    @cached_property
    def _former_until(self) -> datetime | None:
        try:
            moment = datetime.fromisoformat(self.former_release_until)
        except ValueError:
            return None
        return moment if moment.tzinfo else None


@settings_class
class DatabaseSettings:
    """The address of the service's database, and its time limits."""

    database_url: Secret
    """libpq's address; with several servers (`?host=a,b&port=1,2`) the one that is primary is found."""
    database_direct_url: Secret = Secret("")
    """The address past a pooler of transactions (PgBouncer), where `DATABASE_URL` is the pooler's; the role then has
    the time limits."""
    database_replica_url: Secret = Secret("")
    """The address of one or several standbys, or of a pooler before them, that answer queries which may be some seconds
    old; unless it is set the primary answers all."""
    database_replica_lag_seconds: float = 5
    """How far a standby may be behind; beyond it the primary answers."""
    max_workers: int = 16
    statement_timeout_seconds: float = 30
    lock_timeout_seconds: float = 10

    def __post_init__(self) -> None:
        for variable, address in (
            ("DATABASE_URL", self.database_url),
            ("DATABASE_DIRECT_URL", self.database_direct_url),
            ("DATABASE_REPLICA_URL", self.database_replica_url),
        ):
            if address and not _is_database_address(address):
                raise SettingsError(f"Settings in the environment: {variable} is no address of PostgreSQL.")

    @property
    def is_pooled(self) -> bool:
        """Whether `database_url` is a pooler's: a session may have another connection in each transaction."""
        return bool(self.database_direct_url)

    @property
    def session_limits(self) -> dict[str, str]:
        """The parameters of each session; behind a pooler the role must have them."""
        return {
            "statement_timeout": str(int(self.statement_timeout_seconds * 1000)),
            "lock_timeout": str(int(self.lock_timeout_seconds * 1000)),
            # Parameters differ too much for one generic plan: common or rare names, unions of ten or of a million.
            "plan_cache_mode": "force_custom_plan",
            # Our queries are short: starting parallel workers takes longer than they save.
            "max_parallel_workers_per_gather": "0",
        }

    @property
    def direct_url(self) -> Secret:
        """The address at which a session keeps its connection, for what LISTEN and session locks need."""
        return self.database_direct_url or self.database_url


@settings_class
class ProcessSettings:
    """A process's health endpoint, log, environment and ports."""

    health_host: str = "127.0.0.1"
    health_port: int = -1
    """-1: no health endpoint; 0: any free port, which the log names as `listening`."""
    log_level: str = "INFO"
    release: str = "unknown"
    """The version of the code, as shown to operators."""
    environment: str = "production"
    """`production`, `demo` or `test`; demo secrets and programs are refused in production."""
    allow_plain_connections: bool = False
    """Whether production may connect to other machines without its own TLS, because a mesh or tunnel encrypts."""
    max_workers: int = 16
    stop_seconds: float = 30
    """How long running work may take to finish after SIGTERM."""
    gateway_host: str = "127.0.0.1"
    gateway_port: int = 0
    """Where the gateway's HTTP entrypoints listen; 0: any free port, which the log names as `listening`."""


def _read(one: Setting) -> Any:
    """The value of a setting; None where it is not set. Raises SettingsError, whose text quotes no value."""
    if one.of_type in _SECRET:
        text = _secret_text(one.variable)
        return one.of_type(text) if text else None
    if not _is_set(one.variable):
        return None
    try:
        return _READERS[one.of_type](one.variable)
    except EnvError:
        name = getattr(one.of_type, "__name__", one.of_type)
        raise SettingsError(f"{one.variable} is not a value of type {name}") from None


def _secret_text(variable: str) -> str:
    """The text of a variable, or of the file that `<variable>_FILE` names; empty where neither is set."""
    file_variable = f"{variable}_FILE"
    if not _is_set(file_variable):
        return os.environ.get(variable, "").strip()
    if _is_set(variable):
        raise SettingsError(f"{variable} and {file_variable} are both set")
    try:
        text: str = _FILES.str(variable)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file_variable} cannot be read: {type(error.__cause__ or error).__name__}") from None
    if not text:
        raise SettingsError(f"{file_variable} names an empty file")
    return text


def _is_set(variable: str) -> bool:
    return bool(os.environ.get(variable, "").strip())


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _is_database_address(text: str) -> bool:
    from services.kit.data.database_address import (  # noqa: PLC0415 - the gateway needs no psycopg
        NotADatabaseAddress,
        parameters_of,
    )

    try:
        parameters_of(text)
    except NotADatabaseAddress:
        return False
    return True


def _plain_addresses(values: Mapping[str, Any]) -> list[str]:
    """Errors for unencrypted addresses, by variable; they quote no address."""
    plain = [variable for variable, value in values.items() if isinstance(value, str) and is_unencrypted(value)]
    if not plain or read_settings(ProcessSettings).allow_plain_connections:
        return []
    return [f"{variable} is not encrypted (amqps, https, sslmode=verify-full)" for variable in plain]


_ENVIRONMENT = Env()
_FILES = FileAwareEnv(strip_whitespace=True)
_READERS: dict[Any, Callable[[str], Any]] = {
    str: lambda variable: _ENVIRONMENT.str(variable).strip(),
    int: _ENVIRONMENT.int,
    float: _ENVIRONMENT.float,
    bool: _ENVIRONMENT.bool,
    bool | None: _ENVIRONMENT.bool,
    tuple[float, ...]: lambda variable: tuple(_ENVIRONMENT.list(variable, subcast=float)),
}
