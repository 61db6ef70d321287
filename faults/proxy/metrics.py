"""Bytes through each proxy, in the Prometheus text format, under the original's names."""

from __future__ import annotations

from collections import defaultdict

__all__ = ["CONTENT_TYPE", "Traffic"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"

Labels = tuple[str, str, str, str]
"""direction, proxy, listener, upstream"""


class Traffic:
    """Totals of ended connections: as in the original a connection counts when it is over."""

    def __init__(self) -> None:
        self._received: defaultdict[Labels, int] = defaultdict(int)
        self._sent: defaultdict[Labels, int] = defaultdict(int)

    def add(self, direction: str, proxy: str, listener: str, upstream: str, received: int, sent: int) -> None:
        labels = (direction, proxy, listener, upstream)
        self._received[labels] += received
        self._sent[labels] += sent

    def render(self) -> str:
        """Everything in the text exposition format, version 0.0.4."""
        return _family("toxiproxy_proxy_received_bytes_total", self._received) + _family(
            "toxiproxy_proxy_sent_bytes_total", self._sent
        )


def _family(name: str, samples: dict[Labels, int]) -> str:
    if not samples:
        return ""
    lines = [f"# HELP {name} ", f"# TYPE {name} counter"]
    for (direction, proxy, listener, upstream), total in sorted(samples.items()):
        labels = f'direction="{direction}",listener="{_escape(listener)}",proxy="{_escape(proxy)}"'
        lines.append(f'{name}{{{labels},upstream="{_escape(upstream)}"}} {_number(total)}')
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(total: int) -> str:
    """Integers below 2**53 are exact as the float that the format asks for."""
    return str(total) if total < 1_000_000 else repr(float(total))
