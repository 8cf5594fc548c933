"""Why a frame was not inferred, in words; metrics and ``--json`` keep the short names."""

from __future__ import annotations

from collections.abc import Mapping

REASONS = {
    "consumer_behind": "because a newer frame was ready first",
    "sync_behind": "because sync could not record as fast",
    "no_input_spec": "because the model was not known yet",
    "no_model": "because no model was serving",
    "overwritten": "because they were read too late",
    "ring_gone": "because their camera was removed",
    "expired": "because they waited too long on their route",
    "ring_full": "because shared memory had no free slot",
    "input_full": "because the stage behind could not keep up",
    "too_large": "because they were too large for a message",
    "ledger_full": "because the disk set aside for results was full",
}


def left_out(dropped: Mapping[str, int]) -> list[str]:
    """Frames that nobody inferred, each reason in words."""
    return [f"{count} {REASONS.get(reason, reason.replace('_', ' '))}" for reason, count in dropped.items()]
