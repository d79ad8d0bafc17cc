"""The trace context travels with requests and events, and spans reach a collector without any values of errors."""

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import SpanKind

from services.kit.operations.tracing import (
    child_span,
    span,
    trace_headers,
    trace_ids,
    traceparent,
    valid_traceparent,
)

CORRELATION = "0193b7a0-5c1e-7abc-8def-0123456789ab"
SECRET = "310101199001011234"

_PROGRAM = f"""
from services.kit.concurrency import use_green_threads
use_green_threads()
from opentelemetry.trace import SpanKind
from services.kit.operations.tracing import *
configure_tracing("batching", "0.3.0", TracingSettings(otel_exporter_otlp_endpoint="on"))
try:
    with span("batching.submit", SpanKind.SERVER, None, "{CORRELATION}"):
        with child_span("membership.find", SpanKind.CLIENT):
            raise ValueError("{SECRET}")
except ValueError:
    pass
end_tracing()
"""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    received: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Writes nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_new_trace_has_the_correlation_id_as_its_id() -> None:
    with span("work", SpanKind.SERVER, None, CORRELATION):
        assert trace_ids()["trace_id"] == UUID(CORRELATION).hex


@pytest.mark.parametrize("correlation_id", [None, "", "import-7"])
def test_without_a_uuid_a_trace_has_an_id_of_its_own(correlation_id: str | None) -> None:
    with span("work", SpanKind.SERVER, None, correlation_id):
        assert int(trace_ids()["trace_id"], 16)


def test_what_is_sent_within_work_belongs_to_its_trace() -> None:
    with span("HTTP", SpanKind.SERVER, None, CORRELATION), child_span("call", SpanKind.CLIENT):
        sent = trace_headers()
    with span("event", SpanKind.CONSUMER, sent["traceparent"], None):
        assert trace_ids()["trace_id"] == UUID(CORRELATION).hex


def test_outside_of_work_nothing_is_sent_or_logged() -> None:
    assert (traceparent(), trace_headers(), trace_ids()) == (None, {}, {})


@given(st.text() | st.none() | st.integers() | st.binary() | st.lists(st.text()))
def test_what_is_no_trace_context_is_not_taken(received: object) -> None:
    assert valid_traceparent(received) is None


@pytest.mark.parametrize("received", [f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'a' * 32}-{'0' * 16}-01", "00-" + "z" * 52])
def test_ids_that_the_standard_forbids_are_not_taken(received: str) -> None:
    assert valid_traceparent(received) is None


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.sampled_from(("00", "01")))
def test_each_trace_context_that_the_standard_allows_is_taken(trace_id: int, span_id: int, flags: str) -> None:
    context = f"00-{trace_id:032x}-{span_id:016x}-{flags}"
    assert valid_traceparent(context) == context


def test_spans_reach_the_collector_with_the_class_of_an_error_but_not_its_words(
    collector: tuple[str, list[ExportTraceServiceRequest]],
) -> None:
    address, received = collector
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "ENVIRONMENT": "test"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", _PROGRAM], env=environment, check=True, timeout=60)
    [sent] = received
    [of_resource] = sent.resource_spans
    described = {one.key: one.value.string_value for one in of_resource.resource.attributes}
    assert (described["service.name"], described["service.version"]) == ("batching", "0.3.0")
    spans = {one.name: one for one in of_resource.scope_spans[0].spans}
    assert {one.trace_id for one in spans.values()} == {UUID(CORRELATION).bytes}
    assert spans["membership.find"].parent_span_id == spans["batching.submit"].span_id
    failure = {one.key: one.value.string_value for one in spans["batching.submit"].attributes}
    assert failure == {"error.type": "builtins.ValueError"}
    assert SECRET.encode() not in sent.SerializeToString()
