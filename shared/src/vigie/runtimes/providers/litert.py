"""LiteRT (once TensorFlow Lite): .tflite files on the CPU, with XNNPACK's kernels."""

from __future__ import annotations

from vigie.runtimes.providers.row import DeviceNeed, Package, Row, switch

ROWS = (
    Row(
        id="litert",
        title="LiteRT, directly: .tflite files on any CPU",
        engine="litert",
        ep="LiteRT",
        way="direct",
        format="tflite",
        packages=(Package("ai-edge-litert", extra="litert"),),
        devices={"CPU": DeviceNeed()},
        precisions=("int8", "fp16", "fp32"),
        options={"xnnpack": switch("0: LiteRT's own kernels, without XNNPACK's")},
        remarks="reads .tflite variants only; './vigie models attach' adds one to a bundle",
    ),
)
