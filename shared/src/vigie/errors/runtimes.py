"""Errors of engines and execution providers."""

from __future__ import annotations

from typing import ClassVar

from vigie.errors.base import PermanentError
from vigie.errors.models import ModelError


class EngineError(ModelError):
    """The runtime cannot load a variant, or failed while it ran it."""

    def __init__(self, model: str, reason: str, remedy: str = "") -> None:
        """``reason``: the runtime's own first line; ``remedy``: what to do, where that is known."""
        super().__init__(f"model '{model}': {reason}" + (f"; {remedy}" if remedy else ""))
        self.reason = reason
        self.remedy = remedy


class ProviderError(EngineError):
    """The execution provider that was asked for is not the one that would run."""

    slug: ClassVar[str] = "engine-provider"


class ProviderOptionError(PermanentError):
    """An option that a provider does not have, or a value that it does not take; the runtime would say nothing."""

    def __init__(self, provider: str, option: str, reason: str) -> None:
        """``reason`` names the nearest option, or what the value may be."""
        super().__init__(f"provider '{provider}': option '{option}' {reason}")
        self.reason = reason


class EngineDiedError(EngineError):
    """The process of an isolated engine ended; the next proven candidate answers."""

    def __init__(self, model: str, what: str, how: str, said: str) -> None:
        """``what`` it was doing; ``how`` it ended; ``said``: the last lines of its native code."""
        tail = f"; it said: {said}" if said else ""
        super().__init__(model, f"during {what} the engine's process {how}{tail}")


class EngineHungError(EngineError):
    """An isolated engine did not answer in time and its process was ended; the next proven candidate answers."""

    def __init__(self, model: str, what: str, limit_s: float) -> None:
        """``what`` it was doing."""
        super().__init__(model, f"during {what} the engine did not answer within {limit_s:g} s; its process was ended")


class EngineLiesError(EngineError):
    """An engine that agreed with the reference when it was measured does not any more; another one answers."""

    def __init__(self, model: str, why: str) -> None:
        """``why``: how far its answers are from the reference's."""
        super().__init__(model, f"its answers are wrong: {why}")


class ModelHungError(EngineError):
    """A run inside the module's own process did not end; the module ends and runs the model in a process of its own."""

    def __init__(self, model: str, limit_s: float) -> None:
        """``limit_s``: how long it was given."""
        super().__init__(
            model,
            f"a run did not end within {limit_s:g} s; the module starts anew and runs it in a process of its own, "
            "which can be ended",
        )


class EngineOutputError(EngineError):
    """A run gave NaN or infinity where the reference does not; the next proven candidate answers."""

    def __init__(self, model: str, output: int) -> None:
        """``output``: its number in graph order."""
        super().__init__(model, f"output {output} of a run holds NaN or infinity")
