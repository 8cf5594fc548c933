"""What the runtimes themselves see, asked in a child process: a driver that crashes or hangs costs only the answer."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from vigie.runtimes.hardware.report import EpDevice, RuntimeAnswers
from vigie.runtimes.runtime_libraries import first_line, import_onnxruntime, import_openvino, plugin_devices

TIMEOUT_S = 60.0


def ask_runtimes(timeout_s: float = TIMEOUT_S) -> RuntimeAnswers:
    """The devices that ONNX Runtime, its plugins and OpenVINO list; never raises, what failed is in the answer."""
    command = [sys.executable, "-m", "vigie.runtimes.hardware.ask"]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return RuntimeAnswers(failed={"runtimes": f"gave no answer in {timeout_s:g} s: a driver hangs"})
    try:
        # Drivers print to stdout as they like; the answer is the last line.
        return msgspec.json.decode(ran.stdout.splitlines()[-1], type=RuntimeAnswers)
    except (IndexError, msgspec.DecodeError):
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        return RuntimeAnswers(
            failed={"runtimes": f"ended with code {ran.returncode}: {said[-1][:200] if said else 'no words'}"}
        )


def answer() -> RuntimeAnswers:
    """The same, in this process."""
    devices: list[EpDevice] = []
    failed: dict[str, str] = {}
    for name, asked in (("onnxruntime", _onnxruntime), ("openvino", _openvino)):
        try:
            devices += asked(failed)
        except ImportError:
            continue
        except Exception as error:  # whatever a driver raises is the answer
            failed[name] = first_line(error)
    return RuntimeAnswers(tuple(devices), failed)


def _onnxruntime(failed: dict[str, str]) -> list[EpDevice]:
    from vigie.runtimes.providers import TABLE

    runtime = import_onnxruntime()
    # Azure's provider calls a cloud endpoint: it runs no model here.
    built_in = [name for name in runtime.get_available_providers() if name != "AzureExecutionProvider"]
    found = [EpDevice("onnxruntime", name, "", "") for name in built_in]
    if not hasattr(runtime, "get_ep_devices"):  # before 1.22
        return found
    for row in {row.ep: row for row in TABLE.values() if row.way == "plugin"}.values():
        try:
            for device in plugin_devices(runtime, row.plugin_module, row.ep):
                kind = str(device.device.type).rpartition(".")[2]
                found.append(EpDevice("onnxruntime", row.ep, kind, device.ep_vendor, device.device.vendor))
        except ImportError:
            continue
        except Exception as error:  # ONNX Runtime's own classes share no base
            failed[row.ep] = first_line(error)
    return found


def _openvino(failed: dict[str, str]) -> list[EpDevice]:
    core = import_openvino().Core()
    found = []
    for name in core.available_devices:
        try:
            found.append(EpDevice("openvino", "OpenVINO", name, "", str(core.get_property(name, "FULL_DEVICE_NAME"))))
        except Exception as error:  # a device may be listed and refuse to speak
            failed[f"openvino:{name}"] = first_line(error)
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(answer()) + b"\n")
