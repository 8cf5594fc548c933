"""``rgb/0..1``: how a feed is written on the command line and in sentences."""

from __future__ import annotations

from typing import Any

from vigie_devkit.models.recognition import Channels, Feed

# Means and deviations in the order of RGB, pixels 0..255.
RANGES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "0..255": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "0..1": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "-1..1": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "caffe": ((123.0, 117.0, 104.0), (1.0, 1.0, 1.0)),
}


def input_fields(text: str) -> dict[str, Any]:
    """Fields of ``Feed`` that ``CHANNELS/RANGE`` states. Raises: ValueError: with what may be written."""
    channels, slash, span = text.partition("/")
    if channels not in {"rgb", "bgr"} or not slash or span not in RANGES:
        raise ValueError(f"expected rgb/ or bgr/ and one of {', '.join(RANGES)}, such as rgb/0..1; got {text!r}")
    mean, std = RANGES[span]
    if channels == "bgr":
        mean, std = mean[::-1], std[::-1]
    return {"channels": channels, "mean": mean, "std": std}


def feed_of(text: str, align: Any, pad_value: int = 114) -> Feed:
    """``feed_of("rgb/0..1", "centre")``, for families."""
    fields = input_fields(text)
    order: Channels = fields["channels"]
    return Feed(order, align, fields["mean"], fields["std"], pad_value)


def spell(feed: Feed) -> str:
    """A feed's channels and range, by name where they have one."""
    for name, (mean, std) in RANGES.items():
        turned = (mean, std) if feed.channels == "rgb" else (mean[::-1], std[::-1])
        if turned == (feed.mean, feed.std):
            return f"{feed.channels}/{name}"
    return f"{feed.channels}/(x - {_short(feed.mean)}) / {_short(feed.std)}"


def kind_of(feed: Feed) -> str:
    """``bytes`` where pixels stay as large as they are, ``units`` where they are divided down to about 1."""
    return "bytes" if max(feed.std) < 16 else "units"


def _short(values: tuple[float, float, float]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else "[" + " ".join(f"{value:g}" for value in values) + "]"
