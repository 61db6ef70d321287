"""One fault while it is there: put in place, felt by a probe, adjusted, taken away, seen gone.

The three ways to act on a proxy (a toxic, the switch, another upstream) differ only in how they change it and back:
each is a `Lever`.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from faults.effects import Effect, Injected, asked_for
from faults.errors import FaultsError
from faults.gate import Gate
from faults.ledger import Ledger
from faults.probe import Exchange, Probe
from faults.rollback import Changes, Undo
from faults.schedule import Episode
from faults.toxics import Cut, DropFirstConnections, Toxic
from faults.toxiproxy import Proxy, Toxiproxy
from faults.toxiproxy import Toxic as WireToxic
from faults.watch import Unseen, Watch

__all__ = ["Active", "Site", "address_of"]

GONE_WITHIN_S = 3.0

HIDING = ("cut", "timeout", "reset_peer")
"""Where one of these is, nothing else can be felt."""


@dataclass(frozen=True, slots=True)
class Site:
    """What every fault of a run needs: the server, the ledger, the list of changes, how to talk through links."""

    toxiproxy: Toxiproxy
    ledger: Ledger
    changes: Changes
    probes: Mapping[str, Probe]
    run: str  # in every toxic's name, so that two runs on one server never touch each other's


class Lever(Protocol):
    """One way to act on a proxy."""

    @property
    def kind(self) -> str:
        """As the ledger calls it."""

    @property
    def back(self) -> Undo:
        """The step that undoes it."""

    def pull(self) -> None:
        """Do it."""

    def release(self) -> None:
        """Free what it held on this side, after the step back."""


class Active:
    """One fault on one link.

    Talks through the link on construction, to know how it is without the fault.

    Args:
        episode: the fault and its id.
        phase: name of the phase.
        site: where.
        proxy: the link's proxy as it is now.
        others: faults on the same link at the same time.

    Raises:
        FaultsError: the fault is impossible here; nothing has been changed.
    """

    def __init__(self, episode: Episode, phase: str, site: Site, proxy: Proxy, others: Sequence[Episode] = ()) -> None:
        self.id = episode.id
        self._phase = phase
        self._site = site
        self._proxy = proxy
        self._others = tuple(others)
        self._toxicity = episode.fault.toxicity if isinstance(episode.fault, Toxic) else 1.0
        self._lever = self._lever_for(episode.fault)
        self._injected = injected_by(episode.fault)
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None
        self._seen = False
        self._unseen = Unseen(None, "no probe for this link")
        self._watch: Watch | None = None
        self._before: tuple[Exchange, ...] = ()
        probe = site.probes.get(proxy.name)
        # The dropped connections count themselves: a probe would be one of them.
        if probe is not None and not isinstance(episode.fault, DropFirstConnections):
            changes = isinstance(episode.fault, Toxic) and episode.fault.ramps
            self._watch = Watch(address_of(proxy, site.toxiproxy), probe, self._toxicity, changes)
            self._before = self._watch.before(self._injected)

    def inject(self) -> None:
        """Put it in place and begin to feel for it.

        Raises:
            FaultsError: it could not be put in place; nothing is left of it.
        """
        self._ask()
        try:
            self._site.changes.make(self._lever.back, self._lever.pull)
        except FaultsError as error:
            self._lever.release()
            self._site.ledger.append("unseen", self.id, took_effect=False, reason=str(error))
            raise
        self._site.ledger.append("confirmed", self.id)
        if self._watch is not None:
            self._watcher = threading.Thread(target=self._feel, args=(self._watch,), name=self.id, daemon=True)
            self._watcher.start()

    def adjust(self, attributes: Mapping[str, int]) -> None:
        """Move a toxic to other values."""
        assert isinstance(self._lever, _ToxicLever)
        self._site.toxiproxy.update_toxic(self._proxy.name, self._lever.toxic.name, attributes)
        self._injected = replace(self._injected, attributes=attributes)
        self._site.ledger.append("adjusted", self.id, attributes=dict(attributes))

    def remove(self) -> None:
        """Take it away.

        Raises:
            FaultsError: Toxiproxy did not do it; the change stays on the list of what must be undone.
        """
        self._ended.set()
        try:
            self._site.changes.unmake(self._lever.back)
        finally:
            self._lever.release()
        self._site.ledger.append("removed", self.id)

    def finish(self) -> None:
        """After `remove`: settle whether it was felt, and see it gone; takes a probe's time, seconds at most."""
        if self._watcher is not None:
            self._watcher.join()
        if not self._seen:
            hiding = [other.id for other in self._others if injected_by(other.fault).kind in HIDING]
            if hiding:
                self._unseen = Unseen(None, f"hidden by {', '.join(hiding)}")
            self._site.ledger.append(
                "unseen", self.id, took_effect=self._unseen.took_effect, reason=self._unseen.reason
            )
        if self._watch is not None:
            gone_ns = self._watch.until_gone(self._injected, self._before, GONE_WITHIN_S)
            if gone_ns is not None:
                self._site.ledger.append("gone", self.id, at_ns=gone_ns)

    def _ask(self) -> None:
        usual = self._before[-1] if self._before else Exchange("answered", 0.0)
        asked, unit = asked_for(self._injected, usual)
        if isinstance(self._lever, _GateLever):
            asked, unit = self._lever.drop, "connections"
        self._site.ledger.append(
            "asked",
            self.id,
            phase=self._phase,
            link=self._proxy.name,
            kind=self._lever.kind,
            stream=self._injected.stream if isinstance(self._lever, _ToxicLever) else None,
            toxicity=self._toxicity,
            attributes=dict(self._injected.attributes),
            asked=asked,
            unit=unit,
            together_with=[other.id for other in self._others],
        )

    def _feel(self, watch: Watch) -> None:
        unseen = watch.until_seen(lambda: self._injected, self._before, self._ended, self._report)
        if unseen is not None:
            self._unseen = unseen

    def _report(self, effect: Effect) -> None:
        self._seen = True
        self._site.ledger.append("seen", self.id, asked=effect.asked, measured=effect.measured, unit=effect.unit)

    def _report_dropped(self, count: int) -> None:
        self._seen = True
        self._site.ledger.append("seen", self.id, asked=None, measured=count, unit="connections")

    def _lever_for(self, fault: Toxic | Cut | DropFirstConnections) -> Lever:
        toxiproxy, proxy = self._site.toxiproxy, self._proxy
        match fault:
            case Toxic():
                name = f"tracegap.{self._site.run}.{self.id}"
                toxic = WireToxic(name, fault.toxic, fault.stream, fault.toxicity, fault.wire(0.0))
                return _ToxicLever(toxiproxy, proxy.name, toxic, self.id)
            case Cut():
                if not proxy.enabled:
                    # Noticed before anything is done: undoing it would switch on what somebody else switched off.
                    raise FaultsError(f"link {proxy.name!r} is switched off already, by somebody else")
                return _SwitchLever(toxiproxy, proxy, self.id)
            case DropFirstConnections():
                if not _is_loopback(toxiproxy.host):
                    raise FaultsError("drop_first_connections needs a Toxiproxy on this machine")
                gate = Gate(_split(proxy.upstream), fault.drop_first_connections, self._report_dropped)
                return _GateLever(toxiproxy, proxy, gate, fault.drop_first_connections, self.id)


