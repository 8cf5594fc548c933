"""Packets into an MP4 file, as the camera sent them: nothing is decoded, nothing is encoded again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av

from vigie_camera.decode.preroll import Kept


class Mp4Error(Exception):
    """These packets do not go into an MP4 file."""


def write_mp4(stream: Any, time_base: Fraction, packets: Sequence[Kept]) -> bytes:
    """The file's bytes. ``stream``: what the packets are of, for codec, size, rotation and colour.

    Its times begin at 0 and are the stream's own otherwise, so a camera of a varying rate stays one. Raises: Mp4Error.
    """
    out_bytes = io.BytesIO()
    first = packets[0].dts
    try:
        with av.open(out_bytes, "w", format="mp4") as out:
            track = out.add_stream_from_template(stream)
            track.time_base = time_base
            for kept in packets:
                packet = av.Packet(kept.payload)
                packet.stream, packet.time_base = track, time_base
                packet.dts = kept.dts - first
                packet.pts = None if kept.pts is None else kept.pts - first
                packet.duration, packet.is_keyframe = kept.duration or 0, kept.key
                out.mux(packet)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise Mp4Error(type(error).__name__) from None
    return out_bytes.getvalue()
