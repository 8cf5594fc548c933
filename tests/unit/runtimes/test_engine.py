"""The ONNX Runtime engine on real tiny graphs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from support.tiny_bundle import tiny_bundle
from vigie.errors import BundleError, EngineError, ImageShapeError, ProviderError
from vigie.models import Bundle
from vigie.runtimes import Candidate, Engine, open_engine
from vigie.runtimes.candidate import cpu_candidate
from vigie.runtimes.engines.reference_run import open_reference, run_reference


def test_the_engine_runs_what_it_is_fed(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    with open_engine(bundle, "fp32", threads=1) as engine:
        assert (engine.provider, engine.variant, engine.threads) == ("CPUExecutionProvider", "fp32", 1)
        assert engine.input_shape == (1, 4, 6, 3)
        for seed in range(3):
            tensor = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
            assert engine.run(tensor)[0][0] == pytest.approx(tensor.mean(axis=(0, 1)), abs=1e-3)
        assert sum(engine.placement().values()) >= 2
        assert set(engine.placement()) == {"CPUExecutionProvider"}


def test_a_strided_view_is_taken_and_outputs_are_the_engine_s_own_buffers(tmp_path: Path) -> None:
    with open_engine(tiny_bundle(tmp_path / "b")) as engine:
        wide = np.zeros((4, 12, 3), np.uint8)
        wide[:, ::2] = 50
        first = engine.run(wide[:, ::2])[0]
        assert first[0].tolist() == [50, 50, 50]
        assert engine.run(wide[:, 1::2])[0] is first
        assert first[0].tolist() == [0, 0, 0]


def test_several_threads_run_one_session_at_a_time_and_each_reads_its_own_outputs(tmp_path: Path) -> None:
    wrong: list[tuple[int, list[float]]] = []

    def run_often(engine: Engine, level: int, begin: threading.Barrier) -> None:
        tensor = np.full((4, 6, 3), level, np.uint8)
        begin.wait(60)
        for _ in range(400):
            found = engine.run(tensor)[0][0].tolist()
            if found != [level] * 3:
                wrong.append((level, found))

    with open_engine(tiny_bundle(tmp_path / "b"), cpu_candidate("fp32", 1, runs=3)) as engine:
        begin = threading.Barrier(3)
        threads = [threading.Thread(target=run_often, args=(engine, level, begin)) for level in (10, 90, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_as_many_rows_come_as_the_picture_has(tmp_path: Path) -> None:
    with open_engine(tiny_bundle(tmp_path / "b", output_shape=[-1, 3])) as engine:
        tensor = np.zeros((4, 6, 3), np.uint8)
        assert engine.run(tensor)[0].shape == (0, 3)
        tensor[1, 2:5] = 200
        assert engine.run(tensor)[0].shape == (3, 3)


@pytest.mark.parametrize(
    "tensor", [np.zeros((4, 6, 4), np.uint8), np.zeros((1, 4, 6, 3), np.uint8), np.zeros((4, 6, 3), np.float32)]
)
def test_another_shape_or_type_is_refused(tmp_path: Path, tensor: np.ndarray) -> None:
    with (
        open_engine(tiny_bundle(tmp_path / "b")) as engine,
        pytest.raises(ImageShapeError, match=r"tensor: expected \(4, 6, 3\) uint8, got"),
    ):
        engine.run(tensor)


@pytest.mark.parametrize(
    ("provider", "device", "said"),
    [
        (
            "cuda",
            "GPU",
            "CUDAExecutionProvider is not installed here; available: .*; install onnxruntime-gpu in place of",
        ),
        ("migraphx", "GPU", "MIGraphXExecutionProvider is not installed here"),
        ("webgpu", "GPU", "WebGpuExecutionProvider is not installed here; .*; install onnxruntime-webgpu in place of"),
        ("webgpu-ep", "GPU", "onnxruntime-ep-webgpu is not installed here; install onnxruntime-ep-webgpu"),
        ("cuda", "NPU", "cuda has no device 'NPU'; it has GPU"),
        ("no-such", "GPU", "onnxruntime has no provider 'no-such'; it has coreml, cpu, cuda, "),
    ],
)
def test_a_provider_that_is_not_here_is_an_error_with_its_remedy_and_no_fall_back(
    tmp_path: Path, provider: str, device: str, said: str
) -> None:
    with pytest.raises(ProviderError, match=f"model 'tiny/fp32': {said}"):
        open_engine(tiny_bundle(tmp_path / "b"), Candidate("onnxruntime", provider, device, "fp32", 1))


def test_a_variant_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has no variant 'int8'"):
        open_engine(tiny_bundle(tmp_path / "b"), "int8")


def test_a_file_that_is_not_what_its_card_says_is_refused(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    wider = msgspec.structs.replace(bundle.card, input=msgspec.structs.replace(bundle.card.input, width=8))
    with pytest.raises(EngineError, match=r"expected the input .*; import it again"):
        open_engine(Bundle(bundle.folder, wider, ""))
    longer = msgspec.structs.replace(
        bundle.card, outputs=(msgspec.structs.replace(bundle.card.outputs[0], shape=(1, 4)),)
    )
    with pytest.raises(EngineError, match=r"expected the outputs .*; import it again"):
        open_engine(Bundle(bundle.folder, longer, ""))


def test_a_file_that_the_runtime_refuses_is_one_line(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    rubbish = b"\x0a\x07rubbish"  # a message, and no model
    bundle.variant().file.write_bytes(rubbish)
    variant = msgspec.structs.replace(bundle.card.variants["fp32"], sha256=hashlib.sha256(rubbish).hexdigest())
    bundle = Bundle(bundle.folder, msgspec.structs.replace(bundle.card, variants={"fp32": variant}), "")
    with pytest.raises(EngineError) as refused:
        open_engine(bundle)
    assert str(refused.value).startswith("model 'tiny/fp32': ONNX Runtime refuses it: ")
    assert "\n" not in str(refused.value)


def test_the_reference_run_names_its_outputs_and_says_what_it_refuses(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    content = bundle.variant().file.read_bytes()
    outputs = run_reference(content, {"image_bgr": np.full((1, 4, 6, 3), 9, np.uint8)}, name="tiny")
    assert outputs["out"].tolist() == [[9, 9, 9]]
    with pytest.raises(EngineError, match="model 'tiny': ONNX Runtime refuses it"):
        run_reference(content, {"image_bgr": np.zeros((1, 4, 6, 3), np.float32)}, name="tiny")


def test_opening_an_engine_starts_no_telemetry(tmp_path: Path) -> None:
    """The variable is read at import: a fresh process shows what a module gets."""
    tiny_bundle(tmp_path / "b")
    code = (
        "import sys; from vigie.models import load_bundle; from vigie.runtimes import Candidate, open_engine\n"
        "assert 'onnxruntime' not in sys.modules\n"
        f"open_engine(load_bundle({str(tmp_path / 'b')!r})).close()\n"
        "import os; print(os.environ['ORT_DISABLE_TELEMETRY'], 'cv2' in sys.modules)"
    )
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home/.cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.split() == ["1", "False"]
    assert not list((tmp_path / "home").rglob("*onnxruntime*"))


def test_a_graph_whose_loop_never_ends_is_refused_and_not_waited_for() -> None:
    of = onnx.helper.make_tensor_value_info
    scalar, picture = [], [1, 3, 8, 8]
    step = [onnx.helper.make_node("Identity", ["go"], ["go_on"]), onnx.helper.make_node("Sin", ["v"], ["w"])]
    body = onnx.helper.make_graph(
        step, "body",
        [of("i", onnx.TensorProto.INT64, scalar), of("go", onnx.TensorProto.BOOL, scalar), of("v", 1, picture)],
        [of("go_on", onnx.TensorProto.BOOL, scalar), of("w", 1, picture)],
    )  # fmt: skip
    turns = [onnx.numpy_helper.from_array(np.array(2**62, np.int64), "turns"),
             onnx.numpy_helper.from_array(np.array(True), "true")]  # fmt: skip
    loop = onnx.helper.make_node("Loop", ["turns", "true", "images"], ["y"], body=body)
    graph = onnx.helper.make_graph([loop], "g", [of("images", 1, picture)], [of("y", 1, picture)], turns)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    run = open_reference(model.SerializeToString(), name="hostile", within_s=0.2)
    with pytest.raises(EngineError, match=r"gave no answer within 0\.2 s on one thread; a loop in it may never end"):
        run({"images": np.zeros(picture, np.float32)})
