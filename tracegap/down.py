"""`tracegap down`: stop what `tracegap up` started."""

from __future__ import annotations

import time
from pathlib import Path

import click

from tracegap.errors import PartFailed
from tracegap.stack.state import RunningStack, running_stacks

STOP_WITHIN_S = 30.0
LOOK_EVERY_S = 0.1


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
        _stop(stack)
        click.echo(f"stopped {stack.directory}")
    if not stacks:
        click.echo(f"no stack runs below {runs}")


def _stop(stack: RunningStack) -> None:
    """Raises PartFailed when it still runs after its time."""
    process = stack.process
    if process is not None:
        process.terminate()
    deadline_s = time.monotonic() + STOP_WITHIN_S
    while stack.process is not None:
        if time.monotonic() > deadline_s:
            raise PartFailed(f"{stack.directory}: process {stack.pid} still runs after {STOP_WITHIN_S:g} s")
        time.sleep(LOOK_EVERY_S)
