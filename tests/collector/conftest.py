"""A real collector process for each test, on free ports."""

from __future__ import annotations

import contextlib
import resource
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Collector:
    process: subprocess.Popen[str]
    grpc: str
    http: str
    directory: Path

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@contextlib.contextmanager
def collector(
    directory: Path,
    *arguments: str,
    program: Sequence[str] = ("-m", "collector"),
    file_limit: int | None = None,
) -> Iterator[Collector]:
    """Any `program` of Python that takes the collector's options and prints its line when it is ready."""

    def limit() -> None:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    command = [sys.executable, *program, "-o", str(directory), "--grpc-port", "0", "--http-port", "0"]
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("ready "), process.stderr.read() if process.stderr else ""
            grpc, http = (word.partition("=")[2] for word in line.split()[1:])
            yield Collector(process, grpc, f"http://{http}", directory)
        finally:
            process.kill()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Collector]:
    with collector(tmp_path / "otlp") as started:
        yield started


def frames(path: Path) -> list[bytes]:
    """Whole frames of one file; a last one that is cut short is left out."""
    data = path.read_bytes()
    found, at = [], 0
    while at + 4 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 4 + length > len(data):
            break
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def stored_names(directory: Path) -> list[str]:
    """Names of all spans on disk, in order."""
    return [
        span.name
        for path in sorted(directory.glob("traces-*.binpb"))
        for body in frames(path)
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource_spans.scope_spans
        for span in scope.spans
    ]


def request(*names: str, trace_id: bytes = b"t" * 16, span_id: bytes = b"s" * 8) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    for name in names:
        scope.spans.add(trace_id=trace_id, span_id=span_id, name=name, start_time_unix_nano=1, end_time_unix_nano=2)
    return message
