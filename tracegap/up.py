"""`tracegap up`: the stack alone, for load from elsewhere and for looking around."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import click
import psutil

from tracegap.errors import PartFailed
from tracegap.interrupts import interruptible
from tracegap.run_directory import RunDirectory, make_run_directory
from tracegap.stack.stack import Stack, StackOptions
from tracegap.stack.state import RunningStack, running_stacks
from tracegap.stack.supervisor import log_tail

LOOK_EVERY_S = 0.5
DETACHED_READY_WITHIN_S = 90.0


@click.command()
@click.option("--toxiproxy", metavar="URL", help="Use this Toxiproxy server instead of one of our own.")
@click.option("--trace-bank", is_flag=True, help="Let the third party send spans too.")
@click.option("--durable", is_flag=True, help="Order events over a JetStream stream instead of at most once.")
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Directory to make the run directory in.",
)
@click.option("--detach", is_flag=True, help="Return when it is ready, and leave it running until `tracegap down`.")
def command(toxiproxy: str | None, trace_bank: bool, durable: bool, runs: Path, detach: bool) -> None:
    """Start the shop with its servers, links and collector, and keep it running until Ctrl-C.

    Prints the gateway's address, how to send load with Locust, and where to send spans.
    """
    if detach:
        _detach(runs)
        return
    options = StackOptions(toxiproxy, trace_bank, "durable" if durable else "at_most_once")
    directory = make_run_directory(runs, "up")
    with interruptible(), Stack(directory.path, options) as stack:
        stack.start(lambda part: click.echo(f"{part} is ready", err=True))
        directory.write_peers(stack.address_book())
        running = _running(directory, stack)
        running.write()
        click.echo(_page(running))
        try:
            while True:
                stack.supervisor.check()
                time.sleep(LOOK_EVERY_S)
        except KeyboardInterrupt:
            click.echo("stopping", err=True)
            stack.stop_services()
            stack.stop()
        finally:
            directory.stack.unlink(missing_ok=True)


def _running(directory: RunDirectory, stack: Stack) -> RunningStack:
    return RunningStack(
        pid=os.getpid(),
        created_s=psutil.Process().create_time(),
        directory=str(directory.path.absolute()),
        gateway=stack.gateway_url,
        toxiproxy=stack.toxiproxy_url,
        otlp_http=stack.otlp_http_url,
        otlp_grpc=stack.otlp_grpc_url,
    )


def _page(stack: RunningStack) -> str:
    return "\n".join(
        [
            f"gateway         {stack.gateway}",
            f"OTLP/HTTP       {stack.otlp_http}",
            f"OTLP/gRPC       {stack.otlp_grpc}",
            f"Toxiproxy       {stack.toxiproxy}",
            f"run directory   {stack.directory}",
            "",
            "Send load, with Locust's web page:",
            f"  OTEL_EXPORTER_OTLP_ENDPOINT={stack.otlp_http} \\",
            f"    locust -f scenarios/checkout.py --host {stack.gateway}",
            "Slow a link down, and look:",
            f"  tracegap faults list --toxiproxy {stack.toxiproxy}",
            f"  tracegap analyze {stack.directory}",
        ]
    )


def _detach(runs: Path) -> None:
    """Run the same command in a session of its own and wait until its stack is ready."""
    runs.mkdir(parents=True, exist_ok=True)
    arguments = [argument for argument in sys.argv[1:] if argument != "--detach"]
    log = runs / f"up-{os.getpid()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tracegap", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline_s = time.monotonic() + DETACHED_READY_WITHIN_S
    try:
        while time.monotonic() < deadline_s and process.poll() is None:
            for stack in running_stacks(runs):
                if stack.pid == process.pid:
                    log.replace(Path(stack.directory) / "up.log")
                    click.echo(_page(stack))
                    process.returncode = 0  # it lives on, and is not ours to wait for
                    return
            time.sleep(LOOK_EVERY_S)
    except BaseException:
        process.terminate()
        raise
    process.terminate()
    raise PartFailed(f"the stack did not come up{log_tail(log)}")
