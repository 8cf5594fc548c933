"""docs/dtdl by Microsoft's own parser of DTDL: every model is version 3, and the parser does find mistakes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.node import ROOT, node_folder
from vigie.contracts.names import MODULES

MODELS = ROOT / "docs/dtdl"


def parsed(*files: Path) -> dict[str, dict]:
    home = node_folder()
    command = ["node", "dtdl.mjs", *map(str, files)]
    run = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    return {Path(name).stem: found for name, found in json.loads(run.stdout).items()}


def test_every_module_has_a_model_that_microsofts_parser_takes_and_a_mistake_would_be_found(tmp_path: Path) -> None:
    mistaken = json.loads((MODELS / "viewer.json").read_text(encoding="utf-8"))
    mistaken["contents"][0]["schema"] = "doubl"
    (tmp_path / "mistaken.json").write_text(json.dumps(mistaken))
    found = parsed(*sorted(MODELS.glob("*.json")), tmp_path / "mistaken.json")
    assert "neither a valid DTMI reference nor a DTDL v3 term" in found.pop("mistaken")["wrong"]
    assert set(found) == set(MODULES)
    assert {name: one for name, one in found.items() if one.get("elements", 0) < 15} == {}
