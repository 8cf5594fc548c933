"""What a module stands on: hub, twin, inputs and outputs, methods, health and metrics, threads; opened and closed once.

Data plane: dedicated threads (the SDK's synchronous client, ordered queues). Control plane: asyncio (ADR 0007).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Generic, TypeVar, Unpack, overload

import msgspec

from vigie import health_restarts
from vigie.answering import Answering
from vigie.audit.auditor import Auditor
from vigie.audit.journal import FOLDER, Journal
from vigie.audit.record import AuditEntry
from vigie.audit.upstream import AuditUpstream
from vigie.background_task import background_task
from vigie.config.doorbells import DoorbellConfig
from vigie.config.environment import ModuleEnvironment
from vigie.config.lastgood import LastGood
from vigie.contracts import names
from vigie.contracts.credit import Credit
from vigie.contracts.envelope import CREDIT, Envelope, Schema
from vigie.endpoints import serve_endpoints
from vigie.errors import ThreadDiedError
from vigie.frames.doorbell import socket_name
from vigie.health import Health
from vigie.log import get_logger
from vigie.messaging.bell_input import BellInput
from vigie.messaging.bell_output import BellOutput
from vigie.messaging.bells import Bells
from vigie.messaging.consumers import Consumers
from vigie.messaging.feed import TwinFeed
from vigie.messaging.inputs import InputQueue, Received
from vigie.messaging.link import HubLink, Link, LinkContext
from vigie.messaging.methods import Handler, Methods
from vigie.messaging.output import Output
from vigie.messaging.output_settings import OutputOptions, OutputSettings
from vigie.messaging.progress import InputProgress, open_progress
from vigie.messaging.reorder import Lane
from vigie.messaging.reported import Reporter
from vigie.messaging.schemas import schema_of
from vigie.messaging.send_queue import SendQueue
from vigie.messaging.session import Handlers, RawMessage, Session
from vigie.messaging.upstream import UpstreamOutput
from vigie.messaging.window import Window
from vigie.metrics import Metrics
from vigie.process import run_module
from vigie.status_reply import StatusRequest, status_of, verbose
from vigie.thread_names import show_thread_name
from vigie.versions import version_of

__all__ = [
    "InputQueue",
    "ModuleEnvironment",
    "Output",
    "Received",
    "Service",
    "TwinFeed",
    "UpstreamOutput",
    "open_service",
    "run_module",
]

log = get_logger(__name__)

C = TypeVar("C")
T = TypeVar("T")
Q = TypeVar("Q")

LinkFactory = Callable[[LinkContext], Link]

_THREADS_STOP_S = 3.0


class Service(Generic[C]):
    """Declare inputs, outputs, methods; then ``start()``. Use ``open_service``."""

    def __init__(
        self, env: ModuleEnvironment, config_type: type[C], module_version: str, make_link: LinkFactory
    ) -> None:
        """Made on the event loop; nothing runs yet. Raises: SealedError: the audit log needs a key that is missing."""
        self.env = env
        self.module_version = module_version
        self.metrics = Metrics()
        self.health = Health()
        self.failure: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        self._started_at = time.monotonic()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._methods = Methods()
        self._outbox = SendQueue()
        # Where the version before looks for cursors, and has its own.
        self._signal_folders = (env.signals,) if env.signals == env.frames else (env.signals, env.frames)
        self._bells = Bells(env.signals, socket_name("answers", env.device_id, env.module_id), self._outbox)
        self._bell_inputs: list[BellInput] = []
        self._upstreams: list[UpstreamOutput] = []
        self._inputs: dict[str, InputQueue[Any]] = {}
        self._progress: list[InputProgress] = []
        self._by_consumer: dict[tuple[str, str], Output[Any]] = {}
        self._consumers = Consumers(self._by_consumer, self.metrics, self.health)
        self._credit_decoder = msgspec.json.Decoder(Envelope[Credit])
        self._credits_out: Output[Credit] | None = None
        self.hub = make_link(
            LinkContext(
                # What these call is made below.
                handlers=Handlers(
                    self._on_message,
                    lambda call: self._answering.take(call),  # noqa: PLW0108
                    lambda patch: self.twin.patched(patch),  # noqa: PLW0108
                ),
                attach=self._attach,
                detach=self._detach,
                online=lambda: self.twin.online(),  # noqa: PLW0108
                fatal=self.fail,
                metrics=self.metrics,
                health=self.health,
            )
        )
        self._reporter = Reporter(self.hub.report)
        journal = Journal(env.state / FOLDER, module=env.module_id, boot=env.boot, seals=env.seals)
        journal.check_key()
        self._auditor = Auditor(journal, self._reporter.report)
        self._answering = Answering(self._methods, self._auditor, self._loop)
        self.twin: TwinFeed[C] = TwinFeed(
            config_type, LastGood(env.state), self.hub.get_twin, self._reporter, self.health,
            record=self._auditor.record,
        )  # fmt: skip
        self.metrics.build(env.name, module_version)
        health_restarts.tell(env.state, self.metrics, self.health)
        self.method("get_status", StatusRequest, self._status)

    def input(
        self,
        name: str,
        item_type: type[T],
        *,
        capacity: int = 64,
        schema: Schema | None = None,
        order_of: Callable[[T], str | None] | None = None,
    ) -> InputQueue[T]:
        """Declare an input before ``start``. ``schema`` is known for the items of ``vigie.contracts``.

        ``order_of``: see ``InputQueue``.
        """
        if self._credits_out is None:
            self._credits_out = self._make_output(OutputSettings(names.CREDIT, CREDIT), None)
        env = self.env
        bell = BellInput(
            env.signals, env.module_id, name,
            link_up=lambda: self.hub.connected, rejected=lambda: self.metrics.rejected.labels(name).inc(),
        )  # fmt: skip
        self._bell_inputs.append(bell)
        progress = InputProgress(self._signal_folders, env.module_id, name, self._credits_out, bell.wake_sender)
        queue: InputQueue[T] = InputQueue(
            name, item_type, schema or schema_of(item_type), capacity=capacity, acknowledge=progress,
            metrics=self.metrics, bell=bell, order_of=order_of,
        )  # fmt: skip
        self._progress.append(progress)
        self._inputs[name] = queue
        return queue

    @overload
    def output(self, name: str, consumer: None) -> UpstreamOutput: ...
    @overload
    def output(
        self, name: str, consumer: tuple[str, str], *, item_type: type[T], schema: Schema | str | None = None,
        doorbell: bool = False, **options: Unpack[OutputOptions],
    ) -> Output[T]: ...  # fmt: skip
    @overload
    def output(
        self, name: str, consumer: tuple[str, str], *, schema: Schema | str,
        doorbell: bool = False, **options: Unpack[OutputOptions],
    ) -> Output[Any]: ...  # fmt: skip

    def output(
        self,
        name: str,
        consumer: tuple[str, str] | None,
        *,
        item_type: type[Any] | None = None,
        schema: Schema | str | None = None,
        doorbell: bool = False,
        **options: Unpack[OutputOptions],
    ) -> Output[Any] | UpstreamOutput:
        """Declare an output; ``consumer`` is (module, input) at the other end of its route, None for ``$upstream``.

        ``doorbell``: claims may go by doorbell where the manifest says that ``consumer`` is the only one
        (``VIGIE_DOORBELLS``) and where it answers (docs/frames.md).
        """
        if consumer is None:
            upstream = UpstreamOutput(name, self.metrics)
            self._upstreams.append(upstream)
            return upstream
        if schema is None:
            if item_type is None:
                raise TypeError(f"output '{name}' to a module needs an item type or a schema")
            schema = schema_of(item_type)
        settings = OutputSettings(name, Schema.parse(schema) if isinstance(schema, str) else schema, **options)
        output = self._by_consumer[consumer] = self._make_output(settings, consumer, doorbell=doorbell)
        return output

    def unwatched_output(self, name: str, item_type: type[T]) -> Output[T]:
        """Declare an output whose receivers' progress is not waited for: the newest item per key says it all."""
        return self._make_output(OutputSettings(name, schema_of(item_type)), None)

    def method(self, name: str, request_type: type[Q], handler: Handler[Q]) -> None:
        """Answer direct method ``name``; see ``vigie.messaging.methods``."""
        self._methods.register(name, request_type, handler)

    @property
    def uptime_s(self) -> float:
        """Seconds since this service was made."""
        return time.monotonic() - self._started_at

    async def start(self) -> None:
        """Connect in the background; everything declared later than this may miss messages."""
        for bell in self._bell_inputs:
            bell.open()
        self._bells.start()
        await self._auditor.record(AuditEntry(kind="start", software=self.module_version))
        self.hub.start()

    def thread(self, name: str, target: Callable[[threading.Event], None]) -> threading.Thread:
        """Run ``target(stop)`` on a thread of its own. If it raises, the process ends for its supervisor to restart.

        ``target`` has to return soon after ``stop`` is set.
        """

        def run() -> None:
            show_thread_name(name)
            try:
                target(self._stop)
            except Exception as error:
                log.exception("thread_died", thread=name)
                failure = ThreadDiedError(name, error)
                failure.__cause__ = error
                self.fail(failure)

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def fail(self, error: Exception) -> None:
        """End the process with ``error``; from any thread."""
        if self.failure is None:
            self.failure = error
        if self._main is not None:
            self._loop.call_soon_threadsafe(self._main.cancel)

    async def stop(self) -> None:
        """Stop threads and link, each within its deadline."""
        self._stop.set()
        await asyncio.to_thread(self._join_threads)
        await asyncio.to_thread(self.hub.stop)
        await asyncio.to_thread(self._bells.stop)
        await asyncio.to_thread(self._auditor.close)
        for bell in self._bell_inputs:
            bell.close()
        for progress in self._progress:
            progress.close()

    async def background(self) -> None:
        """The service's own tasks, for its life."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.twin.fetch(), name="twin.fetch")
            tasks.create_task(self._reporter.run(), name="twin.report")
            tasks.create_task(self._consumers.watch(), name="service.consumers")

    def _make_output(
        self, settings: OutputSettings, consumer: tuple[str, str] | None, *, doorbell: bool = False
    ) -> Output[Any]:
        env = self.env
        may_ring = doorbell and settings.name in env.doorbells
        bell = None if consumer is None or not may_ring else self._bell_output(settings, consumer)
        output: Output[Any] = Output(
            settings, module_id=env.module_id, boot=env.boot,
            progress=None if consumer is None else open_progress(self._signal_folders, env.module_id, consumer),
            condition=self._outbox.condition, room=self._outbox.room(), metrics=self.metrics,
            bell=bell, kick=self._bells.kick,
        )  # fmt: skip
        self._outbox.add(output)
        if bell is not None:
            self._bells.add(output)
        return output

    def _bell_output(self, settings: OutputSettings, consumer: tuple[str, str]) -> BellOutput:
        env = self.env
        return BellOutput(
            env.signals,
            consumer,
            Window(settings.bell_messages, settings.timeout_s),
            answers=self._bells.name,
            grace_s=DoorbellConfig().grace_seconds,
            link_up=self._outbox.link_up,
            progress=open_progress((env.signals,), env.module_id, consumer, Lane.DOORBELL),
        )

    def _join_threads(self) -> None:
        deadline = time.monotonic() + _THREADS_STOP_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.warning("thread_does_not_stop", thread=thread.name)

    def _attach(self, session: Session) -> None:
        self._outbox.attach(session)
        for upstream in self._upstreams:
            upstream.attach(session)

    def _detach(self, session: Session) -> None:
        self._outbox.detach(session)
        for upstream in self._upstreams:
            upstream.detach(session)

    def _on_message(self, message: RawMessage) -> None:
        queue = self._inputs.get(message.input_name)
        if queue is not None:
            queue.put(message)
        elif message.input_name == names.CREDIT:
            self._take_credit(message)
        else:
            self.metrics.rejected.labels(message.input_name).inc()

    def _status(self, request: StatusRequest) -> dict[str, Any]:
        short = status_of(
            self.env, self.health, software=self.module_version, uptime_s=self.uptime_s, twin_version=self.twin.version
        )
        return {**short, **verbose(self.metrics)} if request.verbose else short

    def _take_credit(self, message: RawMessage) -> None:
        try:
            envelope = self._credit_decoder.decode(message.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.metrics.rejected.labels(names.CREDIT).inc()
            return
        for credit in envelope.items:
            output = self._by_consumer.get((credit.consumer, credit.output))
            if output is not None and credit.boot == self.env.boot and credit.sender == self.env.module_id:
                output.credit(credit.sent)


@asynccontextmanager
async def open_service(
    env: ModuleEnvironment,
    config_type: type[C],
    *,
    module_version: str | None = None,
    make_link: LinkFactory = HubLink,
) -> AsyncIterator[Service[C]]:
    """The service of this module until left. ``make_link``: the hub in memory, for tests.

    Raises: EndpointError; whatever ended a thread or the hub link, as ThreadDiedError or PermanentError.
    """
    service = Service(env, config_type, module_version or version_of(f"vigie-{env.name}"), make_link)
    if env.audit_upstream:
        service.thread("audit.upstream", AuditUpstream(env, service.output(names.AUDIT, None)).run)
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(serve_endpoints(env.http, service.metrics, service.health, env.state))
            await stack.enter_async_context(background_task(service.background(), "service.background", service.fail))
            stack.push_async_callback(service.stop)
            yield service
    except asyncio.CancelledError:
        if service.failure is not None:
            raise service.failure from service.failure.__cause__  # which tells a failure from a bad configuration
        raise
