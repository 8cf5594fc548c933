"""Files that nobody vouched for: each gets its own clear error, none a traceback, none leaves anything behind."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from support import models
from vigie.errors import ModelFileError
from vigie.models import load_bundle
from vigie_devkit.cli import main
from vigie_devkit.local.errors import Exit
from vigie_devkit.models import import_model


def write(folder: Path, content: bytes, name: str = "bad.onnx") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def graph(change: Callable[[onnx.ModelProto], None]) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        model = models.yolox()
        change(model)
        return write(folder, model.SerializeToString())

    return build


def truncated(folder: Path) -> Path:
    return write(folder, models.yolox().SerializeToString()[:-700])


def zipped(folder: Path) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50 << 20))
    return write(folder, buffer.getvalue())


def nan_weight(model: onnx.ModelProto) -> None:
    weight = next(item for item in model.graph.initializer if len(item.dims) == 4)
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[0] = np.nan
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))


def custom_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "evil.ops"
    model.graph.node[0].op_type = "Launch"
    model.opset_import.append(helper.make_opsetid("evil.ops", 1))


def nested_custom_operator(model: onnx.ModelProto) -> None:
    inner = helper.make_graph(
        [helper.make_node("Launch", [], ["z"], domain="evil.ops")], "inner", [], [models.tensor("z", [1])]
    )
    node = helper.make_node("If", ["output"], ["unused"], then_branch=inner, else_branch=inner)
    model.graph.node.append(node)


def first_weight(model: onnx.ModelProto) -> TensorProto:
    return next(item for item in model.graph.initializer if len(item.dims) == 4)


def short_weight(model: onnx.ModelProto) -> None:
    weight = first_weight(model)
    weight.raw_data = weight.raw_data[:-4]


def absurd_weight(model: onnx.ModelProto) -> None:
    first_weight(model).dims[0] = 1 << 40


def negative_weight(model: onnx.ModelProto) -> None:
    first_weight(model).dims[0] = -8


def unknown_type(model: onnx.ModelProto) -> None:
    first_weight(model).data_type = 999


def unknown_input_type(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 33


def set_opset(version: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        model.opset_import[0].version = version

    return change


def no_opset(model: onnx.ModelProto) -> None:
    del model.opset_import[:]


def set_input(*sides: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        model.graph.input[0].CopyFrom(models.tensor("images", list(sides)))

    return change


def no_nodes(model: onnx.ModelProto) -> None:
    del model.graph.node[:]


def no_input(model: onnx.ModelProto) -> None:
    del model.graph.input[:]


def no_output(model: onnx.ModelProto) -> None:
    del model.graph.output[:]


def loose_end(model: onnx.ModelProto) -> None:
    model.graph.node[-1].input[0] = "nowhere"


def ring(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Add", ["ring_b", "ring_b"], ["ring_a"]))
    model.graph.node.append(helper.make_node("Relu", ["ring_a"], ["ring_b"]))


def memory_bomb(model: onnx.ModelProto) -> None:
    size = onnx.numpy_helper.from_array(np.array([1 << 20, 1 << 20], np.int64), "bomb_size")
    model.graph.initializer.append(size)
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["bomb_size"], ["bomb"]))


def contradiction(model: onnx.ModelProto) -> None:
    """A kernel for four channels on a picture of three."""
    weight = first_weight(model)
    values = np.zeros((weight.dims[0], 4, 1, 1), np.float32)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))


def external(location: str, **facts: str) -> Callable[[Path], Path]:
    """The first weight's data elsewhere, as the keys say."""

    def build(folder: Path) -> Path:
        model = models.yolox()
        weight = first_weight(model)
        data = weight.raw_data
        (folder / "weights.bin").write_bytes(data)
        (folder.parent / "secret.bin").write_bytes(data)
        if not (folder / "link.bin").exists():
            (folder / "link.bin").symlink_to(folder.parent / "secret.bin")
            (folder / "linked").symlink_to(folder.parent)
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **facts}.items():
            entry = weight.external_data.add()
            entry.key, entry.value = key, value
        return write(folder, model.SerializeToString())

    return build


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.bin")
    return external("pipe.bin")(folder)


