"""A container of Azure Blob Storage: uploads that go on where they ended, checked by the account's own hashes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import aiohttp

from vigie.addresses import network_policy
from vigie.checked_resolver import CheckedResolver
from vigie.errors import ConfigRefusedError, SecretMissingError, SecretRefusedError
from vigie.trusted_ca import context_of
from vigie_evidence.azure.container import BlobContainer
from vigie_evidence.azure.credentials import Credentials, Sas, read_connection_string
from vigie_evidence.azure.requests import BlobClient
from vigie_evidence.azure.upload import BlobUpload, replaced
from vigie_evidence.config import Azure
from vigie_evidence.target import StoppedError, Surroundings, TargetAwayError, Upload, UploadReceipt

T = TypeVar("T")

_LOOK_S = 0.1
_LEAST_BLOCK = 64 << 10
# Secrets say which hosts they are for, so that a twin cannot choose one; metadata services are never among them.
_ANYWHERE = network_policy(["0.0.0.0/0", "::/0"], "the secret's .host")


class BlobTarget:
    """See ``Target``. Its event loop is its own: it runs only while something is uploaded."""

    def __init__(self, settings: Azure, around: Surroundings) -> None:
        """Connects nothing yet. Raises: ConfigRefusedError."""
        try:
            self._container = BlobContainer.of(settings.url)
        except ValueError as error:
            raise ConfigRefusedError("url", str(error)) from error
        if (reason := _ANYWHERE.refuses_host(self._container.host)) is not None:
            raise ConfigRefusedError("url", reason)
        self._settings, self._around = settings, around
        self._runner: asyncio.Runner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._block_bytes = settings.sending.block_bytes

    def upload(self, upload: Upload) -> UploadReceipt:
        taken = self._run(
            lambda client: BlobUpload(client, upload, self._block_bytes, self._settings.retention_days).run(),
            upload.stop,
        )
        self._block_bytes = min(self._settings.sending.block_bytes, self._block_bytes * 2)
        return taken

    def replace(self, blob: str, content: bytes, stop: threading.Event) -> None:
        self._run(lambda client: replaced(client, blob, content), stop)

    def _run(self, work: Callable[[BlobClient], Coroutine[Any, Any, T]], stop: threading.Event) -> T:
        credentials = self._credentials()
        if self._runner is None:
            self._runner = asyncio.Runner()
        try:
            return self._runner.run(self._asked(work, credentials, stop))
        except TimeoutError as error:
            # A slow link: next time in smaller steps, each of which is kept.
            self._block_bytes = max(_LEAST_BLOCK, self._block_bytes // 2)
            raise TargetAwayError(f"no answer within {self._settings.sending.timeout_seconds:g} s") from error

    def close(self) -> None:
        if self._runner is not None:
            if self._session is not None:
                self._runner.run(self._session.close())
            self._runner.close()
        self._runner = self._session = None

    def _credentials(self) -> Credentials:
        """Read at every try: a token that is replaced on the device is in force at once. Raises: TargetAwayError."""
        name = self._settings.sas or self._settings.connection_string or ""
        try:
            text = self._around.secrets.find(name, self._container.host).reveal()
            return Sas.of(text) if self._settings.sas is not None else read_connection_string(text)
        except (SecretMissingError, SecretRefusedError) as error:
            raise TargetAwayError(str(error), patient=True) from error
        except ValueError as error:
            raise TargetAwayError(f"secret '{name}': {error}", patient=True) from error

    async def _asked(
        self, work: Callable[[BlobClient], Coroutine[Any, Any, T]], credentials: Credentials, stop: threading.Event
    ) -> T:
        """Cancelled within a moment when it is to stop, whatever the network does."""
        if self._session is None:
            self._session = self._opened()
        client = BlobClient(
            self._session, self._container, credentials,
            version=self._settings.api_version, timeout_s=self._settings.sending.timeout_seconds,
            agent=f"vigie-evidence/{self._around.version}",
        )  # fmt: skip
        running = asyncio.ensure_future(work(client))
        try:
            while not running.done():
                await asyncio.wait([running], timeout=_LOOK_S)
                if stop.is_set() and not running.done():
                    raise StoppedError
            return running.result()
        except aiohttp.ClientError as error:
            raise TargetAwayError(_told(error)) from error
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise TargetAwayError(str(error)) from error
        finally:
            running.cancel()
            await asyncio.wait([running])

    def _opened(self) -> aiohttp.ClientSession:
        try:
            tls = context_of(self._around.secrets_folder, self._settings.ca) if self._settings.tls else True
        except (OSError, ValueError) as error:
            raise TargetAwayError(str(error), patient=True) from error
        connector = aiohttp.TCPConnector(resolver=CheckedResolver(_ANYWHERE), ssl=tls, limit=1)
        # No proxy, no cookies and no credentials of the environment.
        return aiohttp.ClientSession(connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar())


def _told(error: aiohttp.ClientError) -> str:
    """Without the address, which may hold a token."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the server's certificate is not accepted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {error.host}: {error.strerror or error.os_error}"
    return type(error).__name__
