"""What is known about one camera: written by its thread, read by reports, metrics and methods."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from vigie.log import redact
from vigie.metrics import Metrics
from vigie_camera.cause import WORTH_SOMETHING, Cause
from vigie_camera.config import PrivacyMask
from vigie_camera.decode.sandbox import MEASURES
from vigie_camera.outages import CameraCondition
from vigie_camera.pace import Rhythm
from vigie_camera.sources import SourcePlan

State = Literal["connecting", "streaming", "failed", "finished"]
STATES: tuple[State, ...] = ("connecting", "streaming", "failed", "finished")

_REASON_LIMIT = 400
_WORTHLESS: dict[Cause | None, str] = {
    Cause.FROZEN: "frames arrive, but the picture no longer changes",
    Cause.TAMPERED: "frames arrive, but their edges are gone; the lens is covered or out of focus",
    Cause.DECODE: "frames arrive, but a fifth of the stream or more is damaged; check the network to the camera",
    Cause.RATE: "frames arrive at another rate than expected; see fps, the camera's settings and the network",
    Cause.SIZE: "frames arrive in another size than expected; see size and the camera's settings",
    Cause.BLACK: "frames arrive, but they are black; check the lens and the light",
}


class CameraMetrics:
    """The camera module's own metrics."""

    def __init__(self, metrics: Metrics) -> None:
        """Register them."""
        self.dropped = metrics.dropped
        self.captured = metrics.counter("vigie_frames_captured", "Frames captured.", ("camera",))
        self.state = metrics.gauge("vigie_camera_state", "1 for the state a camera is in.", ("camera", "state"))
        self.frozen = metrics.gauge("vigie_camera_frozen", "1 while a live picture does not change.", ("camera",))
        self.opened = metrics.counter("vigie_camera_openings", "Times a source was opened.", ("camera",))

        self.gated = metrics.counter(
            "vigie_frames_gated", "Frames that stayed with the camera because nothing moved in them.", ("camera",)
        )
        self.failures = metrics.counter(
            "vigie_camera_failures", "Times a camera failed, by cause.", ("camera", "cause")
        )
        self.damaged = metrics.counter(
            "vigie_frames_damaged", "Frames that were damaged, and packets that gave no frame.", ("camera",)
        )

        self.sandbox = metrics.gauge(
            "vigie_camera_sandbox",
            "1 while a measure holds the camera's decoder, 0 where there is none.",
            ("camera", "measure"),
        )

    def forget(self, camera: str) -> None:
        """A camera left the twin: its states go, its counts stay."""
        for measure in MEASURES:
            self.sandbox.remove(camera, measure)
        for state in STATES:
            self.state.remove(camera, state)
        self.frozen.remove(camera)


