"""What the page may change where a local hub allows it: twin patches, undo, and a few direct methods.

On a device there is no hub to ask: every request is refused, and the page shows the command instead (ADR 0039).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from vigie.contracts import names
from vigie.errors import HubAnswerError, HubAwayError
from vigie.log import get_logger
from vigie_viewer.answers import json_answer, refusal
from vigie_viewer.applying import TwinEditor
from vigie_viewer.guard import Guard
from vigie_viewer.timeline import Event

log = get_logger("viewer.edits")

# What a person needs while looking, and nothing that erases or signs out.
METHODS = frozenset(
    {
        (names.CAMERA, "probe_source"),
        (names.INFERENCE, "try_model"),
        (names.INFERENCE, "end_try"),
    }
)

B = TypeVar("B")


class TwinPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A merge patch of one module's desired properties."""

    module: Annotated[str, Meta(max_length=128)]
    patch: dict[str, Any]


class AskedMethod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A direct method of one module."""

    module: Annotated[str, Meta(max_length=128)]
    method: Annotated[str, Meta(max_length=128)]
    payload: dict[str, Any] = {}


class Undo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Take the newest patch back: nothing to say."""


class Edits:
    """Handlers on the event loop."""

    def __init__(
        self, editor: TwinEditor | None, guard: Guard, note: Callable[[Event], None], changed: Callable[[], None]
    ) -> None:
        """``note`` puts an event into the timeline; ``changed`` asks the modules how they are now."""
        self._editor, self._guard, self._note, self._changed = editor, guard, note, changed

    @property
    def possible(self) -> bool:
        return self._editor is not None

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/twin", partial(self._answer, TwinPatch, self._apply)),
            web.post("/api/undo", partial(self._answer, Undo, self._undo)),
            web.post("/api/method", partial(self._answer, AskedMethod, self._call)),
        ]

    async def _answer(
        self, body: type[B], work: Callable[[TwinEditor, B], Awaitable[web.Response]], request: web.Request
    ) -> web.Response:
        """Refuse a request that may not, or cannot, be answered; else let ``work`` answer it."""
        if not self._guard.allowed(request):
            return refusal(401, "sign_in")
        if self._editor is None:
            return refusal(409, "the cloud owns desired properties: copy the command and run it there")
        try:
            asked = msgspec.json.decode(await request.read(), type=body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return refusal(400, str(error))
        try:
            return await work(self._editor, asked)
        except (HubAwayError, HubAnswerError) as error:
            return refusal(503 if isinstance(error, HubAwayError) else 409, str(error))

    async def _apply(self, editor: TwinEditor, patch: TwinPatch) -> web.Response:
        if patch.module not in names.MODULES:
            return refusal(404, f"there is no module {patch.module[:80]!r}")
        applied = await editor.apply(patch.module, patch.patch)
        self._edited("applied", patch.module, patch.patch, applied.version)
        return json_answer({"version": applied.version, "undo": applied.undo})

    async def _undo(self, editor: TwinEditor, _: Undo) -> web.Response:
        module, patch, applied = await editor.undo()
        self._edited("undone", module, patch, applied.version)
        return json_answer({"module": module, "version": applied.version, "undo": applied.undo})

    async def _call(self, editor: TwinEditor, call: AskedMethod) -> web.Response:
        """The method's own status inside the answer, as the hub gives it."""
        if (call.module, call.method) not in METHODS:
            return refusal(404, f"the page calls no method {call.method[:80]!r} of {call.module[:80]!r}")
        log.info("method", target=call.module, method=call.method)
        status, payload = await editor.call(call.module, call.method, call.payload)
        self._changed()
        return json_answer({"status": status, "payload": payload})

    def _edited(self, code: str, module: str, patch: dict[str, Any], version: int) -> None:
        log.info("twin_patch", action=code, target=module, paths=sorted(patch), twin_version=version)
        at = round(time.time() * 1000)
        self._note(Event(at, code, "change", module, {"version": version, "patch": patch}))
        self._changed()  # what the change did is to be seen at once
