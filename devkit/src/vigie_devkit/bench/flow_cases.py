"""The scenarios of `./vigie bench`. Each starts the real product once and returns its figures.

How CPU per frame is counted. ``/proc/<pid>/stat`` of hub and modules before and after the window: everything they used,
ended threads included. Taken off: the cameras' threads (``camera.<name>``) and
the processes that decode for them (``cam.<name>``), and the model (thread CPU time inside the engine's
run, as inference counts it, plus the runtime's own threads, named ``engine``). Not taken off: letterbox, output
decoding, NMS, ledger, metrics, watchdogs. Divided by the frames that sync committed. `up` itself is left out: it is not
on a device.

How delays are counted. Items carry ``captured_ns`` and the milliseconds since capture at each stage, all of one host's
monotonic clock; ``received_ms`` is taken when sync's rules see the frame, ``committed_ms`` when it goes to the ledger.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from vigie.contracts.names import CAMERA, FLOW
from vigie_devkit.bench.beside import MEASURED_WITHIN_S, beside
from vigie_devkit.bench.floor import HOPS, measure_hop
from vigie_devkit.bench.offline import boot_offline
from vigie_devkit.bench.pixels import BAR_MS, make_video, pixel_cost
from vigie_devkit.bench.report import Figure, quantiles
from vigie_devkit.bench.window import (
    MeasuredWindow,
    beyond_ms,
    by_thread,
    delays_ms,
    drift,
    inside,
    stage_figures,
    watch,
)
from vigie_devkit.local.frame_folders import temporary_frames
from vigie_devkit.local.paths import CHECKOUT, frames_root
from vigie_devkit.local.product import Product, ProductError, module_programs, up
from vigie_devkit.local.programs import HUB

SHIPPED = CHECKOUT / "shared/models/conveyor-parts"
# What `./vigie bench` runs where no scenario is named.
USUAL = ("max-1", "full-4", "light-1", "light-4", "1080p")
WARM_UP_S = 4.0
SETTLE_AFTER_KILL_S = 3.0
HUB_DELAY_MS = 10.0
BEYOND_BARS_MS = (3.5, 7.0)
NO_BARS = (None, None)
PSS_BARS_MB = {CAMERA: 90.0, "preprocess": 100.0, "sync": 100.0}


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What all cases share. ``home`` keeps imported models, so that an import is not measured again and again.

    ``made``: a folder for what a case makes for itself.
    """

    home: Path
    launcher: Sequence[str]
    light: Path
    seconds: float
    model: Path | None = None
    video: Path | None = None
    made: Path = Path()

    def sources(self, cameras: int, fps: float) -> list[str]:
        """The video for each camera, or scenes of our own that need no file."""
        if self.video is not None:
            return [str(self.video)] * cameras
        return [f"synthetic://conveyor?seed={seed + 1}&fps={fps:g}&size=320x240" for seed in range(cameras)]

    def a_video(self) -> Path:
        """The given one, or one of FFmpeg's test pictures.

        Raises: ProductError: no video was given and ffmpeg is missing.
        """
        return self.video or _made(self.made / "video.mp4", "640x360")

    def detector(self) -> tuple[Path, Path]:
        """What `up` serves, and the file for the user's loop: the given model, or the one that ships, in fp32."""
        return (self.model, self.model) if self.model is not None else (SHIPPED, SHIPPED / "fp32.onnx")

    def arguments(self, model: Path, cameras: int, fps: float) -> list[str]:
        files = ["--loop"] if self.video is not None else []
        return [*self.sources(cameras, fps), "--model", str(model), "--pace", "realtime", *files]


def _made(path: Path, size: str) -> Path:
    try:
        return path if path.exists() else make_video(path, size)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ProductError(f"no video to measure with: pass --video FILE, or install ffmpeg ({error})") from error


def beside_user(setting: Setting, cameras: int) -> list[Figure]:
    """What a user would write in place of Vigie, then Vigie, on the same file with the same model."""
    model, loop_model = setting.detector()
    return beside(
        setting.home, setting.launcher, video=setting.a_video(), model=model, loop_model=loop_model,
        seconds=setting.seconds, cameras=cameras,
    )  # fmt: skip


