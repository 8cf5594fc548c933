"""What a fault is: how it is put on the running system, what is promised of it, and what an operator sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from vigie_devkit.faults.ability import Ability
from vigie_devkit.faults.signs import Sign
from vigie_devkit.faults.system import PLAIN, Setup

P = ParamSpec("P")
S = TypeVar("S")
Put = Callable[[S], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``put`` takes the system of its kind, processes or containers, and is in force while its context is
    entered, for ``hold_s``. Always promised: no committed item is lost, none comes twice, each camera's items stay in
    order, and no module stays unready.

    ``what``: a phrase for the table. ``back_within_s``: from the fault's end to the first frame that was captured after
    it and has reached upstream. ``signs``: what an operator sees meanwhile or after, all of it. ``new_ledger``: the
    ledger's numbers may begin anew, because what was recorded is in doubt, and an item that was on its way may come
    again under another message id. ``flows_meanwhile``: frames that are captured while the fault is in force reach
    upstream before it ends. ``peers``: what others promise. ``needs``: what a container engine has to be able to do.
    """

    name: str
    what: str
    put: Put[Any]
    hold_s: float = 0.0
    back_within_s: float = 10.0
    signs: Sequence[Sign] = ()
    setup: Setup = PLAIN
    new_ledger: bool = False
    flows_meanwhile: bool = False
    peers: str = "none"
    needs: Sequence[Ability] = ()


def makes_put(act: Callable[Concatenate[S, P], Iterator[None]]) -> Callable[P, Put[S]]:
    """``act(system, ...)`` puts a fault up to its ``yield`` and then ends it: made to give a ``put`` for settings."""

    @wraps(act)
    def given(*args: P.args, **settings: P.kwargs) -> Put[S]:
        return lambda system: contextmanager(act)(system, *args, **settings)

    return given
