"""The cases on which CRISP and Jaeger UI agree, where they lie beside the checkout."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.critical_path import critical_path
from tests.analysis.builders import Span, table

CASES_FILE = Path(__file__).parents[3] / "shared" / "conformance" / "critical_path.jsonl"
CASES = [json.loads(line) for line in CASES_FILE.read_text().splitlines()] if CASES_FILE.exists() else []


def jaeger_span(record: Mapping[str, Any], services: Mapping[str, str]) -> Span:
    """One span as Jaeger's API gives it; a FOLLOWS_FROM reference is a link."""
    parents = [r["spanID"] for r in record.get("references") or () if r["refType"] == "CHILD_OF"]
    follows = [r["spanID"] for r in record.get("references") or () if r["refType"] == "FOLLOWS_FROM"]
    kinds = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
    kind = next((kinds[tag["value"]] for tag in record["tags"] if tag["key"] == "span.kind"), None)
    start_ns = record["startTime"] * 1000
    return Span(
        label=record["spanID"], parent=parents[0] if parents else "", trace=record["traceID"],
        service=services[record["processID"]], name=record["operationName"], kind=kind,
        start_ns=start_ns, end_ns=start_ns + record["duration"] * 1000, links=follows,
    )  # fmt: skip


@pytest.mark.skipif(not CASES, reason="the peers' cases are not beside the checkout")
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_path_time_per_operation_is_that_of_the_peers(case: dict[str, Any]) -> None:
    """Every operation has the path time that CRISP and Jaeger UI give it, and the sum is the root's duration."""
    trace = case["jaeger"]["data"][0]
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    rows = [jaeger_span(record, services) for record in trace["spans"]]
    spans = table(*rows)
    operation = {row["span_id"]: f"[{row['service']}] {row['name']}" for row in spans.to_pylist()}
    found: Counter[str] = Counter()
    for segment in critical_path(spans).to_pylist():
        if segment["budget"] == "root":
            found[operation[segment["span_id"]]] += segment["end_ns"] - segment["start_ns"]
    assert {name: ns // 1000 for name, ns in found.items()} == case["expected_self_us"]
    root = next(row for row in rows if not row.parent and not row.links)
    assert sum(found.values()) == root.end_ns - root.start_ns
