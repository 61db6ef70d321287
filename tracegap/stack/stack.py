"""The stack as it runs: every part started in its turn, ready, watched, stopped."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from tracegap.errors import PartFailed
from tracegap.stack import servers
from tracegap.stack.description import LINKS, SERVERS, SERVICES, Link, Service
from tracegap.stack.environment import base_environment, service_environment
from tracegap.stack.links import LinkProxies
from tracegap.stack.ports import LOOPBACK, reserve_port
from tracegap.stack.probes import Probe, http_probe, line_probe, nats_probe, postgres_probe, redis_probe
from tracegap.stack.programs import script
from tracegap.stack.supervisor import Process, Supervisor, log_tail

__all__ = ["Delivery", "Stack", "StackOptions"]

Delivery = Literal["at_most_once", "durable"]

READY_WITHIN_S = 60.0
ASK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class StackOptions:
    toxiproxy: str | None = None  # URL of a running server; None: `toxiproxy-server` on the PATH, else the embedded one
    trace_bank: bool = False
    delivery: Delivery = "at_most_once"
    ready_within_s: float = READY_WITHIN_S


@dataclass(frozen=True, slots=True)
class _Step:
    """A part, how to see that it is ready, and which parts have to be ready before it is started."""

    process: Process
    probe: Probe | None  # None: ready when it has ended well
    needs: tuple[str, ...] = ()


class Stack:
    """Starts with `start`; a context manager that ends everything when it is left.

    Args:
        directory: of the run: collector files go to `otlp/`, logs to `parts/`.
    """

    def __init__(self, directory: Path, options: StackOptions) -> None:
        self.directory = directory
        self.options = options
        self.misbehave_file = directory / "misbehave.json"
        self.ports = {part: reserve_port() for part in (*(s.name for s in SERVERS), *(s.name for s in SERVICES))}
        self.otlp_grpc_port = reserve_port()
        self.otlp_http_port = reserve_port()
        self.listens: dict[str, str] = {}  # link to the host:port of its proxy
        self.supervisor = Supervisor(directory / "parts")
        self._links: LinkProxies | None = None
        self._data: Path | None = None

    # -- addresses ------------------------------------------------------------------------------------------------

    @property
    def toxiproxy_url(self) -> str:
        assert self._links is not None, "not started"
        return self._links.server.url

    @property
    def gateway_url(self) -> str:
        """Where traffic goes in: through the first link."""
        return f"http://{self.listens['locust->gateway']}"

    @property
    def otlp_http_url(self) -> str:
        return f"http://{LOOPBACK}:{self.otlp_http_port}"

    @property
    def otlp_grpc_url(self) -> str:
        return f"http://{LOOPBACK}:{self.otlp_grpc_port}"

    @property
    def database_url(self) -> str:
        """PostgreSQL itself, not through a link: for those who look at the outcome."""
        return _url("postgres", f"{LOOPBACK}:{self.ports['postgres']}")

    def upstream(self, link: Link) -> str:
        return f"{LOOPBACK}:{self.ports[link.upstream]}"

    def address_book(self) -> dict[str, str]:
        """`host:port` to the name of who is called there: servers by their system's name, services by their own."""
        names = {server.name: server.system for server in SERVERS} | {
            service.name: service.name for service in SERVICES
        }
        book = {f"{LOOPBACK}:{port}": names[part] for part, port in self.ports.items()}
        return book | {self.listens[link.name]: names[link.upstream] for link in LINKS if link.name in self.listens}

    # -- life -----------------------------------------------------------------------------------------------------

    def start(
        self, on_ready: Callable[[str], None] = lambda part: None, on_links: Callable[[], None] = lambda: None
    ) -> None:
        """Start all parts, as many at the same time as their needs allow, and wait until all are ready.

        Args:
            on_ready: called with each part's name when it is.
            on_links: called when the links have addresses, while the services come up: time to start who uses them.

        Raises:
            PartFailed: a part cannot be started, died, or was not ready in time.
            UnusableInput: the Toxiproxy that was asked for does not answer, or is in use.
        """
        external = None if self.options.toxiproxy is None else LinkProxies(self.options.toxiproxy)
        if external is not None:
            upstreams = {link.name: self.upstream(link) for link in LINKS}
            external.check_free(upstreams)
            pairs = [f"{link}={upstream}" for link, upstream in upstreams.items()]
            self.supervisor.run_at_end(
                [sys.executable, "-P", "-m", "tracegap.stack.links", external.server.url, *pairs]
            )
        self._data = servers.make_data_directory()
        self.supervisor.remove_at_end(self._data)
        steps = [*self._server_steps(self._data), self._collector_step()]
        if external is None:
            port = reserve_port()
            external = LinkProxies(f"http://{LOOPBACK}:{port}")
            steps.insert(0, _toxiproxy_step(port))
        self._links = external
        self._bring_up(steps, on_ready, on_links)

    def _bring_up(self, steps: Sequence[_Step], on_ready: Callable[[str], None], on_links: Callable[[], None]) -> None:
        waiting = list(steps)
        starting: dict[str, _Step] = {}
        ready: set[str] = set()
        deadline_s = time.monotonic() + self.options.ready_within_s
        while waiting or starting or not self.listens:
            self._start_what_can(waiting, starting, ready)
            if not self.listens and (self.options.toxiproxy is not None or "toxiproxy" in ready):
                assert self._links is not None
                self.listens = self._links.create({link.name: self.upstream(link) for link in LINKS})
                waiting.extend(self._service_step(service) for service in SERVICES)
                self._start_what_can(waiting, starting, ready)
                on_links()
            for name, step in list(starting.items()):
                if self._is_ready(step):
                    del starting[name]
                    ready.add(name)
                    on_ready(name)
            self.supervisor.check()
            if time.monotonic() > deadline_s:
                raise self._too_late(starting)
            time.sleep(ASK_EVERY_S)

    def _start_what_can(self, waiting: list[_Step], starting: dict[str, _Step], ready: set[str]) -> None:
        for step in [step for step in waiting if ready.issuperset(step.needs)]:
            waiting.remove(step)
            starting[step.process.name] = step
            self.supervisor.start(step.process)

    def _is_ready(self, step: _Step) -> bool:
        if step.probe is not None:
            return step.probe.ready()
        name = step.process.name
        code = self.supervisor.exit_code(name)
        if code:
            raise PartFailed(f"{name} failed with exit code {code}{log_tail(self.supervisor.log_of(name))}")
        return code == 0

    def _too_late(self, starting: dict[str, _Step]) -> PartFailed:
        name, step = next(iter(starting.items()))
        what = step.probe.what if step.probe is not None else f"{name} to end"
        log = log_tail(self.supervisor.log_of(name))
        return PartFailed(f"{name} did not come up: waited {self.options.ready_within_s:g} s for {what}{log}")

    def stop_services(self) -> None:
        """Let the services finish and send the spans that they still hold; then the collector has everything."""
        self.supervisor.stop([service.name for service in SERVICES], grace_s=8)

    def stop(self) -> None:
        """Stop everything, callers before those they call."""
        if self._links is not None:
            self._links.delete()
        self.supervisor.stop(["collector"])
        self.supervisor.stop([name for name in self.supervisor.pids if name not in {s.name for s in SERVICES}])
        self.supervisor.close()

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._links is not None and self.options.toxiproxy is not None:
            self._links.delete()  # our own server takes its proxies with it
        self.supervisor.close()
        if self._data is not None:
            shutil.rmtree(self._data, ignore_errors=True)  # the guardian has, unless somebody killed it

    # -- parts ----------------------------------------------------------------------------------------------------

    def _server_steps(self, data: Path) -> list[_Step]:
        ports = self.ports
        database = postgres_probe(LOOPBACK, ports["postgres"], servers.POSTGRES_USER, servers.POSTGRES_DATABASE)
        return [
            _Step(servers.initdb(data), None),
            _Step(servers.nats(data, ports["nats"]), nats_probe(LOOPBACK, ports["nats"])),
            _Step(servers.redis(data, ports["redis"]), redis_probe(LOOPBACK, ports["redis"])),
            _Step(servers.postgres(data, ports["postgres"]), database, needs=("initdb",)),
        ]

    def _collector_step(self) -> _Step:
        command = (
            *(
                sys.executable,
                "-P",
                "-m",
                "collector",
                "-o",
                str((self.directory / "otlp").absolute()),
                "--host",
                LOOPBACK,
            ),
            *("--grpc-port", str(self.otlp_grpc_port), "--http-port", str(self.otlp_http_port)),
        )
        log = self.supervisor.log_of("collector")
        return _Step(Process("collector", command, base_environment(), self.directory), line_probe(log, "ready"))

    def _service_step(self, service: Service) -> _Step:
        port = self.ports[service.name]
        uvicorn = ("uvicorn", service.app, "--host", LOOPBACK, "--port", str(port), "--no-access-log")
        environment = {
            **base_environment(),
            "SHOP_DELIVERY": self.options.delivery,
            "SHOP_MISBEHAVE_FILE": str(self.misbehave_file.absolute()),
        }
        for link in (link for link in LINKS if link.caller == service.name):
            environment[link.variable] = _url(link.protocol, self.listens[link.name])
        command: tuple[str, ...] = (sys.executable, "-P", "-m", *uvicorn)
        if service.instrumented or self.options.trace_bank:
            command = (
                str(script("opentelemetry-instrument", "opentelemetry-distro")),
                sys.executable,
                "-P",
                "-m",
                *uvicorn,
            )
            environment |= service_environment(service.name, self.otlp_http_url)
        process = Process(service.name, command, environment, self.directory)
        # It needs nobody to be ready: it connects when they are, and its health says when it has.
        return _Step(process, http_probe(LOOPBACK, port, "/healthz"))


def _toxiproxy_step(port: int) -> _Step:
    program = shutil.which("toxiproxy-server")
    command: tuple[str, ...] = (sys.executable, "-P", "-m", "faults.proxy", "--host", LOOPBACK, "--port", str(port))
    if program is not None:
        command = (program, "-host", LOOPBACK, "-port", str(port))
    process = Process("toxiproxy", command)
    return _Step(process, http_probe(LOOPBACK, port, "/version"))


def _url(protocol: str, address: str) -> str:
    match protocol:
        case "postgres":
            return f"postgresql://{servers.POSTGRES_USER}@{address}/{servers.POSTGRES_DATABASE}"
        case _:
            return f"{protocol}://{address}"
