"""What a bundle, a download or a person brings."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import yaml

from fuzz.registry import ROOT, Call, target
from support import models
from support.mutation import Mutations
from support.signing import signer, trust_file
from support.tiny_bundle import tiny_bundle


@target
def model_cards(folder: Path) -> tuple[Mutations, Call]:
    from vigie.errors import ModelError
    from vigie.models.card import read_card, write_card
    from vigie.vision.decoders import make_decoder

    cards = [tiny_bundle(folder / "tiny").folder / "card.yaml", *(ROOT / "shared/models").glob("*/card.yaml")]

    def call(data: bytes) -> None:
        with contextlib.suppress(ModelError):
            card = read_card(data, where="card.yaml")
            read_card(write_card(card), where="again")
            make_decoder(card)

    return Mutations([card.read_bytes() for card in cards]), call


@target
def signatures_and_trust(folder: Path) -> tuple[Mutations, Call]:
    from vigie.errors import ModelError
    from vigie.models import load_bundle
    from vigie.models.signed import SIGNATURE_FILE
    from vigie.models.trust import TrustFile, judge, read_trust

    acme = signer()
    bundle = tiny_bundle(folder / "tiny").folder
    acme.sign(bundle)
    valid = (bundle / SIGNATURE_FILE).read_bytes()
    trusted = TrustFile(require_signature=True, keys=(acme.trusted(),))
    file = trust_file(folder / "trust.json", acme.trusted())
    good = json.loads(valid)
    seeds = [valid, file.read_bytes()]
    loaded = load_bundle(bundle)

    def call(data: bytes) -> None:
        (bundle / SIGNATURE_FILE).write_bytes(data)
        with contextlib.suppress(ModelError):
            judge(loaded, trusted)
            same = json.loads(data)
            assert (same["signature"], same["key"]) == (good["signature"], good["key"]), "a forged signature was taken"
        file.write_bytes(data)
        with contextlib.suppress(ModelError):
            read_trust(file)

    return Mutations(seeds), call


@target
def archives(folder: Path) -> tuple[Mutations, Call]:
    from vigie.errors import VigieError
    from vigie.models.archive import unpack_bundle
    from vigie_devkit.models.shelf import export_bundle
    from vigie_devkit.models.unpack import unpacked

    bundle = tiny_bundle(folder / "tiny").folder
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.onnx", b"x" * 300)
        archive.writestr("labels.txt", "a\nb\n")
    seeds = [export_bundle(bundle, folder / "b.zip").read_bytes(), packed.getvalue()]
    file = folder / "fuzzed.zip"

    def call(data: bytes) -> None:
        file.write_bytes(data)
        with tempfile.TemporaryDirectory(dir=folder) as target_folder:
            inside = Path(target_folder) / "in"
            inside.mkdir()
            with contextlib.suppress(VigieError):
                unpack_bundle(file, inside, name="fuzzed")
            assert [path.name for path in Path(target_folder).iterdir()] == ["in"], "something lies outside"
        with contextlib.suppress(VigieError), unpacked(file):
            pass

    return Mutations(seeds), call


@target
def reference_frames(folder: Path) -> tuple[Mutations, Call]:
    import hashlib

    import numpy as np

    from vigie.errors import VigieError
    from vigie.models import load_bundle
    from vigie.models.card import Reference, write_card
    from vigie.models.reference import ReferencePair, read_reference, write_reference

    bundle = tiny_bundle(folder / "tiny")
    file = bundle.folder / "reference.npz"
    pair = ReferencePair(np.zeros((4, 6, 3), np.uint8), [np.zeros((1, 3), np.float32)])
    write_reference(file, [pair])

    def call(data: bytes) -> None:
        file.write_bytes(data)
        facts = Reference(file=file.name, sha256=hashlib.sha256(data).hexdigest(), variant=bundle.variants[0])
        (bundle.folder / "card.yaml").write_bytes(write_card(msgspec.structs.replace(bundle.card, reference=facts)))
        with contextlib.suppress(VigieError):
            read_reference(load_bundle(bundle.folder))

    return Mutations([file.read_bytes()]), call


@target
def onnx_files(folder: Path) -> tuple[Mutations, Call]:
    from vigie.errors import VigieError
    from vigie.models.graph_files import MalformedGraphError, graph_files
    from vigie_devkit.models.prepare import prepare
    from vigie_devkit.models.recognise import recognise

    seeds = [
        models.yolox((32, 32)).SerializeToString(),
        models.yolov8((32, 32), metadata=models.ultralytics_metadata()).SerializeToString(),
    ]
    file = folder / "fuzzed.onnx"

    def call(data: bytes) -> None:
        with contextlib.suppress(MalformedGraphError):
            graph_files(data)
        file.write_bytes(data)
        with contextlib.suppress(VigieError):
            recognise(prepare(file).signature)

    return Mutations(seeds), call


@target
def text_files_of_people(folder: Path) -> tuple[Mutations, Call]:
    from vigie.errors import VigieError
    from vigie_devkit.manifest.dotenv import read_dotenv
    from vigie_devkit.manifest.errors import ManifestError
    from vigie_devkit.models.catalogue import read_catalogue
    from vigie_devkit.models.given import read_given
    from vigie_devkit.models.labels import read_labels

    catalogue = {"url": "https://x.org/a.zip", "sha256": "0" * 64, "size_bytes": 9, "licence": "MIT"}
    feed = {"channels": "bgr", "align": "stretch", "mean": [0, 0, 0], "std": [1, 1, 1]}
    given = {"decoder": "yolox", "params": {"decoded": True}, "outputs": ["o"], "labels": ["cat"], "feed": feed}
    seeds = [
        b"person\ncar\n",
        b"names:\n  0: person\n  1: car\n",
        b"A=1\nexport B='x'\n",
        yaml.safe_dump({"schema": "vigie.catalogue/1", "models": {"a": catalogue}}).encode(),
        yaml.safe_dump(given).encode(),
    ]
    files = [folder / "x.txt", folder / "x.yaml"]

    def call(data: bytes) -> None:
        for file in files:
            file.write_bytes(data)
            for read in (read_labels, read_dotenv, read_catalogue, read_given):
                with contextlib.suppress(VigieError, ManifestError):
                    read(file)

    return Mutations(seeds), call


@target
def tflite_files(folder: Path) -> tuple[Mutations, Call]:
    """Up to the conversion: what LiteRT makes of a file is a process's own affair."""
    from ai_edge_litert import schema_py_generated as schema

    from support import tflite_graphs as graphs
    from support import tflite_models as twin
    from vigie.errors import VigieError
    from vigie_devkit.models.checks import check_model
    from vigie_devkit.models.tflite.convert import convert
    from vigie_devkit.models.tflite.flatbuffer import read_network
    from vigie_devkit.models.tflite.metadata import read_metadata

    seeds = [
        twin.as_tflite(twin.Weights.drawn(), int8=True, unit_boxes=True, int8_out=True),
        graphs.ssd(classes=2),
        graphs.Chain().classifier(weights_only=True),
    ]
    small = graphs.Case("CONV_2D", (np.ones((5, 3, 3, 3), np.float32), np.zeros(5, np.float32)), shapes=((1, 8, 6, 5),))
    # The small ones oftener: there an edit meets the structure, in the others weights.
    seeds += 5 * [graphs.as_file(graphs.Case("RELU")), graphs.as_file(small)]
    file = folder / "fuzzed.tflite"

    def call(data: bytes) -> None:
        read_metadata(data, 3)
        with contextlib.suppress(VigieError):
            network = read_network(file, data, schema)
            if network.inputs:
                check_model(file, convert(file, network).model)
                convert(file, network, apart=True)

    return Mutations(seeds), call
