"""Names of blobs by a template: the same for the same evidence, whatever is tried again. Pure."""

from __future__ import annotations

import re
from string import Formatter

from vigie.contracts.evidence import EvidenceFacts

FIELDS = frozenset({"device", "camera", "kind", "type", "label", "zone", "date", "hour", "name", "ext"})
_PATH_MAX = 1024  # as Azure has it
_OTHER = re.compile(r"[^A-Za-z0-9_.-]+")
_TEMPLATE = re.compile(r"^[A-Za-z0-9_./{}-]+$")


def check_template(template: str) -> None:
    """Raises: ValueError: unknown fields, no {name}, or what a blob's name may not have."""
    try:
        fields = [
            (name, spec, conversion) for _, name, spec, conversion in Formatter().parse(template) if name is not None
        ]
    except ValueError as error:
        raise ValueError(f"path: {error}") from error
    unknown = sorted({name for name, spec, conversion in fields if name not in FIELDS or spec or conversion})
    if unknown:
        raise ValueError(f"path: unknown {', '.join(unknown)}; there are {', '.join(sorted(FIELDS))}")
    if "name" not in {name for name, _, _ in fields}:
        raise ValueError("path: has no {name}, so that evidence would replace other evidence")
    if (
        not _TEMPLATE.match(template)
        or template.startswith("/")
        or any(part in {"", ".", ".."} for part in template.split("/"))
    ):
        raise ValueError("path: letters, digits, '_', '-', '.' and fields, in parts between single '/'")


def blob_path(template: str, facts: EvidenceFacts, device: str) -> str:
    """The blob's name below its container. Raises: ValueError: longer than a blob's name may be."""
    about = facts.about
    values = {
        "device": device,
        "camera": facts.camera,
        "kind": facts.kind,
        "type": about.type if about is not None else "sample",
        "label": (about.label if about is not None else None) or "none",
        "zone": (about.zone if about is not None else None) or "none",
        # Of the capture and not of the clock now: a try tomorrow has the same name.
        "date": facts.at[:10],
        "hour": facts.at[11:13],
        "name": facts.name,
        "ext": facts.file.rpartition(".")[2],
    }
    parts = {name: _part(value, 200 if name == "name" else 64) for name, value in values.items()}
    path = template.format(**parts)
    if len(path) > _PATH_MAX:
        raise ValueError(f"the blob's name would have {len(path)} characters, {_PATH_MAX} may be; shorten 'path'")
    return path


def _part(value: str, longest: int) -> str:
    """What a twin, a model or a person named, as part of a path: it cannot leave its folder."""
    return _OTHER.sub("_", value)[:longest].strip(".") or "_"
