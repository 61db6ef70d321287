"""Probes talk to the real servers, and say how a conversation ended."""

from __future__ import annotations

import shutil
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults.probe import PROBES, HttpProbe, exchange
from tracegap.stack import servers
from tracegap.stack.description import LINKS
from tracegap.stack.ports import reserve_port
from tracegap.stack.supervisor import Supervisor

READY_S = 30.0


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """PostgreSQL, Redis and NATS, each ready; protocol to port."""
    data = servers.make_data_directory()
    found = {name: reserve_port() for name in ("postgres", "redis", "nats")}
    try:
        with Supervisor(tmp_path_factory.mktemp("logs")) as supervisor:
            supervisor.start(servers.redis(data, found["redis"]))
            supervisor.start(servers.nats(data, found["nats"]))
            supervisor.start(servers.initdb(data))
            assert supervisor.wait("initdb", READY_S) == 0
            supervisor.start(servers.postgres(data, found["postgres"]))
            for name, port in found.items():
                deadline = time.monotonic() + READY_S
                while exchange(("127.0.0.1", port), PROBES[name]).outcome != "answered":
                    assert time.monotonic() < deadline, name
                    time.sleep(0.05)
            yield found
    finally:
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """An address whose first connection is given to `serve`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()
        thread.join(5)


def test_there_is_a_probe_for_every_link_of_the_shop() -> None:
    """Whatever the stack's description says a link speaks, a probe speaks too."""
    assert {link.protocol for link in LINKS} <= PROBES.keys()


@pytest.mark.parametrize("protocol", ["postgres", "redis", "nats"])
def test_the_real_server_answers(protocol: str, ports: dict[str, int]) -> None:
    """One conversation with the real server is answered, and it ends when we end it."""
    answer = exchange(("127.0.0.1", ports[protocol]), PROBES[protocol], until_closed=True)
    assert answer.outcome == "answered"
    assert answer.answer_ms is not None
    assert answer.close_ms is not None


@pytest.mark.parametrize("protocol", ["postgres", "redis", "nats"])
def test_a_volume_flows_both_ways(protocol: str, ports: dict[str, int]) -> None:
    """Asked for 20,000 bytes, at least so many are sent and received: what bandwidth and limits are felt by."""
    answer = exchange(("127.0.0.1", ports[protocol]), PROBES[protocol], volume_bytes=20_000)
    assert answer.outcome == "answered"
    assert answer.sent_bytes >= 20_000
    assert answer.received_bytes >= 20_000


def test_a_database_that_refuses_the_user_has_answered(ports: dict[str, int]) -> None:
    """A link to a database that does not know us works all the same."""
    probe = type(PROBES["postgres"])(user="nobody-of-that-name")
    assert exchange(("127.0.0.1", ports["postgres"]), probe).outcome == "answered"


def test_a_database_that_wants_a_password_has_answered() -> None:
    """So does one that asks for a password: it is not waited for until the deadline."""
    demand = b"R" + struct.pack("!II", 8, 3)

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(demand)
        connection.recv(4096)

    with listening(serve) as address:
        assert exchange(address, PROBES["postgres"], deadline_s=5).outcome == "answered"


def reset(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("serve", "outcome"),
    [
        (lambda connection: connection.recv(4096), "closed"),
        (lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), "closed"),
        (reset, "reset"),
        (lambda connection: (connection.recv(4096), connection.recv(4096)), "silent"),
    ],
    ids=["closed without an answer", "closed in the middle", "reset", "silent"],
)
def test_says_how_it_ended(serve: Callable[[socket.socket], None], outcome: str) -> None:
    """No broken conversation raises; each kind of end has its name."""
    with listening(serve) as address:
        assert exchange(address, HttpProbe(), deadline_s=0.5).outcome in {
            outcome,
            "reset" if outcome == "closed" else outcome,
        }


def test_a_port_where_nobody_listens_refuses() -> None:
    """The outcome is `refused`, not an exception."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    assert exchange(address, HttpProbe()).outcome == "refused"


def test_several_answers_are_told_apart_by_their_lengths(tmp_path: Path) -> None:
    """Answers in one piece or byte by byte: complete when the last body is."""
    one = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\r\n\r\n"
    question, complete = HttpProbe().question(volume_bytes=200)
    count = question.count(b"GET ")
    assert count > 1
    whole = one * count
    assert [complete(whole[:end]) for end in range(len(whole) + 1)].index(True) == len(whole)
