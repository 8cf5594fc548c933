"""`./vigie faults --containers` on a real engine: two of its faults keep their promises and leave nothing behind."""

from __future__ import annotations

import os

import pytest

from vigie_devkit.faults.composed import Images, starting
from vigie_devkit.faults.composed_orphans import project_name
from vigie_devkit.faults.registry import all_container_faults
from vigie_devkit.faults.run import try_all
from vigie_devkit.images.catalogue import Image
from vigie_devkit.images.engine import ContainerEngine

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]


def test_a_killed_and_a_cut_off_inference_heal_as_promised(
    engine: ContainerEngine, images: dict[str, tuple[Image, str]], flow_environment: dict[str, str]
) -> None:
    del images  # built before compose looks for them
    faults = all_container_faults()
    chosen = [faults["kill-inference"], faults["cut-inference"]]
    told: list[str] = []
    results = list(try_all(chosen, 1, told.append, starting(engine, Images(flow_environment["VIGIE_TAG"]))))
    assert [(result.fault, result.unmet) for result in results] == [("kill-inference", ()), ("cut-inference", ())], told
    seen = [words for result in results for words in result.seen]
    assert seen == ["the engine's events: inference `die exitCode=137`", "inference's log: `hub_client_rebuilt`"]
    ours = f"name={project_name(os.getpid())}"
    assert engine.ask("ps", "--all", "--quiet", "--filter", ours) == ""
    assert engine.ask("volume", "ls", "--quiet", "--filter", ours) == ""
    assert engine.ask("network", "ls", "--quiet", "--filter", ours) == ""
