"""Imports the runtimes with their telemetry off, and loads plugin providers once a process."""

from __future__ import annotations

import ctypes
import importlib
import os
import re
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : ")
_LINE_MAX = 500
_registered: dict[str, str] = {}
_registering = threading.Lock()


def import_onnxruntime() -> ModuleType:
    """ONNX Runtime without telemetry: the variable is read at import, so it must be set before.

    Without it an extra thread starts and a device id is kept below ~/.cache/Microsoft.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime  # type: ignore[no-any-return]  # onnxruntime ships no types


def import_openvino() -> ModuleType:
    """OpenVINO without telemetry: ``None`` in ``sys.modules`` makes it take its own stub in place of the sender,
    which would keep an id below ~/intel and report by HTTPS.

    Raises: ImportError: it is not installed.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # the import system's own sign
    import openvino

    return openvino  # type: ignore[no-any-return]  # not followed: it may not be installed


def import_litert() -> ModuleType:
    """LiteRT's interpreter. Raises: ImportError: it is not installed."""
    from ai_edge_litert import interpreter

    return interpreter  # type: ignore[no-any-return]  # it may not be installed


def plugin_devices(runtime: ModuleType, module: str, ep: str) -> list[Any]:
    """The ep-devices of the plugin provider ``ep``, whose package is ``module``; registered on first use.

    Raises: ImportError: the package is not installed. Any error of ONNX Runtime: the library does not load.
    """
    with _registering:
        if ep not in _registered:
            path = importlib.import_module(module).get_library_path()
            # Registered under its full name, which is then what placement and profiles call it.
            runtime.register_execution_provider_library(ep, path)
            _registered[ep] = path
    return [device for device in runtime.get_ep_devices() if device.ep_name == ep]


def load_from_packages(patterns: Sequence[str]) -> list[str]:
    """Load what pip's packages brought, so that a provider's library finds it: the loader does not look there.

    Args: patterns: below a folder of packages, in the order of loading (a library after those that it needs).
    Returns: the paths that were loaded; an empty result is fine, since the libraries may be the system's own.
    Raises: OSError: one that is there does not load.
    """
    folders = [Path(folder) for folder in sys.path if folder and Path(folder).is_dir()]
    loaded: list[str] = []
    for pattern in patterns:
        for path in (path for folder in folders for path in sorted(folder.glob(pattern))):
            ctypes.CDLL(str(path))
            loaded.append(str(path))
    return loaded


def unloadable(groups: Sequence[str]) -> list[str]:
    """Those of ``groups`` (``newest|older``) of which the loader finds no library, or none that loads."""
    return [group for group in groups if not any(_loads(name) for name in group.split("|"))]


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def first_line(error: BaseException) -> str:
    """A runtime's message, which may be pages long, in one line: how it begins, and its end with the cause."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    text = _PREFIX.sub("", lines[0])
    return text if len(text) <= _LINE_MAX else f"{text[:100]} ... {text[5 - _LINE_MAX + 100 :]}"
