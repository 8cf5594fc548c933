"""Whose outputs may leave the routes: those of which every route ends at the one consumer that the module knows.

A doorbell reaches one consumer. A second one on the same output, of ours or another maker's, would get leases in place
of messages, so that a manifest says of each output whether it has only one (``VIGIE_DOORBELLS``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vigie.contracts import names
from vigie_edgehub.routes.table import Endpoint, ModuleInput, Route

# Kind of module to its outputs and their consumers, as the modules declare them with ``doorbell=True``.
DOORBELLS = {
    names.CAMERA: {
        names.FRAMES: ModuleInput(names.PREPROCESS, names.FRAMES),
        names.PREVIEW: ModuleInput(names.VIEWER, names.FRAMES),
    },
    names.PREPROCESS: {names.TENSORS: ModuleInput(names.INFERENCE, names.TENSORS)},
    names.INFERENCE: {
        names.DETECTIONS: ModuleInput(names.SYNC, names.DETECTIONS),
        names.OVERLAY: ModuleInput(names.VIEWER, names.DETECTIONS),
    },
}


def endpoints_of(routes: Iterable[Route], module: str, output: str) -> list[Endpoint]:
    """Where messages of ``output`` may go, whatever the conditions say, without repeats."""
    source = f"/messages/modules/{module}/outputs/{output}"
    return list(dict.fromkeys(route.endpoint for route in routes if route.matches_source(source)))


def doorbells_of(routes: Iterable[Route], module: str) -> str:
    """``VIGIE_DOORBELLS`` of one of Vigie's modules under its own name: "" where any message has to stay on a route."""
    known = DOORBELLS.get(module, {}).items()
    read = list(routes)
    return " ".join(output for output, consumer in known if endpoints_of(read, module, output) == [consumer])


def shared_outputs(routes: Sequence[Route]) -> list[tuple[str, str, list[str]]]:
    """Outputs that a running module may ring and that have other consumers too: module, output, the others."""
    found = []
    for module, output, consumer in ((one, *pair) for one, known in DOORBELLS.items() for pair in known.items()):
        ends = endpoints_of(routes, module, output)
        if consumer in ends and len(ends) > 1:
            found.append((module, output, [str(end) for end in ends if end != consumer]))
    return found
