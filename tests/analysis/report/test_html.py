from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from analysis.diagnosis import InputSummary
from analysis.report import html
from tests.analysis.report.samples import DEMO, DEMO_ATTACHMENTS, DEMO_SCORECARD, EMPTY, SLOW_CHECKOUT, SLOW_PAYMENT

EVIL = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'`&{{ 7*7 }}\x1b[31m"
VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})
SVG_EMPTY = frozenset({"line", "rect", "path"})


class Elements(HTMLParser):
    """Start tags with their attributes, and whether every tag that was opened was closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def names(self) -> set[str]:
        return {tag for tag, _ in self.tags}


def evil_report() -> str:
    """A report in which every text that comes from traces is an attack."""
    hops = tuple(replace(hop, hop=f"{EVIL}->{EVIL}") for hop in DEMO.hops)
    operations = tuple(replace(operation, name=EVIL) for operation in DEMO.operations)
    phases = tuple(replace(phase, name=EVIL, operations=operations, findings=(1,)) for phase in DEMO.phases)
    finding = replace(
        SLOW_PAYMENT, culprit=EVIL, service=EVIL, hop=f"{EVIL}->{EVIL}", cause=EVIL, summary=EVIL, phase=EVIL,
        operation=EVIL, instance=EVIL, traces=(EVIL,),
    )  # fmt: skip
    diagnosis = replace(
        DEMO, hops=hops, operations=operations, phases=phases, findings=(finding,), reasons=(EVIL,), logs={EVIL: 1},
        input=InputSummary(1, 1, 1, (EVIL,), (EVIL,)),
    )  # fmt: skip
    rows = tuple(
        replace(row, service=EVIL, name=EVIL, hop=row.hop and EVIL, failure=EVIL) for row in SLOW_CHECKOUT.rows
    )
    logs = tuple(replace(line, service=EVIL, body=EVIL) for line in SLOW_CHECKOUT.logs)
    exemplar = replace(SLOW_CHECKOUT, trace_id=EVIL, title=EVIL, rows=rows, logs=logs, warnings=(EVIL,))
    distribution = replace(DEMO_ATTACHMENTS.distributions[0], quantity=EVIL)
    scores = tuple(
        replace(s, rank=1, fault=replace(s.fault, kind=EVIL, link=EVIL, phase=EVIL)) for s in DEMO_SCORECARD.faults
    )
    scorecard = replace(DEMO_SCORECARD, faults=scores, quiet_phases=(EVIL,))
    budgets = tuple(replace(b, budget=replace(b.budget, text=EVIL), message=EVIL) for b in DEMO_ATTACHMENTS.budgets)
    rates = (replace(DEMO_ATTACHMENTS.failure_rates[0], hop=EVIL),)
    attachments = replace(
        DEMO_ATTACHMENTS,
        failure_rates=rates,
        budgets=budgets,
        scorecard=scorecard,
        source=EVIL,
        exemplars=(exemplar,),
        distributions=(distribution,),
        files=(EVIL,),
    )
    return html.render(diagnosis, attachments)


@pytest.mark.parametrize(
    "page",
    [
        html.render(DEMO, DEMO_ATTACHMENTS),
        html.render(DEMO),
        html.render(EMPTY),
        html.render_trace(SLOW_CHECKOUT),
        evil_report(),
    ],
    ids=["demo", "bare", "empty", "trace", "evil"],
)
class TestPage:
    def test_every_element_is_closed_in_order(self, page: str) -> None:
        """No name and no missing part breaks the page's structure."""
        assert Elements(page).open == []

    def test_nothing_is_loaded_and_nothing_runs(self, page: str) -> None:
        """One file: no script, no outside style, image or font, and a policy that forbids them."""
        elements = Elements(page)
        assert not elements.names & {"script", "img", "iframe", "object", "embed", "base", "form"}
        addresses = [value for _, attrs in elements.tags for key, value in attrs.items() if key in ("src", "href")]
        assert all(address == "data:," or (address or "").startswith("#") for address in addresses)
        assert not re.search(r"@import|url\((?!#)", page)
        assert [key for _, attrs in elements.tags for key in attrs if key.startswith("on")] == []
        assert "default-src 'none'" in page

    def test_links_within_the_page_lead_somewhere(self, page: str) -> None:
        """Every #anchor has its target, and no two elements share an id."""
        tags = Elements(page).tags
        ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
        assert len(ids) == len(set(ids))
        targets = {(attrs["href"] or "")[1:] for tag, attrs in tags if tag == "a"}
        assert targets <= set(ids)

    def test_charts_say_what_they_show(self, page: str) -> None:
        """A chart is an image with a label, a scrolled region can be reached by keyboard, a header has its scope."""
        for tag, attrs in Elements(page).tags:
            if tag == "svg":
                assert attrs.get("role") == "img"
                assert attrs.get("aria-label")
            if "scroll" in (attrs.get("class") or "").split():
                assert attrs.get("tabindex") == "0"
            if tag == "th":
                assert attrs.get("scope") in ("col", "row")

    def test_no_control_character_reaches_the_page(self, page: str) -> None:
        """HTML has no place for escape characters."""
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", page)


def test_names_from_traces_are_shown_as_they_are() -> None:
    """An attack in a name is text: escaped, not removed, and no template syntax in it is evaluated."""
    text = "".join(Elements(evil_report()).text)
    assert "<script>alert(1)</script>" in text
    assert "{{ 7*7 }}" in text


def test_the_findings_come_first() -> None:
    """A reader sees what is wrong before any table."""
    page = html.render(DEMO, DEMO_ATTACHMENTS)
    assert page.index('id="findings"') < page.index('id="time"') < page.index('id="hops"') < page.index('id="traces"')
    assert page.index("gateway-&gt;payment") < page.index("<table")


def test_an_exemplar_of_a_finding_is_one_click_away() -> None:
    """The trace id in a finding links to its waterfall."""
    page = html.render(DEMO, DEMO_ATTACHMENTS)
    assert f'href="#trace-{SLOW_CHECKOUT.trace_id}"' in page
    assert f'id="trace-{SLOW_CHECKOUT.trace_id}"' in page


def test_a_thin_report_is_not_shown_as_a_clean_one() -> None:
    """The reason for an inconclusive verdict stands in the header."""
    page = html.render(EMPTY)
    assert "this is not a clean report" in page
    assert page.index("No trace was read.") < page.index('id="findings"')


def test_a_system_of_thousands_of_hops_is_a_page_that_opens() -> None:
    """The map and the table show the costliest, and say so."""
    hops = tuple(replace(DEMO.hops[0], hop=f"a->{index:05}") for index in range(5000))
    page = html.render(replace(DEMO, hops=hops), DEMO_ATTACHMENTS)
    assert len(page) < 1_000_000
    assert "The 500 costliest of 5,000 hops" in page
    assert "the 40 costliest of 5,000 hops" in page
