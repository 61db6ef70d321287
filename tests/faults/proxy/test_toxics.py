"""Every toxic, as a client sees it: bytes, times and endings, the same on both servers."""

from __future__ import annotations

import os
import socket
import time

import pytest

from tests.faults.proxy.servers import Server
from tests.faults.proxy.wire import (
    Received,
    Sink,
    Upstream,
    connect,
    exchange,
    receive,
    send_and_close,
    send_and_wait,
)

LATE_S = 1.0
"""How late anything may be on a busy machine. Never early is the sharp side."""

STREAMS = pytest.mark.parametrize("stream", ["upstream", "downstream"])


def assert_within(value: float | None, low: float, high: float) -> None:
    assert value is not None
    assert low - 0.002 <= value <= high


def test_without_toxics_bytes_pass_unchanged_and_the_end_is_a_fin(toxiproxy: Server, upstream: Upstream) -> None:
    data = os.urandom(3_000_000)
    upstream.behave = send_and_close(data)
    received = exchange(toxiproxy.proxy(upstream.address), b"", expected=len(data) + 1)
    assert received.data == data
    assert received.ending == "fin"


@STREAMS
def test_latency_delays_each_direction_once(toxiproxy: Server, upstream: Upstream, stream: str) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("latency", stream, latency=150)
    received = exchange(address, b"x" * 5000)
    assert received.data == b"x" * 5000
    assert_within(received.first_s, 0.150, 0.150 + LATE_S)


def test_latency_delays_bulk_data_once_and_not_every_chunk(toxiproxy: Server, upstream: Upstream) -> None:
    data = os.urandom(4_000_000)
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("latency", latency=200)
    received = exchange(address, data)
    assert received.data == data
    assert_within(received.last_s, 0.200, 0.200 + 2 * LATE_S)


