"""Which inputs, outputs, threads and tasks the module has, and what connects them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from vigie.contracts import names
from vigie.contracts.demand import Demand, ModuleStatus
from vigie.contracts.detections import DetectionsItem
from vigie.contracts.envelope import TOLD
from vigie.contracts.frames import FrameItem
from vigie.log import get_logger
from vigie.service import InputQueue, Service
from vigie_viewer.album import Album
from vigie_viewer.asking import UNWATCHED_S, WATCHED_S, Asking
from vigie_viewer.audience import Audience
from vigie_viewer.config import ViewerConfig
from vigie_viewer.methods import offer_methods
from vigie_viewer.occurrences import Occurrences, ToldRaw
from vigie_viewer.overview import Overview
from vigie_viewer.page_sessions import PageSessions
from vigie_viewer.picture import Picture, trial_text
from vigie_viewer.pictures import Pictures
from vigie_viewer.settings import PageSettings
from vigie_viewer.web import Site, serve_site

log = get_logger("viewer")

_POLL_S = 1.0
# A hub that is gone is on an open page within a second, before pictures are missed.
_LINK_S = 0.5
T = TypeVar("T")


async def run_viewer(service: Service[ViewerConfig], settings: PageSettings) -> None:
    """Until cancelled.

    Raises: EndpointError: the page's address cannot be bound.
    """
    loop = asyncio.get_running_loop()
    frames = service.input(names.FRAMES, FrameItem)
    detections = service.input(names.DETECTIONS, DetectionsItem)
    statuses = service.input(names.STATUS, ModuleStatus)
    events = service.input(names.EVENTS, ToldRaw, schema=TOLD)
    trials = service.input(names.TRIAL, DetectionsItem)
    demand = service.unwatched_output(names.DEMAND, Demand)

    audience = Audience()
    overview = Overview()
    album = Album()
    occurrences = Occurrences(album)
    asking = Asking(audience, demand, lambda: overview.rates)
    sessions = PageSessions(settings.token)
    site = Site(settings, sessions, audience, overview=overview, occurrences=occurrences, opened=asking.hurry)
    audience.changed, overview.tell, occurrences.tell = asking.changed, site.tell, site.tell
    asking.events_after = lambda: occurrences.last

    offer_methods(service, sessions, occurrences)

    def show(picture: Picture) -> None:
        if picture.detections is not None:
            overview.timed(picture.detections.timings)
        occurrences.see(picture)
        audience.publish(picture)

    pictures = Pictures(service, frames, detections, lambda: audience.wanted, partial(_post, loop, show))

    async def apply(new: ViewerConfig, _previous: ViewerConfig | None) -> None:
        pictures.configure(new)
        audience.fps_max, audience.width_max = new.fps, new.width
        sessions.lasts_s, site.viewers_max = new.session_minutes * 60.0, new.viewers

    service.thread("viewer.frames", pictures.take_frames)
    service.thread("viewer.detections", pictures.take_detections)
    service.thread("viewer.status", partial(_take, statuses, loop, overview.take))
    service.thread("viewer.events", partial(_take, events, loop, occurrences.hear))
    service.thread("viewer.trial", partial(_take, trials, loop, lambda seen: site.tell(trial_text(seen))))
    try:
        async with serve_site(site, settings) as address, asyncio.TaskGroup() as tasks:
            log.info("page", address=address, token_file=str(settings.token_file) if settings.token_file else None)
            await service.start()
            tasks.create_task(asking.run(), name="viewer.asking")
            tasks.create_task(
                _beat(service, site, audience, overview=overview, asking=asking, album=album), name="viewer.beat"
            )
            tasks.create_task(_watch_link(service, overview), name="viewer.link")
            await service.twin.run(apply)
    finally:
        pictures.close()


async def _watch_link(service: Service[ViewerConfig], overview: Overview) -> None:
    """Also while nobody looks: a page that has just opened shows an outage that began a moment before."""
    while True:
        overview.link(up=service.hub.connected)
        await asyncio.sleep(_LINK_S)


async def _beat(
    service: Service[ViewerConfig], site: Site, audience: Audience, *, overview: Overview, asking: Asking, album: Album
) -> None:
    viewers = service.metrics.gauge("vigie_viewer_pages", "Pages that are open.")
    while True:
        watched = bool(audience.viewers)
        await asyncio.sleep(WATCHED_S if watched else UNWATCHED_S / 3)
        asking.schemas_wanted = overview.lacks_schemas
        overview.beat(watched=watched)
        if not watched:
            album.clear()
        site.close_ended()
        viewers.set(len(audience.viewers))


def _post(loop: asyncio.AbstractEventLoop, show: object, picture: Picture) -> None:
    loop.call_soon_threadsafe(show, picture)  # type: ignore[arg-type]  # a function of one picture


def _take(
    queue: InputQueue[T], loop: asyncio.AbstractEventLoop, take: Callable[[T], None], stop: threading.Event
) -> None:
    """Hand what comes to the event loop: the body of a thread."""
    while not stop.is_set():
        received = queue.get(_POLL_S)
        if received is None:
            continue
        for item in received.items:
            loop.call_soon_threadsafe(take, item)
        received.done()
