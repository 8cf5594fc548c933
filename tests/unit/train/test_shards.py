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


def test_gradients_are_the_mean_over_the_parts() -> None:
    torch.manual_seed(1)
    network = Detector(2)
    images, targets = batch([1, 1, 1, 1])
    halves = [
        alone(network, images[rows], Targets(*(one[rows] for one in targets))) for rows in (slice(2), slice(2, 4))
    ]
    shards = Shards(network, 2, cells(SIZE), bfloat16=False)
    try:
        losses = shards.backward(images, targets)
    finally:
        shards.close()
    assert set(losses) == {"box", "objectness", "class"}
    for name, mine in gradients(network).items():
        torch.testing.assert_close(mine, (halves[0][name] + halves[1][name]) / 2, rtol=1e-4, atol=1e-5)


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


def test_parts_share_the_weights_that_an_optimiser_moves() -> None:
    torch.manual_seed(1)
    network = Detector(2)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05)
    images, targets = batch([1, 1])
    shards = Shards(network, 2, cells(SIZE), bfloat16=False)
    try:
        sums = []
        for _ in range(25):
            sums.append(sum(shards.backward(images, targets).values()))
            optimiser.step()
    finally:
        shards.close()
    # The second part's loss falls only if it sees what the first one's optimiser did.
    assert sums[-1] < 0.7 * sums[0]


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
