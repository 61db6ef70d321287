"""Where a run keeps its files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tracegap.errors import UnusableInput
from tracegap.run_directory import RunDirectory, make_run_directory

NOW = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_its_name_says_when_and_what(tmp_path: Path) -> None:
    """UTC time and plan; `latest` leads to the newest."""
    run = make_run_directory(tmp_path / "runs", "lost-seconds", NOW)
    assert run.path.name == "20310203T040506Z-lost-seconds"
    assert (tmp_path / "runs" / "latest").resolve() == run.path.resolve()


def test_runs_of_the_same_second_get_one_each(tmp_path: Path) -> None:
    """Nothing is shared or overwritten, and `latest` follows."""
    paths = [make_run_directory(tmp_path, "x", NOW).path for _ in range(3)]
    assert len(set(paths)) == 3
    assert (tmp_path / "latest").resolve() == paths[-1].resolve()


def test_the_plan_is_kept_as_its_author_wrote_it(tmp_path: Path) -> None:
    """Comments and all, with what overruled it in front."""
    source = tmp_path / "mine.yaml"
    source.write_text("name: mine  # why\n")
    run = make_run_directory(tmp_path / "runs", "mine", NOW)
    run.keep_plan(source, ["--users", "3"])
    assert run.plan.read_text() == "# run with --users 3\nname: mine  # why\n"


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    """A file where the directory should be, for one."""
    (tmp_path / "runs").write_text("")
    with pytest.raises(UnusableInput, match=r"runs: cannot make a run directory here"):
        make_run_directory(tmp_path / "runs", "x", NOW)


def test_the_address_book_is_json(tmp_path: Path) -> None:
    """`peers.json` maps addresses to names."""
    run = RunDirectory(tmp_path)
    run.write_peers({"127.0.0.1:1": "bank"})
    assert run.peers.read_text().split() == ["{", '"127.0.0.1:1":', '"bank"', "}"]
    assert [path.name for path in tmp_path.iterdir()] == ["peers.json"]
