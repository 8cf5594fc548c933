"""Direct methods: who waits for which answer, and until when."""

from __future__ import annotations

import msgspec

from vigie_edgehub.mqtt.packets import Publish
from vigie_edgehub.mqtt.topics import method_request_topic
from vigie_edgehub.owner import spoken
from vigie_edgehub.ports import HubRefusalError, MethodResult, RefusalCode
from vigie_edgehub.state.effects import AnswerCall, Effect, Send
from vigie_edgehub.state.sessions import ClientLink, MqttSession, Sessions
from vigie_edgehub.state.timers import Timers


class PendingCall:
    """One invocation. ``rid`` names it on the wire and to its caller."""

    __slots__ = ("absent_at", "name", "owner", "payload", "response_timeout_s", "rid", "sent_to")

    def __init__(self, rid: str, owner: str, name: str, payload: bytes, response_timeout_s: float) -> None:
        self.rid = rid
        self.owner = owner
        self.name = name
        self.payload = payload
        self.response_timeout_s = response_timeout_s
        self.sent_to: int | None = None  # link id
        self.absent_at = 0.0


class HubMethods:
    """All calls in progress; correlation by rid only, no order is promised."""

    def __init__(self, sessions: Sessions, timers: Timers, out: list[Effect]) -> None:
        self._sessions = sessions
        self._timers = timers
        self._out = out
        self._calls: dict[str, PendingCall] = {}

    @property
    def pending(self) -> int:
        return len(self._calls)

    def invoke(
        self,
        now: float,
        rid: str,
        owner: str,
        name: str,
        payload: bytes,
        *,
        response_timeout_s: float,
        connect_timeout_s: float,
    ) -> None:
        call = PendingCall(rid, owner, name, payload, response_timeout_s)
        self._calls[rid] = call
        session = self._sessions.of(owner)
        link = self._ready(session, now)
        if link is not None:
            self._send(now, call, link)
            return
        call.absent_at = now + connect_timeout_s
        if session is not None and session.link is not None and session.wants_methods:
            # Subscribed in an earlier life: its handler is being set just now (docs/edgehub-facts.md, Stored sessions).
            call.absent_at = max(call.absent_at, session.methods_held_until)
        self._timers.at(call.absent_at, lambda _: self._absent(call))

    def flush(self, now: float, owner: str) -> None:
        """The client connected, subscribed, or its hold is over: send what is parked for it."""
        link = self._ready(self._sessions.of(owner), now)
        if link is None:
            return
        for call in list(self._calls.values()):
            if call.owner == owner and call.sent_to is None:
                self._send(now, call, link)

    def answered(self, link: ClientLink, rid: str | None, status: int, payload: bytes) -> bool:
        """False: nobody waits for this rid from this client (late, repeated or foreign)."""
        call = self._calls.get(rid or "")
        if call is None or call.sent_to is None or call.owner != link.session.owner:
            return False
        del self._calls[call.rid]
        self._out.append(AnswerCall(call.rid, _outcome(call, status, payload or b"null")))
        return True

    def forget(self, rid: str) -> None:
        """The caller went away."""
        self._calls.pop(rid, None)

    def _ready(self, session: MqttSession | None, now: float) -> ClientLink | None:
        if session is None or session.link is None or not session.link.open or not session.wants_methods:
            return None
        return None if session.methods_held_until > now else session.link

    def _send(self, now: float, call: PendingCall, link: ClientLink) -> None:
        call.sent_to = link.id
        packet_id = link.session.next_packet_id(link.deliveries)
        topic = method_request_topic(call.name, call.rid)
        self._out.append(Send(link.id, Publish(topic, call.payload, 1, packet_id)))
        self._timers.at(now + call.response_timeout_s, lambda _: self._overdue(call))

    def _absent(self, call: PendingCall) -> None:
        if self._calls.get(call.rid) is call and call.sent_to is None:
            del self._calls[call.rid]
            self._out.append(
                AnswerCall(
                    call.rid,
                    HubRefusalError(
                        f"{spoken(call.owner)} is not connected or takes no methods", RefusalCode.DeviceNotOnline
                    ),
                )
            )

    def _overdue(self, call: PendingCall) -> None:
        if self._calls.get(call.rid) is call:
            del self._calls[call.rid]
            text = f"{spoken(call.owner)} did not answer {call.name!r} within {call.response_timeout_s:g} s"
            self._out.append(AnswerCall(call.rid, HubRefusalError(text, RefusalCode.GatewayTimeout)))


def _outcome(call: PendingCall, status: int, payload: bytes) -> MethodResult | HubRefusalError:
    """What is no JSON would break the answer that it is put into."""
    try:
        msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return HubRefusalError(
            f"{spoken(call.owner)} answered method '{call.name}' with what is not valid JSON",
            RefusalCode.ModuleAnswerNotJson,
        )
    return MethodResult(status, msgspec.Raw(payload))
