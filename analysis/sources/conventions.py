"""The one table of what attributes mean: semantic conventions old and new, and the forms' own habits.

Every list is in order of preference; the first key that a span has decides. Newest names stand first:
https://opentelemetry.io/docs/specs/semconv/ (1.27 and later), then what they replaced, then OpenTracing's, Brave's
and Envoy's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = [
    "DESTINATION",
    "ENDPOINTS",
    "ERROR_TYPE",
    "ERROR_WORDS_WITHOUT_TYPE",
    "GRPC_CODES",
    "GRPC_STATUS",
    "HOST",
    "HTTP_STATUS",
    "INSTANCE",
    "MESSAGE_BYTES",
    "PEER",
    "REQUEST_BYTES",
    "RESPONSE_BYTES",
    "URL",
    "Process",
    "process_of",
]

HTTP_STATUS = ("http.response.status_code", "http.status_code")

ERROR_TYPE = ("error.type", "exception.type")
GRPC_STATUS = ("rpc.response.status_code", "rpc.grpc.status_code", "grpc.status_code")
ERROR_TAG = "error"
"""Jaeger and Zipkin: true and false, or a word for what happened (Zipkin)."""
ERROR_WORDS_WITHOUT_TYPE = ("", "true", "false", "True", "False", "1", "0")

GRPC_CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
"""The index is the number on the wire (grpc/statuscodes.md)."""

PEER = ("peer.service", "db.system.name", "db.system", "db.type", "messaging.system")

ENDPOINTS = (
    ("server.address", "server.port"),
    ("net.peer.name", "net.peer.port"),
    ("peer.hostname", "peer.port"),
    ("peer.address", "peer.port"),
    ("net.sock.peer.name", "net.sock.peer.port"),
)
"""Host and port that a CLIENT or PRODUCER span went to; a URL comes before bare network addresses."""
URL = ("url.full", "http.url")
NETWORK_ENDPOINTS = (
    ("network.peer.address", "network.peer.port"),
    ("net.peer.ip", "net.peer.port"),
    ("net.sock.peer.addr", "net.sock.peer.port"),
    ("peer.ipv4", "peer.port"),
    ("peer.ipv6", "peer.port"),
)

DESTINATION = (
    "messaging.destination.name",
    "messaging.destination",
    "messaging.destination_publish.name",
    "messaging.source.name",
    "messaging.kafka.topic",
    "message_bus.destination",
    "kafka.topic",
    "rabbit.queue",
    "jms.queue",
    "jms.topic",
)

REQUEST_BYTES = (
    "http.request.body.size",
    "http.request_content_length",
    "http.request.size",
    "http.request.header.content-length",
    "http.request.header.content_length",
    "request_size",  # Envoy
)
RESPONSE_BYTES = (
    "http.response.body.size",
    "http.response_content_length",
    "http.response.size",
    "http.response.header.content-length",
    "http.response.header.content_length",
    "response_size",  # Envoy
)
MESSAGE_BYTES = (
    "messaging.message.body.size",
    "messaging.message.envelope.size",
    "messaging.message.payload_size_bytes",
    "messaging.message_payload_size_bytes",
)

HOST = ("host.id", "host.name", "k8s.node.name", "hostname", "ip")
INSTANCE = ("service.instance.id", "k8s.pod.name", "container.id", "client-uuid")


class Process(NamedTuple):
    """What the table keeps of a resource."""

    service: str | None
    host: str | None
    instance: str | None


def process_of(attributes: Mapping[str, str]) -> Process:
    """The process that resource attributes (as text) describe."""
    host = _first(attributes, HOST)
    instance = _first(attributes, INSTANCE)
    pid = attributes.get("process.pid")
    if instance is None and pid:
        instance = f"{host or ''}:{pid}"
    return Process(attributes.get("service.name") or None, host, instance)


def _first(attributes: Mapping[str, str], keys: tuple[str, ...]) -> str | None:
    return next((attributes[key] for key in keys if attributes.get(key)), None)
