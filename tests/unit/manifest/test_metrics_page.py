"""docs/metrics.md names every metric as the modules expose it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.checkout import ROOT
from vigie.contracts.names import MODULES
from vigie.metrics import Metrics
from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.metrics_page import families, source_folder


def every_family() -> list[Any]:
    return [family for module in ("all", *MODULES) for family in families(source_folder(ROOT, module))]


def test_what_every_module_has_is_what_a_process_exposes() -> None:
    metrics = Metrics()
    metrics.build("camera", "1.0.0")
    exposed = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in metrics.registry.collect()
        if family.name.startswith("vigie_")
    }
    assert exposed == {family.name for family in families(source_folder(ROOT, "all"))}
    assert not [line for line in metrics.exposition().decode().splitlines() if "_created" in line]


def test_names_are_unique_and_in_base_units() -> None:
    found = every_family()
    names = [family.name for family in found]
    assert sorted(names) == sorted(set(names))
    assert len(names) > 40
    assert not [name for name in names if name.endswith(("_ms", "_mb", "_percent"))]
    assert all(family.name.endswith("_total") == (family.kind == "counter") for family in found)
    assert all("quantile" not in family.labels for family in found)
    assert all(family.text.endswith(".") for family in found)


def test_a_metric_made_of_variables_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text('def make(metrics, name):\n    metrics.counter(name, "Text.")\n')
    with pytest.raises(ManifestError, match=r"made.py:2: makes a metric out of variables"):
        list(families(tmp_path))
