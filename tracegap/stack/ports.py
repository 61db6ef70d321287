"""Free ports that stay free until the part that they are meant for listens on them."""

from __future__ import annotations

import socket

__all__ = ["LOOPBACK", "reserve_port"]

LOOPBACK = "127.0.0.1"


def reserve_port() -> int:
    """A port of the loopback interface that the kernel hands to nobody else for a minute.

    A port that was merely free a moment ago may be given to another run, or to an outgoing connection, before its
    server has imported itself. A connection that was closed on the listening side leaves the port in TIME_WAIT: the
    kernel then gives it to nobody who asks for any port, but lets a server bind it by number with SO_REUSEADDR,
    which all of ours do.
    """
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        # Only after bind: with the option set before, the kernel may choose a port that another run has reserved.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.listen(1)
        port: int = listener.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)) as client:
            accepted, _ = listener.accept()
            accepted.close()  # the side that closes first is the one that waits
            client.recv(1)
    return port
