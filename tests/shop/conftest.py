"""The shop as it really runs: its services, their servers, and every link through a proxy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from tests.shop.exported import ExportedLog, ExportedSpan, exported_logs, exported_spans
from tracegap.stack.stack import Stack, StackOptions

CARD = "4242424242424242"

Answer = TypeVar("Answer")


@dataclass
class RunningShop:
    stack: Stack
    gateway: httpx.Client
    toxiproxy: httpx.Client

    def check_out(
        self,
        sku: str = "plain-kettle",
        *,
        card: str = CARD,
        quantity: int = 1,
        key: str | None = None,
        tier: str = "basic",
        traceparent: str | None = None,
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key, "traceparent": traceparent}
        return self.gateway.post(
            "/checkout",
            json={
                "user_id": "ada",
                "user_tier": tier,
                "items": [{"sku": sku, "quantity": quantity}],
                "card": {"number": card},
            },
            headers={name: value for name, value in headers.items() if value is not None},
        )

    def order(self, order_id: str) -> dict[str, object]:
        return dict(self.gateway.get(f"/orders/{order_id}").json())

    def misbehave(self, **orders: dict[str, object]) -> None:
        self.stack.misbehave_file.write_text(json.dumps(orders))

    def behave(self) -> None:
        self.stack.misbehave_file.unlink(missing_ok=True)

    def set_link(self, link: str, *, enabled: bool) -> None:
        self.toxiproxy.post(f"/proxies/{link}", json={"enabled": enabled}).raise_for_status()

    def spans(self, trace_id: str) -> list[ExportedSpan]:
        return [span for span in exported_spans(self.stack.directory / "otlp") if span.trace_id == trace_id]

    def logs(self) -> list[ExportedLog]:
        return exported_logs(self.stack.directory / "otlp")

    def log_of(self, service: str) -> list[dict[str, object]]:
        lines = (self.stack.directory / "parts" / f"{service}.log").read_text().splitlines()
        return [json.loads(line) for line in lines]


def eventually(ask: Callable[[], Answer], *, within_s: float = 15) -> Answer:
    """The first truthy answer; the last answer when time is up, for the assertion to show."""
    deadline_s = time.monotonic() + within_s
    while not (answer := ask()) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return answer


def running(directory: Path, options: StackOptions) -> Iterator[RunningShop]:
    with Stack(directory, options) as stack:
        stack.start()
        with (
            httpx.Client(base_url=stack.gateway_url, timeout=20) as gateway,
            httpx.Client(base_url=stack.toxiproxy_url) as toxiproxy,
        ):
            yield RunningShop(stack, gateway, toxiproxy)
        stack.stop_services()
        stack.stop()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    yield from running(tmp_path_factory.mktemp("shop"), StackOptions())
