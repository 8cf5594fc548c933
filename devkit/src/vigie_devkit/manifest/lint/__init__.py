"""What the cloud accepts and the device then refuses, ignores or never gets: every rule of `./vigie manifest lint`.

Pure: a manifest and what is assumed about the device in, findings out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vigie_devkit.manifest.errors import ManifestError
from vigie_devkit.manifest.lint.agent import agent_rules, credential_rules, image_rules, registry_rules
from vigie_devkit.manifest.lint.audit import audit_rules
from vigie_devkit.manifest.lint.create_options import member_rules, piece_rules, value_rules
from vigie_devkit.manifest.lint.deployment import Assumptions, Deployment, take_apart
from vigie_devkit.manifest.lint.finding import Finding, error
from vigie_devkit.manifest.lint.frames import frames_size, frames_volume, writer_memory
from vigie_devkit.manifest.lint.isolation import isolation_rules, user_rules
from vigie_devkit.manifest.lint.layers import as_manifest, is_layer
from vigie_devkit.manifest.lint.logs import log_rules
from vigie_devkit.manifest.lint.own_modules import (
    flow_runs,
    image_exists,
    model_path,
    one_processor,
    one_version,
    user_is_set,
)
from vigie_devkit.manifest.lint.placeholders import placeholder_rules
from vigie_devkit.manifest.lint.ports import page_rules, port_rules
from vigie_devkit.manifest.lint.receivers import receiver_rules
from vigie_devkit.manifest.lint.routes import endpoint_rules, route_rules, unfilled_routes
from vigie_devkit.manifest.lint.runtime import runtime_releases
from vigie_devkit.manifest.lint.schema import published_schema
from vigie_devkit.manifest.lint.secrets import secret_rules
from vigie_devkit.manifest.lint.signals import doorbell_rules, signals_volume
from vigie_devkit.manifest.lint.storage import disk_need, outage_rules, state_rules
from vigie_devkit.manifest.lint.twins import twin_limits, twin_owners, twin_schemas
from vigie_edgehub.routes.lint import Severity

__all__ = ["Assumptions", "Finding", "Severity", "lint"]

_RULES: tuple[Callable[[Deployment, Assumptions], Iterator[Finding]], ...] = (
    published_schema,
    placeholder_rules,
    agent_rules,
    runtime_releases,
    image_rules,
    credential_rules,
    registry_rules,
    piece_rules,
    member_rules,
    value_rules,
    port_rules,
    page_rules,
    route_rules,
    endpoint_rules,
    unfilled_routes,
    receiver_rules,
    image_exists,
    one_processor,
    one_version,
    flow_runs,
    user_is_set,
    model_path,
    twin_limits,
    twin_schemas,
    twin_owners,
    frames_volume,
    frames_size,
    writer_memory,
    doorbell_rules,
    signals_volume,
    disk_need,
    outage_rules,
    state_rules,
    log_rules,
    secret_rules,
    isolation_rules,
    user_rules,
    audit_rules,
)

# What only the whole manifest can answer, the base that a layer lies on included.
_OF_THE_WHOLE = frozenset(
    (
        published_schema,
        route_rules,
        endpoint_rules,
        receiver_rules,
        frames_size,
        doorbell_rules,
        disk_need,
        audit_rules,
        outage_rules,
        registry_rules,
    )
)


def lint(content: Mapping[str, Any], assumed: Assumptions | None = None) -> list[Finding]:
    """All findings about a template, a rendered manifest or a layer, errors first, in the order of the rules."""
    rules = _RULES
    if is_layer(content):
        content = as_manifest(content)
        rules = tuple(rule for rule in _RULES if rule not in _OF_THE_WHOLE)
    try:
        deployment = take_apart(content, assumed.twins if assumed else None)
    except ManifestError as refusal:
        first = error("no-manifest", refusal.where, refusal.what, refusal.remedy)
        raw = Deployment(content, "$schema-template" in content, {}, {}, {})
        others = published_schema(raw, assumed or Assumptions())
        return [first, *(one for one in others if one.path != first.path)]
    findings = [*deployment.broken]
    for rule in rules:
        findings += _readable(rule(deployment, assumed or Assumptions()), deployment)
    order = list(Severity)
    return sorted(dict.fromkeys(findings), key=lambda found: order.index(found.severity))


def _readable(found: Iterator[Finding], deployment: Deployment) -> Iterator[Finding]:
    """Without what the rules miss in createOptions that could not be read; of their text and pieces all is known."""
    broken = tuple(f"{one.path.partition('.createOptions')[0]}.createOptions" for one in deployment.broken)
    return (one for one in found if one.rule.startswith("options-") or not one.path.startswith(broken))
