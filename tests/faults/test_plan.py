"""Plans: what a good one means, and that a bad one ends in one line that names file, place and what was expected."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.errors import PlanError
from faults.plan import Plan, load_plan
from faults.toxics import Cut, DropFirstConnections, Latency, Ramp
from shop.misbehaviour import Behaviour

LINKS = ("gateway->payment", "nats->fulfillment")


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str | bytes], Plan]:
    def load(text: str | bytes) -> Plan:
        path = tmp_path / "plan.yaml"
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return load_plan(path, links=LINKS, services=("gateway", "payment"))

    return load


def with_fault(fault: str) -> str:
    return f"name: x\nphases:\n  - name: a\n    duration: 5s\n    faults:\n      - {fault}\n"


def test_quantities_are_held_in_the_unit_of_their_name(load: Callable[[str], Plan]) -> None:
    """Durations, sizes and rates in any unit come out in the model's own."""
    plan = load(
        """
        name: units
        warmup: 1m
        settle: 250ms
        phases:
          - {name: a, duration: 1.5s, faults: [
              {link: gateway->payment, toxic: latency, latency: 1.5s, jitter: 500us},
              {link: gateway->payment, toxic: bandwidth, rate: 64KiB/s, stream: upstream},
              {link: gateway->payment, toxic: limit_data, bytes: 1.5kB, toxicity: 50%},
              {link: gateway->payment, toxic: slicer, average_size: 64B, delay: 2ms}]}
        """
    )
    assert (plan.warmup_s, plan.settle_s, plan.phases[0].duration_s) == (60.0, 0.25, 1.5)
    wires = [fault.wire(0.0) for fault in plan.phases[0].faults if hasattr(fault, "wire")]
    assert wires == [
        {"latency": 1500, "jitter": 0},  # Toxiproxy counts whole milliseconds
        {"rate": 66},  # 65,536 B/s in whole kB/s
        {"bytes": 1500},
        {"average_size": 64, "size_variation": 0, "delay": 2000},  # microseconds
    ]


def test_every_form_of_fault(load: Callable[[str], Plan]) -> None:
    """A toxic, a ramp, a cut, dropped connections, and a choice between them."""
    plan = load(
        """
        name: forms
        phases:
          - name: a
            duration: 10s
            faults:
              - link: gateway->payment
                toxic: latency
                latency: {from: 10ms, to: 1s}
                repeat: {every: 2s, lasting: 1s}
              - {link: nats->fulfillment, enabled: false}
              - {link: gateway->payment, drop_first_connections: 3}
              - every: 1s
                choose:
                  - {link: gateway->payment, toxic: reset_peer}
                  - {link: gateway->payment, toxic: timeout, timeout: 0ms}
        """
    )
    ramp, cut, drop, choice = plan.phases[0].faults
    assert isinstance(ramp, Latency)
    assert isinstance(ramp.latency_ms, Ramp)
    assert [ramp.wire(progress)["latency"] for progress in (0.0, 0.5, 1.0)] == [10, 505, 1000]
    assert isinstance(cut, Cut)
    assert isinstance(drop, DropFirstConnections)
    assert len(choice.choose) == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("phases", "baselines"),
    [
        ("[{name: a, duration: 9s}, {name: b, duration: 9s}]", {"a"}),
        ("[{name: a, duration: 9s, shop: {payment: {sleep: 1s}}}, {name: b, duration: 9s}]", {"b"}),
        ("[{name: a, duration: 9s}, {name: b, duration: 9s, baseline: true}]", {"b"}),
        ("[{name: a, duration: 9s, baseline: false}, {name: b, duration: 9s}]", {"b"}),
        ("[{name: a, duration: 9s, baseline: true}, {name: b, duration: 9s, baseline: true}]", {"a", "b"}),
        ("[{name: a, duration: 9s, faults: [{link: gateway->payment, enabled: false}]}]", set()),
    ],
)
def test_the_baseline_is_the_first_quiet_phase_unless_told(
    phases: str, baselines: set[str], load: Callable[[str], Plan]
) -> None:
    """Marked phases win; otherwise the first in which nothing is done; possibly none."""
    assert load(f"name: x\nphases: {phases}").baselines() == baselines


