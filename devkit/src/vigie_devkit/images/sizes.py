"""What an image weighs: unpacked, beyond its base, and which part of it is how much."""

from __future__ import annotations

import json
from dataclasses import dataclass

from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.errors import NotBuiltError

MB = 1_000_000
BASE_LABEL = "org.opencontainers.image.base.name"
# MB beyond the base image, unpacked. Of the camera's, PyAV with its FFmpeg is 107: DECODER=opencv stays below 250.
BARS_MB = {"camera": 380, "preprocess": 270, "inference": 180, "sync": 50, "viewer": 270, "actions": 50, "evidence": 50}


@dataclass(frozen=True)
class Size:
    """Bytes, unpacked. ``parts``: the heaviest packages in it, heaviest first, ``rest`` last.

    Where the base itself is not on the engine (an image that was loaded), ``beyond_base`` is the sum of the packages.
    """

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
if os.path.isdir("/models"):
    parts["models"] = weight("/models")
print(json.dumps(parts))
"""


def size_of(engine: ContainerEngine, reference: str, *, heaviest: int = 6) -> Size:
    """Raises: NotBuiltError, EngineCommandError."""
    known = engine.image(reference)
    if known is None:
        raise NotBuiltError(reference)
    said = engine.ask("run", "--rm", "--network", "none", "--entrypoint", "python", reference, "-I", "-B", "-c", _WEIGH)
    parts: dict[str, int] = json.loads(said)
    base = engine.image(known["Config"]["Labels"].get(BASE_LABEL, ""))
    beyond = known["Size"] - base["Size"] if base else sum(parts.values())
    ordered = sorted(parts.items(), key=lambda part: -part[1])
    top = ordered[:heaviest]
    rest = max(0, beyond - sum(size for _, size in top))
    return Size(known["Size"], beyond, (*top, ("rest", rest)))
