"""Typed settings, read from the environment once; what is missing or wrong is named in one error."""

import os
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from typing import Any, TypeVar, get_type_hints

Settings = TypeVar("Settings")


class SettingsError(RuntimeError):
    """Environment variables are missing or cannot be read; the message names all of them."""


@cache
def read_settings(kind: type[Settings]) -> Settings:
    """The frozen dataclass `kind`, filled from the environment: the field `amqp_uri` is read from `AMQP_URI`.

    Fields without a default must be set. Types: str, int, float, bool (`1`, `true`, `yes`) and tuples of numbers
    written with commas. Raises SettingsError. A second call answers the same object.
    """
    values: dict[str, Any] = {}
    wrong: list[str] = []
    hints = get_type_hints(kind)
    for field in fields(kind):  # type: ignore[arg-type]
        variable = field.name.upper()
        text = os.environ.get(variable, "").strip()
        if not text:
            if _is_required(field):
                wrong.append(f"{variable} is not set")
            continue
        try:
            values[field.name] = _PARSERS[hints[field.name]](text)
        except ValueError:
            wrong.append(f"{variable} is not a value of type {hints[field.name]}")
    if wrong:
        raise SettingsError("Settings in the environment: " + "; ".join(wrong) + ".")
    return kind(**values)


@dataclass(frozen=True)
class MessagingSettings:
    """Where the broker is and how messages are tried again."""

    amqp_uri: str
    heartbeat_seconds: int = 10
    max_workers: int = 16
    retry_delays: tuple[float, ...] = (1, 5, 30, 120, 600)
    attempts_of_unknown_errors: int = 5
    hold_seconds: float = 60
    """How long a message is held back in place while the database is away before it moves to a retry queue."""
    publish_seconds: float = 30
    """How long the broker may take to confirm before the connection to it counts as dead."""
    inbox_days: int = 30


@dataclass(frozen=True)
class DatabaseSettings:
    """Where the service's database is, and how long it may take."""

    database_url: str
    max_workers: int = 16
    statement_timeout_seconds: float = 30
    lock_timeout_seconds: float = 10


@dataclass(frozen=True)
class ProcessSettings:
    """How a process shows itself to who runs it."""

    health_host: str = "127.0.0.1"
    health_port: int = 0
    """0: no health endpoint."""
    log_level: str = "INFO"
    max_workers: int = 16
    stop_seconds: float = 30
    """How long what runs may take to finish after SIGTERM."""
    gateway_host: str = "127.0.0.1"
    gateway_port: int = 0
    """Where the gateway's HTTP entrypoints listen."""


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _boolean(text: str) -> bool:
    answers = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in answers:
        raise ValueError(text)
    return answers[text.lower()]


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


_PARSERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: float,
    bool: _boolean,
    tuple[float, ...]: _numbers,
}
