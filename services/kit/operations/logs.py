"""Logs: one JSON object a line on stdout, with the ids of the message or request and trace, without personal data."""

import logging
import sys
import traceback
from typing import Any

import structlog

from services.kit.operations.tracing import trace_ids


def configure_logs(service: str, level: str = "INFO") -> None:
    """Sends structlog's and the standard library's records to stdout as JSON lines that name the service."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _with_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
        _without_values_of_exceptions,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_without_arguments_of_errors)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    # Libraries may log values, SQLAlchemy fetched rows: only our own records below a warning are written.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for our_own in ("services", "gateway", "deploy", "__main__"):
        logging.getLogger(our_own).setLevel(level)


def traceback_without_values(error: BaseException) -> str:
    """The traceback of an error and its causes without their messages, which may quote personal data."""
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(lines) < 200:
        frames = traceback.extract_tb(cause.__traceback__)
        lines += [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        lines.append(class_name(cause))
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(lines)


def class_name(error: BaseException) -> str:
    """The error's class with its module: `sqlalchemy.exc.IntegrityError`."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _with_trace(_logger: Any, _method: str, record: dict[str, Any]) -> dict[str, Any]:
    return {**record, **trace_ids()}


def _named(service: str) -> Any:
    def add_service(_logger: Any, _method: str, record: dict[str, Any]) -> dict[str, Any]:
        record.setdefault("service", service)
        return record

    return add_service


def _without_arguments_of_errors(record: logging.LogRecord) -> bool:
    """Removes exceptions from a library's message, because their texts may quote values; the words around them stay."""
    if record.exc_info:
        record.args = None
    return True


def _without_values_of_exceptions(_logger: Any, _method: str, record: dict[str, Any]) -> dict[str, Any]:
    error = record.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        record["error"] = class_name(error)
        record["traceback"] = traceback_without_values(error)
    return record
