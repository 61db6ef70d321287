"""Toxics that come, change and go while connections are busy: they act at once, lose nothing, and nothing hangs."""

from __future__ import annotations

import os
import socket
import threading
import time
from random import Random

import pytest

from tests.faults.proxy.servers import Server
from tests.faults.proxy.wire import Upstream, connect, exchange, receive, send_and_wait

LATE_S = 1.0
PROMPT_S = 2.0
"""No request to the interface may take longer, whatever the connections are doing."""


def ping(sock: socket.socket) -> float:
    """Seconds until one byte came back."""
    began = time.monotonic()
    sock.sendall(b"p")
    assert receive(sock, began=began, expected=1).data == b"p"
    return time.monotonic() - began


def test_adding_updating_and_removing_act_on_a_live_connection(toxiproxy: Server, upstream: Upstream) -> None:
    with connect(toxiproxy.proxy(upstream.address)) as sock:
        assert ping(sock) < LATE_S
        path = toxiproxy.toxic("latency", latency=1500)
        assert ping(sock) >= 1.5
        toxiproxy.send("PATCH", path, {"attributes": {"latency": 2500}})
        assert ping(sock) >= 2.5
        toxiproxy.send("DELETE", path)
        assert ping(sock) < LATE_S


def test_removing_a_latency_releases_what_it_held(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    path = toxiproxy.toxic("latency", latency=20_000)
    with connect(address) as sock:
        sock.sendall(b"held")
        time.sleep(0.2)
        began = time.monotonic()
        assert toxiproxy.send("DELETE", path).status_code == 204
        assert receive(sock, began=began, expected=4).data == b"held"
        assert time.monotonic() - began < PROMPT_S


def test_removing_a_bandwidth_releases_the_rest_at_full_speed(embedded: Server, upstream: Upstream) -> None:
    """The original would go on for seconds per chunk, and lose some of them on the way."""
    data = os.urandom(2_000_000)
    upstream.behave = send_and_wait(data)
    address = embedded.proxy(upstream.address)
    path = embedded.toxic("bandwidth", rate=1)
    with connect(address) as sock:
        time.sleep(0.3)
        began = time.monotonic()
        assert embedded.send("DELETE", path).status_code == 204
        received = receive(sock, began=began, expected=len(data))
    assert received.data == data
    assert received.ended_s < PROMPT_S


def test_a_slow_close_that_is_removed_ends_the_connection(toxiproxy: Server, upstream: Upstream) -> None:
    upstream.behave = lambda connection: connection.close()
    address = toxiproxy.proxy(upstream.address)
    path = toxiproxy.toxic("slow_close", delay=20_000)
    with connect(address) as sock:
        time.sleep(0.2)
        began = time.monotonic()
        toxiproxy.send("DELETE", path)
        assert receive(sock, began=began).ending == "fin"


def test_reset_peer_resets_connections_that_were_there_before(embedded: Server, upstream: Upstream) -> None:
    """Of the original's live connections none is reset: it prepares the reset when a connection begins."""
    with connect(embedded.proxy(upstream.address)) as sock:
        ping(sock)
        embedded.toxic("reset_peer", timeout=0)
        sock.sendall(b"x")
        assert receive(sock, began=time.monotonic()).ending == "rst"


def test_reset_peer_can_be_removed_while_it_waits(embedded: Server, upstream: Upstream) -> None:
    """The original's interface hangs until the wait is over."""
    address = embedded.proxy(upstream.address)
    path = embedded.toxic("reset_peer", timeout=20_000)
    with connect(address) as sock:
        sock.sendall(b"x")
        time.sleep(0.1)
        began = time.monotonic()
        embedded.send("DELETE", path)
        assert receive(sock, began=began, expected=1).data == b"x"
        assert time.monotonic() - began < PROMPT_S


def test_a_limit_counts_what_passed_before_an_update(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    path = toxiproxy.toxic("limit_data", bytes=100)
    with connect(address) as sock:
        sock.sendall(b"x" * 60)
        assert len(receive(sock, began=time.monotonic(), expected=60).data) == 60
        toxiproxy.send("PATCH", path, {"attributes": {"bytes": 80}})
        sock.sendall(b"x" * 60)
        received = receive(sock, began=time.monotonic())
    assert (len(received.data), received.ending) == (20, "fin")


def test_a_limit_below_what_passed_closes_on_the_next_data(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    path = toxiproxy.toxic("limit_data", bytes=100)
    with connect(address) as sock:
        sock.sendall(b"x" * 60)
        receive(sock, began=time.monotonic(), expected=60)
        toxiproxy.send("PATCH", path, {"attributes": {"bytes": 10}})
        assert receive(sock, began=time.monotonic(), patience_s=0.2).ending == "open"
        sock.sendall(b"x")
        assert receive(sock, began=time.monotonic()).ending == "fin"


def test_toxicity_is_rolled_anew_by_an_update(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    path = toxiproxy.toxic("latency", toxicity=0, latency=1500)
    with connect(address) as sock:
        assert ping(sock) < LATE_S
        toxiproxy.send("PATCH", path, {"toxicity": 1})
        assert ping(sock) >= 1.5


def test_disabling_closes_every_connection_and_refuses_new_ones(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    with connect(address) as sock:
        ping(sock)
        toxiproxy.send("PATCH", "/proxies/link", {"enabled": False})
        assert receive(sock, began=time.monotonic()).ending == "fin"
        with pytest.raises(ConnectionRefusedError):
            connect(address)
        toxiproxy.send("PATCH", "/proxies/link", {"enabled": True})
        assert exchange(address, b"again").data == b"again"


def test_disabling_drops_what_a_latency_holds(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("latency", latency=20_000)
    with connect(address) as sock:
        sock.sendall(b"lost")
        time.sleep(0.1)
        toxiproxy.send("PATCH", "/proxies/link", {"enabled": False})
        received = receive(sock, began=time.monotonic())
    assert (received.data, received.ending) == (b"", "fin")


def test_moving_the_upstream_closes_connections_and_leads_new_ones_there(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    with Upstream() as other, connect(address) as sock:
        other.behave = send_and_wait(b"other")
        ping(sock)
        toxiproxy.send("PATCH", "/proxies/link", {"upstream": other.address})
        assert receive(sock, began=time.monotonic()).ending == "fin"
        assert exchange(address, b"", expected=5).data == b"other"


def test_no_request_hangs_and_no_byte_is_lost_while_toxics_come_and_go(embedded: Server, upstream: Upstream) -> None:
    """Forty connections stream through while toxics of every lossless kind are added, changed and removed."""
    address = embedded.proxy(upstream.address)
    data = os.urandom(400_000)
    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(exchange(address, data).data)) for _ in range(40)]
    random = Random(5)
    for thread in threads:
        thread.start()
    slowest_s = 0.0
    kinds: list[tuple[str, dict[str, int]]] = [
        ("latency", {"latency": 30, "jitter": 20}),
        ("bandwidth", {"rate": 20_000}),
        ("slicer", {"average_size": 4000, "size_variation": 500, "delay": 100}),
        ("slow_close", {"delay": 50}),
        ("noop", {}),
    ]
    paths: list[str] = []
    while any(thread.is_alive() for thread in threads):
        began = time.monotonic()
        if paths and random.random() < 0.5:
            path = paths.pop(random.randrange(len(paths)))
            assert embedded.send("DELETE", path).status_code == 204
        elif paths and random.random() < 0.3:
            assert embedded.send("PATCH", random.choice(paths), {"toxicity": random.random()}).status_code == 200
        elif len(paths) < 6:
            kind, attributes = random.choice(kinds)
            stream = random.choice(["upstream", "downstream"])
            paths.append(embedded.toxic(kind, stream, name=f"t{time.monotonic_ns()}", **attributes))
        slowest_s = max(slowest_s, time.monotonic() - began)
        time.sleep(0.01)
        if len(paths) == 6:
            assert embedded.send("DELETE", paths.pop()).status_code == 204
    assert all(result == data for result in results)
    assert len(results) == 40
    assert slowest_s < PROMPT_S


def test_changes_reach_connections_whose_reader_has_stopped(embedded: Server, upstream: Upstream) -> None:
    """The original's interface waits five seconds per chunk for a reader that does not read."""
    data = os.urandom(20_000_000)
    upstream.behave = send_and_wait(data)
    address = embedded.proxy(upstream.address)
    with connect(address) as sock:
        time.sleep(0.3)
        began = time.monotonic()
        for kind, attributes in [
            ("latency", {"latency": 10}),
            ("bandwidth", {"rate": 100_000}),
            ("slicer", {"average_size": 9999}),
        ]:
            path = embedded.toxic(kind, **attributes)
            time.sleep(0.05)
            embedded.send("PATCH", path, {"toxicity": 0.5})
            assert embedded.send("DELETE", path).status_code == 204
        assert time.monotonic() - began < PROMPT_S
        assert receive(sock, began=began, expected=len(data)).data == data
