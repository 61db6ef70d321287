"""The relay that drops the first connections, and carries the later ones faithfully."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from faults.gate import Gate
from tests.faults.test_probe import listening


@contextmanager
def gate(upstream: tuple[str, int], drop: int) -> Iterator[tuple[tuple[str, int], list[int]]]:
    dropped: list[int] = []
    with Gate(upstream, drop, dropped.append) as address:
        host, _, port = address.rpartition(":")
        yield (host, int(port)), dropped


def test_resets_the_first_and_relays_the_rest() -> None:
    """Two connections are reset; the third reaches the upstream with its half-close, and gets all of the answer."""
    answer = bytes(range(256)) * 20_000

    def serve(connection: socket.socket) -> None:
        question = b""
        while chunk := connection.recv(65536):  # until the client's half-close
            question += chunk
        connection.sendall(question + answer)

    with listening(serve) as upstream, gate(upstream, drop=2) as (address, dropped):
        for _ in range(2):
            with pytest.raises(ConnectionResetError), socket.create_connection(address, 5) as connection:
                connection.recv(1)
        with socket.create_connection(address, 5) as connection:
            connection.sendall(b"question")
            connection.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received == b"question" + answer
    assert dropped == [1, 2]


def test_an_upstream_that_refuses_looks_like_a_reset() -> None:
    """Nobody behind the gate: the connection ends, it does not hang."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = listener.getsockname()
    with (
        gate(nobody, drop=0) as (address, _),
        pytest.raises(ConnectionResetError),  # as early as in connecting
        socket.create_connection(address, 5) as connection,
    ):
        connection.recv(1)


def test_stopping_closes_what_is_open() -> None:
    """A relayed connection ends with the gate, and the port is free again."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"!")
        connection.recv(1)

    with listening(serve) as upstream:
        with gate(upstream, drop=0) as (address, _):
            connection = socket.create_connection(address, 5)
            assert connection.recv(1) == b"!"
        with connection:
            connection.settimeout(5)
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, 5)
