"""What the engine asks of a server, whatever carries it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from vigie.models.card import Card
from vigie.runtimes.engines.remote.messages import ModelFacts, ServerFacts


class RemoteModel(NamedTuple):
    """The model on that server, which must be the card's; ``version`` empty: the server's own choice."""

    model: str
    version: str
    card: Card

    @property
    def input_shape(self) -> tuple[int, ...]:
        """With the batch of 1."""
        return (1, self.card.input.height, self.card.input.width, 3)


class Transport(Protocol):
    """Used by one thread. What fails is a RemoteError that names the server."""

    def server(self) -> ServerFacts: ...

    def model(self) -> ModelFacts:
        """Raises: RemoteError: no such model, or it is not ready."""

    def infer(self, tensor: memoryview) -> list[NDArray[Any]]:
        """Outputs in the card's order. Raises: ValueError: the answer is not what the card promises."""

    def close(self) -> None: ...
