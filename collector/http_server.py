"""OTLP over HTTP: an ASGI application for uvicorn, protobuf and JSON, gzip and deflate. CORS stays off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from collector.encodings import MAX_BYTES, decompress, from_json
from collector.errors import CollectorError, Malformed, StorageFull, TooLarge, Unsupported
from collector.messages import request_for, response_for
from collector.receiver import Receiver, Signal

__all__ = ["http_app"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PROTOBUF, JSON = "application/x-protobuf", "application/json"
_SIGNALS = {f"/v1/{signal.value}": signal for signal in Signal}
# 503 tells an OTLP client to keep the batch and try again; the others tell it not to.
_STATUS: dict[type[CollectorError], int] = {Malformed: 400, TooLarge: 413, Unsupported: 415, StorageFull: 503}


def http_app(receiver: Receiver) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI application: POST /v1/traces, /v1/logs, /v1/metrics."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        signal = _SIGNALS.get(scope["path"])
        if signal is None:
            await _answer(send, 404, Status(message="expected " + ", ".join(_SIGNALS)), PROTOBUF)
            return
        if scope["method"] != "POST":
            await _answer(send, 405, Status(message="expected POST"), PROTOBUF, (b"allow", b"POST"))
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
        try:
            if kind not in (PROTOBUF, JSON):
                raise Unsupported(f"content type {kind!r}: expected {PROTOBUF} or {JSON}")
            body = await _body(receive, headers.get(b"content-length", "0"))
            plain = decompress(body, headers.get(b"content-encoding", "").strip().lower())
            if kind == JSON:
                plain = from_json(plain, request_for(signal))
            admitted = receiver.receive(signal, plain)
        except CollectorError as error:
            await _answer(send, _STATUS[type(error)], Status(message=str(error)), JSON if kind == JSON else PROTOBUF)
            return
        await _answer(send, 200, response_for(signal, admitted), kind)

    return app


async def _body(receive: Receive, announced: str) -> bytes:
    if announced.isdigit() and int(announced) > MAX_BYTES:
        raise TooLarge(f"{announced} bytes announced: at most {MAX_BYTES} are taken")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("the sender left before the end of its request")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_BYTES:
            raise TooLarge(f"over {MAX_BYTES} bytes")
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _answer(send: Send, status: int, message: Message, kind: str, *extra: tuple[bytes, bytes]) -> None:
    content = json_format.MessageToJson(message).encode() if kind == JSON else message.SerializeToString()
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode()), *extra]
    if status == 413:
        headers.append((b"connection", b"close"))  # the rest of the body is not going to be read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
