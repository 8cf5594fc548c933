"""A batch computed in parts: gradients are the mean of what each part alone would give."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch (training extra)")

from vigie_devkit.train.loss import Targets, detection_loss  # noqa: E402  # after the skip, as the rest
from vigie_devkit.train.network import Detector, cells  # noqa: E402
from vigie_devkit.train.shards import Shards  # noqa: E402

SIZE = (64, 64)


def batch(kinds: list[int]) -> tuple[torch.Tensor, Targets]:
    """One image for each kind (see Targets) of its only object."""
    chance = np.random.default_rng(4)
    images = torch.from_numpy(chance.integers(0, 256, (len(kinds), 3, *SIZE), np.uint8))
    boxes = torch.tensor([[[10.0, 12.0, 40.0, 44.0]]]).repeat(len(kinds), 1, 1)
    return images, Targets(boxes, torch.ones((len(kinds), 1), dtype=torch.long), torch.tensor(kinds).unsqueeze(1))


def gradients(network: Detector) -> dict[str, torch.Tensor]:
    return {name: one.grad.clone() for name, one in network.named_parameters() if one.grad is not None}


def alone(network: Detector, images: torch.Tensor, targets: Targets) -> dict[str, torch.Tensor]:
    twin = copy.deepcopy(network).train()
    detection_loss(twin(images), targets, *cells(SIZE))[0].backward()
    return gradients(twin)


def mean_of_halves(network: Detector, images: torch.Tensor, targets: Targets) -> dict[str, torch.Tensor]:
    rows = (slice(2), slice(2, 4))
    first, second = (alone(network, images[one], Targets(*(part[one] for part in targets))) for one in rows)
    return {name: (first[name] + second[name]) / 2 for name in first}


def test_gradients_are_the_mean_over_the_parts_also_after_the_weights_moved() -> None:
    torch.manual_seed(1)
    network = Detector(2)
    images, targets = batch([1, 1, 1, 1])
    shards = Shards(network, 2, cells(SIZE), bfloat16=False)
    try:
        for _ in range(2):  # the second time each part must see what the optimiser did
            expected = mean_of_halves(network, images, targets)
            losses = shards.backward(images, targets)
            assert set(losses) == {"box", "objectness", "class"}
            mine = gradients(network)
            assert set(mine) == set(expected)
            for name, gradient in mine.items():
                torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-5)
            torch.optim.SGD(network.parameters(), lr=0.05).step()
    finally:
        shards.close()


@pytest.mark.parametrize("kinds", [[0, 1], [1, 0]], ids=["first", "last"])
def test_a_part_without_objects_teaches_boxes_nothing_and_the_other_still_does(kinds: list[int]) -> None:
    torch.manual_seed(1)
    network = Detector(2)
    shards = Shards(network, 2, cells(SIZE), bfloat16=False)
    try:
        shards.backward(*batch(kinds))
    finally:
        shards.close()
    assert gradients(network)["parts.box8.weight"].abs().sum() > 0


def test_a_batch_smaller_than_the_parts_is_computed() -> None:
    shards = Shards(Detector(2), 4, cells(SIZE), bfloat16=False)
    try:
        assert shards.backward(*batch([1]))["objectness"] > 0
    finally:
        shards.close()


def test_the_number_of_threads_is_as_it_was_afterwards() -> None:
    before = torch.get_num_threads()
    Shards(Detector(2), 2, cells(SIZE), bfloat16=False).close()
    assert torch.get_num_threads() == before
