"""Qualcomm: QNN on the HTP (NPU) and on the Adreno GPU, a plugin of ONNX Runtime."""

from __future__ import annotations

from vigie.runtimes.providers.row import DeviceNeed, Option, Package, Row, choice, device_nodes, integer, switch

_PACKAGES = (Package("onnxruntime-qnn", extra="qnn"),)
# Read from the ARM64 wheel's libraries (DT_NEEDED): the stubs load libcdsprpc by this very name, and libQnnSystem the
# compiler's libatomic, which Debian's small base lacks.
_SYSTEM = "libatomic.so.1"
_MODES = (
    "burst",
    "balanced",
    "default",
    "high_performance",
    "sustained_high_performance",
    "high_power_saver",
    "low_balanced",
    "low_power_saver",
    "power_saver",
    "extreme_power_saver",
)
_NODES = device_nodes(
    "/dev/fastrpc-cdsp",
    "/dev/dma_heap/system",
    "/dev/kgsl-3d0",
    Binds=["/usr/lib/libcdsprpc.so:/usr/lib/libcdsprpc.so:ro"],
)
_SHARED = {
    "profiling_level": choice("off", "basic", "detailed", "optrace"),
    "profiling_file_path": Option("path"),
    "qnn_context_priority": choice("low", "normal", "normal_high", "high"),
    "offload_graph_io_quantization": switch("1: Q and DQ at the graph's edge stay on the CPU"),
    "enable_framework_op_trace": switch("writes which operators are not supported"),
    "dump_json_qnn_graph": switch(),
    "json_qnn_graph_dir": Option("path"),
    "skip_qnn_version_check": switch(),
}

ROWS = (
    Row(
        id="qnn-htp",
        title="Qualcomm HTP (Hexagon NPU) by QNN",
        engine="onnxruntime",
        ep="QNNExecutionProvider",
        way="plugin",
        plugin_module="onnxruntime_qnn",
        packages=_PACKAGES,
        images=("arm64v8-qnn",),
        devices={"HTP": DeviceNeed(ids=("dsp-qualcomm",), machines=("aarch64",), emulated_on=("x86_64",))},
        libraries=("libcdsprpc.so", _SYSTEM),
        from_plugin={"backend_path": "get_qnn_htp_path"},
        # ONNX Runtime's discovery on Linux knows no Hexagon. On ARM64 the plugin shows an NPU where there is a node
        # /dev/fastrpc-cdsp*, on x86-64 the CPU; backend_path decides.
        device_type={"HTP": "NPU|CPU"},
        precisions=("a16w8", "int8", "fp16"),
        unsuited={"fp32": "the HTP computes in integers or fp16"},
        options={
            **_SHARED,
            "htp_performance_mode": choice(*_MODES),
            "htp_graph_finalization_optimization_mode": integer(0, 3, "3: slowest to prepare, fastest to run"),
            "htp_arch": choice("0", "68", "69", "73", "75", "79", "81", meaning="when compiling for another device"),
            "soc_model": integer(0, 10_000, "when compiling for another device"),
            "device_id": integer(0, 15),
            "vtcm_mb": integer(0, 64, "0: as much as there is"),
            "rpc_control_latency": integer(0, 100_000, "microseconds"),
            "enable_htp_fp16_precision": switch("float32 parts in fp16"),
            "htp_bf16_enable": switch(),
            "enable_htp_spill_fill_buffer": switch(),
            "enable_htp_shared_memory_allocator": switch("needs libcdsprpc"),
            "htp_share_resource_optimization": switch(),
            "extended_udma": switch(),
        },
        performance={
            "latency": {"htp_performance_mode": "burst"},
            "throughput": {"htp_performance_mode": "sustained_high_performance"},
            "energy": {"htp_performance_mode": "balanced"},
        },
        hints={"energy": {"ep.dynamic.workload_type": "Efficient"}},
        context=True,
        create_options=_NODES,
        remarks="static shapes only; on x86-64 (glibc 2.35) the package compiles ahead of time, and emulates slowly",
    ),
    Row(
        id="qnn-gpu",
        title="Qualcomm Adreno GPU by QNN",
        engine="onnxruntime",
        ep="QNNExecutionProvider",
        way="plugin",
        plugin_module="onnxruntime_qnn",
        packages=_PACKAGES,
        images=("arm64v8-qnn",),
        devices={"GPU": DeviceNeed(ids=("gpu-qualcomm",), machines=("aarch64",))},
        libraries=(_SYSTEM,),
        from_plugin={"backend_path": "get_qnn_gpu_path"},
        device_type={"GPU": "GPU|CPU"},
        precisions=("fp16", "fp32"),
        unsuited={
            "int8": "QNN's GPU back end computes in float",
            "a16w8": "QNN's GPU back end computes in float",
        },
        options=_SHARED,
        context=True,
        create_options=_NODES,
    ),
)
