"""The arrows between the rooms, and other rules of the house that a machine can check."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {"tracegap", "scenarios", "faults", "collector", "analysis", "shop"}
# What does I/O, tells the time or prints has no place in the core of the analysis.
OUTSIDE_WORLD = {"click", "datetime", "httpx", "io", "logging", "os", "pathlib", "random", "requests", "rich"}
OUTSIDE_WORLD |= {"shutil", "socket", "subprocess", "sys", "time", "urllib"}
CALLS_OUT = {"print", "open", "input"}

MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
CORE = [
    p
    for p in MODULES
    if p.relative_to(ROOT).parts[0] == "analysis" and p.relative_to(ROOT).parts[1] not in ("sources", "report")
]


def _imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_run_knows_other_rooms(path: Path) -> None:
    """`tracegap` may import every room; the others import none but themselves."""
    room = path.relative_to(ROOT).parts[0]
    if room != "tracegap":
        assert _imports(ast.parse(path.read_text())) & ROOMS <= {room}


@pytest.mark.parametrize("path", CORE, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_of_the_analysis_does_no_io(path: Path) -> None:
    """Spans in, findings out: no sockets, no files, no clock, no printing."""
    tree = ast.parse(path.read_text())
    assert not _imports(tree) & OUTSIDE_WORLD
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not calls & CALLS_OUT


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_is(path: Path) -> None:
    """A module begins with a docstring."""
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_lock_files_name_no_index() -> None:
    """Whoever installs decides where packages come from."""
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text()
        assert "--hash=sha256:" in lock.read_text()
