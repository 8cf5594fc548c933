"""One case or more of every operator of TensorFlow Lite that import reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from support.tflite_graphs import KINDS, SHAPE, Case

SAME, VALID = 0, 1


def drawn(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def whole(*numbers: Any) -> Any:
    return np.array(numbers, np.int32)


def conv(**more: Any) -> tuple[str, dict[str, Any]]:
    plain = {"padding": SAME, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    return "Conv2DOptions", plain | more


def depthwise(**more: Any) -> tuple[str, dict[str, Any]]:
    plain = {
        "padding": SAME,
        "strideH": 1,
        "strideW": 1,
        "dilationHFactor": 1,
        "dilationWFactor": 1,
        "depthMultiplier": 2,
    }
    return "DepthwiseConv2DOptions", plain | more


def pool(**more: Any) -> tuple[str, dict[str, Any]]:
    plain = {"padding": SAME, "strideH": 2, "strideW": 2, "filterHeight": 3, "filterWidth": 3}
    return "Pool2DOptions", plain | more


def cases() -> dict[str, Case]:
    relu, relu6 = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.RELU6
    rows = (1, 48, 3)
    turned = "TransposeConvOptions"
    sliced = {"beginMask": 0, "endMask": 0, "shrinkAxisMask": 0}
    found = {
        "conv same, stride 2": Case(
            "CONV_2D",
            (drawn(5, 3, 3, 3), drawn(5)),
            shapes=((1, 4, 3, 5),),
            options=conv(strideH=2, strideW=2),
            steps="own",
            axis=0,
            version=3,
        ),
        "conv valid, relu": Case(
            "CONV_2D",
            (drawn(5, 3, 2, 3), drawn(5)),
            shapes=((1, 6, 5, 5),),
            options=conv(padding=VALID, fusedActivationFunction=relu),
            steps="own",
            axis=0,
            version=3,
        ),
        "conv even kernel, odd stride": Case(
            "CONV_2D",
            (drawn(4, 4, 2, 3), drawn(4)),
            shapes=((1, 3, 2, 4),),
            options=conv(strideH=3, strideW=3),
            steps="own",
            axis=0,
            version=3,
        ),
        "conv dilated, relu6": Case(
            "CONV_2D",
            (drawn(2, 3, 3, 3), drawn(2)),
            shapes=((1, 8, 6, 2),),
            options=conv(dilationHFactor=2, dilationWFactor=3, fusedActivationFunction=relu6),
        ),
        "conv in groups": Case("CONV_2D", (drawn(6, 3, 3, 1), drawn(6)), shapes=((1, 8, 6, 6),), options=conv()),
        "depthwise": Case(
            "DEPTHWISE_CONV_2D",
            (drawn(1, 3, 3, 6), drawn(6)),
            shapes=((1, 8, 6, 6),),
            options=depthwise(),
            steps="own",
            axis=3,
            version=3,
        ),
        "depthwise, stride 2, valid": Case(
            "DEPTHWISE_CONV_2D",
            (drawn(1, 3, 3, 3), drawn(3)),
            shapes=((1, 3, 2, 3),),
            options=depthwise(padding=VALID, strideH=2, strideW=2, depthMultiplier=1),
            steps="own",
            axis=3,
            version=3,
        ),
        "transposed conv same": Case(
            "TRANSPOSE_CONV",
            before=(whole(1, 16, 12, 4), drawn(4, 3, 3, 3)),
            shapes=((1, 16, 12, 4),),
            options=(turned, {"strideH": 2, "strideW": 2}),
        ),
        "transposed conv valid": Case(
            "TRANSPOSE_CONV",
            before=(whole(1, 17, 13, 4), drawn(4, 3, 3, 3)),
            shapes=((1, 17, 13, 4),),
            options=(turned, {"padding": VALID, "strideH": 2, "strideW": 2}),
        ),
        "transposed conv with gaps": Case(
            "TRANSPOSE_CONV",
            before=(whole(1, 24, 18, 2), drawn(2, 2, 2, 3)),
            shapes=((1, 24, 18, 2),),
            options=(turned, {"strideH": 3, "strideW": 3}),
        ),
        "fully connected": Case(
            "FULLY_CONNECTED",
            (drawn(7, 144), drawn(7)),
            shapes=((1, 7),),
            version=4,
            options=("FullyConnectedOptions", {"fusedActivationFunction": relu}),
            steps="own",
            axis=0,
        ),
        "fully connected, all axes kept": Case(
            "FULLY_CONNECTED",
            (drawn(5, 3), drawn(5)),
            shapes=((1, 8, 6, 5),),
            version=5,
            options=("FullyConnectedOptions", {"keepNumDims": True}),
        ),
        "batched product": Case(
            "BATCH_MATMUL", (drawn(1, 4, 5),), source=(1, 3, 4), shapes=((1, 3, 5),), options=("BatchMatMulOptions", {})
        ),
        "batched product, turned": Case(
            "BATCH_MATMUL",
            (drawn(1, 5, 4),),
            source=(1, 4, 3),
            shapes=((1, 3, 5),),
            options=("BatchMatMulOptions", {"adjX": True, "adjY": True}),
        ),
        "softmax": Case("SOFTMAX", options=("SoftmaxOptions", {"beta": 1.0}), steps=(1 / 256, -128), version=2),
        "softmax, beta": Case("SOFTMAX", options=("SoftmaxOptions", {"beta": 0.5})),
        "log softmax": Case("LOG_SOFTMAX", options=("LogSoftmaxOptions", {})),
        "leaky relu": Case("LEAKY_RELU", options=("LeakyReluOptions", {"alpha": 0.1}), steps="own", version=2),
        "prelu": Case("PRELU", (np.abs(drawn(1, 1, 3)),), steps="own"),
        "logistic": Case("LOGISTIC", steps=(1 / 256, -128), version=2),
        "tanh": Case("TANH", steps=(1 / 128, 0), version=2),
        "hard swish": Case("HARD_SWISH", steps="own", options=("HardSwishOptions", {})),
        "gelu": Case("GELU", options=("GeluOptions", {})),
        "gelu, approximate": Case("GELU", options=("GeluOptions", {"approximate": True})),
        "mean, kept": Case(
            "MEAN",
            (whole(1, 2),),
            shapes=((1, 1, 1, 3),),
            options=("ReducerOptions", {"keepDims": True}),
            steps="own",
            version=2,
        ),
        "mean, lost": Case(
            "MEAN", (whole(1, 2),), shapes=((1, 3),), options=("ReducerOptions", {}), steps="own", version=2
        ),
        "mean of rows, lost": Case("MEAN", (whole(2),), shapes=((1, 8, 3),), options=("ReducerOptions", {})),
        "mean of channels, lost": Case("MEAN", (whole(-1),), shapes=((1, 8, 6),), options=("ReducerOptions", {})),
        "sum": Case("SUM", (whole(3),), shapes=((1, 8, 6, 1),), options=("ReducerOptions", {"keepDims": True})),
        "largest": Case(
            "REDUCE_MAX", (whole(3),), shapes=((1, 8, 6),), options=("ReducerOptions", {}), steps="same", version=2
        ),
        "least": Case("REDUCE_MIN", (whole(1),), shapes=((1, 6, 3),), options=("ReducerOptions", {})),
        "place of the largest": Case(
            "ARG_MAX",
            (whole(3),),
            shapes=((1, 8, 6),),
            kind=KINDS.INT64,
            options=("ArgMaxOptions", {"outputType": KINDS.INT64}),
        ),
        "place of the least": Case(
            "ARG_MIN",
            (whole(1),),
            shapes=((1, 6, 3),),
            kind=KINDS.INT32,
            options=("ArgMinOptions", {"outputType": KINDS.INT32}),
        ),
        "of length 1": Case("L2_NORMALIZATION", options=("L2NormOptions", {}), steps=(1 / 128, 0), version=2),
        "largest of 3 x 3": Case("MAX_POOL_2D", shapes=((1, 4, 3, 3),), options=pool(), steps="same", version=2),
        "largest, valid": Case("MAX_POOL_2D", shapes=((1, 3, 2, 3),), options=pool(padding=VALID)),
        "mean of 3 x 3": Case("AVERAGE_POOL_2D", shapes=((1, 4, 3, 3),), options=pool(), steps="same", version=2),
        "space to depth": Case(
            "SPACE_TO_DEPTH", shapes=((1, 4, 3, 12),), options=("SpaceToDepthOptions", {"blockSize": 2})
        ),
        "depth to space": Case(
            "DEPTH_TO_SPACE",
            source=(1, 4, 3, 12),
            shapes=((1, 8, 6, 3),),
            options=("DepthToSpaceOptions", {"blockSize": 2}),
        ),
        "reshape": Case("RESHAPE", (whole(1, -1, 3),), shapes=(rows,), steps="same"),
        "squeeze": Case(
            "SQUEEZE", source=(1, 1, 6, 3), shapes=((6, 3),), options=("SqueezeOptions", {"squeezeDims": [0, 1]})
        ),
        "expand": Case("EXPAND_DIMS", (whole(1),), shapes=((1, 1, 8, 6, 3),), options=("ExpandDimsOptions", {})),
        "transpose": Case("TRANSPOSE", (whole(0, 2, 1, 3),), shapes=((1, 6, 8, 3),), steps="same", version=2),
        "transpose to planes": Case("TRANSPOSE", (whole(0, 3, 1, 2),), shapes=((1, 3, 8, 6),)),
        "transpose from planes": Case("TRANSPOSE", (whole(0, 2, 3, 1),), shapes=((1, 6, 3, 8),)),
        "pad": Case("PAD", (whole((0, 0), (1, 2), (3, 0), (0, 1)),), shapes=((1, 11, 9, 4),), steps="same", version=2),
        "pad, filled": Case(
            "PADV2", (whole((0, 0), (1, 2), (3, 0), (0, 1)), np.float32([-5])), shapes=((1, 11, 9, 4),)
        ),
        "pad, mirrored": Case(
            "MIRROR_PAD",
            (whole((0, 0), (1, 2), (2, 0), (0, 0)),),
            shapes=((1, 11, 8, 3),),
            options=("MirrorPadOptions", {}),
        ),
        "slice": Case(
            "SLICE", (whole(0, 2, 1, 0), whole(1, 3, -1, 2)), shapes=((1, 3, 5, 2),), steps="same", version=2
        ),
        "strided slice": Case(
            "STRIDED_SLICE",
            (whole(0, 1, 0, 0), whole(1, -1, 6, 3), whole(1, 2, 1, 1)),
            shapes=((1, 3, 6, 3),),
            options=("StridedSliceOptions", sliced),
            steps="same",
            version=2,
        ),
        "strided slice, masked": Case(
            "STRIDED_SLICE",
            (whole(0, 5, 0, 1), whole(0, 0, 4, 0), whole(1, 1, 2, 1)),
            shapes=((1, 8, 2, 3),),
            options=("StridedSliceOptions", {"beginMask": 10, "endMask": 11, "shrinkAxisMask": 0}),
        ),
        "strided slice, backwards": Case(
            "STRIDED_SLICE",
            (whole(0, -1, 0, 0), whole(1, -9, 6, 3), whole(1, -1, 1, 1)),
            shapes=(SHAPE,),
            options=("StridedSliceOptions", sliced),
        ),
        "strided slice, an axis lost": Case(
            "STRIDED_SLICE",
            (whole(0, 0, 0, -1), whole(1, 8, 6, 0), whole(1, 1, 1, 1)),
            shapes=((1, 8, 6),),
            options=("StridedSliceOptions", sliced | {"shrinkAxisMask": 8}),
        ),
        "gather": Case("GATHER", (whole(2, 0),), shapes=((1, 8, 6, 2),), options=("GatherOptions", {"axis": 3})),
        "tile": Case("TILE", (whole(1, 2, 1, 1),), shapes=((1, 16, 6, 3),)),
        "broadcast": Case("BROADCAST_TO", (whole(1, 8, 6, 3),), source=(1, 8, 1, 3), shapes=(SHAPE,), version=2),
        "joined channels": Case(
            "CONCATENATION",
            twice=True,
            shapes=((1, 8, 6, 6),),
            steps="same",
            version=2,
            options=("ConcatenationOptions", {"axis": 3}),
        ),
        "joined from the end": Case(
            "CONCATENATION", twice=True, shapes=((1, 8, 12, 3),), options=("ConcatenationOptions", {"axis": -2})
        ),
        "pack": Case(
            "PACK", twice=True, shapes=((1, 2, 8, 6, 3),), options=("PackOptions", {"axis": 1, "valuesCount": 2})
        ),
        "unpack": Case("UNPACK", shapes=((1, 8, 6),) * 3, options=("UnpackOptions", {"axis": 3, "num": 3})),
        "split": Case(
            "SPLIT", before=(whole(1),), shapes=((1, 4, 6, 3),) * 2, options=("SplitOptions", {"numSplits": 2})
        ),
        "split, of sizes": Case(
            "SPLIT_V",
            (whole(1, 2), whole(3)),
            shapes=((1, 8, 6, 1), (1, 8, 6, 2)),
            options=("SplitVOptions", {"numSplits": 2}),
        ),
        "cast": Case(
            "CAST", kind=KINDS.INT32, options=("CastOptions", {"inDataType": KINDS.FLOAT32, "outDataType": KINDS.INT32})
        ),
    }
    for code, options in (
        ("ADD", "AddOptions"), ("SUB", "SubOptions"), ("MUL", "MulOptions"), ("DIV", "DivOptions"),
        ("MAXIMUM", "MaximumMinimumOptions"), ("MINIMUM", "MaximumMinimumOptions"),
        ("SQUARED_DIFFERENCE", "SquaredDifferenceOptions"),
    ):  # fmt: skip
        steps = "own" if code in {"ADD", "SUB", "MUL"} else None
        far = np.abs(drawn(3, seed=4)) + 0.5
        found[f"{code} with channels"] = Case(code, (far,), options=(options, {}), steps=steps, version=2)
        found[f"{code} with a picture"] = Case(
            code, (drawn(*SHAPE) + 3,), options=(options, {}), steps=steps, version=2
        )
        found[f"{code} with itself"] = Case(code, twice=True, options=(options, {}))
    found["add, relu"] = Case(
        "ADD", (drawn(3),), options=("AddOptions", {"fusedActivationFunction": relu}), steps="own", version=2
    )
    found["a number less the picture"] = Case("SUB", before=(np.float32([2]),), options=("SubOptions", {}))
    for code in ("GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "EQUAL", "NOT_EQUAL"):
        found[code] = Case(code, (drawn(3),), kind=KINDS.BOOL)
    plain = "RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 ELU EXP ABS NEG SIN COS FLOOR CEIL ROUND SQUARE"
    for code in plain.split():
        found[code] = Case(code)
    for code in ("RELU", "RELU6"):
        found[f"{code} in steps"] = Case(code, steps="own", version=2)
    for name, code in (("bilinear", "RESIZE_BILINEAR"), ("nearest", "RESIZE_NEAREST_NEIGHBOR")):
        options = {"bilinear": "ResizeBilinearOptions", "nearest": "ResizeNearestNeighborOptions"}[name]
        for how in ({}, {"alignCorners": True}, {"halfPixelCenters": True}):
            for height, width in ((16, 12), (5, 9)):
                said = next(iter(how), "corners")
                found[f"{name} {said} {height}x{width}"] = Case(
                    code, (whole(height, width),), shapes=((1, height, width, 3),), options=(options, how), version=3,
                    steps="same" if (height, width) == (16, 12) else None,
                )  # fmt: skip
    return found
