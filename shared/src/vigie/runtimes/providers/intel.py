"""Intel: OpenVINO as a runtime of its own, as ONNX Runtime's plugin, and as the former build with it inside."""

from __future__ import annotations

from vigie.runtimes.providers.row import DeviceNeed, Option, Package, Row, choice, device_nodes, integer, switch

_YES_NO = ("NO", "YES")
_PROPERTIES = {
    "INFERENCE_PRECISION_HINT": choice("f32", "f16", "bf16", "dynamic", meaning="GPU's own default is f16"),
    "PERFORMANCE_HINT": choice("LATENCY", "THROUGHPUT"),
    "EXECUTION_MODE_HINT": choice("PERFORMANCE", "ACCURACY"),
    "NUM_STREAMS": integer(1, 64, "parallel runs"),
    "MODEL_PRIORITY": choice("LOW", "MEDIUM", "HIGH"),
    "CACHE_MODE": choice("OPTIMIZE_SIZE", "OPTIMIZE_SPEED"),
    "ENABLE_CPU_PINNING": switch("threads stay on their core", words=_YES_NO),
    "ENABLE_HYPER_THREADING": switch(words=_YES_NO),
    "SCHEDULING_CORE_TYPE": choice("ANY_CORE", "PCORE_ONLY", "ECORE_ONLY", meaning="hybrid CPUs"),
    "NPU_TURBO": switch("NPU only", words=_YES_NO),
    "NPU_QDQ_OPTIMIZATION": switch("NPU only", words=_YES_NO),
}
_GPU_NODES = device_nodes("/dev/dri", groups=["render"])
_NPU_NODES = device_nodes("/dev/dri", "/dev/accel", groups=["render"])
_UNSUITED = {"a16w8": "OpenVINO computes 16-bit activations in float and converts"}
_DEVICES_X86 = {
    "CPU": DeviceNeed(ids=("cpu-intel",), machines=("x86_64",)),
    "GPU": DeviceNeed(ids=("gpu-intel",), machines=("x86_64",)),
    "NPU": DeviceNeed(ids=("npu-intel",), machines=("x86_64",)),
}

ROWS = (
    Row(
        id="openvino",
        title="OpenVINO, directly: CPUs of any maker, Intel GPUs and NPUs",
        engine="openvino",
        ep="OpenVINO",
        way="direct",
        packages=(Package("openvino", extra="openvino"),),
        images=("amd64-openvino",),
        devices={**_DEVICES_X86, "CPU": DeviceNeed()},
        precisions=("int8", "fp16", "fp32"),
        unsuited=_UNSUITED,
        options=_PROPERTIES,
        performance={
            "latency": {"PERFORMANCE_HINT": "LATENCY"},
            "throughput": {"PERFORMANCE_HINT": "THROUGHPUT"},
            "energy": {"PERFORMANCE_HINT": "LATENCY"},
        },
        cache={"CACHE_DIR": "{folder}"},
        create_options=_NPU_NODES,
        remarks="runs on AMD and ARM64 CPUs too; GPUs need Intel's compute runtime in the image, NPUs their driver",
    ),
    Row(
        id="openvino-ep",
        title="OpenVINO as a plugin of ONNX Runtime",
        engine="onnxruntime",
        ep="OpenVINOExecutionProvider",
        way="plugin",
        plugin_module="onnxruntime_ep_openvino",
        packages=(Package("onnxruntime-ep-openvino", machines=("x86_64",)),),
        devices=_DEVICES_X86,
        own_optimiser=True,
        threads_option="num_of_threads",
        precisions=("int8", "fp16", "fp32"),
        unsuited=_UNSUITED,
        options={
            "num_streams": integer(1, 64),
            "num_of_threads": integer(1, 256),
            "precision": choice("FP32", "FP16", "BF16", "ACCURACY"),
            "model_priority": choice("LOW", "MEDIUM", "HIGH", "DEFAULT"),
            "enable_qdq_optimizer": switch("NPU", words=("false", "true")),
            "disable_dynamic_shapes": switch(words=("false", "true")),
            "enable_opencl_throttling": switch("GPU: less CPU while waiting", words=("false", "true")),
            "load_config": Option("text", meaning='JSON {"DEVICE": {"PROPERTY": "value"}}'),
            "reshape_input": Option("shapes"),
        },
        cache={"cache_dir": "{folder}"},
        context=True,
        create_options=_GPU_NODES,
        remarks="shows no device on AMD CPUs; AUTO and HETERO are not offered, since they fall back without saying so",
    ),
    Row(
        id="openvino-intree",
        title="OpenVINO inside ONNX Runtime (former package)",
        engine="onnxruntime",
        ep="OpenVINOExecutionProvider",
        way="built-in",
        packages=(Package("onnxruntime-openvino", machines=("x86_64",)),),
        own_optimiser=True,
        threads_option="num_of_threads",
        device_option="device_type",
        devices={**_DEVICES_X86, "CPU": DeviceNeed(machines=("x86_64",))},
        precisions=("int8", "fp16", "fp32"),
        unsuited=_UNSUITED,
        options={
            "precision": choice("FP32", "FP16", "ACCURACY"),
            "num_of_threads": integer(1, 256),
            "num_streams": integer(1, 64),
            "disable_dynamic_shapes": switch(words=("false", "true")),
            "enable_opencl_throttling": switch(words=("false", "true")),
            "load_config": Option("text", meaning='JSON {"DEVICE": {"PROPERTY": "value"}}'),
        },
        cache={"cache_dir": "{folder}"},
        create_options=_GPU_NODES,
        remarks="last release 1.24.1 (February 2026); replaces the package onnxruntime: never both",
    ),
)
