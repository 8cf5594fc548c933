"""What needs PyTorch: assignment, loss, the exported graph, repeatability, a bundle from a folder of pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch (training extra)")

from vigie.contracts.samples import MANIFEST, Sample  # noqa: E402  # after the skip, as the rest
from vigie.errors import DatasetError  # noqa: E402
from vigie.models import load_bundle  # noqa: E402
from vigie.runtimes.engines.reference_run import run_reference  # noqa: E402
from vigie_devkit.cli import main  # noqa: E402
from vigie_devkit.train.dataset import Dataset  # noqa: E402
from vigie_devkit.train.evening import REACH_MIN, even_channels  # noqa: E402
from vigie_devkit.train.export import INPUT, OUTPUT, to_onnx  # noqa: E402
from vigie_devkit.train.loop import Progress, train  # noqa: E402
from vigie_devkit.train.loss import Targets, assign, detection_loss, generalised_iou, iou  # noqa: E402
from vigie_devkit.train.network import Detector, cells, decode_boxes  # noqa: E402
from vigie_devkit.train.pipeline import train_bundle  # noqa: E402
from vigie_devkit.train.recipe import TrainingRecipe  # noqa: E402
from vigie_devkit.train.request import training_request  # noqa: E402

SIZE = (64, 96)


def squares(count: int, seed: int = 1) -> Dataset:
    """Bright squares (class 0) and dark ones (class 1) on grey: the least that can be learned."""
    chance = np.random.default_rng(seed)
    images = chance.integers(100, 120, (count, *SIZE, 3), np.uint8)
    boxes, labels = [], []
    for number in range(count):
        side = int(chance.integers(16, 33))
        x, y = int(chance.integers(0, SIZE[1] - side)), int(chance.integers(0, SIZE[0] - side))
        kind = int(chance.integers(0, 2))
        images[number, y : y + side, x : x + side] = (230, 20)[kind]
        boxes.append(np.array([[x, y, x + side, y + side]], np.float32))
        labels.append(np.array([kind], np.int64))
    return Dataset(images, boxes, labels, [np.zeros(1, bool) for _ in range(count)])


def targets(*rows: tuple[int, int, float, float, float, float]) -> Targets:
    """One image; a row is kind, label, box."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(1, -1, 6)
    return Targets(table[..., 2:], table[..., 1].long(), table[..., 0].long())


def perfect(goals: Targets, classes: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Raw outputs whose every cell says the first object's box, with its place and stride."""
    corners, strides = cells(SIZE)
    box = goals.boxes[0, 0]
    centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    raw = torch.zeros((1, len(corners), 5 + classes))
    raw[0, :, :2] = (centre - corners) / strides
    raw[0, :, 2:4] = (size / strides).log()
    return raw, corners, strides


def test_boxes_that_were_encoded_decode_to_themselves() -> None:
    goals = targets((1, 0, 10, 12, 50, 44))
    raw, corners, strides = perfect(goals)
    np.testing.assert_allclose(
        decode_boxes(raw[..., :4], corners, strides)[0], goals.boxes[0].expand(len(corners), 4), atol=1e-3
    )


def test_cells_answer_for_the_object_they_lie_in() -> None:
    goals = targets((1, 0, 8, 8, 40, 40), (1, 1, 56, 8, 88, 40), (0, 0, 0, 0, 0, 0))
    raw, corners, strides = perfect(goals)
    raw[..., :4] = 0  # no box fits yet: place alone decides
    boxes = decode_boxes(raw[..., :4], corners, strides)
    chosen, quality = assign(raw, boxes, goals, corners, strides)
    centres = corners + strides / 2
    for number in (0, 1):
        mine = centres[chosen[0] == number]
        left, top, right, bottom = goals.boxes[0, number]
        assert 1 <= len(mine) <= 9
        assert ((mine[:, 0] > left) & (mine[:, 0] < right) & (mine[:, 1] > top) & (mine[:, 1] < bottom)).all()
    assert set(chosen[0].tolist()) == {-1, 0, 1}
    assert ((quality > 0) == (chosen >= 0)).all()


def test_an_object_smaller_than_a_cell_still_has_one() -> None:
    goals = targets((1, 0, 30, 30, 33, 33))
    raw, corners, strides = perfect(goals)
    chosen, _ = assign(raw, decode_boxes(raw[..., :4], corners, strides), goals, corners, strides)
    assert (chosen[0] == 0).any()


def test_a_picture_without_objects_asks_for_nothing() -> None:
    goals = targets((0, 0, 0, 0, 0, 0))
    raw, corners, strides = perfect(targets((1, 0, 8, 8, 40, 40)))
    loss, parts = detection_loss(raw, goals, corners, strides)
    assert set(parts) == {"objectness"}
    assert torch.isfinite(loss)


def test_cells_of_a_hidden_object_learn_nothing() -> None:
    hidden, seen = targets((-1, 0, 8, 8, 40, 40)), targets((0, 0, 0, 0, 0, 0))
    raw, corners, strides = perfect(targets((1, 0, 8, 8, 40, 40)))
    raw.requires_grad_()
    detection_loss(raw, hidden, corners, strides)[0].backward()
    inside = ((corners + strides / 2 > 8) & (corners + strides / 2 < 40)).all(dim=1)
    assert (raw.grad[0, inside] == 0).all()
    raw.grad = None
    detection_loss(raw, seen, corners, strides)[0].backward()
    assert (raw.grad[0, inside, 4] > 0).all()


@pytest.mark.parametrize(("side", "asked"), [(48.0, 0.90), (24.0, 0.90), (12.0, 0.90**0.5), (4.0, 0.90**0.4)])
def test_the_score_asked_of_a_small_object_is_raised_by_what_a_pixel_costs_it(side: float, asked: float) -> None:
    corners, strides = cells((64, 64))
    truth = torch.tensor([[8.0, 8, 8 + side, 8 + side]])
    raw = torch.zeros(1, len(corners), 7)
    boxes = truth.expand(1, len(corners), 4).clone()
    boxes[..., 2] -= 0.1 * side  # an overlap of 0.9, whatever its size
    targets = Targets(truth[None], torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, dtype=torch.long))
    _, quality = assign(raw, boxes, targets, corners, strides)
    assert quality.max() == pytest.approx(asked, abs=1e-4)


def test_overlap_is_as_worked_out_by_hand() -> None:
    first, second = torch.tensor([[0.0, 0, 4, 4], [0, 0, 1, 1]]), torch.tensor([[2.0, 0, 6, 4], [2, 0, 3, 1]])
    # 8 of 24; hull 24. Apart: hull 3, of which 1 is covered by neither.
    np.testing.assert_allclose(iou(first, second), [1 / 3, 0], atol=1e-6)
    np.testing.assert_allclose(generalised_iou(first, second), [1 / 3, -1 / 3], atol=1e-6)


def test_evened_channels_reach_equally_far_and_answer_as_before() -> None:
    torch.manual_seed(4)
    network = Detector(2).eval()
    images = np.random.default_rng(4).integers(0, 256, (6, *SIZE, 3), np.uint8)
    seen: list[torch.Tensor] = []
    network.parts["h8"].register_forward_hook(lambda _module, _inputs, values: seen.append(values))
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2)
    with torch.no_grad():
        before = network(tensor)
        even_channels(network, images)
        seen.clear()
        after = network(tensor)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)
    reach = seen[0].amax(dim=(0, 2, 3))
    raised = reach > 0.99 * reach.max()
    assert raised.sum() > len(reach) / 2


def test_a_channel_that_is_silent_is_raised_twenty_times_at_most() -> None:
    network = Detector(2).eval()
    normalisation = network.parts["h16"][1]
    with torch.no_grad():
        normalisation.bias[3] = -100.0  # below zero on every picture
    even_channels(network, np.full((2, *SIZE, 3), 90, np.uint8))
    assert float(normalisation.bias[3].detach()) == pytest.approx(-100.0 / REACH_MIN)
    assert float(normalisation.weight.detach().max()) <= 1.001 / REACH_MIN


def test_the_loss_falls_on_a_tiny_set() -> None:
    said: list[Progress] = []
    train(squares(16), 2, TrainingRecipe(epochs=12, batch=8, seed=3), said.append)
    first, last = (sum(one.loss.values()) for one in (said[0], said[-1]))
    assert [one.epoch for one in said] == list(range(1, 13))
    assert last < 0.7 * first


def test_the_loss_falls_on_cuts() -> None:
    said: list[Progress] = []
    train(squares(16), 2, TrainingRecipe(epochs=24, cut_px=64, seed=3), said.append)
    assert sum(said[-1].loss.values()) < 0.7 * sum(said[0].loss.values())


def test_training_is_repeatable_under_a_seed() -> None:
    weights = [
        train(squares(8), 2, TrainingRecipe(epochs=2, batch=4, seed=seed), lambda _p: None).state_dict()
        for seed in (5, 5, 6)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert any(not torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def test_fewer_pictures_than_a_batch_are_trained_on() -> None:
    said: list[Progress] = []
    train(squares(3), 2, TrainingRecipe(epochs=1, batch=16), said.append)
    assert said[0].loss["objectness"] > 0


def test_the_exported_graph_answers_as_the_module() -> None:
    network: Detector = train(squares(8), 2, TrainingRecipe(epochs=2, batch=4), lambda _p: None)
    picture = np.random.default_rng(2).integers(0, 256, (1, 3, *SIZE)).astype(np.float32)
    with torch.no_grad():
        raw = network(torch.from_numpy(picture)).numpy()
    wanted = np.concatenate([raw[..., :4], 1 / (1 + np.exp(-raw[..., 4:]))], axis=2)
    model = to_onnx(network, SIZE, ["bright", "dark"]).SerializeToString()
    np.testing.assert_allclose(run_reference(model, {INPUT: picture}, name="trained")[OUTPUT], wanted, atol=1e-4)


def folder_of_squares(folder: Path, count: int) -> Path:
    data = squares(count)
    for number in range(count):
        for sub in ("images", "labels"):
            (folder / sub).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"images/{number:03}.png"), data.images[number])
        x1, y1, x2, y2 = data.boxes_xyxy[number][0] / np.array([SIZE[1], SIZE[0]] * 2)
        row = f"{data.class_ids[number][0]} {(x1 + x2) / 2} {(y1 + y2) / 2} {x2 - x1} {y2 - y1}\n"
        (folder / f"labels/{number:03}.txt").write_text(row)
    (folder / "classes.txt").write_text("bright\ndark\n")
    return folder


