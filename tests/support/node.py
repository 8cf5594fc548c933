"""Node's Azure SDKs in an environment of their own (`tests/node`), for programs of another language than ours."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from vigie_devkit.local.ownership import claim_home
from vigie_devkit.local.paths import home_folder

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "tests/node"
INSTALL_S = 600


def node_folder(sources: Path = SOURCES) -> Path:
    """A folder with our scripts and the packages that the lock pins, made on first use; skips where it cannot be."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node's SDKs cannot be installed here: node and npm are missing")
    digest = hashlib.sha256((sources / "package-lock.json").read_bytes()).hexdigest()[:12]
    claim_home(home_folder())  # else the next `vigie up` refuses a folder with other things in it
    home = home_folder() / f"tools/{sources.name}-{digest}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:  # test files run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(sources / name, home)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            made = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=INSTALL_S, check=False)
            if made.returncode:
                pytest.skip(f"Node's SDKs cannot be installed here: {made.stderr.strip()[-200:]}")
            (home / "complete").touch()
        for script in (*sources.glob("*.js"), *sources.glob("*.mjs")):
            shutil.copy(script, home)
    return home
