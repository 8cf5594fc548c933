"""The CPU provider: always there, and the answer of the first seconds of every start."""

from __future__ import annotations

from vigie.runtimes.providers.row import DeviceNeed, Option, Package, Row, session_switch

ROWS = (
    Row(
        id="cpu",
        title="ONNX Runtime on the CPU (x86-64: AVX2 to AMX; ARM64: NEON to SME)",
        engine="onnxruntime",
        ep="CPUExecutionProvider",
        way="built-in",
        # Each of these is a whole ONNX Runtime with something more in it; they replace one another.
        packages=(
            Package("onnxruntime", extra="runtimes"),
            Package("onnxruntime-gpu"),
            Package("onnxruntime-openvino", machines=("x86_64",)),
            Package("onnxruntime-migraphx", machines=("x86_64",)),
            Package("onnxruntime-webgpu", machines=("x86_64",)),
        ),
        devices={"CPU": DeviceNeed()},
        precisions=("int8", "fp32"),
        unsuited={
            "a16w8": "the CPU provider has no kernels for 16-bit activations: it would compute in float and convert",
            "fp16": "the CPU provider converts fp16 to fp32 and back: no gain",
        },
        options={
            "session.x64quantprecision": session_switch(
                "weights to u8 at load where the CPU lacks VNNI, so that U8S8 does not saturate"
            ),
            "session.set_denormal_as_zero": session_switch("no slow denormals in fp32 models"),
            "session.disable_prepacking": session_switch("less memory, slower"),
            "session.dynamic_block_base": Option(
                "integer", low=0, high=64, scope="session", meaning="lower tail latency on uneven cores"
            ),
            "mlas.enable_gemm_fastmath_arm64_bfloat16": session_switch("fp32 GEMM in bf16 on ARMv8.6; costs accuracy"),
            "mlas.disable_kleidiai": session_switch("ARM64: without Arm's SME kernels"),
        },
    ),
)
