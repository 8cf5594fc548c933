"""How a network is quantized for which hardware, as data: one recipe makes one variant of the bundle.

Source of each choice: docs/decisions/0017-quantization.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Target = Literal["cpu-x86", "cpu-arm", "openvino", "tensorrt", "qnn-htp", "gpu"]
Cpu = Literal["x86-avx2", "x86-vnni", "arm64"]
TARGETS: tuple[Target, ...] = ("cpu-x86", "cpu-arm", "openvino", "tensorrt", "qnn-htp", "gpu")


@dataclass(frozen=True, slots=True)
class Recipe:
    """``name``: of the variant. ``exact_on``: CPUs whose integer sums cannot overflow with these weights.

    ``reduce_range``: no sum of two products leaves 16 bits, in which CPUs with AVX2 but without VNNI add them:
    convolutions by ``paired_weights``, other layers by weights of 7 bits. ``dynamic``: scales of activations are made
    in each run.
    """

    name: str
    precision: Literal["fp16", "int8", "a16w8"]
    targets: tuple[Target, ...]
    activations: Literal["float", "u8", "s8", "u16"] = "float"
    symmetric_activations: bool = False
    per_channel: bool = True
    reduce_range: bool = False
    dynamic: bool = False
    exact_on: tuple[Cpu, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    why: str = ""

    @property
    def is_integer(self) -> bool:
        return self.precision != "fp16"


FP16 = Recipe(
    "fp16",
    "fp16",
    targets=("gpu",),
    why="half the size; GPUs compute in it, CPUs convert it back to fp32 at every load",
)
U8S8_PAIRED = Recipe(
    "int8-u8s8",
    "int8",
    targets=("cpu-x86", "openvino", "qnn-htp"),
    activations="u8",
    reduce_range=True,
    exact_on=("x86-avx2", "x86-vnni", "arm64"),
    why="unsigned activations with a zero point use all 256 steps after ReLU; no pair of weights overflows on AVX2",
)
U8S8_8BIT = Recipe(
    "int8-u8s8",
    "int8",
    targets=("cpu-x86", "openvino", "qnn-htp"),
    activations="u8",
    exact_on=("x86-vnni", "arm64"),
    why="as before with whole 8-bit weights: only for CPUs that add in 32 bits",
)
S8S8 = Recipe(
    "int8-s8s8",
    "int8",
    targets=("cpu-arm", "tensorrt"),
    activations="s8",
    symmetric_activations=True,
    exact_on=("x86-vnni", "arm64"),
    why="symmetric about zero, as TensorRT demands and ARM's dot products prefer; x86 rewrites it at load",
)
A16W8 = Recipe(
    "a16w8",
    "a16w8",
    targets=("qnn-htp",),
    activations="u16",
    # 16-bit Q and DQ are standard from opset 21 on; ONNX Runtime's own take them at any.
    options={"UseQDQContribOps": True, "MinimumRealRange": 0.0001},
    why="16-bit activations for the HTP of Qualcomm's NPUs: nearly fp32's accuracy; on a CPU it only costs",
)
DYNAMIC = Recipe(
    "int8-dynamic",
    "int8",
    targets=("cpu-x86", "cpu-arm"),
    activations="u8",
    # onnxruntime.quantization gives MatMulInteger 7-bit weights in any case.
    reduce_range=True,
    dynamic=True,
    exact_on=("x86-avx2", "x86-vnni", "arm64"),
    why="matrix products in integers, activations by what each run holds: no calibration; for networks of MatMul",
)

# Tried in this order for a target; of two recipes with one name the second is tried when the first loses too much.
RECIPES: tuple[Recipe, ...] = (FP16, U8S8_PAIRED, U8S8_8BIT, S8S8, A16W8, DYNAMIC)


def recipes_for(targets: Iterable[Target]) -> list[Recipe]:
    """The recipes that serve any of ``targets``, in the order of the table."""
    wanted = set(targets)
    return [recipe for recipe in RECIPES if wanted & set(recipe.targets)]


def parse_targets(text: str) -> tuple[Target, ...]:
    """``cpu-x86,tensorrt`` or ``all``.

    Raises: ValueError: an unknown one, or none; the text lists what there is.
    """
    if text.strip() == "all":
        return TARGETS
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in TARGETS]
    if unknown or not names:
        found = f"unknown {', '.join(unknown)}" if unknown else "none given"
        raise ValueError(f"{found}; targets are {', '.join(TARGETS)}, or 'all'")
    return tuple(target for target in TARGETS if target in names)
