"""`python -m faults.proxy`: the embedded server as a process of its own, with the original's flags."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from faults.proxy.errors import ProxyServerError
from faults.proxy.server import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults.proxy", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address of the HTTP interface (default: %(default)s)")
    parser.add_argument("--port", default=8474, type=int, help="its port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--config", type=Path, help="JSON file of proxies to create, as for POST /populate")
    parser.add_argument("--seed", type=int, help="makes toxicity, jitter and slices repeatable")
    arguments = parser.parse_args()
    try:
        config = arguments.config.read_bytes() if arguments.config else None
        run(arguments.host, arguments.port, config=config, seed=arguments.seed)
    except (OSError, ProxyServerError) as error:
        sys.stderr.write(f"faults.proxy: {error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
