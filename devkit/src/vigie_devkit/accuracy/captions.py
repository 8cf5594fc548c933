"""Where the caption of each box goes, so that none lies over another one or leaves the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Box = tuple[int, int, int, int]


def place_captions(
    boxes_xyxy: Sequence[Box], sizes_wh: Sequence[tuple[int, int]], picture_wh: tuple[int, int]
) -> list[Box | None]:
    """The rectangle of each caption, in pixels; ``None`` where every place is taken.

    Above its box, below it, inside at the top, then beside it. Whoever comes first chooses first: put what must be read
    at the front.
    """
    taken: list[Box] = []
    placed: list[Box | None] = []
    for box, size in zip(boxes_xyxy, sizes_wh, strict=True):
        free = (place for place in _places(box, size, picture_wh) if not any(_meet(place, other) for other in taken))
        chosen = next(free, None)
        if chosen is not None:
            taken.append(chosen)
        placed.append(chosen)
    return placed


def _places(box: Box, size: tuple[int, int], picture_wh: tuple[int, int]) -> Iterator[Box]:
    left, top, right, bottom = box
    width, height = size
    for x, y in (
        (left, top - height),
        (left, bottom),
        (left, top),
        (right - width, top - height),
        (right - width, bottom),
        (right, top),
        (left - width, top),
    ):
        inside_x = min(max(0, x), picture_wh[0] - width)
        inside_y = min(max(0, y), picture_wh[1] - height)
        if inside_x >= 0 and inside_y >= 0:
            yield inside_x, inside_y, inside_x + width, inside_y + height


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
