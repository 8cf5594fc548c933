"""Direct methods from outside: into the rules and back to the caller; `$edgeAgent`'s go to whoever supervises."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import msgspec

from vigie_edgehub.agent import AgentCall, ask_agent
from vigie_edgehub.manifest import EDGE_AGENT
from vigie_edgehub.ports import HubRefusalError, MethodResult, RefusalCode
from vigie_edgehub.shell.clock import Clock
from vigie_edgehub.shell.performer import Performer
from vigie_edgehub.state.core import HubState
from vigie_edgehub.state.method_limits import check_method


class MethodBody(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a call over HTTP. Absent or null time-outs mean the service's defaults."""

    method_name: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"")
    response_timeout_in_seconds: float | None = None
    connect_timeout_in_seconds: float | None = None


class MethodCalls:
    """Lives in the hub's loop. ``state_folder`` is where a supervisor's socket may be."""

    def __init__(self, state: HubState, performer: Performer, clock: Clock, state_folder: Path) -> None:
        self._state = state
        self._performer = performer
        self._clock = clock
        self._state_folder = state_folder

    async def invoke(self, module: str, call: MethodBody) -> MethodResult:
        """See `Control.invoke_method`; ``module`` is known."""
        name, payload_json = call.method_name or "", bytes(call.payload)
        response_timeout_s = call.response_timeout_in_seconds
        response_timeout_s = 30.0 if response_timeout_s is None else response_timeout_s
        connect_timeout_s = call.connect_timeout_in_seconds or 0.0
        check_method(name, payload_json, response_timeout_s, connect_timeout_s)
        self._state.counters.methods_called += 1
        if module == EDGE_AGENT and self._state.sessions.link_of(module) is None:
            return await self._ask_agent(name, payload_json, response_timeout_s)
        rid = str(uuid.uuid4())
        answer: asyncio.Future[MethodResult] = asyncio.get_running_loop().create_future()
        self._performer.answers[rid] = answer
        try:
            self._state.methods.invoke(
                self._clock.now(),
                rid,
                module,
                name,
                payload_json,
                response_timeout_s=response_timeout_s,
                connect_timeout_s=connect_timeout_s,
            )
            self._performer.run()
            return await answer
        finally:
            self._performer.answers.pop(rid, None)
            self._state.methods.forget(rid)

    async def _ask_agent(self, name: str, payload_json: bytes, timeout_s: float) -> MethodResult:
        call = AgentCall(name, msgspec.Raw(payload_json or b"null"))
        try:
            answer = await ask_agent(self._state_folder, call, timeout_s)
        except TimeoutError:
            raise HubRefusalError(
                f"'{EDGE_AGENT}' did not answer {name!r} within {timeout_s:g} s", RefusalCode.GatewayTimeout
            ) from None
        except ValueError as error:
            raise HubRefusalError(
                f"'{EDGE_AGENT}' did not answer {name!r}: {error}", RefusalCode.ModuleAnswerNotJson
            ) from error
        if answer is None:
            raise HubRefusalError(
                f"'{EDGE_AGENT}' is not there: nothing supervises modules beside this hub; './vigie up' does, "
                "and answers ping, GetModuleLogs and RestartModule for the processes that it started",
                RefusalCode.DeviceNotOnline,
            )
        return answer
