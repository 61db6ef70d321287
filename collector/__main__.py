"""`python -m collector -o DIR`: the collector as a process of its own, without the rest of tracegap."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from collector.service import Addresses, Settings, run


def _say_ready(addresses: Addresses) -> None:
    sys.stdout.write(f"ready grpc={addresses.grpc} http={addresses.http}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m collector", description=__doc__)
    parser.add_argument("-o", dest="directory", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--grpc-port", type=int, default=4317)
    parser.add_argument("--http-port", type=int, default=4318)
    parser.add_argument("--forward")
    try:
        run(Settings(**vars(parser.parse_args())), ready=_say_ready)
    except OSError as error:
        sys.exit(f"the collector cannot start: {error}")


if __name__ == "__main__":
    main()
