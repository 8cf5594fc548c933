"""What the doctor says of the image that it runs in: which engine it is for, what is missing, and what to do."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from support.checkout import ROOT
from support.hardware_trees import INTEL, JETSON, QUALCOMM, RASPBERRY, lay_out
from vigie.models import load_bundle
from vigie.runtimes.choosing.candidates import candidates
from vigie.runtimes.choosing.purpose import purposes
from vigie.runtimes.doctor import diagnose, diagnosis_lines
from vigie.runtimes.hardware import HardwareReport, Installed, ProcessIdentity, probe
from vigie.runtimes.hardware.report import EpDevice, RuntimeAnswers
from vigie.runtimes.providers import TABLE
from vigie_devkit.images.catalogue import HARDWARE_KEYS, image_for
from vigie_devkit.images.locked import locked

SHIPPED = ROOT / "shared/models/conveyor-parts"


def in_image(root: Path, files: dict[str, str], key: str, *packages: str, machine: str = "") -> HardwareReport:
    """The report of a machine's ``files`` inside inference's image for ``key``."""
    bill = (ROOT / image_for("inference", key).sbom).read_text()
    return probe(
        lay_out(root, files | {"opt/vigie/sbom.cdx.json": bill}),
        machine=machine or ("aarch64" if key.startswith("arm64v8") else "x86_64"),
        identity=ProcessIdentity(0, frozenset()),
        packages=tuple(Installed(name, "1") for name in packages),
    )


@pytest.mark.parametrize("key", HARDWARE_KEYS)
def test_each_image_holds_a_package_of_the_engines_that_the_table_says_it_is_for(key: str) -> None:
    pinned = locked(image_for("inference", key))
    for row in TABLE.values():
        holds = any(package.name in pinned for package in row.packages) and row.platform == "linux"
        if row.id == "cpu":
            assert holds, key
        elif row.id == "tensorrt":  # its libraries come from the vendor's image, not by the lock
            assert (key in row.images) == (image_for("inference", key).vendor is not None)
        else:
            assert (key in row.images) == holds, f"{row.id} in {key}"


@pytest.mark.parametrize("key", HARDWARE_KEYS)
def test_the_bill_of_each_image_names_its_key(tmp_path: Path, key: str) -> None:
    report = in_image(tmp_path, {}, key)
    assert report.image is not None
    assert (report.image.name, report.image.key) == ("vigie-inference", key)
    assert purposes(report), "an image of inference is for something"


def test_on_its_hardware_an_image_can_do_what_it_is_for(tmp_path: Path) -> None:
    names = ("libcudart.so.12", "libcublas.so.12", "libcudnn.so.9", "libcuda.so.1")
    board = JETSON | {f"usr/lib/aarch64-linux-gnu/{name}": "" for name in names}
    (cuda,) = purposes(in_image(tmp_path / "jetson", board, "arm64v8-jetson", "onnxruntime-gpu"))
    assert (cuda.what, cuda.why_not, cuda.remedy) == ("cuda:GPU", "", "")
    board = QUALCOMM | {"usr/lib/libcdsprpc.so": "", "usr/lib/aarch64-linux-gnu/libatomic.so.1": ""}
    found = purposes(in_image(tmp_path / "qcom", board, "arm64v8-qnn", "onnxruntime", "onnxruntime-qnn"))
    assert [(one.what, one.why_not) for one in found] == [("qnn-htp:HTP", ""), ("qnn-gpu:GPU", "")]


def test_qnn_without_the_compilers_atomics_says_which_library_its_image_lacks(tmp_path: Path) -> None:
    board = QUALCOMM | {"usr/lib/libcdsprpc.so": ""}
    found = purposes(in_image(tmp_path, board, "arm64v8-qnn", "onnxruntime", "onnxruntime-qnn"))
    assert [(one.what, one.why_not) for one in found] == [
        ("qnn-htp:HTP", "no libatomic.so.1"),
        ("qnn-gpu:GPU", "no libatomic.so.1"),
    ]


def test_on_other_hardware_it_says_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    report = in_image(tmp_path, RASPBERRY, "arm64v8-qnn", "onnxruntime", "onnxruntime-qnn")
    text = "\n".join(diagnosis_lines(diagnose(None, report=report)))
    assert "this is the image vigie-inference 0.1.0 for arm64v8-qnn, made for:" in text
    assert "qnn-htp:HTP  Qualcomm HTP (Hexagon NPU) by QNN: not here: there is no Qualcomm HTP" in text
    assert "-> run it on a device that has one, and give the container its nodes (docs/deploy.md" in text


def test_litert_and_grpc_images_say_what_the_twin_has_to_name(tmp_path: Path) -> None:
    found = purposes(in_image(tmp_path / "a", RASPBERRY, "arm64v8-litert", "onnxruntime", "ai-edge-litert"))
    assert [(one.what, one.why_not) for one in found] == [
        ("litert:CPU", ""),
        ("litert-delegate:NPU", "needs a vendor's library"),
        ("litert-delegate:GPU", "needs a vendor's library"),
    ]
    cpu, server = purposes(in_image(tmp_path / "b", RASPBERRY, "arm64v8-grpc", "onnxruntime"))
    assert (cpu.what, cpu.why_not) == ("cpu:CPU", "")
    assert server.remedy == "name it: runtime.remote in the twin (docs/runtimes.md)"


def test_inside_an_image_another_image_is_named_and_nothing_is_to_be_installed(tmp_path: Path) -> None:
    report = in_image(tmp_path, INTEL, "amd64", "onnxruntime")
    _, rejected = candidates(report, load_bundle(SHIPPED).card)
    remedies = {one.key: one.remedy for one in rejected}
    assert remedies["openvino:CPU"] == "use the image for amd64-openvino"
    assert remedies["openvino-ep:CPU"] == "build an image of your own with onnxruntime-ep-openvino"
    assert [remedy for remedy in remedies.values() if remedy.startswith("install")] == []


def test_a_runtime_that_does_not_load_offers_nothing(tmp_path: Path) -> None:
    report = in_image(tmp_path, INTEL, "arm64v8", "onnxruntime")
    asked = RuntimeAnswers(failed={"onnxruntime": "ended by SIGSEGV"})
    tried, rejected = candidates(msgspec.structs.replace(report, asked=asked), load_bundle(SHIPPED).card)
    assert tried == []
    (cpu,) = [one for one in rejected if one.provider == "cpu"]
    assert cpu.reason == "onnxruntime does not load: ended by SIGSEGV"
    assert "bind an ARM /proc/cpuinfo" in cpu.remedy  # INTEL's processor under an ARM image


def test_a_runtime_that_does_not_load_is_no_reason_to_look_for_another_device(tmp_path: Path) -> None:
    report = in_image(tmp_path, RASPBERRY, "arm64v8-litert", "onnxruntime", "ai-edge-litert")
    asked = RuntimeAnswers(failed={"litert": "ended by SIGILL"})
    litert = purposes(msgspec.structs.replace(report, asked=asked))[0]
    assert (litert.why_not, litert.remedy) == ("litert does not load: ended by SIGILL", "")


def test_a_runtime_that_was_only_late_is_offered_all_the_same(tmp_path: Path) -> None:
    report = in_image(tmp_path, RASPBERRY, "arm64v8-litert", "onnxruntime", "ai-edge-litert")
    late = RuntimeAnswers(failed={"litert": "no answer", "onnxruntime": "no answer"}, late=("litert", "onnxruntime"))
    report = msgspec.structs.replace(report, asked=late)
    assert purposes(report)[0].why_not == ""
    assert candidates(report, load_bundle(SHIPPED).card)[0], "a busy machine takes no candidate away"


def test_a_plugin_that_does_not_load_takes_only_its_own_candidates(tmp_path: Path) -> None:
    board = QUALCOMM | {"usr/lib/libcdsprpc.so": "", "usr/lib/aarch64-linux-gnu/libatomic.so.1": ""}
    report = in_image(tmp_path, board, "arm64v8-qnn", "onnxruntime", "onnxruntime-qnn")
    seen = (EpDevice("onnxruntime", "CPUExecutionProvider", "", ""),)
    asked = RuntimeAnswers(seen, {"QNNExecutionProvider": "libQnnHtp.so: cannot open"})
    tried, rejected = candidates(msgspec.structs.replace(report, asked=asked), load_bundle(SHIPPED).card)
    assert {one.provider for one in tried} == {"cpu"}
    reasons = {one.key: (one.reason, one.remedy) for one in rejected}
    assert reasons["qnn-htp:HTP"] == ("QNNExecutionProvider does not load: libQnnHtp.so: cannot open", "")


def test_an_image_without_a_model_says_so(tmp_path: Path) -> None:
    bill = (ROOT / image_for("sync", "amd64").sbom).read_text()
    report = probe(lay_out(tmp_path, INTEL | {"opt/vigie/sbom.cdx.json": bill}), machine="x86_64", packages=())
    assert purposes(report) == ()
    text = "\n".join(diagnosis_lines(diagnose(None, report=report)))
    assert "this is the image vigie-sync 0.1.0 for amd64, made for:\n  work without a model" in text
