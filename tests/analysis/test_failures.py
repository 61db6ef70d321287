"""How a crossing failed, and where it started: one small trace per case, expectations written by hand."""

from __future__ import annotations

import pytest

from analysis.failures_words import symptom_of
from analysis.observations import FAILURES
from analysis.observe import observe
from tests.analysis.builders import Span, span, table


def failures(*spans: Span) -> dict[str, tuple[str, bool]]:
    """Failure and origin by the caller span's name."""
    hops = observe(table(*spans)).hops.to_pylist()
    return {row["caller_operation"]: (FAILURES[row["failure"]], row["origin"]) for row in hops}


def client(label: str = "C", *, ms: float = 100, parent: str = "", error: str | None = None, status: int | None = None,
           service: str = "a", start_ms: float = 0, message: str = "") -> Span:  # fmt: skip
    attributes = {"exception.message": message} if message else {}
    return span(label, kind="client", parent=parent, ms=ms, service=service, start_ms=start_ms, error_type=error,
                http_status=status, attributes=attributes)  # fmt: skip


def server(label: str = "S", *, start_ms: float = 10, ms: float = 50, parent: str = "C", error: bool = False,
           status: int | None = None, service: str = "b") -> Span:  # fmt: skip
    return span(label, kind="server", parent=parent, start_ms=start_ms, ms=ms, error=error, http_status=status,
                service=service)  # fmt: skip


@pytest.mark.parametrize(
    ("spans", "failure"),
    [
        ([client(), server()], "none"),
        ([client(status=200), server(status=200)], "none"),
        # no server span
        ([client(error="httpx.ConnectError", message="All connection attempts failed")], "refused"),
        ([client(error="httpx.ReadTimeout")], "timeout"),
        ([client(error="httpx.ReadError")], "reset"),
        (
            [client(error="httpx.RemoteProtocolError", message="Server disconnected without sending a response.")],
            "reset",
        ),
        (
            [
                client(
                    error="httpx.RemoteProtocolError",
                    message="peer closed connection without sending complete message body (incomplete chunked read)",
                )
            ],
            "truncated",
        ),
        ([client(error="500", status=500)], "server_error"),
        ([client(error="503")], "server_error"),
        ([client(error="404", status=404)], "client_error"),
        ([client(error="ValueError")], "client_error"),
        # the server finished well
        ([client(error="httpx.ReadTimeout"), server(ms=200)], "late"),
        ([client(error="httpx.ReadError"), server()], "lost_response"),
        ([client(error="502", status=502), server(status=200)], "lost_response"),
        ([client(error="404", status=404), server(status=404)], "client_error"),
        ([client(error="CatchResponseError", status=200), server(status=200)], "client_error"),
        # the server ended badly
        ([client(error="500", status=500), server(status=500, error=True)], "server_error"),
        ([client(), server(status=500)], "server_error"),
        ([client(error="httpx.ReadTimeout"), server(ms=200, error=True)], "timeout"),
        ([client(error="httpx.RemoteProtocolError"), server(error=True)], "reset"),
        # gRPC: 14 from the callee itself is its error; without a callee nothing was reached
        ([client(error="UNAVAILABLE", status=14), server(status=14, error=True)], "server_error"),
        ([client(error="UNAVAILABLE", status=14)], "refused"),
        ([client(error="DEADLINE_EXCEEDED", status=4)], "timeout"),
        ([client(error="NOT_FOUND", status=5), server(status=5)], "client_error"),
        ([client(error="INTERNAL", status=13)], "server_error"),
    ],
)
def test_the_failure_of_a_call(spans: list[Span], failure: str) -> None:
    assert failures(*spans)["C"][0] == failure


def test_what_the_caller_saw_is_kept_beside_the_failure() -> None:
    """The response was lost because the connection was reset."""
    (row,) = observe(table(client(error="httpx.ReadError"), server())).hops.to_pylist()
    assert (FAILURES[row["failure"]], FAILURES[row["symptom"]]) == ("lost_response", "reset")


def test_blame_goes_to_where_the_error_started() -> None:
    """An error passes from the bank through payment to the gateway; it started at payment's call to the bank."""
    assert failures(
        client("root", error="500", status=500, ms=100),
        server("G", parent="root", status=500, error=True, ms=80),
        client("pay", parent="G", service="b", start_ms=15, ms=60, error="500", status=500),
        server("P", parent="pay", start_ms=20, ms=50, status=500, error=True, service="c"),
        client("bank", parent="P", service="c", start_ms=25, ms=40, error="httpx.ReadTimeout"),
    ) == {"root": ("server_error", False), "pay": ("server_error", False), "bank": ("timeout", True)}


def test_a_failure_that_a_retry_made_good_explains_nothing_above() -> None:
    """The second attempt at the bank succeeded; payment failed for a reason of its own."""
    found = failures(
        client("root", error="500", status=500, ms=100),
        server("G", parent="root", status=500, error=True, ms=80),
        client("try", parent="G", service="b", start_ms=15, ms=10, error="httpx.ReadTimeout"),
        span("again", name="try", parent="G", kind="client", service="b", start_ms=30, ms=10),
    )
    assert found["root"] == ("server_error", True)


