from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from analysis.diagnosis import HopSummary
from analysis.report.hop_map import HopMap, hop_map
from tests.analysis.report.samples import DATABASE_HOP, ORDER_HOP, PAYMENT_HOP

services = st.sampled_from("abcdefgh")
graphs = st.lists(st.tuples(services, services), max_size=24, unique=True)


def hop(caller: str, callee: str) -> HopSummary:
    return replace(PAYMENT_HOP, hop=f"{caller}->{callee}")


def drawn(*pairs: tuple[str, str]) -> HopMap:
    return hop_map([hop(caller, callee) for caller, callee in pairs])


def columns(picture: HopMap) -> dict[str, float]:
    return {node.name: node.x for node in picture.nodes}


def test_callers_stand_left_of_callees() -> None:
    """A service stands right of all its callers, also of one that calls it past another."""
    x = columns(drawn(("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")))
    assert x["a"] < x["b"] < x["c"] < x["d"]


def test_a_circle_of_calls_is_drawn() -> None:
    """Services that call each other are placed once each, and every hop has its line."""
    picture = drawn(("a", "b"), ("b", "c"), ("c", "a"), ("c", "c"))
    assert sorted(columns(picture)) == ["a", "b", "c"]
    assert len(picture.edges) == 4


def test_a_callee_without_spans_is_marked() -> None:
    """A database is remote; a service that something reached as a peer but that calls others is not."""
    picture = hop_map([PAYMENT_HOP, ORDER_HOP, DATABASE_HOP])
    assert {node.name for node in picture.nodes if node.remote} == {"postgresql"}


def test_nothing_at_all_is_an_empty_map() -> None:
    """No hops, no picture, no error."""
    assert hop_map([]).nodes == ()


@given(graphs)
def test_no_box_and_no_label_covers_another(pairs: list[tuple[str, str]]) -> None:
    """Whatever calls whatever, boxes are apart, and labels of one callee have lines of their own."""
    picture = drawn(*pairs)
    for one, other in combinations(picture.nodes, 2):
        apart_x = one.x + one.width <= other.x or other.x + other.width <= one.x
        apart_y = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert apart_x or apart_y
    labels = [(round(edge.label_x, 3), round(edge.label_y, 3)) for edge in picture.edges]
    assert len(set(labels)) == len(labels)


@given(graphs, st.randoms())
def test_the_order_of_hops_does_not_matter(pairs: list[tuple[str, str]], random: st.DataObject) -> None:
    """The same hops give the same picture."""
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert drawn(*shuffled) == drawn(*pairs)


@given(graphs)
def test_everything_is_within_the_picture(pairs: list[tuple[str, str]]) -> None:
    """No box reaches beyond the view box, and every path is made of numbers."""
    picture = drawn(*pairs)
    assert all(
        node.x + node.width <= picture.width and node.y + node.height <= picture.height for node in picture.nodes
    )
    assert all(re.fullmatch(r"[MCL0-9., -]+", edge.path) for edge in picture.edges)
    assert len(picture.edges) == len(pairs)
