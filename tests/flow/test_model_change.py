"""The serving model is replaced through the twin while frames flow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support import models
from support.product import Home
from vigie_devkit.models.importer import import_model

SOURCE = "synthetic://conveyor?seed=2&fps=20&size=160x120"


@pytest.mark.timeout(240)
def test_a_new_model_is_followed_without_a_restart_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    first = models.save(models.yolox((64, 96)), tmp_path, "first.onnx")
    second = import_model(
        models.save(models.yolox((96, 128)), tmp_path, "second.onnx"), tmp_path / "second", name="second"
    )
    home = Home(tmp_path / "home")
    with home.running(SOURCE, "--model", str(first), "--pace", "realtime") as run:
        run.wait_until(lambda: run.upstream_count() >= 2, timeout_s=60, what="detections of the first model")
        pids = {module: run.module_pid(module) for module in ("preprocess", "inference")}

        patch = json.dumps({"model": {"path": str(second)}})
        done = home.run("twin", "set", "inference", patch, "--wait", "30")
        assert done.code == 0, done.stderr
        run.wait_until(
            lambda: str((run.last_item() or {}).get("model", "")).startswith("second"),
            timeout_s=30,
            what="detections of the second model",
        )

        refused = home.run("twin", "set", "inference", json.dumps({"model": {"path": "/nowhere"}}), "--wait", "30")
        assert refused.code == 1
        assert "/nowhere" in refused.stdout + refused.stderr
        newest = (run.last_item() or {})["seq"]
        run.wait_until(
            lambda: (run.last_item() or {})["seq"] > newest + 20, timeout_s=30, what="the second model runs on"
        )
        assert str((run.last_item() or {})["model"]).startswith("second")
        shown = home.run("audit", "show", "inference")
        assert "refused" in shown.stdout
        assert "/nowhere" in shown.stdout, shown
        verified = home.run("audit", "verify")
        assert verified.code == 0, verified
        assert all(f"{module}: whole" in verified.stdout for module in ("camera", "preprocess", "inference", "sync"))
        assert pids == {module: run.module_pid(module) for module in pids}, "a module was restarted"
    items = home.items()
    changed = next(index for index, item in enumerate(items) if item["model"].startswith("second"))
    assert all(item["model"].startswith("second") for item in items[changed:]), "the models took turns"
    around = [item["seq"] for item in items[max(0, changed - 10) : changed + 10]]
    missing = around[-1] - around[0] + 1 - len(around)
    assert missing <= 3, f"{missing} frames around the change went unanswered: {around}"
