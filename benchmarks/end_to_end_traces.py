"""Jaeger JSON files like those that the query API of a real shop's Jaeger gives: one trace a file, deterministic.

A checkout calls seven services over gRPC, two of them once for every item in the cart, keeps the cart in a cache and
sends an order that two services consume. Durations vary by trace and by span; in one trace of ten the payment answers
late, and in one of two hundred it fails with an exception. Spans have six to nine tags, as OpenTelemetry's exporters
write them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["ROOT_OPERATION", "ROOT_SERVICE", "trace_json", "write_files"]

ROOT_SERVICE, ROOT_OPERATION = "frontend", "POST /api/checkout"
SPANS_BESIDE_ITEMS, SPANS_AN_ITEM = 20, 4
SERVICES = (
    "frontend", "checkout", "cart", "catalog", "currency", "shipping", "payment", "email", "accounting", "fraud",
)  # fmt: skip
LATE_PAYMENT_US, LATE_SHARE, FAILED_SHARE = 60_000, 0.1, 0.005


@dataclass
class Trace:
    """A trace under construction: spans as JSON texts, and a clock in microseconds."""

    trace_id: str
    chance: random.Random
    now_us: int
    spans: list[str]

    def span(self, service: str, name: str, kind: str, parent: str, start_us: int, tags: str, logs: str = "") -> str:
        """Append a span from `start_us` until now; its id."""
        span_id = f"{self.chance.getrandbits(64) or 1:016x}"
        reference = f'{{"refType":"CHILD_OF","traceID":"{self.trace_id}","spanID":"{parent}"}}' if parent else ""
        self._put(span_id, service, name, kind, reference, start_us, self.now_us - start_us, tags, logs)
        return span_id

    def _put(self, span_id: str, service: str, name: str, kind: str, reference: str, start_us: int, length_us: int,
             tags: str, logs: str) -> None:  # fmt: skip
        self.spans.append(
            f'{{"traceID":"{self.trace_id}","spanID":"{span_id}","flags":1,"operationName":"{name}",'
            f'"references":[{reference}],"startTime":{start_us},"duration":{length_us},"tags":['
            f"{_text('otel.scope.name', f'io.shop.{service}')},{_text('span.kind', kind)},{tags},"
            f'{_text("internal.span.format", "otlp")}],"logs":[{logs}],'
            f'"processID":"p{SERVICES.index(service) + 1}","warnings":null}}'
        )

    def wait(self, typical_us: float) -> None:
        self.now_us += 1 + int(typical_us * (0.6 + 0.8 * self.chance.random() ** 2))


@cache
def _text(key: str, value: str) -> str:
    return f'{{"key":"{key}","type":"string","value":"{value}"}}'


@cache
def _number(key: str, value: int) -> str:
    return f'{{"key":"{key}","type":"int64","value":{value}}}'


PROCESSES = ",".join(
    f'"p{number}":{{"serviceName":"{service}","tags":['
    + ",".join(
        _text(key, value)
        for key, value in (
            ("host.name", f"node-{number % 3}"),
            ("k8s.pod.name", f"{service}-7d9c6b5f4-{number}abcd"),
            ("service.namespace", "shop"),
            ("service.instance.id", f"{service}-{number}"),
            ("telemetry.sdk.language", "go"),
            ("telemetry.sdk.name", "opentelemetry"),
            ("telemetry.sdk.version", "1.28.0"),
        )
    )
    + "]}"
    for number, service in enumerate(SERVICES, 1)
)
EXCEPTION = (
    '{"timestamp":0,"fields":['
    + ",".join(
        (
            _text("event", "exception"),
            _text("exception.type", "PaymentError"),
            _text("exception.message", "Credit card info is invalid"),
        )
    )
    + "]}"
)


@cache
def _rpc(service: str, method: str, code: int = 0) -> str:
    return ",".join(
        (
            _text("rpc.system", "grpc"),
            _text("rpc.service", f"shop.{service}"),
            _text("rpc.method", method),
            _number("rpc.grpc.status_code", code),
        )
    )


class _Call:
    """A gRPC call: a CLIENT span around a SERVER span, whose children are made in between."""

    def __init__(self, trace: Trace, caller: str, callee: str, method: str, parent: str) -> None:
        self.trace, self.caller, self.callee, self.method, self.parent = trace, caller, callee, method, parent
        self.began_us = trace.now_us
        trace.wait(400)
        self.served_us = trace.now_us
        self.client_id, self.server_id = (f"{trace.chance.getrandbits(64) or 1:016x}" for _ in range(2))

    def end(self, code: int = 0) -> None:
        trace = self.trace
        name = f"shop.{self.callee}/{self.method}"
        rpc = _rpc(self.callee, self.method, code)
        error = f',{{"key":"error","type":"bool","value":true}},{_text("otel.status_code", "ERROR")}' if code else ""
        served_until_us = trace.now_us
        trace.wait(400)
        for span_id, service, kind, parent, start_us, end_us, tags, logs in (
            (self.server_id, self.callee, "server", self.client_id, self.served_us, served_until_us, "",
             EXCEPTION if code else ""),
            (self.client_id, self.caller, "client", self.parent, self.began_us, trace.now_us,
             f',{_text("server.address", self.callee)},{_number("server.port", 8080)}', ""),
        ):  # fmt: skip
            reference = f'{{"refType":"CHILD_OF","traceID":"{trace.trace_id}","spanID":"{parent}"}}'
            trace._put(span_id, service, name, kind, reference, start_us, end_us - start_us, rpc + tags + error, logs)


def trace_json(number: int, items: int, seed: int) -> str:
    """One checkout of so many items, as Jaeger's API answers: SPANS_BESIDE_ITEMS + SPANS_AN_ITEM * items spans."""
    chance = random.Random(seed * 1_000_003 + number)
    trace = Trace(f"{chance.getrandbits(128) | 1 << 127:032x}", chance, 1_700_000_000_000_000 + number * 20_000, [])
    began_us = trace.now_us
    root = f"{chance.getrandbits(64) or 1:016x}"
    trace.wait(800)
    checkout = _Call(trace, "frontend", "checkout", "PlaceOrder", root)
    _cart(trace, checkout.server_id, "GetCart", "HGET")
    for _ in range(items):
        _simple(trace, "checkout", "catalog", "GetProduct", checkout.server_id, 900)
        _simple(trace, "checkout", "currency", "Convert", checkout.server_id, 300)
    _simple(trace, "checkout", "shipping", "GetQuote", checkout.server_id, 2_500)
    late = LATE_PAYMENT_US if chance.random() < LATE_SHARE else 0
    failed = chance.random() < FAILED_SHARE
    _simple(trace, "checkout", "payment", "Charge", checkout.server_id, 8_000 + late, 13 if failed else 0)
    if not failed:
        _simple(trace, "checkout", "shipping", "ShipOrder", checkout.server_id, 2_000)
        _cart(trace, checkout.server_id, "EmptyCart", "DEL")
        _simple(trace, "checkout", "email", "SendOrderConfirmation", checkout.server_id, 4_000)
    consumers_from = _publish(trace, checkout.server_id)
    trace.wait(500)
    checkout.end(13 if failed else 0)
    trace.wait(600)
    http = ",".join(
        (
            _text("http.request.method", "POST"),
            _text("url.path", "/api/checkout"),
            _text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
            _number("http.response.status_code", 500 if failed else 200),
        )
    )
    trace._put(root, "frontend", ROOT_OPERATION, "server", "", began_us, trace.now_us - began_us, http, "")
    _consume(trace, *consumers_from)
    body = ",".join(trace.spans)
    return (
        f'{{"data":[{{"traceID":"{trace.trace_id}","spans":[{body}],"processes":{{{PROCESSES}}},"warnings":null}}],'
        '"total":0,"limit":0,"offset":0,"errors":null}'
    )


