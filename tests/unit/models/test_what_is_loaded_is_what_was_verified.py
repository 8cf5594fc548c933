"""The bytes that a runtime loads are those whose sha256 the card states, and no other file is read with them."""

from __future__ import annotations

import gc
import hashlib
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from support.tiny_bundle import tiny_bundle
from vigie.errors import BundleError, BundleIntegrityError, BundlePathError, CardError
from vigie.models import Bundle, load_bundle
from vigie.models.archive import unpack_bundle
from vigie.models.bundle import CARD_FILE
from vigie.models.card import Card, CardVariant, Reference, read_card, write_card
from vigie.models.graph_files import MalformedGraphError, graph_files
from vigie.models.reference import read_reference
from vigie.runtimes import open_engine
from vigie.runtimes.candidate import cpu_candidate
from vigie.runtimes.measuring.measure import MeasurePlan, measure_once
from vigie.runtimes.measuring.measurement import Measured

BRIGHT = np.full((4, 6, 3), 200, np.uint8)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def change(bundle: Bundle, graph: onnx.ModelProto, **facts: Any) -> Bundle:
    """The bundle with another graph, consistent in itself."""
    content = graph.SerializeToString()
    (bundle.folder / "fp32.onnx").write_bytes(content)
    variant: CardVariant = msgspec.structs.replace(bundle.card.variants["fp32"], sha256=sha256(content), **facts)
    card: Card = msgspec.structs.replace(bundle.card, variants={"fp32": variant})
    (bundle.folder / CARD_FILE).write_bytes(write_card(card))
    return load_bundle(bundle.folder)


def external(bundle: Bundle, location: str) -> onnx.ModelProto:
    """Its graph with 0 added, from a file beside it."""
    graph = onnx.load_model_from_string((bundle.folder / "fp32.onnx").read_bytes())
    zeros = numpy_helper.from_array(np.zeros((1, 3), np.float32), "zeros")
    onnx.external_data_helper.set_external_data(zeros, location)
    zeros.ClearField("raw_data")
    zeros.data_location = TensorProto.EXTERNAL
    graph.graph.initializer.append(zeros)
    graph.graph.node[-1].output[0] = "mean"
    graph.graph.node.append(helper.make_node("Add", ["mean", "zeros"], ["out"]))
    return graph


def test_a_file_that_was_replaced_after_verification_is_not_opened_under_its_name(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    content = (bundle.folder / "fp32.onnx").read_bytes()
    (bundle.folder / "fp32.onnx").write_bytes(content.replace(b"ReduceMean", b"ReduceLogSum"[:10]))
    with pytest.raises(BundleIntegrityError, match=r"fp32\.onnx: sha256 is"):
        open_engine(bundle)


def test_a_bundle_that_was_replaced_as_a_whole_is_not_measured_as_the_former(tmp_path: Path) -> None:
    """Its new card fits its new file: only the digest tells."""
    bundle = tiny_bundle(tmp_path / "b")
    graph = onnx.load_model_from_string((bundle.folder / "fp32.onnx").read_bytes())
    graph.producer_name = "somebody else"
    change(bundle, graph)
    measured = measure_once(
        bundle, Measured(cpu_candidate("fp32", 1)), MeasurePlan(processes=1, runs=8), stop=lambda: False
    )
    assert measured.failure is not None
    assert "was replaced since it was verified" in measured.failure.reason


@pytest.mark.parametrize(
    ("location", "listed"), [("weights.bin", {}), ("./weights.bin", {"weights.bin"}), ("weights.bin", {"other.bin"})]
)
def test_data_files_that_card_and_graph_do_not_both_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, listed: set[str]
) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    for name in ("weights.bin", "other.bin"):
        (bundle.folder / name).write_bytes(bytes(12))
    monkeypatch.chdir(bundle.folder)  # ONNX Runtime looks there for data of a graph that it gets as bytes
    bundle = change(bundle, external(bundle, location), external_files={name: sha256(bytes(12)) for name in listed})
    with pytest.raises(BundleError, match=r"fp32\.onnx names the data files .*weights\.bin; the card lists"):
        open_engine(bundle)


def test_listed_data_files_are_loaded_from_the_verified_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    (bundle.folder / "weights.bin").write_bytes(bytes(12))
    bundle = change(bundle, external(bundle, "weights.bin"), external_files={"weights.bin": sha256(bytes(12))})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "weights.bin").write_bytes(np.full((1, 3), 1e6, np.float32).tobytes())
    monkeypatch.chdir(elsewhere)
    with open_engine(bundle) as engine:
        gc.collect()
        rubbish = [b"\xff" * 12 for _ in range(10_000)]  # takes the memory of whatever was let go too early
        assert rubbish
        assert engine.run(BRIGHT)[0].tolist() == [[200.0, 200.0, 200.0]]
    (bundle.folder / "weights.bin").write_bytes(b"\1" * 12)
    with pytest.raises(BundleIntegrityError, match=r"weights\.bin: sha256"):
        open_engine(bundle)


