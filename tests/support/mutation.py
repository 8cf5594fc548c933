"""Inputs that are nearly valid: seeds, and what a few edits make of them; the same random numbers give the same inputs.

Not Hypothesis, which the suite uses elsewhere: drawing costs it milliseconds, and here the number of inputs counts.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

# What parsers trip over: lengths, signs, ends of ranges, ends of strings, path parts, markup of every format here.
TOKENS = [
    b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x80\x80\x80\x80\x80", b"\x7f\xff\xff\xff", b"\r\n", b"\n\n", b'"', b"\\",
    b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]", b"[" * 200, b'{"a":' * 200, b"null", b"true", b"-1", b"1e400",
    b"-0", b"9" * 40, b"NaN", b"Infinity", b"../", b"/", b"%00", b"%ff", b"${X}", b"://", b"@", b"*a", b"&a",
    b"!!python/object:os.system",
    b": ", b"- ", b"\xe2\x80\xae", b"\xed\xa0\x80", b"PK\x01\x02", b"PK\x05\x06", b"$", b"AND", b"(" * 100, b"'",
]  # fmt: skip
STRANGE: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e308, 2**31, 2**53 + 1, 2**64, 10**30, "", "x", "\0", "$x", "${X}",
    "../..", "\ud800", "NaN", "\u202e", "1e5", "a" * 5000,
    [], [None], [[[1]]], [1] * 300, {}, {"": None}, {"a": {"b": {}}}, {"$x": 1},
]  # fmt: skip

_EDITS = ("flip", "insert", "delete", "repeat", "cut", "splice")
_CHANGES = ("set", "remove", "add", "swap")


@dataclass(frozen=True)
class Draft:
    """One input as what made it: a seed and edits, which can be left out one by one."""

    seed: int
    other: int
    changes: tuple[tuple[str, int, Any], ...] = ()
    edits: tuple[tuple[str, int, int, bytes], ...] = ()


class Mutations:
    """``seeds``: bytes, or JSON trees, whose members are changed too."""

    def __init__(self, seeds: Sequence[Any]) -> None:
        self._seeds = list(seeds)

    @property
    def count(self) -> int:
        return len(self._seeds)

    def draw(self, random: Random) -> Draft:
        structured = not isinstance(self._seeds[0], bytes)
        changes = random.choices(range(1, 6))[0] if structured else 0
        edits = random.randrange(0, 3) if structured and random.random() < 0.8 else random.randrange(1, 7)
        return Draft(
            random.randrange(len(self._seeds)),
            random.randrange(len(self._seeds)),
            tuple((random.choice(_CHANGES), random.getrandbits(24), random.choice(STRANGE)) for _ in range(changes)),
            tuple(self._edit(random) for _ in range(edits)) if not structured or random.random() < 0.3 else (),
        )

    def build(self, draft: Draft) -> bytes:
        if isinstance(self._seeds[0], bytes):
            return _edited(self._seeds[draft.seed], self._seeds[draft.other], draft.edits)
        tree = _changed(self._seeds[draft.seed], draft.changes)
        return _edited(json.dumps(tree).encode(), json.dumps(self._seeds[draft.other]).encode(), draft.edits)

    def shrunk(self, draft: Draft, fails: Callable[[bytes], bool]) -> Draft:
        """As few edits as still fail."""
        smaller = True
        while smaller:
            smaller = False
            for field in ("changes", "edits"):
                steps = getattr(draft, field)
                for index in range(len(steps)):
                    shorter = replace(draft, **{field: steps[:index] + steps[index + 1 :]})
                    if fails(self.build(shorter)):
                        draft, smaller = shorter, True
                        break
        return draft

    @staticmethod
    def _edit(random: Random) -> tuple[str, int, int, bytes]:
        token = random.choice(TOKENS) if random.random() < 0.6 else random.randbytes(random.randrange(1, 9))
        return random.choice(_EDITS), random.getrandbits(24), random.getrandbits(16), token


def _edited(seed: bytes, other: bytes, edits: Sequence[tuple[str, int, int, bytes]]) -> bytes:
    data = bytearray(seed)
    for kind, first, second, token in edits:
        at = first % (len(data) + 1)
        length = second % 64
        match kind:
            case "flip" if data:
                data[at % len(data)] ^= 1 << (second % 8)
            case "insert":
                data[at:at] = token
            case "delete":
                del data[at : at + length]
            case "repeat":
                data[at:at] = bytes(data[at : at + length]) * (1 + second % 5)
            case "cut":
                del data[at:]
            case "splice":
                data[at:] = other[second % (len(other) + 1) :]
    return bytes(data[: 1 << 20])


def _changed(seed: Any, changes: Sequence[tuple[str, int, Any]]) -> Any:
    tree = copy.deepcopy(seed)
    for kind, place, value in changes:
        spots = list(_spots(tree))
        if not spots:
            return value
        parent, key = spots[place % len(spots)]
        match kind:
            case "set":
                parent[key] = copy.deepcopy(value)
            case "remove":
                del parent[key]
            case "add" if isinstance(parent, dict):
                parent[str(value)[:20]] = parent[key]
            case "swap":
                other, name = spots[(place // 7) % len(spots)]
                parent[key] = copy.deepcopy(other[name])
    return tree


def _spots(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        here = waiting.pop()
        keys = here.keys() if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ()
        for key in keys:
            found.append((here, key))
            waiting.append(here[key])
    return found