def test_misbehaviour_is_what_the_services_read(load: Callable[[str], Plan]) -> None:
    """Every word that a plan may say about a service is one that the shop's services understand, and no word lacks."""
    words = (
        "{rate: 10%, burn: 1ms, sleep: 2ms, raise: true, return_early: true, drop_message: true, lose_context: true}"
    )
    plan = load(f"name: x\nphases: [{{name: a, duration: 5s, shop: {{payment: {words}}}}}]")
    told = plan.phases[0].misbehaviour()["payment"]
    Behaviour.model_validate(told)
    assert told.keys() == {field.alias or name for name, field in Behaviour.model_fields.items()}


BAD = [
    ("phases: [", "1:10: not valid YAML"),
    ("name: a\nname: b", "2:1: duplicate key 'name'"),
    ("name: x", "1:1: expected key `phases`"),
    ("just words", "1:1: expected a plan"),
    ("", "1:1: expected a plan"),
    ("name: x\nphases: []", "2:9: phases: expected"),
    ("name: x\nphases: [{name: a, duration: -5s}]", "2:30: phases[0].duration: expected a duration such as"),
    ("name: x\nphases: [{name: a, duration: 5}]", "2:30: phases[0].duration: expected a duration such as"),
    ("name: x\nphases: [{name: a, duration: 0s}]", "2:30: phases[0].duration: expected greater than 0"),
    (
        "name: x\nphases: [{name: a, duration: 5s, falts: []}]",
        "2:41: phases[0].falts: unknown key; did you mean `faults`?",
    ),
    ("name: x\nphases: [{name: a/b, duration: 5s}]", "2:17: phases[0].name: expected"),
    ("name: x\nphases: [{name: a, duration: 5s}, {name: a, duration: 5s}]", "'a' twice"),
    ("name: x\nload: {users: 0}\nphases: [{name: a, duration: 5s}]", "2:15: load.users: expected"),
    ("name: x\nload: {users: many}\nphases: [{name: a, duration: 5s}]", "2:15: load.users: expected"),
    ("name: x\nabort: {failure_rate: 120%}\nphases: [{name: a, duration: 5s}]", "expected a share from 0 to 1"),
    ("name: x\nshop: {delivery: twice}\nphases: [{name: a, duration: 5s}]", "2:18: shop.delivery: expected"),
    ("name: x\nphases: [{name: a, duration: 5s, shop: {bank: {}}}]", "expected one of the services gateway, payment"),
    (
        "name: x\nphases: [{name: a, duration: 5s, shop: {payment: {sleep_ms: 3}}}]",
        "unknown key; did you mean `sleep`?",
    ),
    ("name: x\nexpect: [{phase: b, hop: h, cause: delay}]\nphases: [{name: a, duration: 5s}]", "one of the phases a"),
    ("name: x\nexpect: [{phase: a, cause: delay}]\nphases: [{name: a, duration: 5s}]", "expected `hop` or `service`"),
    ("a: !!python/object:os.system x", "1:4: expected no tag"),
    ("a: &a [*a]", "1:4: expected at most 32 levels"),
    ("? [1, 2]\n: x", "1:3: expected a plain word as key"),
    ("a: " + "[" * 5000, "levels of nesting"),
    (b"name: \xff\xfe", "1:1: expected UTF-8"),
    (b"name: \0", "1:1: not valid YAML"),
    ("#" * 300_000, "expected a plan of at most 256 KiB"),
    ("---\nname: x\n---\nname: y", "not valid YAML: but found another document"),
]
BAD_FAULTS = [
    (
        "{link: gateway->bank, enabled: false}",
        "6:16: phases[0].faults[0].link: expected one of the links gateway->payment",
    ),
    ("{link: gateway->payment, toxic: latency, latency: -5ms}", "phases[0].faults[0].latency: expected a duration"),
    ("{link: gateway->payment, toxic: latency}", "expected `latency`, `jitter` or both"),
    ("{link: gateway->payment, toxic: latnecy, latency: 5ms}", "expected a fault: `toxic` one of latency, bandwidth"),
    ("{link: gateway->payment}", "6:9: phases[0].faults[0]: expected a fault"),
    ("{link: gateway->payment, enabled: true}", "phases[0].faults[0].enabled: expected False"),
    ("{link: gateway->payment, toxic: bandwidth, rate: 64KiB}", "expected a rate such as 64KiB/s"),
    ("{link: gateway->payment, toxic: bandwidth, rate: 10B/s}", "expected a rate of at least 1kB/s"),
    ("{link: gateway->payment, toxic: slicer, average_size: 0B}", "expected an `average_size` of at least 1B"),
    ("{link: gateway->payment, toxic: slicer, average_size: 9B, size_variation: 9B}", "smaller than `average_size`"),
    ("{link: gateway->payment, toxic: latency, latency: {from: 1ms}}", "faults[0].latency: expected key `to`"),
    ("{link: gateway->payment, toxic: reset_peer, stream: sideways}", "faults[0].stream: expected 'upstream' or"),
    ("{link: gateway->payment, toxic: reset_peer, toxicity: 2}", "faults[0].toxicity: expected a share from 0 to 1"),
    ("{link: gateway->payment, toxic: reset_peer, repeat: {every: 1s, lasting: 1s}}", "`lasting` to be shorter than"),
    ("{link: gateway->payment, toxic: reset_peer, repeat: {every: 1ms, lasting: 100us}}", "at most 1000 turns"),
    ("{link: gateway->payment, drop_first_connections: 0}", "drop_first_connections: expected"),
    ("{choose: []}", "faults[0].choose: expected"),
    ("{choose: [{link: gateway->bank, enabled: false}]}", "faults[0].choose[0].link: expected one of the links"),
]
BAD += [(with_fault(fault), expected) for fault, expected in BAD_FAULTS]


