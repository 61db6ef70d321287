"""`tracegap collect`: the OTLP receiver alone."""

from __future__ import annotations

from pathlib import Path

import click

from collector.service import Addresses, Settings, run
from tracegap.errors import PartFailed


@click.command("collect")
@click.option(
    "-o",
    "directory",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for traces-NNNN.binpb and logs-NNNN.binpb; made if absent.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--grpc-port", default=4317, show_default=True, type=click.IntRange(0, 65535), help="OTLP/gRPC; 0 takes a free one."
)
@click.option(
    "--http-port", default=4318, show_default=True, type=click.IntRange(0, 65535), help="OTLP/HTTP; 0 takes a free one."
)
@click.option("--forward", metavar="URL", help="Also pass everything on to this OTLP/HTTP endpoint (http://host:4318).")
def command(directory: Path, host: str, grpc_port: int, http_port: int, forward: str | None) -> None:
    """Receive OTLP traces and logs over gRPC and HTTP and keep them in DIR.

    Prints `ready` with its addresses, then runs until SIGINT or SIGTERM. Point any OpenTelemetry SDK at it, then
    `tracegap analyze DIR`.
    """
    settings = Settings(directory, host, grpc_port, http_port, forward)
    try:
        run(settings, ready=_say_ready)
    except OSError as error:
        raise PartFailed(f"the collector cannot start: {error}") from error


def _say_ready(addresses: Addresses) -> None:
    click.echo(f"ready grpc={addresses.grpc} http={addresses.http}")
