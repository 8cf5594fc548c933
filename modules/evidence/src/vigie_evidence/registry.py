"""Which kinds of targets there are, and how one is made of an entry of the twin."""

from __future__ import annotations

from collections.abc import Iterator

from vigie.contracts.evidence import EvidenceFacts
from vigie_evidence.config import Azure, EvidenceConfig, Folder, WantedEvidence
from vigie_evidence.target import Surroundings, Target

Settings = Azure | Folder


def entries(config: EvidenceConfig) -> Iterator[tuple[str, Settings]]:
    """Every target: ``azure.site``, as its path in the twin, and its settings."""
    for name, azure in config.azure.items():
        yield f"azure.{name}", azure
    for name, folder in config.folders.items():
        yield f"folders.{name}", folder


def make(path: str, settings: Settings, around: Surroundings) -> Target:
    """Connects nothing yet. Raises: ConfigRefusedError with the path below the target's own."""
    if isinstance(settings, Azure):
        from vigie_evidence.azure.blob_target import BlobTarget

        return BlobTarget(settings, around)
    from vigie_evidence.folder_target import FolderTarget

    return FolderTarget(path.partition(".")[2], around)


def is_wanted(wanted: WantedEvidence, facts: EvidenceFacts) -> bool:
    """Whether a target gets it. A sample is nobody's alert."""
    if wanted.kinds is not None and facts.kind not in wanted.kinds:
        return False
    if wanted.cameras is not None and facts.camera not in wanted.cameras:
        return False
    return wanted.severity == "event" or (facts.about is not None and facts.about.severity == "alert")
