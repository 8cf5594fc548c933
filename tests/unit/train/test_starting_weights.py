"""Training that starts from trained weights: it begins where they left off, and says what cannot be started from."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch (training extra)")

from support.tiny_bundle import tiny_bundle  # noqa: E402  # after the skip, as the rest
from vigie.errors import DatasetError  # noqa: E402
from vigie.models import load_bundle  # noqa: E402
from vigie.runtimes import open_engine  # noqa: E402
from vigie.synthetic import LABELS  # noqa: E402
from vigie_devkit.train.dataset import Dataset, collect  # noqa: E402
from vigie_devkit.train.rendered import VALID_SEED, rendered_pictures  # noqa: E402
from vigie_devkit.train.starting_weights import read_start, start_network  # noqa: E402

SHIPPED = Path(__file__).parents[3] / "shared/models/conveyor-parts"


def scenes(count: int) -> Dataset:
    return collect(islice(rendered_pictures(VALID_SEED, hard=False), count), count, (480, 640))


def test_the_network_starts_with_the_answers_of_the_bundle() -> None:
    data = scenes(2)
    network = start_network(read_start(SHIPPED), list(LABELS), data).eval()
    with open_engine(load_bundle(SHIPPED), "fp32") as engine, torch.no_grad():
        wanted = engine.run(data.images[1])[0]
        raw = network(torch.from_numpy(data.images[1:2]).permute(0, 3, 1, 2).float()).numpy()
    got = np.concatenate([raw[..., :4], 1 / (1 + np.exp(-raw[..., 4:]))], axis=2)
    # Folding and unfolding in single precision: a ten-thousandth of a cell or of a score.
    np.testing.assert_allclose(got, wanted, atol=1e-3)
    assert wanted[..., 4].max() > 0.5  # there is something to agree about


def test_normalisation_answers_the_same_while_it_trains() -> None:
    """In training it normalises by the batch: with statistics not recovered, the first step would begin elsewhere."""
    data = scenes(4)
    network = start_network(read_start(SHIPPED), list(LABELS), data)
    images = torch.from_numpy(data.images).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        training = torch.sigmoid(network.train()(images)[..., 4])
        serving = torch.sigmoid(network.eval()(images)[..., 4])
    assert np.corrcoef(training.numpy().ravel(), serving.numpy().ravel())[0, 1] > 0.95


def test_known_classes_keep_their_rows_whatever_their_new_number() -> None:
    start = read_start(SHIPPED)
    network = start_network(start, ["sprocket", "nut"], scenes(1))
    weight, known = network.parts["cls8"].weight.detach().numpy(), start.weights["cls8_weight"]
    np.testing.assert_array_equal(weight[1], known[LABELS.index("nut")])
    assert not any(np.array_equal(weight[0], row) for row in known)


def test_a_bundle_of_another_network_is_refused(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny")
    with pytest.raises(DatasetError, match="is not a detector that `models train` made: layer stem1 is missing"):
        read_start(bundle.folder)
