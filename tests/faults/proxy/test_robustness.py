"""Many connections, slow readers, vanishing clients, requests that are none: bounded memory, nothing left behind."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.proxy.servers import ROOT, Server, running
from tests.faults.proxy.wire import Upstream, connect, exchange, receive, send_and_wait

RESET = struct.pack("ii", 1, 0)
DEADLINE_S = 20


@pytest.fixture
def own_server() -> Iterator[Server]:
    """An embedded server that nobody else used, so that its memory and descriptors can be counted."""
    with running("embedded") as server:
        yield server


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def wait_for_descriptors(server: Server, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while server.process.num_fds() > count:
        assert time.monotonic() < deadline, server.process.net_connections()
        time.sleep(0.05)


@pytest.mark.usefixtures("many_descriptors")
def test_a_thousand_connections_at_once_all_work_and_leave_nothing(upstream: Upstream) -> None:
    with running("embedded") as server:
        address = server.proxy(upstream.address)
        idle = server.process.num_fds()
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(connect(address)) for _ in range(1000)]
            for number, sock in enumerate(socks):
                sock.sendall(b"%4d" % number)
            for number, sock in enumerate(socks):
                assert receive(sock, began=0, expected=4).data == b"%4d" % number
            assert server.process.num_fds() >= idle + 2000
        wait_for_descriptors(server, idle)


def test_memory_per_connection_with_a_slow_reader_is_bounded(own_server: Server, upstream: Upstream) -> None:
    upstream.behave = send_and_wait(bytes(20_000_000))
    address = own_server.proxy(upstream.address)
    exchange(address, b"", expected=1_000_000)
    before = own_server.process.memory_info().rss
    count = 50
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connect(address)) for _ in range(count)]
        time.sleep(1.5)
        grown = own_server.process.memory_info().rss - before
        assert len(socks) == count
    assert grown / count < 256 * 1024


@pytest.mark.parametrize("kind", ["bandwidth", "slicer", "slow_close"])
def test_memory_is_bounded_behind_a_toxic_too(own_server: Server, upstream: Upstream, kind: str) -> None:
    upstream.behave = send_and_wait(bytes(20_000_000))
    address = own_server.proxy(upstream.address)
    exchange(address, b"", expected=1_000_000)
    attributes = {
        "bandwidth": {"rate": 1},
        "slicer": {"average_size": 1000, "delay": 50_000},
        "slow_close": {"delay": 1},
    }
    own_server.toxic(kind, **attributes[kind])
    before = own_server.process.memory_info().rss
    count = 50
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(connect(address))
        time.sleep(1.5)
        assert (own_server.process.memory_info().rss - before) / count < 256 * 1024


@pytest.mark.parametrize("kind", ["none", "latency", "timeout", "bandwidth", "slow_close", "reset_peer", "slicer"])
@pytest.mark.parametrize("vanish", ["fin", "rst"])
def test_clients_that_vanish_leave_no_socket_behind(
    embedded: Server, upstream: Upstream, kind: str, vanish: str
) -> None:
    address = embedded.proxy(upstream.address)
    attributes: dict[str, dict[str, int]] = {
        "latency": {"latency": 100},
        "bandwidth": {"rate": 100},
        "slow_close": {"delay": 100},
        "slicer": {"average_size": 100, "delay": 100},
    }
    if kind != "none":
        embedded.toxic(kind, "upstream", **attributes.get(kind, {}))
        embedded.toxic(kind, "downstream", name="down", **attributes.get(kind, {}))
    idle = embedded.process.num_fds()
    for _ in range(30):
        sock = connect(address)
        sock.sendall(b"x" * 20_000)
        if vanish == "rst":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.close()
    wait_for_descriptors(embedded, idle)


def test_deleting_a_proxy_closes_everything_it_held(own_server: Server, upstream: Upstream) -> None:
    idle = own_server.process.num_fds()
    address = own_server.proxy(upstream.address)
    own_server.toxic("latency", latency=60_000)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connect(address)).sendall(b"x" * 1000)
        own_server.send("DELETE", "/proxies/link")
        wait_for_descriptors(own_server, idle)


def test_an_upstream_that_never_answers_the_dial_blocks_nobody(own_server: Server, upstream: Upstream) -> None:
    """The original accepts one client at a time, so that all of them wait for the one upstream."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)  # noqa: FBT003 - the standard library's signature
                filler.connect_ex(full.getsockname())
            silent = own_server.proxy(f"127.0.0.1:{full.getsockname()[1]}", name="silent")
            stack.enter_context(connect(silent))
            assert exchange(own_server.proxy(upstream.address), b"x").data == b"x"
            began = time.monotonic()
            assert own_server.send("DELETE", "/proxies/silent").status_code == 204
            assert time.monotonic() - began < 2


