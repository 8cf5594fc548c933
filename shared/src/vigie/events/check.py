"""What a schema cannot say of rules: a ground that gives no projection, a limit of speed without one. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from vigie.errors import ConfigRefusedError
from vigie.events.ground import homography
from vigie.events.settings import CameraRules


def check_rules(cameras: Mapping[str, CameraRules]) -> None:
    """Raises: ConfigRefusedError: by the path of the first mistake."""
    for name, rules in cameras.items():
        path = f"$.cameras.{name}"
        if rules.ground is not None:
            try:
                homography(rules.ground.points, rules.ground.metres)
            except ValueError as error:
                raise ConfigRefusedError(f"{path}.ground", str(error)) from error
            continue
        for zone, drawn in rules.zones.items():
            if drawn.speed_limit is not None:
                raise ConfigRefusedError(
                    f"{path}.zones.{zone}.speed_limit", f"speeds need the calibration {path}.ground: four points"
                )