def _simple(trace: Trace, caller: str, callee: str, method: str, parent: str, typical_us: float, code: int = 0) -> None:
    call = _Call(trace, caller, callee, method, parent)
    trace.wait(typical_us)
    call.end(code)


def _cart(trace: Trace, parent: str, method: str, command: str) -> None:
    call = _Call(trace, "checkout", "cart", method, parent)
    trace.wait(200)
    began_us = trace.now_us
    trace.wait(700)
    redis = ",".join(
        (
            _text("db.system", "redis"),
            _text("db.statement", f"{command} cart:42"),
            _text("server.address", "redis-cart"),
            _number("server.port", 6379),
        )
    )
    trace.span("cart", command, "client", call.server_id, began_us, redis)
    trace.wait(100)
    call.end()


def _publish(trace: Trace, parent: str) -> tuple[str, int]:
    began_us = trace.now_us
    trace.wait(600)
    return trace.span("checkout", "orders publish", "producer", parent, began_us, _kafka("publish")), trace.now_us


def _consume(trace: Trace, producer: str, sent_us: int) -> None:
    for service in ("accounting", "fraud"):
        trace.now_us = sent_us
        trace.wait(5_000)
        began_us = trace.now_us
        trace.wait(9_000)
        trace.span(service, "orders process", "consumer", producer, began_us, _kafka("process"))


@cache
def _kafka(operation: str) -> str:
    return ",".join(
        (
            _text("messaging.system", "kafka"),
            _text("messaging.destination.name", "orders"),
            _text("messaging.operation", operation),
            _number("messaging.message.body.size", 512),
        )
    )


def write_files(directory: Path, files: int, spans: int, seed: int = 1) -> int:
    """Write so many traces of about so many spans together, one a file; the bytes written."""
    size = 0
    for number, items in enumerate(_items(files, spans)):
        text = trace_json(number, items, seed)
        (directory / f"trace-{number:06d}.json").write_text(text, encoding="ascii")
        size += len(text)
    return size


def _items(files: int, spans: int) -> Iterator[int]:
    """How many items each cart holds: between none and twice as many as on average."""
    average = max(0.0, (spans / files - SPANS_BESIDE_ITEMS) / SPANS_AN_ITEM)
    chance = random.Random(files)
    return (round(chance.uniform(0, 2 * average)) for _ in range(files))
