"""Put the nodes of a graph in the order they run; some exporters append their casts wherever they are."""

from __future__ import annotations

from collections.abc import Iterator

import onnx


def sort_nodes(model: onnx.ModelProto) -> bool:
    """Sort the top graph in place, stable where order is free; false if nodes wait for each other in a ring.

    ONNX demands sorted nodes, ONNX Runtime sorts them itself, so such files are in use (Ultralytics' half exports).
    """
    nodes = list(model.graph.node)
    maker = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    needs = [{maker[name] for name in reads(node) if name in maker} for node in nodes]
    if all(max(before, default=-1) < index for index, before in enumerate(needs)):
        return True
    ordered: list[int] = []
    done: set[int] = set()
    for start in range(len(nodes)):
        stack, opened = [start], set[int]()
        while stack:
            at = stack[-1]
            if at in done:
                stack.pop()
                continue
            waiting = sorted(needs[at] - done, reverse=True)
            if not waiting:
                done.add(at)
                ordered.append(at)
                stack.pop()
            elif at in opened:
                return False
            else:
                opened.add(at)
                stack += waiting
    del model.graph.node[:]
    model.graph.node.extend([nodes[index] for index in ordered])
    return True


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Names that a node reads, those of the graphs inside it too."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from reads(inner)
            yield from (item.name for item in graph.output)