def test_an_error_under_a_message_is_not_the_senders() -> None:
    """Nobody waits for the consumer: its failed database call does not explain the gateway's error."""
    found = failures(
        client("root", error="500", status=500, ms=100),
        server("G", parent="root", status=500, error=True, ms=80),
        span("send", parent="G", kind="producer", service="b", start_ms=20, ms=2),
        span("K", parent="send", kind="consumer", service="f", start_ms=40, ms=90, error=True),
        client("db", parent="K", service="f", start_ms=50, ms=10, error="ConnectionRefusedError"),
    )
    assert found == {
        "root": ("server_error", True),
        "send": ("consumer_error", False),
        "db": ("refused", True),
    }


@pytest.mark.parametrize(
    ("spans", "failure"),
    [
        ([], "lost_message"),
        ([span("K", parent="P", kind="consumer", service="f", start_ms=5)], "none"),
        ([span("K", parent="P", kind="consumer", service="f", start_ms=5, error=True)], "consumer_error"),
    ],
)
def test_the_failure_of_a_message(spans: list[Span], failure: str) -> None:
    assert failures(span("P", kind="producer", ms=2), *spans)["P"][0] == failure


def test_a_message_that_could_not_be_sent_is_not_lost_but_refused() -> None:
    assert failures(span("P", kind="producer", error_type="nats.errors.NoServersError"))["P"] == ("refused", True)


def test_errors_are_counted_where_no_child_explains_them() -> None:
    """The handler failed because its work failed: the error is the work's."""
    own = observe(
        table(
            span("H", kind="server", error=True, ms=10),
            span("work", parent="H", kind="internal", start_ms=2, ms=5, error=True),
        )
    ).own.to_pylist()
    assert {row["operation"]: row["errors"] for row in own if row["errors"]} == {"work": 1}


@pytest.mark.parametrize(
    ("text", "symptom"),
    [
        # Python: httpx, aiohttp, requests and urllib3
        ("httpx.ConnectTimeout", "timeout"), ("httpx.PoolTimeout", "timeout"), ("httpx.WriteError", "reset"),
        ("aiohttp.client_exceptions.ServerDisconnectedError", "reset"),
        ("aiohttp.client_exceptions.ClientPayloadError", "truncated"),
        ("aiohttp.client_exceptions.ClientConnectorError", "refused"),
        ("aiohttp.client_exceptions.ServerTimeoutError", "timeout"),
        ("requests.exceptions.ReadTimeout", "timeout"), ("requests.exceptions.ChunkedEncodingError", "truncated"),
        ("('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))", "reset"),
        ("HTTPConnectionPool(host='h', port=1): Max retries exceeded (Caused by NewConnectionError(...: [Errno 111] "
         "Connection refused'))", "refused"),
        ("urllib3.exceptions.IncompleteRead", "truncated"),
        # asyncio and drivers
        ("asyncio.exceptions.CancelledError", "timeout"), ("asyncio.exceptions.IncompleteReadError", "truncated"),
        ("asyncpg.exceptions.ConnectionDoesNotExistError: connection was closed in the middle of operation", "reset"),
        ("asyncpg.exceptions.QueryCanceledError: canceling statement due to statement timeout", "timeout"),
        ("asyncpg.exceptions.TooManyConnectionsError", "refused"),
        ("asyncpg.exceptions.UniqueViolationError", None),
        ("redis.exceptions.ConnectionError: Error 111 connecting to 127.0.0.1:6379. Connection refused.", "refused"),
        ("Connection closed by server.", "reset"), ("redis.exceptions.TimeoutError", "timeout"),
        ("nats: timeout", "timeout"), ("nats.errors.NoRespondersError", "refused"),
        # gevent and Locust
        ("ConnectionRefusedError(111, 'Connection refused')", "refused"), ("BrokenPipeError", "reset"),
        ("RetriesExceeded('/', 0, original=timed out)", "timeout"),
        # Go
        ("context deadline exceeded", "timeout"), ("read tcp 10.0.0.1:1->10.0.0.2:2: i/o timeout", "timeout"),
        ("dial tcp 10.0.0.1:80: connect: connection refused", "refused"), ("EOF", "reset"),
        ("unexpected EOF", "truncated"), ("read: connection reset by peer", "reset"),
        ("dial tcp: lookup db: no such host", "refused"),
        # Java
        ("java.net.SocketTimeoutException", "timeout"), ("java.net.ConnectException", "refused"),
        ("java.net.UnknownHostException", "refused"), ("org.apache.http.NoHttpResponseException", "reset"),
        ("io.netty.handler.timeout.ReadTimeoutException", "timeout"),
        ("reactor.netty.http.client.PrematureCloseException", "truncated"), ("java.io.EOFException", "reset"),
        # Node, .NET, Ruby
        ("ECONNREFUSED", "refused"), ("ECONNRESET", "reset"), ("ETIMEDOUT", "timeout"), ("socket hang up", "reset"),
        ("ERR_STREAM_PREMATURE_CLOSE", "truncated"), ("UND_ERR_HEADERS_TIMEOUT", "timeout"), ("ENOTFOUND", "refused"),
        ("System.Threading.Tasks.TaskCanceledException", "timeout"), ("name_resolution_error", "refused"),
        ("response_ended", "truncated"), ("Errno::ECONNREFUSED", "refused"), ("Net::ReadTimeout", "timeout"),
        # said by the request's content, not by the connection
        ("ValueError", None), ("500", None), ("json.decoder.JSONDecodeError", None), ("KeyError: 'order'", None),
    ],
)  # fmt: skip
def test_words_of_errors_in_many_libraries(text: str, symptom: str | None) -> None:
    assert symptom_of(text) == symptom
