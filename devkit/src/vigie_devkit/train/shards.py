"""A batch in equal parts, each on a thread of its own with its own copy of the network."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from vigie_devkit.train.loss import Targets, detection_loss
from vigie_devkit.train.network import Detector


class Shards:
    """Computes a batch's loss and gradients part by part.

    Threads inside one operation wait for each other a thousand times a step, which on a machine that is busy with
    anything else costs more than half of the time; parts wait once. The number of parts belongs to the recipe: batch
    normalisation sees one part at a time, so weights depend on it; the number of cores changes them by rounding only.
    """

    def __init__(self, network: Detector, count: int, cells: tuple[Tensor, Tensor], *, bfloat16: bool) -> None:
        """``cells``: corners and strides of a batch's images. The copies share ``network``'s parameters."""
        self._cells, self._bfloat16 = cells, bfloat16
        self._copies = [network, *(copy.deepcopy(network) for _ in range(count - 1))]
        for twin in self._copies[1:]:
            for mine, theirs in zip(twin.parameters(), network.parameters(), strict=True):
                mine.data = theirs.data
        self._threads = torch.get_num_threads()
        each = max(1, self._threads // count)
        self._pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(each,))
        torch.set_num_threads(1)  # what is left between the parts is small

    def close(self) -> None:
        self._pool.shutdown()
        torch.set_num_threads(self._threads)

    def backward(self, images: Tensor, targets: Targets) -> dict[str, float]:
        """Leave the gradients of the mean loss in the network's parameters; the loss's parts, for the log."""
        count = min(len(self._copies), len(images))
        parts = list(
            self._pool.map(
                self._part,
                self._copies[:count],
                images.tensor_split(count),
                zip(*(whole.tensor_split(count) for whole in targets), strict=True),
            )
        )
        for group in zip(*(twin.parameters() for twin in self._copies[:count]), strict=True):
            slopes = [one.grad for one in group if one.grad is not None]
            group[0].grad = torch.stack(slopes).sum(0) / count if slopes else None
        names = dict.fromkeys(name for part in parts for name in part)
        return {name: sum(part.get(name, 0.0) for part in parts) / count for name in names}

    def _part(self, twin: Detector, images: Tensor, targets: tuple[Tensor, Tensor, Tensor]) -> dict[str, float]:
        twin.train()
        for parameter in twin.parameters():
            parameter.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16):
            raw = twin(images)
        loss, parts = detection_loss(raw.float(), Targets(*targets), *self._cells)
        loss.backward()
        return parts
