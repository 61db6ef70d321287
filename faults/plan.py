"""A fault plan: which load, which faults on which links, in which phases, and what a diagnosis should find.

`docs/plans.md` is its reference, `docs/plan.schema.json` its JSON Schema; tests hold both against these models.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, ValidationInfo, WithJsonSchema, field_validator, model_validator
from pydantic_core import ErrorDetails

from faults.errors import PlanError
from faults.plan_file import Source, one_line, read_source
from faults.quantities import Milliseconds, Seconds, Share
from faults.toxics import Choice, Cut, DropFirstConnections, Fault, Record, Toxic

__all__ = ["Abort", "Expected", "Load", "Misbehaviour", "Phase", "Plan", "Shop", "SteadyState", "load_plan"]

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name that is also safe as part of a file name and of a toxic's name."""


MOST_TURNS = 1000
"""Of one fault in a phase: more often than that is a mistake in the plan."""


class Load(Record):
    """How much traffic there is."""

    users: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Simulated shoppers at the same time."""
    spawn_rate: Annotated[float, Field(gt=0, le=100_000)] = 10.0
    """Shoppers started (or stopped) per second."""


class Shop(Record):
    """How the shop is set up for the whole run."""

    delivery: Literal["at_most_once", "durable"] = "at_most_once"
    """Order events: core NATS (an absent consumer never gets them), or a JetStream stream with a durable consumer."""
    trace_bank: bool = False
    """Whether the third party sends spans: with `true` `payment->bank` is a call, without it a peer."""


class SteadyState(Record):
    """What must hold before the first fault; otherwise nothing is injected and the run ends with exit code 3."""

    max_failure_rate: Share = 0.01
    """Most requests that may have failed since the warm-up."""
    min_requests: Annotated[int, Field(ge=1, le=10_000_000)] = 10
    """Fewest requests that there must have been to tell."""
    max_p95_ms: Milliseconds | None = Field(default=None, alias="max_p95")
    """Longest 95th percentile of the response time; without it, any."""


class Abort(Record):
    """When to stop early and roll everything back (exit code 3)."""

    failure_rate: Share
    """Stop when more than this share of the requests in the window failed."""
    window_s: Seconds = Field(default=10.0, alias="window", gt=0)
    """How far back to look."""
    min_requests: Annotated[int, Field(ge=1, le=10_000_000)] = 20
    """Fewer requests than this in the window prove nothing."""


Causes = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


class Expected(Record):
    """One finding that a good diagnosis of this plan has. What is not given may be anything."""

    phase: str
    """The phase it belongs to."""
    kind: Literal["latency", "failure"] = "latency"
    """Time lost, or work lost."""
    hop: str | None = None
    """The hop to blame, in the words of the traces (`gateway->fulfillment`, not the link `nats->fulfillment`)."""
    service: str | None = None
    """The service to blame, where it is no hop."""
    cause: Causes
    """The cause; several where the traces cannot tell them apart."""
    leg: Literal["request", "response"] | None = None
    """The leg of a call that lost the time."""
    delta_ms: Milliseconds | None = Field(default=None, alias="delta")
    """The time lost per call."""
    rate: Share | None = None
    """Share of the calls that failed."""

    @field_validator("cause", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _blames_something(self) -> Expected:
        if self.hop is None and self.service is None:
            raise ValueError("expected `hop` or `service`")
        return self


class Misbehaviour(Record):
    """What one service does wrong by itself: the faults that no proxy can inject."""

    rate: Share = 1.0
    """Share of its work that goes wrong."""
    burn_ms: Milliseconds = Field(default=0.0, alias="burn")
    """Processor time burnt per piece of work."""
    sleep_ms: Milliseconds = Field(default=0.0, alias="sleep")
    """Time slept per piece of work."""
    raises: bool = Field(default=False, alias="raise")
    """Fails with an internal error."""
    return_early: bool = False
    """Answers well without having done the work."""
    drop_message: bool = False
    """Takes or sends no message where it should."""
    lose_context: bool = False
    """Ignores the trace that its caller is in."""

    def told(self) -> dict[str, float | bool]:
        """As the service reads it: only what differs from good behaviour; times in milliseconds."""
        names = {"raises": "raise"}
        return {names.get(key, key): value for key, value in self.model_dump(exclude_defaults=True).items()}


class Phase(Record):
    """A named window of the run."""

    name: Word
    """Unique in the plan."""
    duration_s: Seconds = Field(alias="duration", gt=0)
    """How long."""
    baseline: bool | None = None
    """Whether other phases are compared with this one; without any `true`, the first phase without faults is."""
    faults: tuple[Fault, ...] = ()
    """What is done to links, all at once; nothing by default."""
    load: Load | None = None
    """Another load for this phase."""
    shop: dict[str, Misbehaviour] = Field(default_factory=dict)
    """Misbehaviour inside services, by name of the service, such as `payment: {sleep: 200ms}`."""

    @field_validator("shop")
    @classmethod
    def _services_exist(cls, shop: dict[str, Misbehaviour], info: ValidationInfo) -> dict[str, Misbehaviour]:
        services = (info.context or {}).get("services")
        for name in shop:
            if services is not None and name not in services:
                raise ValueError(f"expected one of the services {', '.join(sorted(services))}, got {name!r}")
        return shop

    @field_validator("faults", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _can_be_scheduled(self) -> Phase:
        cut = [fault.link for fault in self.faults if isinstance(fault, Cut | DropFirstConnections)]
        for link in cut:
            if cut.count(link) > 1:
                raise ValueError(f"expected link {link!r} to be cut, or its connections to be dropped, once in a phase")
        for fault in self.faults:
            turns = (
                fault.every_s if isinstance(fault, Choice) else None if fault.repeat is None else fault.repeat.every_s
            )
            if turns is not None and self.duration_s / turns > MOST_TURNS:
                raise ValueError(f"expected at most {MOST_TURNS} turns (`every`) of a fault in a phase")
        return self

    def misbehaviour(self) -> dict[str, dict[str, float | bool]]:
        """What the services read from their misbehaviour file during this phase; empty when all behave."""
        return {service: misbehaviour.told() for service, misbehaviour in self.shop.items()}

    @property
    def quiet(self) -> bool:
        """Whether nothing is done to the system in this phase."""
        return not self.faults and not self.shop


class Plan(Record):
    """One experiment."""

    name: Word
    """Part of the run directory's name."""
    description: str = ""
    """What it shows, for people."""
    expect: tuple[Expected, ...] = ()
    """What the diagnosis should find; nothing else should be found. The analysis never sees it."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Makes every random choice repeatable, the load's too."""
    load: Load = Load()
    """How much traffic."""
    shop: Shop = Shop()
    """How the shop is set up."""
    warmup_s: Seconds = Field(default=5.0, alias="warmup")
    """Load before the first phase, not analysed."""
    settle_s: Seconds = Field(default=1.0, alias="settle")
    """Time after each phase that does something, for what it left behind; it counts as part of that phase."""
    drain_s: Seconds = Field(default=5.0, alias="drain")
    """Wait after the load for messages and spans still on their way."""
    steady_state: SteadyState = SteadyState()
    """What must hold before anything is done to the system."""
    abort: Abort | None = None
    """When to stop early."""
    phases: tuple[Phase, ...] = Field(min_length=1)
    """In order."""

    @field_validator("phases", "expect", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("phases")
    @classmethod
    def _names_differ(cls, phases: tuple[Phase, ...], info: ValidationInfo) -> tuple[Phase, ...]:
        names = [phase.name for phase in phases]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"expected different names, got {name!r} twice")
        return phases

    @model_validator(mode="after")
    def _expectations_have_a_phase(self) -> Plan:
        names = {phase.name for phase in self.phases}
        for expected in self.expect:
            if expected.phase not in names:
                raise ValueError(
                    f"expected a finding of one of the phases {', '.join(sorted(names))}, got {expected.phase!r}"
                )
        return self

    def baselines(self) -> frozenset[str]:
        """Names of the phases that the others are compared with; empty when no phase is free of faults."""
        marked = frozenset(phase.name for phase in self.phases if phase.baseline)
        if marked:
            return marked
        return frozenset([phase.name for phase in self.phases if phase.quiet and phase.baseline is None][:1])

    def links(self) -> frozenset[str]:
        """Every link that some phase does something to."""
        return frozenset(fault.link for phase in self.phases for fault in each_fault(phase.faults))


