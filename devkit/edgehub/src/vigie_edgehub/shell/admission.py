"""Who may connect: user name, client id, identity and token, in that order."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from vigie_edgehub.mqtt.packets import Connect
from vigie_edgehub.mqtt.usernames import UsernameRefused, parse_username
from vigie_edgehub.shell.keys import Keys
from vigie_edgehub.shell.tokens import TokenRefusedError, check_token


class AdmissionRefusedError(Exception):
    """CONNACK 5; the text is for the log and never holds a token."""


class Admitted(msgspec.Struct, frozen=True):
    """``module`` None: the device itself."""

    module: str | None
    expires_at: float
    agent: str


class Admission:
    """Judges CONNECTs. ``keys_of`` gives the keys of a device or module, or raises AdmissionRefusedError."""

    def __init__(
        self, hostnames: Collection[str], keys_of: Callable[[str, str | None], Keys], *, token_grace_s: float
    ) -> None:
        self._hostnames = hostnames
        self._keys_of = keys_of
        self._token_grace_s = token_grace_s

    def check(self, packet: Connect, now: float) -> Admitted:
        """Raises: AdmissionRefusedError."""
        try:
            user = parse_username(packet.username or "")
        except UsernameRefused as refusal:
            raise AdmissionRefusedError(str(refusal)) from refusal
        if user.client_id != packet.client_id:
            raise AdmissionRefusedError(f"client id {packet.client_id!r} is not {user.client_id!r} of the user name")
        keys = self._keys_of(user.device, user.module)
        try:
            expires_at = check_token(
                (packet.password or b"").decode("utf-8", "replace"),
                hostnames=self._hostnames,
                device=user.device,
                module=user.module,
                keys=(keys.primary, keys.secondary),
                now=now,
                grace_s=self._token_grace_s,
            )
        except TokenRefusedError as refusal:
            raise AdmissionRefusedError(str(refusal)) from refusal
        return Admitted(user.module, expires_at, user.client_type)
