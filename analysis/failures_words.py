"""What an error's words say about how a connection failed.

Libraries name one thing in many ways. The patterns below cover the exception types, errno names and texts of httpx,
aiohttp, requests and urllib3, gevent and geventhttpclient, asyncpg and psycopg, redis, nats, gRPC, Go's net and
net/http, Java's HTTP clients and Netty, Node, .NET and Ruby. Order matters: the first that matches wins.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["symptom_of"]

_PATTERNS = (
    # A client that waits no longer: also where its own task was cancelled by a deadline around it.
    (
        "timeout",
        r"time[ds]?[ _-]?out|timeout|deadline[ _]?exceeded|etimedout|esockettimedout|cancell?ed(error|exception)?\b"
        r"|aborterror|abort_err|statement timeout|\b57014\b|lock_not_available",
    ),
    # Before `reset`: the texts of cut responses also say that the connection was closed.
    (
        "truncated",
        r"incomplete|truncat|premature|chunkedencodingerror|unexpected[ _]?eof|payloaderror|complete message body"
        r"|not enough data|fewer bytes|short read|content[- ]length|response_ended|transfer closed|bytes missing"
        r"|contentlengtherror|unexpected end of (stream|file)|invalid chunk",
    ),
    (
        "refused",
        r"refused|connecterror|connectexception|connectorerror|cannot connect|connect call failed|connection attempts"
        r"|failed to (establish|connect)|newconnectionerror|error 111|errno 111|unreachable|no route|ehostunreach"
        r"|enotfound|eai_again|gaierror|getaddrinfo|unknownhost|name or service not known|no such host|nodename"
        r"|name_resolution|too ?many ?(connections|clients)|\b53300\b|cannotconnectnow|no healthy upstream"
        r"|noresponders|no responders|noservers|no servers available|\bconnection_error\b",
    ),
    (
        "reset",
        r"reset|broken[ _]?pipe|epipe|disconnect|hang ?up|aborted|readerror|writeerror|remoteprotocolerror"
        r"|protocolerror|connectiondoesnotexist|nohttpresponse|connection (was |is |has been )?(lost|closed|terminated)"
        r"|connectionclosed|closed (the |by |connection)|use of closed|\beof\b|eoferror|eofexception|und_err_socket"
        r"|goaway|rst_stream|badstatusline|peer closed|server closed|socketexception|closedresource|\b57p0[123]\b"
        r"|\b080(00|03|06)\b|networkerror|connectionerror",
    ),
)
_COMPILED = tuple((symptom, re.compile(pattern)) for symptom, pattern in _PATTERNS)


@lru_cache(maxsize=4096)
def symptom_of(text: str) -> str | None:
    """`timeout`, `truncated`, `refused` or `reset`, or None where the text says nothing of the connection."""
    lowered = text.lower()
    for symptom, pattern in _COMPILED:
        if pattern.search(lowered):
            return symptom
    return None
