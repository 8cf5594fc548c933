"""iotedgedev, unmodified, takes the template for every platform key and makes the manifest that `render` makes.

It comes from the package index into an environment of its own (kept in .vigie/tools), and works without network from
then on. Its telemetry is switched off.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vigie_devkit.local.ownership import claim_home
from vigie_devkit.local.paths import home_folder
from vigie_devkit.manifest.hardware import NONE, choose_hardware
from vigie_devkit.manifest.images import module_files, platforms
from vigie_devkit.manifest.render import RenderTarget, render

VERSION = "3.3.9"
ROOT = Path(__file__).parents[3]
TEMPLATE: dict[str, Any] = json.loads((ROOT / "deployment.template.json").read_text(encoding="utf-8"))
FILES = module_files(ROOT / "modules")
REGISTRY = "r.example.com/vigie"
INSTALL_S = 900

pytestmark = [pytest.mark.slow, pytest.mark.timeout(INSTALL_S + 300)]


@pytest.fixture(scope="module")
def iotedgedev() -> Path:
    claim_home(home_folder())  # else the next `vigie up` refuses a folder with other things in it
    home = home_folder() / f"tools/iotedgedev-{VERSION}"
    program = home / "bin/iotedgedev"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        # It imports pkg_resources, which setuptools 81 no longer has.
        for command in (
            [sys.executable, "-m", "venv", str(home)],
            [str(home / "bin/pip"), "install", "--quiet", "setuptools<81", "wheel"],
            [str(home / "bin/pip"), "install", "--quiet", f"iotedgedev=={VERSION}"],
        ):
            made = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
            if made.returncode:
                pytest.skip(f"iotedgedev {VERSION} cannot be installed here: {made.stderr.strip()[-200:]}")
        (home / "complete").touch()
    return program


@pytest.fixture(scope="module")
def solution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that iotedgedev reads, nothing else: it writes into the folder that it runs in."""
    folder = tmp_path_factory.mktemp("solution")
    shutil.copy(ROOT / "deployment.template.json", folder)
    for path in (ROOT / "modules").glob("*/module.json"):
        (folder / "modules" / path.parent.name).mkdir(parents=True)
        shutil.copy(path, folder / "modules" / path.parent.name)
    (folder / ".env").write_text(f"CONTAINER_REGISTRY_SERVER={REGISTRY}\n")
    settings = folder / "home/.iotedgedev/setting.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text("[DEFAULT]\nfirsttime = no\ncollect_telemetry = no\n")
    return folder


@pytest.mark.parametrize("platform", platforms(FILES))
def test_genconfig_makes_the_manifest_that_render_makes(iotedgedev: Path, solution: Path, platform: str) -> None:
    ended = subprocess.run(
        [str(iotedgedev), "genconfig", "-f", "deployment.template.json", "-P", platform, "--fail-on-validation-error"],
        cwd=solution,
        env={**os.environ, "HOME": str(solution / "home")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Validation for all createOptions passed" in ended.stdout
    theirs = json.loads((solution / f"config/deployment.{platform}.json").read_text(encoding="utf-8"))
    target = RenderTarget(
        platform, FILES, {"CONTAINER_REGISTRY_SERVER": REGISTRY}, hardware=choose_hardware({}, platform, NONE)
    )
    assert theirs == render(TEMPLATE, target)
