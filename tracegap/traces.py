"""`tracegap traces`: find traces, and print ids that `tracegap trace` opens."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import click

from tracegap.analyze import LOCATIONS_HELP, observed, read_locations
from tracegap.errors import UnusableInput
from tracegap.report_options import columns_option

if TYPE_CHECKING:
    import pyarrow as pa

    from analysis.search_query import Term

__all__ = ["command"]

QUERY_HELP = (
    "QUERY is terms that must all hold, such as 'service:payment duration>1s order.id:12345 failed:timeout'; '' finds"
    " every trace. Fields: service, operation, kind, duration, status, error, peer, address, destination, host and"
    " instance, of one span; failed, time, trace and trace.duration, of the trace; any other is an attribute."
    " Operators: : != > >= < <=. * stands for anything, a bare word is looked for in operations."
)


@click.command(epilog=f"{QUERY_HELP}\n\n{LOCATIONS_HELP}")
@click.argument("query")
@click.argument("locations", nargs=-1, required=True, metavar="PATH|URL...")
@click.option(
    "--sort",
    "order",
    type=click.Choice(("newest", "slowest")),
    default="newest",
    show_default=True,
    help="Which traces come first.",
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many traces to print.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="Form of the output; json is one object per line.",
)
@columns_option
def command(query: str, locations: tuple[str, ...], order: Literal["newest", "slowest"], limit: int, form: str) -> None:
    """Find the traces that QUERY describes; `tracegap trace ID` opens one of them."""
    from analysis.errors import BadQuery
    from analysis.search import asks_for_failures, search
    from analysis.search_query import parse

    try:
        terms: tuple[Term, ...] = parse(query, _time_ns)
    except BadQuery as error:
        raise UnusableInput(f"query: {error}") from error
    read = read_locations(locations)
    for warning in read.warnings:
        click.echo(f"tracegap: {warning}", err=True)
    observations = observed(read.spans, {}) if asks_for_failures(terms) else None
    hits = search(read.spans, terms, observations=observations, order=order)
    _show(hits, limit, form)


def _time_ns(text: str) -> int | None:
    """An ISO time (UTC unless it says otherwise), or `-15m` for 15 minutes ago; None = neither."""
    from analysis.search_query import duration_ns

    if text.startswith("-"):
        ago = duration_ns(text[1:])
        return None if ago is None else time.time_ns() - ago
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def _show(hits: pa.Table, limit: int, form: str) -> None:
    for hit in hits.slice(0, limit).to_pylist():
        click.echo(json.dumps(_record(hit)) if form == "json" else _line(hit))
    if form == "text":
        shown = min(limit, len(hits))
        more = f", the first {shown} shown" if shown < len(hits) else ""
        click.echo(f"{len(hits)} {'trace' if len(hits) == 1 else 'traces'}{more}", err=True)


def _record(hit: dict[str, Any]) -> dict[str, object]:
    return {
        "trace_id": hit["trace_id"].hex(),
        "start": _time(hit["start_ns"]),
        "duration_ms": hit["duration_ns"] / 1e6,
        "service": hit["service"],
        "operation": hit["operation"],
        "spans": hit["spans"],
        "errors": hit["errors"],
        "matched_ms": hit["matched_ns"] / 1e6,
    }


def _line(hit: dict[str, Any]) -> str:
    errors = f"  {hit['errors']} failed" if hit["errors"] else ""
    name = _printable(f"{hit['service'] or '?'} {hit['operation'] or '?'}")
    return (
        f"{hit['trace_id'].hex()}  {_time(hit['start_ns'])}  {hit['duration_ns'] / 1e6:10.1f} ms"
        f"  {hit['spans']:4} spans{errors}  {name}"
    )


def _printable(text: str) -> str:
    """Names from traces are data: a terminal must not take them for commands."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _time(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 10**6:03}Z"
