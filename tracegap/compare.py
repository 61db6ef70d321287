"""`tracegap compare`: the second run against the first."""

from __future__ import annotations

import click

from tracegap.analyze import analyze_locations, peer_names
from tracegap.report_options import (
    LOCATIONS_HELP,
    budget_option,
    columns_option,
    format_option,
    output_option,
    peer_option,
)

__all__ = ["command"]


@click.command(epilog=LOCATIONS_HELP)
@click.argument("before", metavar="PATH|URL")
@click.argument("after", metavar="PATH|URL")
@click.option(
    "--phase",
    metavar="NAME",
    help="Compare this phase of both runs alone. Without it, all of both.",
)
@format_option
@output_option
@budget_option
@peer_option
@columns_option
def command(
    before: str,
    after: str,
    phase: str | None,
    form: str,
    output: str | None,
    budgets: tuple[str, ...],
    peers: tuple[str, ...],
) -> int:
    """Say what got slower or began to fail from the first run to the second.

    Both can also be any other spans that `tracegap analyze` reads. Budgets are about the second.
    """
    from tracegap.reports import finish, parsed_budgets

    expected = parsed_budgets(budgets)
    analysis = analyze_locations([after], baseline=[before], peers=peer_names(peers), phase=phase)
    return finish(analysis, form, output, expected)
