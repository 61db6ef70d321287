"""Feeling a link: one short conversation through it in the protocol of what stands behind it.

A `Probe` knows only bytes: how to greet, what to ask, and when the answer is complete. `exchange` carries a
conversation over a fresh connection and says how it went and how long it took.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

__all__ = ["PROBES", "Exchange", "HttpProbe", "NatsProbe", "PostgresProbe", "Probe", "RedisProbe", "exchange"]

Outcome = Literal["answered", "refused", "reset", "closed", "silent"]

CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Exchange:
    """How one conversation went. Times are milliseconds; null where it did not get that far."""

    outcome: Outcome
    ended_ms: float  # from connecting to the outcome
    answer_ms: float | None = None  # from sending the question to the last byte of the answer
    close_ms: float | None = None  # from our half-close to the end of the connection
    greeting_bytes: int = 0
    sent_bytes: int = 0  # of the question
    received_bytes: int = 0  # of the answer


class Probe(Protocol):
    """The bytes of one protocol."""

    @property
    def greeting(self) -> bytes:
        """What the server says first must contain this; empty when it waits to be asked."""

    def question(self, volume_bytes: int) -> tuple[bytes, Callable[[bytes], bool]]:
        """A question of which about this much flows each way, and whether what came since is all of the answer."""


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """`GET` of a path; larger volumes are several of them on one connection."""

    path: str = "/healthz"
    host: str = "probe"
    greeting: bytes = b""

    def question(self, volume_bytes: int) -> tuple[bytes, Callable[[bytes], bool]]:
        one = f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nUser-Agent: tracegap-probe\r\n\r\n".encode()
        count = _times(volume_bytes, one)
        return one * count, lambda answer: _http_answers(answer) >= count


_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", re.IGNORECASE)


def _http_answers(received: bytes) -> int:
    """Complete answers in a row; only such with a Content-Length count."""
    count = position = 0
    while (end := received.find(b"\r\n\r\n", position)) >= 0:
        length = _LENGTH.search(received, position, end + 2)
        position = end + 4 + (int(length[1]) if length else 0)
        if position > len(received):
            break
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class RedisProbe:
    """`PING`."""

    greeting: bytes = b""

    def question(self, volume_bytes: int) -> tuple[bytes, Callable[[bytes], bool]]:
        count = _times(volume_bytes, b"PING\r\n")
        return b"PING\r\n" * count, lambda answer: answer.count(b"\r\n") >= count


@dataclass(frozen=True, slots=True)
class NatsProbe:
    """`PING` after the server's `INFO`."""

    greeting: bytes = b"\r\n"

    def question(self, volume_bytes: int) -> tuple[bytes, Callable[[bytes], bool]]:
        count = _times(volume_bytes, b"PING\r\n")
        hello = b'CONNECT {"verbose":false,"pedantic":false,"name":"tracegap-probe"}\r\n'
        return hello + b"PING\r\n" * count, lambda answer: answer.count(b"PONG\r\n") >= count


@dataclass(frozen=True, slots=True)
class PostgresProbe:
    """A session and a query of any volume, for a user that needs no password; otherwise the refusal is the answer."""

    user: str = "postgres"
    database: str = "postgres"
    greeting: bytes = b""

    def question(self, volume_bytes: int) -> tuple[bytes, Callable[[bytes], bool]]:
        words = ("user", self.user, "database", self.database, "application_name", "tracegap-probe")
        startup = b"".join(word.encode() + b"\0" for word in words) + b"\0"
        startup = struct.pack("!II", len(startup) + 8, 3 << 16) + startup
        # The same volume both ways: a comment of it in the question, a string of it in the answer.
        query = f"SELECT repeat('x', {volume_bytes}) -- {'x' * volume_bytes}".encode() + b"\0"
        return startup + b"Q" + struct.pack("!I", len(query) + 4) + query, _postgres_answered


