"""Each rule of the lint with a manifest that breaks it, and the shipped one, which breaks none."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from support.broken_devices import (
    agent_schema,
    credential_elsewhere,
    image_other_processor,
    log_files,
    log_size,
    log_unbounded,
    memory_of_inference,
    module_stopped,
    route_short_outage,
    state_in_a_tmpfs,
    state_missing,
)
from support.broken_modules import (
    agent_version,
    bind_relative,
    credential,
    env_reserved,
    gpu,
    gpu_none,
    group_name,
    image_latest,
    image_no_registry,
    image_not_built,
    memory_absent,
    memory_text,
    memory_tiny,
    model_not_mounted,
    model_of_a_laptop,
    no_container,
    options_case,
    options_gap,
    options_inside,
    options_long,
    options_no_json,
    options_piece,
    options_top_level,
    options_unknown,
    page_on_every_address,
    pids_absent,
    pids_few,
    pids_text,
    placeholder_bare,
    placeholder_left,
    placeholder_module,
    placeholder_platform,
    port_as_a_word,
    port_of_a_name,
    port_of_the_hub,
    port_out_of_range,
    port_taken,
    port_without_protocol,
    privileged,
    receiver_not_named,
    receiver_not_reached,
    restart_policy,
    route_dead_output,
    route_stale,
    route_syntax,
    route_ttl_zero,
    route_unfilled,
    route_unknown_input,
    route_unknown_target,
    route_where_behind,
    same_name,
    schema_hub_version,
    schema_missing_type,
    schema_rendered_object,
    user_removed,
    version_before,
    version_long_before,
)
from support.broken_sites import (
    audit_nowhere,
    camera_password,
    camera_scene,
    capabilities_kept,
    disk_for_ever,
    disk_need,
    doorbell_shared,
    doorbell_unknown,
    doorbell_upstream,
    engine_socket,
    frames_assumed,
    frames_differ,
    frames_elsewhere,
    frames_in_sync,
    frames_missing,
    frames_no_size,
    frames_on_disk,
    frames_owner,
    frames_private,
    frames_read_only,
    frames_too_small,
    frames_two_volumes,
    frames_writable,
    frames_writable_by_preprocess,
    host_network,
    host_network_of_azure,
    host_processes,
    host_root,
    host_root_as_mount,
    memory_of_preprocess,
    memory_of_sync,
    memory_without_ring,
    password_by_name,
    password_by_value,
    password_in_a_url,
    runtime_mixed,
    runtime_old,
    seccomp_off,
    secrets_never_found,
    secrets_not_mounted,
    secrets_shared,
    secrets_writable,
    signals_differ,
    signals_group,
    signals_missing,
    signals_on_disk,
    signals_read_only,
    tensors_too_small,
    tensors_two_volumes,
    tensors_writable,
    twin_deep,
    twin_nearly_full,
    twin_of_the_operator,
    twin_range,
    twin_size,
    twin_string,
    twin_unknown_key,
    user_of_another_module,
    user_zero,
)
from support.manifest_draft import ROOT, TEMPLATE, Draft, found_in
from vigie_devkit.manifest.lint import Assumptions, Severity, lint

AGENT = "$.modulesContent.$edgeAgent.properties.desired"
HUB = "$.modulesContent.$edgeHub.properties.desired"


def test_the_shipped_template_breaks_no_rule() -> None:
    assert lint(TEMPLATE, Assumptions(modules=ROOT / "modules")) == []


def test_a_rendered_manifest_breaks_no_rule() -> None:
    draft = Draft()
    draft.rendered()
    assert lint(draft.content) == []


@pytest.mark.parametrize(
    "content", [{}, {"modulesContent": []}, {"modulesContent": {}}, {"modulesContent": {"$edgeAgent": 3}}]
)
def test_what_is_no_manifest_is_one_finding(content: dict[str, Any]) -> None:
    assert [found.rule for found in lint(content) if found.rule != "schema"] == ["no-manifest"]


OPTIONS = "settings.createOptions"
HOST = f"{OPTIONS}.HostConfig"
BREAKS: list[tuple[Callable[[Draft], None], str, str, str]] = [
    (schema_missing_type, "error", "schema", f"{AGENT}.modules.camera"),
    (schema_hub_version, "error", "schema", f"{HUB}.schemaVersion"),
    (schema_rendered_object, "error", "schema", f"{AGENT}.modules.sync.settings"),
    (placeholder_left, "error", "placeholder-left", f"{AGENT}.modules.sync.env.SITE.value"),
    (placeholder_module, "error", "placeholder-module", f"{AGENT}.modules.sync.settings.image"),
    (placeholder_platform, "error", "placeholder-platform", f"{AGENT}.modules.sync.settings.image"),
    (placeholder_bare, "warning", "placeholder-bare", f"{AGENT}.modules.sync.env.SITE.value"),
    (same_name, "error", "module-same-name", f"{AGENT}.modules.Sync"),
    (agent_version, "warning", "agent-version", f"{AGENT}.modules.camera.startupOrder"),
    (env_reserved, "error", "env-reserved", f"{AGENT}.modules.sync.env.IOTEDGE_MODULEID"),
    (no_container, "warning", "module-no-container", "$.modulesContent.stranger"),
    (image_latest, "warning", "image-latest", f"{AGENT}.modules.sync.settings.image"),
    (image_no_registry, "warning", "image-no-registry", f"{AGENT}.modules.sync.settings.image"),
    (credential, "error", "credential-in-template", f"{AGENT}.runtime.settings.registryCredentials.r.password"),
    (options_no_json, "error", "options-malformed", f"{AGENT}.modules.sync.{OPTIONS}"),
    (options_gap, "error", "options-gap", f"{AGENT}.modules.sync.settings.createOptions03"),
    (options_piece, "error", "options-piece-too-long", f"{AGENT}.modules.sync.settings.createOptions"),
    (options_long, "error", "options-too-long", f"{AGENT}.modules.sync.{OPTIONS}"),
    (secrets_not_mounted, "warning", "secrets-not-mounted", f"{AGENT}.modules.camera.{HOST}"),
    (secrets_never_found, "error", "secrets-not-mounted", f"{AGENT}.modules.camera.{HOST}"),
    (secrets_writable, "warning", "secrets-writable", f"{AGENT}.modules.camera.{HOST}.Binds[0]"),
    (secrets_shared, "error", "secrets-shared", f"{AGENT}.modules.sync.{HOST}.Binds[0]"),
    (engine_socket, "warning", "isolation-engine-socket", f"{AGENT}.modules.sync.{HOST}.Binds[0]"),
    (host_root, "warning", "isolation-host-folder", f"{AGENT}.modules.sync.{HOST}.Binds[0]"),
    (host_root_as_mount, "warning", "isolation-host-folder", f"{AGENT}.modules.sync.{HOST}.Mounts[2]"),
    (host_network, "warning", "isolation-host-namespace", f"{AGENT}.modules.sync.{HOST}.NetworkMode"),
    (
        host_network_of_azure,
        "warning",
        "isolation-host-namespace",
        f"{AGENT}.modules.sync.{OPTIONS}.NetworkingConfig.EndpointsConfig.host",
    ),
    (host_processes, "warning", "isolation-host-namespace", f"{AGENT}.modules.sync.{HOST}.PidMode"),
    (seccomp_off, "warning", "isolation-unconfined", f"{AGENT}.modules.sync.{HOST}.SecurityOpt[1]"),
    (user_zero, "warning", "isolation-root", f"{AGENT}.modules.sync.{OPTIONS}.User"),
    (capabilities_kept, "warning", "isolation-capabilities", f"{AGENT}.modules.sync.{HOST}.CapDrop"),
    (password_by_name, "warning", "env-password", f"{AGENT}.modules.sync.env.DB_PASSWORD.value"),
    (password_by_value, "warning", "env-password", f"{AGENT}.modules.sync.{OPTIONS}.Env"),
    (password_in_a_url, "warning", "env-password", f"{AGENT}.modules.sync.env.BROKER.value"),
    (options_top_level, "error", "options-ignored", f"{AGENT}.modules.sync.{OPTIONS}.Memory"),
    (options_unknown, "error", "options-ignored", f"{AGENT}.modules.sync.{HOST}.ReadOnlyRoot"),
    (options_inside, "error", "options-ignored", f"{AGENT}.modules.sync.{HOST}.Env"),
    (options_case, "hint", "options-case", f"{AGENT}.modules.sync.{HOST}.runtime"),
    (user_removed, "warning", "user-not-set", f"{AGENT}.modules.sync.{OPTIONS}.User"),
    (model_of_a_laptop, "error", "model-path", "$.modulesContent.inference.properties.desired.model.path"),
    (model_not_mounted, "warning", "model-path", "$.modulesContent.inference.properties.desired.model.path"),
    (image_not_built, "error", "image-does-not-exist", f"{AGENT}.modules.inference.settings.image"),
    (route_unfilled, "hint", "route-unfilled", f"{HUB}.routes.extra"),
    (gpu, "error", "options-gpu-capabilities", f"{AGENT}.modules.inference.{HOST}.DeviceRequests[0].Capabilities"),
    (gpu_none, "error", "options-gpu-capabilities", f"{AGENT}.modules.inference.{HOST}.DeviceRequests[0].Capabilities"),
    (memory_text, "error", "memory-not-bytes", f"{AGENT}.modules.sync.{HOST}.Memory"),
    (memory_tiny, "error", "memory-not-bytes", f"{AGENT}.modules.sync.{HOST}.Memory"),
    (memory_absent, "warning", "memory-no-limit", f"{AGENT}.modules.sync.{HOST}.Memory"),
    (group_name, "warning", "options-group-name", f"{AGENT}.modules.inference.{HOST}.GroupAdd[0]"),
    (privileged, "warning", "options-privileged", f"{AGENT}.modules.inference.{HOST}"),
    (restart_policy, "warning", "options-restart-policy", f"{AGENT}.modules.sync.{HOST}.RestartPolicy"),
    (bind_relative, "error", "options-bind-relative", f"{AGENT}.modules.sync.{HOST}.Binds[0]"),
    (port_taken, "error", "options-port-taken", f"{AGENT}.modules.sync.{HOST}.PortBindings.9600/tcp"),
    (port_of_the_hub, "error", "options-port-taken", f"{AGENT}.modules.sync.{HOST}.PortBindings.9600/tcp"),
    (port_without_protocol, "hint", "options-port-form", f"{AGENT}.modules.sync.{HOST}.PortBindings.9600"),
    (port_out_of_range, "error", "options-port-form", f"{AGENT}.modules.sync.{HOST}.PortBindings.96000/tcp"),
    (
        port_as_a_word,
        "error",
        "options-port-form",
        f"{AGENT}.modules.sync.{HOST}.PortBindings.9600/tcp[0].HostPort",
    ),
    (port_of_a_name, "error", "options-port-form", f"{AGENT}.modules.sync.{HOST}.PortBindings.9600/tcp[0].HostIp"),
    (
        page_on_every_address,
        "warning",
        "page-on-every-address",
        f"{AGENT}.modules.viewer.{HOST}.PortBindings.8710/tcp",
    ),
    (pids_few, "error", "pids-limit", f"{AGENT}.modules.camera.{HOST}.PidsLimit"),
    (pids_text, "error", "pids-limit", f"{AGENT}.modules.sync.{HOST}.PidsLimit"),
    (pids_absent, "hint", "pids-no-limit", f"{AGENT}.modules.sync.{HOST}.PidsLimit"),
    (version_before, "hint", "image-other-version", f"{AGENT}.modules.sync.settings.image"),
    (version_long_before, "warning", "image-other-version", f"{AGENT}.modules.sync.settings.image"),
    (audit_nowhere, "error", "audit-nowhere", f"{AGENT}.modules.sync.env.VIGIE_AUDIT_UPSTREAM"),
    (doorbell_shared, "error", "doorbell-shared", f"{AGENT}.modules.camera.env.VIGIE_DOORBELLS"),
    (doorbell_upstream, "error", "doorbell-shared", f"{AGENT}.modules.camera.env.VIGIE_DOORBELLS"),
    (doorbell_unknown, "error", "doorbell-unknown", f"{AGENT}.modules.inference.env.VIGIE_DOORBELLS"),
    (signals_missing, "error", "signals-missing", f"{AGENT}.modules.sync.{HOST}.Mounts"),
    (signals_differ, "error", "signals-differ", f"{AGENT}.modules.sync.{HOST}.Mounts"),
    (signals_read_only, "error", "signals-read-only", f"{AGENT}.modules.sync.{HOST}.Mounts"),
    (signals_on_disk, "warning", "signals-on-disk", f"{AGENT}.modules.camera.{HOST}.Mounts"),
    (signals_group, "error", "signals-group", f"{AGENT}.modules.camera.{HOST}.Mounts"),
    (route_syntax, "error", "route-config-refused", HUB),
    (route_where_behind, "error", "route-text-after-into", f"{HUB}.routes.telemetry"),
    (route_unknown_target, "error", "route-unknown-target-module", f"{HUB}.routes.extra"),
    (route_dead_output, "hint", "route-dead-output", HUB),
    (route_unknown_input, "error", "route-unknown-input", f"{HUB}.routes.frames"),
    (
        receiver_not_named,
        "error",
        "receiver-not-named",
        "$.modulesContent.$edgeAgent.properties.desired.modules.sync.env.VIGIE_EVENT_RECEIVERS",
    ),
    (receiver_not_reached, "error", "receiver-not-reached", HUB),
    (route_stale, "warning", "route-stale-references", f"{HUB}.routes.frames"),
    (route_ttl_zero, "error", "route-expires-at-once", HUB),
    (twin_deep, "error", "twin-limits", "$.modulesContent.sync.properties.desired" + ".a" * 10),
    (twin_string, "error", "twin-limits", "$.modulesContent.sync.properties.desired.report"),
    (twin_size, "error", "twin-size", "$.modulesContent.sync.properties.desired"),
    (twin_nearly_full, "hint", "twin-nearly-full", "$.modulesContent.sync.properties.desired"),
    (twin_of_the_operator, "warning", "twin-of-the-operator", "$.modulesContent.camera.properties.desired"),
    (runtime_old, "warning", "runtime-end-of-life", f"{AGENT}.systemModules.edgeHub.settings.image"),
    (runtime_mixed, "warning", "runtime-releases-differ", f"{AGENT}.systemModules"),
    (twin_unknown_key, "error", "twin-schema", "$.modulesContent.camera.properties.desired.cameras.dock.fsp"),
    (twin_range, "error", "twin-schema", "$.modulesContent.sync.properties.desired.batch_items"),
    (camera_password, "error", "camera-source", "$.modulesContent.camera.properties.desired.cameras.c0.source"),
    (camera_scene, "error", "camera-source", "$.modulesContent.camera.properties.desired.cameras.c0.source"),
    (frames_private, "error", "frames-private", f"{AGENT}.modules.preprocess.{HOST}.Tmpfs./frames"),
    (frames_missing, "error", "frames-missing", f"{AGENT}.modules.inference.{HOST}.Mounts"),
    (frames_elsewhere, "error", "frames-missing", f"{AGENT}.modules.camera.{HOST}.Mounts"),
    (frames_two_volumes, "error", "frames-not-shared", f"{AGENT}.modules.viewer.{HOST}.Mounts"),
    (frames_differ, "error", "frames-differ", f"{AGENT}.modules.viewer.{HOST}.Mounts"),
    (frames_on_disk, "warning", "frames-on-disk", f"{AGENT}.modules.camera.{HOST}.Mounts"),
    (frames_owner, "error", "frames-owner", f"{AGENT}.modules.camera.{HOST}.Mounts"),
    (frames_in_sync, "warning", "frames-in-sync", f"{AGENT}.modules.sync.{HOST}.Mounts"),
    (frames_writable, "warning", "frames-writable", f"{AGENT}.modules.viewer.{HOST}.Mounts"),
    (frames_writable_by_preprocess, "warning", "frames-writable", f"{AGENT}.modules.preprocess.{HOST}.Mounts"),
    (frames_read_only, "error", "frames-read-only", f"{AGENT}.modules.camera.{HOST}.Mounts"),
    (tensors_two_volumes, "error", "frames-not-shared", f"{AGENT}.modules.inference.{HOST}.Mounts"),
    (tensors_writable, "warning", "frames-writable", f"{AGENT}.modules.inference.{HOST}.Mounts"),
    (tensors_too_small, "error", "frames-too-small", f"{AGENT}.modules.preprocess.{HOST}.Mounts"),
    (user_of_another_module, "warning", "user-shared", f"{AGENT}.modules.viewer.{OPTIONS}.User"),
    (frames_no_size, "warning", "frames-no-size", f"{AGENT}.modules.camera.{HOST}.Mounts"),
    (frames_too_small, "error", "frames-too-small", f"{AGENT}.modules.camera.{HOST}.Mounts"),
    (frames_assumed, "hint", "frames-assumed", f"{AGENT}.modules.camera.{HOST}.Mounts"),
    (memory_without_ring, "error", "memory-without-ring", f"{AGENT}.modules.camera.{HOST}.Memory"),
    (memory_of_preprocess, "error", "memory-without-ring", f"{AGENT}.modules.preprocess.{HOST}.Memory"),
    (memory_of_sync, "error", "memory-too-small", f"{AGENT}.modules.sync.{HOST}.Memory"),
    (memory_of_inference, "error", "memory-too-small", f"{AGENT}.modules.inference.{HOST}.Memory"),
    (disk_for_ever, "warning", "disk-for-ever", f"{HUB}.routes.telemetry"),
    (route_short_outage, "warning", "route-short-outage", f"{HUB}.routes.telemetry"),
    (state_missing, "error", "state-missing", f"{AGENT}.modules.sync.{HOST}.Mounts"),
    (state_in_a_tmpfs, "error", "state-missing", f"{AGENT}.modules.sync.{HOST}.Mounts"),
    (log_size, "error", "log-size", f"{AGENT}.modules.sync.{HOST}.LogConfig.Config.max-size"),
    (log_files, "error", "log-size", f"{AGENT}.modules.sync.{HOST}.LogConfig.Config.max-file"),
    (log_unbounded, "warning", "log-unbounded", f"{AGENT}.modules.sync.{HOST}.LogConfig"),
    (agent_schema, "error", "agent-schema", f"{AGENT}.schemaVersion"),
    (module_stopped, "warning", "module-stopped", f"{AGENT}.modules.preprocess.status"),
    (image_other_processor, "error", "image-other-processor", f"{AGENT}.modules.preprocess.settings.image"),
    (
        credential_elsewhere,
        "error",
        "credential-elsewhere",
        f"{AGENT}.runtime.settings.registryCredentials.acme.address",
    ),
    (disk_need, "hint", "disk-need", f"{HUB}.routes.telemetry"),
]


@pytest.mark.parametrize(("breaks", "severity", "rule", "path"), BREAKS, ids=[row[0].__name__ for row in BREAKS])
def test_a_manifest_that_breaks_a_rule_is_told_where_and_what_to_do(
    breaks: Callable[[Draft], None], severity: str, rule: str, path: str
) -> None:
    draft = Draft()
    breaks(draft)
    found = [one for one in found_in(draft) if one.rule == rule and one.path == path]
    assert found, "\n".join(map(str, found_in(draft)))
    assert found[0].severity == Severity(severity)
    assert found[0].what
    assert found[0].remedy
    assert str(found[0]).endswith(f"[{rule}]")


def test_every_rule_of_this_page_has_a_manifest_that_breaks_it() -> None:
    """Rule names are read from the sources, so that a new rule without a test fails here."""
    sources = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "devkit/src/vigie_devkit/manifest/lint").glob("*.py")
    )
    named = set(re.findall(r'\b(?:error|warning|hint)\(\s*"([a-z0-9-]+)"', sources))
    named |= set(re.findall(r'"(memory-[a-z-]+|model-path)"', sources))
    assert len(named) > 30
    assert named - {rule for _, _, rule, _ in BREAKS} == {"no-manifest"}


def test_the_page_names_every_rule() -> None:
    page = (ROOT / "docs/manifest.md").read_text(encoding="utf-8")
    assert {rule for _, _, rule, _ in BREAKS if not rule.startswith("route-")} <= set(
        re.findall(r"`([a-z0-9-]+)`", page)
    )


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("0.1.0-amd64", False), ("0.1.0-arm64v8-jetson", False), ("0.1.0", False), ("0.1.0-amd64-20261128", False),
        ("0.1.0-amd64-staging", False), ("0.1.0-arm64v8-openvino", True), ("0.1.0-amd64-rocm", True),
        ("1.0-arm32v7", True),
    ],
)  # fmt: skip
def test_a_tag_that_names_hardware_without_an_image_is_an_error_and_a_teams_own_word_is_not(
    tag: str, found: bool
) -> None:
    draft = Draft()
    draft.settings("inference")["image"] = f"r.example.com/vigie-inference:{tag}"
    assert any(one.rule == "image-does-not-exist" for one in found_in(draft)) is found