def test_slicers_and_rates_that_crash_the_original_are_survived(embedded: Server, upstream: Upstream) -> None:
    address = embedded.proxy(upstream.address)
    for attributes in ({"average_size": 0}, {"average_size": 5, "size_variation": 50}):
        path = embedded.toxic("slicer", **attributes)
        assert exchange(address, b"x" * 50).data == b"x" * 50
        embedded.send("DELETE", path)
    embedded.toxic("bandwidth", rate=-5)
    assert exchange(address, b"x", patience_s=0.2).data == b""


def raw(server: Server, request: bytes, *, patience_s: float = 30) -> bytes:
    """Whatever comes back for these bytes."""
    return exchange((server.host, server.port), request, expected=1 << 30, patience_s=patience_s).data


@pytest.mark.parametrize("request_bytes", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00"])
def test_what_is_not_http_is_answered_400_and_hung_up(embedded: Server, request_bytes: bytes) -> None:
    answer = raw(embedded, request_bytes + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Connection: close\r\n" in answer
    assert embedded.send("GET", "/version").status_code == 200


def test_a_request_line_that_never_ends_is_refused(toxiproxy: Server) -> None:
    answer = raw(toxiproxy, b"GET /" + b"a" * 2_000_000)
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n") or answer == b""
    assert toxiproxy.send("GET", "/version").status_code == 200


def test_bodies_of_ten_megabytes_are_read(toxiproxy: Server) -> None:
    long = b"x" * (10 << 20)
    answer = toxiproxy.send("POST", "/proxies", b'{"a":"' + long + b'","upstream":"u:1","enabled":false,"name":"x"}')
    assert answer.status_code == 201
    answer = toxiproxy.send("POST", "/proxies", b"[" + b"1," * (5 << 20))
    assert answer.status_code == 400
    assert "unexpected EOF" in answer.text


def test_traffic_goes_on_while_a_large_body_is_read(embedded: Server, upstream: Upstream) -> None:
    address = embedded.proxy(upstream.address)
    answers: list[int] = []
    body = b"[" + b"1," * (4 << 20)
    sender = threading.Thread(target=lambda: answers.append(embedded.send("POST", "/populate", body).status_code))
    with connect(address) as sock:
        sender.start()
        longest = 0.0
        while sender.is_alive():
            began = time.monotonic()
            sock.sendall(b"x")
            receive(sock, began=began, expected=1)
            longest = max(longest, time.monotonic() - began)
    sender.join()
    assert answers == [400]
    assert longest < 0.5


def test_requests_sent_at_once_are_answered_in_order(toxiproxy: Server) -> None:
    request = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\nGET /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw(toxiproxy, request)
    assert answer.index(b"200 OK") < answer.index(b"404 Not Found")


def test_a_chunked_body_is_read(toxiproxy: Server) -> None:
    head = b"POST /proxies HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    answer = raw(toxiproxy, head + b'8\r\n{"name":\r\n3\r\n""}\r\n0\r\n\r\n')
    assert b'{"error":"missing required field: name","status":400}' in answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_cleanly_with_connections_open(upstream: Upstream, number: int) -> None:
    command = [sys.executable, "-m", "faults.proxy", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        ready = process.stdout.readline()
        assert ready.startswith("ready http://127.0.0.1:")
        port = int(ready.rsplit(":", 1)[1])
        with connect(("127.0.0.1", port)):
            process.send_signal(number)
            assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "faults.proxy", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=30)
    assert done.returncode == 3
    assert done.stderr == f"faults.proxy: listen tcp 127.0.0.1:{port}: bind: address already in use\n"


def test_a_config_file_makes_its_proxies_before_ready(tmp_path: Path, upstream: Upstream) -> None:
    path = tmp_path / "toxiproxy.json"
    path.write_text(f'[{{"name":"a","listen":"127.0.0.1:0","upstream":"{upstream.address}"}}]')
    command = [sys.executable, "-m", "faults.proxy", "--port", "0", "--config", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        answer = exchange(("127.0.0.1", port), b"GET /proxies HTTP/1.0\r\n\r\n", expected=1 << 20).data
        process.terminate()
    assert b'"name":"a"' in answer
