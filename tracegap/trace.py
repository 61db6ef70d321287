"""`tracegap trace`: one trace as an annotated tree, with its log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tracegap.analyze import observed, peer_names
from tracegap.errors import UnusableInput
from tracegap.reading import address_book_of, read_locations
from tracegap.report_options import LOCATIONS_HELP, columns_option, output_option, peer_option
from tracegap.reports import deliver, output_width, wants_colour

if TYPE_CHECKING:
    import pyarrow as pa

    from analysis.report.exemplar import Exemplar

__all__ = ["command", "find_trace"]

HEX_DIGITS = frozenset("0123456789abcdef")
ID_DIGITS = 32
MAX_CANDIDATES = 3


@click.command(epilog=LOCATIONS_HELP)
@click.argument("trace_id", metavar="ID")
@click.argument("locations", nargs=-1, required=True, metavar="PATH|URL...")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "html")),
    default="text",
    show_default=True,
    help="Form of the output; json has the critical path, segment by segment.",
)
@output_option
@peer_option
@columns_option
def command(trace_id: str, locations: tuple[str, ...], form: str, output: str | None, peers: tuple[str, ...]) -> None:
    """Show the trace whose id is ID, or begins with ID: where its time went, what failed, and what was logged."""
    from analysis.report.exemplar_building import draw_trace

    address_book = {**address_book_of(locations), **peer_names(peers)}
    read = read_locations(locations)
    found = find_trace(read.spans, trace_id)
    # Other traces may know the callee behind an address that failed in this one.
    exemplar = draw_trace(found, read.spans, observed(read.spans, address_book), read.logs)
    deliver(_rendered(exemplar, form, to_stdout=output in (None, "-")), output)


def find_trace(spans: pa.Table, wanted: str) -> bytes:
    """The id of the one trace that `wanted` means: in full, without its leading zeros, or by how it begins.

    Raises UnusableInput when there is none or more than one.
    """
    import pyarrow.compute as pc

    digits = wanted.strip().lower()
    if not digits or len(digits) > ID_DIGITS or not HEX_DIGITS.issuperset(digits):
        raise UnusableInput(f"trace id {wanted!r}: expected up to {ID_DIGITS} hexadecimal digits")
    known = [trace_id.hex() for trace_id in pc.unique(spans["trace_id"]).to_pylist()]
    if digits.zfill(ID_DIGITS) in known:
        return bytes.fromhex(digits.zfill(ID_DIGITS))
    matching = sorted(trace_id for trace_id in known if trace_id.startswith(digits))
    if not matching:
        raise UnusableInput(f"trace id {digits}: no such trace among the {len(known):,} that were read")
    if len(matching) > 1:
        shown = ", ".join(matching[:MAX_CANDIDATES]) + (", …" if len(matching) > MAX_CANDIDATES else "")
        raise UnusableInput(f"trace id {digits}: {len(matching):,} traces begin like that: {shown}")
    return bytes.fromhex(matching[0])


def _rendered(exemplar: Exemplar, form: str, *, to_stdout: bool) -> str:
    if form == "json":
        from analysis.report import trace_json

        return trace_json.render(exemplar)
    if form == "html":
        from analysis.report import html

        return html.render_trace(exemplar)
    from analysis.report import trace_text

    return trace_text.render(exemplar, width=output_width(), colour=to_stdout and wants_colour())
