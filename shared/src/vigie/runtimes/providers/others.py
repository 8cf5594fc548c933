"""AMD, Apple and Windows: rows that this project has never run on their hardware (docs/hardware.md says so)."""

from __future__ import annotations

from vigie.runtimes.providers.row import DeviceNeed, Option, Package, Row, choice, device_nodes, integer, switch

_NO_A16 = {"a16w8": "no 16-bit integer kernels"}
_AMD_NODES = device_nodes("/dev/kfd", "/dev/dri", groups=["video", "render"], SecurityOpt=["seccomp=unconfined"])
_XDNA_NODES = device_nodes("/dev/accel", Binds=["/opt/xilinx/xrt:/opt/xilinx/xrt:ro"])

ROWS = (
    Row(
        id="migraphx",
        title="AMD GPUs by MIGraphX",
        engine="onnxruntime",
        ep="MIGraphXExecutionProvider",
        way="built-in",
        packages=(Package("onnxruntime-migraphx", machines=("x86_64",)),),
        devices={"GPU": DeviceNeed(ids=("gpu-amd",), machines=("x86_64",))},
        libraries=("libmigraphx_c.so.3|libmigraphx_c.so",),
        precisions=("fp16", "int8", "fp32"),
        unsuited=_NO_A16,
        options={
            "device_id": integer(0, 63),
            "migraphx_fp16_enable": switch(),
            "migraphx_bf16_enable": switch(),
            "migraphx_fp8_enable": switch(),
            "migraphx_int8_enable": switch(),
            "migraphx_int8_calibration_table_name": Option("text"),
            "migraphx_exhaustive_tune": switch(),
            "migraphx_mem_limit": integer(1 << 20, 1 << 40, "bytes"),
        },
        cache={"migraphx_model_cache_dir": "{folder}"},
        create_options=_AMD_NODES,
        remarks="some integrated GPUs need HSA_OVERRIDE_GFX_VERSION",
    ),
    Row(
        id="vitisai",
        title="AMD Ryzen AI NPU (XDNA) by Vitis AI",
        engine="onnxruntime",
        ep="VitisAIExecutionProvider",
        way="built-in",
        packages=(Package("onnxruntime-vitisai", machines=("x86_64",), where="AMD's own index, with Ryzen AI"),),
        devices={"NPU": DeviceNeed(ids=("npu-amd",), machines=("x86_64",))},
        libraries=("libxrt_coreutil.so.2|libxrt_coreutil.so",),
        precisions=("int8",),
        unsuited={
            "fp32": "the NPU computes in integers or bf16",
            "fp16": "the NPU computes in integers or bf16",
            **_NO_A16,
        },
        options={
            "config_file": Option("path"),
            "target": choice("X1", "X2"),
            "cache_key": Option("text"),
            "encryptionKey": Option("text"),
        },
        cache={"cache_dir": "{folder}"},
        context=True,
        create_options=_XDNA_NODES,
        remarks="a wrong cache folder or key runs on the CPU without a word: the proof shows it",
    ),
    Row(
        id="coreml",
        title="Apple silicon by Core ML",
        engine="onnxruntime",
        ep="CoreMLExecutionProvider",
        way="built-in",
        platform="darwin",
        packages=(Package("onnxruntime", machines=("arm64",)),),
        devices={"NPU": DeviceNeed(machines=("arm64",))},
        precisions=("fp16", "fp32"),
        unsuited={"int8": "Core ML takes float models", **_NO_A16},
        options={
            "ModelFormat": choice("MLProgram", "NeuralNetwork"),
            "MLComputeUnits": choice("CPUOnly", "CPUAndNeuralEngine", "CPUAndGPU", "ALL"),
            "RequireStaticInputShapes": switch(),
            "EnableOnSubgraphs": switch(),
            "SpecializationStrategy": choice("Default", "FastPrediction"),
            "AllowLowPrecisionAccumulationOnGPU": switch(),
        },
        cache={"ModelCacheDirectory": "{folder}"},
        remarks="out of reach of a Linux container: for developers' machines",
    ),
    Row(
        id="directml",
        title="DirectX 12 GPUs by DirectML",
        engine="onnxruntime",
        ep="DmlExecutionProvider",
        way="built-in",
        platform="win32",
        packages=(Package("onnxruntime-directml", machines=("AMD64",)),),
        devices={"GPU": DeviceNeed(machines=("AMD64",))},
        precisions=("fp16", "fp32", "int8"),
        unsuited=_NO_A16,
        options={"device_id": integer(0, 63)},
        remarks="out of reach of IoT Edge's Linux modules",
    ),
)
