"""``vigie fit``: decode and preprocess are really measured; saved costs answer another wish without measuring."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vigie_devkit.cli import main
from vigie_devkit.fit.measure import FRAMES, decode_cost, drawn_clip, is_cpu, preprocess_cost

COSTS = {
    "decode_ms": 4.0, "preprocess_ms": 1.0, "model_cpu_ms": 13.0, "model_ms": 13.0, "engine": "cpu/fp32/1t",
    "on_cpu": True, "tensor_bytes": 519168, "cores": 4, "where": "a test",
}  # fmt: skip


def test_a_drawn_clip_is_decoded_and_fitted_by_the_products_own_code() -> None:
    decode_ms, frame_bgr = decode_cost(drawn_clip((120, 160)))
    assert frame_bgr.shape == (120, 160, 3)
    assert frame_bgr.std() > 5, "a picture, and not one colour"
    assert decode_ms > 0
    assert preprocess_cost(np.ascontiguousarray(frame_bgr), (64, 64)) > 0
    assert FRAMES >= 30


def test_saved_costs_answer_without_measuring_and_the_exit_code_says_whether_it_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "costs.json"
    file.write_text(json.dumps(COSTS))
    assert main(["fit", "--cameras", "8", "--fps", "15", "--costs", str(file)]) == 0
    assert "8 cameras at 15 frames per second: fits; at most 10" in capsys.readouterr().out
    assert main(["fit", "--cameras", "16", "--fps", "15", "--costs", str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["fit"]["cameras_max"] == 10


def test_costs_that_are_none_and_sizes_that_are_none_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "costs.json"
    file.write_text('{"decode_ms": 1}')
    assert main(["fit", "--cameras", "8", "--fps", "15", "--costs", str(file)]) == 2
    assert "missing required field" in capsys.readouterr().err
    for words in (["--size", "1081x720"], ["--fps", "0"], ["--cameras", "nine"]):
        asked = ["fit", "--cameras", "8", "--fps", "15", *words]
        with pytest.raises(SystemExit) as ended:
            main(asked)
        assert ended.value.code == 2


def test_a_candidates_key_tells_whether_its_time_is_cpu_time() -> None:
    on_cpu = {"cpu/fp32/1t": True, "openvino/int8/2t": True, "openvino:GPU/fp16/1t": False, "qnn-htp/a16w8/1t": False}
    assert {key: is_cpu(key) for key in on_cpu} == on_cpu
