"""Desired properties of the evidence module: targets by name. A secret is named here and lies on the device."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from vigie.contracts.events import Severity
from vigie.contracts.evidence import Kind
from vigie.events.settings import Name
from vigie.transfers import QuietHours
from vigie_evidence.blob_path import check_template

TARGETS_MAX = 4
_SECRET = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"  # noqa: S105 - the form of a secret's name
Secret = Annotated[str, Meta(pattern=_SECRET)]
_Limit = Annotated[int, Meta(ge=1, le=1 << 50)]


class WantedEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which of the chosen files a target gets."""

    kinds: Annotated[list[Kind], Meta(min_length=1, description="snapshot, clip, sample; absent: all.")] | None = None
    severity: Annotated[Severity, Meta(description="'alert': evidence of alerts only.")] = "event"
    cameras: Annotated[list[Name], Meta(min_length=1, description="Cameras; absent: all.")] | None = None


class UploadSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When and how fast: a budget of its own, apart from that of events."""

    bytes_per_second: (
        Annotated[int, Meta(ge=4096, le=1 << 40, description="Rate of uploads; absent: as fast as it goes.")] | None
    ) = None
    bytes_per_day: Annotated[_Limit, Meta(description="Per day, which begins at 00:00 UTC.")] | None = None
    quiet_hours: QuietHours | None = None
    block_bytes: Annotated[
        int, Meta(ge=64 << 10, le=4 << 20, description="What is larger goes in blocks of this size.")
    ] = 1 << 20
    timeout_seconds: Annotated[float, Meta(ge=0.2, le=600, description="One request ends after so long.")] = 60.0
    retry_seconds: Annotated[
        float, Meta(ge=1, le=3600, description="Longest pause between tries; the first is 1 s, then doubled.")
    ] = 300.0


class Azure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A container of Azure Blob Storage, in the cloud or of the blob module on the edge."""

    url: Annotated[
        str,
        Meta(
            pattern="^https?://[^/?#@\\s]+(/[a-z0-9$-]{3,63}){1,2}$",
            max_length=1024,
            description="Of the container: https://ACCOUNT.blob.core.windows.net/CONTAINER, or "
            "http://MODULE:11002/ACCOUNT/CONTAINER of the edge module.",
        ),
    ]
    sas: (
        Annotated[Secret, Meta(description="Name of the device's secret that is a SAS of the container: racw or rcw.")]
        | None
    ) = None
    connection_string: (
        Annotated[Secret, Meta(description="Name of the device's secret that is the account's connection string.")]
        | None
    ) = None
    tls: Annotated[bool, Meta(description="false: http, for the module on the edge; whoever listens sees all.")] = True
    ca: (
        Annotated[Secret, Meta(description="File of the secrets folder with the CA that the server is checked by.")]
        | None
    ) = None
    api_version: Annotated[
        str, Meta(pattern="^20\\d\\d-\\d\\d-\\d\\d$", description="x-ms-version; 2017-04-17 for the edge module.")
    ] = "2021-12-02"
    path: Annotated[
        str,
        Meta(
            max_length=512,
            description="Of a blob: {device} {camera} {kind} {type} {label} {zone} {date} {hour} {name} {ext}; "
            "{name} makes it the only one.",
        ),
    ] = "{device}/{camera}/{date}/{name}.{ext}"
    retention_days: (
        Annotated[
            int,
            Meta(ge=1, le=36_500, description="Written into each blob's metadata; a lifecycle rule has to delete."),
        ]
        | None
    ) = None
    wanted: WantedEvidence = WantedEvidence()
    sending: UploadSettings = UploadSettings()

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything waits for it."""
        if (self.sas is None) == (self.connection_string is None):
            raise ValueError("expected one of sas and connection_string, the name of a secret of the device")
        if self.tls != self.url.startswith("https:"):
            raise ValueError("url and tls differ: https with tls true, http with tls false")
        check_template(self.path)


class Folder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A folder below the device's `VIGIE_EVIDENCE_FOLDER`: to look at evidence without an account."""

    path: Annotated[str, Meta(max_length=512, description="As of an Azure target.")] = "{camera}/{date}/{name}.{ext}"
    wanted: WantedEvidence = WantedEvidence()
    sending: UploadSettings = UploadSettings()

    def __post_init__(self) -> None:
        """As of Azure."""
        check_template(self.path)


class EvidenceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where evidence goes. Which events have some is sync's to say. Nothing leaves the device by default."""

    azure: Annotated[
        dict[Name, Azure], Meta(max_length=TARGETS_MAX, description="Containers, by a name of your choice.")
    ] = {}
    folders: Annotated[
        dict[Name, Folder], Meta(max_length=TARGETS_MAX, description="Folders, by a name of your choice.")
    ] = {}
    spool_bytes: Annotated[
        int,
        Meta(ge=1 << 20, le=1 << 40, description="Disk for what waits; full: samples go first, then the oldest."),
    ] = 512 << 20
    ttl_hours: Annotated[float, Meta(gt=0, le=8760, description="What has waited longer is not sent any more.")] = 72.0
