"""Reports of an analysis: in the form that was asked for, or all of them into a run directory."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracegap.errors import UnusableInput
from tracegap.reading import read_in_batches
from tracegap.run_directory import RunDirectory

if TYPE_CHECKING:
    from analysis.budget import Budget, BudgetVerdict
    from analysis.diagnosis import Finding
    from analysis.report.attachments import Attachments
    from analysis.report.exemplar import Exemplar
    from analysis.scorecard import Scorecard
    from tracegap.analyze import Analysis

__all__ = ["attach", "budget_results", "deliver", "parsed_budgets", "rendered", "terminal_report", "write_reports"]

BUDGET_BROKEN = 1
MAX_EXEMPLARS = 8
MAX_DRAWN_SPANS = 50_000
"""Nobody reads a drawing of more, and to make it takes a gigabyte for every 200,000 spans."""
PIPE_WIDTH = 100
SHORT_ID = 12
"""Digits of a trace id in a command, where they are enough to be the only one."""


def parsed_budgets(expressions: Sequence[str]) -> tuple[Budget, ...]:
    """Raises UnusableInput for an expression that is none, before anything is read."""
    if not expressions:
        return ()
    from analysis.budget import BadBudget, parse

    try:
        return tuple(parse(expression) for expression in expressions)
    except BadBudget as error:
        raise UnusableInput(str(error)) from error


def budget_results(analysis: Analysis, budgets: Sequence[Budget]) -> tuple[BudgetVerdict, ...]:
    """Each budget held against the diagnosis."""
    if not budgets:
        return ()
    from analysis.budget import evaluate

    return tuple(evaluate(budget, analysis.diagnosis) for budget in budgets)


def rendered(
    analysis: Analysis,
    form: str,
    *,
    budgets: Sequence[BudgetVerdict] = (),
    scorecard: Scorecard | None = None,
    files: Sequence[str] = (),
) -> str:
    """The report as `json`, `html`, `markdown`, `junit` or plain `text` of PIPE_WIDTH columns."""
    attachments = attach(analysis, form, budgets=budgets, scorecard=scorecard, files=files)
    return _render(analysis, form, attachments)


def terminal_report(
    analysis: Analysis,
    *,
    budgets: Sequence[BudgetVerdict] = (),
    scorecard: Scorecard | None = None,
    files: Sequence[str] = (),
) -> str:
    """The text report for standard output as it is now: its width, and colours if a terminal wants them."""
    from analysis.report import text

    attachments = attach(analysis, "text", budgets=budgets, scorecard=scorecard, files=files)
    return text.render(analysis.diagnosis, attachments, width=output_width(), colour=wants_colour())


def write_reports(
    run: RunDirectory,
    analysis: Analysis,
    *,
    budgets: Sequence[BudgetVerdict] = (),
    scorecard: Scorecard | None = None,
) -> tuple[Path, ...]:
    """Write report.html, report.json, report.md and junit.xml, and the tables as Parquet. Returns the reports' paths.

    Raises UnusableInput when the directory cannot be written to.
    """
    paths = {"html": run.report("html"), "json": run.report("json"), "markdown": run.report("md"), "junit": run.junit}
    names = [path.name for path in paths.values()]
    attachments = attach(analysis, "html", budgets=budgets, scorecard=scorecard, files=names)
    try:
        for form, path in paths.items():
            path.write_text(_render(analysis, form, attachments), encoding="utf-8")
        _write_tables(run, analysis)
    except OSError as error:
        raise UnusableInput(f"{run.path}: cannot write the reports: {error.strerror}") from error
    return tuple(paths.values())


def _write_tables(run: RunDirectory, analysis: Analysis) -> None:
    """spans.parquet and logs.parquet, batch after batch where they did not fit into memory."""
    import pyarrow.parquet

    from analysis.span_table import LOG_SCHEMA, SPAN_SCHEMA

    with (
        pyarrow.parquet.ParquetWriter(run.spans, SPAN_SCHEMA, compression="zstd") as spans,
        pyarrow.parquet.ParquetWriter(run.logs, LOG_SCHEMA, compression="zstd") as logs,
    ):
        if analysis.spans is not None and analysis.logs is not None:
            spans.write_table(analysis.spans)
            logs.write_table(analysis.logs)
        else:
            for batch in read_in_batches(analysis.locations):
                spans.write_table(batch.spans)
                logs.write_table(batch.logs)


def attach(
    analysis: Analysis,
    form: str,
    *,
    budgets: Sequence[BudgetVerdict] = (),
    scorecard: Scorecard | None = None,
    files: Sequence[str] = (),
) -> Attachments:
    """What a report of this form shows beside the diagnosis; nothing is drawn that it would not show."""
    from analysis.report.attachments import Attachments

    source = " ".join(analysis.locations)
    if form in ("json", "junit", "markdown"):
        return Attachments(source, budgets=tuple(budgets), scorecard=scorecard)
    if form == "text":
        # A slow request shows in a tree; what a failed one lacks, the finding says better.
        exemplars = _exemplars(analysis, sorted(analysis.diagnosis.findings, key=lambda f: f.kind != "latency"), 1)
        commands = _next_commands(analysis, exemplars)
        return Attachments(
            source, exemplars, budgets=tuple(budgets), scorecard=scorecard, files=tuple(files), commands=commands
        )
    from analysis.report.distributions import distributions
    from analysis.report.failure_rates import failure_rates
    from analysis.report.timeline import timeline

    return Attachments(
        source,
        _exemplars(analysis, analysis.diagnosis.findings, MAX_EXEMPLARS),
        distributions(analysis.diagnosis, analysis.observations, analysis.baseline),
        failure_rates(analysis.diagnosis, analysis.observations),
        timeline(analysis.observations),
        tuple(budgets),
        scorecard,
        tuple(files),
    )


def deliver(report: str, output: str | None) -> None:
    """Write the report to a file, or to standard output (None, `-`). Raises UnusableInput when FILE is unwritable."""
    if output in (None, "-"):
        # The report's own encoding, not the locale's: JSON, HTML and XML are UTF-8 by their standards.
        sys.stdout.buffer.write(report.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
        return
    path = Path(str(output))
    try:
        path.write_text(report, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UnusableInput(f"{path}: cannot write the report: {error.strerror}") from error


def finish(analysis: Analysis, form: str, output: str | None, budgets: Sequence[Budget]) -> int:
    """Deliver the report of `tracegap analyze` and of `tracegap compare`; the exit code by the budgets."""
    results = budget_results(analysis, budgets)
    to_stdout = output in (None, "-")
    if form == "text" and to_stdout:
        deliver(terminal_report(analysis, budgets=results), output)
    else:
        deliver(rendered(analysis, form, budgets=results), output)
    broken = [result for result in results if not result.held]
    if form != "text" or not to_stdout:
        for result in broken:
            click.echo(f"tracegap: {result.message}", err=True)
    return BUDGET_BROKEN if broken else 0


def output_width() -> int:
    """Columns of the terminal on standard output, or PIPE_WIDTH; COLUMNS decides over both."""
    return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns


def wants_colour() -> bool:
    """See no-color.org: any value of NO_COLOR that is not empty means no."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _render(analysis: Analysis, form: str, attachments: Attachments) -> str:
    if form == "json":
        from analysis.report import json

        return json.render(analysis.diagnosis, attachments)
    if form == "html":
        from analysis.report import html

        return html.render(analysis.diagnosis, attachments)
    if form == "markdown":
        from analysis.report import markdown

        return markdown.render(analysis.diagnosis, attachments)
    if form == "junit":
        from analysis.report import junit

        return junit.render(analysis.diagnosis, attachments)
    from analysis.report import text

    return text.render(analysis.diagnosis, attachments, width=PIPE_WIDTH)


