"""docker-compose.yml, held against the specification's schema and against the stack that the project runs itself."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from jsonschema import Draft201909Validator

from shop.settings import telemetry_environment
from tracegap.stack.description import GENERATOR, LINKS, SERVERS, SERVICES

ROOT = Path(__file__).parent.parent
SCHEMA = json.loads((ROOT / "tests/compose_spec/compose-spec.json").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PARTS: dict[str, dict[str, Any]] = COMPOSE["services"]
PROXIES = {proxy["name"]: proxy for proxy in json.loads((ROOT / "docker/toxiproxy.json").read_text())}
NO_STARTED_PROCESS_IN_CONTAINER = {"toxiproxy", "jaeger"}


def errors_of(document: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft201909Validator(SCHEMA).iter_errors(document)]


def test_the_file_is_valid() -> None:
    """By the Compose Specification's own schema."""
    assert errors_of(COMPOSE) == []


def test_the_schema_finds_mistakes() -> None:
    """A misspelt key is one: the validation above can fail."""
    assert errors_of({"services": {"nats": {"imagee": "nats"}}}) != []


def test_the_parts_are_those_of_the_stack() -> None:
    """Services and servers of its description, Toxiproxy and Jaeger; nothing else."""
    described = {service.name for service in SERVICES} | {server.name for server in SERVERS}
    assert set(PARTS) == described | NO_STARTED_PROCESS_IN_CONTAINER


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_is_started_as_in_the_stack(service: Any) -> None:
    """Application, port, and the instrumentation where it has one."""
    command = PARTS[service.name]["command"]
    instrument = ["opentelemetry-instrument"] if service.instrumented else []
    uvicorn = ["uvicorn", service.app, "--host", "0.0.0.0", "--port", str(service.port), "--no-access-log"]
    assert command == instrument + uvicorn
    assert f":{service.port}/healthz" in PARTS[service.name]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("service", [service for service in SERVICES if service.instrumented], ids=lambda s: s.name)
def test_telemetry_is_that_of_the_stack(service: Any) -> None:
    """The shop's own settings, but for logs, which Jaeger does not take."""
    expected = telemetry_environment(service.name, "http://jaeger:4318") | {"OTEL_LOGS_EXPORTER": "none"}
    environment = PARTS[service.name]["environment"]
    assert {name: value for name, value in environment.items() if name.startswith("OTEL_")} == expected


def test_every_link_is_a_proxy() -> None:
    """One for each link of the stack, to the part and port that it leads to, each on a port of its own."""
    ports = {part.name: part.port for part in (*SERVERS, *SERVICES)}
    assert {name: proxy["upstream"] for name, proxy in PROXIES.items()} == {
        link.name: f"{link.upstream}:{ports[link.upstream]}" for link in LINKS
    }
    assert len({proxy["listen"] for proxy in PROXIES.values()}) == len(LINKS)
    assert all(proxy["enabled"] for proxy in PROXIES.values())


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
def test_callers_go_through_their_link(link: Any) -> None:
    """By the variable that the stack sets; the load generator by a published port."""
    port = PROXIES[link.name]["listen"].rpartition(":")[2]
    if link.caller == GENERATOR:
        assert any(published.endswith(f":{port}") for published in PARTS["toxiproxy"]["ports"])
    else:
        url = urlsplit(PARTS[link.caller]["environment"][link.variable])
        assert (url.hostname, str(url.port)) == ("toxiproxy", port)


def test_callers_have_no_other_addresses() -> None:
    """No variable leads around a link."""
    variables = {(link.caller, link.variable) for link in LINKS if link.variable}
    for name in (service.name for service in SERVICES):
        environment = PARTS[name].get("environment", {})
        assert {key for key in environment if key.endswith("_URL")} == {
            variable for caller, variable in variables if caller == name
        }


def test_ports_are_published_on_loopback_only() -> None:
    """For people on this machine and nobody else."""
    published = [port for part in PARTS.values() for port in part.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_every_part_has_a_health_check_and_is_waited_for() -> None:
    """Whoever depends on a part waits until it is healthy."""
    assert [name for name, part in PARTS.items() if "healthcheck" not in part] == []
    conditions = {need["condition"] for part in PARTS.values() for need in part.get("depends_on", {}).values()}
    assert conditions == {"service_healthy"}


def test_images_are_pinned() -> None:
    """A version to the patch level, never a moving tag; the shop's own is built here."""
    for name, part in PARTS.items():
        tag = part["image"].rpartition(":")[2]
        assert part.get("build") or re.match(r"\d+\.\d+(\.\d+)?(-|$)", tag), name
    dockerfile = (ROOT / "docker/shop.Dockerfile").read_text()
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"python:3.12.11-slim-bookworm"}


def test_services_run_without_privileges() -> None:
    """Another user than root, a read-only file system, no capabilities."""
    dockerfile = (ROOT / "docker/shop.Dockerfile").read_text()
    [user] = re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE)
    assert int(user) > 0
    for service in SERVICES:
        part = PARTS[service.name]
        assert (part["read_only"], part["cap_drop"], "user" in part) == (True, ["ALL"], False)


def test_the_image_has_what_the_shop_needs_at_the_locked_versions() -> None:
    """Everything of the `shop` extra, at the versions of the project's lock file, each with hashes."""
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["shop"]
    wanted = {re.split(r"[\[><=]", requirement)[0] for requirement in extra}
    image, project = (_pins(ROOT / lock) for lock in ("docker/shop.lock", "requirements.lock"))
    assert wanted <= set(image)
    assert {
        name: (image[name], project[name]) for name in image.keys() & project.keys() if image[name] != project[name]
    } == {}
    assert "locust" not in image


def _pins(lock: Path) -> dict[str, str]:
    text = lock.read_text()
    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, re.MULTILINE))
    assert text.count("--hash=sha256:") >= len(pins)
    return pins
