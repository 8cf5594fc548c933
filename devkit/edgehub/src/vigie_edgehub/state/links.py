"""Links come and go: take-over of a client id, keep-alive, token expiry, and draining before a close."""

from __future__ import annotations

from collections.abc import Iterable

from vigie_edgehub.mqtt.packets import ACCEPTED, ConnAck
from vigie_edgehub.state.delivery import Delivery
from vigie_edgehub.state.effects import Close, Effect, Note, SaveSession, Send
from vigie_edgehub.state.methods import HubMethods
from vigie_edgehub.state.sessions import ClientLink, Sessions
from vigie_edgehub.state.settings import HubSettings
from vigie_edgehub.state.timers import Timers


class Links:
    """The only place where a session gets or loses its link."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        delivery: Delivery,
        methods: HubMethods,
        timers: Timers,
        settings: HubSettings,
        out: list[Effect],
    ) -> None:
        self._sessions = sessions
        self._delivery = delivery
        self._methods = methods
        self._timers = timers
        self._settings = settings
        self._out = out
        self.take_overs = 0

    def connect(
        self,
        now: float,
        link_id: int,
        client_id: str,
        module: str | None,
        *,
        clean_session: bool,
        keep_alive_s: int,
        token_expires_at: float,
    ) -> ClientLink:
        """A CONNECT whose token was found right. An older link of the same client id is drained."""
        session = self._sessions.by_client.get(client_id)
        present = session is not None and not clean_session
        if session is None:
            session = self._sessions.new(client_id, module)
        elif clean_session:
            session.unsubscribe(list(session.filters))
        if session.link is not None:
            self.take_overs += 1
            self._out.append(Note("info", "client_taken_over", {"client": client_id}))
            self.drain(now, session.link)
        session.persistent = not clean_session
        link = ClientLink(link_id, session, keep_alive_s=keep_alive_s, now=now)
        self._sessions.links[link_id] = link
        session.link = link
        session.connection_changed_at = session.last_activity_at = now
        self._out.append(SaveSession(client_id))
        self._out.append(Send(link_id, ConnAck(present, ACCEPTED)))
        if present:
            until = now + self._settings.hold_grace_s
            session.messages_held_until = session.methods_held_until = until
            self._timers.at(until, lambda at: self._hold_over(at, session.owner))
        if keep_alive_s:
            self._timers.at(now + keep_alive_s * self._settings.keep_alive_factor, lambda at: self._check(at, link))
        expiry = max(token_expires_at, now)
        self._timers.at(expiry, lambda _: self._token_expired(link))
        self._timers.at(expiry + self._settings.token_grace_s, lambda at: self._token_over(at, link))
        return link

    def drain(self, now: float, link: ClientLink) -> None:
        """Answer no publish and send no message any more, read on until it is quiet, then close."""
        if link.draining:
            return
        link.draining = True
        link.drain_since = link.last_seen = now
        if link.session.link is link:
            self._detach(now, link)
        self._timers.at(now + self._settings.drain_quiet_s, lambda at: self._drained(at, link))

    def drop(self, link: ClientLink) -> None:
        """Close at once, as a cable that is pulled."""
        link.draining = True
        self._out.append(Close(link.id, abrupt=True))

    def drain_all(self, now: float, owners: Iterable[str] | None = None) -> int:
        """Drain the links of ``owners`` (None: all). How many."""
        links = self._links_of(owners)
        for link in links:
            self.drain(now, link)
        return len(links)

    def drop_all(self, owners: Iterable[str] | None = None) -> int:
        links = self._links_of(owners)
        for link in links:
            self.drop(link)
        return len(links)

    def _links_of(self, owners: Iterable[str] | None) -> list[ClientLink]:
        wanted = None if owners is None else set(owners)
        links = (link for link in self._sessions.links.values() if not link.draining)
        return [link for link in links if wanted is None or link.session.owner in wanted]

    def lost(self, now: float, link_id: int) -> None:
        """The connection is gone, whoever closed it."""
        link = self._sessions.links.pop(link_id, None)
        if link is None:
            return
        self._delivery.link_lost(link)
        session = link.session
        session.unacknowledged = link.delayed_acks
        if session.link is link:
            self._detach(now, link)
            if not session.persistent:
                self._sessions.by_client.pop(session.client_id, None)
                self._out.append(SaveSession(session.client_id))
        else:
            self._delivery.pump_owner(now, session.owner)  # the new link may have waited for the old one

    def _detach(self, now: float, link: ClientLink) -> None:
        link.session.link = None
        link.session.connection_changed_at = now
        self._out.append(SaveSession(link.session.client_id))

    def _hold_over(self, now: float, owner: str) -> None:
        self._methods.flush(now, owner)
        self._delivery.pump_owner(now, owner)

    def _check(self, now: float, link: ClientLink) -> None:
        if link.id not in self._sessions.links:
            return
        due = link.last_seen + link.keep_alive_s * self._settings.keep_alive_factor
        if due > now:
            self._timers.at(due, lambda at: self._check(at, link))
            return
        self._out.append(Note("warning", "keep_alive_missed", {"client": link.session.client_id}))
        self._out.append(Close(link.id))

    def _drained(self, now: float, link: ClientLink) -> None:
        if link.id not in self._sessions.links:
            return
        quiet_at = link.last_seen + self._settings.drain_quiet_s
        over_at = link.drain_since + self._settings.drain_limit_s
        if now < quiet_at and now < over_at:
            self._timers.at(min(quiet_at, over_at), lambda at: self._drained(at, link))
            return
        self._out.append(Close(link.id))

    def _token_expired(self, link: ClientLink) -> None:
        if link.id in self._sessions.links and not link.draining:
            facts = {"client": link.session.client_id, "grace_s": self._settings.token_grace_s}
            self._out.append(Note("error", "token_not_renewed", facts))

    def _token_over(self, now: float, link: ClientLink) -> None:
        if link.id in self._sessions.links and not link.draining:
            self._out.append(Note("error", "token_expired", {"client": link.session.client_id}))
            self.drain(now, link)
