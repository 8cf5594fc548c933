"""Whether an image holds exactly what it should: packages of its lock, user, entry, labels, nothing to build with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from vigie_devkit.images import sbom
from vigie_devkit.images.catalogue import Image
from vigie_devkit.images.engine import ContainerEngine
from vigie_devkit.images.errors import NotBuiltError
from vigie_devkit.images.locked import locked, own_distributions
from vigie_devkit.images.sizes import BARS_MB, MB, size_of

# Settings of a build that would tell where somebody's mirror is, or hold its password.
_LEAKS = re.compile(r"PIP_(INDEX|EXTRA|TRUSTED|FIND_LINKS|PROXY)\w*=|\w*_proxy=|://[^/\s]*@", re.IGNORECASE)

_LOOK = """
import glob, hashlib, importlib.metadata, importlib.util, json, os, shutil
dists = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()
         if str(d._path).startswith("/opt/vigie/")}
tools = [n for n in ("cc", "gcc", "g++", "ld", "make", "cmake", "curl", "git") if shutil.which(n)]
given = [os.path.join(f, n) for f, _, names in os.walk("/opt/vigie") for n in names
         if n in ("pip.conf", "ca.pem", "direct_url.json", "assemble.py")]
bill = json.load(open("/opt/vigie/sbom.cdx.json")) if os.path.exists("/opt/vigie/sbom.cdx.json") else None
cards = {os.path.basename(os.path.dirname(p)): hashlib.sha256(open(p, "rb").read()).hexdigest()
         for p in glob.glob("/models/*/card.yaml")}
print(json.dumps({"bill": bill, "cards": cards, "uid": os.getuid(), "gid": os.getgid(), "dists": dists,
                  "tools": tools, "given": given}))
"""


def check_image(engine: ContainerEngine, image: Image, reference: str, *, version: str) -> list[str]:
    """Findings, a sentence each; empty when the image is as it should be.

    Raises: NotBuiltError, EngineCommandError.
    """
    known = engine.image(reference)
    if known is None:
        raise NotBuiltError(reference)
    said = engine.ask(
        "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
        "--entrypoint", "python", reference, "-I", "-B", "-c", _LOOK,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(said)
    history = engine.ask("history", "--no-trunc", "--format", "{{.CreatedBy}}", reference)
    return [
        *_findings_of_config(image, known["Config"], version),
        *_findings_of_packages(image, found["dists"]),
        *sbom.findings(image, found["bill"], found["dists"], found["cards"]),
        *(f"holds {name}, which builds or fetches things" for name in found["tools"]),
        *(f"holds {path}, left by the build" for path in found["given"]),
        *(f"its history tells a setting of the build: {match[0]}" for match in _LEAKS.finditer(history)),
        *([] if f"{found['uid']}:{found['gid']}" == image.user else [f"runs as {found['uid']}:{found['gid']}"]),
        *_findings_of_size(engine, image, reference),
    ]


def _findings_of_config(image: Image, config: Mapping[str, Any], version: str) -> Iterator[str]:
    wanted_labels = {
        "org.opencontainers.image.version": version,
        "vigie.module": image.name,
        "vigie.platform": image.key,
    }
    labels = config.get("Labels") or {}
    for name, value in wanted_labels.items():
        if labels.get(name) != value:
            yield f"label {name} is {labels.get(name)!r}, expected {value!r}"
    if config.get("User") != image.user:
        yield f"user is {config.get('User')!r}, expected {image.user!r}"
    if tuple(config.get("Entrypoint") or ()) != image.entry:
        yield f"entry point is {config.get('Entrypoint')}, expected {list(image.entry)}"
    if tuple((config.get("Healthcheck") or {}).get("Test") or ()) != ("CMD", *image.health):
        yield f"health check is {config.get('Healthcheck')}, expected {list(image.health)}"
    if config.get("StopSignal") != "SIGTERM":
        yield f"stop signal is {config.get('StopSignal')!r}, expected 'SIGTERM'"
    for setting in config.get("Env") or ():
        if _LEAKS.search(setting) and not setting.startswith("PIP_CERT="):
            yield f"its environment tells a setting of the build: {setting.partition('=')[0]}"


def _findings_of_packages(image: Image, dists: Mapping[str, str]) -> Iterator[str]:
    wanted = {**locked(image), **own_distributions(image)}
    found = {canonicalize_name(name): version_of for name, version_of in dists.items()}
    for name in sorted(wanted.keys() - found.keys()):
        yield f"lacks {name} {wanted[name]}"
    for name in sorted(found.keys() - wanted.keys()):
        yield f"holds {name} {found[name]}, which {image.lock} does not pin"
    for name in sorted(found.keys() & wanted.keys()):
        if found[name] != wanted[name]:
            yield f"holds {name} {found[name]}, expected {wanted[name]}"


def _findings_of_size(engine: ContainerEngine, image: Image, reference: str) -> Iterator[str]:
    bar = BARS_MB.get(image.name)
    if bar is None or "-" in image.key:  # an accelerator's libraries weigh what they weigh
        return
    beyond = size_of(engine, reference).beyond_base / MB
    if beyond > bar:
        yield f"weighs {beyond:.0f} MB beyond its base, the bar is {bar}"