def pixels(setting: Setting) -> list[Figure]:
    """A 1080p frame between the decoder and the tensor."""
    video = _made(setting.made / "1080p.mp4", "1920x1080")
    with temporary_frames("pixels", frames_root()) as folder:
        cost = pixel_cost(video, folder)
    note = f"decode {cost.decode:.2f}, with copy {cost.with_copy:.2f}, with tensor {cost.with_tensor:.2f}"
    name = "camera and preprocess beyond the bare decode"
    return [Figure(case="1080p", name=name, value=cost.beyond, unit="ms", bar=BAR_MS, note=note)]


def floor(setting: Setting) -> list[Figure]:
    """The SDK's own share: three bare hops, to compare the CPU of the flow with."""
    figures = []
    for rate in (30.0, 120.0):
        hop = measure_hop(rate, setting.seconds)
        figures.append(
            Figure(
                case="floor",
                name=f"CPU of three bare SDK hops, {rate:g}/s",
                value=HOPS * hop.total_ms,
                unit="ms",
                note=f"a hop: send {hop.send_ms:.2f}, receive {hop.receive_ms:.2f}, hub {hop.hub_ms:.2f}",
            )
        )
    return figures


def start(setting: Setting) -> list[Figure]:
    """From the start of the command to the first frame whose detections are committed; everything is installed."""
    with up(setting.home, setting.launcher, *setting.arguments(setting.model or setting.light, 1, 30)) as product:
        product.wait_for_flow()
        product.wait_until(lambda: any(True for _ in product.items()), "an item upstream")
        product.stop()
        first_ns = min(item.captured_ns + int((item.timings.committed_ms or 0) * 1e6) for item in product.items())
    return [Figure(case="start", name="up to first committed", value=(first_ns - product.begun_ns) / 1e9, unit="s")]


def flow(setting: Setting, case: str, model: Path, cameras: int, fps: float = 30.0) -> list[Figure]:
    """Cameras at real time; newest wins where the model is too slow, and what was dropped is told by reason."""
    with up(setting.home, setting.launcher, *setting.arguments(model, cameras, fps)) as product:
        product.wait_for_flow(cameras)
        measured = product.wait_until_measured(MEASURED_WITHIN_S)
        time.sleep(WARM_UP_S)
        window = watch(product, setting.seconds)
        memory = product.stop()["modules"]
        items = inside(product.items(), window)
    light = model == setting.light
    cpu_bar = (3.0 if cameras == 1 else 2.0) if fps == 30 and light else None
    figures = [
        *_speed(case, window, items_ms := delays_ms(items)),
        *_cpu(case, window, cpu_bar),
        *quantiles(case, "beyond the model", beyond_ms(items), BEYOND_BARS_MS if light and cameras == 1 else NO_BARS),
        *stage_figures(case, items),
        Figure(case=case, name="delay, last third over first", value=drift(items_ms), unit="x"),
        Figure(case=case, name="runtimes measured before", value=100 * measured, unit="%"),
    ]
    return [*figures, *_memory(case, memory)] if light else figures


def slow_hub(setting: Setting) -> list[Figure]:
    """Eight cameras at 15 fps; the hub delivers 10 ms late, one message at a time to each receiver, as edgeHub does."""
    case = "slow-hub-8"
    with up(setting.home, setting.launcher, *setting.arguments(setting.light, 8, 15)) as product:
        product.wait_for_flow(8)
        product.hub().misbehave(delivery_delay_ms=HUB_DELAY_MS)
        time.sleep(WARM_UP_S)
        window = watch(product, 2 * setting.seconds)
        product.stop()
        items_ms = delays_ms(inside(product.items(), window))
    return [
        *_speed(case, window, items_ms, p95_bar=100.0, drop_bar=1.0),
        Figure(case=case, name="delay, last third over first", value=drift(items_ms), unit="x", bar=1.25),
        *_cpu(case, window, None),
    ]


def kill(setting: Setting) -> list[Figure]:
    """``kill -9`` of each process in turn: until a frame captured after the kill is committed."""
    killed: dict[str, int] = {}
    with up(setting.home, setting.launcher, *setting.arguments(setting.light, 1, 30)) as product:
        product.wait_for_flow()
        for name in (*FLOW, HUB):
            time.sleep(SETTLE_AFTER_KILL_S)
            killed[name] = product.kill(name)
            product.wait_until(partial(_flows_again, product, killed[name]), f"flow after kill -9 of {name}")
        time.sleep(1.0)
        product.stop()
        commits = [
            (item.captured_ns, item.captured_ns + int((item.timings.committed_ms or 0) * 1e6))
            for item in product.items()
        ]
    return [
        Figure(case="kill", name=f"flow back after {name}", value=_back_s(commits, at_ns), unit="s", bar=10.0)
        for name, at_ns in killed.items()
    ]


