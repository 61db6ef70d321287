"""What a plan can do to a link: Toxiproxy's toxics, cutting the link, and dropping its first connections.

Toxiproxy keeps its own words (`latency`, `jitter`, `stream`, `toxicity`). A plan writes every quantity with its unit,
the models hold it in the unit of the field's name, and `wire()` gives what goes over HTTP: whole numbers in Toxiproxy's
units.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from faults.quantities import ByteCount, BytesPerSecond, Milliseconds, Seconds, Share

__all__ = [
    "Bandwidth",
    "Choice",
    "Cut",
    "DropFirstConnections",
    "Fault",
    "Latency",
    "LimitData",
    "Ramp",
    "Repeat",
    "ResetPeer",
    "Slicer",
    "SlowClose",
    "Timeout",
    "Toxic",
]

Number = TypeVar("Number", int, float)


class Record(BaseModel):
    """Frozen, strict, and closed: an unknown key is a mistake of the plan's author, not data."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", populate_by_name=False, use_attribute_docstrings=True
    )


class Ramp(Record, Generic[Number]):
    """A value that moves in a straight line."""

    start: Number = Field(alias="from")
    """Value at the beginning."""
    end: Number = Field(alias="to")
    """Value at the end."""

    def at(self, progress: float) -> float:
        """Value after this share (0..1) of the time."""
        return self.start + (self.end - self.start) * progress


class DurationRamp(Ramp[Milliseconds]):
    """A duration that moves in a straight line over the phase, or over each turn of a `repeat`."""


class SizeRamp(Ramp[ByteCount]):
    """A size that moves in a straight line over the phase, or over each turn of a `repeat`."""


class RateRamp(Ramp[BytesPerSecond]):
    """A rate that moves in a straight line over the phase, or over each turn of a `repeat`."""


def _is_ramp(value: object) -> str:
    return "(ramp)" if isinstance(value, (dict, Ramp)) else "(value)"


# Unions by shape, so that an error speaks of the form that was meant and not of all. The names of the branches are part
# of an error's key path: the parentheses keep them apart from keys.
MillisecondsOrRamp = Annotated[
    Annotated[Milliseconds, Tag("(value)")] | Annotated[DurationRamp, Tag("(ramp)")], Discriminator(_is_ramp)
]
BytesOrRamp = Annotated[
    Annotated[ByteCount, Tag("(value)")] | Annotated[SizeRamp, Tag("(ramp)")], Discriminator(_is_ramp)
]
RateOrRamp = Annotated[
    Annotated[BytesPerSecond, Tag("(value)")] | Annotated[RateRamp, Tag("(ramp)")], Discriminator(_is_ramp)
]


def at(value: float | Ramp[Any], progress: float) -> float:
    """A plain value, or where a ramp stands after this share (0..1) of its time."""
    return value.at(progress) if isinstance(value, Ramp) else value


class Repeat(Record):
    """On and off again: the fault is there for `lasting` at the beginning of every `every`."""

    every_s: Seconds = Field(alias="every", gt=0)
    """Time from one beginning to the next."""
    lasting_s: Seconds = Field(alias="lasting", gt=0)
    """How long the fault stays each time; less than `every`."""

    @model_validator(mode="after")
    def _fits(self) -> Repeat:
        if self.lasting_s >= self.every_s:
            raise ValueError("expected `lasting` to be shorter than `every`")
        return self


class OnLink(Record):
    """What every fault on a link has."""

    link: str
    """The link (Toxiproxy's proxy) it acts on, such as `gateway->payment`."""
    repeat: Repeat | None = None
    """Take it away and bring it back during the phase."""

    @field_validator("link")
    @classmethod
    def _known(cls, link: str, info: ValidationInfo) -> str:
        links = (info.context or {}).get("links")
        if links is not None and link not in links:
            raise ValueError(f"expected one of the links {', '.join(sorted(links))}, got {link!r}")
        return link


