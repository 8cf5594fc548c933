"""What docs/deploy.md and its like show is right: every `./vigie manifest` line runs, every other one parses."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from vigie.config.desired import merge
from vigie_camera.source_policy import SourcePolicy
from vigie_devkit.cli import parser_for
from vigie_devkit.manifest.hardware import read_hardware
from vigie_devkit.manifest.images import module_files
from vigie_devkit.manifest.lint import Assumptions, lint
from vigie_devkit.manifest.lint.deployment import take_apart
from vigie_devkit.manifest.lint.secrets import places
from vigie_devkit.manifest.render import RenderTarget, render

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / name for name in ("docs/deploy.md", "docs/manifest.md", "docs/troubleshooting.md", "deploy/README.md")]
PIPELINES = sorted((ROOT / "deploy/ci").glob("*.yml"))
TEMPLATE = json.loads((ROOT / "deployment.template.json").read_text(encoding="utf-8"))
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def blocks(page: Path, language: str) -> Iterator[str]:
    for _, found, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if found == language:
            yield text


def commands(text: str) -> Iterator[list[str]]:
    """The `./vigie` lines of a script, as words, variables before them kept; heredocs and comments left out."""
    text = re.sub(r"<<'END'\n.*?^END$", "", text.replace("\\\n", " "), flags=re.MULTILINE | re.DOTALL)
    for line in text.splitlines():
        if re.match(r"\s*(?:[A-Z_]+=\S+ )*\./vigie ", line):
            yield shlex.split(line, comments=True)


def scripts(pipeline: Path) -> list[str]:
    found: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            for key, child in value.items():
                if key in {"run", "bash", "inlineScript"} and isinstance(child, str):
                    found.append(child)
                walk(child)
        elif isinstance(value, list):
            for child in value:
                walk(child)

    walk(yaml.safe_load(pipeline.read_text(encoding="utf-8")))
    return found


def is_accepted(words: list[str]) -> None:
    """Raises: SystemExit: the command line does not know such a command."""
    arguments = words[words.index("./vigie") + 1 :]
    _, rest = parser_for(arguments).parse_known_args(arguments)
    assert not rest or arguments[0] == "test", words


def is_bash(script: str) -> None:
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_of_a_page_are_bash_and_name_commands_that_exist(page: Path) -> None:
    for script in (*blocks(page, "sh"), *blocks(page, "")):
        is_bash(script)
        for words in commands(script):
            is_accepted(words)


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.stem)
def test_scripts_of_a_pipeline_are_bash_and_name_commands_that_exist(pipeline: Path) -> None:
    found = scripts(pipeline)
    assert len(found) >= 4
    named = [words for script in found for words in commands(script)]
    for script in found:
        is_bash(script)
    for words in named:
        is_accepted(words)
    stages = {" ".join(words[1:3]) for words in named}
    assert {"check", "manifest lint", "images build", "images push", "manifest render"} <= {*stages, "check"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in LINK.findall(text):
        assert (page.parent / link).exists(), link
    for file in re.findall(r"\bdeploy/(?:patches|hardware|ci)/[\w.-]+\.(?:json|yml)", text):
        assert (ROOT / file).is_file(), file


def test_every_manifest_command_of_the_deployment_page_runs_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    environ = {**os.environ, "HUB": "h", "DEVICE": "d", "REGISTRY": "contoso.azurecr.io", "PLATFORM": "amd64"}
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    heredoc = re.search(r"cat >registry.env <<'END'\n(.*?)^END$", text, re.MULTILINE | re.DOTALL)
    assert heredoc
    (tmp_path / "registry.env").write_text(heredoc[1])
    twin = {"properties": {"desired": {**cameras_of_the_page(), "$version": 3}}}
    (tmp_path / "camera-twin.json").write_text(json.dumps(twin))
    ran = 0
    for script in blocks(ROOT / "docs/deploy.md", "sh"):
        for words in commands(script):
            at = words.index("./vigie")
            if words[at + 1] != "manifest":
                continue
            given = dict(word.split("=", 1) for word in words[:at])
            line = [os.path.expandvars(word.replace("$PLATFORM", "amd64").replace("$REGISTRY", "contoso.azurecr.io"))
                    for word in words[at + 1 :]]  # fmt: skip
            command = [sys.executable, "-I", "-m", "vigie_devkit", *line]
            done = subprocess.run(
                command,
                cwd=tmp_path,
                env={**environ, **given},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
            ran += 1
    assert ran >= 8
    assert (tmp_path / "deployment.json").stat().st_mode & 0o077 == 0, "it holds the registry's password"


def cameras_of_the_page() -> dict[str, Any]:
    """The camera's desired properties after all that the page sets."""
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    desired: dict[str, Any] = {}
    for one in re.findall(r"--module-id camera \\\n +--desired '([^']*)'", text):
        desired = merge(desired, json.loads(one))
    return desired


