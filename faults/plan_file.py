"""A plan's YAML, read strictly: every value keeps the line and column it stands at.

Less than YAML on purpose: one document, no tags, no merge keys, no duplicate keys, and only the words `true`, `false`
and `null` are special (`on`, `no` and `1:30` stay text). Aliases are allowed; an alias that contains itself is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from faults.errors import PlanError

__all__ = ["Place", "Source", "Value", "one_line", "read_source"]

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

LARGEST_FILE_BYTES = 256 * 1024
DEEPEST = 32
MOST_VALUES = 100_000

_INT = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_FLOAT = re.compile(r"[+-]?(\d{1,18}\.\d{0,18}|\.\d{1,18}|\d{1,18})([eE][+-]?\d{1,3})?", re.ASCII)
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None, "~": None, "": None}


_PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "timestamp", "merge", "value")
}
"""What the YAML library takes plain words for; it is not asked what they mean."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; both count from 1, as editors do."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Source:
    """A plan file as plain values, and where each of them stands."""

    path: Path
    value: Value
    root: yaml.Node | None

    def locate(self, keys: tuple[int | str, ...]) -> tuple[Place, str]:
        """Place and readable key path (`phases[1].duration`) of the deepest key that exists.

        Keys that are not in the file (a missing field, the name of a union's branch) are skipped.
        """
        node, shown = self.root, ""
        for key in keys:
            child = _child(node, key)
            if child is not None:
                node, shown = child, shown + (f"[{key}]" if isinstance(key, int) else f".{key}")
        place = Place(1, 1) if node is None else _place(node.start_mark)
        return place, shown.removeprefix(".")


def read_source(path: Path) -> Source:
    """Read a plan file.

    Raises:
        PlanError: the file cannot be read, is not UTF-8, too large, or not the YAML described above.
    """
    text = _text(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _place(mark) if mark is not None else Place(1, 1)
        raise _broken(path, place, f"not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise _broken(path, Place(1, 1), f"not valid YAML: {getattr(error, 'reason', error)}") from None
    except RecursionError:
        raise _broken(path, Place(1, 1), f"expected at most {DEEPEST} levels of nesting") from None
    return Source(path, None if root is None else _Reader(path).value(root, 0), root)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PlanError(one_line(f"{path}: cannot be read: {reason}")) from None
    if len(content) > LARGEST_FILE_BYTES:
        raise PlanError(one_line(f"{path}: expected a plan of at most {LARGEST_FILE_BYTES // 1024} KiB"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _broken(path, Place(line, 1), "expected UTF-8 text") from None


class _Reader:
    """Nodes to values; counts them, because aliases can make a small file stand for a huge value."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0

    def value(self, node: yaml.Node, depth: int) -> Value:
        self._count += 1
        if depth > DEEPEST:
            raise self._error(node, f"expected at most {DEEPEST} levels of nesting (an alias that contains itself?)")
        if self._count > MOST_VALUES:
            raise self._error(node, f"expected at most {MOST_VALUES} values")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            self._no_tag(node, "tag:yaml.org,2002:seq")
            return [self.value(item, depth + 1) for item in node.value]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Value]:
        self._no_tag(node, "tag:yaml.org,2002:map")
        mapping: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, "expected a plain word as key")
            key = str(key_node.value)
            if key in mapping:
                raise self._error(key_node, f"duplicate key {key!r}")
            mapping[key] = self.value(value_node, depth + 1)
        return mapping

    def _scalar(self, node: yaml.ScalarNode) -> Value:
        text = str(node.value)
        if node.style is not None:  # quoted, or a block
            self._no_tag(node, "tag:yaml.org,2002:str")
            return text
        if node.tag not in _PLAIN_TAGS:
            raise self._error(node, f"expected no tag, got {node.tag!r}")
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _no_tag(self, node: yaml.Node, usual: str) -> None:
        if node.tag != usual:
            raise self._error(node, f"expected no tag, got {node.tag!r}")

    def _error(self, node: yaml.Node, problem: str) -> PlanError:
        return _broken(self._path, _place(node.start_mark), problem)


def _child(node: yaml.Node | None, key: int | str) -> yaml.Node | None:
    children: dict[int | str, yaml.Node] = {}
    if isinstance(node, yaml.SequenceNode):
        children.update(enumerate(node.value))
    elif isinstance(node, yaml.MappingNode):
        children.update((name.value, child) for name, child in node.value if isinstance(name, yaml.ScalarNode))
    return children.get(key)


def _place(mark: yaml.Mark) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _broken(path: Path, place: Place, problem: str) -> PlanError:
    return PlanError(one_line(f"{path}:{place.line}:{place.column}: {problem}"))


def one_line(text: str) -> str:
    """Whatever a file name or a value contains, the message stays one printable line."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
