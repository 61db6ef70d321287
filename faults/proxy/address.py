"""Addresses as Go reads and writes them: `host:port`, `[v6]:port`, service names, and the wording of its errors."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import os
import socket
from dataclasses import dataclass

from faults.proxy.errors import AddressError

__all__ = [
    "BACKLOG",
    "Address",
    "bound_address",
    "listening_socket",
    "literal",
    "resolve",
    "resolve_listen",
    "set_stream_options",
    "split_host_port",
]

LOOPBACK = "127.0.0.1"
BACKLOG = 4096
KEEPALIVE_S = 15
MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """A numeric IP address and port."""

    ip: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.ip else socket.AF_INET

    @property
    def is_wildcard(self) -> bool:
        return self.ip in ("0.0.0.0", "::")

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


def split_host_port(text: str) -> tuple[str, str]:
    """Host and port of `host:port`, `:port` or `[v6]:port`."""
    colon = text.rfind(":")
    if colon < 0:
        raise AddressError(f"address {text}: missing port in address")
    if text.startswith("["):
        end = text.find("]")
        if end < 0:
            raise AddressError(f"address {text}: missing ']' in address")
        if end + 1 == len(text):
            raise AddressError(f"address {text}: missing port in address")
        if end + 1 != colon:
            reason = "too many colons in address" if text[end + 1] == ":" else "missing port in address"
            raise AddressError(f"address {text}: {reason}")
        host, brackets_from = text[1:end], end + 1
    else:
        host, brackets_from = text[:colon], 0
        if ":" in host:
            raise AddressError(f"address {text}: too many colons in address")
    inner = text[1:] if text.startswith("[") else text
    if "[" in inner:
        raise AddressError(f"address {text}: unexpected '[' in address")
    if "]" in text[brackets_from:]:
        raise AddressError(f"address {text}: unexpected ']' in address")
    return host, text[colon + 1 :]


def _port_number(text: str) -> int:
    if not text:
        return 0
    try:
        port = int(text)
    except ValueError:
        try:
            return socket.getservbyname(text, "tcp")
        except (OSError, ValueError):
            raise AddressError(f"lookup tcp/{text}: unknown port") from None
    if not 0 <= port <= MAX_PORT:
        raise AddressError(f"address {text}: invalid port")
    return port


@functools.lru_cache(maxsize=1024)
def literal(text: str) -> Address | None:
    """The address when it needs no name service, None when it does; `AddressError` when it is none."""
    host, port_text = split_host_port(text)
    port = _port_number(port_text)
    if not host:
        return Address(LOOPBACK, port)
    with contextlib.suppress(ValueError):
        return Address(str(ipaddress.ip_address(host)), port)
    return None


async def resolve(text: str) -> list[Address]:
    """Every address that a `host:port` stands for, IPv4 first; no host means this machine."""
    known = literal(text)
    if known is not None:
        return [known]
    host, port_text = split_host_port(text)
    loop = asyncio.get_running_loop()
    try:
        infos = await loop.getaddrinfo(host, _port_number(port_text), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressError(f"lookup {host}: no such host") from None
    addresses = [Address(str(info[4][0]), int(info[4][1])) for info in infos]
    return sorted(dict.fromkeys(addresses), key=lambda address: address.family != socket.AF_INET)


async def resolve_listen(text: str) -> Address:
    """The address to listen on. The original binds every interface when no host is given, this server only loopback."""
    return (await resolve(text))[0] if text else Address(LOOPBACK, 0)


def listening_socket(address: Address) -> socket.socket:
    """A non-blocking listener. Accepted sockets inherit its options, so they cost nothing per connection."""
    family = socket.AF_INET6 if address.is_wildcard and socket.has_dualstack_ipv6() else address.family
    ip = "::" if family == socket.AF_INET6 and address.is_wildcard else address.ip
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address.is_wildcard else 1)
        set_stream_options(sock)
        sock.bind((ip, address.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise AddressError(f"listen tcp {address}: bind: {_go_strerror(error)}") from None
    return sock


def bound_address(sock: socket.socket) -> Address:
    ip, port, *_ = sock.getsockname()
    return Address(ip, port)


def set_stream_options(sock: socket.socket) -> None:
    """No delay, and keep-alive probes that find a vanished peer, as Go sets them on every connection."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S)


def _go_strerror(error: OSError) -> str:
    text = os.strerror(error.errno or 0)
    return text[:1].lower() + text[1:]
