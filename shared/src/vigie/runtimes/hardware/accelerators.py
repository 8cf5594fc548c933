"""GPUs, NPUs and DSPs by /dev, /sys and /proc: our first source, since ONNX Runtime's own discovery is fragile.

Ids and drivers: runtimes reference 1.2; /dev/accel is told apart by vendor and driver, because several makers use it.
"""

from __future__ import annotations

from collections.abc import Iterator

from vigie.runtimes.hardware.report import Device
from vigie.runtimes.hardware.tree import Tree
from vigie.runtimes.hardware.vulkan import find_software_drivers

_VENDORS = {"0x8086": "intel", "0x1002": "amd", "0x10de": "nvidia", "0x1022": "amd", "0x17cb": "qualcomm"}
_MAKERS = {"intel": "Intel", "amd": "AMD", "nvidia": "NVIDIA", "qualcomm": "Qualcomm", "other": "other"}


def find_devices(tree: Tree, libraries: dict[str, str]) -> tuple[Device, ...]:
    """Every accelerator that is present, usable or not."""
    found = [*_nvidia(tree, libraries), *_tegra(tree, libraries), *_drm(tree, libraries)]
    return (*found, *_accel(tree, libraries), *_qualcomm(tree, libraries), *find_software_drivers(tree))


def _drm(tree: Tree, libraries: dict[str, str]) -> Iterator[Device]:
    for path in tree.glob("sys/class/drm/card[0-9]*"):
        number = path.rpartition("card")[2]
        if not number.isdecimal():  # card0-HDMI-A-1 is a connector
            continue
        vendor, product = tree.text(f"{path}/device/vendor"), tree.text(f"{path}/device/device")
        driver = tree.value(f"{path}/device/uevent", "DRIVER")
        maker = _VENDORS.get(vendor, "qualcomm" if driver.startswith("msm") else "other")
        if maker == "nvidia":  # told by its own nodes, with the driver's version
            continue
        own = tree.exists(f"{path}/device/drm")
        renders = list(tree.glob(f"{path}/device/drm/renderD*" if own else "sys/class/drm/renderD*"))
        node = f"dev/dri/{renders[0].rpartition('/')[2]}" if renders else ""
        if not node and maker == "other":  # a display without a GPU (simpledrm, a virtual screen)
            continue
        missing = {
            "intel": _missing(libraries, "libigdrcl.so", "Intel's compute runtime (intel-opencl-icd) in the image"),
            "amd": ("", "") if tree.exists("dev/kfd") else ("no /dev/kfd", "pass /dev/kfd (createOptions: Devices)"),
        }.get(maker, ("", ""))
        name = f"{_MAKERS[maker]} GPU {vendor}:{product}" if vendor else f"GPU of driver {driver or 'unknown'}"
        yield _device(tree, f"gpu-{maker}", name, node or "dev/dri/renderD*", driver, missing=missing)


def _accel(tree: Tree, libraries: dict[str, str]) -> Iterator[Device]:
    for path in tree.glob("sys/class/accel/accel[0-9]*"):
        vendor, product = tree.text(f"{path}/device/vendor"), tree.text(f"{path}/device/device")
        driver = tree.value(f"{path}/device/uevent", "DRIVER")
        maker = _VENDORS.get(vendor, "other")
        kind = {"intel_vpu": "npu-intel", "amdxdna": "npu-amd"}.get(driver, f"accel-{maker}")
        missing = ("", "")
        if kind == "npu-intel":
            missing = _missing(
                libraries, "libze_intel_npu.so.1|libze_intel_vpu.so.1", "Intel's NPU driver in the image"
            )
        elif kind == "npu-amd":
            missing = _missing(libraries, "libxrt_coreutil.so.2|libxrt_coreutil.so", "XRT (/opt/xilinx/xrt)")
        node = f"dev/accel/{path.rpartition('/')[2]}"
        yield _device(tree, kind, f"{_MAKERS[maker]} NPU {vendor}:{product}", node, driver, missing=missing)


