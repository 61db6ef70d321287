"""The plan language written out from its models: JSON Schema for editors, tables for people.

`python -m faults.plan_reference docs` writes `plan.schema.json` and the reference in `plans.md` anew; tests hold both.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faults.plan import Plan

__all__ = ["BEGIN", "END", "reference", "schema", "with_reference"]

BEGIN = "<!-- reference: begin (written by python -m faults.plan_reference) -->"
END = "<!-- reference: end -->"

Schema = Mapping[str, Any]

# Top-down: what a plan is made of before what that is made of.
TITLES = {
    "Plan": "A plan",
    "Load": "`load`",
    "Shop": "`shop` of a plan",
    "SteadyState": "`steady_state`",
    "Abort": "`abort`",
    "Phase": "A phase",
    "Latency": "Toxic `latency`",
    "Bandwidth": "Toxic `bandwidth`",
    "SlowClose": "Toxic `slow_close`",
    "Timeout": "Toxic `timeout`",
    "ResetPeer": "Toxic `reset_peer`",
    "Slicer": "Toxic `slicer`",
    "LimitData": "Toxic `limit_data`",
    "Cut": "Cutting a link",
    "DropFirstConnections": "Dropping the first connections",
    "Choice": "A random choice",
    "Repeat": "`repeat`",
    "DurationRamp": "A ramp of durations",
    "SizeRamp": "A ramp of sizes",
    "RateRamp": "A ramp of rates",
    "Misbehaviour": "`shop` of a phase",
    "Expected": "`expect`",
}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a plan."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Plan.model_json_schema(),
        "title": "Fault plan",
    }


def reference() -> str:
    """Markdown: one table for each part of a plan."""
    whole = schema()
    parts: dict[str, Schema] = {"Plan": whole, **whole["$defs"]}
    assert parts.keys() == TITLES.keys(), f"not in the reference: {parts.keys() ^ TITLES.keys()}"
    return "\n\n".join(_section(title, parts[name]) for name, title in TITLES.items())


def with_reference(document: str) -> str:
    """The document with the text between its marks replaced."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{after}"


def _section(title: str, part: Schema) -> str:
    required = part.get("required", ())
    rows = [
        f"| `{key}` | {_type(value)} | {_default(key, value, required)} | {_one_line(value['description'])} |"
        for key, value in part["properties"].items()
    ]
    table = ["| key | value | default | meaning |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([f"### {title}", "", _one_line(part["description"]), "", *table])


def _type(value: Schema) -> str:
    if value.get("title") in ("duration", "size", "rate", "share"):
        return str(value["title"])
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return "ramp" if name.endswith("Ramp") else TITLES[name].removeprefix("A ").lower()
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        return " or ".join(f"`{word}`" for word in value["enum"])
    if "oneOf" in value or "anyOf" in value:
        branches = [_type(branch) for branch in value.get("oneOf") or value["anyOf"] if branch.get("type") != "null"]
        return "fault" if len(branches) > 5 else " or ".join(dict.fromkeys(branches))
    if value["type"] == "array":
        return f"list of: {_type(value['items'])}"
    if value["type"] == "object":
        return f"name to: {_type(value['additionalProperties'])}"
    return {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}[
        value["type"]
    ]


def _default(key: str, value: Schema, required: list[str]) -> str:
    if key in required:
        return "required"
    default = value.get("default")
    if default is None or default in ({}, [], ""):
        return "none"
    if isinstance(default, Mapping):
        return "its defaults"
    if isinstance(default, (int, float)) and not isinstance(default, bool):
        return _amount(default, _type(value), key)
    return f"`{json.dumps(default).strip(chr(34))}`"


def _amount(default: float, kind: str, key: str) -> str:
    if kind.startswith("share"):
        return f"`{default:.0%}`"
    if kind.startswith("duration") and default:
        return f"`{default:g}s`"
    return f"`{default:g}`"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(folder: Path) -> None:
    (folder / "plan.schema.json").write_text(json.dumps(schema(), indent=2) + "\n")
    document = folder / "plans.md"
    document.write_text(with_reference(document.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
