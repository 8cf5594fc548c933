"""The consumer's side of route leases: whose claims are taken by doorbell. No clock, no I/O.

The sender decides when its doorbell is closed, for it alone knows whether a lease left; here only the nonce is checked,
and that its last lease is not older than the grace.
"""

from __future__ import annotations

from dataclasses import dataclass

from vigie.contracts.lease import LeaseAnswer, RouteLease
from vigie.messaging.leases import LEASE_GOOD_S, SETTLE_S

# While our link is down, each sender is told so this often.
AWAY_PERIOD_S = 0.5
_GRANTS_KEPT = 64


@dataclass(slots=True)
class Grant:
    """One sender's leave. ``answers`` is its socket."""

    module: str
    boot: str
    answers: str
    grace_s: float
    leased_at: float
    away_told_at: float = 0.0


class Grants:
    """By nonce."""

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}

    def leased(self, lease: RouteLease, now: float) -> None:
        """``lease`` came by the route."""
        for nonce in [nonce for nonce, grant in self._grants.items() if self._is_over(grant, now)]:
            del self._grants[nonce]
        if len(self._grants) >= _GRANTS_KEPT and lease.nonce not in self._grants:
            del self._grants[min(self._grants, key=lambda nonce: self._grants[nonce].leased_at)]
        self._grants[lease.nonce] = Grant(lease.module, lease.boot, lease.answers, lease.grace_s, now)

    def admits(self, nonce: str, now: float) -> Grant | None:
        """The leave that a claim with ``nonce`` stands on; None: none, the claim is refused."""
        grant = self._grants.get(nonce)
        return None if grant is None or self._is_over(grant, now) else grant

    def to_tell_away(self, now: float) -> list[tuple[str, LeaseAnswer]]:
        """Our link is down: the answers due, with the socket each goes to. Consumer, input and doorbell are empty."""
        due = []
        for nonce, grant in self._grants.items():
            if now - grant.away_told_at >= AWAY_PERIOD_S and not self._is_over(grant, now):
                grant.away_told_at = now
                due.append((grant.answers, LeaseAnswer(nonce, "", 0, "", "", "", away=True)))
        return due

    @staticmethod
    def _is_over(grant: Grant, now: float) -> bool:
        return now > grant.leased_at + max(grant.grace_s, 0.0) + LEASE_GOOD_S + SETTLE_S
