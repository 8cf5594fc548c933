"""What this machine has for a bundle, looked at once."""

from __future__ import annotations

import threading
from typing import Any

from vigie.errors import ConfigRefusedError
from vigie.runtimes.choosing.candidates_here import Here, candidates_here
from vigie.runtimes.choosing.objective import Objective
from vigie_inference.config import InferenceConfig
from vigie_inference.objective import objective_of
from vigie_inference.serving import LoadedBundle


class Looking:
    """From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked: dict[tuple[Any, ...], Here] = {}

    def at(self, loaded: LoadedBundle, config: InferenceConfig, objective: Objective) -> Here:
        """The candidates of this machine. A software model serves only who requires it."""
        remote = None if config.runtime.remote is None else config.runtime.remote.options()
        delegate = None if config.runtime.delegate is None else config.runtime.delegate.named()
        asked = (tuple(sorted((remote or {}).items())), "" if delegate is None else repr(delegate))
        key = (loaded.bundle.digest, config.threads, not objective.require.names_nothing(), asked)
        with self._lock:
            known = self._looked.get(key)
        if known is None:
            known = candidates_here(loaded.bundle, config.threads, emulation=key[2], remote=remote, delegate=delegate)
            with self._lock:
                self._looked[key] = known
        return known

    def check(self, loaded: LoadedBundle, config: InferenceConfig) -> Here:
        """The same. Raises: ConfigRefusedError: it does not have the engine that is asked for."""
        here = self.at(loaded, config, objective_of(config))
        pin = config.runtime.engine
        if pin is not None and not any(one.engine == pin for one in here.candidates):
            known = ", ".join(sorted({one.engine for one in here.candidates}))
            why = here.why_not(pin)
            raise ConfigRefusedError("$.runtime.engine", f"{pin!r} cannot serve here: {why}; there are: {known}")
        return here
