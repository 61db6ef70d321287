"""The plan language is documented: every field, its schema, and the plans that ship."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from faults.plan import load_plan
from faults.plan_file import read_source
from faults.plan_reference import BEGIN, END, schema, with_reference
from tests.faults.test_plan import BAD_FAULTS, with_fault

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "plans.md"
SCHEMA = ROOT / "docs" / "plan.schema.json"
PLANS = sorted((ROOT / "faults" / "plans").glob("*.yaml"))
REWRITE = "python -m faults.plan_reference docs"


def test_every_field_is_documented() -> None:
    """A field of a plan without its sentence fails here."""
    whole = schema()
    parts = {"Plan": whole, **whole["$defs"]}
    silent = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, value in part["properties"].items()
        if "description" not in value
    ]
    assert silent == []


def test_the_reference_in_the_guide_is_current() -> None:
    """docs/plans.md has the reference that the models give."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert BEGIN in text
    assert END in text
    assert text == with_reference(text), f"write it anew: {REWRITE}"


def test_the_schema_is_current_and_a_schema() -> None:
    """docs/plan.schema.json is what the models give, and valid JSON Schema."""
    written = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert written == schema(), f"write it anew: {REWRITE}"
    jsonschema.Draft202012Validator.check_schema(written)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_the_schema_accepts_the_plans_that_ship(path: Path) -> None:
    """What `load_plan` takes, an editor with the schema does not underline."""
    jsonschema.validate(read_source(path).value, schema(), cls=jsonschema.Draft202012Validator)


NOT_FOR_SCHEMAS = ("links", "`latency`, `jitter`", "rate of at least", "average_size", "`lasting`", "turns")


@pytest.mark.parametrize(
    "fault", [fault for fault, expected in BAD_FAULTS if not any(word in expected for word in NOT_FOR_SCHEMAS)]
)
def test_the_schema_refuses_what_is_wrong_in_form(fault: str, tmp_path: Path) -> None:
    """Mistakes of form are underlined in the editor; those that need sums or names of links are found by `validate`."""
    path = tmp_path / "plan.yaml"
    path.write_text(with_fault(fault))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(read_source(path).value, schema(), cls=jsonschema.Draft202012Validator)


def test_the_example_in_the_guide_is_a_plan(tmp_path: Path) -> None:
    """The first YAML block of docs/plans.md loads."""
    example = re.search(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    path = tmp_path / "plan.yaml"
    path.write_text(example[1])
    assert load_plan(path, links=("gateway->payment",)).expect


def test_the_guide_lists_the_plans_that_ship() -> None:
    """Each plan has its place in the guide's table, and the table has no other."""
    table = DOCUMENT.read_text(encoding="utf-8").partition("## Plans that ship")[2].partition("\n## ")[0]
    named = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`([\w-]+)`", row.split("|")[1] if "|" in row else "")
    }
    assert named == {path.stem for path in PLANS}