class Toxic(OnLink):
    """What every toxic has: which stream, and on which share of the connections."""

    toxic: str
    stream: Literal["upstream", "downstream"] = "downstream"
    """`downstream` acts on what the callee sends back (responses), `upstream` on what the caller sends (requests)."""
    toxicity: Share = 1.0
    """Share of the connections that it acts on."""

    def wire(self, progress: float) -> dict[str, int]:
        """Attributes as Toxiproxy takes them, for a moment of a ramp (0..1)."""
        raise NotImplementedError

    @property
    def ramps(self) -> bool:
        """Whether any attribute moves over the phase."""
        return any(isinstance(getattr(self, name), Ramp) for name in type(self).model_fields)


class Latency(Toxic):
    """Delays everything by `latency`, give or take `jitter`."""

    toxic: Literal["latency"]
    """`latency`, by which it is known."""
    latency_ms: MillisecondsOrRamp = Field(default=0.0, alias="latency")
    """Added to every chunk of data."""
    jitter_ms: MillisecondsOrRamp = Field(default=0.0, alias="jitter")
    """Each delay lies between `latency - jitter` and `latency + jitter`."""

    def wire(self, progress: float) -> dict[str, int]:
        return {"latency": round(at(self.latency_ms, progress)), "jitter": round(at(self.jitter_ms, progress))}

    @model_validator(mode="after")
    def _does_something(self) -> Latency:
        if self.latency_ms == 0 and self.jitter_ms == 0:
            raise ValueError("expected `latency`, `jitter` or both")
        return self


class Bandwidth(Toxic):
    """Lets through at most `rate`."""

    toxic: Literal["bandwidth"]
    """`bandwidth`, by which it is known."""
    rate_bytes_per_s: RateOrRamp = Field(alias="rate")
    """Most that passes per connection; Toxiproxy counts in whole kB/s (1000 bytes), so the nearest of them is used."""

    def wire(self, progress: float) -> dict[str, int]:
        return {"rate": max(1, round(at(self.rate_bytes_per_s, progress) / 1000))}

    @field_validator("rate_bytes_per_s")
    @classmethod
    def _expressible(cls, rate: float | Ramp[float]) -> float | Ramp[float]:
        # Toxiproxy takes a rate of 0 kB/s for "no limit": the opposite of what was meant.
        if min(at(rate, 0), at(rate, 1)) < 1000:
            raise ValueError("expected a rate of at least 1kB/s, the least that Toxiproxy can express")
        return rate


class SlowClose(Toxic):
    """Delays the end of the connection by `delay`."""

    toxic: Literal["slow_close"]
    """`slow_close`, by which it is known."""
    delay_ms: MillisecondsOrRamp = Field(alias="delay")
    """From one side's close until the other side learns of it."""

    def wire(self, progress: float) -> dict[str, int]:
        return {"delay": round(at(self.delay_ms, progress))}


class Timeout(Toxic):
    """Lets nothing through, and closes the connection after `timeout`."""

    toxic: Literal["timeout"]
    """`timeout`, by which it is known."""
    timeout_ms: MillisecondsOrRamp = Field(alias="timeout")
    """Until the connection is closed; `0ms` keeps it open, and mute, until the phase ends."""

    def wire(self, progress: float) -> dict[str, int]:
        return {"timeout": round(at(self.timeout_ms, progress))}


class ResetPeer(Toxic):
    """Ends the connection with a TCP reset after `timeout`."""

    toxic: Literal["reset_peer"]
    """`reset_peer`, by which it is known."""
    timeout_ms: MillisecondsOrRamp = Field(default=0.0, alias="timeout")
    """Until the reset; `0ms` resets at once."""

    def wire(self, progress: float) -> dict[str, int]:
        return {"timeout": round(at(self.timeout_ms, progress))}


