"""The process of an isolated engine, `isolated_child START`; ended by its parent's end."""

from __future__ import annotations

import mmap
import os
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vigie.errors import VigieError
from vigie.models import load_bundle
from vigie.runtimes.engines import isolated_messages as wire
from vigie.runtimes.engines.engine import Engine, EngineSettings, open_engine
from vigie.runtimes.lifeline import end_with_parent, yield_to_others
from vigie.thread_names import ENGINE, show_thread_name


class SharedOutputs:
    """The child's side of the outputs' shared memory; grows when a run gives more than any before."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._size = 0
        self._map: mmap.mmap | None = None

    def write(self, outputs: list[NDArray[Any]]) -> wire.Ran:
        placed, needed = wire.layout(outputs)
        if self._map is None or needed > self._size:
            self._size = max(needed, mmap.PAGESIZE)
            os.ftruncate(self._number, self._size)
            self._map = mmap.mmap(self._number, self._size)
        for output, place in zip(outputs, placed, strict=True):
            view = np.frombuffer(self._map, output.dtype, output.size, place.offset)
            view.reshape(output.shape)[...] = output
        return wire.Ran(placed, self._size)


def serve(talk: socket.socket, engine: Engine, tensor_hwc: NDArray[np.uint8], outputs: SharedOutputs) -> None:
    """Answer until the parent hangs up."""
    while request := talk.recv(wire.MESSAGE_BYTES_MAX):
        try:
            if request == wire.RUN:
                answer: wire.Answer = outputs.write(engine.run(tensor_hwc))
            else:
                answer = wire.Proved(engine.prove(), engine.placement())
        except Exception as error:
            answer = failed(error)
        talk.send(wire.encode(answer))


def failed(error: Exception) -> wire.Failed:
    slug = error.slug if isinstance(error, VigieError) else ""
    reason = getattr(error, "reason", None) or f"{type(error).__name__}: {error}"
    remedy = getattr(error, "remedy", "")
    return wire.Failed(slug, f"{reason}; {remedy}"[:2000] if remedy else str(reason)[:2000])


def main(argument: str) -> int:
    start = msgspec.json.decode(argument, type=wire.Start)
    end_with_parent(start.lifeline)
    yield_to_others(start.nice)
    show_thread_name(ENGINE)
    talk = socket.socket(fileno=start.talk)
    try:
        cache = None if start.cache is None else Path(start.cache)
        settings = EngineSettings(spin=start.spin, strict=start.strict, cache=cache)
        engine = open_engine(load_bundle(Path(start.folder), digest=start.digest), start.candidate, settings=settings)
    except Exception as error:
        talk.send(wire.encode(failed(error)))
        return 1
    _, height, width, channels = engine.input_shape
    memory = mmap.mmap(start.inputs, height * width * channels, prot=mmap.PROT_READ)
    tensor_hwc = np.frombuffer(memory, np.uint8).reshape(height, width, channels)
    talk.send(wire.encode(wire.Opened(engine.provider, engine.threads, engine.input_shape)))
    serve(talk, engine, tensor_hwc, SharedOutputs(start.outputs))
    # A driver that hangs while it unloads must not keep the process: there is nothing left to save.
    os._exit(0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
