"""What fits a box: figures by hand, the part that is largest, and advice that keeps its promise."""

from __future__ import annotations

import msgspec
import pytest

from vigie_devkit.fit.rules import OTHER_CPU_MS, SHARE_MAX, Costs, fit, fit_lines

CPU = Costs(
    decode_ms=4.0, preprocess_ms=1.0, model_cpu_ms=13.0, model_ms=13.0, engine="cpu/fp32/1t", on_cpu=True,
    tensor_bytes=416 * 416 * 3, cores=4, where="a test",
)  # fmt: skip
GPU = msgspec.structs.replace(CPU, model_cpu_ms=0.5, model_ms=2.0, engine="cuda:GPU/fp16/1t", on_cpu=False)


def test_what_is_needed_is_the_sum_of_the_parts_times_the_frames() -> None:
    found = fit(CPU, cameras=8, fps=15)
    assert found.cores_needed == pytest.approx(8 * 15 * (4 + 1 + 13 + OTHER_CPU_MS) / 1e3)
    assert found.fits
    assert found.bottleneck == "model"
    assert found.advice == ()


def test_at_the_most_cameras_it_still_fits_and_with_one_more_it_does_not() -> None:
    most = fit(CPU, cameras=1, fps=15).cameras_max
    assert most == int(SHARE_MAX * 4 / (15 * 0.020))
    assert fit(CPU, cameras=most, fps=15).fits
    assert not fit(CPU, cameras=most + 1, fps=15).fits


def test_the_rate_that_is_advised_fits() -> None:
    found = fit(CPU, cameras=40, fps=15)
    assert not found.fits
    assert fit(CPU, cameras=40, fps=found.fps_max - 0.05).fits


def test_an_engine_of_its_own_is_a_bound_beside_the_cores() -> None:
    found = fit(GPU, cameras=30, fps=15)
    assert found.bottleneck == "model on cuda:GPU/fp16/1t"
    assert not found.fits
    assert fit(GPU, cameras=found.cameras_max, fps=15).fits
    assert any("accelerator" in sentence for sentence in found.advice)


def test_another_machine_is_advised_where_it_makes_room_and_only_there() -> None:
    found = fit(CPU, cameras=16, fps=15)
    assert (found.fits, found.cameras_max, found.remote_cameras_max) == (False, 10, 28)
    assert any("with the model on another machine they fit here: 996.8 Mbit/s" in one for one in found.advice)
    heavy = msgspec.structs.replace(CPU, decode_ms=40.0)
    found = fit(heavy, cameras=16, fps=15)
    assert found.bottleneck == "decode"
    assert "sub-stream" in " ".join(found.advice)
    assert not any("they fit here" in one for one in found.advice)


def test_people_read_the_same() -> None:
    text = "\n".join(fit_lines(CPU, fit(CPU, cameras=16, fps=15), cameras=16, fps=15))
    assert "16 cameras at 15 frames per second: does not fit; at most 10 at that rate" in text
    assert "measured on a test" in text
    assert "an estimate" in text
