"""What tiles find that one look does not, and what they cost: small parts in Full HD pictures of the rendered belt.

``python -m vigie_devkit.bench.regions [--frames N] [--bundle FOLDER]``. Seeds are those that training holds back. The
same code cuts, fits, runs and merges as in preprocess and inference. A cost is CPU time of all threads.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.models import Card, load_bundle
from vigie.runtimes import Engine, open_engine
from vigie.synthetic import SceneSpec
from vigie.synthetic.layout import Style
from vigie.synthetic.shot import Shot
from vigie.vision.boxes import iou_matrix
from vigie.vision.decoders import make_decoder
from vigie.vision.decoding import Decoder
from vigie.vision.detections import Detections
from vigie.vision.in_frame import to_frame
from vigie.vision.letterbox import letterbox_into
from vigie.vision.merging import merge_views
from vigie.vision.planes import bgr_planes, crop_planes
from vigie.vision.tiles import WHOLE, Grid, plan_views
from vigie.vision.transform import Transform
from vigie_devkit.accuracy.average_precision import FrameTruth
from vigie_devkit.accuracy.scene_truth import shot_truth
from vigie_devkit.local.paths import CHECKOUT
from vigie_devkit.train.rendered import VALID_SEED

SIZE_WH: Final = (1920, 1080)
STYLE: Final = Style(slot_px=110, length_px=(18.0, 64.0), filled=0.6, clutter=0.2, relative=False)
# Longer side of a part in pixels of the frame.
BANDS: Final = ((0, 24), (24, 40), (40, 1000))
GRIDS: Final[tuple[tuple[str, Grid | None], ...]] = (
    ("whole picture", None),
    ("2 x 1 and whole", Grid(2, 1, 0.15, whole=True)),
    ("2 x 2 and whole", Grid(2, 2, 0.15, whole=True)),
    ("3 x 2 and whole", Grid(3, 2, 0.15, whole=True)),
    ("3 x 3 and whole", Grid(3, 3, 0.15, whole=True)),
)
STEP: Final = 45
FIRST: Final = 7
IOU_MATCHED: Final = 0.5
BLUR_PX: Final = 0.7
NOISE: Final = 3.0


@dataclass(slots=True)
class RegionScore:
    """Of one way to look: parts asked for and found by band, boxes without a part below them, CPU seconds."""

    asked: list[int] = field(default_factory=lambda: [0] * len(BANDS))
    found: list[int] = field(default_factory=lambda: [0] * len(BANDS))
    wrong: int = 0
    told: int = 0
    cpu_s: float = 0.0

    def add(self, seen: Detections, truth: FrameTruth) -> None:
        """Count one frame. A part counts once; boxes on parts that are hidden count neither way."""
        boxes = truth.boxes_xyxy.astype(np.float32)
        alike = iou_matrix(seen.boxes_xyxy, boxes) * (seen.class_ids[:, None] == truth.class_ids[None, :])
        taken = np.zeros(len(boxes), bool)
        for row in alike:
            best = int(np.where(taken, 0, row).argmax()) if len(row) else -1
            if best >= 0 and not taken[best] and row[best] >= IOU_MATCHED:
                taken[best] = True
                self.told += not truth.ignore[best]
            else:
                self.told += 1
                self.wrong += 1
        longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) if len(boxes) else np.zeros(0)
        for index, (least, most) in enumerate(BANDS):
            mine = ~truth.ignore & (longer >= least) & (longer < most)
            self.asked[index] += int(mine.sum())
            self.found[index] += int((mine & taken).sum())

    def row(self, name: str, runs: int, frames: int) -> str:
        """As a row of a Markdown table."""
        recalls = " | ".join(f"{have / max(1, want):.2f}" for have, want in zip(self.found, self.asked, strict=True))
        return (
            f"| {name} | {runs} | {recalls} | {sum(self.found) / max(1, sum(self.asked)):.2f} "
            f"| {1 - self.wrong / max(1, self.told):.2f} | {self.cpu_s / frames * 1e3:.0f} |"
        )


def look(
    frame_bgr: NDArray[np.uint8], grid: Grid | None, engine: Engine, decoder: Decoder, card: Card
) -> tuple[Detections, int]:
    """What is seen in a frame, in its pixels, and the runs of the model."""
    frame = bgr_planes(frame_bgr)
    views = plan_views(frame.size_hw, WHOLE, grid)
    seen = []
    for box in views:
        tensor = np.empty((card.input.height, card.input.width, 3), np.uint8)
        at = letterbox_into(crop_planes(frame, box), tensor, align=card.input.align, pad_value=card.input.pad_value)
        shifted = Transform(at.scale_x, at.scale_y, at.pad_x - box[0] * at.scale_x, at.pad_y - box[1] * at.scale_y)
        found = decoder(engine.run(tensor), score_min=card.thresholds.score_min, iou_max=card.thresholds.iou_max)
        seen.append(to_frame(found, shifted, frame.size_hw, box))
    if len(views) == 1:
        return seen[0], 1
    return merge_views(seen, views, merge="nmm", iou_max=card.thresholds.iou_max), len(views)


def _expose(frame_bgr: NDArray[np.uint8], seed: int) -> None:
    """As a sharp camera sees it. The lens of the scene is made for pictures of 480 rows and blurs as much in parts."""
    cv2.GaussianBlur(frame_bgr, (0, 0), BLUR_PX, dst=frame_bgr)
    noise = np.random.default_rng(seed).normal(0, NOISE, frame_bgr.shape)
    np.copyto(frame_bgr, np.clip(frame_bgr + noise, 0, 255).astype(np.uint8))


def main() -> int:
    """Print the figures as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=CHECKOUT / "shared/models/conveyor-parts")
    parser.add_argument("--frames", type=int, default=20)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    bundle = load_bundle(args.bundle)
    decoder = make_decoder(bundle.card)
    scores = [RegionScore() for _ in GRIDS]
    runs = [0] * len(GRIDS)
    with open_engine(bundle, threads=1) as engine:
        for number in range(args.frames):
            spec = SceneSpec(seed=VALID_SEED + 1 + number // 2, size_wh=SIZE_WH)
            shot = Shot(spec, 0, "normal", STYLE)
            index = FIRST + number % 2 * STEP
            frame_bgr = np.empty((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
            shot.compose_into(frame_bgr, index)
            _expose(frame_bgr, number)
            truth = shot_truth(shot, index)
            for place, (_, grid) in enumerate(GRIDS):
                begun_s = time.process_time()
                seen, runs[place] = look(frame_bgr, grid, engine, decoder, bundle.card)
                scores[place].cpu_s += time.process_time() - begun_s
                scores[place].add(seen, truth)
        print(f"{bundle.card.name}, {engine.variant}, {args.frames} frames of {SIZE_WH[0]}x{SIZE_WH[1]}\n")
    parts = ", ".join(f"{least}-{most} px {count}" for (least, most), count in zip(BANDS, scores[0].asked, strict=True))
    print(f"parts by longer side: {parts}\n")
    bands = " | ".join(f"recall {least}-{most} px" for least, most in BANDS)
    print(f"| looks | runs | {bands} | recall | precision | CPU ms per frame |\n|---|---|---|---|---|---|---|---|")
    for (name, _), score, count in zip(GRIDS, scores, runs, strict=True):
        print(score.row(name, count, args.frames))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
