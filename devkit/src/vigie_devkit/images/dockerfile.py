"""The text of every Dockerfile: one template, so that six images do not drift apart.

Plain builder syntax only: iotedgedev builds through docker-py, which knows no BuildKit mounts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from vigie.private_files import GROUP as GROUP_FILES
from vigie.private_files import VARIABLE
from vigie_devkit.images.catalogue import GROUP, HUB, STAGE, USERS, Image, Vendor, version

# Where the volume of chosen pictures and clips is mounted.
_CHOSEN = frozenset({"camera", "evidence"})
# Where the loader looks without being told; only images for x86-64 take libraries of a vendor.
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
_BASES = {"amd64": "python:3.11-slim-bookworm", "arm64v8": "arm64v8/python:3.11-slim-bookworm"}


def default_base(image: Image) -> str:
    return _BASES[image.architecture]


def dockerfile(image: Image) -> str:
    """The file's text; ``./vigie images write`` puts it in its place and a test keeps it current."""
    head = [
        f"# Vigie {image.name} for {image.key}. Written by `./vigie images write`; build it in the checkout's root:",
        f"#   docker build -f {image.dockerfile} -t {image.repository}:{version()}-{image.key} .",
        f"ARG BASE={default_base(image)}",
        *(_vendor_argument(image.vendor) if image.vendor else []),
    ]
    sections = [
        "\n".join(head),
        *([_vendor_stage(image.vendor)] if image.vendor else []),
        _build_stage(image),
        _image_stage(image),
    ]
    return "\n\n".join(sections) + "\n"


def _build_stage(image: Image) -> str:
    folders = " ".join(image.folders)
    return "\n".join(
        [
            "# Everything that needs pip happens here; of this stage only what lies in /out reaches the image.",
            "FROM ${BASE} AS build",
            f'LABEL {STAGE}="build"',
            "# Where pip looks; proxies (HTTPS_PROXY, ...) are build arguments that Docker has by itself.",
            "ARG PIP_INDEX_URL",
            "ARG PIP_EXTRA_INDEX_URL",
            "ARG PIP_TRUSTED_HOST",
            "ARG PIP_DEFAULT_TIMEOUT",
            "WORKDIR /build",
            "# .image-build/ may hold wheels (then no index is asked), pip.conf and ca.pem: docs/images.md.",
            "COPY LICENSE .image-build/* given/",
            "COPY deploy/image/assemble.py ./",
            "COPY devkit/requirements/build.lock tools.lock",
            f"COPY {image.lock} requirements.lock",
            *_dependencies(image),
            *_drivers(image),
            *(f"COPY {folder}/pyproject.toml {folder}/" for folder in image.folders),
            *(f"COPY {folder}/src {folder}/src" for folder in image.folders),
            "COPY LICENSE THIRD_PARTY_NOTICES.md /out/app/opt/vigie/",
            *(["COPY shared/models /out/models/models"] if image.models else []),
            f"COPY {image.sbom} sbom.json",
            "ARG BASE",
            f'RUN python assemble.py sbom sbom.json "$BASE" && python assemble.py distributions {folders}',
        ]
    )


def _vendor_argument(vendor: Vendor) -> list[str]:
    return [
        f"# No default: an image that has {vendor.libraries[0]}, of the release that docs/images.md names.",
        f"ARG {vendor.argument}",
    ]


def _vendor_stage(vendor: Vendor) -> str:
    """Takes the libraries out of the vendor's image, of which nothing else is kept; refuses one that lacks them."""
    return "\n".join(
        [
            f"FROM ${{{vendor.argument}}} AS vendor",
            f'LABEL {STAGE}="build"',
            "USER 0",
            f"RUN set -eu; mkdir -p /out{LIBRARIES}; \\",
            f"    for name in {' '.join(vendor.libraries)}; do \\",
            '      found="$(find /usr /opt -name "$name" | head -n 1)"; \\',
            f'      test -n "$found" || {{ echo "{vendor.argument} has no $name" >&2; exit 1; }}; \\',
            f'      cp -L "$found" /out{LIBRARIES}/; \\',
            "    done; \\",
            f"    find /usr /opt -type f -name '{vendor.besides}' -exec cp {{}} /out{LIBRARIES}/ \\;",
        ]
    )


def _dependencies(image: Image) -> list[str]:
    """What pip installs; of an image with a choice of decoders, all but the one that was not chosen."""
    if not image.decoders:
        return [f"RUN python assemble.py dependencies requirements.lock && python assemble.py root {image.user}"]
    return [
        "# The camera's decoder: pyav (FFmpeg with GPL parts) or opencv (LGPL); THIRD_PARTY_NOTICES.md, ADR 0022.",
        f"ARG DECODER={image.decoders[0]}",
        f'RUN python assemble.py dependencies requirements.lock "$DECODER" && python assemble.py root {image.user}',
    ]


def _drivers(image: Image) -> list[str]:
    """Packages of the base's distribution: its own tools bring them here, and only their files go on."""
    if not image.debian:
        return []
    return [
        "# Needs the distribution's package index: the one part of a build that is not in .image-build/.",
        f"RUN python assemble.py debian {' '.join(image.debian)}",
    ]


def _image_stage(image: Image) -> str:
    labels = {
        "org.opencontainers.image.title": image.repository,
        "org.opencontainers.image.description": f"Vigie {image.name}: {image.title}",
        "org.opencontainers.image.version": "${VERSION}",
        "org.opencontainers.image.licenses": "MIT",
        "org.opencontainers.image.base.name": "${BASE}",
        "vigie.module": image.name,
        "vigie.platform": image.key,
    }
    decoder = []
    if image.decoders:
        labels["vigie.decoder"] = "${DECODER}"
        decoder = [f"ARG DECODER={image.decoders[0]}"]
    label_lines = " \\\n      ".join(f'{name}="{value}"' for name, value in labels.items())
    models = ["COPY --from=build /out/models /"] if image.models else []
    return "\n".join(
        [
            "# No program runs in this stage, and what changes with a release comes last: an upgrade is that layer.",
            "FROM ${BASE}",
            # First, so that modules with the same packages share this layer, whatever their user.
            "COPY --from=build /out/env /",
            *(["COPY --from=vendor /out /"] if image.vendor else []),
            *(["COPY --from=build /out/debian /"] if image.debian else []),
            "COPY --from=build /out/root /",
            f"COPY --from=build --chown={image.user} /out/empty /var/lib/vigie",
            f"COPY --from=build --chown={image.user} /out/empty /frames",
            # Written by camera: a new volume gets the owner of the image's folder, whichever mounts it first.
            *(
                [f"COPY --from=build --chown={USERS['camera']}:{GROUP} /out/empty /evidence"]
                if image.name in _CHOSEN
                else []
            ),
            *models,
            "COPY --from=build /out/app /",
            "ARG BASE",
            f"ARG VERSION={version()}",
            *decoder,
            f"LABEL {label_lines}",
            "ENV PATH=/opt/vigie/env/bin:$PATH VIGIE_STATE=/var/lib/vigie VIGIE_FRAMES=/frames VIGIE_LOG=json",
            f"ENV {VARIABLE}={GROUP_FILES}",
            f"USER {image.user}",
            "WORKDIR /var/lib/vigie",
            "EXPOSE 8883 443" if image.name == HUB else "EXPOSE 9600",
            "STOPSIGNAL SIGTERM",
            f"HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD {_exec(image.health)}",
            f"ENTRYPOINT {_exec(image.entry)}",
        ]
    )


def _exec(words: Sequence[str]) -> str:
    return json.dumps(list(words))
