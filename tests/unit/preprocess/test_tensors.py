"""The tensor ring follows the model's size, there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vigie.contracts.pixels import RingReference
from vigie.frames import RingPool, RingWriter
from vigie_preprocess.tensors import PREFIX, TensorRing

SMALL, LARGE = (32, 48), (64, 96)


def written(ring: RingWriter, size_hw: tuple[int, int], level: int) -> RingReference:
    reference = ring.write(np.full((*size_hw, 3), level, np.uint8))
    assert reference is not None
    return reference


def test_a_model_of_another_size_and_then_the_one_before_go_on_in_their_rings(tmp_path: Path) -> None:
    with TensorRing(tmp_path) as ring, RingPool(tmp_path) as pool:
        for level, size_hw in enumerate((SMALL, LARGE, SMALL, LARGE, (96, 96), SMALL)):
            reference = written(ring.open(size_hw, 6), size_hw, level)
            with pool.lease(reference) as tensor:
                assert tensor.shape == (*size_hw, 3)
                assert (tensor == level).all()
        assert len(list(tmp_path.glob(f"{PREFIX}*.ring"))) <= 3


def test_tensors_of_the_size_before_stay_readable_after_a_change_back(tmp_path: Path) -> None:
    with TensorRing(tmp_path) as ring, RingPool(tmp_path) as pool:
        ring.open(SMALL, 6)
        on_its_way = written(ring.open(LARGE, 6), LARGE, 7)
        ring.open(SMALL, 6)
        with pool.lease(on_its_way) as tensor:
            assert (tensor == 7).all()
