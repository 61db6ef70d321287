"""The `tracegap` command: finds the subcommand's file and turns errors into exit codes.

Subcommands are imported only when they are called: `tracegap analyze` must not wait for Locust or gRPC.
"""

from __future__ import annotations

import importlib
import sys

import click

from tracegap.errors import TracegapError

__all__ = ["main"]

COMMANDS = {
    "run": "tracegap.run",
    "up": "tracegap.up",
    "down": "tracegap.down",
    "analyze": "tracegap.analyze",
    "trace": "tracegap.trace",
    "traces": "tracegap.traces",
    "compare": "tracegap.compare",
    "faults": "tracegap.faults",
    "collect": "tracegap.collect",
    "doctor": "tracegap.doctor",
}
"""Subcommand to the module that defines it as `command`, in the order of the help page."""

INTERRUPTED = 130


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name]).command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tracegap")
def tracegap() -> None:
    """Find where unaccounted time sits in distributed traces, and which hops failed.

    Exit codes: 0 fine, 1 a budget is broken, 2 wrong usage or unreadable input, 3 a part could not be started or
    died, 130 interrupted.
    """


def main() -> None:
    """Entry point of the console script."""
    try:
        code = tracegap.main(standalone_mode=False)
    except click.Abort:
        code = INTERRUPTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except TracegapError as error:
        click.echo(f"tracegap: {error}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        # The reader of a pipe (`| head`) went away: not an error of ours, and nobody is left to tell.
        sys.stderr.close()
        code = 0
    sys.exit(code if isinstance(code, int) else 0)
