"""`tracegap compare`: the second run against the first."""

from __future__ import annotations

import click

from tracegap.analyze import FORMATS, LOCATIONS_HELP, analyze_locations, peer_names

__all__ = ["command"]


@click.command(epilog=LOCATIONS_HELP.replace("PATH is", "BEFORE and AFTER are each").replace("URL is", "or the URL of"))
@click.argument("before")
@click.argument("after")
@click.option(
    "--phase",
    metavar="NAME",
    help="Compare this phase of both runs alone. Without it, all of both.",
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Form of the report."
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Where the report goes; - is standard output, with nothing else on it. Default: standard output.",
)
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="EXPR",
    help="What must hold of AFTER, such as 'findings == 0'; repeatable. A broken budget ends with exit code 1.",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="HOST:PORT=NAME",
    help="Name of a callee that sends no spans and is known by its address alone; repeatable.",
)
def command(
    before: str,
    after: str,
    phase: str | None,
    form: str,
    output: str | None,
    budgets: tuple[str, ...],
    peers: tuple[str, ...],
) -> int:
    """Say what got slower or began to fail from one run (BEFORE) to another (AFTER).

    Both can also be any other spans that `tracegap analyze` reads.
    """
    from tracegap.reports import finish, parsed_budgets

    expected = parsed_budgets(budgets)
    analysis = analyze_locations([after], baseline=[before], peers=peer_names(peers), phase=phase)
    return finish(analysis, form, output, expected)
