"""Names to addresses that a policy allows: checked as they are used, so that DNS cannot change its mind."""

from __future__ import annotations

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from vigie.addresses import NetworkPolicy


class CheckedResolver(AbstractResolver):
    """For aiohttp's connector."""

    def __init__(self, policy: NetworkPolicy) -> None:
        self._policy = policy
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises: OSError: none of its addresses is allowed, with the reasons."""
        found = await self._inner.resolve(host, port, family)
        refused = {one["host"]: self._policy.refuses_address(host, ipaddress.ip_address(one["host"])) for one in found}
        allowed = [one for one in found if refused[one["host"]] is None]
        if not allowed:
            raise OSError(None, "; ".join(reason for reason in refused.values() if reason))
        return allowed

    async def close(self) -> None:
        await self._inner.close()
