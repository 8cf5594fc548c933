"""A checkout in small: the real `vigie` and bootstrap, with distributions that install in a blink, offline."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

# A build backend in the tree: an editable wheel is a zip with a .pth and three lines of metadata.
BACKEND = """
import zipfile
from pathlib import Path

NAME = Path.cwd().name
PACKAGE = {"devkit": "vigie_devkit"}.get(NAME, NAME)

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    info = f"{PACKAGE}-1.0.dist-info"
    wheel = f"{PACKAGE}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / wheel, "w") as archive:
        archive.writestr(f"_{PACKAGE}.pth", str(Path.cwd() / "src"))
        name = PACKAGE.replace("_", "-")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel
"""

MAIN = """
import importlib.metadata, json, sys
version = importlib.metadata.version("vigie-devkit")
print(json.dumps({"arguments": sys.argv[1:], "version": version, "prefix": sys.prefix}))
"""


@dataclass
class SmallCheckout:
    """``run`` starts its `vigie` with an environment in which pip finds no index and no configuration."""

    path: Path

    def __post_init__(self) -> None:
        for name, package in (("shared", "vigie"), ("devkit", "vigie_devkit")):
            source = self.path / name / "src" / package
            source.mkdir(parents=True)
            (source / "__init__.py").write_text("")
            (self.path / name / "backend.py").write_text(BACKEND)
            (self.path / name / "pyproject.toml").write_text(
                '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
                f'[project]\nname = "{package.replace("_", "-")}"\nversion = "1.0"\n'
            )
        shutil.copy(ROOT / "vigie", self.path / "vigie")
        shutil.copy(ROOT / "devkit/src/vigie_devkit/bootstrap.py", self.path / "devkit/src/vigie_devkit/bootstrap.py")
        (self.path / "devkit/src/vigie_devkit/__main__.py").write_text(MAIN)
        (self.path / "tests").mkdir()
        for lock in ("requirements.lock", "tests/requirements.lock"):
            (self.path / lock).write_text("# nothing is needed\n")

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "VIGIE_"))}
        nothing = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
        return {**kept, **nothing, **more}

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.path / "vigie"), *arguments],
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.path.parent,
        )

    def run(self, *arguments: str, **more: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        with self.start(*arguments, **more) as process:
            output, errors = process.communicate(timeout=120)
            return process.returncode, output, errors
