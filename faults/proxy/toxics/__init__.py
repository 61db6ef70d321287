"""The catalogue of toxics: one file each, found here by the type name that the HTTP interface uses."""

from __future__ import annotations

from faults.proxy.toxic import Toxic
from faults.proxy.toxics.bandwidth import Bandwidth
from faults.proxy.toxics.latency import Latency
from faults.proxy.toxics.limit_data import LimitData
from faults.proxy.toxics.noop import Noop
from faults.proxy.toxics.reset_peer import ResetPeer
from faults.proxy.toxics.slicer import Slicer
from faults.proxy.toxics.slow_close import SlowClose
from faults.proxy.toxics.timeout import Timeout

__all__ = ["TOXICS"]

TOXICS: dict[str, type[Toxic]] = {
    "bandwidth": Bandwidth,
    "latency": Latency,
    "limit_data": LimitData,
    "noop": Noop,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "slow_close": SlowClose,
    "timeout": Timeout,
}
