"""LiteRT (once TensorFlow Lite): .tflite files on the CPU, with XNNPACK's kernels."""

from __future__ import annotations

from vigie.runtimes.providers.row import DeviceNeed, Option, Package, Row, switch

DELEGATE_OPTIONS = "delegate."
"""Before the name of an option that is the delegate's own."""

ROWS = (
    Row(
        id="litert",
        title="LiteRT, directly: .tflite files on any CPU",
        engine="litert",
        ep="LiteRT",
        way="direct",
        format="tflite",
        packages=(Package("ai-edge-litert", extra="litert"),),
        images=("amd64-litert", "arm64v8-litert"),
        devices={"CPU": DeviceNeed()},
        precisions=("int8", "a16w8", "fp16", "fp32"),
        options={"xnnpack": switch("0: LiteRT's own kernels, without XNNPACK's")},
        remarks="reads .tflite variants only; './vigie models attach' adds one to a bundle",
    ),
    Row(
        id="litert-delegate",
        title="LiteRT with a vendor's delegate: Edge TPU, NPUs and GPUs of boards",
        engine="litert",
        ep="LiteRT",
        way="direct",
        format="tflite",
        packages=(Package("ai-edge-litert", extra="litert"),),
        images=("amd64-litert", "arm64v8-litert"),
        devices={"NPU": DeviceNeed(), "GPU": DeviceNeed()},
        precisions=("int8", "a16w8", "fp16", "fp32"),
        options={"library": Option("path", meaning="the delegate's shared library, in a folder of VIGIE_DELEGATES")},
        named=True,
        own_options=DELEGATE_OPTIONS,
        remarks="a library with tflite_plugin_create_delegate, named by runtime.delegate; XNNPACK runs what it leaves",
    ),
)
