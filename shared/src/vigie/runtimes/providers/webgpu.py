"""Any Vulkan GPU by WebGPU: inside ONNX Runtime's own library, and as a plugin of it."""

from __future__ import annotations

from vigie.runtimes.providers.row import DeviceNeed, Package, Row, choice, device_nodes, switch

_DRI_NODES = device_nodes("/dev/dri", groups=["render"])
_GPU = ("gpu-intel", "gpu-amd", "gpu-nvidia", "gpu-qualcomm", "gpu-other")
_UNSUITED = {"int8": "WebGPU computes in float", "a16w8": "no 16-bit integer kernels"}
_OPTIONS = {
    "preferredLayout": choice("NCHW", "NHWC"),
    "enableGraphCapture": switch(),
    "validationMode": choice("disabled", "wgpuOnly", "basic", "full"),
}

ROWS = (
    Row(
        id="webgpu",
        title="Any Vulkan GPU by WebGPU",
        engine="onnxruntime",
        ep="WebGpuExecutionProvider",
        way="built-in",
        packages=(Package("onnxruntime-webgpu", machines=("x86_64",)),),
        images=("amd64-webgpu",),
        devices={"GPU": DeviceNeed(ids=_GPU, machines=("x86_64",), emulated_by=("gpu-software",))},
        libraries=("libvulkan.so.1",),
        precisions=("fp16", "fp32"),
        unsuited=_UNSUITED,
        options=_OPTIONS,
        vulkan=True,
        create_options=_DRI_NODES,
        remarks="fp16 needs a GPU with shader-f16; where there is none, the session is refused",
    ),
    Row(
        id="webgpu-ep",
        title="Any Vulkan GPU by WebGPU, as a plugin of ONNX Runtime",
        engine="onnxruntime",
        ep="WebGpuExecutionProvider",
        way="plugin",
        plugin_module="onnxruntime_ep_webgpu",
        packages=(Package("onnxruntime-ep-webgpu"),),
        images=("arm64v8-webgpu",),
        devices={"GPU": DeviceNeed(ids=_GPU)},
        libraries=("libvulkan.so.1",),
        precisions=("fp16", "fp32"),
        unsuited=_UNSUITED,
        options=_OPTIONS,
        vulkan=True,
        create_options=_DRI_NODES,
        remarks="needs ONNX Runtime's own discovery to find the GPU, which software drivers are invisible to",
    ),
)
