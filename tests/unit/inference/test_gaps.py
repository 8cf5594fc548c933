"""Frames that went down with a killed preprocess are counted, and nothing else is."""

from __future__ import annotations

import pytest

from vigie.contracts.pixels import RingReference
from vigie.contracts.tensors import FrameTransform, TensorItem
from vigie_inference.gaps import LOST_MAX, Gaps

PIXELS = RingReference(ring="tensors", slot=0, sequence=1, shape=(4, 4, 3))
AT = FrameTransform(1.0, 1.0, 0.0, 0.0)


def tensor(seq: int, *, camera: str = "dock", boot: str = "0badc0de", keep: bool = True) -> TensorItem:
    return TensorItem(
        camera, seq, f"{camera}-{boot}-{seq}", "2026-01-01T00:00:00.000000+00:00", 1, (4, 4), AT, "v", PIXELS, 1.0, keep
    )


def lost(*messages: tuple[str, list[TensorItem]]) -> dict[str, int]:
    gaps, total = Gaps(), {}
    for boot, items in messages:
        for camera, count in gaps.look(boot, items).items():
            total[camera] = total.get(camera, 0) + count
    return total


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([("a", [tensor(1), tensor(2)]), ("b", [tensor(8)])], {"dock": 5}),
        ([("a", [tensor(1)]), ("b", [tensor(2)])], {}),
        ([("a", [tensor(1), tensor(5)]), ("a", [tensor(6)]), ("b", [tensor(9)])], {}),
        ([("a", [tensor(1, keep=False)]), ("b", [tensor(8, keep=False)])], {}),
        ([("a", [tensor(1)]), ("b", [tensor(8, boot="0000beef")])], {}),
        ([("a", [tensor(5)]), ("b", [tensor(4)]), ("b", [tensor(6)])], {}),
        ([("a", [tensor(1)]), ("b", [tensor(LOST_MAX + 3)])], {}),
        (
            [("a", [tensor(1), tensor(1, camera="yard")]), ("b", [tensor(3, camera="yard"), tensor(3)])],
            {"dock": 1, "yard": 1},
        ),
    ],
    ids=["killed", "nothing-lost", "camera-leaves-out", "not-kept", "other-start", "again", "too-many", "two-cameras"],
)  # fmt: skip
def test_a_gap_between_two_starts_of_preprocess_is_what_was_lost(
    messages: list[tuple[str, list[TensorItem]]], expected: dict[str, int]
) -> None:
    assert lost(*messages) == expected
