"""The control side, on both servers and on things that are no Toxiproxy at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from faults.errors import ToxiproxyError, ToxiproxyUnreachable, UnknownProxy
from faults.toxiproxy import Proxy, Toxic, Toxiproxy
from tests.faults.conftest import LINK, OTHER

SLOW = Toxic("mine", "latency", "upstream", 0.5, {"latency": 100, "jitter": 10})


@contextmanager
def saying(answer: bytes, *, connections: int = 9) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says this to whatever it is asked, and the requests it got."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(connections):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(65536))
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard


def test_creates_lists_and_deletes(toxiproxy: Toxiproxy, upstream: str) -> None:
    """A new proxy has the port that it was given; a deleted one is gone."""
    made = toxiproxy.create("x", upstream)
    assert made.listen.startswith("127.0.0.1:")
    assert not made.listen.endswith(":0")
    assert toxiproxy.proxies()["x"] == toxiproxy.proxy("x") == made == Proxy("x", made.listen, upstream, enabled=True)
    toxiproxy.delete("x")
    assert "x" not in toxiproxy.proxies()


def test_a_toxic_is_added_changed_and_removed(toxiproxy: Toxiproxy) -> None:
    """What the server has is what was asked for."""
    toxiproxy.add_toxic(LINK, SLOW)
    assert toxiproxy.proxy(LINK).toxics == (SLOW,)
    toxiproxy.update_toxic(LINK, "mine", {"latency": 200, "jitter": 0})
    assert toxiproxy.proxy(LINK).toxics[0].attributes == {"latency": 200, "jitter": 0}
    toxiproxy.remove_toxic(LINK, "mine")
    assert toxiproxy.proxy(LINK).toxics == ()


def test_switches_and_leads_elsewhere(toxiproxy: Toxiproxy) -> None:
    """Off and on again; to another upstream and back."""
    before = toxiproxy.proxy(LINK)
    toxiproxy.disable(LINK)
    assert not toxiproxy.proxy(LINK).enabled
    toxiproxy.enable(LINK)
    toxiproxy.set_upstream(LINK, "127.0.0.1:9")
    assert toxiproxy.proxy(LINK).upstream == "127.0.0.1:9"
    toxiproxy.set_upstream(LINK, before.upstream)
    assert toxiproxy.proxy(LINK) == before


def test_reset_removes_every_toxic(toxiproxy: Toxiproxy) -> None:
    """As Toxiproxy's own reset does: all toxics gone, all proxies on."""
    toxiproxy.add_toxic(LINK, SLOW)
    toxiproxy.disable(OTHER)
    toxiproxy.reset()
    assert not toxiproxy.proxy(LINK).toxics
    assert toxiproxy.proxy(OTHER).enabled


def test_refusals_have_the_servers_words(toxiproxy: Toxiproxy, upstream: str) -> None:
    """What the server says is wrong stands in the error; what is not there has an error of its own."""
    with pytest.raises(UnknownProxy, match="proxy not found"):
        toxiproxy.proxy("nothing")
    with pytest.raises(UnknownProxy, match="toxic not found"):
        toxiproxy.remove_toxic(LINK, "nothing")
    with pytest.raises(ToxiproxyError, match="invalid toxic type"):
        toxiproxy.add_toxic(LINK, Toxic("x", "gremlin"))
    with pytest.raises(ToxiproxyError, match="already exists"):
        toxiproxy.create(LINK, upstream)


@pytest.mark.parametrize("name", ["a b", "ü->ö", "50%", "a?b=c", "a#b"])
def test_any_name_finds_its_way_into_the_url(name: str, toxiproxy: Toxiproxy, upstream: str) -> None:
    """Names are quoted: a proxy is found under the name that it was made with."""
    toxiproxy.create(name, upstream)
    assert toxiproxy.proxy(name).name == name
    toxiproxy.delete(name)


def test_two_servers_in_one_process_are_kept_apart(toxiproxy: Toxiproxy) -> None:
    """Their addresses do not get mixed up, also when threads talk to both at once."""
    with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", connections=40) as (url, heard):
        other = Toxiproxy(url)
        with ThreadPoolExecutor(8) as pool:
            mine = [pool.submit(toxiproxy.proxies) for _ in range(40)]
            theirs = [pool.submit(other.proxies) for _ in range(40)]
        assert all(LINK in answer.result() for answer in mine)
        assert all(answer.result() == {} for answer in theirs)
        assert len(heard) == 40


def test_a_users_web_proxy_is_not_asked(toxiproxy: Toxiproxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY and ALL_PROXY do not lead loopback requests astray."""
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    assert LINK in toxiproxy.proxies()


def test_a_request_that_got_lost_is_sent_again() -> None:
    """A connection that ends without an answer is tried again; a toxic found there on the second try is ours."""
    exists = b'{"error":"toxic already exists","status":409}'
    answers = [b"", b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n%s" % (len(exists), exists)]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        Toxiproxy(f"http://127.0.0.1:{listener.getsockname()[1]}").add_toxic(LINK, SLOW)
        thread.join(5)


def test_nobody_there_is_said_in_one_line() -> None:
    """The address and the operating system's reason."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(
        ToxiproxyUnreachable, match=rf"^no Toxiproxy answers at http://127.0.0.1:{port}: Connection refused$"
    ):
        Toxiproxy(f"http://127.0.0.1:{port}", attempts=2).proxies()


def test_a_server_that_never_answers_is_given_up() -> None:
    """A timeout per try; not the original's 25 seconds."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(ToxiproxyUnreachable, match="no answer in time"),
    ):
        Toxiproxy(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.1, attempts=2).proxies()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"a":{"b":1}',
        b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"a":{"b":1}}',
        b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
)
def test_what_is_no_toxiproxy_is_said_in_one_line(answer: bytes) -> None:
    """Another server at that address gives an error of this room, and no other."""
    with saying(answer) as (url, _), pytest.raises(ToxiproxyError) as caught:
        Toxiproxy(url, attempts=1).proxies()
    assert url in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "url", ["", "localhost:8474", "https://localhost:8474", "http://h:99999", "http://h/path", "http://"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """What was expected stands in the error."""
    with pytest.raises(ToxiproxyError, match="http://HOST:PORT"):
        Toxiproxy(url)
