"""Which inputs, outputs, threads and tasks the module has, and what connects them."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

from vigie.contracts import names
from vigie.contracts.demand import Demand, ModuleStatus
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.frames import FrameItem
from vigie.log import get_logger
from vigie.service import InputQueue, Service
from vigie_viewer.asking import UNWATCHED_S, WATCHED_S, Asking
from vigie_viewer.audience import Audience
from vigie_viewer.config import ViewerConfig
from vigie_viewer.methods import offer_methods
from vigie_viewer.overview import Overview
from vigie_viewer.picture import Picture
from vigie_viewer.pictures import Pictures
from vigie_viewer.sessions import Sessions
from vigie_viewer.settings import PageSettings
from vigie_viewer.web import Site, serve_site

log = get_logger("viewer")

_STATUS_POLL_S = 0.5


async def run_viewer(service: Service[ViewerConfig], settings: PageSettings) -> None:
    """Until cancelled.

    Raises: EndpointError: the page's address cannot be bound.
    """
    loop = asyncio.get_running_loop()
    frames = service.input(names.FRAMES, FrameItem)
    detections = service.input(names.DETECTIONS, DetectionsItem)
    statuses = service.input(names.STATUS, ModuleStatus)
    demand = service.unwatched_output(names.DEMAND, Demand)

    audience = Audience()
    overview = Overview()
    asking = Asking(audience, demand, lambda: overview.rates)
    sessions = Sessions(settings.token)
    site = Site(settings, sessions, audience, overview, asking.hurry)
    audience.changed, overview.tell = asking.changed, site.tell

    offer_methods(service, sessions)

    def show(picture: Picture) -> None:
        if picture.detections is not None:
            overview.timed(picture.detections.timings)
        audience.publish(picture)

    pictures = Pictures(service, frames, detections, lambda: audience.wanted, partial(_post, loop, show))
    viewers = service.metrics.gauge("vigie_viewer_pages", "Pages that are open.")

    async def apply(new: ViewerConfig, _previous: ViewerConfig | None) -> None:
        pictures.configure(new)
        audience.fps_max, audience.width_max = new.fps, new.width
        sessions.lasts_s, site.viewers_max = new.session_minutes * 60.0, new.viewers

    async def beat() -> None:
        while True:
            watched = bool(audience.viewers)
            await asyncio.sleep(WATCHED_S if watched else UNWATCHED_S / 3)
            asking.schemas_wanted = overview.lacks_schemas
            overview.beat(watched=watched)
            site.close_ended()
            viewers.set(len(audience.viewers))

    service.thread("viewer.frames", pictures.take_frames)
    service.thread("viewer.detections", pictures.take_detections)
    service.thread("viewer.status", partial(_take_statuses, statuses, loop, overview))
    try:
        async with serve_site(site, settings) as address, asyncio.TaskGroup() as tasks:
            log.info("page", address=address, token_file=str(settings.token_file) if settings.token_file else None)
            await service.start()
            tasks.create_task(asking.run(), name="viewer.asking")
            tasks.create_task(beat(), name="viewer.beat")
            await service.twin.run(apply)
    finally:
        pictures.close()


def _post(loop: asyncio.AbstractEventLoop, show: object, picture: Picture) -> None:
    loop.call_soon_threadsafe(show, picture)  # type: ignore[arg-type]  # a function of one picture


def _take_statuses(
    statuses: InputQueue[ModuleStatus],
    loop: asyncio.AbstractEventLoop,
    overview: Overview,
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        received = statuses.get(_STATUS_POLL_S)
        if received is None:
            continue
        for status in received.items:
            loop.call_soon_threadsafe(overview.take, status)
        received.done()
