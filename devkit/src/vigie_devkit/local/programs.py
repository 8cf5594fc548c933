"""What runs: the hub and one process per module, with the environment that a device would give them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from vigie.contracts.names import ACTIONS, CAMERA, EVIDENCE, SYNC, VIEWER
from vigie_devkit.local.manifest import modules_of
from vigie_devkit.local.paths import RunPaths, bundle_shelves, measurements_folder
from vigie_devkit.local.supervisor import Program
from vigie_devkit.manifest.doorbells import doorbells_of
from vigie_edgehub.routes.config import parse_edgehub_desired
from vigie_edgehub.routes.table import Route

HUB = "hub"
# The name under which modules reach the hub, where something stands between them and it; without it: its address.
GATEWAY = "VIGIE_GATEWAY_HOSTNAME"
# Sync flushes its ledger last; the hub drains connections.
_GRACE_S = {"camera": 1.2, "preprocess": 0.8, "inference": 0.8, "sync": 1.5, HUB: 1.2}


def python(module: str) -> list[str]:
    """-I: neither PYTHONPATH nor the working folder may change what was installed by hash."""
    return [sys.executable, "-I", "-m", module]


def inherited_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The person's environment without what would lead a module astray: another device's identity, proxies."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("IOTEDGE_")
        and not name.lower().endswith("_proxy")
        and name not in {"EdgeHubConnectionString", "EdgeModuleCACertificateFile"}
    }


def hub_program(run: RunPaths, listen: str) -> Program:
    command = [*python("vigie_edgehub"), "run", "--manifest", str(run.manifest), "--state", str(run.hub)]
    if gateway := os.environ.get(GATEWAY):
        command += ["--gateway-hostname", gateway]
    return Program(
        name=HUB,
        command=[*command, "--listen", listen],
        environment=lambda: {"VIGIE_LOG": "json", **inherited_environment(os.environ)},
        log=run.log(HUB),
        grace_s=_GRACE_S[HUB],
    )


def module_program(run: RunPaths, module: str) -> Program:
    return Program(
        name=module,
        command=python(f"vigie_{module}"),
        environment=lambda: module_environment(run, module),
        log=run.log(module),
        grace_s=_GRACE_S.get(module, 1.0),
    )


def module_environment(run: RunPaths, module: str) -> dict[str, str]:
    """What edgeAgent would inject, as the hub tells it, and where this run keeps the module's things."""
    from vigie_edgehub.environment import module_environment as injected

    return {
        "VIGIE_LOG": "json",
        # The twin is this person's own, and cameras for a try often run on the same machine.
        "VIGIE_CAMERA_NETWORKS": "0.0.0.0/0 ::/0",
        "VIGIE_ACTION_HOSTS": "0.0.0.0/0 ::/0",
        **inherited_environment(os.environ),
        "VIGIE_STATE": str(run.module(module)),
        "VIGIE_EVIDENCE": str(run.module(CAMERA) / "evidence"),
        "VIGIE_EVIDENCE_FOLDER": str(run.module(EVIDENCE) / "folders"),
        "VIGIE_FRAMES": str(run.frames),
        "VIGIE_DOORBELLS": doorbells_of(_routes(run.manifest), module),
        "VIGIE_HTTP": "127.0.0.1:0",
        "VIGIE_SECRETS": str(run.secrets),
        "VIGIE_RUNTIMES": str(measurements_folder()),
        "VIGIE_MODELS": os.pathsep.join(map(str, (*bundle_shelves(), run.releases))),
        **injected(run.hub_json, module),
        **(page_environment(run, os.environ) if module == VIEWER else {}),
        **({"VIGIE_EVENT_RECEIVERS": ACTIONS if _deployed(run.manifest, ACTIONS) else ""} if module == SYNC else {}),
    }


def _deployed(manifest: Path, module: str) -> bool:
    return module in modules_of(json.loads(manifest.read_bytes()))


def _routes(manifest: Path) -> Sequence[Route]:
    content = json.loads(manifest.read_bytes())
    return parse_edgehub_desired(content["modulesContent"]["$edgeHub"]["properties.desired"]).routes


def page_environment(run: RunPaths, environ: Mapping[str, str]) -> dict[str, str]:
    """Where the page is served (the person's own ``VIGIE_PAGE`` wins), and what of this run it may change.

    The hub whose twins it patches, and the folder of the desk that takes model files dropped on it.
    """
    page = environ.get("VIGIE_PAGE") or run.page.read_text(encoding="utf-8").strip()
    return {"VIGIE_PAGE": page, "VIGIE_HUB_SERVICE": str(run.hub_json), "VIGIE_MODEL_DESK": str(run.folder)}