MALFORMED = [
    ("missing", lambda folder: folder / "none.onnx", "does not exist; check the path"),
    ("folder", lambda folder: folder, "is not a regular file"),
    ("empty", lambda folder: write(folder, b""), "is empty"),
    ("text", lambda folder: write(folder, b"hello world, this is text"), "is not ONNX or is truncated"),
    ("random", lambda folder: write(folder, bytes(range(256)) * 9), "is not ONNX or is truncated"),
    ("truncated", truncated, "is not ONNX or is truncated"),
    ("zip-bomb", zipped, "is a zip archive (a PyTorch checkpoint is one), not ONNX"),
    ("gzip", lambda folder: write(folder, b"\x1f\x8b\x08" + bytes(99)), "is gzip-compressed, not ONNX"),
    ("pickle", lambda folder: write(folder, b"\x80\x04\x95" + bytes(99)), "is a Python pickle, not ONNX"),
    ("lfs", lambda folder: write(folder, b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    ("no-nodes", graph(no_nodes), "holds no graph"),
    ("no-input", graph(no_input), "has no input"),
    ("no-output", graph(no_output), "has no output"),
    ("no-opset", graph(no_opset), "names no opset"),
    ("old-opset", graph(set_opset(3)), "uses opset 3; 7 to"),
    ("future-opset", graph(set_opset(900)), "uses opset 900; 7 to"),
    ("custom-operator", graph(custom_operator), "needs custom operators (evil.ops:Launch)"),
    ("nested-custom-operator", graph(nested_custom_operator), "needs custom operators (evil.ops:Launch)"),
    ("nan-weight", graph(nan_weight), "holds NaN; the training diverged or the file is damaged"),
    ("short-weight", graph(short_weight), "bytes and has"),
    ("absurd-weight", graph(absurd_weight), "at most 536870912 elements"),
    ("negative-weight", graph(negative_weight), "has the shape [-8,"),
    ("unknown-type", graph(unknown_type), "has the unknown type 999"),
    ("unknown-input-type", graph(unknown_input_type), "has elements of the unknown type 33"),
    ("huge-input", graph(set_input(1, 3, 1 << 20, 64)), "no side may exceed 8192"),
    ("negative-input", graph(set_input(1, 3, -5, 64)), "has a side of -5"),
    ("batch-of-ten", graph(set_input(10, 3, 64, 96)), "takes 10 pictures at once; export it with a batch of 1"),
    ("grey-input", graph(set_input(1, 1, 64, 96)), "pictures have 3 channels"),
    ("flat-input", graph(set_input(1, 10)), "axes; a picture has three or, with a batch, four"),
    ("loose-end", graph(loose_end), "is not a valid ONNX graph"),
    ("ring", graph(ring), "contains a cycle of nodes"),
    ("memory-bomb", graph(memory_bomb), "tensors have at most 536870912 elements"),
    ("contradiction", graph(contradiction), "does not run: ONNX Runtime refuses it"),
    ("external-absolute", external("/etc/passwd"), "names '/etc/passwd', which lies outside the bundle"),
    ("external-parent", external("../secret.bin"), "names '../secret.bin', which lies outside the bundle"),
    ("external-link", external("link.bin"), "link.bin goes through a link"),
    ("external-folder-link", external("linked/secret.bin"), "linked/secret.bin goes through a link"),
    ("external-missing", external("gone.bin"), "lacks gone.bin"),
    ("external-short", external("weights.bin", offset="8"), "bytes, 36 from 8 are needed"),
    ("external-negative", external("weights.bin", offset="-8"), "offset or length is negative"),
    ("external-word", external("weights.bin", offset="eight"), "offset or length is not a number"),
    ("external-pipe", fifo, "pipe.bin is not a regular file"),
]


@pytest.mark.parametrize(("build", "said"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED])
def test_a_malformed_model_is_one_sentence_with_its_reason_and_nothing_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], build: Callable[[Path], Path], said: str
) -> None:
    """Through the command: exit code 5, one line, no traceback and no chatter of a library beside it."""
    folder = tmp_path / "in"
    folder.mkdir()
    file = build(folder)

    code = main(["models", "import", str(file), "--output", str(tmp_path / "out" / "bundle")])

    shown = capfd.readouterr()
    assert code == Exit.MODEL
    assert said in shown.err
    assert file.name in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert not (tmp_path / "out").exists()


def test_every_malformed_model_has_an_error_of_its_own() -> None:
    """Three kinds of bytes that are no ONNX at all share theirs; links are told apart by their name."""
    reasons = [said for _, _, said in MALFORMED]
    assert len(set(reasons)) >= 35
    assert sum(reasons.count(said) > 1 for said in set(reasons)) <= 2


