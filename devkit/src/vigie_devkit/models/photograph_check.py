"""A model file on the photographs that ship: which way to feed it, and whether its class names are right."""

from __future__ import annotations

from collections.abc import Sequence

from vigie.errors import CardError, EngineError, ModelUnrecognisedError
from vigie.models.card import Concluded
from vigie.runtimes.engines.reference_run import open_reference
from vigie_devkit.models.evidence.looking import FeedComparison, Looker
from vigie_devkit.models.labels import choose_labels
from vigie_devkit.models.prepare import PreparedModel
from vigie_devkit.models.recognition import Feed, Recognition

# Of so many known things, all of them found under another name: the names are wrong, not one answer.
_MISNAMED_MIN = 2


class PhotographCheck:
    """Opens the model once, and only if somebody asks."""

    def __init__(self, prepared: PreparedModel, told: tuple[str, ...] | None) -> None:
        self._prepared, self._told = prepared, told
        self._looker: Looker | None = None

    def compare(self, reading: Recognition, feeds: Sequence[Feed]) -> FeedComparison | None:
        """See ``Looker.compare``; ``None`` also where class names or outputs are still in doubt."""
        try:
            labels, _ = choose_labels(self._prepared.signature, reading, self._told)
            return self._open(reading, labels).compare(feeds)
        except (ModelUnrecognisedError, CardError, EngineError, KeyError):
            return None  # import refuses it for that by itself

    def names(self, reading: Recognition, labels: Sequence[str], labels_from: str, *, trust: bool) -> list[Concluded]:
        """What the class names are worth, on what photographs show.

        Names in the file are its exporter's own word, and what speaks against them is told; others are refused.

        Raises: ModelUnrecognisedError: it finds what is there under other names, and ``trust`` is off.
        """
        right, wrong = self._open(reading, labels).name(reading.feed)
        if not right and len(wrong) >= _MISNAMED_MIN and labels_from != "metadata":
            said = f"on the photographs that ship it calls {', '.join(wrong)}"
            if not trust:
                raise ModelUnrecognisedError(
                    str(self._prepared.file),
                    f"{said}: its class names ({labels_from}) are in another order or another model's; pass --labels "
                    "FILE with them in the order of its classes, or --trust",
                )
            return [Concluded("names", f"TRUSTED although {said}", "--trust was passed")]
        told = [*right, *(f"CAUTION: calls {one}" for one in wrong)]
        return [Concluded("names", ", ".join(told), "photographs that ship show it")] if told else []

    def _open(self, reading: Recognition, labels: Sequence[str]) -> Looker:
        if self._looker is None:
            run = open_reference(self._prepared.model.SerializeToString(), name=self._prepared.file.name)
            self._looker = Looker(self._prepared.signature, reading, labels, run)
        return self._looker
