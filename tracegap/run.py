"""`tracegap run`: the whole experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faults.errors import PlanError
from faults.plan import Plan, load_plan
from tracegap.analyze import FORMATS
from tracegap.errors import UnusableInput
from tracegap.interrupts import interruptible
from tracegap.progress import RunProgress
from tracegap.run_directory import RunDirectory, make_run_directory
from tracegap.stack.description import LINKS
from tracegap.stack.stack import StackOptions

if TYPE_CHECKING:
    from analysis.budget import Budget
    from analysis.diagnosis import Diagnosis
    from tracegap.experiment.perform import Outcome

PLANS = Path(__file__).parent.parent / "faults" / "plans"
DEFAULT_PLAN = PLANS / "lost-seconds.yaml"
BUDGET_BROKEN = 1


@click.command()
@click.argument("plan", required=False, type=click.Path(path_type=Path), default=DEFAULT_PLAN, metavar="[PLAN]")
@click.option("--users", type=click.IntRange(1, 100_000), help="So many simulated shoppers, whatever the plan says.")
@click.option("--toxiproxy", metavar="URL", help="Use this Toxiproxy server instead of one of our own.")
@click.option("--trace-bank", is_flag=True, help="Let the third party send spans too, whatever the plan says.")
@click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Directory to make the run directory in.",
)
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="EXPR",
    help="What must hold, such as 'hop(gateway->payment).wire_ms.p95 < 50'; repeatable. A broken budget ends with"
    " exit code 1.",
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Form of the report."
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Where the report goes, besides the run directory; - is standard output, with nothing else on it. Default:"
    " standard output.",
)
def command(
    plan: Path,
    users: int | None,
    toxiproxy: str | None,
    trace_bank: bool,
    runs: Path,
    budgets: tuple[str, ...],
    form: str,
    output: str | None,
) -> int:
    """Start the shop, drive load through it, inject the faults of PLAN, and diagnose what the traces show.

    PLAN is a fault plan; without it, the demo's. Progress goes to standard error. All reports are written into the
    run directory, and `runs/latest` links to it.
    """
    from tracegap.reports import parsed_budgets

    wanted = parsed_budgets(budgets)
    loaded = _load(plan, users, trace_bank=trace_bank)
    with interruptible():
        directory = make_run_directory(runs, loaded.name)
        directory.keep_plan(plan, ["--users", str(users)] if users else [])
        options = StackOptions(toxiproxy, loaded.shop.trace_bank, loaded.shop.delivery)
        try:
            outcome = _perform(loaded, directory, options)
            return _report(loaded, directory, outcome, wanted, form, output)
        except KeyboardInterrupt:
            click.echo(f"tracegap: interrupted; all parts are stopped, {directory.path} keeps what there is", err=True)
            raise


def _load(path: Path, users: int | None, *, trace_bank: bool) -> Plan:
    """The plan with what the command line says about it. Raises UnusableInput."""
    try:
        plan = load_plan(path, links=[link.name for link in LINKS])
    except PlanError as error:
        raise UnusableInput(str(error)) from error
    if users is not None:
        load = plan.load.model_copy(update={"users": users})
        phases = tuple(phase.model_copy(update={"load": None}) for phase in plan.phases)
        plan = plan.model_copy(update={"load": load, "phases": phases})
    if trace_bank:
        plan = plan.model_copy(update={"shop": plan.shop.model_copy(update={"trace_bank": True})})
    return plan


def _perform(plan: Plan, directory: RunDirectory, options: StackOptions) -> Outcome:
    from tracegap.experiment.perform import perform

    with RunProgress() as progress:
        outcome = perform(plan, directory, options, progress)
        progress.begin("analysis", None)
    return outcome


def _report(
    plan: Plan, directory: RunDirectory, outcome: Outcome, budgets: Sequence[Budget], form: str, output: str | None
) -> int:
    """Analyse, score, write every report and deliver the one that was asked for; the exit code."""
    from faults.ledger import read_ledger
    from tracegap.analyze import analyze_locations
    from tracegap.experiment.scoring import scorecard
    from tracegap.reports import budget_results, deliver, rendered, terminal_report, write_reports

    analysis = analyze_locations([str(directory.path)])
    results = budget_results(analysis, budgets)
    scored = scorecard(plan, read_ledger(directory.ledger), analysis.diagnosis)
    write_reports(directory, analysis, budgets=results, scorecard=scored)
    files = [str(directory.report("html"))]
    to_terminal = form == "text" and output in (None, "-")
    if to_terminal:
        deliver(terminal_report(analysis, budgets=results, scorecard=scored, files=files), output)
    else:
        deliver(rendered(analysis, form, budgets=results, scorecard=scored, files=files), output)
    click.echo(_unshipped(outcome, analysis.diagnosis), err=not to_terminal)
    broken = [result for result in results if not result.held]
    for result in broken:
        click.echo(f"tracegap: {result.message}", err=True)
    return BUDGET_BROKEN if broken else 0


def _unshipped(outcome: Outcome, diagnosis: Diagnosis) -> str:
    """Two witnesses of the same loss, who have not spoken to each other."""
    orders = f"{outcome.paid_and_not_shipped:,} orders are" if outcome.paid_and_not_shipped != 1 else "1 order is"
    lost = sum(
        finding.count or 0
        for finding in diagnosis.findings
        if finding.cause == "lost_message" and finding.service == "fulfillment"
    )
    messages = f"{lost:,} messages were" if lost != 1 else "1 message was"
    return f"Database: {orders} paid and not shipped. Traces: {messages} never consumed by fulfillment."
