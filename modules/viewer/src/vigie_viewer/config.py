"""Desired properties of the viewer module. Address, TLS and token are the environment's: docs/viewer.md."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class ViewerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much the page may cost, and how long somebody stays signed in."""

    fps: Annotated[
        float, Meta(gt=0, le=30, description="Pictures per second of one camera that the page asks for, at most.")
    ] = 10.0
    width: Annotated[
        int, Meta(ge=160, le=3840, description="Width in pixels of the largest picture that the page gets.")
    ] = 1920
    quality: Annotated[int, Meta(ge=30, le=95, description="Quality of the JPEG pictures.")] = 80
    viewers: Annotated[int, Meta(ge=1, le=64, description="Pages that may be open at the same time.")] = 16
    session_minutes: Annotated[
        int, Meta(ge=1, le=43_200, description="A session without a request or an open page ends after this long.")
    ] = 720
