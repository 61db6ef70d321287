from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests.collector.conftest import Collector, collector, request, stored_names


@contextlib.contextmanager
def _over_http(running: Collector) -> Iterator[Callable[[str], None]]:
    with httpx.Client(headers={"content-type": "application/x-protobuf"}) as client:

        def send(name: str) -> None:
            client.post(f"{running.http}/v1/traces", content=request(name).SerializeToString()).raise_for_status()

        yield send


@contextlib.contextmanager
def _over_grpc(running: Collector) -> Iterator[Callable[[str], None]]:
    with grpc.insecure_channel(running.grpc) as channel:
        stub = TraceServiceStub(channel)

        def send(name: str) -> None:
            stub.Export(request(name), timeout=2)

        yield send


def _await_first(acknowledged: list[str]) -> None:
    deadline = time.monotonic() + 30
    while not acknowledged and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.mark.parametrize("moment", range(20))
def test_no_acknowledged_span_is_lost_by_sigkill(tmp_path: Path, moment: int) -> None:
    """Four senders at work, the collector killed at another moment each time: all that was answered OK is on disk."""
    acknowledged: list[str] = []
    with collector(tmp_path) as running:

        def work(sender: int) -> None:
            over = _over_http if sender % 2 else _over_grpc
            # The kill ends the sending.
            with contextlib.suppress(httpx.HTTPError, grpc.RpcError), over(running) as send:
                for number in range(100_000):
                    send(f"{sender}-{number}")
                    acknowledged.append(f"{sender}-{number}")

        threads = [threading.Thread(target=work, args=(sender,)) for sender in range(4)]
        for thread in threads:
            thread.start()
        _await_first(acknowledged)
        time.sleep(moment * 0.013)
        running.process.kill()
        for thread in threads:
            thread.join(20)
    stored = stored_names(tmp_path)
    assert set(acknowledged) <= set(stored)
    assert len(stored) <= len(set(acknowledged)) + len(threads)  # at most one unanswered request a sender
    assert acknowledged


def test_a_full_disk_is_refused_and_what_is_stored_stays_readable(tmp_path: Path) -> None:
    """No room: 503 and UNAVAILABLE with the reason (both mean "try again"), and no half frame on disk."""
    with collector(tmp_path, file_limit=1000) as running, _over_http(running) as send:
        send("fits")
        body = request("x" * 2000).SerializeToString()
        refused = httpx.post(
            f"{running.http}/v1/traces", content=body, headers={"content-type": "application/x-protobuf"}
        )
        assert refused.status_code == 503
        assert "File too large" in refused.text
        with _over_grpc(running) as send_grpc, pytest.raises(grpc.RpcError) as error:
            send_grpc("x" * 2000)
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        send("fits too")
    assert stored_names(tmp_path) == ["fits", "fits too"]


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    """Exit code 0, the ports free again."""
    with collector(tmp_path) as running:
        running.stop()
        assert running.process.returncode == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(running.http)


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    """The second collector on the same port says so and ends."""
    with collector(tmp_path / "a") as running:
        port = running.http.rpartition(":")[2]
        with (
            pytest.raises(AssertionError, match=f"cannot listen on 127.0.0.1:{port}"),
            collector(tmp_path / "b", "--http-port", port),
        ):
            pass
