"""The scenario as Locust runs it: journeys, spans, schedule, progress, and how it ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.scenarios.conftest import FakeWorld, eventually, locust, progress_of

CLIENT = 3


def test_every_request_is_the_root_of_a_trace(world: FakeWorld) -> None:
    """The shop sees the ids of the generator's spans, and every request has one, also those under way at the end."""
    world.slow_s = 0.2
    with locust(world, "--users", "4", "--spawn-rate", "4") as process:
        assert eventually(lambda: len(world.requests) > 20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0, process.communicate()[0]
    assert world.traces_seen() == world.traces_sent()
    assert len(world.spans) == len(world.requests)
    assert {(span["service"], span["kind"], span["parent"]) for span in world.spans} == {("locust", CLIENT, "")}


def test_a_span_says_what_was_asked_and_answered(world: FakeWorld) -> None:
    """Template as its name, status, sizes and address by the semantic conventions."""
    with locust(world, "--users", "1"):
        assert eventually(lambda: [span for span in world.spans if span["name"] == "POST /checkout"])
    names = {span["name"] for span in world.spans}
    assert names == {"GET /products", "GET /products/{sku}", "POST /cart", "POST /checkout"}
    checkout = next(span for span in world.spans if span["name"] == "POST /checkout")["attributes"]
    sent = next(request for request in world.requests if request.path == "/checkout")
    assert checkout == {
        "server.address": "127.0.0.1",
        "server.port": int(world.shop_url.rpartition(":")[2]),
        "http.request.method": "POST",
        "url.template": "/checkout",
        "url.path": "/checkout",
        "http.response.status_code": 201,
        "http.request.body.size": len(json.dumps(sent.body)),
        "http.response.body.size": len(json.dumps([{"sku": sku} for sku in "abc"])),
    }


def test_a_failed_checkout_is_tried_once_more(world: FakeWorld) -> None:
    """With the same key and a trace of its own that says so."""
    world.checkout_status = 502
    with locust(world, "--users", "1"):
        assert eventually(lambda: sum(span["name"] == "POST /checkout" for span in world.spans) >= 2)
    first, second = [span["attributes"] for span in world.spans if span["name"] == "POST /checkout"][:2]
    assert (first["error.type"], first.get("http.request.resend_count")) == ("502", None)
    assert (second["error.type"], second["http.request.resend_count"]) == ("502", 1)


def test_the_load_follows_its_schedule(world: FakeWorld, tmp_path: Path) -> None:
    """More users, fewer users; a broken file changes nothing; SIGTERM ends it well."""
    schedule, progress = tmp_path / "schedule.json", tmp_path / "progress.json"
    schedule.write_text(json.dumps({"users": 3, "spawn_rate": 10}))
    options = ("--schedule", str(schedule), "--progress", str(progress))
    with locust(world, *options) as process:
        assert eventually(lambda: progress_of(progress)["users"] == 3)
        schedule.write_text("{")
        seen = len(world.requests)
        assert eventually(lambda: len(world.requests) > seen + 10)
        assert progress_of(progress)["users"] == 3
        schedule.write_text(json.dumps({"users": 5, "spawn_rate": 10}))
        assert eventually(lambda: progress_of(progress)["users"] == 5)
        schedule.write_text(json.dumps({"users": 1, "spawn_rate": 10}))
        assert eventually(lambda: progress_of(progress)["users"] == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
    assert world.traces_seen() == world.traces_sent()


def test_progress_counts_requests_and_failures(world: FakeWorld, tmp_path: Path) -> None:
    """As many as were made and failed by then."""
    world.checkout_status = 409
    progress = tmp_path / "progress.json"
    with locust(world, "--users", "2", "--progress", str(progress)):
        assert eventually(lambda: progress_of(progress)["failures"] > 0)
    counted = progress_of(progress)
    failed = sum(request.path == "/checkout" for request in world.requests)
    assert 0 < counted["failures"] <= failed
    assert counted["failures"] < counted["requests"] <= len(world.requests)


def test_a_seed_repeats_the_journeys(world: FakeWorld) -> None:
    """The same products, quantities and keys in the same order; other ones with another seed."""
    journeys = []
    for seed in ("7", "7", "8"):
        world.requests.clear()
        with locust(world, "--users", "1", environment={"SCENARIO_SEED": seed}):
            assert eventually(lambda: any(request.path == "/checkout" for request in world.requests))
        paths = [(request.method, request.path, request.body) for request in world.requests]
        journeys.append(paths[: 1 + [path for _, path, _ in paths].index("/checkout")])
    assert journeys[0] == journeys[1]
    assert journeys[0] != journeys[2]


def test_spans_wait_for_a_collector_that_is_busy(world: FakeWorld) -> None:
    """While it answers 503 they are kept; afterwards each arrives once."""
    world.collector_status = 503
    with locust(world, "--users", "2", "--spawn-rate", "2") as process:
        assert eventually(lambda: world.refused_exports > 2)
        assert world.spans == []
        world.collector_status = 200
        assert eventually(lambda: world.spans)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
    assert world.traces_seen() == world.traces_sent()
    assert len(world.spans) == len(world.requests)


def test_spans_that_nobody_takes_are_counted(world: FakeWorld) -> None:
    """Locust ends all the same, and says how many were lost."""
    world.collector_status = 503
    with locust(world, "--users", "2", "--spawn-rate", "2") as process:
        assert eventually(lambda: len(world.requests) > 5)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0
    assert f"{len(world.requests)} spans of the load generator could not be sent" in output


def test_without_traces_nothing_is_sent(world: FakeWorld) -> None:
    """Neither spans nor ids."""
    with locust(world, "--users", "2", "--no-traces") as process:
        assert eventually(lambda: len(world.requests) > 5)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=15)
    assert world.spans == []
    assert {request.traceparent for request in world.requests} == {None}
