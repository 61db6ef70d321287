from __future__ import annotations

import time
from pathlib import Path

import httpx

from tests.collector.conftest import collector, request, stored_names

HEADERS = {"content-type": "application/x-protobuf"}


def test_everything_is_passed_on(tmp_path: Path) -> None:
    """A collector behind the collector stores the same spans, also those still queued at the end."""
    with collector(tmp_path / "back") as back:
        with collector(tmp_path / "front", "--forward", back.http) as front:
            for number in range(50):
                httpx.post(f"{front.http}/v1/traces", content=request(str(number)).SerializeToString(), headers=HEADERS)
            front.stop()
        assert stored_names(back.directory) == stored_names(front.directory) == [str(n) for n in range(50)]


def test_a_dead_receiver_costs_nothing(tmp_path: Path) -> None:
    """With nobody at the other end every request is answered OK, none waits for a retry, and all are stored."""
    with collector(tmp_path, "--forward", "http://127.0.0.1:9") as front, httpx.Client(headers=HEADERS) as client:
        began = time.monotonic()
        for number in range(100):
            answer = client.post(f"{front.http}/v1/traces", content=request(str(number)).SerializeToString())
            assert answer.status_code == 200
        # A single wait for the dead receiver's retries would take longer than all of this together.
        assert time.monotonic() - began < 15
        assert len(stored_names(front.directory)) == 100
        front.stop()
        assert front.process.returncode == 0
