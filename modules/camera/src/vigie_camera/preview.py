"""Claims of frames for the viewer, of those cameras only that somebody looks at."""

from __future__ import annotations

from typing import Any, Self

import msgspec

from vigie.config.doorbells import DoorbellConfig
from vigie.contracts import names
from vigie.contracts.frames import FrameItem
from vigie.demand import Demands
from vigie.messaging.output import Output
from vigie.service import Service
from vigie_camera.recent import Recent


class Preview:
    """A second way for claims, beside the flow's and without a say in it: no frame waits for a viewer."""

    def __init__(self, demands: Demands, output: Output[FrameItem]) -> None:
        """``output``: to the viewer."""
        self._demands, self._output = demands, output
        self.recent = Recent()

    @classmethod
    def of(cls, service: Service[Any], demands: Demands) -> Self:
        """Declare the output; before ``service.start``."""
        output = service.output(
            names.PREVIEW, (names.VIEWER, names.FRAMES), item_type=FrameItem, sampled=True, doorbell=True
        )
        return cls(demands, output)

    def configure(self, doorbells: DoorbellConfig) -> None:
        self._output.configure(doorbells=doorbells)

    def show(self, item: FrameItem) -> None:
        """Send the claim if somebody looks. ``keep`` is the flow's: a viewer gets what it can take."""
        self.recent.note(item)
        if self._demands.wants(item.camera, item.seq):
            shown = msgspec.structs.replace(item, keep=False) if item.keep else item
            self._output.offer(shown, key=item.camera, keep=False)
