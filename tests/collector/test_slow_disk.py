from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import psutil
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests.collector.conftest import Collector, collector, request, stored_names

SLOW_WRITES = """
import os, time
import collector.frames
write = os.writev
def slowly(*arguments):
    time.sleep(0.02)
    return write(*arguments)
os.writev = slowly
from collector.__main__ import main
main()
"""
SENDERS = 10
REQUESTS = 15
REQUEST_BYTES = 1 << 20


def _send(running: Collector, sender: int) -> None:
    """Over HTTP or gRPC, one request after another, as an SDK's exporter does."""
    messages = (request(f"{sender}-{number} ".ljust(REQUEST_BYTES, "x")) for number in range(REQUESTS))
    if sender % 2:
        with httpx.Client(timeout=60, headers={"content-type": "application/x-protobuf"}) as client:
            for message in messages:
                client.post(f"{running.http}/v1/traces", content=message.SerializeToString()).raise_for_status()
    else:
        with grpc.insecure_channel(running.grpc) as channel:
            for message in messages:
                TraceServiceStub(channel).Export(message, timeout=60)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident memory is counted in another way")
def test_senders_wait_for_a_slow_disk_and_nothing_piles_up(tmp_path: Path) -> None:
    """150 MB from ten senders onto a disk that takes 20 ms a write: all of it stored, little of it ever in memory."""
    with collector(tmp_path, program=("-c", SLOW_WRITES)) as running:
        process = psutil.Process(running.process.pid)
        before = process.memory_info().rss
        with ThreadPoolExecutor(SENDERS + 1) as threads:
            sending = [threads.submit(_send, running, sender) for sender in range(SENDERS)]
            most = before
            while not all(each.done() for each in sending):
                most = max(most, process.memory_info().rss)
            for each in sending:
                each.result()
        assert len(stored_names(tmp_path)) == SENDERS * REQUESTS
    # Each sender has one request under way, which may be there twice: as it came in, and whole.
    assert most - before < 4 * SENDERS * REQUEST_BYTES
