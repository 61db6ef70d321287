"""Is a part ready? One short conversation in the part's own protocol, never a sleep."""

from __future__ import annotations

import http.client
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Probe", "http_probe", "line_probe", "nats_probe", "postgres_probe", "redis_probe"]

TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks once whether a part is ready."""

    what: str  # for the message when it never is
    ask: Callable[[], bool]

    def ready(self) -> bool:
        """False also when nothing listens yet, or what listens breaks off."""
        try:
            return self.ask()
        except (OSError, http.client.HTTPException):
            return False


def http_probe(host: str, port: int, path: str) -> Probe:
    def ask() -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        finally:
            connection.close()

    return Probe(f"http://{host}:{port}{path} to answer 200", ask)


def redis_probe(host: str, port: int) -> Probe:
    return Probe(f"redis at {host}:{port} to answer PING", lambda: _exchange(host, port, b"PING\r\n") == b"+")


def nats_probe(host: str, port: int) -> Probe:
    return Probe(f"nats at {host}:{port} to greet with INFO", lambda: _exchange(host, port, b"") == b"I")


def postgres_probe(host: str, port: int, user: str, database: str) -> Probe:
    """It grants a session ('R') only when it takes them; before that it sends an error."""
    parameters = b"".join(word.encode() + b"\0" for word in ("user", user, "database", database)) + b"\0"
    startup = struct.pack("!II", len(parameters) + 8, 3 << 16) + parameters  # protocol 3.0
    return Probe(
        f"postgres at {host}:{port} to take sessions for {database!r}", lambda: _exchange(host, port, startup) == b"R"
    )


def line_probe(log: Path, word: str) -> Probe:
    """A part that prints a line that begins with this word when it is ready."""

    def ask() -> bool:
        return any(line.split(maxsplit=1)[:1] == [word] for line in log.read_text(errors="replace").splitlines())

    return Probe(f"{word!r} in {log}", ask)


def _exchange(host: str, port: int, message: bytes) -> bytes:
    """The first byte of the answer."""
    with socket.create_connection((host, port), TIMEOUT_S) as connection:
        if message:
            connection.sendall(message)
        return connection.recv(1)
