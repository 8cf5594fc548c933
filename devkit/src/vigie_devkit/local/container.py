"""The hub of `compose.yaml`: the manifest with the cameras and the model of the environment, then the hub itself.

``VIGIE_CAMERA``: sources separated by blanks, as `./vigie up` takes them; a path is one inside the camera container.
Sources with passwords come as the secret `CAMERAS`, one per line: `docker inspect` shows a container's environment.
``VIGIE_MODEL``: bundle folder inside the inference container. Paths of the container are fixed here and used by the
generator of `compose.yaml`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from vigie.private_files import keep_files_private
from vigie_devkit.local.errors import LocalError, SourceError
from vigie_devkit.local.manifest import local_manifest
from vigie_devkit.local.prepare import write_secrets
from vigie_devkit.local.secret_values import SecretValues
from vigie_devkit.local.sources import DEFAULT_SOURCE, CameraSource, hide_passwords, name_for, read_source, unique

HOME = "/var/lib/vigie"
MANIFEST = "/etc/vigie/deployment.template.json"
CAMERAS = "/run/secrets/cameras"
CAMERAS_VARIABLE = "VIGIE_CAMERA_FILE"
CAMERA_SECRETS = "/run/camera-secrets"
WORKLOAD = "/run/workload"
"""In the hub: one folder a module, each a volume of its own, so that no module reaches another's identity."""
MODULE_WORKLOAD = "/run/iotedge"
"""In a module: its folder of `WORKLOAD`."""
DEFAULT_MODEL = "/models/conveyor-parts"
DEVICE = "vigie-device"
IOTHUB = "local.azure-devices.net"
SERVICE_PORT = 9443
EVERYWHERE = "0.0.0.0"  # noqa: S104 - in a container on networks of its own; nothing is published
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def main(arguments: list[str]) -> int:
    """Prepare, then be the hub until SIGTERM. Returns: the exit code."""
    from vigie_edgehub.__main__ import main as run_hub

    keep_files_private()
    try:
        manifest = prepare(os.environ)
    except LocalError as error:
        sys.stderr.write(f"hub: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"hub: {error.filename} cannot be used ({error.strerror}); see the volumes of compose.yaml\n")
        return 3
    state = Path(os.environ.get("VIGIE_HOME", HOME)) / "hub"
    return run_hub(
        ["run", "--manifest", str(manifest), "--state", str(state), "--listen", EVERYWHERE, "--gateway-hostname", "hub",
         "--device-id", DEVICE, "--iothub-hostname", IOTHUB, "--service-port", str(SERVICE_PORT),
         "--workload", WORKLOAD, *arguments]
    )  # fmt: skip


def prepare(
    environ: Mapping[str, str],
    *,
    template: Path = Path(MANIFEST),
    secrets: Path = Path(CAMERA_SECRETS),
    listed: Path = Path(CAMERAS),
) -> Path:
    """Write the cameras' secrets and the manifest. Returns: its file.

    Raises: LocalError: a source that cannot be one, a broken template. OSError: a volume that is not there.
    """
    cameras = camera_sources(environ, listed)
    write_secrets(secrets, cameras, mode=0o640)
    settings = {camera.name: camera.settings(pace="realtime", loop=not camera.live, frames=None) for camera in cameras}
    content = local_manifest(environ, settings, Path(environ.get("VIGIE_MODEL") or DEFAULT_MODEL), template=template)
    home = Path(environ.get("VIGIE_HOME", HOME))
    file = home / "manifest.json"
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return file


def camera_sources(environ: Mapping[str, str], listed: Path) -> list[CameraSource]:
    """The cameras of the file ``listed``, else those of ``VIGIE_CAMERA``.

    Raises: SourceError: one cannot be a source; a password stands in the variable; the file cannot be read.
    """
    cameras: list[CameraSource] = []
    words = _listed(listed)
    if not words:
        words = (environ.get("VIGIE_CAMERA") or DEFAULT_SOURCE).split()
        if any(hide_passwords(word, "camera")[1] for word in words):
            raise SourceError(
                "VIGIE_CAMERA holds a password, which 'docker inspect' shows; write the sources into a file, one per "
                f"line, and the file's path into {CAMERAS_VARIABLE}"
            )
    for word in words:
        name = unique(name_for(word), [camera.name for camera in cameras])
        # A file lies in the camera's container, not in this one: only the camera can tell whether it is there.
        here = _SCHEME.match(word) is not None
        cameras.append(
            read_source(word, name, SecretValues(dict(environ))) if here else CameraSource(name, word, live=False)
        )
    return cameras


def _listed(file: Path) -> list[str]:
    """Without a file of the user compose mounts one without sources. Raises: SourceError."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"the file of {CAMERAS_VARIABLE} cannot be read ({getattr(error, 'strerror', None) or 'it is not text'}); "
            "give it to group 1250: chgrp 1250 FILE; chmod 640 FILE"
        ) from None
    return [word for line in text.splitlines() if not line.lstrip().startswith("#") for word in line.split()]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
