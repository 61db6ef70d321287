"""What comes first when a report cannot show everything."""

from __future__ import annotations

from analysis.diagnosis import HopStats, HopSummary, Percentiles

__all__ = ["by_cost", "waiting_ms"]


def waiting_ms(stats: HopStats) -> Percentiles | None:
    """Time between the services of a hop: wire time of a call or peer, queue time of a message."""
    return stats.wire_ms or stats.queue_ms


def by_cost(hop: HopSummary) -> tuple[int, float, str]:
    """Sort key, costliest greatest: failed crossings first, then the time that all crossings waited, then the name."""
    waited = waiting_ms(hop.stats)
    return hop.stats.failed, waited.p50 * hop.stats.calls if waited else 0.0, hop.hop
