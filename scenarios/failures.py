"""What went wrong with a request, in the words that OpenTelemetry's `error.type` uses for it."""

from __future__ import annotations

import errno

from gevent.timeout import Timeout
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError
from geventhttpclient.useragent import BadStatusCode, RetriesExceeded
from locust.contrib.fasthttp import LocustBadStatusCode

__all__ = ["error_type"]

_BY_ERRNO = {
    errno.ECONNREFUSED: "ConnectionRefusedError",
    errno.ECONNRESET: "ConnectionResetError",
    errno.EPIPE: "ConnectionResetError",
    errno.ETIMEDOUT: "TimeoutError",
}


def error_type(error: BaseException, status_code: int) -> tuple[str, str]:
    """The type (a status code for an answer that is an error, else the kind of failure), and one line about it.

    `status_code` is 0 when there was no answer; with another error than the status, the answer ended early.
    """
    if isinstance(error, (BadStatusCode, LocustBadStatusCode)):
        return str(status_code), f"HTTP {status_code}"
    if isinstance(error, RetriesExceeded):
        error = getattr(error, "original", None) or error
    if isinstance(error, HTTPConnectionClosed) and isinstance(error.__context__, OSError):
        error = error.__context__  # the client reports a reset as a close
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, (TimeoutError, Timeout)):
        return "TimeoutError", detail
    if isinstance(error, (HTTPConnectionClosed, HTTPParseError)):
        # The peer closed before the answer (`RemoteProtocolError` in httpx) or within it.
        return ("IncompleteRead" if status_code else "RemoteDisconnected"), detail
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        return _BY_ERRNO[error.errno], detail
    return type(error).__name__, detail
