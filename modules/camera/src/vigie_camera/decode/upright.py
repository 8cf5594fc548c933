"""A frame as a viewer should see it: deinterlaced, turned, with square pixels. A filter graph, made when needed."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.filter import Graph
from av.video.frame import VideoFrame

# Beyond these a sample aspect ratio is a damaged header, not an anamorphic picture.
_SAR_LEAST, _SAR_MOST = Fraction(1, 4), Fraction(4)
_TURNS = {90: ("cclock",), 180: ("clock", "clock"), 270: ("clock",)}


class Upright:
    """Frames in, frames out: the same ones, at no cost, while nothing about them needs a filter."""

    def __init__(self) -> None:
        """No filter yet."""
        self._graph: Graph | None = None
        self._key: tuple[object, ...] | None = None
        self._interlaced = False

    def feed(self, frame: VideoFrame, sar: Fraction | None) -> Iterator[VideoFrame]:
        """What comes out for ``frame``: a deinterlacer wants to see the next one first."""
        # Once interlaced, a stream stays in the filter, which leaves its progressive frames as they are.
        self._interlaced = self._interlaced or frame.interlaced_frame
        sar = sar if sar and _SAR_LEAST <= sar <= _SAR_MOST else Fraction(1)
        turn = frame.rotation % 360  # counterclockwise
        if not self._interlaced and sar == 1 and turn not in _TURNS:
            if self._graph is not None:
                yield from self.flush()
            yield frame
            return
        key = (frame.width, frame.height, frame.format.name, sar, turn, self._interlaced)
        if key != self._key:
            yield from self.flush()
            self._graph, self._key = _graph(frame, sar, turn, interlaced=self._interlaced), key
        yield from self._through(frame)

    def flush(self) -> Iterator[VideoFrame]:
        """What the filters still hold; they are gone afterwards."""
        if self._graph is not None:
            yield from self._through(None)
            self._graph = self._key = None

    def restart(self) -> None:
        """The stream begins again."""
        self._graph = self._key = None

    def _through(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        graph = self._graph
        if graph is None:
            return
        graph.vpush(frame)
        while True:
            try:
                yield graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return


def _graph(frame: VideoFrame, sar: Fraction, turn: int, *, interlaced: bool) -> Graph:
    graph = Graph()
    graph.threads = 1
    nodes = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 90_000),
        )
    ]
    if interlaced:
        nodes.append(graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced"))
    if sar != 1:
        # The longer side grows, so that nothing is lost.
        wide = sar > 1
        width = frame.width if not wide else max(1, round(frame.width * sar))
        height = frame.height if wide else max(1, round(frame.height / sar))
        nodes.append(graph.add("scale", f"{width}:{height}:flags=bilinear"))
    nodes += [graph.add("transpose", direction) for direction in _TURNS.get(turn, ())]
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph
