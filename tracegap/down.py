"""`tracegap down`: stop what `tracegap up` started."""

from __future__ import annotations

from pathlib import Path

import click
import psutil

from tracegap.errors import PartFailed
from tracegap.stack.state import running_stacks

STOP_WITHIN_S = 30.0


@click.command()
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Directory below which `tracegap up` made its run directory.",
)
def command(runs: Path) -> None:
    """Stop the stacks that `tracegap up` keeps running.

    Each is told to end as Ctrl-C would; this waits until it has.
    """
    stacks = list(running_stacks(runs))
    for stack in stacks:
        process = stack.process
        if process is None:
            continue
        try:
            process.terminate()
            process.wait(timeout=STOP_WITHIN_S)
        except psutil.TimeoutExpired:
            raise PartFailed(f"{stack.directory}: process {stack.pid} still runs after {STOP_WITHIN_S:g} s") from None
        except psutil.NoSuchProcess:
            pass
        click.echo(f"stopped {stack.directory}")
    if not stacks:
        click.echo(f"no stack runs below {runs}")
