"""What a run asks of twins: why a module refuses its configuration, and the end of capturing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vigie.errors import HubAnswerError, HubAwayError

ANSWER_WITHIN_S = 2.0


class Twins:
    """Twins of the run's hub, by its service REST. Each call opens its own connection: calls are rare."""

    def __init__(self, hub: Path) -> None:
        self._hub = hub

    async def reported(self, modules: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Reported properties by module; a module whose twin cannot be had just now is left out."""
        return await asyncio.to_thread(self._reported, modules)

    async def remove_cameras(self, cameras: Sequence[str]) -> None:
        """Take the cameras out of the camera module's twin: it stops capturing and goes on serving its counters."""
        for _ in range(20):
            with suppress(HubAwayError, HubAnswerError):
                await asyncio.to_thread(self._remove_cameras, cameras)
                return
            await asyncio.sleep(0.25)  # the hub may just be restarting

    def _reported(self, modules: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        with suppress(HubAwayError):  # nobody answers for one module: asking for the next would only take time
            client = self._client()
            for module in modules:
                with suppress(HubAnswerError):
                    found[module] = client.twin(module)["properties"].get("reported", {})
        return found

    def _remove_cameras(self, cameras: Sequence[str]) -> None:
        patch = {"properties": {"desired": {"cameras": dict.fromkeys(cameras)}}}
        self._client().patch_twin("camera", patch)

    def _client(self) -> Any:
        # Late: the client brings http and ssl, which a start does not need.
        from vigie_devkit.hub.service.client import ServiceClient

        return ServiceClient.open(self._hub, timeout_s=ANSWER_WITHIN_S)


def refusals(reported: Mapping[str, Any]) -> dict[str, str]:
    """Properties whose acknowledgement is a refusal: name to reason (``ad``). Source: IoT Plug and Play conventions."""
    return {
        key: str(value.get("ad", "refused"))
        for key, value in reported.items()
        if isinstance(value, Mapping) and isinstance(value.get("ac"), int) and value["ac"] >= 400
    }
