"""``open_model``: a verified bundle with its engine; frames of any size in, what is in them out."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import queue
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vigie.closable import Closable
from vigie.errors import BundleError, ModelFileError, VigieError
from vigie.library.found import Found, in_frame
from vigie.library.serve import RuntimeFacts, default_cache, pick
from vigie.models import Bundle, Card, load_bundle
from vigie.models.bundle import CARD_FILE
from vigie.models.store import BundleStore
from vigie.runtimes import Candidate, Engine
from vigie.runtimes.choosing.objective import Objective, Selection
from vigie.runtimes.engines.finite import require_finite
from vigie.runtimes.engines.opening import open_to_serve
from vigie.vision.decoders import make_decoder
from vigie.vision.letterbox import letterbox_into

_IMPORTERS = "vigie.importers"


def open_model(
    model: str | Path,
    *,
    objective: Literal["latency", "throughput", "energy"] = "latency",
    measure: bool = False,
    require: Selection | None = None,
    forbid: Selection | None = None,
    variant: str | None = None,
    threads: int | None = None,
    runs: int = 1,
    bundles: Path | str | None = None,
    cache: Path | str | None = None,
) -> Model:
    """Load, verify and choose; close the model, or use it as a context manager.

    Args: model: a bundle's folder, its name in ``bundles``, or an ``.onnx`` or ``.tflite`` file (imported first: needs
        vigie-devkit). objective: what is best. measure: time every candidate of this machine first, unless ``cache``
        knows them; takes minutes, once. require, forbid: engines, providers, devices or variants that must, or must
        not, serve. variant: short for requiring one. threads: of one run; ``None`` = what affinity and quota allow.
        runs: how many frames are inferred at the same time by ``map`` and by threads of yours; each has its own engine.
        bundles: where names are looked up; ``None`` = ``.vigie/bundles`` of this folder. cache: of measurements.
    Raises: BundleError, BundleIntegrityError, CardError: the bundle; ModelFileError, ModelUnrecognisedError,
        ModelParityError: the file; ProviderError, EngineError: what was required cannot run. All are ``VigieError``.
    """
    folder = _folder(model, None if bundles is None else Path(bundles))
    bundle = load_bundle(folder)
    wanted = require or Selection()
    if variant is not None:
        bundle.variant(variant)
        wanted = Selection(
            engines=wanted.engines, providers=wanted.providers, devices=wanted.devices, variants=(variant,)
        )
    purpose = Objective(kind=objective, require=wanted, forbid=forbid or Selection())
    place = default_cache() if cache is None else Path(cache)
    candidate, why, measured_at = pick(bundle, purpose, measure=measure, cache=place, threads=threads)
    return Model(bundle, candidate, why=why, measured_at=measured_at, runs=runs)


class Model(Closable):
    """A loaded model. Threads may call it at the same time: ``runs`` of them infer, the others wait their turn."""

    def __init__(
        self, bundle: Bundle, candidate: Candidate, *, why: tuple[str, ...] = (), measured_at: str = "", runs: int = 1
    ) -> None:
        """Open ``runs`` engines of one candidate. Raises: ProviderError, EngineError; none stays open then."""
        if runs < 1:
            raise ValueError(f"runs is {runs}, at least 1 frame is inferred at a time")
        self._bundle, self._decoder = bundle, make_decoder(bundle.card)
        self._engines: list[Engine] = []
        self._free: queue.LifoQueue[Engine] = queue.LifoQueue()
        try:
            for _ in range(runs):
                self._engines.append(open_to_serve(bundle, candidate))
        except BaseException:
            self.close()
            raise
        for engine in self._engines:
            self._free.put(engine)
        self._facts = RuntimeFacts(
            candidate=candidate.key,
            engine=candidate.engine,
            provider=self._engines[0].provider,
            device=candidate.device,
            variant=candidate.variant,
            threads=self._engines[0].threads,
            why=why,
            measured_at=measured_at,
        )

    @property
    def card(self) -> Card:
        """Everything that the bundle says of itself."""
        return self._bundle.card

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of class id 0, 1, ..."""
        return tuple(self._bundle.card.labels)

    @property
    def runtime(self) -> RuntimeFacts:
        """Engine, variant, threads, why, and the proof once ``prove`` was called."""
        return self._facts

    def __call__(
        self,
        frame_bgr: NDArray[np.uint8],
        *,
        score_min: float | None = None,
        iou_max: float | None = None,
        classes: Collection[str] | None = None,
    ) -> Found:
        """What is in one frame.

        Args: frame_bgr: (H, W, 3) uint8 of any size, read only. score_min, iou_max: ``None`` = the card's.
            classes: labels to keep; ``None`` = all.
        Returns: detections in the pixels of ``frame_bgr``.
        Raises: ImageShapeError: not such a frame. EngineError: the runtime failed. ValueError: an unknown label.
        """
        card = self._bundle.card
        class_ids = None if classes is None else self._ids(classes)
        tensor_hwc = np.empty((card.input.height, card.input.width, 3), np.uint8)
        transform = letterbox_into(frame_bgr, tensor_hwc, align=card.input.align, pad_value=card.input.pad_value)
        engine = self._free.get()
        try:
            outputs = engine.run(tensor_hwc)
            require_finite(engine, outputs)
            # Outputs are the engine's own buffers: decoded before another thread may run it.
            found = self._decoder(
                outputs,
                score_min=card.thresholds.score_min if score_min is None else score_min,
                iou_max=card.thresholds.iou_max if iou_max is None else iou_max,
                classes=class_ids,
            )
        finally:
            self._free.put(engine)
        return in_frame(found, transform, (frame_bgr.shape[0], frame_bgr.shape[1]), self.labels)

    def map(
        self, frames_bgr: Iterable[NDArray[np.uint8]], *, score_min: float | None = None, iou_max: float | None = None
    ) -> Iterator[Found]:
        """What is in each of many frames, in their order, ``runs`` at a time; frames are taken as they are needed.

        Raises: as calling it, at the frame that fails.
        """
        frames = iter(frames_bgr)
        with ThreadPoolExecutor(len(self._engines), thread_name_prefix="vigie-model") as pool:
            waiting = [pool.submit(self, frame, score_min=score_min, iou_max=iou_max) for frame in self._next(frames)]
            while waiting:
                first = waiting.pop(0)
                waiting += [
                    pool.submit(self, frame, score_min=score_min, iou_max=iou_max) for frame in islice(frames, 1)
                ]
                yield first.result()

    def prove(self) -> RuntimeFacts:
        """Find out what really runs (``runtime.proof``). Takes as long as loading the model once more.

        Raises: EngineError: the runtime failed meanwhile.
        """
        engine = self._free.get()
        try:
            self._facts = dataclasses.replace(self._facts, proof=engine.prove())
        finally:
            self._free.put(engine)
        return self._facts

    def close(self) -> None:
        """Free the engines; the model must not be called again."""
        while self._engines:
            self._engines.pop().close()

    def _next(self, frames: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        return islice(frames, 2 * len(self._engines))

    def _ids(self, classes: Collection[str]) -> frozenset[int]:
        known = {label: index for index, label in enumerate(self.labels)}
        unknown = sorted(set(classes) - set(known))
        if unknown:
            raise ValueError(f"model {self.card.name} has no class {', '.join(unknown)}; see model.labels")
        return frozenset(known[label] for label in classes)


def _folder(model: str | Path, bundles: Path | None) -> Path:
    """The bundle that ``model`` names. Raises: BundleError: none is there; ModelFileError: nothing imports files."""
    path = Path(model)
    if (path / CARD_FILE).is_file():
        return path
    if path.suffix.lower() in {".onnx", ".tflite"}:
        return _imported(path)
    return BundleStore(bundles or Path(".vigie/bundles")).find(str(model))


def _imported(file: Path) -> Path:
    importers = importlib.metadata.entry_points(group=_IMPORTERS)
    if not importers:
        raise ModelFileError(
            str(file), "is not a bundle; install vigie-devkit to open model files, or run './vigie models import' once"
        )
    importer = next(iter(importers))
    try:
        folder = importer.load()(file)
    except VigieError:
        raise
    except Exception as error:  # the importer is another distribution, with errors of its own
        raise ModelFileError(str(file), f"the importer {importer.value} refuses it: {error}") from error
    if not isinstance(folder, Path):
        raise BundleError(str(file), f"the importer {importer.value} gave no folder")
    return folder
