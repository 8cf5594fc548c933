"""The control plane of one named seat: its runtime, its updates and their threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vigie.errors import ConfigRefusedError
from vigie.log import get_logger
from vigie.service import Service
from vigie_inference.announce import Announcer
from vigie_inference.config import InferenceConfig
from vigie_inference.put_in_service import PutInService
from vigie_inference.runtime_control import RuntimeControl
from vigie_inference.seats.seat import Seat
from vigie_inference.seats.seat_service import NamedSeatService, ToldOfSeats
from vigie_inference.telling import Telling
from vigie_inference.update.base import Base
from vigie_inference.update.updates import Updates

log = get_logger("inference")


class Occupant:
    """``configure`` by whoever applies the twin; ``begin`` starts the threads, ``end`` ends them."""

    def __init__(
        self,
        service: Service[InferenceConfig],
        seat: Seat,
        base: Base,
        *,
        told: ToldOfSeats,
        announcer: Announcer,
        telling: Telling,
        alone: threading.Lock,
    ) -> None:
        """``alone``: see ``Measuring``."""
        self.seat = seat
        self._service = service
        self._own = NamedSeatService(service, seat.name, told)
        self.folder = self._own.env.state
        self._control = RuntimeControl(self._own, seat.models, seat.load, alone)
        self._put = PutInService(self._own, seat.models, announcer, self._control)
        self.updates = Updates(
            self._own, seat.models, self._put,
            control=self._control, load=seat.load, announcer=announcer, trial=seat.trial, telling=telling, base=base,
        )  # fmt: skip
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._config: InferenceConfig | None = None

    def begin(self) -> None:
        works: dict[str, Callable[[threading.Event], None]] = {
            "runtime": self._control.run,
            "hangs": self._control.engines.run,
            "trial": self.seat.trial.run,
            "update": self.updates.run,
        }
        for what, work in works.items():
            self._threads.append(self._service.thread(f"inference.{what}.{self.seat.name}", self._until_halted(work)))

    def _until_halted(self, work: Callable[[threading.Event], None]) -> Callable[[threading.Event], None]:
        """The module's end halts all seats."""
        return lambda _module_ends: work(self._stop)

    def configure(self, own: InferenceConfig) -> None:
        """``own``: the configuration as this seat sees it. A model that cannot serve leaves its cameras to others."""
        before, self._config = self._config, own
        with self._put.lock:
            wanted, serving = self.updates.committed(own), self.seat.models.serving
            try:
                if wanted is not None and (serving is None or wanted != self._put.served):
                    self._put.load(wanted, own)
                elif serving is not None:
                    self.seat.models.refilter(own)
                    if before is None or (own.runtime, own.threads) != (before.runtime, before.threads):
                        self._control.adopt(serving.loaded, own)
                self._own.health.note("model", "")
            except ConfigRefusedError as error:
                log.warning("committed_model_refused", model=self.seat.name, reason=str(error))
                self._own.health.note("model", f"does not serve: {error}")
            self.updates.configured(own)

    def halt(self) -> None:
        """The threads end soon."""
        self._stop.set()

    def leave(self) -> None:
        """Serve no more frames than those that are on their way, and tell nothing more."""
        self.halt()
        self.seat.models.withdraw()
        self._own.close()

    def ended(self, within_s: float = 0.0) -> bool:
        """Whether the threads have ended."""
        deadline_s = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)
