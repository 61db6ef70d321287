"""Budgets for CI: `hop(gateway->payment).wire_ms.p95 < 50`, held against a diagnosis.

    expression = subject "." metric, comparison, limit   |   "findings" comparison limit   |   "verdict" "==" verdict
    subject    = hop(A->B) | operation(NAME) | service(NAME) | findings(NAME or CAUSE)
    limit      = number, with an optional unit: ms, s, us, %

NAME may be a pattern with `*`; then the worst of all that match counts. What was not measured does not hold.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from analysis.diagnosis import Diagnosis, Finding, HopStats, HopSummary, OperationSummary, Percentiles
from analysis.errors import AnalysisError

__all__ = ["BadBudget", "Budget", "BudgetVerdict", "evaluate", "parse"]

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_UNITS = {"": 1.0, "ms": 1.0, "s": 1_000.0, "us": 0.001, "%": 0.01}
_QUANTILES = ("p50", "p95", "p99")
_HOP_TIMES = ("wire_ms", "request_leg_ms", "response_leg_ms", "queue_ms")
_HOP_COUNTS = ("calls", "failed", "failed_rate", "retries")
_OPERATION_METRICS = (
    "p50_ms", "p95_ms", "p99_ms", "completion_p50_ms", "completion_p95_ms", "traces", "failed", "failed_rate",
)  # fmt: skip
_SERVICE_METRICS = ("findings", "calls", "failed", "failed_rate")
_SUBJECTS = ("hop", "operation", "service", "findings", "verdict")
_LIMIT = re.compile(r"^(?P<number>-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*(?P<unit>ms|us|s|%|)$")
_EXPRESSION = re.compile(r"^(?P<left>.*?)\s*(?P<comparison><=|>=|==|!=|<|(?<!-)>)\s*(?P<limit>[^<>=!()]*)$")
_SUBJECT = re.compile(r"^(?P<subject>[a-z]+)(?:\((?P<name>.*)\))?(?:\.(?P<metric>[a-z0-9_.]+))?$")
_EXAMPLE = "such as 'hop(gateway->payment).wire_ms.p95 < 50'"


class BadBudget(AnalysisError):
    """`expression` is not a budget, because of `reason`."""

    def __init__(self, expression: str, reason: str) -> None:
        self.expression = expression
        self.reason = reason
        super().__init__(f"budget {expression!r}: {reason}")


@dataclass(frozen=True, slots=True)
class Budget:
    text: str
    subject: str
    name: str  # "" = all
    metric: str  # "" = the count of findings, or the verdict
    comparison: str
    limit: float
    word: str = ""  # the verdict that is asked for


@dataclass(frozen=True, slots=True)
class BudgetVerdict:
    budget: Budget
    held: bool
    value: float | None  # in the unit of the metric; None where it was not measured
    excess: float | None  # how far beyond the limit, where it broke
    where: str  # what was measured
    message: str  # one line for people and JUnit


def parse(expression: str) -> Budget:
    """Raises BadBudget with what was expected."""
    text = expression.strip()
    split = _EXPRESSION.match(text)
    if split is None:
        raise BadBudget(expression, f"expected a comparison (<, <=, >, >=, ==, !=) and a limit, {_EXAMPLE}")
    left = _SUBJECT.match(split["left"].strip())
    if left is None or left["subject"] not in _SUBJECTS:
        raise BadBudget(expression, f"expected one of {', '.join(_SUBJECTS)} on the left, {_EXAMPLE}")
    subject, name, metric = left["subject"], (left["name"] or "").strip(), left["metric"] or ""
    _check_subject(expression, subject, left["name"], metric)
    if subject == "verdict":
        return _verdict_budget(expression, text, split["comparison"], split["limit"].strip())
    limit = _LIMIT.match(split["limit"].strip())
    if limit is None:
        shown = split["limit"].strip() or "nothing"
        raise BadBudget(expression, f"expected a number with ms, s, us, % or no unit as the limit, not {shown}")
    _check_unit(expression, metric, limit["unit"])
    value = float(limit["number"]) * _UNITS[limit["unit"]]
    return Budget(text, subject, name, metric, split["comparison"], value)


def _check_subject(expression: str, subject: str, name: str | None, metric: str) -> None:
    metrics: dict[str, tuple[str, ...]] = {
        "hop": (*(f"{t}.{q}" for t in _HOP_TIMES for q in _QUANTILES), *_HOP_COUNTS),
        "operation": _OPERATION_METRICS,
        "service": _SERVICE_METRICS,
        "findings": ("",),
        "verdict": ("",),
    }
    if subject in ("hop", "operation", "service") and not (name or "").strip():
        raise BadBudget(expression, f"{subject} needs a name in parentheses, {_EXAMPLE}")
    if subject == "hop" and metric.startswith("failures.") and metric.count(".") == 1:
        return
    if metric not in metrics[subject]:
        known = ", ".join(m for m in metrics[subject] if m) or "no metric"
        raise BadBudget(expression, f"{subject} has {known}; not {metric or 'nothing'}")


def _check_unit(expression: str, metric: str, unit: str) -> None:
    is_time = "_ms" in metric
    if unit in ("ms", "s", "us") and not is_time:
        raise BadBudget(expression, f"{metric or 'the number of findings'} is not a time: no unit {unit}")
    if unit == "%" and not metric.endswith("rate"):
        raise BadBudget(expression, f"{metric or 'the number of findings'} is not a rate: no %")


def _verdict_budget(expression: str, text: str, comparison: str, word: str) -> Budget:
    verdicts = ("ok", "degraded", "failing", "inconclusive")
    if comparison not in ("==", "!=") or word not in verdicts:
        raise BadBudget(expression, f"a verdict is == or != one of {', '.join(verdicts)}")
    return Budget(text, "verdict", "", "", comparison, 0.0, word)


def evaluate(budget: Budget, diagnosis: Diagnosis) -> BudgetVerdict:
    """Whether the budget holds, and if not, by how much it broke."""
    if budget.subject == "verdict":
        same = diagnosis.verdict == budget.word
        held = same == (budget.comparison == "==")
        return BudgetVerdict(budget, held, None, None, "verdict", f"{budget.text}: the verdict is {diagnosis.verdict}")
    measured = list(_measure(budget, diagnosis))
    if not measured:
        message = f"{budget.text}: not measured; {_known(budget, diagnosis)}"
        return BudgetVerdict(budget, held=False, value=None, excess=None, where=budget.name, message=message)
    where, value = max(measured, key=lambda pair: (_excess(budget, pair[1]), pair[0]))
    held = _COMPARISONS[budget.comparison](value, budget.limit)
    excess = None if held else abs(value - budget.limit)
    message = f"{budget.text}: {'holds' if held else 'broken'}, {where} is {_shown(budget, value)}"
    if excess is not None:
        message += f", {_shown(budget, excess)} {'above' if value > budget.limit else 'below'} the limit"
    return BudgetVerdict(budget, held, value, excess, where, message)


def _excess(budget: Budget, value: float) -> float:
    """Larger is worse for this comparison."""
    if budget.comparison in ("<", "<="):
        return value
    if budget.comparison in (">", ">="):
        return -value
    far = abs(value - budget.limit)
    return far if budget.comparison == "==" else -far


def _shown(budget: Budget, value: float) -> str:
    if "_ms" in budget.metric:
        return f"{value:,.6g} ms"
    return f"{100 * value:.3g} %" if budget.metric.endswith("rate") else f"{value:,.6g}"


def _measure(budget: Budget, diagnosis: Diagnosis) -> Iterable[tuple[str, float]]:
    if budget.subject == "hop":
        return _of_hops(budget, diagnosis.hops)
    if budget.subject == "operation":
        return _of_operations(budget, diagnosis.operations)
    if budget.subject == "service":
        return _of_service(budget, diagnosis)
    findings = [f for f in diagnosis.findings if not budget.name or _concerns(f, budget.name)]
    return [("the number of findings", float(len(findings)))]


def _concerns(finding: Finding, name: str) -> bool:
    words = (finding.culprit, finding.hop, finding.service, finding.cause, finding.kind, finding.phase)
    return any(word is not None and fnmatchcase(word, name) for word in words)


def _of_hops(budget: Budget, hops: Iterable[HopSummary]) -> Iterable[tuple[str, float]]:
    for hop in hops:
        if fnmatchcase(hop.hop, budget.name) and hop.stats.calls:
            value = _hop_value(hop.stats, budget.metric)
            if value is not None:
                yield hop.hop, value


def _hop_value(stats: HopStats, metric: str) -> float | None:
    name, _, part = metric.partition(".")
    if name == "failures":
        return float(stats.failures.get(part, 0))
    if name == "failed_rate":
        return stats.failed / stats.calls
    value: Percentiles | int | None = getattr(stats, name)
    if isinstance(value, Percentiles):
        quantile: float = getattr(value, part)
        return quantile
    return None if value is None else float(value)


def _of_operations(budget: Budget, operations: Iterable[OperationSummary]) -> Iterable[tuple[str, float]]:
    listed = list(operations)
    exact = [o for o in listed if o.name == budget.name]
    # The root's service may be left out: `operation(POST /checkout)` is also that of `locust POST /checkout`.
    for one in exact or [o for o in listed if fnmatchcase(o.name, budget.name) or o.name.endswith(f" {budget.name}")]:
        if budget.metric == "failed_rate":
            yield one.name, one.failed / one.traces
        else:
            yield one.name, float(getattr(one, budget.metric))


def _of_service(budget: Budget, diagnosis: Diagnosis) -> Iterable[tuple[str, float]]:
    into: dict[str, list[HopStats]] = {}
    for hop in diagnosis.hops:
        into.setdefault(hop.hop.rpartition("->")[2], []).append(hop.stats)
    names = {*diagnosis.input.services, *into}
    for name in sorted(n for n in names if fnmatchcase(n, budget.name)):
        calls = sum(stats.calls for stats in into.get(name, ()))
        failed = sum(stats.failed for stats in into.get(name, ()))
        found = sum(f.service == name or f.culprit == name for f in diagnosis.findings)
        if budget.metric == "failed_rate" and not calls:
            continue
        values = {"findings": found, "calls": calls, "failed": failed, "failed_rate": failed / max(calls, 1)}
        yield name, float(values[budget.metric])


def _known(budget: Budget, diagnosis: Diagnosis) -> str:
    names = {
        "hop": [hop.hop for hop in diagnosis.hops],
        "operation": [operation.name for operation in diagnosis.operations],
        "service": list(diagnosis.input.services),
    }[budget.subject]
    if any(fnmatchcase(name, budget.name) for name in names):
        return f"the input has {budget.name}, but no {budget.metric} of it"
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"the input has no {budget.subject} {budget.name}; it has {shown or 'none'}"
