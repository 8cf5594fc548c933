"""One decoder's process from start to end: it gets slots, what it fills is committed and sent on, it is watched."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from vigie.contracts.blur import Blur
from vigie.contracts.frames import FrameItem
from vigie.contracts.pixels import PixelFormat
from vigie.drop_reason import DropReason
from vigie.errors import FrameTooLargeError
from vigie.log import get_logger
from vigie.messaging.output import Output
from vigie_camera.cause import Cause
from vigie_camera.clip_desk import ClipDesk, ClipOrders
from vigie_camera.config import CameraSettings
from vigie_camera.decode.decoder_process import DecoderProcess
from vigie_camera.decode.link import LinkClosedError
from vigie_camera.decode.wire import (
    Clipped,
    Ended,
    Exited,
    Filled,
    Formatted,
    FreeSlot,
    Gated,
    Missed,
    News,
    SlotLayout,
    SourceFailed,
    SourceOpened,
)
from vigie_camera.expectation import Expectation
from vigie_camera.flood import Flood
from vigie_camera.patience import Patience
from vigie_camera.poke import Poke
from vigie_camera.ports import FramePort
from vigie_camera.preview import Preview
from vigie_camera.snapshots import SnapshotDesk
from vigie_camera.sources import SourcePlan
from vigie_camera.status import CameraMetrics, CameraStatus

log = get_logger("camera")

_ROOM_POLL_S = 0.2
_SLOT_POLL_S = 0.005
_IDLE_POLL_S = 0.25
# Slots that are not references on their way: one is being written, one may be read by somebody else (a viewer).
_SPARE_SLOTS = 2
# A decoder with two slots fills the next one while we send the last.
_HANDED_OUT = 2
# Beyond the time that a decoder is given to open: looking for the cause, and a busy machine.
_OPEN_GRACE_S = 8.0
_HUNG_S = 20.0
# One reset, and the end itself.
_ENDS_MAX = 3
# Somebody cleans the lens, a lorry stops before it: shorter than this is nothing.
_TAMPERED_S = 10.0


class SourceLostError(Exception):
    """A source that did not open, or gives no more frames."""

    def __init__(self, cause: Cause, reason: str, *, crashed: bool = False) -> None:
        """``reason``: a clause for an operator, without a secret. ``crashed``: the decoder, which says nothing about
        the source.
        """
        super().__init__(reason)
        self.cause, self.reason, self.crashed = cause, reason, crashed


@dataclass(frozen=True, slots=True)
class Station:
    """What a camera's thread works with, over all its openings. ``keep``: no frame may be dropped."""

    name: str
    plan: SourcePlan
    settings: CameraSettings
    status: CameraStatus
    port: FramePort
    output: Output[FrameItem]
    metrics: CameraMetrics
    boot: str
    numbers: Iterator[int]
    keep: bool
    preview: Preview | None = None
    snapshots: SnapshotDesk = field(default_factory=SnapshotDesk)
    clips: ClipDesk = field(default_factory=ClipDesk)
    patience: Patience = field(default_factory=Patience)
    expectation: Expectation = field(default_factory=lambda: Expectation(None, None))
    poke: Poke = field(default_factory=Poke)
    stop: threading.Event = field(default_factory=threading.Event)


