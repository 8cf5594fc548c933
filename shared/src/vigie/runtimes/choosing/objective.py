"""What the operator wants of a runtime: to follow the load, be fast, do much, or use little; within which bounds."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vigie.runtimes.candidate import Candidate

Kind = Literal["auto", "latency", "throughput", "energy"]
Names = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(min_length=1, max_length=32)]


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Candidates by any of four properties; a property that is not named selects all."""

    engines: Annotated[Names, Meta(description="onnxruntime, openvino, or the name of one that plugs in.")] | None = (
        None
    )
    providers: Annotated[Names, Meta(description="Rows of the provider table: cpu, cuda, qnn-htp, ...")] | None = None
    devices: Annotated[Names, Meta(description="CPU, GPU, NPU, HTP.")] | None = None
    variants: Annotated[Names, Meta(description="Variants of the bundle: fp32, int8-u8s8, ...")] | None = None

    def names_nothing(self) -> bool:
        return self == Selection()

    def all_of(self, candidate: Candidate) -> bool:
        """Every property that is named fits: for ``require`` and ``prefer``."""
        return all(not wanted or has in wanted for wanted, has in self._pairs(candidate))

    def any_of(self, candidate: Candidate) -> bool:
        """One property that is named fits: for ``forbid``."""
        return any(has in wanted for wanted, has in self._pairs(candidate))

    def in_words(self) -> str:
        pairs = (
            ("engine", self.engines),
            ("provider", self.providers),
            ("device", self.devices),
            ("variant", self.variants),
        )
        return ", ".join(f"{name} {' or '.join(values)}" for name, values in pairs if values) or "nothing"

    def _pairs(self, candidate: Candidate) -> tuple[tuple[tuple[str, ...], str], ...]:
        return (
            (self.engines or (), candidate.engine),
            (self.providers or (), candidate.provider),
            (self.devices or (), candidate.device),
            (self.variants or (), candidate.variant),
        )


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """``accuracy_floor``: least agreement with the reference, 0..1, on top of the card's own minimum.

    ``require``: only these may be chosen; ``prefer``: the best of these if any is fit; ``forbid``: never these.
    """

    kind: Kind = "auto"
    accuracy_floor: float | None = None
    memory_mb_max: float | None = None
    require: Selection = Selection()
    prefer: Selection = Selection()
    forbid: Selection = Selection()
