"""What the environment tells a service, and what telemetry it should be started with.

Services are configured by environment only, so that any starter can run them: the project's own
stack, Compose, a shell.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

__all__ = ["SERVICES", "Settings", "UnusableSettings", "telemetry_environment"]

SERVICES = ("gateway", "inventory", "payment", "bank", "fulfillment", "email")
"""Every service, as `shop.<name>:app`."""

Delivery = Literal["at_most_once", "durable"]


class UnusableSettings(Exception):
    """The environment lacks a variable, or one has a value that nobody can use; the message names it."""


class Settings(BaseModel):
    """The variables a service may read; which ones it needs is its own matter (`require`)."""

    model_config = ConfigDict(frozen=True)

    inventory_url: str | None = Field(None, alias="INVENTORY_URL")
    payment_url: str | None = Field(None, alias="PAYMENT_URL")
    bank_url: str | None = Field(None, alias="BANK_URL")
    database_url: str | None = Field(None, alias="DATABASE_URL")
    redis_url: str | None = Field(None, alias="REDIS_URL")
    nats_url: str | None = Field(None, alias="NATS_URL")
    delivery: Delivery = Field("at_most_once", alias="SHOP_DELIVERY")
    misbehave_file: Path | None = Field(None, alias="SHOP_MISBEHAVE_FILE")

    @classmethod
    def from_environment(cls) -> Settings:
        """Raises UnusableSettings for a value out of its range; empty variables count as unset."""
        try:
            return cls.model_validate({name: value for name, value in os.environ.items() if value})
        except ValidationError as error:
            first = error.errors()[0]
            raise UnusableSettings(f"{first['loc'][0]}={first['input']!r}: {first['msg']}") from None

    def require(self, variable: str) -> str:
        """The value of one of the URL variables; raises UnusableSettings when it is not set."""
        value = getattr(self, variable.lower())
        if not isinstance(value, str):
            raise UnusableSettings(f"{variable} is not set, and this service cannot work without it")
        return value


_TELEMETRY = {
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_PROPAGATORS": "tracecontext",
    "OTEL_PYTHON_EXCLUDED_URLS": "healthz",
    # Stable names (server.address, error.type): without them a refused call does not say whom it called.
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
    # Payload sizes: they tell a slow link from a narrow one.
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "content-length",
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE": "content-length",
    # Spans on disk half a second after they end, so that a run can be looked at while it runs.
    "OTEL_BSP_SCHEDULE_DELAY": "500",
    "OTEL_BLRP_SCHEDULE_DELAY": "500",
    "OTEL_BSP_MAX_QUEUE_SIZE": "16384",
    "OTEL_PYTHON_LOG_HANDLER_LEVEL": "info",
}
"""What `opentelemetry-instrument` has to be told for the shop; docs/shop.md has all the reasons."""


def telemetry_environment(service: str, otlp_http_endpoint: str) -> dict[str, str]:
    """The OTEL_* variables for one service that sends its spans and logs to an OTLP/HTTP endpoint.

    `otlp_http_endpoint` is the base address, such as `http://127.0.0.1:4318`.
    """
    return {
        **_TELEMETRY,
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_http_endpoint,
    }