def each_fault(faults: Collection[Fault]) -> Iterator[Toxic | Cut | DropFirstConnections]:
    """All faults, with those that a choice may draw."""
    for fault in faults:
        if isinstance(fault, Choice):
            yield from each_fault(fault.choose)
        else:
            assert isinstance(fault, Toxic | Cut | DropFirstConnections)
            yield fault


def load_plan(path: Path | str, *, links: Collection[str] | None, services: Collection[str] | None = None) -> Plan:
    """Read and check a plan.

    Args:
        path: the YAML file.
        links: names of the links that there are; None where they are not known (then any name passes).
        services: names of the services that can be told to misbehave; None likewise.

    Raises:
        PlanError: one line with file, line and column, key path, and what was expected.
    """
    source = read_source(Path(path))
    if not isinstance(source.value, dict):
        raise PlanError(one_line(f"{path}:1:1: expected a plan: a mapping with `name` and `phases`"))
    try:
        return Plan.model_validate(source.value, context={"links": links, "services": services})
    except ValidationError as error:
        raise PlanError(_describe(source, error.errors(include_url=False)[0])) from None


@functools.cache
def _vocabulary() -> frozenset[str]:
    """Every key that some part of a plan has."""
    schema = Plan.model_json_schema()
    parts = [schema, *schema["$defs"].values()]
    return frozenset(key for part in parts for key in part.get("properties", ()))


def _describe(source: Source, error: ErrorDetails) -> str:
    place, keys = source.locate(error["loc"])
    subject = f"{keys}: " if keys else ""
    return one_line(f"{source.path}:{place.line}:{place.column}: {subject}{_problem(error)}")


def _problem(error: ErrorDetails) -> str:
    """What was expected, in the words of a plan rather than of the validator."""
    key = error["loc"][-1] if error["loc"] else ""
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "extra_forbidden":
            near = difflib.get_close_matches(str(key), _vocabulary() - {key}, 1)
            return f"unknown key; did you mean `{near[0]}`?" if near else "unknown key"
        case "missing":
            return f"expected key `{key}`"
        case _:
            message = error["msg"].removeprefix("Input should be ").removeprefix("Value should ")
            shown = repr(error["input"])
            return message if message.startswith("expected") else f"expected {message}, got {shown[:60]}"
