"""A desired document taken part by part: a part with a mistake keeps what was in force, the others take effect.

A part is a top-level property; of a mapping (the cameras) each entry. Inside a part it is all or nothing.
"""

from __future__ import annotations

import copy
from typing import Any, Generic, TypeVar

import msgspec

from vigie.config.mistakes import Mistake, mistakes
from vigie.config.wording import alternatives
from vigie.errors import ConfigRefusedError

C = TypeVar("C")


class Parts(Generic[C]):
    """``config``: what may take effect; ``refused``: every mistake that was left out of it.

    A type may name ``ESSENTIAL`` properties: while nothing is in force yet, a mistake in one refuses everything,
    because its default would be something else than what was asked for.
    """

    def __init__(self, kind: type[C], desired: dict[str, Any], in_force: C | None) -> None:
        """Raises: ConfigRefusedError: nothing of it can be used."""
        self._kind, self._first = kind, in_force is None
        before = {} if in_force is None else msgspec.to_builtins(in_force)
        # Only what is no default: a default that is written out would stay when the default changes.
        self._before: dict[str, Any] = before
        self._kept = copy.deepcopy(desired)
        self._mappings = _mappings(kind)
        self._restored: set[tuple[str, ...]] = set()
        self.refused: list[Mistake] = []
        for mistake in mistakes(kind, desired):
            self._refuse(mistake)
        self.config: C = self._decoded()

    @property
    def properties(self) -> dict[str, Any]:
        """Desired properties that give ``config`` again."""
        return self._kept

    def refuse(self, error: ConfigRefusedError) -> None:
        """Leave out the part at fault, found only when it was to take effect.

        Raises: ConfigRefusedError: ``error`` itself, if there is no such part or it was left out already.
        """
        keys = tuple(key for key in error.path.removeprefix("$").replace("[", ".").replace("]", "").split(".") if key)
        if not keys or self._part(keys) in self._restored or keys[0] not in self._kept:
            raise error
        self._refuse(Mistake(keys, error.reason))
        self.config = self._decoded()

    def _refuse(self, mistake: Mistake) -> None:
        if not mistake.keys or (self._first and mistake.keys[0] in getattr(self._kind, "ESSENTIAL", ())):
            raise ConfigRefusedError(mistake.path, mistake.reason)
        self.refused.append(mistake)
        part = self._part(mistake.keys)
        if part in self._restored:
            return
        self._restored.add(part)
        kept, before = self._kept, self._before
        for key in part[:-1]:
            kept = kept.setdefault(key, {})
            before = before.get(key) or {}
        if before.get(part[-1]) is None:
            kept.pop(part[-1], None)
        else:
            kept[part[-1]] = before[part[-1]]

    def _part(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        return keys[:2] if keys[0] in self._mappings and len(keys) > 1 else keys[:1]

    def _decoded(self) -> C:
        try:
            return msgspec.convert(self._kept, self._kind, strict=True)
        except msgspec.ValidationError as error:
            raise ConfigRefusedError("$", str(error)) from error


def _mappings(kind: type[Any]) -> frozenset[str]:
    schema = msgspec.json.schema(kind)
    definitions = schema.get("$defs", {})
    properties = alternatives(schema, definitions)[0].get("properties", {})
    return frozenset(
        name
        for name, given in properties.items()
        if any(isinstance(one.get("additionalProperties"), dict) for one in alternatives(given, definitions))
    )
