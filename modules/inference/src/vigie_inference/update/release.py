"""What the twin asks for: one release of a model and how it may come into service."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

CameraName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]*$", max_length=64)]


class Rollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a release may serve, and what brings the former model back."""

    id: Annotated[
        str, Meta(max_length=64, description="Reported with every state, so that a fleet's rings can be told apart.")
    ] = ""
    commit: Annotated[
        Literal["after", "manual", "immediate"],
        Meta(
            description="after: once the trial is passed; manual: by method promote_model, after the trial; immediate: "
            "without a trial, as soon as it runs; where nothing serves yet, it is measured while it does."
        ),
    ] = "after"
    trial: Annotated[
        Literal["auto", "beside", "in_turns"],
        Meta(
            description="beside: both models are open at a time. in_turns: the serving one makes room, and the release "
            "is judged on its reference frames only. auto: in turns where the memory is too little for both."
        ),
    ] = "auto"
    share: Annotated[
        float, Meta(gt=0, le=1, description="Share of the frames on which both models run during the trial, 0..1.")
    ] = 0.1
    frames: Annotated[int, Meta(ge=1, le=1_000_000, description="Frames that the trial needs at least.")] = 200
    objects: Annotated[
        int, Meta(ge=0, le=1_000_000, description="Objects that the serving model saw in them at least.")
    ] = 20
    agreement_min: Annotated[
        float,
        Meta(ge=0, le=1, description="Least agreement with the serving model: F1 of boxes of the same label, IoU 0.5."),
    ] = 0.8
    slower_max: Annotated[
        float, Meta(gt=0, description="Most that a run may take, as a multiple of the serving model's median.")
    ] = 2.0
    cpu_max: Annotated[
        float, Meta(gt=0, le=1, description="Most of one CPU that the trial may use; more frames are left out.")
    ] = 0.5
    probation_s: Annotated[
        float, Meta(ge=0, le=604_800, description="Seconds after the commit in which failures bring the former back.")
    ] = 600.0
    failures_max: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="Frames without an answer, or that the engine in reserve answered, which the probation allows.",
        ),
    ] = 3
    watch_share: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of the frames on which the model before runs too during the probation, which "
            "agreement_min and slower_max then count for. 0: none.",
        ),
    ] = 0.02


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One version of a model: a zipped bundle (``./vigie models export``), known by its hash."""

    version: Annotated[
        str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=64, description="Shown; must be the card's own.")
    ]
    source: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2048,
            description="https://... (a zip), oci://host/repository, or file:///models/x.zip on a volume of models.",
        ),
    ]
    sha256: Annotated[
        str,
        Meta(
            pattern="^[0-9a-f]{64}$",
            description="Of the archive, or of the artifact's manifest. It alone decides what it is.",
        ),
    ]
    size: Annotated[
        int, Meta(ge=1, le=4 << 30, description="Bytes of the archive, or of all files; more is never written.")
    ]
    secret: (
        Annotated[
            str,
            Meta(
                pattern="^[A-Za-z_][A-Za-z0-9_]*$",
                max_length=64,
                description="A secret of the device: a shared access signature for the URL, or user:password of a "
                "registry.",
            ),
        ]
        | None
    ) = None
    rollout: Rollout = Rollout()
    cameras: (
        Annotated[
            list[CameraName],
            Meta(
                min_length=1,
                max_length=64,
                description="Serve these cameras only, in place of the main model, which goes on with all others; "
                "absent: take the main model's place.",
            ),
        ]
        | None
    ) = None
    beside: Annotated[
        bool,
        Meta(description="See the frames of `cameras` (absent: of all) beside the model that serves them."),
    ] = False


def key_of(name: str, release: Release) -> str:
    """Names this very request: what was refused is not tried again until something in the request changes.

    Where it serves is no part of it: files that cannot serve one camera cannot serve another.
    """
    facts = msgspec.to_builtins(release)
    del facts["cameras"], facts["beside"]
    return hashlib.sha256(msgspec.json.encode((name, facts))).hexdigest()[:16]
