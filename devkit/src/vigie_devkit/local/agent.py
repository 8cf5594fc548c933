"""The direct methods of `$edgeAgent`, for the processes that `up` supervises: `ping`, `GetModuleLogs`, `RestartModule`.

Names, payloads and answers are those of edgeAgent 1.6. Source: Azure/iotedge, Edge.Agent.Core/requests;
learn.microsoft.com, "Communicate with edgeAgent using built-in direct methods".
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec

from vigie.errors import HubAwayError
from vigie.log import get_logger
from vigie_devkit.local.agent_logs import LogsRequest, RequestRefusedError, module_logs
from vigie_devkit.local.programs import HUB
from vigie_devkit.local.supervisor import Supervisor
from vigie_edgehub.agent import AgentCall
from vigie_edgehub.ports import MethodResult
from vigie_edgehub.service.description import read_description

log = get_logger("up")
EDGE_HUB = "edgeHub"
_HUB_RESTARTS_AFTER_S = 0.5  # its answer still has to pass through it
_COMMANDS = ("ping", "GetModuleLogs", "RestartModule")


class RestartRequest(msgspec.Struct, frozen=True, rename={"schema_version": "schemaVersion"}):
    """``id`` is a module id of the manifest, or ``edgeHub``."""

    schema_version: str
    id: str


class Agent:
    """Answers for the processes of one run; the hub's own description says which device that is."""

    def __init__(self, supervisor: Supervisor, hub_json: Path) -> None:
        self._supervisor = supervisor
        self._hub_json = hub_json
        self._later: set[asyncio.Task[None]] = set()

    async def answer(self, call: AgentCall) -> MethodResult:
        """As edgeAgent does: 200, 400 for a request that is wrong, 500 for one that cannot be done; never raises."""
        log.info("agent_method", method=call.method)
        try:
            match call.method.lower():  # edgeAgent ignores the case of its methods' names
                case "ping":
                    return MethodResult(200)
                case "getmodulelogs":
                    return MethodResult(200, msgspec.Raw(self._logs(_decoded(call, LogsRequest))))
                case "restartmodule":
                    await self._restart(_decoded(call, RestartRequest).id)
                    return MethodResult(200)
                case _:
                    supported = ",".join(_COMMANDS)
                    text = f"Command '{call.method}' not found. The supported commands are - {supported}"
                    return _error(400, text)
        except RequestRefusedError as refusal:
            return _error(400, str(refusal))
        except (LookupError, OSError, HubAwayError) as error:
            return _error(500, str(error))

    def _logs(self, request: LogsRequest) -> bytes:
        files = {_module_of(name): one.program.log for name, one in self._supervisor.programs.items()}
        hub = read_description(self._hub_json.parent)
        return msgspec.json.encode(
            module_logs(request, files, now=time.time(), device_id=hub.device_id, iothub=hub.iothub_hostname)
        )

    async def _restart(self, module: str) -> None:
        """Raises: LookupError: it is not one of ours, or not running; TimeoutError: it did not come back."""
        programs = {_module_of(name): one for name, one in self._supervisor.programs.items()}
        if module not in programs:
            raise LookupError(
                f"Module {module} not found in the current environment; './vigie up' runs {', '.join(sorted(programs))}"
            )
        if programs[module].child is None:
            raise LookupError(f"Module {module} cannot be restarted since it is not running")
        if module != EDGE_HUB:
            await self._supervisor.restart(module)
            return
        task = asyncio.create_task(self._restart_hub(), name="local.restart-hub")
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _restart_hub(self) -> None:
        await asyncio.sleep(_HUB_RESTARTS_AFTER_S)
        await self._supervisor.restart(HUB)


def _module_of(program: str) -> str:
    return EDGE_HUB if program == HUB else program


def _decoded(call: AgentCall, kind: type[Any]) -> Any:
    """Raises: RequestRefusedError."""
    if bytes(call.payload).strip() in (b"", b"null"):
        raise RequestRefusedError("Request payload not found")
    try:
        return msgspec.json.decode(call.payload, type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RequestRefusedError(f"Error parsing command payload because of error - {error}") from error


def _error(status: int, message: str) -> MethodResult:
    return MethodResult(status, msgspec.Raw(msgspec.json.encode({"message": message})))
