"""OTLP over gRPC: raw request bytes in, nothing decoded by the framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import grpc
import grpc.aio

from collector.encodings import MAX_BYTES
from collector.errors import CollectorError, Malformed
from collector.messages import SERVICES, response_for
from collector.receiver import Receiver, Signal

__all__ = ["start_grpc"]

_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_BYTES),  # beyond it gRPC itself answers RESOURCE_EXHAUSTED
    ("grpc.so_reuseport", 0),  # a taken port is an error, not shared silently
]


async def start_grpc(receiver: Receiver, host: str, port: int) -> tuple[grpc.aio.Server, int]:
    """Listen; gives the server and the port it got. Raises OSError when the address cannot be bound."""
    server = grpc.aio.server(options=_OPTIONS)
    for service, signal in SERVICES.items():
        handler = grpc.unary_unary_rpc_method_handler(_export(receiver, signal))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(f"cannot listen on {host}:{port} for gRPC: {error}") from error
    await server.start()
    return server, bound


def _export(
    receiver: Receiver, signal: Signal
) -> Callable[[bytes, grpc.aio.ServicerContext[bytes, bytes]], Awaitable[bytes]]:
    async def export(body: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        try:
            admitted = receiver.receive(signal, body)
        except CollectorError as error:
            # UNAVAILABLE is what tells an OTLP client to keep the batch and try again.
            code = grpc.StatusCode.INVALID_ARGUMENT if isinstance(error, Malformed) else grpc.StatusCode.UNAVAILABLE
            await context.abort(code, str(error))
        answer: bytes = response_for(signal, admitted).SerializeToString()
        return answer

    return export
