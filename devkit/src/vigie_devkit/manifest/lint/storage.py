"""What must survive: the disk that an outage takes at the cameras' rate, how long the hub keeps it, modules' state."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from vigie.contracts import names
from vigie.contracts.detections import Detection, DetectionsItem, StageTimings
from vigie.contracts.envelope import TELEMETRY, Envelope
from vigie_devkit.manifest.lint.cameras import camera_plans
from vigie_devkit.manifest.lint.deployment import EDGE_HUB, Assumptions, Deployment
from vigie_devkit.manifest.lint.finding import Finding, error, hint, warning
from vigie_edgehub.routes.message import module_source
from vigie_edgehub.routes.table import Upstream

_DEFAULT_BATCH = 50
_PROPERTIES_BYTES = 600  # ids, content type and the hub's own columns of one stored message
_FOR_EVER = 0
_OUTAGE_S = 3600


def disk_need(deployment: Deployment, assumed: Assumptions) -> Iterator[Finding]:
    """One finding for each route of telemetry to the cloud, with the number; an error where the disk is too small."""
    frames_per_s = sum(
        plan.fps for module in deployment.of_kind(names.CAMERA) for plan in camera_plans(module, assumed)
    )
    if (config := deployment.hub_config) is None or not frames_per_s:
        return
    for module in deployment.of_kind(names.SYNC):
        batch = module.desired.get("batch_items")
        per_message = batch if isinstance(batch, int) and batch > 0 else _DEFAULT_BATCH
        per_frame = _item_bytes(assumed.detections) + _PROPERTIES_BYTES / per_message
        source = module_source(module.name, names.TELEMETRY)
        routes = [one for one in config.routes if isinstance(one.endpoint, Upstream) and one.matches_source(source)]
        # A route for some of the messages, as that of alerts, takes no more than the one for all of them.
        for route in [one for one in routes if " WHERE " not in one.text.upper()] or routes:
            path = f"{EDGE_HUB}.routes.{route.name}"
            ttl_s = route.ttl_s or config.ttl_s
            if ttl_s < _FOR_EVER:
                yield warning(
                    "disk-for-ever",
                    path,
                    "is kept for ever: an outage without end fills the disk",
                    "set timeToLiveSecs",
                )
                continue
            yield _need(path, ttl_s, frames_per_s, per_frame, assumed)


def outage_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """What sync sends upstream counts as sent once the hub has it, which must keep it while the cloud is away."""
    if (config := deployment.hub_config) is None:
        return
    for module in deployment.of_kind(names.SYNC):
        source = module_source(module.name, names.TELEMETRY)
        for route in config.routes:
            ttl_s = route.ttl_s or config.ttl_s
            if isinstance(route.endpoint, Upstream) and route.matches_source(source) and 0 <= ttl_s < _OUTAGE_S:
                yield warning(
                    "route-short-outage",
                    f"{EDGE_HUB}.routes.{route.name}",
                    f"keeps what sync has sent for {ttl_s} s: an outage that is longer loses events",
                    "set timeToLiveSecs to the longest outage, 86400 for a day",
                )


def state_rules(deployment: Deployment, _: Assumptions) -> Iterator[Finding]:
    """The folder of VIGIE_STATE: ledger, last good twin, audit. It must outlive the container."""
    for module in deployment.ours:
        folder = module.environment("VIGIE_STATE", "")
        host = module.host.host
        binds = [str(one).split(":")[1] for one in host.get("Binds") or [] if ":" in str(one)]
        kept = [*(one.get("Target") for one in host.get("Mounts") or [] if one.get("Type") != "tmpfs"), *binds]
        if not folder or folder in kept:
            continue
        read_only = host.get("ReadonlyRootfs") and folder not in (host.get("Tmpfs") or {})
        what = "it cannot be written" if read_only else "what is recorded there ends with the container"
        yield error(
            "state-missing",
            f"{module.host_path}.Mounts",
            f"no volume at {folder}, where VIGIE_STATE says that the module keeps its state: {what}",
            "mount a volume of the module's own there",
        )


def _need(path: str, ttl_s: int, frames_per_s: float, per_frame: float, assumed: Assumptions) -> Finding:
    needed = ttl_s * frames_per_s * per_frame
    what = (
        f"an outage of {ttl_s / 86_400:.3g} days at {frames_per_s:g} frames/s, {assumed.detections} detections each, "
        f"takes {needed / 1e9:.2f} GB of the device's disk"
    )
    remedy = "shorten timeToLiveSecs, lower the cameras' fps, or set sync's report to with_detections"
    if assumed.disk_bytes is None:
        return hint("disk-need", path, what, f"make sure it is there (--disk checks it), or {remedy}")
    if needed > assumed.disk_bytes:
        return error("disk-need", path, f"{what}, of which {assumed.disk_bytes / 1e9:.2f} are for it", remedy)
    return hint("disk-need", path, what, "nothing to do: it fits")


def _item_bytes(detections: int) -> float:
    """What one frame takes in a telemetry message, by encoding one."""
    seen = Detection("conveyor-part", 12, 0.8765432, (1234.56, 234.56, 1345.67, 345.67), track="0123abcd-12345")
    timings = StageTimings(1.234567, 12.345678, 8.765432, 15.678912)
    item = DetectionsItem(
        camera="camera-1", seq=1_234_567, trace="camera-1-0123abcd-1234567", captured_at="2026-11-25T12:34:56.789012Z",
        captured_ns=1_234_567_890_123, frame_hw=(1080, 1920), model="conveyor-parts", detections=[seen] * detections,
        timings=timings,
    )  # fmt: skip
    envelope = Envelope(str(TELEMETRY), "sync", "0123abcd", 1, [item] * 10)
    return len(msgspec.json.encode(envelope)) / 10