def test_a_folder_of_pictures_becomes_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of_squares(tmp_path / "my squares", 20)
    words = ["--data", str(folder), "--output", str(tmp_path / "out"), "--epochs", "1", "--size", "64x96"]
    assert main(["models", "train", *words]) == 0

    shown = capsys.readouterr()
    bundle = load_bundle(tmp_path / "out/my-squares")
    assert (bundle.card.labels, bundle.card.licence, bundle.card.task) == (("bright", "dark"), "unknown", "detection")
    metrics = [one.metric for one in bundle.card.variants["fp32"].evidence]
    assert metrics == [
        "training minutes", "training CPU minutes", "mAP50, held-back pictures", "mAP50-95, held-back pictures",
    ]  # fmt: skip
    assert "reading 20 pictures" in shown.err
    assert "epoch 1/1: box" in shown.err
    assert f"next       ./vigie up --model {tmp_path / 'out/my-squares'}" in shown.out


def test_a_handful_of_pictures_is_refused(tmp_path: Path) -> None:
    wanted = training_request(tmp_path / "out", folder=folder_of_squares(tmp_path / "few", 4), size_hw=SIZE)
    with pytest.raises(DatasetError, match="has 4 pictures; training needs 10, better hundreds"):
        train_bundle(wanted, lambda _line: None)


def test_rendered_pictures_become_a_bundle_with_its_figures(tmp_path: Path) -> None:
    said: list[str] = []
    folder = train_bundle(training_request(tmp_path, pictures=12, epochs=1, size_hw=(96, 128)), said.append)
    card = load_bundle(folder).card
    assert (folder.name, card.licence, card.input.align) == ("conveyor-parts", "MIT", "top_left")
    assert "rendered pictures only" in card.limits
    assert "synthetic://conveyor" in card.intended_use
    evidence = {one.metric: one.value for one in card.variants["fp32"].evidence}
    assert evidence["training CPU minutes"] > 0
    assert list(evidence)[2::2] == ["mAP50, normal scenes", "mAP50, hard split"]


def sampled_squares(folder: Path, count: int) -> Path:
    """The same pictures as a device samples them, with labels beside."""
    folder_of_squares(folder, count)
    lines = []
    for file in sorted((folder / "images").iterdir()):
        sample = Sample(
            picture=f"images/{file.name}",
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            camera="dock-1",
            trace="0" * 32,
            captured_at="2026-11-28T10:00:00Z",
            frame_hw=SIZE,
            model="squares 1",
            reasons=("random",),
        )
        lines.append(msgspec.json.encode(sample).decode())
        label = folder / "labels/images" / file.with_suffix(".txt").name
        label.parent.mkdir(exist_ok=True)
        (folder / "labels" / label.name).rename(label)
    (folder / MANIFEST).write_text("\n".join(lines))
    return folder


def test_labelled_samples_go_on_from_a_bundle_and_keep_its_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--output", str(tmp_path), "--epochs", "1", "--size", "64x96", "--threads", "1"]
    own = folder_of_squares(tmp_path / "own", 12)
    (own / "classes.txt").write_text("bright\ndark\nround\n")
    assert main(["models", "train", "--data", str(own), "--name", "first", "--from", "none", *words]) == 0
    samples = sampled_squares(tmp_path / "sampled", 14)
    kept = tmp_path / "epochs"
    again = ["--from-samples", str(samples), "--from", str(tmp_path / "first"), "--checkpoints", str(kept)]
    assert main(["models", "train", *again, "--name", "second", *words]) == 0

    said = capsys.readouterr().err
    assert load_bundle(tmp_path / "second").card.labels == ("bright", "dark", "round")
    assert "reading 14 pictures" in said
    assert "1 epochs, from the weights of first" in said
    assert "no picture to train on shows: round" in said
    assert [file.name for file in kept.iterdir()] == ["epoch-001.onnx"]
    file, imported = str(kept / "epoch-001.onnx"), str(tmp_path / "imported")
    assert main(["models", "import", file, "--family", "yolox", "--trust", "--output", imported]) == 0
