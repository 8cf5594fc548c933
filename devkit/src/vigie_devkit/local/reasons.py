"""Why a frame was not inferred or a camera failed, in words; metrics and ``--json`` keep the short names."""

from __future__ import annotations

from collections.abc import Mapping

# Each is true of one frame and of many. Which codes there are: DropReason, and the ledger's Drop.
REASONS = {
    "overwritten": "because the reader came too late",
    "ring_gone": "because the camera was removed",
    "ring_refused": "because the memory of the camera may not be read",
    "bad_reference": "because the message named no place in memory",
    "ring_full": "because shared memory had no free slot",
    "ring_busy": "because another process writes that memory",
    "no_space": "because shared memory was full",
    "consumer_behind": "because a newer frame was ready first",
    "input_full": "because the stage behind could not keep up",
    "refused": "because the hub refused the message",
    "too_large": "because a message holds no more",
    "unconfirmed": "because the receiver never confirmed it",
    "no_input_spec": "because the model was not known yet",
    "undecodable": "because the picture could not be decoded",
    "inference_failed": "because the model failed",
    "no_model": "because no model was serving",
    "preprocess_died": "because preprocess ended first",
    "spec_mismatch": "because another model serves by now",
    "sync_behind": "because sync could not record as fast",
    "throttled": "to spare the machine",
    "actions_away": "because the actions module did not answer in time",
    "bad_time": "because the time of capture was not valid",
    "blurred": "because a blurred sample teaches nothing",
    "clip_refused": "because the camera gave no clip",
    "damaged": "because the evidence was damaged on the disk",
    "evidence_per_hour": "because the twin allows no more evidence in an hour",
    "frame_gone": "because the frame left shared memory before its evidence was kept",
    "gone": "because the frames had left before evidence was made",
    "not_kept": "because the camera could not keep the evidence",
    "queue_full": "because more waited for a receiver of actions than may",
    "spool_full": "because the disk set aside for evidence was full",
    "ledger_full": "because the disk set aside for results was full",
    "over_bound": "because more waited for the cloud than may",
    "rejected": "because no more may wait for the cloud",
    "too_old": "because the wait for the cloud was too long",
    "folded": "because only counts were kept while the cloud was away",
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
