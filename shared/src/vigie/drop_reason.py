"""Why an item does not go on: the code that metrics, logs and the viewer name it by."""

from __future__ import annotations

from enum import StrEnum


class DropReason(StrEnum):
    """Of items on their way. Why the ledger drops what it has recorded is ``vigie.ledger.bounds.Drop``."""

    # pixels in shared memory
    OVERWRITTEN = "overwritten"
    RING_GONE = "ring_gone"
    RING_REFUSED = "ring_refused"
    BAD_REFERENCE = "bad_reference"
    RING_FULL = "ring_full"
    RING_BUSY = "ring_busy"
    NO_SPACE = "no_space"
    # messages between modules
    CONSUMER_BEHIND = "consumer_behind"
    INPUT_FULL = "input_full"
    REFUSED = "refused"
    TOO_LARGE = "too_large"
    UNCONFIRMED = "unconfirmed"
    # preprocess
    NO_INPUT_SPEC = "no_input_spec"
    UNDECODABLE = "undecodable"
    # inference
    INFERENCE_FAILED = "inference_failed"
    NO_MODEL = "no_model"
    PREPROCESS_DIED = "preprocess_died"
    SPEC_MISMATCH = "spec_mismatch"
    SYNC_BEHIND = "sync_behind"
    THROTTLED = "throttled"
    # events and evidence
    ACTIONS_AWAY = "actions_away"
    BAD_TIME = "bad_time"
    BLURRED = "blurred"
    CLIP_REFUSED = "clip_refused"
    DAMAGED = "damaged"
    EVIDENCE_PER_HOUR = "evidence_per_hour"
    FRAME_GONE = "frame_gone"
    GONE = "gone"
    NOT_KEPT = "not_kept"
    QUEUE_FULL = "queue_full"
    SPOOL_FULL = "spool_full"
    TOO_OLD = "too_old"
