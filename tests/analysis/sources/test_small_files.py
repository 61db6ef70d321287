"""Many small files are walked together; what they hold is what each gives alone."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from analysis.errors import UnreadableSource
from analysis.observe import ATTRIBUTES_READ, observe
from analysis.sources import read, read_batches, reading

FILES = 70


def tag(key: str, value: object) -> dict[str, object]:
    return {"key": key, "type": "string", "value": value}


def answer(number: int) -> dict[str, object]:
    """One trace as Jaeger's API gives it: a server span and a client span that failed."""
    trace_id = f"{number + 1:032x}"
    root = {
        "traceID": trace_id, "spanID": "00000000000000a1", "operationName": "GET /", "references": [],
        "startTime": 1_700_000_000_000_000 + number, "duration": 900, "processID": "p1", "logs": [], "warnings": None,
        "tags": [tag("span.kind", "server"), tag("custom", f"caf\u00e9 {number}")],
    }  # fmt: skip
    child = {
        "traceID": trace_id, "spanID": "00000000000000b2", "operationName": "charge \"it\"", "processID": "p2",
        "references": [{"refType": "CHILD_OF", "traceID": trace_id, "spanID": "00000000000000a1"}],
        "startTime": 1_700_000_000_000_100 + number, "duration": 500, "warnings": None,
        "tags": [tag("span.kind", "client"), tag("error", "true"), tag("server.address", "bank")],
        "logs": [{"timestamp": 0, "fields": [tag("event", "exception"), tag("exception.message", "read timed out")]}],
    }  # fmt: skip
    processes = {
        "p1": {"serviceName": "shop", "tags": [tag("host.name", "a")]},
        "p2": {"serviceName": "till", "tags": []},
    }
    trace = {"traceID": trace_id, "spans": [root, child], "processes": processes, "warnings": None}
    return {"data": [trace], "total": 0, "limit": 0, "offset": 0, "errors": None}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of files that are enough to be walked."""
    monkeypatch.setattr(reading, "WALK_SMALL_FROM_BYTES", 1)
    for number in range(FILES):
        (tmp_path / f"{number:03}.json").write_text(json.dumps(answer(number)), "utf-8")
    return tmp_path


def read_one_by_one(folder: Path) -> pa.Table:
    return pa.concat_tables([read([str(file)]).spans for file in sorted(folder.iterdir())]).unify_dictionaries()


def rows(table: pa.Table) -> list[dict[str, object]]:
    return sorted(table.to_pylist(), key=lambda row: (row["trace_id"], row["span_id"]))


def test_walked_together_as_read_alone(folder: Path) -> None:
    """A directory of small files gives the rows that its files give one by one."""
    assert rows(read([str(folder)]).spans) == rows(read_one_by_one(folder))


def test_other_files_among_them_are_read(folder: Path) -> None:
    """A bare trace, an array of spans in another form and a compressed answer lie between the answers."""
    bare = answer(100)["data"][0]  # type: ignore[index]
    (folder / "a-bare.json").write_text(json.dumps(bare), "utf-8")
    zipkin = [{"traceId": "c" * 32, "id": "d" * 16, "name": "get", "timestamp": 1_700_000_000_000_000, "duration": 5}]
    (folder / "zipkin.json").write_text(json.dumps(zipkin), "utf-8")
    found = read([str(folder)])
    assert rows(found.spans) == rows(read_one_by_one(folder))
    assert len(found.spans) == 2 * FILES + 3


def test_damaged_and_odd_files_are_named(folder: Path) -> None:
    """A file that is cut short, one without an id and one that is empty get warnings of their own; the rest is read."""
    whole = json.dumps(answer(200))
    (folder / "cut.json").write_text(whole[: len(whole) // 2], "utf-8")
    (folder / "empty.json").write_bytes(b"")
    odd = answer(201)
    odd["data"][0]["spans"][0]["spanID"] = ""  # type: ignore[index]
    (folder / "odd.json").write_text(json.dumps(odd), "utf-8")
    found = read([str(folder)])
    for name in ("cut.json", "empty.json", "odd.json"):
        assert any(name in warning for warning in found.warnings), found.warnings
    assert rows(found.spans) == rows(read_one_by_one_but(folder, "empty.json"))


def read_one_by_one_but(folder: Path, left_out: str) -> pa.Table:
    files = [file for file in sorted(folder.iterdir()) if file.name != left_out]
    return pa.concat_tables([read([str(file)]).spans for file in files]).unify_dictionaries()


def test_nothing_to_read_among_many_files(folder: Path) -> None:
    """When no file holds spans the error names one of them."""
    for file in folder.iterdir():
        file.write_text('{"errors": [{"msg": "trace not found"}], "data": null}', "utf-8")
    with pytest.raises(UnreadableSource, match="trace not found"):
        read([str(folder)])


@pytest.mark.parametrize("files", [1, FILES])
def test_attributes_that_are_not_kept_change_no_observation(folder: Path, files: int) -> None:
    """Without the attributes that observations do not depend on, they are the same, and the other columns too."""
    for file in sorted(folder.iterdir())[files:]:
        file.unlink()
    (whole,), (slim,) = (list(read_batches([str(folder)], keep=keep)) for keep in (None, ATTRIBUTES_READ))
    beside = [name for name in whole.spans.column_names if name != "attributes"]
    assert rows(slim.spans.select(beside)) == rows(whole.spans.select(beside))
    assert {key for row in slim.spans["attributes"].to_pylist() for key, _ in row} == {"exception.message"}
    seen, seen_slim = observe(whole.spans), observe(slim.spans)
    assert [getattr(seen, part).to_pylist() for part in ("traces", "hops", "own", "defects")] == [
        getattr(seen_slim, part).to_pylist() for part in ("traces", "hops", "own", "defects")
    ]
