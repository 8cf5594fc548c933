"""Random weights whose answers differ, for the scripts of this folder.

Untrained networks answer with one value everywhere, and a comparison of those would prove nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch


def settle(network: Any, run: Callable[[], Any]) -> None:
    """Batch statistics of what ``run`` shows to the network, layer by layer; the network stays in ``eval``."""

    def learn(norm: Any, given: tuple[torch.Tensor, ...]) -> None:
        norm.running_mean.copy_(given[0].mean(dim=(0, 2, 3)))
        norm.running_var.copy_(given[0].var(dim=(0, 2, 3)) + 1e-4)

    norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(learn) for norm in norms]
    network.eval()
    run()
    for hook in hooks:
        hook.remove()


def answers(layers: list[Any], run: Callable[[], Any]) -> list[torch.Tensor]:
    """What these layers give in one run, in the order in which they answer."""
    seen: list[torch.Tensor] = []
    hooks = [layer.register_forward_hook(lambda _layer, _given, answer: seen.append(answer)) for layer in layers]
    run()
    for hook in hooks:
        hook.remove()
    return seen


def noisy(layers: list[Any]) -> None:
    """Noise in the weights: untrained ones are nearly alike for every class, or nothing but zeros."""
    for layer in layers:
        layer.weight += torch.randn_like(layer.weight) * (float(layer.weight.std()) or 0.05)


def rescale(layers: list[Any], factor: float, before: float, after: float) -> None:
    """An affine change of the layers' answers: what was ``before`` becomes ``after``."""
    for layer in layers:
        layer.weight *= factor
        layer.bias.copy_((layer.bias - before) * factor + after)


def logit(score: float) -> float:
    return math.log(score / (1 - score))
