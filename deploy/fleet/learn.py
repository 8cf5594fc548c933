#!/usr/bin/env python3
"""From pictures that devices chose to a release that they try: the loop of learning, walked end to end.

    samples -> labels -> train from the weights that serve -> compare on held-back pictures -> pack -> push -> rollout

Every step is a command of ``./vigie``; this file only joins them. Pictures are rendered here, of a belt under a dim and
dirty lens, which the shipped detector never saw; the renderer stands for the camera and for the person who labels. With
pictures of your own, run the same commands on the folder that sampling filled. Needs PyTorch (docs/models.md, train).

    .venv/bin/python deploy/fleet/learn.py work --registry oci://127.0.0.1:5000/models/parts
    VIGIE_LEARN=full .venv/bin/python deploy/fleet/learn.py work      # more pictures and epochs: half an hour

Exit codes: 0 better, packed (and pushed); 1 no better, nothing was packed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np

from vigie.contracts.samples import MANIFEST, Sample
from vigie.models import load_bundle
from vigie_devkit.cli import main
from vigie_devkit.models.shelf import find_on_shelf
from vigie_devkit.train.dataset import LabelledPicture
from vigie_devkit.train.evaluate import evaluate
from vigie_devkit.train.rendered import rendered_pictures

# Pictures to label, pictures held back, epochs.
SIZES = {"small": (16, 12, 6), "full": (160, 80, 30)}
SEED = 3_100_000_000
HELD_BACK_SEED = 3_200_000_000


def learn(folder: Path, *, start: str, registry: str, version: str, sizes: tuple[int, int, int]) -> int:
    chosen, held_back, epochs = sizes
    samples = folder / "samples"
    before = find_on_shelf(start)
    labels = load_bundle(before).card.labels
    pictures = list(itertools.islice(dirty_lens(SEED), chosen))
    sample(pictures, samples, model=start)
    label(pictures, samples, labels)
    print(f"samples    {len(pictures)} pictures in {samples}, labelled in COCO's format", flush=True)

    vigie("models", "train", "--from-samples", str(samples), "--from", str(before), "--name", before.name,
          "--version", version, "--output", str(folder / "trained"), "--epochs", str(epochs))  # fmt: skip
    after = folder / "trained" / before.name

    judged = list(itertools.islice(dirty_lens(HELD_BACK_SEED), held_back))
    was, now = (evaluate(load_bundle(bundle), judged).map50 for bundle in (before, after))
    shown = folder / "held-back"
    write(judged, shown)
    print(f"held back  {len(judged)} pictures: mAP50 {was:.3f} before, {now:.3f} after")
    if now <= was:
        print("           not better: neither packed nor pushed; label more pictures, or train for longer")
        return 1
    print(vigie("models", "compare", str(before), str(after), "--on", str(shown)), end="")

    archive = folder / f"{before.name}-{version}.zip"
    facts = told(vigie("models", "export", str(after), "--output", str(archive)))
    source = f"https://models.example.com/{archive.name}"
    if registry:
        facts, source = told(vigie("models", "push", str(after), f"{registry}:{version}")), registry
    rollout = {
        before.name: {
            "version": version,
            "source": source,
            "sha256": facts["sha256"],
            "size": int(facts["size"]),
            "rollout": {"id": f"{before.name}-{version}", "commit": "after", "agreement_min": 0.5},
        }
    }
    asked = folder / "rollout.json"
    asked.write_text(json.dumps({"models": rollout}, indent=2) + "\n", encoding="utf-8")
    print(f"""rollout    {asked}: ./vigie twin set inference "$(cat {asked})\"""")
    return 0


def dirty_lens(seed: int) -> Iterator[LabelledPicture]:
    """The conveyor, dim, hazy, out of focus and noisy; the same for the same seed."""
    noise = np.random.default_rng(seed)
    for picture in rendered_pictures(seed, hard=False):
        hazy = cv2.GaussianBlur(picture.frame_bgr, (0, 0), 2.2).astype(np.float32) * 0.3 + 70
        seen = np.clip(hazy + noise.normal(0, 9, hazy.shape), 0, 255).astype(np.uint8)
        yield LabelledPicture(seen, picture.boxes_xyxy, picture.class_ids, picture.ignore)


def write(pictures: list[LabelledPicture], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:04}.png" for number in range(len(pictures))]
    for file, picture in zip(files, pictures, strict=True):
        cv2.imwrite(str(file), picture.frame_bgr)
    return files


def sample(pictures: list[LabelledPicture], folder: Path, *, model: str) -> None:
    """The folder as sampling fills it on a device and uploads it."""
    lines = []
    for number, (file, picture) in enumerate(zip(write(pictures, folder / "dock-1"), pictures, strict=True)):
        lines.append(
            msgspec.json.encode(
                Sample(
                    picture=str(file.relative_to(folder)),
                    sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
                    camera="dock-1",
                    trace=f"{number:032x}",
                    captured_at="2026-11-28T10:00:00Z",
                    frame_hw=(picture.frame_bgr.shape[0], picture.frame_bgr.shape[1]),
                    model=model,
                    reasons=("low_confidence",),
                )
            ).decode()
        )
    (folder / MANIFEST).write_text("\n".join(lines) + "\n", encoding="utf-8")


def label(pictures: list[LabelledPicture], folder: Path, labels: tuple[str, ...] | list[str]) -> None:
    """What a labelling tool writes: COCO's ``annotations.json`` beside the manifest."""
    boxes = []
    for number, picture in enumerate(pictures):
        for box, kind, ignored in zip(picture.boxes_xyxy, picture.class_ids, picture.ignore, strict=True):
            left, top, right, bottom = (float(value) for value in box)
            boxes.append({
                "image_id": number, "category_id": int(kind), "iscrowd": int(ignored),
                "bbox": [left, top, right - left, bottom - top],
            })  # fmt: skip
    tree = {
        "categories": [{"id": number, "name": name} for number, name in enumerate(labels)],
        "images": [{"id": number, "file_name": f"dock-1/{number:04}.png"} for number in range(len(pictures))],
        "annotations": boxes,
    }
    (folder / "annotations.json").write_text(json.dumps(tree), encoding="utf-8")


def vigie(*arguments: str) -> str:
    """What a command of ``./vigie`` prints; ends this one if it fails."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(list(arguments))
    if code:
        raise SystemExit(f"./vigie {' '.join(arguments)} ended with {code}\n{out.getvalue()}")
    return out.getvalue()


def told(printed: str) -> dict[str, str]:
    """The lines ``name  value`` of a command's answer."""
    lines = (line.split() for line in printed.splitlines())
    return {words[0]: words[1] for words in lines if len(words) == 2}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where everything is written")
    parser.add_argument("--start", default="conveyor-parts", help="the bundle whose weights are trained on")
    parser.add_argument("--registry", default="", help="oci://host/repository to push to; absent: only packed")
    parser.add_argument("--version", default="2", help="of the new release")
    args = parser.parse_args()
    raise SystemExit(
        learn(
            args.folder,
            start=args.start,
            registry=args.registry,
            version=args.version,
            sizes=SIZES[os.environ.get("VIGIE_LEARN", "small")],
        )
    )