def test_latency_with_jitter_stays_in_its_band_and_keeps_order(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("latency", latency=60, jitter=50)
    times = []
    with connect(address) as sock:
        for number in range(20):
            began = time.monotonic()
            sock.sendall(bytes([number]) * 10)
            received = receive(sock, began=began, expected=10)
            assert received.data == bytes([number]) * 10
            assert_within(received.first_s, 0.010, 0.110 + LATE_S)
            times.append(received.first_s or 0)
    assert max(times) - min(times) > 0.01


def test_two_latencies_add_up(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("latency", name="one", latency=100)
    toxiproxy.toxic("latency", name="two", latency=130)
    toxiproxy.toxic("latency", "upstream", name="three", latency=70)
    assert_within(exchange(address, b"x").first_s, 0.300, 0.300 + LATE_S)


def test_negative_latency_delays_nothing(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("latency", latency=-500)
    assert_within(exchange(address, b"x").first_s, 0, LATE_S)


@STREAMS
@pytest.mark.parametrize(("rate_kb_s", "size"), [(10, 6_000), (200, 120_000), (5_000, 3_000_000)])
def test_bandwidth_takes_size_over_rate(
    toxiproxy: Server, upstream: Upstream, stream: str, rate_kb_s: int, size: int
) -> None:
    data = os.urandom(size)
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("bandwidth", stream, rate=rate_kb_s)
    received = exchange(address, data)
    assert received.data == data
    ideal_s = size / (rate_kb_s * 1000)
    assert_within(received.last_s, ideal_s, ideal_s * 1.05 + LATE_S)


def test_slow_bandwidth_drips_in_tenths_of_a_second(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("bandwidth", rate=1)
    received = exchange(address, b"x" * 500)
    assert_within(received.first_s, 0.1, 0.1 + LATE_S)
    assert_within(received.last_s, 0.5, 0.5 + LATE_S)


def test_no_bandwidth_lets_nothing_through(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("bandwidth", rate=0)
    received = exchange(address, b"x" * 500, patience_s=0.4)
    assert (received.data, received.ending) == (b"", "open")


def test_bandwidth_before_latency_overlaps_the_two(toxiproxy: Server, upstream: Upstream) -> None:
    """Latency counts from when data was read: what waited for the line that long is not delayed again."""
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("bandwidth", rate=10)
    toxiproxy.toxic("latency", latency=200)
    received = exchange(address, b"x" * 6000)
    assert_within(received.first_s, 0.2, 0.2 + LATE_S)
    assert_within(received.last_s, 0.6, 0.75)


def test_latency_before_bandwidth_adds_up(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("latency", latency=300)
    toxiproxy.toxic("bandwidth", rate=10)
    assert_within(exchange(address, b"x" * 3000).last_s, 0.6, 0.6 + LATE_S)


@STREAMS
def test_timeout_swallows_data_and_closes_after_its_time(toxiproxy: Server, upstream: Upstream, stream: str) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("timeout", stream, timeout=200)
    received = exchange(address, b"x" * 100)
    assert (received.data, received.ending) == (b"", "fin")
    assert_within(received.ended_s, 0.2, 0.2 + LATE_S)


def test_timeout_counts_from_the_last_data_it_swallowed(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("timeout", "upstream", timeout=300)
    with connect(address) as sock:
        began = time.monotonic()
        for _ in range(4):
            sock.sendall(b"x")
            time.sleep(0.15)
        received = receive(sock, began=began)
    assert (received.data, received.ending) == (b"", "fin")
    assert_within(received.ended_s, 0.45 + 0.3, 0.45 + 0.3 + LATE_S)


@STREAMS
def test_timeout_of_zero_hangs_and_closes_when_removed(toxiproxy: Server, upstream: Upstream, stream: str) -> None:
    address = toxiproxy.proxy(upstream.address)
    path = toxiproxy.toxic("timeout", stream, timeout=0)
    with connect(address) as sock:
        began = time.monotonic()
        sock.sendall(b"x")
        assert receive(sock, began=began, patience_s=0.3).ending == "open"
        assert toxiproxy.send("DELETE", path).status_code == 204
        received = receive(sock, began=began)
    assert (received.data, received.ending) == (b"", "fin")


@STREAMS
@pytest.mark.parametrize("timeout_ms", [0, 150])
def test_reset_peer_ends_with_rst_after_the_first_data(
    toxiproxy: Server, upstream: Upstream, stream: str, timeout_ms: int
) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("reset_peer", stream, timeout=timeout_ms)
    received = exchange(address, b"x" * 100)
    assert (received.data, received.ending) == (b"", "rst")
    assert_within(received.ended_s, timeout_ms / 1000, timeout_ms / 1000 + LATE_S)


def test_reset_peer_resets_the_upstream_too(toxiproxy: Server, upstream: Upstream) -> None:
    upstream.behave = sink = Sink()
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("reset_peer", "upstream", timeout=0)
    exchange(address, b"x" * 100, expected=1)
    assert sink.ended.wait(10)
    assert sink.ending == "rst"


def test_reset_peer_waits_for_data(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("reset_peer", timeout=0)
    with connect(address) as sock:
        assert receive(sock, began=time.monotonic(), patience_s=0.3).ending == "open"


@pytest.mark.parametrize("size", [0, 1, 99_999])
def test_limit_data_passes_so_many_bytes_and_closes(toxiproxy: Server, upstream: Upstream, size: int) -> None:
    data = os.urandom(300_000)
    upstream.behave = send_and_wait(data)
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("limit_data", bytes=size)
    received = exchange(address, b"", expected=len(data))
    assert received.data == data[:size]
    assert received.ending == "fin"


def test_limit_data_counts_over_the_whole_connection(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("limit_data", bytes=25)
    with connect(address) as sock:
        got = b""
        for _ in range(3):
            sock.sendall(b"0123456789")
            received = receive(sock, began=time.monotonic(), expected=10)
            got += received.data
    assert got == b"0123456789012345678901234"
    assert received.ending == "fin"


def test_limit_data_upstream_still_delivers_what_is_within(toxiproxy: Server, upstream: Upstream) -> None:
    upstream.behave = sink = Sink()
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("limit_data", "upstream", bytes=1000)
    exchange(address, b"x" * 5000, expected=1)
    assert sink.ended.wait(10)
    assert bytes(sink.data) == b"x" * 1000


@STREAMS
def test_slicer_delivers_everything_in_delayed_pieces(toxiproxy: Server, upstream: Upstream, stream: str) -> None:
    data = os.urandom(1024)
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("slicer", stream, average_size=64, size_variation=0, delay=20_000)
    received = exchange(address, data)
    assert received.data == data
    # 16 pieces of 64 bytes, 20 ms after each but the last.
    assert_within(received.first_s, 0, LATE_S)
    assert_within(received.last_s, 15 * 0.02, 15 * 0.02 + LATE_S)


def test_slicer_with_variation_keeps_bytes_in_order(toxiproxy: Server, upstream: Upstream) -> None:
    data = os.urandom(20_000)
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("slicer", average_size=500, size_variation=200, delay=10)
    assert exchange(address, data).data == data


def test_slow_close_delays_the_end_and_not_the_data(toxiproxy: Server, upstream: Upstream) -> None:
    upstream.behave = send_and_close(b"done")
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("slow_close", delay=300)
    received = exchange(address, b"", expected=5)
    assert (received.data, received.ending) == (b"done", "fin")
    assert_within(received.first_s, 0, LATE_S)
    assert_within(received.ended_s, 0.3, 0.3 + LATE_S)


def test_noop_is_a_toxic_without_effect(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("noop")
    assert exchange(address, b"x" * 1000).data == b"x" * 1000


def test_toxicity_of_zero_spares_every_connection(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("timeout", toxicity=0, timeout=0)
    for _ in range(10):
        assert exchange(address, b"x").data == b"x"


def test_toxicity_of_a_half_hits_some_connections_and_spares_others(toxiproxy: Server, upstream: Upstream) -> None:
    address = toxiproxy.proxy(upstream.address)
    toxiproxy.toxic("limit_data", toxicity=0.5, bytes=0)
    hit = sum(exchange(address, b"x").data == b"" for _ in range(60))
    assert 10 <= hit <= 50  # fails once in 10 million runs


def test_a_client_that_stops_sending_loses_the_response(toxiproxy: Server, upstream: Upstream) -> None:
    """Half-closed connections are not passed on: the end of one direction closes the upstream altogether."""

    def answer_after_the_end(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass
        time.sleep(0.2)
        connection.sendall(b"too late")

    upstream.behave = answer_after_the_end
    with connect(toxiproxy.proxy(upstream.address)) as sock:
        sock.sendall(b"request")
        sock.shutdown(socket.SHUT_WR)
        received: Received = receive(sock, began=time.monotonic())
    assert (received.data, received.ending) == (b"", "fin")


def test_a_refusing_upstream_closes_the_client(toxiproxy: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    received = exchange(toxiproxy.proxy(f"127.0.0.1:{port}"), b"", expected=1)
    assert (received.data, received.ending) == (b"", "fin")


@pytest.mark.parametrize("nowhere", ["nosuch.invalid:80", "no port", "127.0.0.1:nosuchservice"])
def test_an_upstream_without_an_address_closes_the_client(toxiproxy: Server, nowhere: str) -> None:
    received = exchange(toxiproxy.proxy(nowhere), b"", expected=1)
    assert (received.data, received.ending) == (b"", "fin")


def test_a_proxy_can_lead_to_a_name(toxiproxy: Server, upstream: Upstream) -> None:
    port = upstream.address.rsplit(":", 1)[1]
    assert exchange(toxiproxy.proxy(f"localhost:{port}"), b"x" * 10).data == b"x" * 10
