"""An engine in a process of its own: a driver that crashes or hangs costs one frame's time, not the module."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vigie.errors import EngineDiedError, EngineError, EngineHungError, ImageShapeError, ProviderError
from vigie.models.bundle import Bundle
from vigie.runtimes.candidate import Candidate
from vigie.runtimes.engines import isolated_messages as wire
from vigie.runtimes.engines.engine import CardEngine, EngineSettings
from vigie.runtimes.proof import Proof

LOAD_LIMIT_S = 120.0
RUN_LIMIT_S = 10.0
_END_S = 1.0
_LAST_LINES = 8


class IsolatedEngine(CardEngine):
    """See ``vigie.runtimes.Engine``; used by one thread at a time. After an error that says so its process is gone."""

    def __init__(self, bundle: Bundle, candidate: Candidate, settings: EngineSettings, *, nice: int) -> None:
        """Start the process; ``open`` waits for it."""
        card = bundle.card
        super().__init__(card, candidate, candidate.provider)
        self._model = f"{card.name}/{candidate.key}"
        self.run_limit_s = RUN_LIMIT_S
        self._said: deque[str] = deque(maxlen=_LAST_LINES)
        size = card.input.height * card.input.width * 3
        with contextlib.ExitStack() as ours:
            inputs, self._outputs_fd = (os.memfd_create(f"vigie-{name}", os.MFD_CLOEXEC) for name in ("in", "out"))
            ours.callback(os.close, inputs)
            os.ftruncate(inputs, size)
            self._input = np.frombuffer(mmap.mmap(inputs, size), np.uint8).reshape(self.input_shape[1:])
            lifeline, self._lifeline = os.pipe()
            ours.callback(os.close, lifeline)
            self._talk, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.callback(theirs.close)
            start = wire.Start(
                talk=theirs.fileno(),
                lifeline=lifeline,
                inputs=inputs,
                outputs=self._outputs_fd,
                folder=str(bundle.folder),
                digest=bundle.digest,
                candidate=candidate,
                spin=settings.spin,
                strict=settings.strict,
                cache=None if settings.cache is None else str(settings.cache),
                nice=nice,
            )
            self._process = subprocess.Popen(
                [*python_module("vigie.runtimes.engines.isolated_child"), wire.encode(start).decode()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(), lifeline, inputs, self._outputs_fd),
                env=os.environ | {"ORT_DISABLE_TELEMETRY": "1"},
                process_group=0,
            )
        self.pid = self._process.pid
        self._map: mmap.mmap | None = None
        self._map_size = 0
        self._listener = threading.Thread(target=self._listen, name="engine.said", daemon=True)
        self._listener.start()

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        candidate: Candidate,
        settings: EngineSettings,
        *,
        load_limit_s: float = LOAD_LIMIT_S,
        nice: int = 0,
    ) -> Self:
        """Start and load.

        Raises: ProviderError, EngineError: the engine refuses. EngineDiedError: its process ended.
            EngineHungError: not loaded in time.
        """
        engine = cls(bundle, candidate, settings, nice=nice)
        try:
            answer = engine._answer("loading", load_limit_s)
        except BaseException:
            engine.close()
            raise
        if not isinstance(answer, wire.Opened):  # the child speaks first, and Failed was raised
            engine.close()
            raise EngineError(engine._model, f"its process answered {type(answer).__name__} while loading")
        engine.provider, engine.threads = answer.provider, answer.threads
        return engine

    def run(self, tensor_hwc: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """See ``Engine``. Raises: EngineDiedError, EngineHungError: the engine is of no more use."""
        if tensor_hwc.shape != self.input_shape[1:] or tensor_hwc.dtype != np.uint8:
            expected, got = f"{self.input_shape[1:]} uint8", f"{tensor_hwc.shape} {tensor_hwc.dtype}"
            raise ImageShapeError("tensor", expected=expected, got=got)
        self._input[...] = tensor_hwc
        answer = self._ask(wire.RUN, "a run", self.run_limit_s)
        if not isinstance(answer, wire.Ran):
            raise EngineError(self._model, f"its process answered {type(answer).__name__} to a run")
        if self._map is None or answer.size > self._map_size:
            self._map, self._map_size = mmap.mmap(self._outputs_fd, answer.size, prot=mmap.PROT_READ), answer.size
        return [self._view(place) for place in answer.outputs]

    def prove(self) -> Proof:
        """See ``Engine``; the process proves itself, so this may take as long as a few runs."""
        return self._proved().proof

    def placement(self) -> dict[str, int]:
        return self._proved().placement

    def close(self) -> None:
        """End the process: by hanging up, and by force where that does not help."""
        self._talk.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._kill()
        # Closed last: an open lifeline is what keeps the child from being ended by signal.
        for number in (self._lifeline, self._outputs_fd):
            with contextlib.suppress(OSError):
                os.close(number)
        self._lifeline = self._outputs_fd = -1
        self._map = None

    def _proved(self) -> wire.Proved:
        answer = self._ask(wire.PROVE, "the proof", LOAD_LIMIT_S)
        if not isinstance(answer, wire.Proved):
            raise EngineError(self._model, f"its process answered {type(answer).__name__} to a proof")
        return answer

    def _ask(self, request: bytes, what: str, limit_s: float) -> wire.Answer:
        try:
            self._talk.send(request)
        except OSError:
            raise self._died(what) from None
        return self._answer(what, limit_s)

    def _answer(self, what: str, limit_s: float) -> wire.Answer:
        self._talk.settimeout(limit_s)
        try:
            packet = self._talk.recv(wire.MESSAGE_BYTES_MAX)
        except TimeoutError:
            self._kill()
            raise EngineHungError(self._model, what, limit_s) from None
        except OSError:
            packet = b""
        if not packet:
            raise self._died(what)
        answer = wire.decode_answer.decode(packet)
        if isinstance(answer, wire.Failed):
            kind = ProviderError if answer.slug == ProviderError.slug else EngineError
            raise kind(self._model, answer.reason)
        return answer

    def _view(self, place: wire.OutputPlace) -> NDArray[Any]:
        dtype = np.dtype(place.dtype)
        count = int(np.prod(place.shape, dtype=np.int64))
        if self._map is None or place.offset + count * dtype.itemsize > self._map_size:
            raise EngineError(self._model, "its process names outputs beyond the shared memory")
        return np.frombuffer(self._map, dtype, count, place.offset).reshape(place.shape)

    def _died(self, what: str) -> EngineDiedError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self._kill()
        self._listener.join(_END_S)
        return EngineDiedError(self._model, what, end_in_words(self._process.returncode), " | ".join(self._said))

    def _kill(self) -> None:
        if self._process.poll() is None:  # once it is reaped its number may be another's
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)

    def _listen(self) -> None:
        """Keep the last lines that native code wrote: they often hold the only reason there is."""
        stream = self._process.stdout
        if stream is not None:
            with stream:
                for line in stream:
                    self._said.append(line.decode(errors="replace").strip()[:200])


def python_module(name: str) -> list[str]:
    """The command of a child of this program: as shut off from the environment as this one is."""
    return [sys.executable, *(["-I"] if sys.flags.isolated else []), "-m", name]


def end_in_words(code: int | None) -> str:
    """How a process ended, for an operator."""
    if code is None:
        return "does not end"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"was ended by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
    return f"ended with exit code {code}"
