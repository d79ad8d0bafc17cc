"""Sends recorded spans to a collector by OTLP over HTTP; imported only where one is set."""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from services.kit.operations.tracing import new_trace_id


def record_spans(service: str, release: str) -> None:
    """Records all spans of this process from now on; address, headers and sampling are the OTEL_… variables."""
    resource = Resource.create({"service.name": service, "service.version": release})
    provider = TracerProvider(resource=resource, id_generator=_CorrelationIds())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


class _CorrelationIds(RandomIdGenerator):
    def generate_trace_id(self) -> int:
        """The correlation id as the id of a new trace."""
        return new_trace_id()
