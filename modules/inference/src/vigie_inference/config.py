"""Desired properties of the inference module."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from vigie.config.doorbells import DoorbellConfig
from vigie.runtimes.choosing.named_delegate import NamedDelegate
from vigie.runtimes.choosing.objective import Selection
from vigie_inference.drift.settings import DriftConfig
from vigie_inference.governor.settings import GovernorConfig
from vigie_inference.update.download_rules import DownloadRules
from vigie_inference.update.release import Release

MODELS_MAX = 5
# What an objective ranks by, and `power_critical`: by energy, with the governor at its last level.
AskedFor = Literal["auto", "latency", "throughput", "energy", "power_critical"]
ReleaseName = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which bundle serves: either by name or by path; without both the one that the image ships."""

    name: (
        Annotated[
            str,
            Meta(
                pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$",
                max_length=64,
                description="A bundle that the image ships or that lies in /models, by its folder's name.",
            ),
        ]
        | None
    ) = None
    path: (
        Annotated[
            str, Meta(min_length=1, description="Folder of the model bundle (holds card.yaml), in the container.")
        ]
        | None
    ) = None
    variant: (
        Annotated[str, Meta(min_length=1, description="Deprecated: use runtime.variant, which says the same.")] | None
    ) = None


class RemoteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An inference server on another machine that takes tensors as bytes (KServe v2): Triton, MLServer."""

    url: Annotated[
        str,
        Meta(
            pattern="^(https?|grpcs?)://[^@?#\\s]+$",
            max_length=500,
            description="http(s)://host[:port][/path] or grpc(s)://host:port; a private address, or one of "
            "VIGIE_REMOTE_NETWORKS.",
        ),
    ]
    model: Annotated[str, Meta(min_length=1, max_length=200, description="The model's name on that server.")]
    version: (
        Annotated[str, Meta(min_length=1, max_length=50, description="Of the model there; absent: its own choice.")]
        | None
    ) = None
    token: (
        Annotated[
            str,
            Meta(
                pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$",
                max_length=64,
                description="The secret that holds a bearer token; https only.",
            ),
        ]
        | None
    ) = None
    ca: (
        Annotated[
            str,
            Meta(
                pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$",
                max_length=64,
                description="The secret that holds the CA to trust, PEM.",
            ),
        ]
        | None
    ) = None

    def options(self) -> dict[str, str]:
        """For a candidate of the engine ``kserve``."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


class DelegateConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A delegate of LiteRT: a vendor's shared library that runs `.tflite` variants on its accelerator."""

    library: Annotated[
        str,
        Meta(
            pattern="^/[^:\\s]+$",
            max_length=300,
            description="Its path in the container, in a folder of VIGIE_DELEGATES (/usr/lib, /usr/local/lib, /opt).",
        ),
    ]
    device: Annotated[
        Literal["NPU", "GPU"], Meta(description="What it drives; the word for it in require, prefer and forbid.")
    ] = "NPU"
    options: Annotated[
        dict[
            Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)],
            Annotated[str, Meta(max_length=300)],
        ],
        Meta(max_length=16, description="Its own options, as its vendor documents them; given to it unchecked."),
    ] = {}

    def named(self) -> NamedDelegate:
        return NamedDelegate(self.library, self.device, self.options)


class RuntimeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the runtime is chosen for, and from what. A change ranks anew what was measured; nothing is reloaded."""

    objective: Annotated[
        AskedFor,
        Meta(
            description="auto: throughput while frames queue and for a minute after, else latency; latency: least time "
            "of a run; throughput: most frames per second, several at a time; energy: least joules; power_critical: "
            "least joules, and no more frames than `governor.rate_min`."
        ),
    ] = "auto"
    accuracy_floor: (
        Annotated[
            float,
            Meta(ge=0, le=1, description="Least agreement with the reference (F1 or top-1), above the card's own."),
        ]
        | None
    ) = None
    memory_mb_max: (
        Annotated[float, Meta(ge=1, description="Most memory that the engine's process may need, in MB.")] | None
    ) = None
    require: (
        Annotated[
            Selection,
            Meta(description="Only these may be chosen; if none can serve, the module is not ready and says why."),
        ]
        | None
    ) = None
    prefer: Annotated[Selection, Meta(description="The best of these, if any can serve.")] | None = None
    forbid: Annotated[Selection, Meta(description="Never these; one property that fits is enough.")] | None = None
    engine: Annotated[str, Meta(min_length=1, description="The one engine that may serve.")] | None = None
    variant: (
        Annotated[str, Meta(min_length=1, description="The one variant that may serve; absent: what is best here.")]
        | None
    ) = None
    isolate: Annotated[
        Literal["auto", "always"],
        Meta(
            description="auto: an engine with a driver runs in a process of its own, and so does a model that has hung "
            "once; always: every engine does, at 0.25 ms per frame and some 60 MB."
        ),
    ] = "auto"
    remote: (
        Annotated[
            RemoteConfig,
            Meta(description="One more candidate: this model on another machine, measured and compared as the rest."),
        ]
        | None
    ) = None
    delegate: (
        Annotated[
            DelegateConfig,
            Meta(description="One more candidate for each `.tflite` variant: LiteRT with this delegate."),
        ]
        | None
    ) = None
    canary_minutes: Annotated[
        float,
        Meta(
            ge=0,
            le=1440,
            description="How often a frame of the model's reference set runs on the serving engine, which is replaced "
            "if it answers wrongly; three runs each time. 0: never.",
        ),
    ] = 10.0
    measure: Annotated[
        Literal["auto", "off"],
        Meta(description="auto: what is not known of this machine is measured; off: only what is known counts."),
    ] = "auto"


class TrackingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Ids that objects keep from frame to frame; per camera, and only of models that find objects with boxes."""

    on: Annotated[bool, Meta(description="Whether detections carry `track`, the id of their object.")] = True
    lost_seconds: Annotated[
        float, Meta(gt=0, le=60, description="An object that is not seen for this long is another one when it returns.")
    ] = 1.0


class InferenceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is inferred and what of it is passed on. Changes of score, iou and classes apply to the next frame."""

    # A model that is refused at start must not be replaced by the one that ships.
    ESSENTIAL: ClassVar[frozenset[str]] = frozenset({"model"})

    model: ModelConfig | None = None
    models: (
        Annotated[
            dict[ReleaseName, Release],
            Meta(
                max_length=MODELS_MAX,
                description="Releases to fetch, try and serve, by name: one in place of what `model` names, others on "
                "the cameras that they name. Until one is committed, and after it is refused, what served goes on "
                "serving.",
            ),
        ]
        | None
    ) = None
    downloads: DownloadRules = DownloadRules()
    score: (
        Annotated[
            float, Meta(ge=0, le=1, description="Detections below this score are dropped; absent: the card's own.")
        ]
        | None
    ) = None
    iou: (
        Annotated[
            float,
            Meta(ge=0, le=1, description="Boxes of one class that overlap more are one; absent: the card's own."),
        ]
        | None
    ) = None
    classes: (
        Annotated[list[str], Meta(min_length=1, description="Labels to pass on; absent: all that the model knows.")]
        | None
    ) = None
    threads: (
        Annotated[
            int,
            Meta(ge=1, le=256, description="Threads of a run; absent: one or what the CPU quota allows, as measured."),
        ]
        | None
    ) = None
    tracking: TrackingConfig = TrackingConfig()
    drift: DriftConfig = DriftConfig()
    governor: GovernorConfig = GovernorConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    doorbells: DoorbellConfig = DoorbellConfig()
