"""`tracegap faults`: plans and toxics on any Toxiproxy, and the embedded server alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import click

from faults.errors import FaultsError, PlanError, ToxiproxyError, ToxiproxyUnreachable
from faults.injector import Injector
from faults.ledger import FaultRecord, Ledger
from faults.plan import Phase, Plan, load_plan
from faults.plan_file import one_line
from faults.probe import PROBES, Probe
from faults.toxiproxy import DEFAULT_URL, Proxy, Toxiproxy
from faults.watchdog import Watchdog
from tracegap.errors import PartFailed, UnusableInput
from tracegap.interrupts import interruptible
from tracegap.stack.description import LINKS, SERVICES

__all__ = ["command"]

Function = TypeVar("Function", bound=Callable[..., object])

SERVICE_NAMES = tuple(service.name for service in SERVICES)
PLAN = click.Path(dir_okay=False, path_type=Path)


def _toxiproxy_option(function: Function) -> Function:
    return click.option(
        "--toxiproxy",
        "url",
        metavar="URL",
        default=DEFAULT_URL,
        show_default=True,
        help="The Toxiproxy server, the original or the embedded one.",
    )(function)


@click.group()
def command() -> None:
    """Toxics and fault plans on any Toxiproxy."""


@command.command("list")
@_toxiproxy_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_(url: str, form: str) -> None:
    """Show every proxy of a server with its toxics."""
    with _user_errors():
        proxies = _connect(url).proxies()
    if form == "json":
        click.echo(json.dumps([asdict(proxy) for proxy in proxies.values()], indent=2))
        return
    if not proxies:
        click.echo(f"The Toxiproxy at {url} has no proxies.", err=True)
    for proxy in proxies.values():
        click.echo(one_line(_in_words(proxy)))
        for toxic in proxy.toxics:
            attributes = " ".join(f"{name}={value}" for name, value in sorted(toxic.attributes.items()))
            share = "" if toxic.toxicity == 1 else f" on {toxic.toxicity:.0%} of the connections"
            click.echo(one_line(f"    {toxic.type} {toxic.stream} {attributes}{share}  ({toxic.name})"))


def _in_words(proxy: Proxy) -> str:
    return f"{proxy.name}  {proxy.listen} -> {proxy.upstream}{'' if proxy.enabled else '  (cut)'}"


@command.command()
@click.argument("plans", nargs=-1, required=True, metavar="PLAN...", type=PLAN)
@click.option("--toxiproxy", "url", metavar="URL", help="Check links against this server's proxies, not the shop's.")
@click.option("--any-link", is_flag=True, help="Accept any name of a link.")
def validate(plans: Sequence[Path], url: str | None, any_link: bool) -> None:
    """Check plans without running them. Ends with exit code 2 at the first that cannot be used."""
    with _user_errors():
        links = None if any_link else tuple(_connect(url).proxies()) if url else tuple(link.name for link in LINKS)
        for path in plans:
            plan = load_plan(path, links=links, services=SERVICE_NAMES)
            total_s = plan.warmup_s + sum(phase.duration_s for phase in plan.phases) + plan.drain_s
            faulty = sum(not phase.quiet for phase in plan.phases)
            click.echo(f"{path}: fine: {len(plan.phases)} phases, {faulty} with faults, about {total_s:.0f} s")


@command.command()
@click.argument("path", metavar="PLAN", type=PLAN)
@_toxiproxy_option
@click.option("--phase", "only", metavar="NAME", multiple=True, help="Only this phase. Repeatable.")
@click.option(
    "--probe",
    "probes",
    metavar="LINK=PROTOCOL",
    multiple=True,
    help=f"How to feel faults on a link: {', '.join(PROBES)}. The shop's links are known. Repeatable.",
)
@click.option(
    "--ledger", type=PLAN, default=Path("ledger.jsonl"), show_default=True, help="File to append to what was injected."
)
def apply(path: Path, url: str, only: Sequence[str], probes: Sequence[str], ledger: Path) -> None:
    """Inject a plan's faults into whatever runs behind a Toxiproxy.

    Its phases follow each other without load and without analysis: this is for a system and a load of one's own.
    Everything is removed at the end, at Ctrl-C, and when this process is killed. What a plan does inside the shop
    (`shop:`) needs `tracegap run`.
    """
    with interruptible(), _user_errors():
        server = _connect(url)
        plan = load_plan(path, links=tuple(server.proxies()))
        phases = _chosen(plan, only)
        talk = _probes(probes)
        with _ledger(ledger) as written, Watchdog(server.url, ledger) as watchdog:
            before = len(written.records())
            with Injector(server, written, plan, probes=talk, watchdog=watchdog) as injector:
                for phase in phases:
                    _drive(injector, phase)
            for record in written.records()[before:]:
                click.echo(_outcome(record))


def _chosen(plan: Plan, only: Sequence[str]) -> list[Phase]:
    names = [phase.name for phase in plan.phases]
    for name in only:
        if name not in names:
            raise UnusableInput(f"the plan has no phase {name!r}, but {', '.join(names)}")
    return [phase for phase in plan.phases if not only or phase.name in only]


def _probes(told: Sequence[str]) -> dict[str, Probe]:
    protocols = {link.name: link.protocol for link in LINKS}
    for pair in told:
        link, equals, protocol = pair.rpartition("=")
        if not equals or protocol not in PROBES:
            raise UnusableInput(f"--probe {pair!r}: expected LINK=PROTOCOL, the protocol one of {', '.join(PROBES)}")
        protocols[link] = protocol  # type: ignore[assignment]
    return {link: PROBES[protocol] for link, protocol in protocols.items()}


def _ledger(path: Path) -> Ledger:
    try:
        return Ledger(path)
    except OSError as error:
        raise UnusableInput(f"{path}: cannot be written: {error.strerror}") from error


def _drive(injector: Injector, phase: Phase) -> None:
    with injector.phase(phase):
        what = f"{len(phase.faults)} faults" if phase.faults else "nothing injected"
        click.echo(f"{phase.name}: {what} for {phase.duration_s:g} s", err=True)
        time.sleep(phase.duration_s)


def _outcome(record: FaultRecord) -> str:
    effect = {True: "felt", False: "NOT felt", None: "not known whether felt"}[record.took_effect]
    detail = f" ({record.reason})" if record.reason else ""
    if record.measured is not None:
        asked = "" if record.asked is None else f"{record.asked:.4g} {record.unit} asked, "
        detail = f" ({asked}{record.measured:.4g} {record.unit} measured)"
    return one_line(f"{record.fault}: {record.kind} on {record.link}: {effect}{detail}")


@command.command()
@_toxiproxy_option
@click.option("--link", "links", metavar="NAME", multiple=True, help="Only this proxy. Repeatable.")
@click.option("--made-here", is_flag=True, help="Only toxics that tracegap made; proxies that are cut stay cut.")
def reset(url: str, links: Sequence[str], made_here: bool) -> None:
    """Remove toxics and switch proxies on again."""
    with _user_errors():
        server = _connect(url)
        if not links and not made_here:
            server.reset()
            return
        proxies = server.proxies()
        for name in links:
            if name not in proxies:
                raise UnusableInput(f"the Toxiproxy at {url} has no proxy {name!r}")
        for name in links or proxies:
            _reset(server, proxies[name], made_here=made_here)


def _reset(server: Toxiproxy, proxy: Proxy, *, made_here: bool) -> None:
    for toxic in proxy.toxics:
        if not made_here or toxic.name.startswith("tracegap."):
            server.remove_toxic(proxy.name, toxic.name)
    if not proxy.enabled and not made_here:
        server.enable(proxy.name)


@command.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the HTTP interface.")
@click.option("--port", type=click.IntRange(0, 65535), default=8474, show_default=True, help="Its port; 0: a free one.")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="JSON file of proxies to begin with.")
@click.option("--seed", type=int, help="Makes toxicity, jitter and slices repeatable.")
def serve(host: str, port: int, config: Path | None, seed: int | None) -> None:
    """Run the embedded Toxiproxy server alone.

    A drop-in for toxiproxy-server. Prints `ready` with its address.
    """
    # Here and not above: the server's event loop is of no use to the other subcommands.
    from faults.proxy.errors import ProxyServerError
    from faults.proxy.server import run

    try:
        proxies = config.read_bytes() if config is not None else None
    except OSError as error:
        raise UnusableInput(f"{config}: cannot be read: {error.strerror}") from error
    try:
        run(host, port, config=proxies, seed=seed)
    except (OSError, ProxyServerError) as error:
        raise PartFailed(f"the Toxiproxy server at {host}:{port}: {error}") from error


def _connect(url: str) -> Toxiproxy:
    try:
        # A person is waiting: what does not answer is said at once.
        return Toxiproxy(url, attempts=1)
    except ToxiproxyError as error:
        raise UnusableInput(str(error)) from error


@contextmanager
def _user_errors() -> Iterator[None]:
    """A plan or address that is no good is the user's to mend; a server that refuses a fault has failed."""
    try:
        yield
    except (PlanError, ToxiproxyUnreachable) as error:
        raise UnusableInput(str(error)) from error
    except (ToxiproxyError, FaultsError) as error:
        raise PartFailed(str(error)) from error
