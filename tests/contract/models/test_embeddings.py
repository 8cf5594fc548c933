"""Embeddings: from the graph to the message within a byte budget, compared by their cosine in every agreement."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest

from contract.models.test_import_of_every_family import UNIT, run_original
from support import models, strangers
from vigie import open_model
from vigie.contracts.detections import Detection
from vigie.errors import CardError, ModelUnrecognisedError
from vigie.models import load_bundle
from vigie.models.reference import read_reference
from vigie.runtimes.parity import judge
from vigie.vision.decoders import decoder_of
from vigie.vision.decoding import DecoderFacts
from vigie.vision.embeddings import embedding_likeness, from_text, to_text
from vigie_devkit.models import import_model
from vigie_devkit.models.evidence.spelling import input_fields
from vigie_devkit.models.pictures import scene

FEED = input_fields("rgb/0..1")
UNIT_LENGTH = partial(strangers.numbers, 128, end="LpNormalization")


@pytest.mark.parametrize("unit", [True, False], ids=["of-length-1", "of-any-length"])
def test_an_embedding_reaches_the_message_and_the_library(tmp_path: Path, unit: bool) -> None:
    file = models.save(UNIT_LENGTH() if unit else strangers.numbers(128), tmp_path)
    folder = import_model(file, tmp_path / "b", feed=FEED, family=None if unit else "embedding")
    card = load_bundle(folder).card
    assert (card.task, card.decoder.family, card.labels) == ("embedding", "embedding", ("embedding",))
    frame = scene((card.input.height, card.input.width), seed=3)  # the tensor's own size: nothing is scaled
    (expected,) = run_original(file, frame, UNIT, ["out"])
    with open_model(folder) as model:
        found = model(frame)
    assert found.embeddings is not None
    assert found.embeddings[0] == pytest.approx(expected[0] / np.linalg.norm(expected[0]), abs=1e-5)
    (one,) = found
    assert one.embedding is not None
    assert from_text(one.embedding) == pytest.approx(found.embeddings[0], abs=5e-4)


def test_without_a_word_on_pixels_it_is_refused_with_the_choice(tmp_path: Path) -> None:
    with pytest.raises(ModelUnrecognisedError, match=r"looks like embedding .*pass --input rgb/imagenet or"):
        import_model(models.save(UNIT_LENGTH(), tmp_path), tmp_path / "b")


def test_the_longest_embedding_fits_its_budget_and_a_longer_one_is_refused() -> None:
    longest = np.full(2048, 2048**-0.5, np.float32)
    assert len(to_text(longest)) <= 5464
    with pytest.raises(CardError, match="2 to 2048 numbers"):
        decoder_of("embedding", {}, DecoderFacts("m", (64, 64), 1, ((1, 2049),)))


def test_numbers_that_point_nowhere_are_no_embedding() -> None:
    decoder = decoder_of("embedding", {}, DecoderFacts("m", (64, 64), 1, ((1, 4),)))
    for values in ([0, 0, 0, 0], [np.nan, 1, 1, 1], [np.inf, 1, 1, 1]):
        assert len(decoder([np.array([values], np.float32)], score_min=0.0, iou_max=1.0)) == 0
    assert len(decoder([np.array([[3, 0, 4, 0]], np.float32)], score_min=0.4, iou_max=0.45)) == 1


def test_messages_of_other_models_carry_none() -> None:
    plain = Detection("bolt", 0, 0.5, (0.0, 0.0, 1.0, 1.0))
    assert b"embedding" not in msgspec.json.encode(plain)


def test_text_that_is_not_an_embedding_is_an_error() -> None:
    for text in ("?", "AAAA"):
        with pytest.raises(ValueError):  # noqa: PT011  # two libraries, two texts
            from_text(text)


def test_likeness_is_a_half_at_a_cosine_of_nine_tenths() -> None:
    one = np.array([[1.0, 0.0]], np.float32)
    others = np.array([[1.0, 0.0], [0.9, 0.19**0.5], [0.7, 0.51**0.5], [-1.0, 0.0]], np.float32)
    assert embedding_likeness(one, others)[0] == pytest.approx([1.0, 0.5, 0.0, 0.0], abs=1e-5)


def test_parity_refuses_a_variant_whose_embeddings_turned_away(tmp_path: Path) -> None:
    bundle = load_bundle(import_model(models.save(UNIT_LENGTH(), tmp_path), tmp_path / "b", feed=FEED))
    pairs = [(pair.tensor_hwc, pair.outputs) for pair in read_reference(bundle)]
    answers = {pair[0].tobytes(): pair[1] for pair in pairs}
    empty = [np.zeros_like(output) for output in pairs[0][1]]
    rng = np.random.default_rng(5)
    noise = {size: rng.normal(0, size / 128**0.5, 128).astype(np.float32) for size in (0.05, 1.0)}

    def turned(tensor: np.ndarray, size: float) -> list[np.ndarray]:
        return [output + noise[size] for output in answers.get(tensor.tobytes(), empty)]

    assert judge(bundle.card, partial(turned, size=0.05), pairs).passed
    assert not judge(bundle.card, partial(turned, size=1.0), pairs).passed
