"""How a run controls Locust and watches it, without a connection: options, a schedule file, a progress file."""

from __future__ import annotations

import json
import random
import signal
from functools import partial
from pathlib import Path
from typing import Any

import gevent
from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import WorkerRunner

from scenarios.shapes import FollowSchedule
from scenarios.tracing import start_tracing, stop_tracing

__all__ = ["install"]

_REPORT_EVERY_S = 0.5
_FINISH_WITHIN_S = 5.0


def install() -> None:
    """Add the options and what they do to the Locust that loads this scenario."""
    events.init_command_line_parser.add_listener(_add_options)
    events.init.add_listener(_on_init)
    events.quitting.add_listener(_on_quitting)


def _add_options(parser: LocustArgumentParser, **_: Any) -> None:
    add = partial(parser.add_argument, include_in_web_ui=False)
    add("--seed", type=int, env_var="SCENARIO_SEED", help="Make the users' choices repeatable.")
    add(
        "--schedule",
        metavar="FILE",
        env_var="SCENARIO_SCHEDULE",
        help="Follow the load that this JSON file asks for; it may change at any time.",
    )
    add(
        "--progress",
        metavar="FILE",
        env_var="SCENARIO_PROGRESS",
        help="Keep this JSON file up to date with requests, failures and users.",
    )
    add("--no-traces", action="store_true", env_var="SCENARIO_NO_TRACES", help="Make requests without spans.")


def _on_init(environment: Environment, runner: Any, **_: Any) -> None:
    options: Any = environment.parsed_options
    if options.seed is not None:
        random.seed(options.seed)
    if not environment.stop_timeout:
        # Who stops in the middle of a request leaves work behind that nobody asked for, as far as traces can tell.
        environment.stop_timeout = _FINISH_WITHIN_S
    if options.schedule:
        schedule = FollowSchedule(Path(options.schedule))
        schedule.runner = runner
        environment.shape_class = schedule
        # Locust waits for the end of a shape before it installs a handler of its own.
        gevent.signal_handler(signal.SIGTERM, schedule.end)
    if options.progress and not isinstance(runner, WorkerRunner):
        gevent.spawn(_report_progress, environment, Path(options.progress))
    if not options.no_traces:
        start_tracing("locust")


def _on_quitting(environment: Environment, **_: Any) -> None:
    if environment.runner is not None:
        environment.runner.stop()  # requests that are under way end first, or their spans would be missing
    stop_tracing()


def _report_progress(environment: Environment, file: Path) -> None:
    """`{"requests", "failures", "users", "p95_ms"}` twice a second, each time in one step; p95 of the last 10 s."""
    part = file.with_name(f".{file.name}.part")
    while environment.runner is not None:
        total = environment.stats.total
        part.write_text(
            json.dumps(
                {
                    "requests": total.num_requests,
                    "failures": total.num_failures,
                    "users": environment.runner.user_count,
                    "p95_ms": total.get_current_response_time_percentile(0.95),
                }
            )
        )
        part.replace(file)
        gevent.sleep(_REPORT_EVERY_S)
