"""`models bench --mlperf` with the real LoadGen: this machine's CPU, a server elsewhere, and an engine that fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import models
from support.engines import needs
from support.v2_server import V2Server, v2_server
from vigie.errors import EngineError, VigieError
from vigie.models import Bundle, load_bundle
from vigie.runtimes.candidate import cpu_candidate
from vigie.runtimes.engines.remote.client import NETWORKS_VARIABLE
from vigie_devkit.cli import main
from vigie_devkit.local.errors import LocalError
from vigie_devkit.models.importer import import_model
from vigie_devkit.models.loadgen import SCENARIOS, Scenario, candidate_named, read_summary, run_loadgen

# Of two runs of LoadGen 6.0.17: what it prints of a run that is long enough, and of one that is not.
VALID = """Scenario : SingleStream
90.0th percentile latency (ns) : 2257352
Result is : VALID
  Min duration satisfied : Yes
  Min queries satisfied : Yes
  Early stopping satisfied: Yes
"""
SHORT = """Scenario : MultiStream
99.0th percentile latency (ns) : 26410173
Result is : INVALID
  Min duration satisfied : NO
  Min queries satisfied : Yes
  Early stopping satisfied: NO
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundles")
    file = models.save(models.yolox((64, 64)), folder)
    return load_bundle(import_model(file, folder / "tiny", family="yolox", trust=True))


@pytest.fixture
def server(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Iterator[V2Server]:
    monkeypatch.setenv(NETWORKS_VARIABLE, "127.0.0.0/8")
    with v2_server(bundle.variant("fp32").file) as running:
        yield running


def test_a_summary_is_read_as_it_is_printed_and_what_is_missing_is_named() -> None:
    assert read_summary(VALID, "single-stream") == (pytest.approx(2.257352), True, ())
    assert read_summary(SHORT, "multi-stream") == (pytest.approx(26.410173), False, ("min duration", "early stopping"))
    with pytest.raises(EngineError, match="no result of offline"):
        read_summary(VALID, "offline")


@needs("loadgen")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_scenario_gives_a_figure_of_an_engine_that_agrees_and_keeps_loadgen_s_logs(
    bundle: Bundle, tmp_path: Path, scenario: Scenario
) -> None:
    found = run_loadgen(bundle, cpu_candidate("fp32", 1, 2), scenario, seconds=0.2, logs=tmp_path / "logs")
    assert found.figure > 0
    assert found.agreement == 1.0
    assert found.frames >= 1
    summary = (tmp_path / "logs/mlperf_log_summary.txt").read_text()
    assert f"Scenario : {scenario.replace('-', ' ').title().replace(' ', '')}" in summary
    assert (found.figure, found.valid, found.why_not) == (
        pytest.approx(read_summary(summary, scenario)[0], abs=1e-3),
        *read_summary(summary, scenario)[1:],
    )


@needs("loadgen")
def test_a_server_elsewhere_is_one_more_candidate(
    bundle: Bundle, server: V2Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--mlperf", "single-stream", "--candidate", "kserve", "--remote", server.url, "--seconds", "1"]
    code = main(["models", "bench", str(bundle.folder), *arguments, "--logs", str(tmp_path / "logs"), "--json"])
    assert code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["candidate"].startswith("kserve:remote/fp32")
    assert found["frames"] >= 64
    assert found["agreement"] == 1.0


@needs("loadgen")
def test_an_engine_that_answers_wrongly_is_not_timed(bundle: Bundle, server: V2Server, tmp_path: Path) -> None:
    candidate = candidate_named(bundle, "kserve", remote={"url": server.url, "model": "tiny"})
    server.fault = "wrong numbers"
    with pytest.raises(VigieError, match="does not answer as this bundle does"):
        run_loadgen(bundle, candidate, "single-stream", seconds=0.2, logs=tmp_path)


@needs("loadgen")
def test_an_engine_that_fails_while_it_is_asked_is_an_error_and_no_figure(
    bundle: Bundle, server: V2Server, tmp_path: Path
) -> None:
    candidate = candidate_named(bundle, "kserve", remote={"url": server.url, "model": "tiny"})
    server.answers_left = 30
    with pytest.raises(VigieError, match="out of memory"):
        run_loadgen(bundle, candidate, "offline", seconds=0.5, logs=tmp_path)


def test_a_candidate_that_is_not_here_is_refused_with_those_that_are(bundle: Bundle) -> None:
    with pytest.raises(LocalError, match=r"no candidate 'cpu/fp32/99t' here; there are: cpu/fp32/1t"):
        candidate_named(bundle, "cpu/fp32/99t")
