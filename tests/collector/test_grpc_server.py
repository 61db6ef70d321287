from __future__ import annotations

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.collector.conftest import Collector, request, stored_names


def stub(running: Collector) -> TraceServiceStub:
    return TraceServiceStub(grpc.insecure_channel(running.grpc, options=[("grpc.max_send_message_length", -1)]))


def test_an_sdk_exports_over_grpc(running: Collector) -> None:
    """The Python SDK's gRPC exporter with gzip gets its spans stored."""
    provider = TracerProvider()
    exporter = OTLPSpanExporter(running.grpc, insecure=True, compression=grpc.Compression.Gzip)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("outer"):
        pass
    provider.shutdown()
    assert stored_names(running.directory) == ["outer"]


@pytest.mark.parametrize("compression", list(grpc.Compression))
def test_every_grpc_compression_is_taken(running: Collector, compression: grpc.Compression) -> None:
    """Identity, deflate and gzip."""
    stub(running).Export(request("a", "b"), compression=compression)
    assert stored_names(running.directory) == ["a", "b"]


def test_partial_success_over_grpc(running: Collector) -> None:
    """A span without ids is rejected by number, the call itself succeeds."""
    assert stub(running).Export(request("bad", span_id=b"")).partial_success.rejected_spans == 1


def test_too_large_is_resource_exhausted(running: Collector) -> None:
    """Over 64 MiB: the code that OTLP names, and the next request is taken."""
    with pytest.raises(grpc.RpcError) as refused:
        stub(running).Export(request("x" * (64 * 2**20)))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    stub(running).Export(request("next"))
    assert stored_names(running.directory) == ["next"]


def test_malformed_is_invalid_argument(running: Collector) -> None:
    """Bytes that are no request get a code that tells the client not to repeat them."""
    with grpc.insecure_channel(running.grpc) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")(b"\xff\xff\xff")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_metrics_over_grpc_are_taken_and_dropped(running: Collector) -> None:
    """A metrics exporter is answered OK."""
    MetricsServiceStub(grpc.insecure_channel(running.grpc)).Export(ExportMetricsServiceRequest())
