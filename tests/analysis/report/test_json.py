from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from analysis.diagnosis import Diagnosis
from analysis.report import json as report_json
from tests.analysis.report.samples import DEMO, DEMO_ATTACHMENTS, EMPTY

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "report.schema.json").read_bytes())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def document(diagnosis: Diagnosis = DEMO) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(report_json.render(diagnosis, DEMO_ATTACHMENTS))
    return loaded


def test_the_schema_is_one() -> None:
    """docs/report.schema.json is valid JSON Schema 2020-12."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("diagnosis", [DEMO, EMPTY], ids=["demo", "empty"])
def test_a_report_passes_its_schema(diagnosis: Diagnosis) -> None:
    """Whatever was found, report.json keeps its contract."""
    VALIDATOR.validate(document(diagnosis))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "tracegap.report/2"),
        (("verdict",), "fine"),
        (("input", "traces"), -1),
        (("accounting", "gap_ms"), None),
        (("hops", 0, "kind"), "rpc"),
        (("hops", 0, "failures"), {"sunspots": 1}),
        (("hops", 0, "baseline", "calls"), 1.5),
        (("findings", 0, "share"), 1.2),
        (("findings", 0, "leg"), "both"),
        (("findings", 0, "interval_ms"), [1.0]),
        (("findings", 0, "traces"), ["not-a-trace-id"]),
        (("findings", 0, "guess"), "payment"),
        (("phases", 0, "baseline"), "yes"),
    ],
)
def test_the_schema_refuses_what_is_not_the_contract(path: tuple[str | int, ...], value: object) -> None:
    """A schema that lets everything pass would prove nothing."""
    broken = copy.deepcopy(document())
    target: Any = broken
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    assert not VALIDATOR.is_valid(broken)


@pytest.mark.parametrize("name", sorted(SCHEMA["required"]))
def test_every_field_is_there_even_when_empty(name: str) -> None:
    """A reader of report.json never has to ask whether a field exists."""
    without = document(EMPTY)
    assert name in without
    del without[name]
    assert not VALIDATOR.is_valid(without)


def test_the_accounting_adds_up_in_the_file() -> None:
    """root_ms is the sum of the categories, also after rounding to nanoseconds."""
    for accounting in [document()["accounting"], *(o["accounting"] for o in document()["operations"])]:
        root_ns = round(accounting.pop("root_ms") * 1e6)
        assert sum(round(ms * 1e6) for ms in accounting.values()) == root_ns


def test_the_fields_of_a_hop_stand_beside_its_name() -> None:
    """The contract has no `stats` object: a hop and its baseline have the same fields."""
    hop = document()["hops"][0]
    assert hop["hop"] == "gateway->payment"
    assert set(hop) - set(hop["baseline"]) == {"hop", "kind", "baseline"}


def test_every_field_is_documented() -> None:
    """docs/reports.md names every field of the schema."""
    text = (Path(__file__).parents[3] / "docs" / "reports.md").read_text()
    names: set[str] = set()

    def collect(schema: dict[str, Any]) -> None:
        names.update(schema.get("properties", {}))
        children = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
        children += [schema["items"]] if isinstance(schema.get("items"), dict) else []
        children += schema.get("anyOf", [])
        for child in children:
            collect(child)

    collect(SCHEMA)
    assert sorted(name for name in names if f"`{name}`" not in text) == []
