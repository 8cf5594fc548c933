"""A module asks for its twin, or reports: answered 200 and 204, 400 for a patch against the rules."""

from __future__ import annotations

from vigie_edgehub.message import Message
from vigie_edgehub.mqtt.packets import Publish
from vigie_edgehub.mqtt.system_properties import (
    CONNECTION_DEVICE_ID,
    CONNECTION_MODULE_ID,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    MESSAGE_TYPE,
)
from vigie_edgehub.mqtt.topics import twin_answer_topic
from vigie_edgehub.ports import TwinRefusedError
from vigie_edgehub.state.counters import Counters
from vigie_edgehub.state.effects import Effect, Note, SaveTwin, Send
from vigie_edgehub.state.json_bytes import decode_json, encode_json
from vigie_edgehub.state.sessions import ClientLink
from vigie_edgehub.state.settings import HubSettings
from vigie_edgehub.state.timers import Timers
from vigie_edgehub.state.twins import HubTwins, client_view, timestamp

_MOST_DELAYED_S = 30.0


class TwinRequests:
    """Answers also a draining link: a twin request that is never answered blocks the SDK for ever (2.8)."""

    def __init__(
        self, twins: HubTwins, timers: Timers, settings: HubSettings, counters: Counters, out: list[Effect]
    ) -> None:
        self._twins = twins
        self._timers = timers
        self._settings = settings
        self._counters = counters
        self._out = out
        self._reports = 0

    def get(self, now: float, link: ClientLink, rid: str | None, resource: str = "") -> None:
        """Always 200, and later when the client asks in a loop: any error makes the SDK ask at once again (0.3)."""
        if rid is None:
            self._counters.unparsable_twin_requests += 1
            return
        if resource:
            self._answer(link, 400, rid, b"")
            return
        interval_s = 1 / self._settings.twin_gets_per_s
        burst_s = 1.0  # a second's worth may come at once
        due = max(link.twin_gets_at, now - burst_s) + interval_s
        link.twin_gets_at = due
        if due <= now:
            self._answer_get(link, rid)
            return
        self._counters.twin_gets_delayed += 1
        if due - now > _MOST_DELAYED_S:
            return  # no SDK asks a thousand times without waiting for an answer
        self._timers.at(due, lambda _: self._answer_get(link, rid))

    def report(self, now: float, link: ClientLink, rid: str | None, body: bytes) -> Message | None:
        """Returns: the twin change as a message for the routes, or None if the patch was refused."""
        owner = link.session.owner
        try:
            patch = decode_json(body)
            self._twins.report(now, owner, patch)
        except (ValueError, TwinRefusedError, RecursionError) as refusal:
            facts = {"client": link.session.client_id, "reason": str(refusal)}
            self._out.append(Note("warning", "reported_refused", facts))
            if rid is not None:
                self._answer(link, 400, rid, b"")
            return None
        self._out.append(SaveTwin(owner))
        if rid is not None:
            self._answer(link, 204, rid, b"")
        return self._notification(now, link, body)

    def _notification(self, now: float, link: ClientLink, body: bytes) -> Message:
        device, _, module = link.session.client_id.partition("/")
        self._reports += 1
        system = {
            CONTENT_TYPE: "application/json",
            CONTENT_ENCODING: "utf-8",
            MESSAGE_TYPE: "twinChangeNotification",
            "messageSchema": "twinChangeNotification",
            "enqueuedTime": timestamp(now),
            CONNECTION_DEVICE_ID: device,
        }
        if module:
            system[CONNECTION_MODULE_ID] = module
        return Message(
            key=f"twin-{now:.6f}-{self._reports}",
            stored_at=now,
            source_module=module,
            output=None,
            kind="twinChangeEvents",
            system=system,
            application={},
            body=body,
        )

    def _answer_get(self, link: ClientLink, rid: str) -> None:
        self._answer(link, 200, rid, encode_json(client_view(self._twins.get(link.session.owner))))

    def _answer(self, link: ClientLink, status: int, rid: str, body: bytes) -> None:
        # QoS 0: the answer is worth nothing to a later link, and costs no PUBACK.
        self._out.append(Send(link.id, Publish(twin_answer_topic(status, rid), body)))