class CameraStatus:
    """Thread-safe. ``changed`` is called, without the lock, when something worth reporting changed."""

    def __init__(
        self,
        name: str,
        plan: SourcePlan,
        rhythm: Rhythm,
        metrics: CameraMetrics,
        changed: Callable[[], None],
        *,
        masks: Mapping[str, PrivacyMask],
        blur: tuple[str, ...] = (),
    ) -> None:
        """Begins as ``connecting``. ``masks``: burnt into every frame; a decoder that does not is never opened."""
        self.name = name
        self.plan = plan
        self._rhythm = rhythm
        self._blur = list(blur)
        self._masks = [f"{mask} ({settings.style})" for mask, settings in sorted(masks.items())]
        self._metrics = metrics
        self._changed = changed
        self._lock = threading.Lock()
        self._retired = False
        self._state: State = "connecting"
        self._reason = ""
        self._cause: Cause | None = None
        self._decoder: str | None = None
        self._sandbox: tuple[str, ...] | None = None
        self._damaged = 0
        self._size_hw: tuple[int, int] | None = None
        self._frozen = False
        self._frames = 0
        self._counted_at, self._counted = time.monotonic(), 0
        self._fps = 0.0
        self.captured = metrics.captured.labels(name)
        self._frozen_gauge = metrics.frozen.labels(name)
        self._opened = metrics.opened.labels(name)
        self._damage = metrics.damaged.labels(name)
        self._show(self._state)

    @property
    def state(self) -> State:
        return self._state

    @property
    def reason(self) -> str:
        return self._reason

    @property
    def trouble(self) -> str | None:
        """Why this camera gives no frames that are worth anything; None: it does, or has given them all."""
        with self._lock:
            worth = self._cause is None or self._cause in WORTH_SOMETHING
            if self._state == "finished" or (self._state == "streaming" and worth):
                return None
            return str(self._cause or self._state)

    def enter(self, state: State, reason: str = "", cause: Cause | None = None) -> None:
        """Change state; ``reason`` is for an operator and holds no secret."""
        reason = redact(reason)[:_REASON_LIMIT]
        with self._lock:
            if self._retired or (state, reason, cause) == (self._state, self._reason, self._cause):
                return
            self._state, self._reason, self._cause = state, reason, cause
            if state == "failed":
                self._metrics.failures.labels(self.name, cause or "other").inc()
            if state != "streaming":
                self._fps, self._frozen = 0.0, False
        self._frozen_gauge.set(1 if self._frozen else 0)
        self._show(state)
        self._changed()

    def retire(self) -> None:
        """The camera left the twin or got a new configuration: what its thread still does shows nowhere."""
        with self._lock:
            self._retired = True

    def opened(self, decoder: str, sandbox: tuple[str, ...]) -> None:
        """The source opened; the first frame makes it ``streaming``. ``decoder``: back end and codec.

        ``sandbox``: those of ``MEASURES`` that hold the decoder.
        """
        self._opened.inc()
        with self._lock:
            self._decoder, self._damaged, self._sandbox = decoder, 0, sandbox
        for measure in MEASURES:
            self._metrics.sandbox.labels(self.name, measure).set(1 if measure in sandbox else 0)

    def frame(self, size_hw: tuple[int, int], *, worthless: Cause | None, damaged: int) -> None:
        """A frame was captured. ``worthless``: what is wrong with it: FROZEN, BLACK, TAMPERED, DECODE, RATE, SIZE.

        ``damaged``: frames and packets found damaged since the source was opened.
        """
        self.captured.inc()
        self._frames += 1
        if damaged > self._damaged:
            self._damage.inc(damaged - self._damaged)
            self._damaged = damaged
        if self._retired:
            return
        if self._state == "streaming" and size_hw == self._size_hw and worthless == self._cause:
            return
        with self._lock:
            self._size_hw, self._frozen = size_hw, worthless is Cause.FROZEN
        self._frozen_gauge.set(1 if self._frozen else 0)
        if self._state == "streaming" and worthless == self._cause:
            self._changed()
        else:
            self.enter("streaming", _WORTHLESS.get(worthless, ""), worthless)

    def look(self, now_s: float) -> None:
        """Called twice a second by the watching thread, for the rate."""
        with self._lock:
            if now_s - self._counted_at >= 1.0:
                self._fps = (self._frames - self._counted) / (now_s - self._counted_at)
                self._counted_at, self._counted = now_s, self._frames

    def no_picture(self) -> str:
        """Why there is none to be had, for who asked for one."""
        with self._lock:
            return f"camera '{self.name}' is {self._state}{f': {self._reason}' if self._reason else ''}"

    def condition(self) -> CameraCondition:
        """How it is now, for events."""
        with self._lock:
            size = None if self._size_hw is None else f"{self._size_hw[1]}x{self._size_hw[0]}"
            return CameraCondition(self._state, self._cause, self._reason or None, size, self._decoder)

    def describe(self) -> dict[str, Any]:
        """For reported properties and ``list_cameras``; None stands for "nothing to say"."""
        with self._lock:
            size = self._size_hw
            return {
                "state": self._state,
                "reason": self._reason or None,
                "cause": self._cause,
                "kind": self.plan.kind,
                "source": self.plan.shown,
                "tls": self.plan.tls,
                "pace": self._rhythm,
                "fps": round(self._fps, 1),
                "size": None if size is None else f"{size[1]}x{size[0]}",
                "frozen": self._frozen,
                "decoder": self._decoder,
                "sandbox": None if self._sandbox is None else ", ".join(self._sandbox) or "none",
                "masks": self._masks or None,
                "blur": self._blur or None,
            }

    def _show(self, state: State) -> None:
        for one in STATES:
            self._metrics.state.labels(self.name, one).set(1 if one == state else 0)
