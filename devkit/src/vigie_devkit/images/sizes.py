"""What an image weighs: unpacked, beyond its base, and which part of it is how much."""

from __future__ import annotations

import json
from dataclasses import dataclass

from vigie_devkit.images.engine import Engine
from vigie_devkit.images.errors import NotBuiltError

MB = 1_000_000
# issue 7's bars, MB beyond the base image, unpacked.
BARS_MB = {"camera": 250, "preprocess": 250, "inference": 180, "sync": 50}


@dataclass(frozen=True)
class Size:
    """Bytes, unpacked. ``parts``: the heaviest packages in it, heaviest first, ``rest`` last."""

    total: int
    beyond_base: int
    parts: tuple[tuple[str, int], ...]


# Packages by the files that they installed; the libraries that a wheel carries lie in its ``<name>.libs``.
_WEIGH = """
import json, os, sys
site = next(path for path in sys.path if path.endswith("site-packages"))
def weight(path):
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names)
parts = {}
for name in os.listdir(site):
    path = os.path.join(site, name)
    if not name.endswith(".dist-info"):
        key = name.removesuffix(".libs").removesuffix(".py")
        key = "cv2" if key == "opencv_python_headless" else key
        parts[key] = parts.get(key, 0) + (weight(path) if os.path.isdir(path) else os.lstat(path).st_size)
parts["vigie"] = weight("/opt/vigie/app")
if os.path.isdir("/opt/vigie/models"):
    parts["models"] = weight("/opt/vigie/models")
print(json.dumps(parts))
"""


def size_of(engine: Engine, reference: str, *, heaviest: int = 6) -> Size:
    """Raises: NotBuiltError, EngineCommandError."""
    known = engine.image(reference)
    if known is None:
        raise NotBuiltError(reference)
    beyond = beyond_base(engine, reference)
    said = engine.ask("run", "--rm", "--network", "none", "--entrypoint", "python", reference, "-I", "-B", "-c", _WEIGH)
    parts: dict[str, int] = json.loads(said)
    ordered = sorted(parts.items(), key=lambda part: -part[1])
    top = ordered[:heaviest]
    rest = max(0, beyond - sum(size for _, size in top))
    return Size(known["Size"], beyond, (*top, ("rest", rest)))


def beyond_base(engine: Engine, reference: str) -> int:
    """Bytes of the layers on top of the base. Ours begin where the account is copied in; a base copies no such file."""
    said = engine.ask("history", "--no-trunc", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", reference)
    ours = [int(line.partition("\t")[0]) for line in said.splitlines() if "in /opt/vigie" in line or "in /etc/" in line]
    return sum(ours)
