"""What the runtimes themselves see, each asked in a child process: a driver that crashes or hangs costs one answer."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

import msgspec

from vigie.runtimes.hardware.report import EpDevice, Installed, RuntimeAnswers
from vigie.runtimes.providers import TABLE
from vigie.runtimes.runtime_libraries import (
    first_line,
    import_litert,
    import_onnxruntime,
    import_openvino,
    plugin_devices,
)

TIMEOUT_S = 60.0
# Not by -m: the package has imported this file by then, and Python warns of that on stderr.
_CHILD = "import sys; from vigie.runtimes.hardware import ask; ask.main(sys.argv[1])"


def ask_runtimes(packages: Sequence[Installed], timeout_s: float = TIMEOUT_S) -> RuntimeAnswers:
    """The devices that the runtimes of ``packages`` list; never raises, what failed is in the answer."""
    devices: list[EpDevice] = []
    failed: dict[str, str] = {}
    late: list[str] = []
    for name in parts(packages):
        if "onnxruntime" in failed and name not in _ASKED:
            continue  # a plugin of a runtime that does not load
        found = _ask(name, timeout_s)
        devices += found.devices
        failed |= found.failed
        late += found.late
    return RuntimeAnswers(tuple(devices), failed, tuple(late))


def parts(packages: Sequence[Installed]) -> list[str]:
    """What can be asked by itself: runtimes by their engine's name, then plugin providers by ONNX Runtime's name."""
    here = {package.name for package in packages}
    rows = [row for row in TABLE.values() if any(package.name in here for package in row.packages)]
    runtimes = [row.engine for row in rows if row.way != "plugin"]
    return list(dict.fromkeys([*runtimes, *(row.ep for row in rows if row.way == "plugin")]))


def _ask(name: str, timeout_s: float) -> RuntimeAnswers:
    command = [sys.executable, "-c", _CHILD, name]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        reason = f"gave no answer in {timeout_s:g} s: a driver hangs, or the machine is busy"
        return RuntimeAnswers(failed={name: reason}, late=(name,))
    try:
        # Drivers print to stdout as they like; the answer is the last line.
        return msgspec.json.decode(ran.stdout.splitlines()[-1], type=RuntimeAnswers)
    except (IndexError, msgspec.DecodeError):
        last = ran.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return RuntimeAnswers(failed={name: ": ".join([_ending(ran.returncode), *(line[:200] for line in last)])})


def _ending(code: int) -> str:
    """How a process ended, by its exit code; a signal by its name."""
    if code >= 0:
        return f"ended with code {code}"
    known = {one.value: one.name for one in signal.Signals}
    return f"ended by {known.get(-code, f'signal {-code}')}"


def answer(name: str) -> RuntimeAnswers:
    """The same of one part, in this process."""
    failed: dict[str, str] = {}
    try:
        return RuntimeAnswers(tuple(_ASKED.get(name, _plugin)(name, failed)), failed)
    except ImportError as error:
        return RuntimeAnswers(failed={name: f"cannot be imported: {first_line(error)}"})
    except Exception as error:  # whatever a driver raises is the answer
        return RuntimeAnswers(failed={name: first_line(error)})


def main(name: str) -> None:
    """The child: its answer is the last line of stdout."""
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(answer(name)) + b"\n")


def _onnxruntime(name: str, _failed: dict[str, str]) -> list[EpDevice]:
    # Azure's provider calls a cloud endpoint: it runs no model here.
    built_in = [one for one in import_onnxruntime().get_available_providers() if one != "AzureExecutionProvider"]
    return [EpDevice(name, one, "", "") for one in built_in]


def _plugin(name: str, _failed: dict[str, str]) -> list[EpDevice]:
    runtime = import_onnxruntime()
    module = next(row.plugin_module for row in TABLE.values() if row.ep == name and row.way == "plugin")
    found = []
    for device in plugin_devices(runtime, module, name):
        kind = str(device.device.type).rpartition(".")[2]
        found.append(EpDevice("onnxruntime", name, kind, device.ep_vendor, device.device.vendor))
    return found


def _openvino(name: str, failed: dict[str, str]) -> list[EpDevice]:
    core = import_openvino().Core()
    found = []
    for device in core.available_devices:
        try:
            full = str(core.get_property(device, "FULL_DEVICE_NAME"))
            found.append(EpDevice(name, "OpenVINO", device, "", full))
        except Exception as error:  # a device may be listed and refuse to speak
            failed[f"openvino:{device}"] = first_line(error)
    return found


def _litert(name: str, _failed: dict[str, str]) -> list[EpDevice]:
    import_litert()
    return [EpDevice(name, "LiteRT", "CPU", "")]


_ASKED: dict[str, Callable[[str, dict[str, str]], list[EpDevice]]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "litert": _litert,
}