@dataclass(slots=True)
class _ToxicLever:
    toxiproxy: Toxiproxy
    proxy: str
    toxic: WireToxic
    fault: str

    @property
    def kind(self) -> str:
        return self.toxic.type

    @property
    def back(self) -> Undo:
        return Undo("remove_toxic", self.proxy, self.toxic.name, self.fault)

    def pull(self) -> None:
        self.toxiproxy.add_toxic(self.proxy, self.toxic)

    def release(self) -> None:
        pass


@dataclass(slots=True)
class _SwitchLever:
    toxiproxy: Toxiproxy
    proxy: Proxy
    fault: str

    @property
    def kind(self) -> str:
        return "cut"

    @property
    def back(self) -> Undo:
        return Undo("enable", self.proxy.name, fault=self.fault)

    def pull(self) -> None:
        self.toxiproxy.disable(self.proxy.name)

    def release(self) -> None:
        pass


@dataclass(slots=True)
class _GateLever:
    toxiproxy: Toxiproxy
    proxy: Proxy
    gate: Gate
    drop: int
    fault: str

    @property
    def kind(self) -> str:
        return "drop_first_connections"

    @property
    def back(self) -> Undo:
        return Undo("set_upstream", self.proxy.name, self.proxy.upstream, self.fault)

    def pull(self) -> None:
        self.toxiproxy.set_upstream(self.proxy.name, self.gate.start())

    def release(self) -> None:
        self.gate.stop()


def injected_by(fault: Toxic | Cut | DropFirstConnections) -> Injected:
    """What a fault is at its beginning."""
    if isinstance(fault, Toxic):
        return Injected(fault.toxic, fault.stream, fault.wire(0.0))
    return Injected("cut" if isinstance(fault, Cut) else "drop_first_connections")


def address_of(proxy: Proxy, toxiproxy: Toxiproxy) -> tuple[str, int]:
    """Where to connect to a proxy from here: at the server's host, when it is elsewhere or binds every address."""
    host, port = _split(proxy.listen)
    if not host or host in ("0.0.0.0", "::") or (_is_loopback(host) and not _is_loopback(toxiproxy.host)):
        host = toxiproxy.host.strip("[]")
    return host, port


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
