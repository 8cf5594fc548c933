"""NVIDIA: CUDA and TensorRT of onnxruntime-gpu, and TensorRT-RTX as a plugin."""

from __future__ import annotations

from vigie.runtimes.providers.row import DeviceNeed, Option, Package, Row, choice, integer, switch

_GPU = {"GPU": DeviceNeed(ids=("gpu-nvidia", "gpu-tegra"))}
_RUNTIME = {
    "Env": ["NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video"],
    "HostConfig": {"Runtime": "nvidia"},
}
# pip's packages lie in nvidia/cu13/lib and nvidia/cudnn/lib; each after what it needs.
_CUDA_OF_PIP = tuple(
    f"nvidia/*/lib/{name}"
    for name in (
        "libcudart.so.1[23]",
        "libnvJitLink.so.1[23]",
        "libnvrtc.so.1[23]",
        "libcublasLt.so.1[23]",
        "libcublas.so.1[23]",
        "libcurand.so.10",
        "libcufft.so.1[12]",
        "libcudnn.so.9",
    )
)
_TENSORRT_OF_PIP = ("tensorrt_libs/libnvinfer.so.10", "tensorrt_libs/libnvonnxparser.so.10")
_TRUE_FALSE = ("False", "True")
_BYTES = 1 << 40

ROWS = (
    Row(
        id="tensorrt",
        title="TensorRT",
        engine="onnxruntime",
        ep="TensorrtExecutionProvider",
        way="built-in",
        packages=(Package("onnxruntime-gpu"),),
        images=("amd64-tensorrt",),
        devices=_GPU,
        libraries=("libnvinfer.so.10", "libnvonnxparser.so.10", "libcudart.so.13|libcudart.so.12", "libcudnn.so.9"),
        precisions=("fp16", "int8", "fp32"),
        unsuited={"a16w8": "TensorRT takes 8-bit activations only"},
        also=("CUDAExecutionProvider",),
        preload=(*_CUDA_OF_PIP, *_TENSORRT_OF_PIP),
        options={
            "device_id": integer(0, 63),
            "trt_fp16_enable": switch(words=_TRUE_FALSE),
            "trt_bf16_enable": switch(words=_TRUE_FALSE),
            "trt_int8_enable": switch(words=_TRUE_FALSE),
            "trt_int8_calibration_table_name": Option("text"),
            "trt_int8_use_native_calibration_table": switch(words=_TRUE_FALSE),
            "trt_dla_enable": switch("Jetson", words=_TRUE_FALSE),
            "trt_dla_core": integer(0, 3),
            "trt_max_workspace_size": integer(1, _BYTES, "bytes"),
            "trt_min_subgraph_size": integer(1, 10_000),
            "trt_max_partition_iterations": integer(1, 10_000),
            "trt_builder_optimization_level": integer(0, 5),
            "trt_cuda_graph_enable": switch(words=_TRUE_FALSE),
            "trt_context_memory_sharing_enable": switch(words=_TRUE_FALSE),
            "trt_auxiliary_streams": integer(-1, 64),
            "trt_engine_hw_compatible": switch("engine for other GPUs of the family", words=_TRUE_FALSE),
            "trt_sparsity_enable": switch(words=_TRUE_FALSE),
            "trt_layer_norm_fp32_fallback": switch(words=_TRUE_FALSE),
            "trt_op_types_to_exclude": Option("text"),
            "trt_profile_min_shapes": Option("shapes"),
            "trt_profile_opt_shapes": Option("shapes"),
            "trt_profile_max_shapes": Option("shapes"),
        },
        by_precision={
            "fp16": {"trt_fp16_enable": "True"},
            "int8": {"trt_int8_enable": "True", "trt_fp16_enable": "True"},
        },
        cache={
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": "{folder}",
            "trt_timing_cache_enable": "True",
            "trt_timing_cache_path": "{folder}",
        },
        context=False,
        create_options=_RUNTIME,
        remarks="the first engine takes minutes on a Jetson: it is built out of the live path; pin tensorrt-cu13 to "
        "10.16, ONNX Runtime 1.31 cannot load TensorRT 11. JetPack 6 needs NVIDIA's own wheels (Python 3.10)",
    ),
    Row(
        id="cuda",
        title="CUDA",
        engine="onnxruntime",
        ep="CUDAExecutionProvider",
        way="built-in",
        packages=(Package("onnxruntime-gpu"),),
        images=("amd64-cuda", "amd64-tensorrt", "arm64v8-jetson"),
        devices=_GPU,
        libraries=("libcudart.so.13|libcudart.so.12", "libcublas.so.13|libcublas.so.12", "libcudnn.so.9"),
        precisions=("fp16", "fp32"),
        unsuited={
            "int8": "CUDA has no integer kernels in ONNX Runtime: such nodes run on the CPU or in float",
            "a16w8": "CUDA has no integer kernels in ONNX Runtime: such nodes run on the CPU or in float",
        },
        options={
            "device_id": integer(0, 63),
            "gpu_mem_limit": integer(1 << 20, _BYTES, "bytes"),
            "arena_extend_strategy": choice("kNextPowerOfTwo", "kSameAsRequested"),
            "cudnn_conv_algo_search": choice(
                "EXHAUSTIVE", "HEURISTIC", "DEFAULT", meaning="EXHAUSTIVE: slow first run"
            ),
            "cudnn_conv_use_max_workspace": switch(),
            "do_copy_in_default_stream": switch(),
            "enable_cuda_graph": switch(),
            "prefer_nhwc": switch(),
            "fuse_conv_bias": switch(),
            "use_tf32": switch("on by default: costs accuracy"),
            "tunable_op_enable": switch(),
            "tunable_op_tuning_enable": switch(),
            "use_ep_level_unified_stream": switch(),
        },
        fixed={"arena_extend_strategy": "kSameAsRequested"},
        preload=_CUDA_OF_PIP,
        create_options=_RUNTIME,
        remarks="wheels are for CUDA 13 and cuDNN 9 (x86-64, and ARM64 of the server class: JetPack 7)",
    ),
    Row(
        id="tensorrt-rtx",
        title="TensorRT for RTX",
        engine="onnxruntime",
        ep="NvTensorRTRTXExecutionProvider",
        way="plugin",
        plugin_module="onnxruntime_ep_nv_tensorrt_rtx",
        packages=(Package("onnxruntime-ep-nv-tensorrt-rtx", machines=("x86_64",)),),
        devices={"GPU": DeviceNeed(ids=("gpu-nvidia",), machines=("x86_64",))},
        precisions=("fp16", "int8", "fp32"),
        unsuited={"a16w8": "TensorRT takes 8-bit activations only"},
        options={
            "device_id": integer(0, 63),
            "nv_max_workspace_size": integer(1, _BYTES, "bytes"),
            "nv_profile_min_shapes": Option("shapes"),
            "nv_profile_opt_shapes": Option("shapes"),
            "nv_profile_max_shapes": Option("shapes"),
            "nv_multi_profile_enable": switch(words=_TRUE_FALSE),
            "nv_cuda_graph_enable": switch(words=_TRUE_FALSE),
        },
        cache={"nv_runtime_cache_path": "{folder}"},
        context=True,
        create_options=_RUNTIME,
        remarks="RTX 30xx and later; not together with onnxruntime-gpu",
    ),
)
