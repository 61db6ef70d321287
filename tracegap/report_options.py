"""Options that several commands share: each is described once."""

from __future__ import annotations

import click

__all__ = ["FORMATS", "LOCATIONS_HELP", "budget_option", "format_option", "output_option", "peer_option"]

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
