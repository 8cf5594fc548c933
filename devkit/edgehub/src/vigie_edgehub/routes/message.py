"""What a route sees of a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from vigie_edgehub.routes.body import BodyDocument, open_body

TELEMETRY_SOURCE: Final = "/messages"
TWIN_CHANGE_SOURCE: Final = "/twinChangeNotifications"


def module_source(module: str, output: str | None = None) -> str:
    """The source path of a message that ``module`` sent, with or without an output."""
    base = f"{TELEMETRY_SOURCE}/modules/{module}"
    return base if output is None else f"{base}/outputs/{output}"


@dataclass(frozen=True)
class RoutedMessage:
    """``system_properties`` by the hub's names (``contentType``), as everywhere inside the hub.

    Properties are found whatever their case; the body is parsed when a condition first asks for it.
    """

    source_path: str
    app_properties: Mapping[str, str]
    system_properties: Mapping[str, str]
    body: bytes

    @cached_property
    def app_by_lower(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.app_properties.items()}

    @cached_property
    def system_by_lower(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.system_properties.items()}

    @cached_property
    def document(self) -> BodyDocument | None:
        """None: not a JSON object in one of the three encodings that edgeHub reads."""
        return open_body(
            self.body, self.system_by_lower.get("contenttype"), self.system_by_lower.get("contentencoding")
        )