def test_an_external_weight_inside_the_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    bundle = import_model(external("weights.bin")(folder), tmp_path / "bundle")
    assert sorted(path.name for path in bundle.iterdir()) == ["card.yaml", "fp32.onnx", "reference.npz"]


def test_nodes_in_any_order_are_sorted(tmp_path: Path) -> None:
    model = models.yolox()
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    import_model(models.save(model, tmp_path), tmp_path / "bundle")


def test_sides_that_paddle_writes_as_minus_one_are_open(tmp_path: Path) -> None:
    model = models.yolox()
    model.graph.input[0].CopyFrom(models.tensor("images", [-1, 3, -1, -1]))
    model.graph.value_info.append(models.tensor(model.graph.node[0].output[0], [-1, 3, -1, -1]))
    model.graph.output[0].CopyFrom(models.tensor("output", [-1, -1, 8]))
    folder = import_model(models.save(model, tmp_path), tmp_path / "bundle", size_hw=(64, 96))
    assert load_bundle(folder).card.input.height == 64


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigie_devkit.models.checks.MODEL_BYTES_MAX", 1000)
    with pytest.raises(ModelFileError, match="at most 1000 are read"):
        import_model(models.save(models.yolox(), tmp_path), tmp_path / "out")


def change_card(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / "card.yaml").read_text()
        assert old in text
        (folder / "card.yaml").write_text(text.replace(old, new, 1))

    return change


def overwrite(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


BROKEN_BUNDLES = [
    ("wrong-sha256", overwrite("fp32.onnx", b"another"), "fp32.onnx: sha256 is"),
    ("wrong-reference", overwrite("reference.npz", b"another"), "reference.npz: sha256 is"),
    ("no-model", lambda folder: (folder / "fp32.onnx").unlink(), "lacks fp32.onnx"),
    ("no-card", lambda folder: (folder / "card.yaml").unlink(), "is neither a bundle folder"),
    ("card-is-no-yaml", overwrite("card.yaml", b"{"), "card.yaml"),
    ("card-escapes", change_card("file: fp32.onnx", "file: ../fp32.onnx"), "lies outside the bundle"),
    ("card-absolute", change_card("file: fp32.onnx", "file: /etc/passwd"), "lies outside the bundle"),
    ("unknown-key", change_card("task: detection", "task: detection\nhurry: true"), "hurry"),
    ("unknown-task", change_card("task: detection", "task: poetry"), "$.task"),
    ("future-schema", change_card("vigie.card/1", "vigie.card/9"), "$.schema"),
    ("yaml-alias", change_card("task: detection", "task: &a detection\nname: *a"), "alias"),
    ("unknown-decoder", change_card("family: yolox", "family: yolo99"), "unknown family 'yolo99'"),
    ("huge-input", change_card("height: 64", "height: 1000000000"), "$.input.height"),
]


@pytest.mark.parametrize(
    ("damage", "said"), [case[1:] for case in BROKEN_BUNDLES], ids=[case[0] for case in BROKEN_BUNDLES]
)
def test_a_broken_bundle_is_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], damage: Callable[[Path], None], said: str
) -> None:
    folder = import_model(models.save(models.yolox(), tmp_path), tmp_path / "bundle")
    damage(folder)
    capfd.readouterr()

    code = main(["models", "verify", str(folder)])

    shown = capfd.readouterr().err
    assert code == Exit.MODEL
    assert said in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize("seed", range(40))
def test_random_damage_never_gives_a_traceback(tmp_path: Path, capfd: pytest.CaptureFixture[str], seed: int) -> None:
    """Bytes changed, lost or put in: either a bundle still comes of it, or one sentence."""
    rng = np.random.default_rng(seed)
    content = bytearray(models.yolox().SerializeToString())
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(content)))
        match int(rng.integers(3)):
            case 0:
                content[at] = int(rng.integers(256))
            case 1:
                del content[at : at + int(rng.integers(1, 8))]
            case _:
                content[at:at] = rng.bytes(int(rng.integers(1, 6)))

    code = main(["models", "import", str(write(tmp_path, bytes(content))), "--output", str(tmp_path / "out")])

    shown = capfd.readouterr().err
    assert (code, shown.count("\n")) in {(Exit.OK, 0), (Exit.MODEL, 1)}, shown
