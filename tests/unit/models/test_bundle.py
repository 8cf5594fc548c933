"""Loading a bundle folder that nobody has vouched for."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from support.models import make_card
from vigie.errors import BundleError, BundleIntegrityError, BundlePathError, BundleSizeError, CardError
from vigie.models import load_bundle
from vigie.models.bundle import CARD_FILE
from vigie.models.card import Card, CardOutput, Reference, write_card
from vigie.models.reference import ReferencePair, read_reference, write_reference
from vigie.models.store import BundleStore

MODEL = b"not really a model, but with a checksum"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_bundle(folder: Path, *, file: str = "fp32.onnx", content: bytes = MODEL, **facts: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    card = make_card("yolox", [(1, 84, 8)])
    variant = msgspec.structs.replace(card.variants["fp32"], file=file, **{"sha256": sha256(MODEL), **facts})
    write(folder, msgspec.structs.replace(card, variants={"fp32": variant}))
    if file == "fp32.onnx":
        (folder / file).write_bytes(content)
    return folder


def write(folder: Path, card: Card) -> None:
    (folder / CARD_FILE).write_bytes(write_card(card))


def test_a_whole_bundle_loads_by_folder_and_by_card(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b")
    bundle = load_bundle(folder)
    assert load_bundle(folder / CARD_FILE) == bundle
    assert bundle.variants == ("fp32",)
    assert bundle.variant().file == folder / "fp32.onnx"
    assert bundle.variant("fp32").precision == "fp32"
    assert bundle.digest == sha256((folder / CARD_FILE).read_bytes())


def test_a_variant_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has no variant 'int8'; it has fp32"):
        load_bundle(make_bundle(tmp_path / "b")).variant("int8")


def test_a_changed_file_is_refused_with_both_hashes(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", content=MODEL + b"!")
    with pytest.raises(BundleIntegrityError) as refused:
        load_bundle(folder)
    assert str(refused.value) == (
        f"model bundle '{folder}': fp32.onnx: sha256 is {sha256(MODEL + b'!')[:12]}.., card.yaml says "
        f"{sha256(MODEL)[:12]}..; the file was changed or the copy broke: fetch or import the model again"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../secret", "names '../secret', which lies outside the bundle"),
        ("/etc/passwd", "names '/etc/passwd', which lies outside the bundle"),
        ("a/../../secret", "which lies outside the bundle"),
        ("..\\secret", "which lies outside the bundle"),
        ("link", "link goes through a link; a bundle holds plain files only"),
        ("up/secret", "up/secret goes through a link"),
        ("pipe", "pipe is not a regular file"),
        ("inner", "inner is not a regular file"),
    ],
)
def test_a_file_outside_the_folder_is_never_opened(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "secret").write_bytes(MODEL)
    folder = make_bundle(tmp_path / "b", file=name)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    (folder / "inner").mkdir()
    os.mkfifo(folder / "pipe")
    with pytest.raises(BundlePathError) as refused:
        load_bundle(folder)
    assert said in str(refused.value)


def test_a_card_behind_a_link_is_refused(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b")
    (folder / CARD_FILE).rename(tmp_path / "elsewhere.yaml")
    (folder / CARD_FILE).symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(BundlePathError):
        load_bundle(folder)


def test_a_missing_file_and_a_missing_folder_say_what_to_do(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b")
    (folder / "fp32.onnx").unlink()
    with pytest.raises(BundleError, match=r"lacks fp32\.onnx; import or fetch the model again"):
        load_bundle(folder)
    with pytest.raises(BundleError, match=r"is not a folder here; a bundle is a folder with card\.yaml"):
        load_bundle(tmp_path / "none")
    with pytest.raises(BundleError, match=r"lacks card\.yaml"):
        load_bundle(tmp_path)


def test_a_file_or_bundle_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_bundle(tmp_path / "b")
    monkeypatch.setattr("vigie.models.bundle.BUNDLE_BYTES_MAX", 10)
    with pytest.raises(BundleSizeError, match="holds more than"):
        load_bundle(folder)
    monkeypatch.setattr("vigie.models.bundle.MODEL_BYTES_MAX", 10)
    with pytest.raises(BundleSizeError, match=r"fp32\.onnx has 39 bytes, at most 10 are read"):
        load_bundle(folder)


def test_external_data_are_verified_too(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b", external_files={"weights.bin": sha256(b"weights")})
    (folder / "weights.bin").write_bytes(b"weights")
    load_bundle(folder)
    (folder / "weights.bin").write_bytes(b"weightz")
    with pytest.raises(BundleIntegrityError, match=r"weights\.bin: sha256"):
        load_bundle(folder)


def with_reference(folder: Path, content: bytes, *, samples: int = 1, outputs: int = 1) -> Path:
    make_bundle(folder)
    (folder / "reference.npz").write_bytes(content)
    card = load_bundle(folder).card
    reference = Reference(file="reference.npz", sha256=sha256(content), variant="fp32", samples=samples)
    shapes = tuple(CardOutput(name=f"o{index}", shape=(-1,)) for index in range(outputs))
    write(folder, msgspec.structs.replace(card, reference=reference, outputs=shapes))
    return folder


def pair(value: int, *outputs: Any) -> ReferencePair:
    return ReferencePair(np.full((64, 64, 3), value, np.uint8), list(outputs))


FIXED = [pair(7, np.arange(6, dtype=np.float32), np.zeros(2, np.int64)), pair(8, np.ones(6, np.float32), np.ones(2))]
OPEN = [pair(7, np.zeros((4, 6), np.float32), np.ones(2)), pair(8, np.ones((0, 6), np.float32), np.zeros(2))]


@pytest.mark.parametrize("pairs", [FIXED[:1], FIXED, OPEN], ids=["one", "many", "open-shape"])
def test_reference_frames_read_back(tmp_path: Path, pairs: list[ReferencePair]) -> None:
    write_reference(tmp_path / "r.npz", pairs)
    content = (tmp_path / "r.npz").read_bytes()
    read = read_reference(load_bundle(with_reference(tmp_path / "b", content, samples=len(pairs), outputs=2)))
    for had, wanted in zip(read, pairs, strict=True):
        assert np.array_equal(had.tensor_hwc, wanted.tensor_hwc)
        assert all(np.array_equal(left, right) for left, right in zip(had.outputs, wanted.outputs, strict=True))
        assert [array.shape for array in had.outputs] == [array.shape for array in wanted.outputs]


def test_the_single_pair_of_older_bundles_is_one_frame(tmp_path: Path) -> None:
    former = archive({"tensor": np.full((64, 64, 3), 7, np.uint8), "output_0": np.arange(6)})
    (read,) = read_reference(load_bundle(with_reference(tmp_path / "b", former)))
    assert read.tensor_hwc.shape == (64, 64, 3)
    assert np.array_equal(read.outputs[0], np.arange(6))


@pytest.mark.parametrize("pairs", [[], [pair(7), pair(8, np.zeros(3))]], ids=["none", "unlike"])
def test_frames_that_do_not_belong_together_are_not_written(tmp_path: Path, pairs: list[ReferencePair]) -> None:
    with pytest.raises(ValueError, match="expected at least one frame and all alike"):
        write_reference(tmp_path / "r.npz", pairs)


def archive(arrays: dict[str, Any], *, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=allow_pickle, **arrays)
    return buffer.getvalue()


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("input.npy", bytes(70 << 20))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bomb(), "unpacks to 73400320 bytes"),
        (b"nonsense", "holds no reference frames"),
        (archive({"input": np.array([{}], object)}, allow_pickle=True), "no reference frames: Object arrays cannot"),
        (archive({"other": np.zeros(3)}), "holds no reference frames"),
        (archive({"input": np.zeros((1, 2, 2, 3), np.uint8), "output_0": np.zeros((1, 3))}), "got (1, 2, 2, 3)"),
        (archive({"input": np.zeros((2, 64, 64, 3), np.uint8), "output_0": np.zeros((2, 3))}), "got (2, 64, 64, 3)"),
        (archive({"input": np.zeros((2, 64, 64, 3), np.uint8), "output_0": np.zeros((1, 3))}), "has 1 frames"),
        (archive({"input": np.zeros((1, 64, 64, 3), np.float32), "output_0": np.zeros((1, 3))}), "got (1, 64, 64, 3)"),
    ],
    ids=["bomb", "nonsense", "pickle", "no-input", "shape", "more-than-the-card-says", "fewer-outputs", "no-bytes"],
)
def test_a_reference_that_holds_no_plain_frames_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    bundle = load_bundle(with_reference(tmp_path / "b", content))
    with pytest.raises(BundleError) as refused:
        read_reference(bundle)
    assert said in str(refused.value)


def test_a_bundle_without_a_reference_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has no reference frames; import the model again"):
        read_reference(load_bundle(make_bundle(tmp_path / "b")))


def test_the_store_lists_the_broken_too_and_finds_by_name(tmp_path: Path) -> None:
    store = BundleStore(tmp_path)
    make_bundle(tmp_path / "good")
    make_bundle(tmp_path / ".half")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / CARD_FILE).write_text("x: 1")
    shelved = {item.folder.name: item for item in store.list()}
    assert sorted(shelved) == ["bad", "good"]
    assert shelved["good"].card is not None
    assert "unknown field" in shelved["bad"].refusal or "missing required" in shelved["bad"].refusal
    assert store.find("good") == tmp_path / "good"
    with pytest.raises(BundleError, match="bundles there: bad, good"):
        store.find("none")
    assert BundleStore(tmp_path / "nowhere").folders() == []


def test_a_refused_card_names_its_file(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "b")
    (folder / CARD_FILE).write_text("schema: vigie.card/1\n")
    with pytest.raises(CardError, match=r"b/card\.yaml"):
        load_bundle(folder)