def _exemplars(analysis: Analysis, findings: Sequence[Finding], count: int) -> tuple[Exemplar, ...]:
    """The worst trace of each of the first findings; without findings the slowest trace."""
    from analysis.report.exemplar_building import draw_trace, spans_of

    wanted: dict[bytes, tuple[int, ...]] = {}
    huge = _too_large_to_draw(analysis)
    for finding in findings:
        for trace_id in [each for each in map(bytes.fromhex, finding.traces) if each not in huge][:1]:
            wanted[trace_id] = (*wanted.get(trace_id, ()), finding.rank)
    if not wanted:
        wanted = {each: () for each in _slowest(analysis) if each not in huge}
    chosen = list(wanted.items())[:count]
    if not chosen:
        return ()
    ids = [trace_id for trace_id, _ in chosen]
    read, logs = analysis.tables_of(ids)
    spans = spans_of(read, ids)
    present = set(spans["trace_id"].to_pylist())
    return tuple(
        draw_trace(trace_id, spans, analysis.observations, logs, ranks)
        for trace_id, ranks in chosen
        if trace_id in present
    )


def _too_large_to_draw(analysis: Analysis) -> frozenset[bytes]:
    import pyarrow.compute as pc

    traces = analysis.observations.traces
    return frozenset(traces.filter(pc.greater(traces["spans"], MAX_DRAWN_SPANS))["trace_id"].to_pylist())


def _slowest(analysis: Analysis) -> list[bytes]:
    import pyarrow.compute as pc

    traces = analysis.observations.traces
    if not len(traces):
        return []
    slowest = pc.index(traces["duration_ns"], pc.max(traces["duration_ns"])).as_py()
    return [traces["trace_id"][slowest].as_py()]


def _next_commands(analysis: Analysis, exemplars: Sequence[Exemplar]) -> tuple[str, ...]:
    where = " ".join(shlex.quote(location) for location in analysis.locations)
    commands = [f"tracegap trace {_short_id(analysis, exemplar.trace_id)} {where}" for exemplar in exemplars[:1]]
    if not any(location == "-" for location in analysis.locations):
        commands.append(f"tracegap analyze {where} --format html -o report.html")
    return tuple(commands)


def _short_id(analysis: Analysis, trace_id: str) -> str:
    """What `tracegap trace` takes for this trace: its first digits, or all where other traces begin like it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    short = bytes.fromhex(trace_id[:SHORT_ID])
    begin = pa.scalar(short + bytes(16 - len(short)), pa.binary(16))
    end = pa.scalar(short + b"\xff" * (16 - len(short)), pa.binary(16))
    ids = analysis.observations.traces["trace_id"]
    alike = pc.sum(pc.and_(pc.greater_equal(ids, begin), pc.less_equal(ids, end))).as_py()
    return trace_id[:SHORT_ID] if alike == 1 else trace_id.lstrip("0")
