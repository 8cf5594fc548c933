"""JSON answers of the page's server: never kept by a browser."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web


def json_answer(body: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
        status=status,
    )


def refusal(status: int, reason: str) -> web.Response:
    """Why not, in words or as a code that the page knows."""
    return json_answer({"error": reason}, status)