def test_compiled_parts_are_refused(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    graph = onnx.load_model_from_string((bundle.folder / "fp32.onnx").read_bytes())
    context = helper.make_node("EPContext", ["f"], ["x"], domain="com.microsoft", ep_cache_context="/etc/passwd")
    graph.graph.node.append(context)
    with pytest.raises(BundleError, match="holds parts compiled for one device"):
        open_engine(change(bundle, graph))


def test_external_data_are_found_wherever_a_tensor_can_stand() -> None:
    def tensor(location: str) -> TensorProto:
        made = numpy_helper.from_array(np.zeros(300, np.float32), location)
        onnx.external_data_helper.set_external_data(made, location)
        return made

    inner = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "inner", [], [], [tensor("subgraph")])
    function = helper.make_function(
        "own", "f", [], ["o"], [helper.make_node("Constant", [], ["o"], value=tensor("function"))], []
    )
    sparse = helper.make_sparse_tensor(tensor("values"), tensor("indices"), [300])
    graph = helper.make_graph(
        [
            helper.make_node("If", ["c"], ["d"], then_branch=inner, else_branch=inner),
            helper.make_node("Constant", [], ["e"], value=tensor("attribute")),
        ],
        "g",
        [],
        [],
        [tensor("initializer"), numpy_helper.from_array(np.zeros(300), "inside")],
        sparse_initializer=[sparse],
    )
    found = graph_files(helper.make_model(graph, functions=[function]).SerializeToString())
    assert found.locations == {"subgraph", "function", "values", "indices", "attribute", "initializer"}
    assert not found.contexts


@pytest.mark.parametrize(
    "cut", [b"\x3a\x05abc", b"\x3a", b"\x3b\x3c", b"\xff" * 11], ids=["short", "no", "group", "tag"]
)
def test_bytes_that_are_not_onnx_are_malformed(cut: bytes) -> None:
    with pytest.raises(MalformedGraphError):
        graph_files(cut)


def test_graphs_in_graphs_end_somewhere() -> None:
    content = b""
    for _ in range(100):
        attribute = b"\x32" + _length(content) + content
        node = b"\x2a" + _length(attribute) + attribute
        content = b"\x0a" + _length(node) + node
    with pytest.raises(MalformedGraphError, match="nested more than 64 deep"):
        graph_files(b"\x3a" + _length(content) + content)


def _length(content: bytes) -> bytes:
    count, out = len(content), b""
    while count > 0x7F:
        out += bytes([count & 0x7F | 0x80])
        count >>= 7
    return out + bytes([count])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"labels:\n" + b"- a\n" * 20_000, "is 80008 bytes, a card has at most 65536"),
        (b"labels:\n" + b"- a\n" * 200_000, "a card has at most 65536"),
        (b"a: " + b"[" * 1000 + b"]" * 1000, "nested more than 32 deep"),
        (b"a: &x [1]\nb: *x\n", "aliases"),
        (b"a: 2024-13-45\n", "is not plain YAML"),
        (b"a: !!python/object/apply:os.system ['true']\n", "is not plain YAML"),
        (b"? [1]\n: 2\n", "$"),
        (b"\xff\xfe\x00", "is not plain YAML"),
    ],
    ids=["large", "the 800 KB that took 105 s", "deep", "alias", "date", "tag", "key", "bytes"],
)
def test_a_hostile_card_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(CardError) as refused:
        read_card(text, where="card.yaml")
    assert said in str(refused.value)


def npy(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def npz(name: str, content: bytes, *, flags: int = 0, method: int = 0) -> bytes:
    """A zip whose one entry says of itself what is asked for."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr(name, content)
    made = bytearray(buffer.getvalue())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = made.index(mark) + at
        struct.pack_into("<HH", made, start, flags, method)
    return bytes(made)


HUGE = npy(b"{'descr': '|u1', 'fortran_order': False, 'shape': (4611686018427387904,), }\n")
DEEP = npy(b"(" * 4000 + b")" * 4000 + b"\n")


@pytest.mark.parametrize(
    "content",
    [
        npz("input.npy", HUGE),
        npz("input.npy", DEEP),
        npz("input.npy", npy(b"{'descr': ('x',) * 3, 'fortran_order': 1, 'shape': 'a'}\n")),
        npz("input.npy", npy(b"{'descr': [('a', 'V2', 3), 5], 'fortran_order': False, 'shape': (1,)}\n")),
        npz("input.npy", b"x", flags=1),
        npz("input.npy", b"x", method=99),
        npz("input.npy", b"\x93NUMPY\x07\x00"),
        npz("input", b"no array"),
    ],
    ids=["huge", "deep", "no-header", "odd-type", "encrypted", "method", "version", "raw"],
)
def test_a_hostile_reference_is_refused_whatever_its_reader_raises(tmp_path: Path, content: bytes) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    (bundle.folder / "reference.npz").write_bytes(content)
    reference = Reference(file="reference.npz", sha256=sha256(content), variant="fp32")
    card = msgspec.structs.replace(bundle.card, reference=reference)
    (bundle.folder / CARD_FILE).write_bytes(write_card(card))
    with pytest.raises(BundleError, match=r"reference\.npz"):
        read_reference(load_bundle(bundle.folder))


@pytest.mark.parametrize(
    "names", [["card.yaml", "a", "a/b"], ["card.yaml", "a/b", "a"], ["card.yaml", "card.yaml/x"]], ids=str
)
def test_an_archive_in_which_a_file_is_a_folder_is_refused(tmp_path: Path, names: list[str]) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name in names:
            packed.writestr(name, "x")
    (tmp_path / "into").mkdir()
    with pytest.raises((BundleError, BundlePathError)):
        unpack_bundle(tmp_path / "a.zip", tmp_path / "into", name="a.zip")


def test_an_archive_whose_entry_begins_before_the_file_is_refused(tmp_path: Path) -> None:
    """Found by fuzzing: zipfile seeks to a place before the file, and the system's refusal looked like the disk's."""
    archive, folder = tmp_path / "a.zip", tmp_path / "in"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a/card.yaml", "x" * 400)
    archive.write_bytes(archive.read_bytes()[1:])
    folder.mkdir()
    with pytest.raises(BundleError, match="names a file that cannot be"):
        unpack_bundle(archive, folder, name="a")
