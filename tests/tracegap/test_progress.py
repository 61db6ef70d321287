"""What a run shows while it runs."""

from __future__ import annotations

import io

from rich.console import Console

from tracegap.progress import Counts, RunProgress


def shown(*, terminal: bool) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=80, color_system=None)
    with RunProgress(console) as progress:
        progress.begin("starting", None)
        progress.begin("slow-payment", 30.0, "gateway->payment: latency")
        for second in range(30):
            progress.tick(second, 30.0, Counts(requests=1000 * second, failures=second))
    return output.getvalue()


def test_elsewhere_it_is_plain_lines() -> None:
    """A log gets a line per phase and one every ten seconds, without escape sequences."""
    assert shown(terminal=False).splitlines() == [
        "starting",
        "slow-payment        30 s  gateway->payment: latency",
        "slow-payment        10 of 30 s  10,000 requests  10 failures",
        "slow-payment        20 of 30 s  20,000 requests  20 failures",
    ]


def test_on_a_terminal_it_fits_80_columns() -> None:
    """The live line names phase, elapsed time, requests and failures."""
    text = shown(terminal=True)
    last = [line for line in text.replace("\r", "\n").split("\n") if "of 30 s" in line][-1]
    assert "slow-payment" in last
    assert "29 of 30 s" in last
    assert "29,000 requests  29 failures" in last
    assert len(last.rstrip()) <= 80