def _postgres_answered(received: bytes) -> bool:
    """Ready for a query twice (after the login, after the query), or an error, or a demand for a password."""
    ready = position = 0
    while position + 5 <= len(received):
        kind, length = received[position : position + 1], struct.unpack_from("!I", received, position + 1)[0]
        if position + 1 + length > len(received):
            return False
        if kind == b"E" or (kind == b"R" and received[position + 5 : position + 9] != b"\0\0\0\0"):
            return True
        ready += kind == b"Z"
        position += 1 + length
    return ready >= 2


PROBES: Mapping[str, Probe] = MappingProxyType(
    {"http": HttpProbe(), "redis": RedisProbe(), "nats": NatsProbe(), "postgres": PostgresProbe()}
)
"""A probe for each protocol that needs no settings."""


def _times(volume_bytes: int, one: bytes) -> int:
    return max(1, -(-volume_bytes // len(one)))


def exchange(
    address: tuple[str, int],
    probe: Probe,
    *,
    volume_bytes: int = 1,
    deadline_s: float = 2.0,
    until_closed: bool = False,
) -> Exchange:
    """Connect, ask, read the answer; with `until_closed` also stop writing and wait for the other side's end.

    Never raises for what a broken link does: that is the outcome. `silent` is a deadline that passed.
    """
    talk = _Talk(time.monotonic(), deadline_s)
    try:
        with socket.create_connection(address, deadline_s) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return talk.run(connection, probe, volume_bytes, until_closed=until_closed)
    except ConnectionRefusedError:
        return talk.ended("refused")
    except TimeoutError:
        return talk.ended("silent")
    except _Closed:
        return talk.ended("closed")
    except OSError:
        return talk.ended("reset")


class _Closed(Exception):
    """The other side ended the connection before the answer was complete."""


class _Talk:
    """One conversation's clock and counts."""

    def __init__(self, start_s: float, deadline_s: float) -> None:
        self._start_s = start_s
        self._deadline_s = start_s + deadline_s
        self._greeting_bytes = 0
        self._sent_bytes = 0
        self._received_bytes = 0

    def run(self, connection: socket.socket, probe: Probe, volume_bytes: int, *, until_closed: bool) -> Exchange:
        if probe.greeting:
            self._read(connection, lambda said: probe.greeting in said)
            self._greeting_bytes, self._received_bytes = self._received_bytes, 0
        question, complete = probe.question(volume_bytes)
        asked_s = time.monotonic()
        self._write(connection, question)
        self._read(connection, complete)
        answer_ms = (time.monotonic() - asked_s) * 1e3
        if not until_closed:
            return self.ended("answered", answer_ms)
        closing_s = time.monotonic()
        connection.shutdown(socket.SHUT_WR)
        try:
            self._read(connection, lambda said: False)
        except (_Closed, ConnectionResetError):
            return self.ended("answered", answer_ms, (time.monotonic() - closing_s) * 1e3)
        raise AssertionError("reading until the end came back without one")

    def ended(self, outcome: Outcome, answer_ms: float | None = None, close_ms: float | None = None) -> Exchange:
        ended_ms = (time.monotonic() - self._start_s) * 1e3
        counts = self._greeting_bytes, self._sent_bytes, self._received_bytes
        return Exchange(outcome, ended_ms, answer_ms, close_ms, *counts)

    def _write(self, connection: socket.socket, data: bytes) -> None:
        view = memoryview(data)
        while view:
            connection.settimeout(self._left_s())
            sent = connection.send(view[:CHUNK_BYTES])
            self._sent_bytes += sent
            view = view[sent:]

    def _read(self, connection: socket.socket, complete: Callable[[bytes], bool]) -> None:
        received = bytearray()
        while True:
            connection.settimeout(self._left_s())
            chunk = connection.recv(CHUNK_BYTES)
            if not chunk:
                raise _Closed
            received += chunk
            self._received_bytes += len(chunk)
            if complete(bytes(received)):
                return

    def _left_s(self) -> float:
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s
