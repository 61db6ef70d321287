"""Doing to the links what a phase of a plan says, and undoing it in every way that the phase can end.

    with Ledger(path) as ledger, Watchdog(toxiproxy.url, path) as watchdog:
        with Injector(toxiproxy, ledger, plan, probes=probes, watchdog=watchdog) as injector:
            for phase in plan.phases:
                with injector.phase(phase):
                    ...

What begins with the phase is there when the block is entered; repetition, choice and ramps go on in threads while it
runs; when it is left everything is removed, and probes have seen it gone or given up.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

from faults.active import Active, Site
from faults.errors import FaultsError, UnknownProxy
from faults.ledger import Ledger
from faults.plan import Phase, Plan
from faults.probe import Probe
from faults.rollback import Changes
from faults.schedule import Episode, adjustments, episodes, overlapping
from faults.toxiproxy import Toxiproxy
from faults.watchdog import Watchdog

__all__ = ["Injector"]


class Injector:
    """Injects the faults of one plan.

    Args:
        toxiproxy: the server that has a proxy for every link of the plan.
        ledger: where every step is written.
        plan: its seed decides what is drawn.
        probes: how to talk through each link; a link without one is injected but not felt (`took_effect` stays null).
        watchdog: cleans up should this process be killed; None leaves that to somebody else.

    Raises:
        UnknownProxy: on entering, when the server has no proxy for a link.
    """

    def __init__(
        self,
        toxiproxy: Toxiproxy,
        ledger: Ledger,
        plan: Plan,
        *,
        probes: Mapping[str, Probe],
        watchdog: Watchdog | None = None,
    ) -> None:
        self._toxiproxy = toxiproxy
        self._plan = plan
        self._changes = Changes(toxiproxy, watchdog.announce if watchdog is not None else None)
        self._site = Site(toxiproxy, ledger, self._changes, probes, secrets.token_hex(4))

    def __enter__(self) -> Injector:
        known = self._toxiproxy.proxies()
        for link in sorted(self._plan.links()):
            if link not in known:
                raise UnknownProxy(f"Toxiproxy at {self._toxiproxy.url} has no proxy {link!r}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _raise_first(self._changes.unmake_all(), error)

    @contextlib.contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Inject what the phase says for as long as the block runs.

        Raises:
            FaultsError: a fault could not be injected (then the block does not run and nothing is left), or, after the
                block, something failed while it ran or could not be removed.
        """
        if not phase.faults:
            yield
            return
        running = _Running(self._site, phase, episodes(phase, self._plan.seed))
        failure: BaseException | None = None
        try:
            running.begin()
            yield
        except BaseException as error:
            failure = error
            raise
        finally:
            _raise_first(running.end(), failure)


class _Running:
    """The faults of one phase while it runs."""

    def __init__(self, site: Site, phase: Phase, planned: tuple[Episode, ...]) -> None:
        self._site = site
        self._phase = phase
        self._planned = planned
        self._proxies = site.toxiproxy.proxies()
        self._over = threading.Event()
        self._driver: threading.Thread | None = None
        self._active: dict[str, Active] = {}
        self._finishing: list[threading.Thread] = []
        self._failures: list[FaultsError] = []

    def begin(self) -> None:
        """Inject what is there from the start, then follow the schedule on a thread."""
        first = [self._prepare(episode) for episode in self._planned if episode.start_s == 0]
        start_s = time.monotonic()
        for active in first:
            self._inject(active)
        timeline = _timeline(self._planned, self._phase)
        if timeline:
            self._driver = threading.Thread(target=self._follow, args=(timeline, start_s), name="faults", daemon=True)
            self._driver.start()

    def end(self) -> list[FaultsError]:
        """Remove everything and see it gone; returns what went wrong since `begin`."""
        self._over.set()
        if self._driver is not None:
            self._driver.join()
        for active in list(self._active.values()):
            self._stop(active)
        for finishing in self._finishing:
            finishing.join()
        return self._failures

    def _prepare(self, episode: Episode) -> Active:
        proxy = self._proxies[episode.fault.link]
        return Active(episode, self._phase.name, self._site, proxy, overlapping(episode, self._planned))

    def _inject(self, active: Active) -> None:
        active.inject()
        self._active[active.id] = active

    def _follow(self, timeline: list[Moment], start_s: float) -> None:
        for moment in timeline:
            if self._over.wait(max(0.0, start_s + moment.at_s - time.monotonic())):
                return
            try:
                match moment.what:
                    case "begin":
                        self._inject(self._prepare(moment.episode))
                    case "adjust":
                        self._active[moment.episode.id].adjust(moment.attributes)
                    case "end":
                        self._stop(self._active[moment.episode.id])
            except FaultsError as error:
                self._failures.append(error)
                return

    def _stop(self, active: Active) -> None:
        del self._active[active.id]
        try:
            active.remove()
        except FaultsError as error:
            self._failures.append(error)
        # Seeing it gone takes a while, and the next fault of the schedule does not wait for it.
        finishing = threading.Thread(target=active.finish, name=f"{active.id} gone", daemon=True)
        finishing.start()
        self._finishing.append(finishing)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happens while a phase runs; seconds since it began."""

    at_s: float
    what: Literal["begin", "adjust", "end"]
    episode: Episode
    attributes: Mapping[str, int] = field(default_factory=dict)


def _timeline(planned: tuple[Episode, ...], phase: Phase) -> list[Moment]:
    """What happens after the beginning, in order: an end before a beginning at the same moment."""
    timeline: list[Moment] = []
    for episode in planned:
        if episode.start_s > 0:
            timeline.append(Moment(episode.start_s, "begin", episode))
        timeline += [Moment(at_s, "adjust", episode, attributes) for at_s, attributes in adjustments(episode)]
        if episode.end_s < phase.duration_s:
            timeline.append(Moment(episode.end_s, "end", episode))
    order = {"end": 0, "begin": 1, "adjust": 2}
    return sorted(timeline, key=lambda moment: (moment.at_s, order[moment.what]))


def _raise_first(failures: Sequence[FaultsError], already: BaseException | None) -> None:
    """An error that is on its way already is the one to see."""
    if failures and already is None:
        raise failures[0]
