"""The commands of the pages that need a container engine, walked as printed in a copy of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.containers import compose_programs
from support.docs_commands import ROOT
from support.docs_walk import Session, sessions, walk
from vigie_devkit.images.build import BuildOptions
from vigie_devkit.images.catalogue import Image
from vigie_devkit.images.engine import ContainerEngine

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(4 * 3600),
    pytest.mark.skipif(os.environ.get("VIGIE_WALK") != "long", reason="VIGIE_WALK is not 'long'"),
]


def copy_of_the_checkout(folder: Path) -> None:
    """Files, not links: an engine gets no more than the folder that it builds in."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and name != "vigie" and not name.startswith(("tests/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


@pytest.mark.parametrize("session", sessions("docker"), ids=lambda one: one.name)
def test_every_command_of_the_pages_does_what_they_say(
    session: Session,
    engine: ContainerEngine,
    images: dict[str, tuple[Image, str]],
    build_options: BuildOptions,
    compose_words: list[str],
    tmp_path: Path,
) -> None:
    del images  # built before, so that the builds of the pages find every layer
    if "v2" not in compose_programs(engine):
        pytest.skip("needs docker compose, the second generation")
    folder = tmp_path / "checkout"
    folder.mkdir()
    copy_of_the_checkout(folder)
    (folder / ".vigie").mkdir()
    (folder / ".vigie/wheels").symlink_to(build_options.cache)
    environ = {
        **engine.environment,
        "COMPOSE_PROJECT_NAME": f"vigie-walk-{session.name}",
        "VIGIE_CAMERA": "synthetic://conveyor?seed=1&fps=5",
    }
    if compose_words != ["docker", "compose"]:  # compose as a program of its own: make it the plug-in that people have
        plugins = tmp_path / "docker-config/cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-compose").symlink_to(compose_words[0])
        environ["DOCKER_CONFIG"] = str(plugins.parent)
    down = ["docker", "compose", "down", "--volumes", "--timeout", "10"]
    try:
        walk(session, folder, environ, within_s=3600)
    finally:
        subprocess.run(down, cwd=folder, env={**os.environ, **environ}, capture_output=True, timeout=300, check=False)
