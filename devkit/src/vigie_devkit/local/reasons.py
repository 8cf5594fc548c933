"""Why a frame was not inferred or a camera failed, in words; metrics and ``--json`` keep the short names."""

from __future__ import annotations

from collections.abc import Mapping

REASONS = {
    "consumer_behind": "because a newer frame was ready first",
    "sync_behind": "because sync could not record as fast",
    "no_input_spec": "because the model was not known yet",
    "no_model": "because no model was serving",
    "overwritten": "because they were read too late",
    "ring_gone": "because their camera was removed",
    "preprocess_died": "because preprocess ended before it sent them",
    "expired": "because they waited too long on their route",
    "ring_full": "because shared memory had no free slot",
    "input_full": "because the stage behind could not keep up",
    "too_large": "because they were too large for a message",
    "ledger_full": "because the disk set aside for results was full",
    "over_bound": "because more waited for the cloud than may",
    "rejected": "because no more may wait for the cloud",
    "too_old": "because they waited for the cloud too long",
    "folded": "because they were made into counts while they waited for the cloud",
    "purged": "because `purge` was called",
}

# By the cause that the camera module counts failures under.
FAILURES = {
    "dns": "the host name is unknown",
    "refused": "nothing listens there",
    "unreachable": "no way to the host",
    "timeout": "no answer in time",
    "unauthorised": "user or password refused",
    "not_found": "the camera does not know the path",
    "no_video": "there is no video in it",
    "unsupported_codec": "a codec that cannot be decoded here",
    "decode": "the video cannot be decoded",
    "stalled": "the stream stopped",
    "frozen": "the picture no longer changes",
    "black": "the picture is black",
    "tampered": "the view was tampered with",
    "rate": "frames come at another rate than expected",
    "size": "frames come in another size than expected",
    "other": "see ./vigie logs camera",
}


def failure(cause: str) -> str:
    """Why a camera failed; a cause without words of its own is shown as it is."""
    return FAILURES.get(cause, cause.replace("_", " "))


def left_out(dropped: Mapping[str, int]) -> list[str]:
    """Frames that nobody inferred, each reason in words."""
    return [f"{count} {REASONS.get(reason, reason.replace('_', ' '))}" for reason, count in dropped.items()]