@pytest.mark.parametrize(("text", "expected"), BAD, ids=[expected for _, expected in BAD])
def test_a_bad_plan_ends_in_one_line(text: str | bytes, expected: str, load: Callable[[str | bytes], Plan]) -> None:
    """The line begins with the file and says where and what was expected."""
    with pytest.raises(PlanError) as caught:
        load(text)
    message = str(caught.value)
    assert message.split(":")[0].endswith("plan.yaml")
    assert expected in message
    assert "\n" not in message


def test_a_link_cut_twice_in_one_phase_is_refused(load: Callable[[str], Plan]) -> None:
    """Two switches on one proxy would undo each other."""
    cut = "{link: gateway->payment, enabled: false}"
    with pytest.raises(PlanError, match="once in a phase"):
        load(f"name: x\nphases: [{{name: a, duration: 5s, faults: [{cut}, {cut}]}}]")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """No traceback for a wrong path, nor for a directory."""
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(PlanError, match="cannot be read"):
            load_plan(path, links=None)


def complaint(path: Path) -> str:
    """Empty for a plan; only PlanError is caught."""
    try:
        load_plan(path, links=LINKS)
    except PlanError as error:
        return str(error)
    return ""


WORDS = st.sampled_from([
    "name", "phases", "duration", "faults", "link", "toxic", "latency", "gateway->payment", "5s", "-5s", "1e99", "true",
    "enabled", "false", "null", "~", "64KiB/s", "choose", "every", "repeat", "shop", "expect", "{", "}", "[", "]", ":",
    "'", '"', "|", "0x7", "1:30", "<<", "&a", "*a", "!!x", ": ", "- ", "\n", "\n  ", ", ", " ", "\u2028", "\x00",
])  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.one_of(st.binary(max_size=200), st.lists(WORDS, max_size=60).map(lambda words: "".join(words).encode())))
def test_any_bytes_are_a_plan_or_one_line(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in the file: a plan, or PlanError with one printable line."""
    path = tmp_path / "plan.yaml"
    path.write_bytes(content)
    assert complaint(path).isprintable()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["5s", "latency", "gateway->payment", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["link", "toxic", "latency", "from", "to", "every", "choose", "enabled"]), inner
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(key=st.sampled_from([*Plan.model_json_schema()["properties"]]), value=VALUES, fault=VALUES)
def test_any_values_are_a_plan_or_one_line(tmp_path: Path, key: str, value: object, fault: object) -> None:
    """Well-formed YAML with any values in any place: the same."""
    import yaml

    plan = {"name": "x", "phases": [{"name": "a", "duration": "5s", "faults": [fault]}], key: value}
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(plan))
    assert complaint(path).isprintable()
