"""What can go wrong in this room, with one clear line each.

FaultsError
├── PlanError               a plan cannot be used: names file, place, and what was expected
└── ToxiproxyError          the server refused, or answered something unexpected
    ├── ToxiproxyUnreachable    nobody answers at that address
    └── UnknownProxy            no proxy (or toxic) of that name
"""

from __future__ import annotations

__all__ = ["FaultsError", "PlanError", "ToxiproxyError", "ToxiproxyUnreachable", "UnknownProxy"]


class FaultsError(Exception):
    """One clear line for the person at the terminal."""


class PlanError(FaultsError):
    """A plan cannot be used. The message is one line: file, line and column, key path, what was expected."""


class ToxiproxyError(FaultsError):
    """Toxiproxy refused a request, or answered something that is not its protocol."""


class ToxiproxyUnreachable(ToxiproxyError):
    """No Toxiproxy answers at the address."""


class UnknownProxy(ToxiproxyError):
    """Toxiproxy knows no proxy, or no toxic, of that name."""
