"""Layers with few input channels stay float where that is faster here, as measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from support import models
from support.trained import face_detector, face_picture
from vigie.models import load_bundle
from vigie_devkit.models import import_model
from vigie_devkit.quantize.judge import Budget
from vigie_devkit.quantize.layers import Network
from vigie_devkit.quantize.machine import Machine
from vigie_devkit.quantize.recipes import S8S8, U8S8_PAIRED
from vigie_devkit.quantize.samples import fit
from vigie_devkit.quantize.speed import Timing
from vigie_devkit.quantize.unpaid_layers import unpaid_layers
from vigie_devkit.quantize.workbench import Workbench, prepare


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    folder = tmp_path_factory.mktemp("faces")
    bundle = load_bundle(import_model(models.save(face_detector(), folder), folder / "b", family="ultraface"))
    samples = [fit(bundle.card, str(seed), face_picture(np.random.default_rng(seed), 2)) for seed in range(4)]
    return prepare(
        bundle.card,
        Network(onnx.load(bundle.variant().file)),
        samples[:2],
        samples[2:],
        budget=Budget(),
        machine=Machine("a processor", "x86-avx2", "cpu-x86", 1),
        score_min=0.4,
    )


def timed(integer_ms: float, float_ms: float) -> Callable[..., dict[str, Timing]]:
    def time_files(files: Mapping[str, Path], **_: object) -> dict[str, Timing]:
        for file in files.values():
            onnx.checker.check_model(onnx.load(file))
        return {"integer": Timing(1, integer_ms, integer_ms), "float": Timing(1, float_ms, float_ms)}

    return time_files


@pytest.mark.parametrize(
    ("integer_ms", "float_ms", "kept"),
    [(10.0, 9.0, 3), (10.0, 9.9, 0), (10.0, 12.0, 0)],
    ids=["pays", "noise", "costs"],
)
def test_thin_layers_stay_float_where_it_is_measurably_faster(
    bench: Workbench, integer_ms: float, float_ms: float, kept: int
) -> None:
    found = unpaid_layers(bench, U8S8_PAIRED, "minmax", timed(integer_ms, float_ms))
    assert len(found) == kept
    assert all(bench.network.layer(name).channels_in <= 3 for name in found)


def test_a_recipe_for_other_machines_is_not_timed_here(bench: Workbench) -> None:
    assert unpaid_layers(bench, S8S8, "minmax", timed(10.0, 1.0)) == ()
    arm = replace(bench, machine=Machine("a processor", "arm64", "cpu-arm", 1))
    assert unpaid_layers(arm, U8S8_PAIRED, "minmax", timed(10.0, 1.0)) == ()
