"""How well a bundle sees the conveyor, regime by regime, and what a picture costs on one thread and on two.

``python -m vigie_devkit.bench.accuracy [--bundle FOLDER] [--variant NAME] [--scenes N] [--draw FOLDER]``. Seeds are
those that training holds back; every scene gives two normal pictures and two of each regime of the hard split. A cost
is CPU time: on a machine that has other work too, the clock says little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.models import Bundle, load_bundle
from vigie.runtimes import open_engine
from vigie.synthetic import SceneSpec, open_scene
from vigie.synthetic.scene import HARD_SHOT_FRAMES
from vigie.synthetic.shot import HARD_REGIMES
from vigie.vision.boxes import iou_matrix
from vigie_devkit.accuracy.average_precision import FrameFound, mean_average_precision
from vigie_devkit.accuracy.scene_truth import frame_truth
from vigie_devkit.local.paths import CHECKOUT
from vigie_devkit.train.dataset import LabelledPicture
from vigie_devkit.train.evaluate import detections
from vigie_devkit.train.rendered import VALID_SEED

NEIGHBOUR_PX: Final = 80.0
FOUND_IOU: Final = 0.5
LOOKS: Final = 2  # at each scene and regime
NORMAL_STEP: Final = 200
FIRST_FRAME: Final = 7
WARM_UP, ROUNDS = 5, 30
DRAWN_SIDE: Final = 2  # small parts are looked at twice their size


class RegimePicture(NamedTuple):
    """A picture and the regime it belongs to."""

    regime: str
    picture: LabelledPicture


def pictures(scenes: int) -> Iterator[RegimePicture]:
    """Of ``scenes`` normal and as many hard scenes, none of which was trained on."""
    for number in range(1, scenes + 1):
        for difficulty in ("normal", "hard"):
            scene = open_scene(SceneSpec(seed=VALID_SEED + number, difficulty=difficulty))
            step = NORMAL_STEP if difficulty == "normal" else HARD_SHOT_FRAMES
            looks = LOOKS if difficulty == "normal" else LOOKS * len(HARD_REGIMES)
            for look in range(looks):
                index = FIRST_FRAME + look * step
                truth = frame_truth(scene, index)
                frame_bgr = scene.render(index)
                yield RegimePicture(
                    scene.regime(index), LabelledPicture(frame_bgr, truth.boxes_xyxy, truth.class_ids, truth.ignore)
                )


def accuracy_rows(bundle: Bundle, variant: str | None, scenes: int, draw_in: Path | None) -> list[str]:
    """A row of a Markdown table for each regime, then for the hard split as a whole."""
    shown = list(pictures(scenes))
    found = list(detections(bundle, (one.picture for one in shown), variant))
    if draw_in is not None:
        draw_in.mkdir(parents=True, exist_ok=True)
        for number, (one, answer) in enumerate(zip(shown, found, strict=True)):
            drawn = _drawn(one.picture.frame_bgr, answer, bundle)
            cv2.imwrite(str(draw_in / f"{number:03}-{one.regime}.png"), drawn)
    rows = []
    for name, regimes in (("normal", ("normal",)), *((one, (one,)) for one in HARD_REGIMES), ("hard", HARD_REGIMES)):
        chosen = [number for number, one in enumerate(shown) if one.regime in regimes]
        measured = mean_average_precision(
            [shown[number].picture.truth() for number in chosen],
            [found[number] for number in chosen],
            bundle.card.labels,
        )
        lowest = min(measured.ap50, key=lambda label: measured.ap50[label])
        rows.append(
            f"| {name} | {measured.map50:.3f} | {measured.map50_95:.3f} | {measured.objects} "
            f"| {lowest} {measured.ap50[lowest]:.2f} |"
        )
    score_min = bundle.card.thresholds.score_min
    return [*rows, "", *_company_rows(found_by_company(shown, found, score_min), score_min)]


def found_by_company(shown: list[RegimePicture], found: list[FrameFound], score_min: float) -> dict[int, list[bool]]:
    """Small parts by how many others lie within 80 px (3: or more): whether a detection of their class fits."""
    hits: dict[int, list[bool]] = {}
    for one, answer in zip(shown, found, strict=True):
        truth = one.picture.truth()
        if one.regime != "small" or not len(truth.class_ids):
            continue
        kept = answer.scores >= score_min
        fits = iou_matrix(truth.boxes_xyxy, answer.boxes_xyxy[kept]) >= FOUND_IOU
        right = (fits & (truth.class_ids[:, None] == answer.class_ids[kept][None])).any(axis=1)
        centres = (truth.boxes_xyxy[:, :2] + truth.boxes_xyxy[:, 2:]) / 2
        near = (np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1)) <= NEIGHBOUR_PX).sum(axis=1) - 1
        for index in np.flatnonzero(~truth.ignore):
            hits.setdefault(min(int(near[index]), 3), []).append(bool(right[index]))
    return hits


def _company_rows(hits: dict[int, list[bool]], score_min: float) -> list[str]:
    head = [f"| neighbours of a small part | parts | found at score {score_min:g} |", "|---|---|---|"]
    return head + [
        f"| {f'{count}' if count < 3 else '3 or more'} | {len(hits[count])} | {np.mean(hits[count]):.3f} |"
        for count in sorted(hits)
    ]


def cost_ms(bundle: Bundle, variant: str | None, threads: int) -> tuple[float, float]:
    """Medians of one inference: CPU time of all threads, and by the clock."""
    tensor = np.random.default_rng(1).integers(0, 256, (bundle.card.input.height, bundle.card.input.width, 3), np.uint8)
    spent: list[tuple[float, float]] = []
    with open_engine(bundle, variant, threads=threads) as engine:
        for turn in range(WARM_UP + ROUNDS):
            cpu_s, clock_s = time.process_time(), time.perf_counter()
            engine.run(tensor)
            if turn >= WARM_UP:
                spent.append((time.process_time() - cpu_s, time.perf_counter() - clock_s))
    cpu_ms, clock_ms = np.median(np.array(spent), axis=0) * 1e3
    return float(cpu_ms), float(clock_ms)


def _drawn(frame_bgr: NDArray[np.uint8], found: FrameFound, bundle: Bundle) -> NDArray[np.uint8]:
    drawn = cv2.resize(frame_bgr, None, fx=DRAWN_SIDE, fy=DRAWN_SIDE, interpolation=cv2.INTER_NEAREST)
    for box, score, class_id in zip(found.boxes_xyxy, found.scores, found.class_ids, strict=True):
        if score >= bundle.card.thresholds.score_min:
            left, top, right, bottom = (int(side * DRAWN_SIDE) for side in box)
            cv2.rectangle(drawn, (left, top), (right, bottom), (0, 0, 255), 1)
            text = f"{bundle.card.labels[class_id]} {score:.2f}"
            cv2.putText(drawn, text, (left, top - 3), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 255, 255), 1)
    return np.asarray(drawn, np.uint8)


def main() -> int:
    """Print the figures as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=CHECKOUT / "shared/models/conveyor-parts")
    parser.add_argument("--variant", help="default: the card's first")
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--draw", type=Path, help="a folder for the pictures with what was detected")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    bundle = load_bundle(args.bundle)
    variant = bundle.variant(args.variant)
    size_mib = variant.file.stat().st_size / 2**20
    print(f"{bundle.card.name}, variant {variant.name}, {size_mib:.1f} MiB\n")
    print("| regime | mAP50 | mAP50-95 | objects | lowest class, AP50 |\n|---|---|---|---|---|")
    print("\n".join(accuracy_rows(bundle, variant.name, args.scenes, args.draw)))
    print("\n| threads | CPU per picture | by the clock |\n|---|---|---|")
    for threads in (1, 2):
        cpu_ms, clock_ms = cost_ms(bundle, variant.name, threads)
        print(f"| {threads} | {cpu_ms:.1f} ms | {clock_ms:.1f} ms |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
