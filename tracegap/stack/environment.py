"""The environment variables that parts are started with."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from shop.settings import telemetry_environment

__all__ = ["base_environment", "service_environment"]

_OWN_PREFIXES = ("OTEL_", "SHOP_", "LOCUST_", "UVICORN_")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")


def base_environment(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The user's environment without what would change the experiment.

    That is their own telemetry settings, and web proxies that would stand between parts on loopback.
    """
    return {
        name: value
        for name, value in inherited.items()
        if not name.startswith(_OWN_PREFIXES) and name.lower() not in _PROXY_VARIABLES
    }


def service_environment(service: str, otlp_http: str) -> dict[str, str]:
    """What an instrumented service is told: the shop's own telemetry settings, and which process of which host it is.

    Args:
        otlp_http: base URL of the collector's OTLP/HTTP endpoint; spans go there directly and not through a link.
    """
    resource = f"service.instance.id={service}-1,host.name={socket.gethostname()}"
    return {**telemetry_environment(service, otlp_http), "OTEL_RESOURCE_ATTRIBUTES": resource}
