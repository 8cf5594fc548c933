"""What a run asks of twins: why a module refuses its configuration, and the end of capturing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vigie.errors import HubAnswerError, HubAwayError
from vigie_devkit.local.errors import HubFailedError

ANSWER_WITHIN_S = 2.0
REMOVE_ATTEMPTS = 20
REMOVE_AGAIN_AFTER_S = 0.25


class TwinClient:
    """TwinClient of the run's hub, by its service REST. Each call opens its own connection: calls are rare."""

    def __init__(self, hub: Path, again_after_s: float = REMOVE_AGAIN_AFTER_S) -> None:
        self._hub, self._again_after_s = hub, again_after_s

    async def of(self, modules: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """``desired`` and ``reported`` by module; a module whose twin cannot be had just now is left out."""
        return await asyncio.to_thread(self._of, modules)

    async def remove_cameras(self, cameras: Sequence[str]) -> None:
        """Take the cameras out of the camera module's twin: it stops capturing and goes on serving its counters.

        Raises: HubFailedError: the hub does not take it; the text is its last reason.
        """
        reason: Exception | None = None
        for attempt in range(REMOVE_ATTEMPTS):
            if attempt:
                await asyncio.sleep(self._again_after_s)  # the hub may just be restarting
            try:
                await asyncio.to_thread(self._remove_cameras, cameras)
            except (HubAwayError, HubAnswerError) as error:
                reason = error
            else:
                return
        raise HubFailedError(
            f"the cameras could not be stopped, so this run ends before every frame is accounted for: {reason}"
        )

    def _of(self, modules: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        with suppress(HubAwayError):  # nobody answers for one module: asking for the next would only take time
            client = self._client()
            for module in modules:
                with suppress(HubAnswerError):
                    found[module] = client.twin(module)["properties"]
        return found

    def _remove_cameras(self, cameras: Sequence[str]) -> None:
        client = self._client()
        # Also those that somebody added by twin while it ran: one that stays would keep the run from ending.
        desired = client.twin("camera")["properties"].get("desired", {}).get("cameras") or {}
        removed: dict[str, None] = dict.fromkeys([*cameras, *desired])
        client.patch_twin("camera", {"properties": {"desired": {"cameras": removed}}})

    def _client(self) -> Any:
        # Late: the client brings http and ssl, which a start does not need.
        from vigie_edgehub.service.client import ServiceClient

        return ServiceClient.open(self._hub, timeout_s=ANSWER_WITHIN_S)


def refusals(reported: Mapping[str, Any]) -> dict[str, str]:
    """Properties whose acknowledgement is a refusal: name to reason (``ad``). Source: IoT Plug and Play conventions."""
    return {
        key: str(value.get("ad", "refused"))
        for key, value in reported.items()
        if isinstance(value, Mapping) and isinstance(value.get("ac"), int) and value["ac"] >= 400
    }
