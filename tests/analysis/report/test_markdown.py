from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.budget import evaluate, parse
from analysis.report import markdown
from tests.analysis.report.samples import DEMO, DEMO_ATTACHMENTS, PAYMENT_HOP, SLOW_PAYMENT


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("gateway->payment", "gateway->payment"),
        ("a_b*c*", "a\\_b\\*c\\*"),
        ("<img src=x>", "\\<img src=x>"),
        ("[click](http://evil)", "\\[click\\](http://\u200bevil)"),
        ("@maintainers see #12", "@\u200bmaintainers see #\u200b12"),
        ("# title", "\\# title"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("a\n\n# b", "a\\\\x0a\\\\x0a# b"),
        ("a | b", "a \\| b"),
    ],
)
def test_a_name_is_no_markup(name: str, shown: str) -> None:
    """No link, mention, heading, list, table cell or HTML comes out of a name."""
    assert markdown.escaped(name) == shown


@pytest.mark.parametrize(
    ("name", "shown"), [("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("a|b", "`a\\|b`"), ("a\nb", "`a\\x0ab`")]
)
def test_code_holds_any_name(name: str, shown: str) -> None:
    """Backticks in a name do not end the code."""
    assert markdown.code(name) == shown


def test_a_table_row_keeps_its_columns_whatever_the_hop_is_called() -> None:
    """A pipe or a line break in a name begins no new cell and no new row."""
    evil = replace(PAYMENT_HOP, hop="a|b\n|c->d`|`")
    rows = [line for line in markdown.render(replace(DEMO, hops=(evil,))).split("\n") if line.startswith("| `")]
    assert len(rows) == 1
    assert len(rows[0].replace("\\|", "").split("|")) == 10


def test_a_broken_budget_stands_at_the_top() -> None:
    """Before any finding: it is why the build failed."""
    budget = evaluate(parse("hop(gateway->payment).wire_ms.p95 < 50"), DEMO)
    report = markdown.render(DEMO, replace(DEMO_ATTACHMENTS, budgets=(budget,)))
    assert "| ❌ | `hop(gateway->payment).wire_ms.p95 < 50` | broken, gateway->payment is 1,540 ms" in report
    assert report.index("❌ |") < report.index("### 1.")


def test_a_comment_stays_short() -> None:
    """Of a thousand hops and warnings, those that matter."""
    diagnosis = replace(
        DEMO,
        hops=tuple(replace(PAYMENT_HOP, hop=f"a->{index}") for index in range(1000)),
        input=replace(DEMO.input, warnings=tuple(f"warning {index}" for index in range(1000))),
    )
    report = markdown.render(diagnosis)
    assert len(report.split("\n")) < 60
    assert "The 10 costliest of 1000 hops" in report
    assert "and 995 more warnings" in report


def test_a_finding_says_what_its_record_says() -> None:
    """Place, cause, leg, phase and numbers in one glance."""
    report = markdown.render(DEMO)
    assert "### 1. `gateway->payment`: delay on the response leg (slow-payment)" in report
    assert f"`{SLOW_PAYMENT.traces[0]}`" in report