class DecoderSession:
    """One decoder's process, from its start to its end."""

    def __init__(self, station: Station, process: DecoderProcess, *, open_s: float) -> None:
        """``open_s``: what the decoder was given to open the source."""
        self._of, self._link = station, process.link
        self._port, self._output, self._keep = station.port, station.output, station.keep
        self._generation = 0
        self._format: PixelFormat | None = None
        self._size_hw = (0, 0)
        self._out: set[int] = set()
        self._limit = station.settings.slots - _SPARE_SLOTS
        self._most = _HANDED_OUT if station.keep or self._limit > _HANDED_OUT + 1 else 1
        self._open_s = open_s
        self._opened = False
        self.decoder: str | None = None
        self._heard_at = time.monotonic()
        self._status = 0
        self._flood = Flood()
        memory = station.settings.clips
        self._clips = None if memory is None else ClipOrders(station.clips, memory.bytes)

    def run(self) -> Ended | None:
        """What the source said at its end. None: the camera's thread was poked.

        Raises: SourceLostError. RingNoSpaceError, RingBusyError.
        """
        poke = self._of.poke
        try:
            while not poke.is_set():
                self._order_clips()
                received = self._link.receive(self._hand_out(), poke.fd)
                if received is not None:
                    news, fd = received
                    if fd is not None:
                        os.close(fd)
                    self._heard_at = time.monotonic()
                    if isinstance(news, Ended):
                        return news
                    self._hear(news)
                self._look(time.monotonic())
        except LinkClosedError:
            raise SourceLostError(Cause.DECODE, self._death(), crashed=True) from None
        finally:
            if self._clips is not None:
                self._clips.close()
        return None

    def _order_clips(self) -> None:
        if self._clips is not None and self._opened:
            for order, fd in self._clips.pass_on():
                self._link.send(order, fd)

    def _hear(self, news: News) -> None:
        match news:
            case Filled():
                self._take(news)
            case Gated():
                self._skip(news)
            case Missed():
                self._miss()
            case Formatted():
                self._prepare(news.format)
            case SourceOpened():
                self._open(news)
            case SourceFailed():
                raise SourceLostError(news.cause, f"source '{self._of.plan.shown}': {news.reason}")
            case Clipped():
                if self._clips is not None:
                    self._clips.answer(news, time.time())
            case Exited():
                self._status = news.status
            case _:
                pass

    def _open(self, news: SourceOpened) -> None:
        self._opened = True
        self.decoder = news.decoder
        of = self._of
        of.expectation.opened()
        of.patience.opened(news.period_s, time.monotonic())
        if news.masks != len(of.settings.masks):
            raise SourceLostError(Cause.DECODE, "the decoder did not take every privacy mask; it starts again")
        of.status.opened(news.decoder, news.sandbox)
        log.info(
            "camera_opened",
            camera=of.name,
            source=of.plan.shown,
            kind=of.plan.kind,
            decoder=news.decoder,
            sandbox=" ".join(news.sandbox) or "none",
        )

    def _prepare(self, pixel_format: PixelFormat) -> None:
        if self._format is not None and self._format.size_hw != pixel_format.size_hw:
            log.info(
                "camera_size_changed",
                camera=self._of.name,
                before=f"{self._format.size_hw[1]}x{self._format.size_hw[0]}",
                after=f"{pixel_format.size_hw[1]}x{pixel_format.size_hw[0]}",
            )
        self._format, self._size_hw = pixel_format, pixel_format.size_hw
        self._generation += 1
        self._out.clear()
        if self._keep:
            # A ring of another size takes the place of the former one, of which no frame may be lost on its way.
            while not self._of.poke.is_set():
                if self._output.wait_for_room(self._of.stop, _ROOM_POLL_S, key=self._of.name, limit=1):
                    break
        memory = self._port.prepare(pixel_format)
        try:
            self._link.send(SlotLayout(self._generation, memory.offset, memory.length, memory.stride), memory.fd)
        finally:
            os.close(memory.fd)

    def _hand_out(self) -> float:
        """Give the decoder what it may fill; seconds to listen before trying again."""
        if self._format is None:
            return _IDLE_POLL_S
        if self._keep and not self._out and not self._room(_ROOM_POLL_S):
            return 0.0
        while len(self._out) < self._most:
            if self._keep and not self._room(0.0):
                break
            slot = self._port.hand_out()
            if self._port.moved:
                self._prepare(self._format)
                continue
            if slot is None:
                return _SLOT_POLL_S if not self._out else _IDLE_POLL_S
            self._out.add(slot)
            self._link.send(FreeSlot(self._generation, slot))
        return _IDLE_POLL_S

    def _room(self, timeout_s: float) -> bool:
        """A frame that must be kept is not even decoded before there is room for it on the way."""
        limit = self._limit - len(self._out)
        return limit > 0 and self._output.wait_for_room(self._of.stop, timeout_s, key=self._of.name, limit=limit)

    def _take(self, news: Filled) -> None:
        of = self._of
        if news.generation != self._generation or news.slot not in self._out:
            return
        self._out.discard(news.slot)
        seq = next(of.numbers)
        trace = f"{of.name}-{of.boot}-{seq}"
        asked = of.snapshots.wanted and of.snapshots.look(self._port.filled(news.slot), trace, news.captured_ns / 1e9)
        pixels = None
        with contextlib.suppress(FrameTooLargeError):
            pixels = self._port.commit(news.slot)
        if pixels is None:
            self._lost()
            return
        size_hw = self._size_hw
        of.patience.frame(news.captured_ns / 1e9)
        of.status.frame(size_hw, worthless=self._worth(news), damaged=news.damaged)
        item = FrameItem(
            camera=of.name,
            seq=seq,
            trace=trace,
            captured_at=datetime.fromtimestamp(news.wall_s, UTC)
            .isoformat(timespec="microseconds")
            .replace("+00:00", "Z"),
            captured_ns=news.captured_ns,
            frame_hw=size_hw,
            pixels=pixels,
            keep=self._keep,
            media_s=news.media_s,
            blur=Blur(of.settings.blur, asked) if of.settings.blur else None,
            weight=of.settings.weight,
        )
        if of.preview is not None:
            of.preview.show(item)
        superseded = self._output.offer(item, key=of.name, keep=self._keep, weight=of.settings.weight)
        if superseded is not None:
            self._port.release(superseded.pixels)

    def _skip(self, news: Gated) -> None:
        """Nothing moves in it: the camera is well, and nobody is sent anything."""
        of = self._of
        next(of.numbers)
        of.patience.frame(news.captured_ns / 1e9)
        of.metrics.gated.labels(of.name).inc()
        of.status.frame(self._size_hw, worthless=self._worth(news), damaged=news.damaged)

    def _worth(self, news: Filled | Gated) -> Cause | None:
        """What makes a live picture worthless, once it has lasted as long as a loss would."""
        limit_s = self._of.patience.limit_s
        flooded = self._of.plan.live and self._flood.frame(news.captured_ns / 1e9, news.damaged)
        if news.dark_s >= limit_s:
            return Cause.BLACK
        if news.still_s >= limit_s:
            return Cause.FROZEN
        if news.strange_s >= max(limit_s, _TAMPERED_S):
            return Cause.TAMPERED
        if flooded:
            return Cause.DECODE
        if not self._of.plan.live:
            return None
        return self._of.expectation.frame(news.captured_ns / 1e9, self._size_hw)

    def _miss(self) -> None:
        next(self._of.numbers)
        self._lost()

    def _lost(self) -> None:
        """A frame that has its number found no room."""
        of = self._of
        of.patience.frame(time.monotonic())
        of.metrics.dropped(DropReason.RING_FULL, of.name)
        if self._format is not None:
            of.status.frame(self._size_hw, worthless=None, damaged=0)

    def _look(self, now: float) -> None:
        """A decoder that says nothing hangs, or its camera does.

        Raises: SourceLostError.
        """
        patience = self._of.patience
        silent_s = now - self._heard_at
        if not self._opened:
            if silent_s > self._open_s + _OPEN_GRACE_S:
                raise SourceLostError(Cause.TIMEOUT, f"did not open within {self._open_s:g} s")
        elif self._of.plan.live:
            if patience.lost(now):
                raise SourceLostError(
                    Cause.STALLED, f"source '{self._of.plan.shown}': no picture for {patience.limit_s:.0f} s"
                )
        elif self._out and silent_s > _HUNG_S:
            raise SourceLostError(Cause.DECODE, f"the decoder hangs: nothing from it for {_HUNG_S:g} s")

    def _death(self) -> str:
        self._read_its_end()
        if os.WIFSIGNALED(self._status):
            return f"the decoder's process was killed by signal {os.WTERMSIG(self._status)}; it starts again"
        return "the decoder's process ended; it starts again"

    def _read_its_end(self) -> None:
        """The nursery tells how a decoder died, but sending to the dead one, and a reset, come before that is read."""
        errors = 0
        while not self._status and errors < _ENDS_MAX:
            try:
                received = self._link.receive(0.0)
            except LinkClosedError:
                errors += 1
                continue
            if received is None:
                return
            news, fd = received
            if fd is not None:
                os.close(fd)
            if isinstance(news, Exited):
                self._status = news.status
