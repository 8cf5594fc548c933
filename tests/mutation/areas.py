"""What is mutated, how many mutants each area gives, and the narrow tests of each file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARY = "shared/src/vigie"
CONTRACT = "tests/contract/models"


@dataclass(frozen=True)
class Area:
    """``tests``: files and folders that every file of the area is tried against, those that name it first."""

    sources: str
    mutants: int
    tests: tuple[str, ...]

    def files(self) -> list[str]:
        """The area's sources, relative to the checkout."""
        place = ROOT / self.sources
        found = [place] if place.is_file() else sorted(place.rglob("*.py"))
        return [path.relative_to(ROOT).as_posix() for path in found]


AREAS = {
    "window": Area(
        f"{LIBRARY}/messaging/window.py",
        30,
        ("tests/unit/messaging/test_window.py", "tests/unit/protocols/test_handover.py"),
    ),
    "reorder": Area(
        f"{LIBRARY}/messaging/reorder.py",
        30,
        ("tests/unit/messaging/test_reorder.py", "tests/unit/messaging/test_inputs.py", "tests/unit/protocols"),
    ),
    "desired": Area(
        f"{LIBRARY}/config/desired.py",
        30,
        ("tests/unit/config", "tests/unit/messaging/test_reported.py"),
    ),
    "choose": Area(f"{LIBRARY}/runtimes/choosing/choose.py", 30, ("tests/unit/runtimes/test_choose.py",)),
    "ledger": Area(f"{LIBRARY}/ledger", 60, ("tests/unit/ledger", "tests/unit/protocols/test_ledger_protocol.py")),
    "hub/state": Area(
        "devkit/edgehub/src/vigie_edgehub/state",
        60,
        ("tests/unit/hub/state", "tests/unit/hub/shell/test_gate.py", "tests/unit/hub/shell/test_performer.py"),
    ),
    "vision": Area(f"{LIBRARY}/vision", 60, ("tests/unit/vision",)),
}

# Decoders whose narrow tests run whole models: tried after the area's.
MORE: dict[str, tuple[str, ...]] = {
    f"{LIBRARY}/vision/decoders/{name}.py": (f"{CONTRACT}/{tests}.py",)
    for name, tests in {
        "anomaly": "test_anomaly",
        "embedding": "test_embeddings",
        "oriented": "test_oriented",
        "pose": "test_poses",
        "segment": "test_masks",
        "semantic": "test_semantic",
        "retinaface": "test_faces_and_levels",
        "scrfd": "test_faces_and_levels",
        "ultraface": "test_faces_and_levels",
        "yunet": "test_faces_and_levels",
    }.items()
} | {
    f"{LIBRARY}/vision/oriented.py": (f"{CONTRACT}/test_oriented.py",),
    f"{LIBRARY}/vision/masks.py": (f"{CONTRACT}/test_masks.py",),
    f"{LIBRARY}/vision/class_masks.py": (f"{CONTRACT}/test_semantic.py",),
    f"{LIBRARY}/vision/embeddings.py": (f"{CONTRACT}/test_embeddings.py",),
    f"{LIBRARY}/vision/planes.py": ("tests/unit/frames/test_formats.py", "tests/unit/preprocess/test_fit.py"),
    f"{LIBRARY}/vision/blur.py": ("tests/unit/inference/test_blur.py",),
    f"{LIBRARY}/vision/colour.py": ("tests/unit/preprocess/test_fit.py",),
    f"{LIBRARY}/vision/likeness.py": ("tests/unit/runtimes/test_parity.py", "tests/unit/accuracy/test_agreement.py"),
    f"{LIBRARY}/vision/matching.py": ("tests/unit/runtimes/test_parity.py", "tests/unit/accuracy/test_agreement.py"),
    f"{LIBRARY}/vision/merging.py": ("tests/unit/inference/test_views.py",),
    f"{LIBRARY}/vision/in_frame.py": ("tests/unit/inference/test_infer.py", "tests/unit/inference/test_views.py"),
}


def narrow_tests(path: str) -> list[str]:
    """The test files of the source ``path``, those first that name its module."""
    area = next(area for area in AREAS.values() if path in area.files())
    module = Path(path).with_suffix("").as_posix().partition("src/")[2].replace("/", ".").removesuffix(".__init__")
    package, _, name = module.rpartition(".")
    spellings = (f"{module} ", f"from {package} import {name}\n")

    def names_it(test: str) -> bool:
        text = (ROOT / test).read_text(encoding="utf-8")
        return any(one in text for one in spellings)

    tests = [file for place in (*area.tests, *MORE.get(path, ())) for file in _test_files(ROOT / place)]
    return sorted(tests, key=lambda test: not names_it(test))


def _test_files(place: Path) -> list[str]:
    files = [place] if place.is_file() else sorted(place.rglob("test_*.py"))
    return [file.relative_to(ROOT).as_posix() for file in files]
