"""The toxics of one proxy: which there are, in which order, and the live connections that follow every change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from faults.proxy.toxic import Toxic

__all__ = ["ActiveToxic", "Direction", "ToxicChain", "ToxicFollower"]

Direction = Literal["upstream", "downstream"]


@dataclass(eq=False)
class ActiveToxic:
    """A toxic in the chain of a proxy. `stream` is shown as the client spelled it; `direction` is what it means."""

    name: str
    type: str
    stream: str
    direction: Direction
    toxicity: float
    toxic: Toxic


class ToxicFollower(Protocol):
    """One direction of a live connection."""

    direction: Direction

    def toxic_added(self, active: ActiveToxic) -> None:
        """A toxic was put at the end of the chain."""

    def toxic_updated(self, active: ActiveToxic) -> None:
        """Attributes or toxicity changed."""

    def toxic_removed(self, active: ActiveToxic) -> None:
        """A toxic was taken out of the chain."""


class ToxicChain:
    """Toxics by direction, in order. Every change reaches every live connection before the call returns."""

    def __init__(self) -> None:
        self._toxics: dict[Direction, list[ActiveToxic]] = {"upstream": [], "downstream": []}
        self._followers: set[ToxicFollower] = set()

    def of(self, direction: Direction) -> list[ActiveToxic]:
        return self._toxics[direction]

    def all(self) -> list[ActiveToxic]:
        """Upstream first, each in the order in which data passes."""
        return [*self._toxics["upstream"], *self._toxics["downstream"]]

    def find(self, name: str) -> ActiveToxic | None:
        return next((active for active in self.all() if active.name == name), None)

    def add(self, active: ActiveToxic) -> None:
        self._toxics[active.direction].append(active)
        for follower in self._following(active.direction):
            follower.toxic_added(active)

    def updated(self, active: ActiveToxic) -> None:
        for follower in self._following(active.direction):
            follower.toxic_updated(active)

    def remove(self, active: ActiveToxic) -> None:
        self._toxics[active.direction].remove(active)
        for follower in self._following(active.direction):
            follower.toxic_removed(active)

    def clear(self) -> None:
        for active in self.all():
            self.remove(active)

    def follow(self, follower: ToxicFollower) -> None:
        self._followers.add(follower)

    def unfollow(self, follower: ToxicFollower) -> None:
        self._followers.discard(follower)

    def _following(self, direction: Direction) -> list[ToxicFollower]:
        return [follower for follower in self._followers if follower.direction == direction]