def test_a_secret_that_the_page_writes_reaches_the_camera_module() -> None:
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    folder, group = "", ""
    written = re.findall(r"install -m (\d+) -g (\d+) /dev/stdin (\S+)/([A-Z0-9_]+)$", text, re.MULTILINE)
    assert written
    values = {"CONTAINER_REGISTRY_SERVER": "r.example.com"}
    content = render(TEMPLATE, RenderTarget("amd64", module_files(ROOT / "modules"), values))
    camera = take_apart(content).modules["camera"]
    binds = dict(bind.split(":", 1) for bind in camera.host.host["Binds"])
    for mode, group, folder, _ in written:
        assert int(mode, 8) & 0o040, "the group may read it"
        assert int(mode, 8) & 0o007 == 0, "nobody else may"
        groups = {camera.host.user.partition(":")[2], *camera.host.host.get("GroupAdd", [])}
        assert group in groups
        assert binds[folder] == f"{camera.environment('VIGIE_SECRETS', '/run/secrets')}:ro"
    assert re.search(rf"install -d -m 0750 -g {group} {folder}$", text, re.MULTILINE)
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(cameras_of_the_page())))
    assert used == {name for *_, name in written}


def test_json_that_a_page_shows_is_json() -> None:
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    shown = re.findall(r"--(?:desired|method-payload|tags) '([^']*)'", text)
    assert len(shown) >= 4
    for one in shown:
        json.loads(one)


def test_desired_properties_that_the_page_sets_are_accepted_by_the_camera() -> None:
    from vigie.config.schema import decode_config
    from vigie_camera.config import CameraConfig

    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    desired: dict[str, object] = {}
    for one in re.findall(r"--module-id camera \\\n +--desired '([^']*)'", text):
        desired = merge(desired, json.loads(one))
        decode_config(CameraConfig, desired)
    assert "dock-1" in desired["cameras"]  # type: ignore[operator]
    assert "belt" not in desired["cameras"]  # type: ignore[operator]


@pytest.mark.parametrize("path", sorted((ROOT / "deploy/patches").glob("*.json")), ids=lambda path: path.stem)
def test_a_patch_leaves_a_manifest_without_a_finding(path: Path) -> None:
    patched = merge(TEMPLATE, json.loads(path.read_text(encoding="utf-8")))
    values = {"CONTAINER_REGISTRY_SERVER": "r.example.com", "PROXY": "http://p:3128"}
    found = lint(render(patched, RenderTarget("arm64v8", module_files(ROOT / "modules"), values)))
    # It opens folders and never says anything to the hub.
    assert [one for one in found if "messages of module 'open-state'" not in one.what] == []


def test_a_pipeline_runs_actions_by_commit_and_says_which_release_that_is() -> None:
    text = (ROOT / "deploy/ci/github-actions.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: (.+)", text)
    assert len(used) >= 7
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []


def test_the_audit_of_every_module_goes_upstream_with_its_patch() -> None:
    patched = merge(TEMPLATE, json.loads((ROOT / "deploy/patches/audit-upstream.json").read_text(encoding="utf-8")))
    modules = take_apart(patched).modules
    assert {module.environment("VIGIE_AUDIT_UPSTREAM", "off") for module in modules.values()} == {"on"}
    del patched["modulesContent"]["$edgeHub"]["properties.desired"]["routes"]["auditOfSync"]
    values = {"CONTAINER_REGISTRY_SERVER": "r.example.com"}
    found = lint(render(patched, RenderTarget("arm64v8", module_files(ROOT / "modules"), values)))
    assert [(one.rule, one.path.rpartition(".modules.")[2]) for one in found] == [
        ("audit-nowhere", "sync.env.VIGIE_AUDIT_UPSTREAM")
    ]


