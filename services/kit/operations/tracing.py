"""Traces: W3C trace context through HTTP, requests, events and the bank's messages, and spans by OpenTelemetry.

A trace that begins in the system has its correlation id as its id: one number finds logs, events and trace.
Spans are recorded only where OTEL_EXPORTER_OTLP_ENDPOINT is set; the context travels always.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from uuid_utils import uuid7

from services.kit.settings import settings_class

TRACEPARENT = "traceparent"
"""The name of the trace context: as an HTTP and AMQP header, as a field of requests, as an attribute of events."""

_first_id: ContextVar[str | None] = ContextVar("first_id", default=None)

_PROPAGATOR = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("union-card-services")
_LONGEST = 55
"""Characters of a traceparent of version 00."""


@settings_class
class TracingSettings:
    """Where spans are sent. The other OTEL_… variables of OpenTelemetry's SDK apply too."""

    otel_exporter_otlp_endpoint: str = ""
    """The OTLP/HTTP address of a collector, such as `https://collector:4318`; empty: no spans are recorded."""


def configure_tracing(service: str, release: str, settings: TracingSettings) -> None:
    """Records spans of this process and sends them to the collector that the settings name; without one does nothing.

    OpenTelemetry's SDK is imported only then: it takes ten megabytes.
    """
    if settings.otel_exporter_otlp_endpoint:
        import_module("services.kit.operations.span_export").record_spans(service, release)


@contextmanager
def span(
    name: str,
    kind: SpanKind,
    parent: str | None,
    correlation_id: str | None,
    linked: Sequence[str] = (),
) -> Iterator[Span]:
    """Does the work within a span of the trace that `parent`, a traceparent, names, else of a new one with this id.
    It is linked to the traces of `linked`.

    An error ends the span as failed, with its class; its message and traceback, which may quote values, are not kept.
    """
    context = _context_within(parent, correlation_id)
    links = [Link(trace.get_current_span(_context_of(other)).get_span_context()) for other in linked]
    with _TRACER.start_as_current_span(
        name, context, kind, links=links, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            failed(current, error)
            raise


@contextmanager
def within_trace(parent: str | None, correlation_id: str | None) -> Iterator[None]:
    """Logs and sends within the trace that `span` would take, without a span: for what is said of other work."""
    token = attach(_context_within(parent, correlation_id))
    try:
        yield
    finally:
        detach(token)


def child_span(name: str, kind: SpanKind) -> AbstractContextManager[Span]:
    """A context manager: does the work within a span of the trace at hand."""
    return _TRACER.start_as_current_span(name, kind=kind, record_exception=False, set_status_on_exception=False)


def end_tracing() -> None:
    """Sends the spans that wait; to be called before the process ends."""
    provider = trace.get_tracer_provider()
    if hasattr(provider, "shutdown"):
        provider.shutdown()


def failed(current: Span, error: BaseException) -> None:
    """Marks the span as failed by this class of error."""
    current.set_attribute("error.type", f"{type(error).__module__}.{type(error).__qualname__}")
    current.set_status(Status(StatusCode.ERROR))


def traceparent() -> str | None:
    """The trace context at hand for a message that is sent now; None outside of any work."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(TRACEPARENT)


def trace_headers() -> dict[str, str]:
    """The headers of a message that is sent now: its trace context, if there is one."""
    at_hand = traceparent()
    return {TRACEPARENT: at_hand} if at_hand else {}


def trace_ids() -> dict[str, str]:
    """The ids of the trace and span at hand, as logs name them; empty outside of any work."""
    at_hand = trace.get_current_span().get_span_context()
    if not at_hand.is_valid:
        return {}
    return {"trace_id": f"{at_hand.trace_id:032x}", "span_id": f"{at_hand.span_id:016x}"}


def valid_traceparent(text: Any) -> str | None:
    """A traceparent from outside; None unless it is a valid one of version 00."""
    if not isinstance(text, str) or len(text) != _LONGEST or _context_of(text) is None:
        return None
    return text


def new_trace_id() -> int:
    """The id of the trace that begins now: its correlation id, if that is a UUID."""
    try:
        return UUID(_first_id.get() or "").int or uuid7().int
    except ValueError:
        return uuid7().int


def _context_within(parent: str | None, correlation_id: str | None) -> Context:
    _first_id.set(correlation_id)
    return _context_of(parent) or _new_trace()


def _context_of(parent: str | None) -> Context | None:
    if parent is None:
        return None
    context = _PROPAGATOR.extract({TRACEPARENT: parent}, Context())
    return context if trace.get_current_span(context).get_span_context().is_valid else None


def _new_trace() -> Context:
    """A context without a parent; where no spans are recorded, one whose ids travel nevertheless."""
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return Context()
    ids = SpanContext(new_trace_id(), random.getrandbits(64) | 1, is_remote=False)
    return trace.set_span_in_context(NonRecordingSpan(ids), Context())
