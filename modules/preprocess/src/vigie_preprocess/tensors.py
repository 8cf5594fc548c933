"""The tensor rings that preprocess writes: one file per tensor size, replaced when the model changes its size."""

from __future__ import annotations

from pathlib import Path

from vigie.closable import Closable
from vigie.contracts.pixels import RingReference
from vigie.frames import RingWriter, remove_dead_rings

CHANNELS = 3
PREFIX = "tensors-"
TRIAL_PREFIX = "trial-"
# Several tensors of a frame in each slot: ``tiles-5-`` holds five.
TILES_PREFIX = "tiles-"
TRIAL_TILES_PREFIX = "trial-tiles-"
# Of a model that has a seat of its own: ``model-parts-tensors-``.
NAMED_PREFIX = "model-"


class TensorRing(Closable):
    """Opens the ring for a spec on first use and moves to another file when size or slot count change.

    The former ring stays open until the next change, so tensors on their way to inference remain readable.
    Used from the worker thread only.
    """

    def __init__(self, folder: Path, prefix: str = PREFIX, views: int = 1) -> None:
        """``views``: tensors in each slot."""
        self._folder, self._prefix, self._views = folder, prefix, views
        self._serving: RingWriter | None = None
        self._former: RingWriter | None = None
        self._key: tuple[tuple[int, int], int] | None = None
        self._former_key: tuple[tuple[int, int], int] | None = None

    def open(self, size_hw: tuple[int, int], slots: int) -> RingWriter:
        """The ring for tensors of ``size_hw``.

        Raises: RingNoSpaceError: the frame folder has too little room; the text names the size needed.
        """
        if self._serving is not None and self._key == (size_hw, slots):
            return self._serving
        if self._former is not None and self._former_key == (size_hw, slots):
            # Back to the model before: its ring is still open here, and a second writer of it would be refused.
            ring, self._former = self._former, self._serving
            self._former_key, self._key = self._key, (size_hw, slots)
            self._serving = ring
            return ring
        height, width = size_hw
        name = f"{self._prefix}{height}x{width}-{slots}"
        # What a former start left under another size only takes space; rings that are written are left alone.
        remove_dead_rings(self._folder, self._prefix, keep={name})
        ring = RingWriter.open(self._folder, name, slot_bytes=self._views * height * width * CHANNELS, slots=slots)
        if self._former is not None:
            self._former.close()
        self._former, self._former_key = self._serving, self._key
        self._serving, self._key = ring, (size_hw, slots)
        return ring

    def release(self, tensor: RingReference) -> None:
        """A tensor that was not sent, because a newer one took its place."""
        if self._serving is not None:
            self._serving.release(tensor)

    def remove(self) -> None:
        """Give the memory back; the next ``open`` begins anew."""
        if self._key is not None:
            self.close()
            remove_dead_rings(self._folder, self._prefix, keep=set())

    def close(self) -> None:
        for ring in (self._former, self._serving):
            if ring is not None:
                ring.close()
        self._former = self._serving = self._key = self._former_key = None


class TensorRings(Closable):
    """A ring for each model and number of tensors that a frame may have, and the same for a model on trial."""

    def __init__(self, folder: Path) -> None:
        """Opens none; what a former start left in rings for tiles is removed."""
        self._folder = folder
        self._rings: dict[tuple[bool, int, str], TensorRing] = {}
        self.retired: set[int] = set()
        self._unseated: set[str] = set()
        for prefix in (TILES_PREFIX, TRIAL_PREFIX, NAMED_PREFIX):
            remove_dead_rings(folder, prefix, keep=set())

    def open(self, size_hw: tuple[int, int], slots: int, views: int, *, trial: bool, named: str = "") -> RingWriter:
        """See ``TensorRing.open``. ``named``: of the model in this seat."""
        ring = self._rings.get((trial, views, named))
        if ring is None:
            if views == 1:
                prefix = TRIAL_PREFIX if trial else PREFIX
            else:
                prefix = f"{TRIAL_TILES_PREFIX if trial else TILES_PREFIX}{views}-"
            if named:
                prefix = f"{NAMED_PREFIX}{named}-{prefix}"
            ring = self._rings[trial, views, named] = TensorRing(self._folder, prefix, views)
        return ring.open(size_hw, slots)

    def release(self, tensor: RingReference) -> None:
        """See ``TensorRing.release``."""
        for ring in self._rings.values():
            ring.release(tensor)

    def retire(self, wanted: set[int]) -> None:
        """Frames with as many views as are not ``wanted`` come no more; their rings stay until ``sweep``."""
        self.retired = {views for _, views, _ in self._rings} - {1, *wanted}

    def keep_seats(self, names: set[str]) -> None:
        """Models in other seats serve no more; their rings stay until ``sweep``."""
        self._unseated = {named for _, _, named in self._rings} - {"", *names}

    @property
    def to_sweep(self) -> bool:
        """Whether ``sweep`` has something to do."""
        return bool(self.retired or self._unseated)

    def sweep(self) -> None:
        """Nothing is on its way: give back the memory of retired rings."""
        for key in [key for key in self._rings if key[1] in self.retired or key[2] in self._unseated]:
            self._rings.pop(key).remove()
        self.retired, self._unseated = set(), set()

    def remove_trials(self, going_on: set[str]) -> None:
        """No model is on trial for a seat other than these."""
        for key in [key for key in self._rings if key[0] and key[2] not in going_on]:
            self._rings.pop(key).remove()

    def close(self) -> None:
        for ring in self._rings.values():
            ring.close()
        self._rings.clear()
