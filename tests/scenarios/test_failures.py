"""What the generator's spans call a failure, with real sockets that fail in each way."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

ONE_REQUEST = """
import json, sys
from locust.event import EventHook
from scenarios.tracing import TracedSession, start_tracing

spans = []
start_tracing("locust", spans.append)
session = TracedSession(sys.argv[1], request_event=EventHook(), user=None, network_timeout=0.5, connection_timeout=0.5)
session.post("/checkout", json={})
[span] = spans
print(json.dumps(["ERROR" if span.error else "OK", span.attributes.get("error.type"),
                  span.attributes.get("http.response.status_code")]))
"""

HALF_AN_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"


def requested(url: str) -> list[object]:
    """Status, error.type and http.response.status_code of the span of one request."""
    ran = subprocess.run(
        [sys.executable, "-c", ONE_REQUEST, url], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return list(json.loads(ran.stdout.splitlines()[-1]))


@contextmanager
def failing_server(answer: bytes, *, then: str) -> Iterator[str]:
    """Reads a request, answers, and then closes, resets or says nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)
                if then == "hang":
                    connection.recv(1)
                elif then == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("answer", "then", "error", "status"),
    [
        (b"", "close", "RemoteDisconnected", None),
        (b"", "reset", "ConnectionResetError", None),
        (b"", "hang", "TimeoutError", None),
        (HALF_AN_ANSWER, "close", "IncompleteRead", 200),
        (b"HTTP/1.1 503 Nope\r\ncontent-length: 0\r\n\r\n", "close", "503", 503),
    ],
)
def test_failures_are_told_apart(answer: bytes, then: str, error: str, status: int | None) -> None:
    """No answer, half of one, none in time, a bad one: each has its own error.type."""
    with failing_server(answer, then=then) as url:
        assert requested(url) == ["ERROR", error, status]


def test_a_refused_connection_is_named_so() -> None:
    """Nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert requested(f"http://127.0.0.1:{port}") == ["ERROR", "ConnectionRefusedError", None]