def test_the_patch_of_the_device_key_gives_it_to_every_module_and_takes_no_folder_from_any() -> None:
    patched = merge(TEMPLATE, json.loads((ROOT / "deploy/patches/at-rest-key.json").read_text(encoding="utf-8")))
    before = {name: {place.target for place in places(one)} for name, one in take_apart(TEMPLATE).modules.items()}
    for name, module in take_apart(patched).modules.items():
        mounts = {place.target: place for place in places(module)}
        assert module.environment("VIGIE_AT_REST_KEY", "") == "/run/at-rest/key", name
        assert mounts.keys() == before[name] | {"/run/at-rest"}, name
        assert mounts["/run/at-rest"].read_only, name


def test_the_folder_of_secrets_that_the_page_makes_is_the_one_that_the_camera_gets_read_only() -> None:
    made = re.search(r"install -d \S+ \S+ -g 1250 (/\S+)", (ROOT / "docs/deploy.md").read_text(encoding="utf-8"))
    rendered = render(
        TEMPLATE, RenderTarget("amd64", module_files(ROOT / "modules"), {"CONTAINER_REGISTRY_SERVER": "r.io"})
    )
    mounts = {
        name: [(place.source, place.target, place.read_only) for place in places(module) if "secret" in place.target]
        for name, module in take_apart(rendered).modules.items()
    }
    assert made
    assert mounts.pop("camera") == [(made[1], "/run/secrets", True)]
    assert made[1] not in {source for found in mounts.values() for source, *_ in found}, "only the camera sees these"
    patch = json.loads((ROOT / "deploy/patches/one-gigabyte.json").read_text(encoding="utf-8"))
    patched = take_apart(merge(TEMPLATE, patch)).modules["camera"]
    assert "/run/secrets" in {place.target for place in places(patched)}


def test_cameras_of_the_pages_are_in_networks_that_a_device_allows_without_further_settings() -> None:
    shown = {
        (page.name, host)
        for page in [*PAGES, ROOT / "docs/images.md", ROOT / "compose.yaml"]
        for host in re.findall(r"rtsps?://(?:[^@/\s]+@)?(\d+\.\d+\.\d+\.\d+)", page.read_text(encoding="utf-8"))
    }
    assert len({page for page, _ in shown}) >= 3
    refused = {(page, host): SourcePolicy().refuses_host(host) for page, host in shown}
    assert not {where: reason for where, reason in refused.items() if reason}


def test_the_page_says_what_the_small_patch_does() -> None:
    patched = merge(TEMPLATE, json.loads((ROOT / "deploy/patches/one-gigabyte.json").read_text(encoding="utf-8")))
    limits = [
        ", ".join(str(module.host.host["Memory"] >> 20) for module in take_apart(content).modules.values())
        for content in (TEMPLATE, patched)
    ]
    assert f"| {limits[0]} MiB | {limits[1]} MiB |" in (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    camera = {"dock": {"source": "synthetic://conveyor?size=1280x720&fps=10", "fps": 10, "slots": 4}}
    found = lint(patched, Assumptions(input_wh=(416, 416), twins={"camera": {"cameras": camera}}))
    assert {one.rule for one in found} == {"disk-need"}, found


def test_the_page_names_every_class_of_hardware_and_every_value_that_one_needs() -> None:
    text = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    for path in (ROOT / "deploy/hardware").glob("*.json"):
        assert f"`{path.stem}`" in text
        for name in re.findall(r"\$\{(\w+)\}", path.read_text(encoding="utf-8")):
            assert f"`{name}`" in text
    classes = read_hardware(ROOT / "deploy/hardware")
    assert [name for name, one in classes.items() if one.ran] == ["cpu"], "say so on the page, with a date"
