"""What training on a person's sixty pictures gives: counted on other pictures of the same table.

``python -m vigie_devkit.bench.own_pictures [--pictures N] [--size HxW] [--from BUNDLE|none] [--keep FOLDER]``. The
objects have nothing of the conveyor: mugs, keys, coins, batteries and pens on wood, cloth or paper, drawn flat, in
uneven light. They are written as a person's tool would (YOLO), and trained on by `models train` itself.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vigie.models import load_bundle
from vigie.vision.boxes import iou_matrix
from vigie_devkit.train.dataset import LabelledPicture
from vigie_devkit.train.evaluate import detections

HW: Final = (480, 640)
OBJECTS: Final = (1, 4)  # per picture
JUDGED_SEED, TAUGHT_SEED = 77, 11
IOU_MIN: Final = 0.5

Image = NDArray[np.uint8]
Chance = np.random.Generator


class Counted(NamedTuple):
    """Objects at the card's score: found with the right class, not found; detections of nothing."""

    right: int
    missed: int
    extra: int
    objects: int


def _colour(chance: Chance, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    blue, green, red = (int(value) for value in chance.integers(low, high, 3))
    return blue, green, red


def _mug(tile: Image, mask: Image, chance: Chance) -> None:
    side = tile.shape[0]
    body, rim = _colour(chance, 40), int(side * chance.uniform(0.3, 0.36))
    centre = (int(side * 0.44), side // 2)
    for canvas, colours in (
        (tile, (body, tuple(max(0, one - 40) for one in body), (30, 45, 80))),
        (mask, (255, 255, 255)),
    ):
        handle = (int(side * 0.8), side // 2)
        cv2.ellipse(canvas, handle, (side // 8, side // 9), 0, 0, 360, colours[0], side // 20)
        cv2.circle(canvas, centre, rim, colours[0], -1)
        cv2.circle(canvas, centre, int(rim * 0.84), colours[1], -1)
        cv2.circle(canvas, centre, int(rim * 0.78), colours[2], -1)


def _key(tile: Image, mask: Image, chance: Chance) -> None:
    side = tile.shape[0]
    metal = ((90, 170, 200), (190, 190, 190), (110, 120, 125))[int(chance.integers(0, 3))]
    teeth = [(0.5 + 0.08 * number, float(chance.uniform(0.03, 0.09))) for number in range(5)]
    for canvas, colour in ((tile, metal), (mask, (255, 255, 255))):
        cv2.circle(canvas, (int(side * 0.24), side // 2), int(side * 0.17), colour, -1)
        cv2.rectangle(canvas, (int(side * 0.38), int(side * 0.46)), (int(side * 0.94), int(side * 0.54)), colour, -1)
        for at, deep in teeth:
            corner = (int(side * (at + 0.05)), int(side * (0.54 + deep)))
            cv2.rectangle(canvas, (int(side * at), int(side * 0.5)), corner, colour, -1)
    for canvas in (tile, mask):
        cv2.circle(canvas, (int(side * 0.18), side // 2), int(side * 0.05), (0, 0, 0), -1)


def _coin(tile: Image, mask: Image, chance: Chance) -> None:
    side = tile.shape[0]
    metal = ((70, 120, 185), (175, 180, 185), (60, 160, 200))[int(chance.integers(0, 3))]
    centre = (side // 2, side // 2)
    cv2.circle(mask, centre, int(side * 0.42), (255, 255, 255), -1)
    cv2.circle(tile, centre, int(side * 0.42), metal, -1)
    cv2.circle(tile, centre, int(side * 0.37), tuple(int(one * 0.7) for one in metal), side // 40)
    cv2.putText(
        tile, str(int(chance.integers(1, 6))), (int(side * 0.38), int(side * 0.62)), cv2.FONT_HERSHEY_DUPLEX,
        side / 90, tuple(int(one * 0.6) for one in metal), side // 30,
    )  # fmt: skip


def _battery(tile: Image, mask: Image, chance: Chance) -> None:
    side = tile.shape[0]
    low, high, split = int(side * 0.36), int(side * 0.64), int(side * chance.uniform(0.55, 0.75))
    top, rest = _colour(chance, 60), (35, 35, 35)
    for canvas, colours in ((tile, (top, rest, (185, 190, 190))), (mask, ((255, 255, 255),) * 3)):
        cv2.rectangle(canvas, (int(side * 0.08), low), (split, high), colours[1], -1)
        cv2.rectangle(canvas, (split, low), (int(side * 0.88), high), colours[0], -1)
        cv2.rectangle(
            canvas, (int(side * 0.88), int(side * 0.45)), (int(side * 0.94), int(side * 0.55)), colours[2], -1
        )
    shine = tile[low : low + (high - low) // 4].astype(np.int16) + 50
    tile[low : low + (high - low) // 4] = np.clip(shine, 0, 255)


def _pen(tile: Image, mask: Image, chance: Chance) -> None:
    side = tile.shape[0]
    body, cap = _colour(chance), _colour(chance)
    middle, half = side // 2, int(side * chance.uniform(0.03, 0.05))
    tip = np.array([[0.88, 0.5 - half / side], [0.98, 0.5], [0.88, 0.5 + half / side]]) * side
    for canvas, colours in ((tile, (body, cap, (60, 60, 60))), (mask, ((255, 255, 255),) * 3)):
        cv2.rectangle(canvas, (int(side * 0.03), middle - half), (int(side * 0.88), middle + half), colours[0], -1)
        cv2.rectangle(canvas, (int(side * 0.03), middle - half), (int(side * 0.32), middle + half), colours[1], -1)
        cv2.fillPoly(canvas, [tip.astype(np.int32)], colours[2])


DRAWERS: Final[dict[str, tuple[Callable[[Image, Image, Chance], None], tuple[int, int]]]] = {
    "mug": (_mug, (110, 170)),
    "key": (_key, (80, 130)),
    "coin": (_coin, (36, 60)),
    "battery": (_battery, (80, 120)),
    "pen": (_pen, (130, 210)),
}
LABELS: Final = tuple(DRAWERS)


def draw_picture(chance: Chance) -> LabelledPicture:
    """One table with a few objects on it; what is more than half covered or outside is drawn again elsewhere."""
    frame = _table(chance)
    boxes: list[tuple[float, ...]] = []
    labels: list[int] = []
    for _ in range(int(chance.integers(OBJECTS[0], OBJECTS[1] + 1))):
        kind = int(chance.integers(0, len(LABELS)))
        drawer, (least, most) = DRAWERS[LABELS[kind]]
        tile, mask = _turned(drawer, int(chance.integers(least, most)), chance)
        height, width = mask.shape
        for _try in range(20):
            x, y = int(chance.integers(0, HW[1] - width)), int(chance.integers(0, HW[0] - height))
            box = _box(mask, x, y)
            if all(_apart(box, other) for other in boxes):
                _lay(frame, tile, mask, x, y)
                boxes.append(box)
                labels.append(kind)
                break
    light = np.linspace(chance.uniform(0.7, 1.05), chance.uniform(0.9, 1.15), HW[1], dtype=np.float32)[None, :, None]
    lit = frame * light + chance.normal(0, chance.uniform(2, 6), frame.shape)
    frame_bgr = np.clip(cv2.GaussianBlur(lit, (3, 3), chance.uniform(0.3, 1.0)), 0, 255).astype(np.uint8)
    return LabelledPicture(
        frame_bgr, np.array(boxes, np.float64).reshape(-1, 4), np.array(labels), np.zeros(len(boxes), bool)
    )


def _table(chance: Chance) -> NDArray[np.float32]:
    height, width = HW
    base = np.array(_colour(chance, 70, 230), np.float32)
    kind = int(chance.integers(0, 3))
    if kind == 0:  # wood: long grain
        grain = chance.normal(0, 14, (height, 9)).astype(np.float32)
        pattern = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
        base = np.array((70, 120, 170), np.float32) * np.float32(chance.uniform(0.6, 1.2))
    elif kind == 1:  # cloth: squares
        step = int(chance.integers(18, 50))
        rows, columns = np.mgrid[0:height, 0:width] // step
        pattern = np.where((rows + columns) % 2, 18, -18).astype(np.float32)
    else:  # paper: printed lines
        pattern = np.zeros((height, width), np.float32)
        pattern[:: int(chance.integers(14, 28))] = -60
    return np.asarray(base + pattern[..., None], np.float32)


def _turned(drawer: Callable[[Image, Image, Chance], None], length: int, chance: Chance) -> tuple[Image, Image]:
    """An object of ``length`` pixels, turned at random: (h, w, 3) and its mask (h, w)."""
    side = length * 2
    tile, mask = np.zeros((side, side, 3), np.uint8), np.zeros((side, side, 3), np.uint8)
    drawer(tile, mask, chance)
    reach = int(side * 1.45)
    turn = np.asarray(cv2.getRotationMatrix2D((side / 2, side / 2), float(chance.uniform(0, 360)), 0.5), np.float64)
    turn[:, 2] += (reach / 2 - side) / 2
    size = (reach // 2, reach // 2)
    return (
        np.asarray(cv2.warpAffine(tile, turn, size, flags=cv2.INTER_AREA), np.uint8),
        np.asarray(cv2.warpAffine(mask[..., 0], turn, size, flags=cv2.INTER_AREA), np.uint8),
    )


def _lay(frame: NDArray[np.float32], tile: Image, mask: Image, x: int, y: int) -> None:
    """A soft shadow to the lower right, then the object."""
    height, width = mask.shape
    shadow = cv2.GaussianBlur(mask, (0, 0), 4).astype(np.float32)[: HW[0] - y - 5, : HW[1] - x - 5] / 255
    frame[y + 5 : y + 5 + shadow.shape[0], x + 5 : x + 5 + shadow.shape[1]] *= 1 - 0.45 * shadow[..., None]
    share = mask.astype(np.float32)[..., None] / 255
    under = frame[y : y + height, x : x + width]
    under[:] = under + share * (tile.astype(np.float32) - under)


def _box(mask: Image, x: int, y: int) -> tuple[float, ...]:
    rows, columns = np.flatnonzero((mask > 127).any(axis=1)), np.flatnonzero((mask > 127).any(axis=0))
    return float(x + columns[0]), float(y + rows[0]), float(x + columns[-1] + 1), float(y + rows[-1] + 1)


def _apart(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """They may touch: shared area below a tenth of the smaller."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return max(0.0, wide) * max(0.0, high) < 0.1 * smaller


def write_yolo(folder: Path, pictures: list[LabelledPicture]) -> None:
    """As a labelling tool exports them."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    (folder / "classes.txt").write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    for number, one in enumerate(pictures):
        cv2.imwrite(str(folder / f"images/{number:03}.jpg"), one.frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])
        rows = []
        for label, (x1, y1, x2, y2) in zip(one.class_ids, one.boxes_xyxy, strict=True):
            shares = ((x1 + x2) / 2 / HW[1], (y1 + y2) / 2 / HW[0], (x2 - x1) / HW[1], (y2 - y1) / HW[0])
            rows.append(f"{label} " + " ".join(f"{share:.6f}" for share in shares))
        (folder / f"labels/{number:03}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")


def count(bundle_folder: Path, pictures: list[LabelledPicture]) -> Counted:
    """Detections at the card's score against the truth: each object is found at most once, the best first."""
    bundle = load_bundle(bundle_folder)
    right = extra = 0
    for one, found in zip(pictures, detections(bundle, pictures), strict=True):
        kept = np.flatnonzero(found.scores >= bundle.card.thresholds.score_min)
        left = set(range(len(one.class_ids)))
        overlap = iou_matrix(one.boxes_xyxy, found.boxes_xyxy)
        for index in kept[np.argsort(-found.scores[kept])]:
            hit = next(
                (
                    number
                    for number in left
                    if one.class_ids[number] == found.class_ids[index] and overlap[number, index] >= IOU_MIN
                ),
                None,
            )
            if hit is None:
                extra += 1
            else:
                left.discard(hit)
                right += 1
    objects = sum(len(one.class_ids) for one in pictures)
    return Counted(right, objects - right, extra, objects)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--judged", type=int, default=34)
    parser.add_argument("--size", default="480x640")
    parser.add_argument("--from", dest="start", default="conveyor-parts")
    parser.add_argument("--epochs", help="default: the command's")
    parser.add_argument("--keep", type=Path, help="a folder for pictures and bundle (default: deleted)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        chance = np.random.default_rng(TAUGHT_SEED)
        write_yolo(folder / "table", [draw_picture(chance) for _ in range(args.pictures)])
        chance = np.random.default_rng(JUDGED_SEED)
        judged = [draw_picture(chance) for _ in range(args.judged)]
        words = [
            "--data",
            str(folder / "table"),
            "--output",
            str(folder),
            "--name",
            "trained",
            "--from",
            args.start,
            "--size",
            args.size,
        ]
        words += ["--epochs", args.epochs] if args.epochs else []
        done = subprocess.run([sys.executable, "-m", "vigie_devkit", "models", "train", *words], check=False)
        if done.returncode:
            return done.returncode
        counted = count(folder / "trained", judged)
        card = load_bundle(folder / "trained").card
        spent = {one.metric: one.value for one in card.variants["fp32"].evidence}
        print(
            f"{args.pictures} pictures, {args.size}, from {args.start}: {counted.right} of {counted.objects} right, "
            f"{counted.missed} missed, {counted.extra} extra at score {card.thresholds.score_min:g}; "
            f"{spent['training CPU minutes']:g} CPU minutes, {spent['training minutes']:g} by the clock"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