class Slicer(Toxic):
    """Cuts the data into small pieces, with a pause after each."""

    toxic: Literal["slicer"]
    """`slicer`, by which it is known."""
    average_size_bytes: BytesOrRamp = Field(alias="average_size")
    """Mean size of a piece; at least one byte."""
    size_variation_bytes: BytesOrRamp = Field(default=0, alias="size_variation")
    """Pieces are this much larger or smaller; less than `average_size`."""
    delay_ms: MillisecondsOrRamp = Field(default=0.0, alias="delay")
    """Pause after each piece; Toxiproxy counts it in microseconds."""

    def wire(self, progress: float) -> dict[str, int]:
        return {
            "average_size": round(at(self.average_size_bytes, progress)),
            "size_variation": round(at(self.size_variation_bytes, progress)),
            "delay": round(at(self.delay_ms, progress) * 1000),
        }

    @model_validator(mode="after")
    def _pieces_have_a_size(self) -> Slicer:
        for progress in (0.0, 1.0):
            average, variation = at(self.average_size_bytes, progress), at(self.size_variation_bytes, progress)
            if average < 1:
                raise ValueError("expected an `average_size` of at least 1B")
            if variation >= average:
                raise ValueError("expected `size_variation` to be smaller than `average_size`")
        return self


class LimitData(Toxic):
    """Closes the connection once `bytes` have passed."""

    toxic: Literal["limit_data"]
    """`limit_data`, by which it is known."""
    bytes_: BytesOrRamp = Field(alias="bytes")
    """How much passes on each connection."""

    def wire(self, progress: float) -> dict[str, int]:
        return {"bytes": round(at(self.bytes_, progress))}


class Cut(OnLink):
    """Cuts the link: its connections are closed and new ones refused."""

    enabled: Literal[False]
    """`false`, as in Toxiproxy: the proxy is switched off."""


class DropFirstConnections(OnLink):
    """Drops the first connections that are opened and lets every later one through."""

    drop_first_connections: Annotated[int, Field(ge=1, le=1_000_000)]
    """How many. Connections that are open when the phase begins are closed, so that there is a first one."""


class Choice(Record):
    """One of several faults, drawn with the plan's seed."""

    choose: list[Fault] = Field(min_length=1)
    """What can be drawn."""
    every_s: Seconds | None = Field(default=None, alias="every", gt=0)
    """Draw again after this time; without it, once for the whole phase."""


_TOXICS = {
    "latency": Latency,
    "bandwidth": Bandwidth,
    "slow_close": SlowClose,
    "timeout": Timeout,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "limit_data": LimitData,
}


def _which(value: object) -> str | None:
    """The form a fault has, by the key that only this form has."""
    if isinstance(value, (Toxic, Cut, DropFirstConnections, Choice)):
        return f"({value.toxic if isinstance(value, Toxic) else type(value).__name__})"
    if not isinstance(value, dict):
        return None
    if "toxic" in value:
        name = value["toxic"]
        return f"({name})" if isinstance(name, str) and name in _TOXICS else None
    for key, form in (("enabled", "Cut"), ("drop_first_connections", "DropFirstConnections"), ("choose", "Choice")):
        if key in value:
            return f"({form})"
    return None


Fault = Annotated[
    Annotated[Latency, Tag("(latency)")]
    | Annotated[Bandwidth, Tag("(bandwidth)")]
    | Annotated[SlowClose, Tag("(slow_close)")]
    | Annotated[Timeout, Tag("(timeout)")]
    | Annotated[ResetPeer, Tag("(reset_peer)")]
    | Annotated[Slicer, Tag("(slicer)")]
    | Annotated[LimitData, Tag("(limit_data)")]
    | Annotated[Cut, Tag("(Cut)")]
    | Annotated[DropFirstConnections, Tag("(DropFirstConnections)")]
    | Annotated[Choice, Tag("(Choice)")],
    Discriminator(
        _which,
        custom_error_type="fault",
        custom_error_message="expected a fault: `toxic` one of "
        + ", ".join(_TOXICS)
        + "; or `enabled: false`; or `drop_first_connections`; or `choose`",
    ),
]

Choice.model_rebuild()
