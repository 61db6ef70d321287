from __future__ import annotations

from collections.abc import Callable

import pytest

from analysis.report import html, json, junit, markdown, text, trace_json, trace_text
from tests.analysis.report.samples import DEMO, DEMO_ATTACHMENTS, EMPTY, LOST_ORDER, SLOW_CHECKOUT

REPORTS: dict[str, Callable[[], str]] = {
    "demo-80.txt": lambda: text.render(DEMO, DEMO_ATTACHMENTS),
    "demo-140.txt": lambda: text.render(DEMO, DEMO_ATTACHMENTS, width=140),
    "demo-colour.txt": lambda: text.render(DEMO, DEMO_ATTACHMENTS, colour=True),
    "demo.json": lambda: json.render(DEMO, DEMO_ATTACHMENTS),
    "demo.html": lambda: html.render(DEMO, DEMO_ATTACHMENTS),
    "demo.md": lambda: markdown.render(DEMO, DEMO_ATTACHMENTS),
    "demo.xml": lambda: junit.render(DEMO, DEMO_ATTACHMENTS),
    "empty.txt": lambda: text.render(EMPTY),
    "empty.json": lambda: json.render(EMPTY),
    "empty.html": lambda: html.render(EMPTY),
    "empty.md": lambda: markdown.render(EMPTY),
    "empty.xml": lambda: junit.render(EMPTY),
    "trace.txt": lambda: trace_text.render(SLOW_CHECKOUT, width=100),
    "trace-lost.txt": lambda: trace_text.render(LOST_ORDER),
    "trace.json": lambda: trace_json.render(SLOW_CHECKOUT),
    "trace.html": lambda: html.render_trace(SLOW_CHECKOUT),
}


@pytest.mark.parametrize("name", REPORTS)
def test_report_is_as_it_was_when_last_looked_at(name: str, assert_golden: Callable[[str, str], None]) -> None:
    """No report changes without somebody reading the difference."""
    assert_golden(name, REPORTS[name]())


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_the_same_every_time(name: str) -> None:
    """No report reads a clock, a random number or the order of a set."""
    assert REPORTS[name]() == REPORTS[name]()