def _flows_again(product: Product, killed_ns: int) -> bool:
    return any(item.captured_ns > killed_ns for item in product.items())


def _back_s(commits: Sequence[tuple[int, int]], killed_ns: int) -> float:
    back_ns = min((committed for captured, committed in commits if captured > killed_ns), default=None)
    if back_ns is None:
        raise ProductError("no frame captured after the kill was ever committed")
    return (back_ns - killed_ns) / 1e9


def offline(setting: Setting) -> list[Figure]:
    """All four modules start together with their last good twin and no hub at all."""
    with up(setting.home, setting.launcher, *setting.arguments(setting.light, 1, 30)) as product:
        product.wait_for_flow(30)
        environments = module_programs(product)
        product.stop()
    booted = boot_offline(environments, product.run)
    return [
        Figure(case="offline", name="camera captures", value=booted.capturing_s, unit="s", bar=5.0),
        Figure(case="offline", name="inference serves its model", value=booted.serving_s, unit="s", bar=5.0),
        Figure(case="offline", name="all four answer /metrics", value=booted.answering_s, unit="s", bar=5.0),
    ]


def _speed(
    case: str,
    window: MeasuredWindow,
    items_ms: Sequence[float],
    *,
    p95_bar: float | None = None,
    drop_bar: float | None = None,
) -> list[Figure]:
    reasons = ", ".join(f"{reason} {count}" for reason, count in window.dropped.items())
    batching = f"{window.frames_a_message:.1f} frames per message"
    return [
        Figure(case=case, name="frames committed", value=window.fps, unit="/s", note=batching),
        *quantiles(case, "capture to sync", items_ms, (None, p95_bar)),
        Figure(
            case=case,
            name="dropped",
            value=100 * window.drop_share,
            unit="%",
            bar=drop_bar,
            note=f"{reasons or 'none'}, of {window.captured} captured",
        ),
    ]


def _cpu(case: str, window: MeasuredWindow, bar: float | None) -> list[Figure]:
    by_process = window.overhead_ms()
    frames = max(1, window.committed)
    shares = ", ".join(f"{name} {ms:.2f}" for name, ms in by_process.items())
    whole = {
        "source": (window.source_s, ""),
        "model": (window.model_s, ""),
        **{f"{name} with all": (spent.total_s, by_thread(spent, frames)) for name, spent in window.used.items()},
    }
    total_ms = sum(by_process.values())
    return [
        Figure(
            case=case, name="CPU per frame beside source and model", value=total_ms, unit="ms", bar=bar, note=shares
        ),
        *(
            Figure(case=case, name=f"CPU per frame, {what}", value=seconds / frames * 1e3, unit="ms", note=note)
            for what, (seconds, note) in whole.items()
        ),
    ]


def _memory(case: str, memory: dict[str, dict[str, float]]) -> list[Figure]:
    figures = [
        Figure(case=case, name=f"PSS {name}", value=cost["pss_mb"], unit="MB", bar=PSS_BARS_MB.get(name))
        for name, cost in memory.items()
    ]
    all_four = sum(cost["pss_mb"] for name, cost in memory.items() if name in FLOW)
    return [*figures, Figure(case=case, name="PSS of the four modules", value=all_four, unit="MB", bar=450.0)]


def cases(setting: Setting) -> dict[str, Callable[[], list[Figure]]]:
    """By name, in order; those of the given model only where one is given."""
    chosen: dict[str, Callable[[], list[Figure]]] = {
        "max-1": lambda: beside_user(setting, 1),
        "full-4": lambda: beside_user(setting, 4),
        "1080p": lambda: pixels(setting),
        "start": lambda: start(setting),
        "floor": lambda: floor(setting),
        "light-1": lambda: flow(setting, "light-1", setting.light, 1),
        "light-4": lambda: flow(setting, "light-4", setting.light, 4),
    }
    if (model := setting.model) is not None:
        chosen["model-1"] = lambda: flow(setting, "model-1", model, 1)
        chosen["model-4"] = lambda: flow(setting, "model-4", model, 4)
    return {
        **chosen,
        "slow-hub-8": lambda: slow_hub(setting),
        "kill": lambda: kill(setting),
        "offline": lambda: offline(setting),
    }