def _nvidia(tree: Tree, libraries: dict[str, str]) -> Iterator[Device]:
    """Discrete NVIDIA GPUs: what the driver lists; without a driver, what the PCI bus shows."""
    version = tree.text("proc/driver/nvidia/version").partition("Module")[2].split()
    facts = {"driver": version[0]} if version else {}
    listed = list(tree.glob("proc/driver/nvidia/gpus/*/information"))
    missing = _missing(libraries, "libcuda.so.1", "the NVIDIA container runtime (HostConfig.Runtime: nvidia)")
    for number, path in enumerate(listed):
        lines = dict(line.split(":", 1) for line in tree.text(path).splitlines() if ":" in line)
        name = lines.get("Model", "NVIDIA GPU").strip()
        minor = lines.get("Device Minor", str(number)).strip()
        yield _device(tree, "gpu-nvidia", name, f"dev/nvidia{minor}", "nvidia", missing=missing, facts=facts)
    if listed:
        return
    for path in tree.glob("sys/bus/pci/devices/*"):
        if tree.text(f"{path}/vendor") == "0x10de" and tree.text(f"{path}/class").startswith("0x03"):
            name = f"NVIDIA GPU 0x10de:{tree.text(f'{path}/device')}"
            driver = tree.value(f"{path}/uevent", "DRIVER")
            no_driver = ("no NVIDIA driver is loaded", "install NVIDIA's driver on the host")
            yield _device(tree, "gpu-nvidia", name, "dev/nvidia0", driver, missing=no_driver)


def _tegra(tree: Tree, libraries: dict[str, str]) -> Iterator[Device]:
    compatible = tree.text("proc/device-tree/compatible").replace("\0", " ")
    release = tree.text("etc/nv_tegra_release")
    if "nvidia,tegra" not in compatible and not release:
        return
    # JetPack 5 and 6 name the GPU nvhost-gpu, later kernels nvgpu/igpu0.
    node = next((node for node in ("dev/nvgpu/igpu0/power", "dev/nvhost-gpu") if tree.exists(node)), "dev/nvhost-gpu")
    facts = {"l4t": release.split(",")[0].lstrip("# ")} if release else {}
    missing = _missing(libraries, "libcuda.so.1", "the NVIDIA container runtime (HostConfig.Runtime: nvidia)")
    yield _device(tree, "gpu-tegra", "NVIDIA Tegra GPU", node, "nvgpu", missing=missing, facts=facts)


def _qualcomm(tree: Tree, libraries: dict[str, str]) -> Iterator[Device]:
    soc = {name: tree.text(f"sys/devices/soc0/{name}") for name in ("soc_id", "machine", "family")}
    compatible = tree.text("proc/device-tree/compatible").replace("\0", " ")
    nodes = [*tree.glob("dev/fastrpc-cdsp*"), *tree.glob("dev/adsprpc-smd")]
    if "qcom," not in compatible and not nodes and soc["family"].lower() != "snapdragon":
        return
    facts = {name: value for name, value in soc.items() if value}
    node = nodes[0] if nodes else "dev/fastrpc-cdsp"
    missing = _missing(libraries, "libcdsprpc.so", "the vendor's libcdsprpc, mounted into the container")
    if missing[0] and "libcdsprpc.so.1" in libraries:  # QNN's stubs load it by its name without a number
        missing = (
            "libcdsprpc.so.1 is there, but not by the name libcdsprpc.so",
            "bind it as libcdsprpc.so (createOptions: Binds)",
        )
    if not list(tree.glob("dev/dma_heap/system")):
        missing = (
            missing if missing[0] else ("no /dev/dma_heap/system", "pass /dev/dma_heap/system (createOptions: Devices)")
        )
    yield _device(
        tree, "dsp-qualcomm", f"Qualcomm HTP {soc['machine']}".strip(), node, "fastrpc", missing=missing, facts=facts
    )
    if tree.exists("dev/kgsl-3d0"):
        yield _device(tree, "gpu-qualcomm", "Qualcomm Adreno GPU", "dev/kgsl-3d0", "kgsl", facts=facts)


def _missing(libraries: dict[str, str], names: str, remedy: str) -> tuple[str, str]:
    if any(name in libraries for name in names.split("|")):
        return "", ""
    return f"no {names.split('|', maxsplit=1)[0]}", f"put in {remedy}"


def _device(
    tree: Tree,
    id_: str,
    name: str,
    node: str,
    driver: str,
    *,
    missing: tuple[str, str] = ("", ""),
    facts: dict[str, str] | None = None,
) -> Device:
    why_not, remedy = missing
    if not any(tree.exists(path) for path in (node, *tree.glob(node))):
        top = "/dev/" + node.removeprefix("dev/").split("/")[0]
        why_not, remedy = f"no /{node}", f"pass {top} into the container (createOptions: HostConfig.Devices)"
    elif (owner := tree.closed_to(node)) is not None:
        why_not = f"/{node} is closed to this user (it belongs to group {owner[1]})"
        remedy = f'add the group by number (createOptions: HostConfig.GroupAdd ["{owner[1]}"])'
    return Device(id_, name, f"/{node}", driver, not why_not, why_not, remedy, facts or {})
