"""What LiteRT executes: its list of operators, read from the outputs back. Pure: lists in, names out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

DELEGATE = "DELEGATE"


class Delegation(msgspec.Struct, frozen=True):
    """``parts``: pieces of the graph that delegates run; ``operators``: how many operators of the file are in them.

    ``left``: operators that are executed one by one, in no order.
    """

    parts: int
    operators: int
    left: tuple[str, ...]


def taken_by_delegates(details: Sequence[dict[str, Any]], outputs: Iterable[int]) -> Delegation:
    """Of LiteRT's list of operators (``index``, ``op_name``, ``inputs``, ``outputs``): who computes what.

    LiteRT lists the delegates beside the operators that they replaced: who writes a tensor is the delegate, where there
    is one. An operator of the file that is not reached from the outputs that way was taken.
    """
    writers: dict[int, dict[str, Any]] = {}
    for one in details:
        for tensor in one["outputs"]:
            if one["op_name"] == DELEGATE or int(tensor) not in writers:
                writers[int(tensor)] = one
    wanted, executed = list(outputs), dict[int, str]()
    while wanted:
        writer = writers.get(int(wanted.pop()))
        if writer is not None and int(writer["index"]) not in executed:
            executed[int(writer["index"])] = str(writer["op_name"])
            wanted += [int(tensor) for tensor in writer["inputs"]]
    left = tuple(name for name in executed.values() if name != DELEGATE)
    own = sum(one["op_name"] != DELEGATE for one in details)
    parts = len(executed) - len(left)
    return Delegation(parts, own - len(left) if parts else 0, left)
