"""Where shared libraries lie under a root: present as files, not loaded, since loading a driver may hang."""

from __future__ import annotations

import os

from vigie.runtimes.hardware.tree import Tree

_FOLDERS = (
    "usr/local/lib",
    "usr/local/lib/*-linux-gnu",
    "usr/local/cuda/lib64",
    "usr/local/cuda/targets/*/lib",
    "usr/lib",
    "usr/lib64",
    "usr/lib/*-linux-gnu",
    "usr/lib/*-linux-gnu/intel-opencl",
    "usr/lib/*-linux-gnu/nvidia",
    "usr/lib/*-linux-gnu/tegra",
    "usr/lib/wsl/lib",
    "lib",
    "lib/*-linux-gnu",
    "opt/rocm/lib",
    "opt/xilinx/xrt/lib",
    "vendor/lib64",
    "run/opengl-driver/lib",
)
# Names that differ by release are listed newest first; the report tells which was found.
WANTED = (
    "libcuda.so.1",
    "libcudart.so.13",
    "libcudart.so.12",
    "libcublas.so.13",
    "libcublas.so.12",
    "libcudnn.so.9",
    "libnvinfer.so.10",
    "libnvonnxparser.so.10",
    "libnvidia-ml.so.1",
    "libigdrcl.so",
    "libOpenCL.so.1",
    "libze_loader.so.1",
    "libze_intel_npu.so.1",
    "libze_intel_vpu.so.1",
    "libcdsprpc.so",
    "libcdsprpc.so.1",
    "libatomic.so.1",
    "libmigraphx_c.so.3",
    "libmigraphx_c.so",
    "libxrt_coreutil.so.2",
    "libxrt_coreutil.so",
    "libvulkan.so.1",
)


def find_libraries(tree: Tree, *, packages: str = "") -> dict[str, str]:
    """Path by name of those of ``WANTED`` that are there.

    Args: packages: the site-packages folder under the root, where pip puts CUDA's libraries (``nvidia/*/lib``).
    """
    folders = [path for pattern in (*_configured(tree), *_FOLDERS) for path in tree.glob(pattern)]
    if packages:
        folders += [*tree.glob(f"{packages}/nvidia/*/lib"), *tree.glob(f"{packages}/tensorrt_libs")]
    found: dict[str, str] = {}
    for folder in dict.fromkeys(folders):
        for name in WANTED:
            if name not in found and tree.exists(f"{folder}/{name}"):
                found[name] = f"/{folder}/{name}"
    return found


def lacking(groups: tuple[str, ...], libraries: dict[str, str]) -> list[str]:
    """Those of ``groups`` (``new|old``) of which no library was found."""
    return [group for group in groups if not any(name in libraries for name in group.split("|"))]


def _configured(tree: Tree) -> list[str]:
    """Folders of ld.so.conf and, on the real root, of the environment."""
    lines = [line.strip() for path in tree.glob("etc/ld.so.conf.d/*.conf") for line in tree.text(path).splitlines()]
    if tree.root == tree.root.parent:  # "/" only: a test's tree has its own environment
        lines += os.environ.get("LD_LIBRARY_PATH", "").split(":")
    return [line.lstrip("/") for line in lines if line.startswith("/") and "*" not in line]
