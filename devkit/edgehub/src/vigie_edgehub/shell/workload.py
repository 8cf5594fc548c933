"""The workload API: a unix socket for each module tells callers apart (docs/edgehub-facts.md, Workload API)."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from vigie.log import get_logger
from vigie_edgehub.shell.tokens import sign

log = get_logger("hub")


class WorkloadApi:
    """Serves `sign` and `trust-bundle` to each module.

    `sign` asks for nothing it does not need: one failed call at a renewal ends a client's renewals for ever (0.8).
    """

    def __init__(
        self,
        folder: Path,
        trust_bundle: Callable[[], str],
        key_of: Callable[[str], str],
        *,
        folder_each: bool = False,
    ) -> None:
        """Args: key_of: the primary key of a module, base64; KeyError when it is gone. folder_each: see `_socket`."""
        self.folder = folder
        self._folder_each = folder_each
        self._trust_bundle = trust_bundle
        self._key_of = key_of
        self._runners: dict[str, web.AppRunner] = {}

    def uri(self, module: str) -> str:
        return f"unix://{self._socket(module)}"

    def modules(self) -> set[str]:
        return set(self._runners)

    async def open(self, module: str) -> None:
        if module in self._runners or (self._folder_each and module.startswith("$")):
            return  # the agent and the hub themselves run in no container that mounts a folder here
        path = self._socket(module)
        if self._folder_each:
            try:
                path.parent.mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                # In a container only the folders that are mounted can be written: no reason to fail the other modules.
                log.error("workload_not_served", module=module, folder=str(path.parent), reason=error.strerror)  # noqa: TRY400
                return
        path.unlink(missing_ok=True)  # of a hub that was killed; the lock on the state folder says it is ours
        runner = web.AppRunner(self._app(module), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._runners[module] = runner
        await web.UnixSite(runner, str(path)).start()
        # In a folder that its container mounts: the module is another user of the hub's group there.
        path.chmod(0o660 if self._folder_each else 0o600)

    async def close(self, module: str) -> None:
        runner = self._runners.pop(module, None)
        if runner is not None:
            await runner.cleanup()
            self._socket(module).unlink(missing_ok=True)

    async def close_all(self) -> None:
        for module in list(self._runners):
            await self.close(module)

    def _socket(self, module: str) -> Path:
        """Where ``module``'s socket is: with ``folder_each`` in a folder of its own, which its container can mount."""
        if self._folder_each:
            return self.folder / module / "workload.sock"
        name = (
            module if len(module) <= 20 and module.isidentifier() else hashlib.sha256(module.encode()).hexdigest()[:12]
        )
        return self.folder / f"{name}.sock"

    def _app(self, module: str) -> web.Application:
        app = web.Application()

        async def trust_bundle(_: web.Request) -> web.Response:
            return web.json_response({"certificate": self._trust_bundle()})

        async def sign_data(request: web.Request) -> web.Response:
            try:
                body = await request.json()
                content = b64decode(body["data"])
                digest = sign(self._key_of(module), content)
            except (ValueError, TypeError, KeyError, binascii.Error) as error:
                log.error("sign_refused", module=module, reason=repr(error))  # noqa: TRY400 - a caller's mistake
                return web.json_response({"message": f"no data to sign: {error!r}"}, status=400)
            return web.json_response({"digest": digest})

        async def list_modules(_: web.Request) -> web.Response:
            return web.json_response({"modules": [{"name": module, "id": module, "type": "docker"}]})

        app.router.add_get("/trust-bundle", trust_bundle)
        app.router.add_get("/modules", list_modules)
        app.router.add_post("/modules/{module}/genid/{generation}/sign", sign_data)
        return app
