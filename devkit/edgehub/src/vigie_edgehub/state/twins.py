"""The twins of the device: what an operator wants, what a module reports, and their versions."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from vigie_edgehub.ports import HubRefusalError, Json, JsonObject, RefusalCode, TwinRefusedError
from vigie_edgehub.state.twin_limits import MAX_TAGS_BYTES, check_patch, check_reported, check_size
from vigie_edgehub.state.twin_merge import difference, merge, merge_metadata


class Twin(msgspec.Struct, kw_only=True):
    """One twin; kept on disk as it is. ``module`` is its owner (`hub.owner`).

    ``deployed`` is the desired content last applied from a manifest.
    """

    module: str
    desired: dict[str, Any] = {}
    reported: dict[str, Any] = {}
    tags: dict[str, Any] = {}
    desired_metadata: dict[str, Any] = {}
    reported_metadata: dict[str, Any] = {}
    desired_version: int = 1
    reported_version: int = 1
    etag: int = 1
    version: int = 2
    deployed: dict[str, Any] | None = None


class HubTwins:
    """All twins by owner (`hub.owner`). Every write returns what the client must be told."""

    def __init__(self, stored: Iterable[Twin] = ()) -> None:
        self.by_owner = {twin.module: twin for twin in stored}

    def get(self, module: str) -> Twin:
        """The twin of ``module``, empty when nobody wrote to it yet: a GET never fails."""
        twin = self.by_owner.get(module)
        if twin is None:
            twin = self.by_owner[module] = Twin(module=module)
        return twin

    def report(self, now: float, module: str, patch: Json) -> None:
        """A module's own patch. Raises: TwinRefusedError."""
        check_reported(patch)
        twin = self.get(module)
        merged = merge(twin.reported, patch)
        check_size(merged, what="reported")
        twin.reported = merged
        twin.reported_metadata = merge_metadata(twin.reported_metadata, patch, {"$lastUpdated": timestamp(now)})
        twin.reported_version += 1
        twin.version += 1

    def report_own(self, now: float, module: str, patch: JsonObject) -> None:
        """What the hub reports about itself: client ids are keys there, which the rules for modules forbid."""
        twin = self.get(module)
        twin.reported = merge(twin.reported, patch)
        twin.reported_metadata = merge_metadata(twin.reported_metadata, patch, {"$lastUpdated": timestamp(now)})
        twin.reported_version += 1
        twin.version += 1

    def write(self, now: float, module: str, body: JsonObject, if_match: str | None, *, replace: bool) -> Json:
        """An operator's change of ``tags`` and ``properties.desired``; every other member is read-only.

        Returns: the desired patch to push, with nulls, or None if desired was not written.
        Raises: HubRefusalError: another etag. TwinRefusedError. Nothing is changed then.
        """
        twin = self.get(module)
        wanted = None if if_match is None else if_match.strip().removeprefix("W/").strip('"')
        if wanted not in (None, "*", etag_text(twin.etag)):
            raise HubRefusalError(
                f"If-Match is {wanted!r}, the twin's etag is {etag_text(twin.etag)!r}", RefusalCode.PreconditionFailed
            )
        tags = _section(body.get("tags"), "tags")
        properties = body.get("properties")
        if properties is not None and not isinstance(properties, dict):
            raise TwinRefusedError("properties: expected a JSON object")
        desired = _section((properties or {}).get("desired"), "properties.desired")
        new_tags = new_desired = None
        if tags is not None:
            new_tags = merge({} if replace else twin.tags, tags)
            check_size(new_tags, what="tags", limit=MAX_TAGS_BYTES)
        if desired is not None:
            new_desired = merge({} if replace else twin.desired, desired)
            check_size(new_desired, what="properties.desired")
        if new_tags is None and new_desired is None:
            return None
        if new_tags is not None:
            twin.tags = new_tags
        twin.etag += 1
        twin.version += 1
        if new_desired is None or desired is None:
            return None
        # A patch is pushed as the operator wrote it; a replacement is pushed as its difference.
        push = difference(twin.desired, new_desired) if replace else desired
        self._desire(now, twin, new_desired, desired, replace=replace)
        return push

    def deploy(self, now: float, module: str, content: JsonObject) -> JsonObject | None:
        """The manifest's desired properties: they replace the twin's, if the manifest changed.

        Returns: the desired patch to push, or None: this content was applied before.
        """
        twin = self.get(module)
        if twin.deployed is not None and not difference(twin.deployed, content):
            return None
        push = difference(twin.desired, content)
        first = twin.deployed is None and not twin.desired
        twin.deployed = content
        if push or not first:
            self._desire(now, twin, content, content, replace=True)
            twin.etag += 1
            twin.version += 1
        return push

    def _desire(self, now: float, twin: Twin, desired: JsonObject, patch: JsonObject, *, replace: bool) -> None:
        twin.desired = desired
        twin.desired_version += 1
        stamp = {"$lastUpdated": timestamp(now), "$lastUpdatedVersion": twin.desired_version}
        twin.desired_metadata = merge_metadata({} if replace else twin.desired_metadata, patch, stamp)


def client_view(twin: Twin) -> JsonObject:
    """What a module's GET is answered: without `$metadata`, with both `$version`."""
    return {
        "desired": {**twin.desired, "$version": twin.desired_version},
        "reported": {**twin.reported, "$version": twin.reported_version},
    }


def service_properties(twin: Twin) -> JsonObject:
    """``properties`` of the service view: both sections with `$metadata` and `$version`."""
    return {
        "desired": {**twin.desired, "$metadata": twin.desired_metadata, "$version": twin.desired_version},
        "reported": {**twin.reported, "$metadata": twin.reported_metadata, "$version": twin.reported_version},
    }


def etag_text(etag: int) -> str:
    """As IoT Hub writes it: the counter's bytes in base64 (``AAAAAAAAAAE=``)."""
    return b64encode(etag.to_bytes(8)).decode()


def timestamp(now: float) -> str:
    """``now``, seconds since the epoch, as IoT Hub writes it: UTC with seven decimals."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _section(value: Json, what: str) -> JsonObject | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TwinRefusedError(f"{what}: expected a JSON object, got {type(value).__name__}")
    section = {key: child for key, child in value.items() if key not in ("$metadata", "$version")}
    check_patch(section, what=what)
    return section
