"""Effects at work: stored before answered, answered in one write per connection and round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from vigie.log import OncePer, get_logger
from vigie_edgehub.message import Message, endpoint_owner
from vigie_edgehub.mqtt.codec import encode
from vigie_edgehub.mqtt.packets import PubAck, Publish
from vigie_edgehub.mqtt.topics import devicebound_topic, input_topic
from vigie_edgehub.owner import leaf_device
from vigie_edgehub.ports import HubRefusalError, MethodResult
from vigie_edgehub.shell.clock import Clock
from vigie_edgehub.shell.connection import Connection
from vigie_edgehub.state.core import HubState
from vigie_edgehub.state.effects import (
    AnswerCall,
    Close,
    Deliver,
    Note,
    SaveSession,
    SaveTwin,
    Send,
    SendUpstream,
    Settle,
    Store,
)
from vigie_edgehub.store.documents import DocumentStore
from vigie_edgehub.store.messages import MessageStore

log = get_logger("hub")
_SETTLE_FLUSH_S = 0.05  # what a kill in this window leaves unsaid is delivered twice, never lost
_STORE_RETRY_S = 1.0
_SAY_AGAIN_S = 1.0


class Performer:
    """Runs in one event loop. ``on_upstream`` and ``on_sessions`` are set by the hub before the first round."""

    def __init__(
        self,
        state: HubState,
        store: MessageStore,
        documents: DocumentStore,
        clock: Clock,
    ) -> None:
        self.connections: dict[int, Connection] = {}
        self.answers: dict[str, asyncio.Future[MethodResult]] = {}
        self.on_upstream: Callable[[list[int]], None] = lambda _: None
        self.on_sessions: Callable[[], None] = lambda: None
        self._state = state
        self._store = store
        self._documents = documents
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._settle_timer: asyncio.TimerHandle | None = None
        self._acknowledgements: list[tuple[int, bytes]] = []
        self._withheld: list[tuple[int, bytes]] = []  # acknowledgements of what the disk did not take yet
        self._touched: dict[Connection, None] = {}  # in order: a delivery leaves before the PUBACK of its sender
        self._stored = False
        self._sessions_changed = False
        self._running = False
        self._once_per = OncePer(_SAY_AGAIN_S)
        self._topics: dict[str, tuple[dict[str, str], dict[str, str], str]] = {}
        self._performers: dict[type, Callable[[Any], None]] = {
            Send: self._send,
            Deliver: self._deliver,
            Store: self._put,
            Settle: self._settle,
            SaveSession: self._note_session,
            SaveTwin: self._save_twin,
            SendUpstream: lambda effect: self.on_upstream(effect.seqs),
            AnswerCall: self._answer,
            Close: self._close,
            Note: self._note,
        }

    def run(self) -> None:
        """Do what the rules want, until they want no more; then ask when they want to be asked again."""
        if self._running:
            return  # a hook called back; the loop below sees its effects
        self._running = True
        try:
            while (effects := self._state.take_effects()) or self._sessions_changed:
                for effect in effects:
                    self._performers[type(effect)](effect)
                if not effects:  # once, after all of them
                    self._sessions_changed = False
                    self._save_sessions()
        finally:
            self._running = False
        self._acknowledge()
        for connection in self._touched:
            connection.flush()
        self._touched.clear()
        if self._store.dirty and self._settle_timer is None:
            self._settle_timer = self._loop.call_later(_SETTLE_FLUSH_S, self._flush_settled)
        self._arm()

    def _send(self, effect: Send) -> None:
        data = encode(effect.packet)
        if type(effect.packet) is PubAck:
            self._acknowledgements.append((effect.link, data))
        else:
            self._queue(effect.link, data)

    def _deliver(self, effect: Deliver) -> None:
        try:
            message = self._store.message(effect.seq)
            known = self._topics.get(effect.endpoint)
            if known is not None and known[0] is message.application and known[1] is message.system:
                topic = known[2]
            else:
                topic = self._topic(effect.endpoint, message)
                self._topics[effect.endpoint] = (message.application, message.system, topic)
            data = encode(Publish(topic, message.body, 1, effect.packet_id, dup=effect.dup))
        except (KeyError, OSError, ValueError) as error:
            self._state.unsendable(self._clock.now(), effect.endpoint, effect.seq, repr(error)[:200])
            return
        self._queue(effect.link, data)

    def _topic(self, endpoint: str, message: Message) -> str:
        device = leaf_device(endpoint_owner(endpoint))
        if device is not None:
            return devicebound_topic(device, message.application, message.system)
        module, _, input_name = endpoint.partition("/")
        return input_topic(self._state.sessions.device_id, module, input_name, message.application, message.system)

    def _queue(self, link_id: int, data: bytes) -> None:
        connection = self.connections.get(link_id)
        if connection is not None:
            connection.out.append(data)
            self._touched[connection] = None

    def _acknowledge(self) -> None:
        """PUBACKs leave once the operating system has the messages; otherwise the senders keep theirs."""
        pending, self._acknowledgements = self._acknowledgements, []
        if (self._stored or self._withheld) and not self._store.flush():
            if not self._withheld:
                self._loop.call_later(_STORE_RETRY_S, self._retry_store)
            self._withheld += pending
            return
        self._stored = False
        if self._withheld:
            pending, self._withheld = self._withheld + pending, []
        for link_id, data in pending:
            self._queue(link_id, data)

    def _close(self, effect: Close) -> None:
        connection = self.connections.get(effect.link)
        if connection is not None:
            if not effect.abrupt:
                connection.flush()
            connection.close(abrupt=effect.abrupt)

    def _answer(self, effect: AnswerCall) -> None:
        future = self.answers.pop(effect.call, None)
        if future is None or future.done():
            return
        if isinstance(effect.outcome, HubRefusalError):
            future.set_exception(effect.outcome)
        else:
            future.set_result(effect.outcome)

    def _note(self, effect: Note) -> None:
        """A client that errs a thousand times a second is said once in a while, with how often it was."""
        key = f"{effect.event} {effect.fields.get('client')} {effect.fields.get('reason')}"
        held_back = self._once_per.ready(key)
        if held_back is None:
            return
        more = {"held_back": held_back} if held_back else {}
        getattr(log, effect.level)(effect.event, **effect.fields, **more)

    def _put(self, effect: Store) -> None:
        self._stored = True
        self._store.put(effect.seq, effect.size, effect.message, effect.targets)

    def _settle(self, effect: Settle) -> None:
        self._store.settle(effect.seq, effect.endpoint)

    def _retry_store(self) -> None:
        if not self._withheld:
            return
        if self._store.flush():
            self.run()
        else:
            self._loop.call_later(_STORE_RETRY_S, self._retry_store)

    def _flush_settled(self) -> None:
        self._settle_timer = None
        self._store.flush()

    def _note_session(self, _: SaveSession) -> None:
        self._sessions_changed = True

    def _save_sessions(self) -> None:
        sessions = [one.stored() for one in self._state.sessions.by_client.values() if one.persistent]
        try:
            self._documents.save_sessions(sessions)
        except OSError as error:
            log.error("sessions_not_saved", reason=str(error))  # noqa: TRY400 - the reason says it all
        self.on_sessions()

    def _save_twin(self, effect: SaveTwin) -> None:
        try:
            self._documents.save_twin(self._state.twins.get(effect.module))
        except OSError as error:
            log.error("twin_not_saved", module=effect.module, reason=str(error))  # noqa: TRY400 - as above

    def _arm(self) -> None:
        next_at = self._state.next_at
        if next_at is None or (self._timer is not None and self._timer_at <= next_at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = next_at
        self._timer = self._loop.call_later(max(0.0, next_at - self._clock.now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._state.tick(self._clock.now())
        self.run()
