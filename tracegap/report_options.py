"""Options that several commands share: each is described once."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tracegap.errors import UnusableInput

__all__ = [
    "COLUMNS_KEY",
    "FORMATS",
    "LOCATIONS_HELP",
    "budget_option",
    "columns_option",
    "format_option",
    "output_option",
    "peer_option",
]

COLUMNS_KEY = "tracegap.columns"
"""Where the context of a command has the mapping of columns."""

FORMATS = ("text", "json", "html", "markdown", "junit")

LOCATIONS_HELP = (
    "PATH is a run directory, a file or directory of spans (OTLP, Jaeger, Zipkin, Tempo, console or Parquet, also"
    " compressed), a glob, or - for standard input. URL is a running Jaeger, Zipkin or Tempo: jaeger+http://HOST:PORT,"
    " zipkin+http://HOST:PORT, tempo+http://HOST:PORT."
)

format_option = click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Form of the report."
)

output_option = click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Where the report goes; - is standard output, with nothing else on it. Default: standard output.",
)

budget_option = click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="EXPR",
    help="What must hold, such as 'hop(gateway->payment).wire_ms.p95 < 50' or 'findings == 0'; repeatable. A broken"
    " budget ends with exit code 1.",
)

peer_option = click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="HOST:PORT=NAME",
    help="Name of a callee that sends no spans and is known by its address alone; repeatable.",
)


def _keep_columns(context: click.Context, _: click.Parameter, given: Sequence[str]) -> None:
    """Raises UnusableInput for anything but OURS=THEIRS with a column that we have."""
    if not given:
        return
    from analysis.sources.foreign_columns import COLUMNS

    mapping = {}
    for option in given:
        ours, _equals, theirs = option.partition("=")
        if ours not in COLUMNS or not theirs:
            raise UnusableInput(f"--columns {option}: expected NAME=COLUMN with NAME one of {', '.join(COLUMNS)}")
        mapping[ours] = theirs
    context.meta[COLUMNS_KEY] = mapping


columns_option = click.option(
    "--columns",
    multiple=True,
    metavar="NAME=COLUMN",
    expose_value=False,
    callback=_keep_columns,
    help="Column of Parquet files that other programs wrote, where its name does not say what it is, with a unit for"
    " times: trace_id=tid, start_ns=begin:ms, duration_ns=took:us; repeatable.",
)
