"""Engines that may not be installed: a test that needs one skips with a reason that CI does not allow."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path

import pytest

from vigie_devkit import bootstrap, engines

# Debian's chromium-common brings SwiftShader, a Vulkan driver without a GPU, and the loader that it was tested with.
_SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
VULKAN_SOFTWARE = {
    "VK_ICD_FILENAMES": str(_SWIFTSHADER),
    "VK_DRIVER_FILES": str(_SWIFTSHADER),
    "LD_LIBRARY_PATH": str(_SWIFTSHADER.parent),
}
_PACKAGES = {
    "openvino": "openvino",
    "qnn": "onnxruntime_qnn",
    "litert": "ai_edge_litert",
    "grpc": "grpc",
    "loadgen": "mlperf_loadgen",
}


def needs(engine: str) -> pytest.MarkDecorator:
    """``needs("qnn")``: ``./vigie test`` installs it where it has a wheel."""
    if engine == "webgpu":
        return _needs_webgpu()
    if engine in engines.APART:
        here = Path(engines.engines_environment(bootstrap.environment_folder(), engine)).exists()
        return pytest.mark.skipif(not here, reason=f"{engine} is not installed (tests/engines-{engine}.lock)")
    missing = importlib.util.find_spec(_PACKAGES[engine]) is None
    if engine == "qnn" and platform.machine() != "x86_64":
        return pytest.mark.skipif(True, reason="QNN's emulation runs on x86-64 only")
    return pytest.mark.skipif(missing, reason=f"{engine} is not installed (tests/engines-{engine}.lock)")


def webgpu_python() -> str:
    """The Python that has ONNX Runtime with WebGPU in place of the ordinary one."""
    return engine_python("webgpu")


def engine_python(name: str) -> str:
    """The Python of an engine that stands in place of the pinned onnxruntime."""
    return str(engines.engines_python(bootstrap.environment_folder(), name))


def _needs_webgpu() -> pytest.MarkDecorator:
    if platform.machine() != "x86_64":
        return pytest.mark.skipif(True, reason="WebGPU inside ONNX Runtime has a wheel for x86-64 only")
    home = engines.engines_environment(bootstrap.environment_folder(), "webgpu")
    here = bool(list(home.glob("lib/python3*/site-packages/onnxruntime_webgpu-*"))) and _SWIFTSHADER.exists()
    return pytest.mark.skipif(not here, reason="webgpu is not installed (tests/engines-webgpu.lock, chromium-common)")
