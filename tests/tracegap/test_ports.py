"""Ports that stay free for the part that they are meant for."""

from __future__ import annotations

import errno
import socket

import pytest

from tracegap.stack.ports import LOOPBACK, reserve_port


def test_no_port_is_handed_out_twice() -> None:
    """Also not to another run: the kernel itself keeps them apart."""
    ports = [reserve_port() for _ in range(200)]
    assert len(set(ports)) == len(ports)


def test_a_server_can_listen_on_its_port_and_nobody_else_by_chance() -> None:
    """With SO_REUSEADDR, as servers bind, it works; without, the port is taken."""
    port = reserve_port()
    with socket.socket() as other, pytest.raises(OSError, match="in use") as refused:
        other.bind((LOOPBACK, port))
    assert refused.value.errno == errno.EADDRINUSE
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((LOOPBACK, port))
        server.listen()
