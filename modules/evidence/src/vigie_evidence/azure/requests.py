"""Requests to one container: signed, answered within a time, without redirects; errors never show a token."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import aiohttp
from yarl import URL

from vigie_evidence.azure.answers import code_of, refusal
from vigie_evidence.azure.container import BlobContainer
from vigie_evidence.azure.credentials import Credentials

_ANSWER_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class AzureResponse:
    """``headers``: by lower-case names. ``code``: Azure's word for an error."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    code: str


class BlobClient:
    """Used on one event loop."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        container: BlobContainer,
        credentials: Credentials,
        *,
        version: str,
        timeout_s: float,
        agent: str,
    ) -> None:
        self._session, self._container, self._credentials = session, container, credentials
        self._version, self._timeout_s, self._agent = version, timeout_s, agent

    def address(self, blob: str) -> str:
        """Without any token."""
        return self._container.blob(blob)

    async def ask(
        self,
        method: str,
        blob: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> AzureResponse:
        """One request. Raises: TimeoutError, aiohttp.ClientError, OSError: there was no answer."""
        url = self.address(blob)
        if query:
            url += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        sent = {"x-ms-version": self._version, "user-agent": self._agent, "content-length": str(len(body))}
        sent |= headers or {}
        address = self._credentials.sign(method, url, sent, datetime.now(UTC))
        if method in {"GET", "HEAD"}:
            sent.pop("content-length")
        async with (
            asyncio.timeout(self._timeout_s),
            # Encoded already: yarl must not touch the signature.
            self._session.request(
                method, URL(address, encoded=True), data=body or None, headers=sent, allow_redirects=False,
                skip_auto_headers=("content-type",),
            ) as answer,
        ):  # fmt: skip
            content = await answer.content.read(_ANSWER_BYTES)
        found = {name.lower(): value for name, value in answer.headers.items()}
        return AzureResponse(answer.status, found, content, code_of(found, content.decode("utf-8", "replace")))

    def refusal(self, answer: AzureResponse) -> Exception:
        """The error to raise for an answer that is not a success."""
        return refusal(
            answer.status, answer.headers, answer.body.decode("utf-8", "replace"),
            now=datetime.now(UTC), expires=self._credentials.expires(),
        )  # fmt: skip
