"""What really ran, as a value: the answer to "did I get what I asked for?"."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["full", "partial", "none", "emulated", "remote"]


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The evidence that an engine gives about itself.

    ``verdict``: ``full``: all that was asked for ran where it was asked; ``partial``: some nodes, or some time, went
    elsewhere, or an int8 variant ran in float; ``none``: nothing ran there; ``emulated``: placed as asked, on a
    software model of the device, so that placement and agreement count and speed says nothing; ``remote``: another
    machine answers, and what it runs on is not known here.
    ``asked``: the candidate's key. ``placed``: graph nodes per execution provider. ``cpu_time_share``: of the time in
    kernels, 0..1; ``None`` where the runtime does not tell. ``integer_kernels``: kernels with integer arithmetic in
    what was executed; ``None`` where it cannot be known. ``precisions``: executed kernels per number type, where known.
    ``reason`` and ``remedy``: sentences; ``remedy`` is empty when there is nothing to mend.
    """

    verdict: Verdict
    asked: str
    placed: dict[str, int]
    cpu_time_share: float | None
    integer_kernels: int | None
    reason: str
    remedy: str
    precisions: dict[str, int] = {}
