"""Gives every release that names its cameras a seat, and takes it back when the twin names it no more."""

from __future__ import annotations

import shutil
import threading
import time

from vigie.errors import ConfigRefusedError, MethodRefusedError
from vigie.log import get_logger
from vigie.service import Service
from vigie_inference.announce import Announcer
from vigie_inference.config import InferenceConfig
from vigie_inference.models_in_service import RETIRE_AFTER_S, ModelsInService
from vigie_inference.seats.occupant import Occupant
from vigie_inference.seats.seat import Seat, Seats
from vigie_inference.seats.seat_service import FOLDER, ToldOfSeats
from vigie_inference.seats.who_serves import own_config, seated
from vigie_inference.telling import Telling
from vigie_inference.update.base import Base
from vigie_inference.update.report import UpdateState
from vigie_inference.update.updates import Updates

log = get_logger("inference")

_LOOK_S = 0.5
# Longer than opening an engine that compiles itself takes on any machine that is not ill.
_ENDS_WITHIN_S = 60.0


class Seating:
    """``configure`` by whoever applies the twin; ``run`` is the body of a thread; the rest from any thread."""

    def __init__(
        self,
        service: Service[InferenceConfig],
        seats: Seats,
        main: Updates,
        *,
        announcer: Announcer,
        telling: Telling,
        alone: threading.Lock,
    ) -> None:
        """``main``: updates of the main seat. ``alone``: see ``Measuring``."""
        self._service, self._seats, self._main = service, seats, main
        self._announcer, self._telling, self._alone = announcer, telling, alone
        self._told = ToldOfSeats(service.twin.report_whole)
        self._lock = threading.Lock()
        self._configured = False
        self._occupants: dict[str, Occupant] = {}
        self._leaving: list[tuple[Occupant, float]] = []

    def configure(self, config: InferenceConfig) -> None:
        """Raises: ConfigRefusedError: a seat of that name is still ending."""
        wanted = seated(config)
        with self._lock:
            for name in [name for name in self._occupants if name not in wanted]:
                self._dismiss(self._occupants.pop(name))
            for name in wanted:
                if name not in self._occupants:
                    self._await_end(name)
            for name, release in wanted.items():
                occupant = self._occupants.get(name) or self._seat(name, beside=release.beside)
                occupant.seat.cameras, occupant.seat.beside = frozenset(release.cameras or ()), release.beside
                self._told.tell(name, "cameras", release.cameras or "all")
                self._told.tell(name, "beside", release.beside)
                occupant.configure(own_config(config, name))
            if not self._configured:
                self._configured = True
                self._forget_all_but(set(wanted))
        self._announcer.model_changed()

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(_LOOK_S):
            with self._lock:
                self._see_off()
        with self._lock:
            for occupant in [*self._occupants.values(), *(one for one, _ in self._leaving)]:
                occupant.halt()

    def updates(self, name: str | None) -> Updates:
        """Of the release ``name``; None: of the main seat. Raises: MethodRefusedError: 404, there is no such one."""
        if name is None or name == self._main.report.state.name:
            return self._main
        with self._lock:
            if name in self._occupants:
                return self._occupants[name].updates
            known = ", ".join(self._occupants) or "none"
        raise MethodRefusedError(404, f"$.name: no release {name!r} has a seat of its own; there are: {known}")

    def states(self) -> dict[str, UpdateState]:
        """How every release with a seat of its own is."""
        with self._lock:
            return {name: one.updates.report.state for name, one in self._occupants.items()}

    # The lock is held.

    def _seat(self, name: str, *, beside: bool) -> Occupant:
        models = ModelsInService()
        main = self._seats.main
        main.models.close_too(models)
        seat = Seat(name, models)
        seat.trial.show = main.trial.show
        base = Base(
            lambda _config: None, "no model" if beside else "the main model", may_be_empty=True,
            compared=lambda: not seat.beside and main.models.serving is not None,
        )  # fmt: skip
        occupant = self._occupants[name] = Occupant(
            self._service, seat, base,
            told=self._told, announcer=self._announcer, telling=self._telling, alone=self._alone,
        )  # fmt: skip
        self._seats.named = {**self._seats.named, name: seat}
        occupant.begin()
        log.info("seat_made", model=name)
        return occupant

    def _dismiss(self, occupant: Occupant) -> None:
        name = occupant.seat.name
        self._seats.leaving = (*self._seats.leaving, occupant.seat)
        self._seats.named = {key: one for key, one in self._seats.named.items() if key != name}
        occupant.leave()
        self._leaving.append((occupant, time.monotonic()))
        log.info("seat_dismissed", model=name)

    def _await_end(self, name: str) -> None:
        """Two must not write one folder. Raises: ConfigRefusedError."""
        for occupant, _ in self._leaving:
            if occupant.seat.name == name and not occupant.ended(_ENDS_WITHIN_S):
                raise ConfigRefusedError(
                    f"$.models.{name}", "was removed a moment ago and is still ending; set it again in a minute"
                )

    def _see_off(self) -> None:
        """Close what was dismissed once no frame of it can be on its way, and remove its files."""
        now_s = time.monotonic()
        for occupant, since_s in list(self._leaving):
            if now_s - since_s < RETIRE_AFTER_S or not occupant.ended():
                continue
            self._leaving.remove((occupant, since_s))
            self._seats.leaving = tuple(one for one in self._seats.leaving if one is not occupant.seat)
            occupant.seat.models.close()
            if occupant.seat.name not in self._occupants:
                shutil.rmtree(occupant.folder, ignore_errors=True)

    def _forget_all_but(self, names: set[str]) -> None:
        """What a start before left of seats that the twin names no more."""
        folder = self._service.env.state / FOLDER
        for left in folder.iterdir() if folder.is_dir() else ():
            if left.name not in names:
                shutil.rmtree(left, ignore_errors=True)
        if not names:
            self._told.nothing()
