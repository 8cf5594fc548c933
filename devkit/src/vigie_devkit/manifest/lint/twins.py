"""Desired properties: IoT Hub's limits, each module's own schema, and what has no place in a twin."""

from __future__ import annotations

from collections.abc import Iterator

from vigie.config.schema import decode_config
from vigie.contracts import names
from vigie.errors import ConfigRefusedError, VigieError
from vigie_devkit.manifest.content import modules_content
from vigie_devkit.manifest.lint.deployment import AGENT, EDGE_HUB, Assumptions, Deployment, Module
from vigie_devkit.manifest.lint.finding import Finding, error, hint, warning
from vigie_devkit.manifest.module_schemas import config_type
from vigie_edgehub.ports import TwinRefusedError
from vigie_edgehub.state.twin_limits import check_patch, check_size, section_bytes

_NEARLY_FULL = 0.8


def twin_limits(deployment: Deployment, _assumed: Assumptions) -> Iterator[Finding]:
    """32 KB, ten levels, key and string lengths; `$edgeAgent` and `$edgeHub` are twins too."""
    for path, desired in ((AGENT, deployment.agent), (EDGE_HUB, deployment.edge_hub)):
        yield from _size(path, desired)
    for module in deployment.modules.values():
        yield from _size(module.desired_path, module.desired)
        try:
            check_patch(dict(module.desired), what=module.desired_path)
        except TwinRefusedError as refusal:
            path, _, what = str(refusal).partition(": ")
            yield error("twin-limits", path, what, "IoT Hub refuses such a twin: shorten or flatten it")


def _size(path: str, desired: object) -> Iterator[Finding]:
    if not isinstance(desired, dict):
        return
    try:
        check_size(desired, what=path)
    except TwinRefusedError as refusal:
        yield error(
            "twin-size", path, str(refusal).removeprefix(f"{path}: "), "IoT Hub refuses it: move what is large out"
        )
    else:
        if (size := section_bytes(desired)) > _NEARLY_FULL * 32_768:
            yield hint("twin-nearly-full", path, f"{size} of 32768 bytes are used", "leave room for the next module")


def twin_schemas(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """As the module itself will read it when it starts."""
    for module in deployment.ours:
        schema = config_type(module.kind)
        if schema is None:
            continue
        try:
            decode_config(schema, dict(module.desired))
        except ConfigRefusedError as refusal:
            path = f"{module.desired_path}{refusal.path.removeprefix('$')}"
            yield error(
                "twin-schema", path, refusal.reason, f"the module refuses it; see docs/reference.md, {module.kind}"
            )
        else:
            if module.kind == names.CAMERA:
                yield from _sources(module)


def twin_owners(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """Settings of a site belong to its operator: what a manifest names replaces the whole twin at each deployment."""
    parts = modules_content(deployment.content)
    for module in deployment.ours:
        section = parts.get(module.name)
        if isinstance(section, dict) and any(key.partition(".")[0] == "properties" for key in section):
            yield warning(
                "twin-of-the-operator",
                module.desired_path,
                "replaces what was set by twin, cameras among it, each time the manifest is applied",
                "remove the section: defaults are in the module, and the twin is set on its own (docs/deploy.md)",
            )


def _sources(module: Module) -> Iterator[Finding]:
    """What the camera module would refuse when it looks at a source, passwords in the open among it."""
    from vigie_camera.sources.registry import plan_source

    for name, settings in module.desired.get("cameras", {}).items():
        try:
            plan_source(settings["source"])
        except VigieError as refusal:
            yield error(
                "camera-source",
                f"{module.desired_path}.cameras.{name}.source",
                str(refusal),
                "the camera would not open",
            )
