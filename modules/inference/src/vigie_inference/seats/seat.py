"""Where models serve: the main seat and those of the releases that name their cameras, as frames see them."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from vigie.contracts.detections import DetectionsItem
from vigie.contracts.inputspec import InputSpec, NamedSpec, SampledSpec
from vigie_inference.load import Load
from vigie_inference.models_in_service import ModelsInService
from vigie_inference.serving import ServingModel
from vigie_inference.update.trial import TrialRun

MAIN = ""


@dataclass(eq=False)
class Seat:
    """One place for a model that serves. ``name``: of its release in desired property ``models``; empty: the main one.

    ``cameras``: whose frames its model answers in place of the main one's. ``beside``: it sees them as well; none: all.
    """

    name: str
    models: ModelsInService
    load: Load = field(default_factory=Load)
    trial: TrialRun = field(default_factory=TrialRun)
    cameras: frozenset[str] = frozenset()
    beside: bool = False


class Seats:
    """Changed by whoever applies the twin, each time as a whole; read by all other threads."""

    def __init__(self, main: Seat) -> None:
        self.main = main
        self.named: dict[str, Seat] = {}
        # Dismissed, but frames that were fitted for them may still come.
        self.leaving: tuple[Seat, ...] = ()

    def all(self) -> list[Seat]:
        return [self.main, *self.named.values(), *self.leaving]

    def of(self, name: str) -> Seat | None:
        """The seat that tensors fitted for ``name`` belong to."""
        if name == MAIN:
            return self.main
        seat = self.named.get(name)
        return seat or next((one for one in self.leaving if one.name == name), None)

    def runs_at_a_time(self) -> int:
        """Frames that are worked on at a time. Models share the CPUs that each may have for itself."""
        return max(seat.models.runs_at_a_time() for seat in self.all())

    def retire(self) -> None:
        for seat in self.all():
            seat.models.retire()

    def served(self, result: DetectionsItem, name: str) -> None:
        """What the model of seat ``name`` saw in a frame: for the trials that compare with it."""
        seat = self.of(name)
        if seat is not None:
            seat.trial.served(result)
        if name == MAIN:
            for other in self.named.values():
                if not other.beside and result.camera in other.cameras and other.models.serving is None:
                    other.trial.served(result)

    def spec(self) -> InputSpec | None:
        """What preprocess is to fit frames to; None: no model serves."""
        others = tuple(
            _named(seat, model) for seat in self.named.values() if (model := seat.models.serving) is not None
        )
        also = self.main.trial.also() + tuple(
            _of_seat(spec, seat) for seat in self.named.values() for spec in seat.trial.also()
        )
        main = self.main.models.serving
        if main is not None:
            return msgspec.structs.replace(main.spec, also=also, others=others)
        if not others:
            return None
        first = others[0]
        return InputSpec("", first.size_hw, first.align, first.pad_value, also=also, others=others)


def _named(seat: Seat, model: ServingModel) -> NamedSpec:
    spec = model.spec
    return NamedSpec(
        named=seat.name,
        version=spec.version,
        size_hw=spec.size_hw,
        align=spec.align,
        pad_value=spec.pad_value,
        views=spec.views,
        cameras=tuple(sorted(seat.cameras)),
        beside=seat.beside,
    )


def _of_seat(spec: SampledSpec, seat: Seat) -> SampledSpec:
    return msgspec.structs.replace(spec, cameras=tuple(sorted(seat.cameras)), named=seat.name)
