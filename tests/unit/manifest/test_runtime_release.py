"""One release of IoT Edge everywhere: template, patches, pages and generated files name the one that is serviced."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from support.manifest_draft import ROOT, TEMPLATE
from vigie_devkit.manifest.lint.runtime import known_releases

CURRENT = known_releases().current
# Pages that tell of another release because it ended, or of what was read in its source.
HISTORY = {"CHANGELOG.md", "docs/edgehub-facts.md", "devkit/src/vigie_devkit/manifest/runtime-releases.json"}
OF_A_DEVICE_THAT_HAS_IT = {
    "docs/deploy.md": (
        "serviced until 2028-11-14; 1.5 has had no fixes since 2026-11-10",
        "A device that has 1.5 takes the last three lines too",
    )
}
NAMED = re.compile(
    r"azureiotedge-(?:agent|hub|diagnostics):(\d+\.\d+)"
    r"|aziot-(?:edge|identity-service)[=_](\d+\.\d+)"
    r"|(?:IoT Edge|edgeAgent|edgeHub|iotedge) (?:LTS )?(1\.\d+)\b"
)


def shipped() -> Iterator[tuple[str, str]]:
    """Every text of the repository but tests, what others wrote, and ``HISTORY``."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in listed:
        if not name or name.startswith("tests/") or name in HISTORY or "/manifest/schemas/" in name:
            continue
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # a picture, a model, a weight


def named_releases(text: str) -> list[str]:
    return [next(filter(None, match.groups())) for match in NAMED.finditer(text)]


def test_nothing_that_ships_names_a_release_that_gets_no_fixes() -> None:
    texts = dict(shipped())
    assert {"deployment.template.json", "docs/deploy.md", "README.md", "docs/reference.md"} <= set(texts)
    named = {name: found for name, text in texts.items() if (found := named_releases(text))}
    assert {"deployment.template.json", "docs/deploy.md", "README.md"} <= set(named)
    assert {name: found for name, found in named.items() if set(found) != {CURRENT}} == {}


def test_the_former_release_is_told_only_to_whom_still_has_it() -> None:
    for name, sentences in OF_A_DEVICE_THAT_HAS_IT.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        for sentence in sentences:
            assert sentence in text, "the page has changed: say here what it tells now"
            text = text.replace(sentence, "")
        assert re.findall(r"\b1\.5\b", text) == []


def test_the_template_asks_for_the_engine_that_the_release_speaks_to() -> None:
    agent = TEMPLATE["modulesContent"]["$edgeAgent"]["properties.desired"]
    assert agent["runtime"]["settings"]["minDockerVersion"] == "v1.41"
    assert "Docker API 1.41" in known_releases().releases[CURRENT].note


@pytest.mark.parametrize(
    "text",
    [
        "mcr.microsoft.com/azureiotedge-hub:1.5.21",
        "apt-get install 'aziot-edge=1.5.*'",
        "aziot-edge_1.5.9-1_debian12_amd64.deb",
        "IoT Edge 1.5 LTS",
        "what edgeAgent 1.5 does",
    ],
)
def test_a_former_release_would_be_seen(text: str) -> None:
    assert named_releases(text) == ["1.5"]
