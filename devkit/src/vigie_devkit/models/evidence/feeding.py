"""How a model wants its pixels: the feeds that exports of its outside use, narrowed by what the file itself shows.

In this order: what the user says, metadata of the image (ONNX's ``Image.*``), an input of bytes, in-graph means, the
gain of the first weights. One feed left is the answer; where it contradicts the weights, or several are left, the file
is refused with the choices shown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from vigie.errors import ModelUnrecognisedError
from vigie.models.card import Concluded
from vigie_devkit.models.evidence.spelling import kind_of, spell
from vigie_devkit.models.evidence.stem import Stem
from vigie_devkit.models.recognition import Channels, Feed, Recognition
from vigie_devkit.models.signature import Signature

_BARE: dict[str, Any] = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
_UNIT: dict[str, Any] = {"mean": (0.0, 0.0, 0.0), "std": (255.0, 255.0, 255.0)}


@dataclasses.dataclass(frozen=True, slots=True)
class Feeding:
    """``feeds``: those that the evidence leaves, the likeliest first; ``doubt``: why one of them is not taken yet.

    ``against``: the evidence contradicts what exports of this outside want, rather than leave several open.
    """

    feeds: tuple[Feed, ...]
    because: tuple[str, ...]
    doubt: str = ""
    against: bool = False


def narrow(reading: Recognition, signature: Signature, stem: Stem) -> Feeding:
    """What the file's own evidence leaves of a reading's feeds."""
    feeds = (reading.feed, *reading.other_feeds)
    because = [f"exports of {reading.family} want {_listed(feeds)}"]
    feeds, said = _by_image_metadata(feeds, signature)
    because += said
    if signature.image.dtype == "uint8":
        feeds = _unique(dataclasses.replace(feed, **_BARE) for feed in feeds)
        return Feeding(feeds, (*because, f"its input '{signature.image.name}' takes bytes"), _tie(feeds, "bytes"))
    if stem.order is not None:
        # The graph normalises itself, and its means say which channel comes first.
        order: Channels = "rgb" if stem.order == "rgb" else "bgr"
        feeds = _unique(dataclasses.replace(feed, channels=order, **_UNIT) for feed in feeds)
        because.append(f"the graph subtracts ImageNet's means itself, in the order of {order}")
    elif stem.centred and stem.scaled and (plain := tuple(feed for feed in feeds if not any(feed.mean))):
        if len(plain) < len(feeds):
            because.append("the graph subtracts a mean and scales pixels itself")
        feeds = plain
    wants = stem.wants
    if wants is None:
        because.append(f"its weights do not say ({stem.why()})")
        return Feeding(feeds, tuple(because), _tie(feeds, "its weights do not say which"))
    because.append(f"its weights want {'0..255' if wants == 'bytes' else 'normalised pixels'} ({stem.why()})")
    fitting = tuple(feed for feed in feeds if kind_of(feed) == wants)
    if stem.exact and (spanning := tuple(feed for feed in fitting if _spans(feed, stem))):
        fitting = spanning
    if not fitting and wants == "bytes" and stem.scaled:
        fitting = _unique(dataclasses.replace(feed, **_BARE) for feed in feeds)
        because.append("the graph scales pixels itself")
    if not fitting:
        other = _unique(dataclasses.replace(feed, **(_BARE if wants == "bytes" else _UNIT)) for feed in feeds)
        return Feeding(
            (*feeds, *other),
            tuple(because),
            f"exports of {reading.family} want {_listed(feeds)}, but its weights want "
            f"{'0..255' if wants == 'bytes' else 'normalised pixels'} ({stem.why()})",
            against=True,
        )
    return Feeding(fitting, tuple(because), _tie(fitting, "its weights fit several"))


def contradiction(feed: Feed, signature: Signature, stem: Stem) -> str:
    """Why a feed that the user states cannot be right; empty where nothing speaks against it."""
    if signature.image.dtype == "uint8" and kind_of(feed) != "bytes":
        return f"--input says {spell(feed)}, but the input takes bytes; pass --input {feed.channels}/0..255"
    if stem.wants is None or stem.wants == kind_of(feed):
        return ""
    wants = "0..255" if stem.wants == "bytes" else "normalised pixels"
    return f"--input says {spell(feed)}, but its weights want {wants} ({stem.why()})"


def refuse(reading: Recognition, feeding: Feeding, file: str) -> ModelUnrecognisedError:
    """The refusal of a file whose feed is in doubt, with the choices."""
    choices = " or ".join(f"--input {spell(feed)}" for feed in feeding.feeds)
    return ModelUnrecognisedError(
        file,
        f"looks like {reading.family} ({reading.why}), but how its pixels are fed is in doubt: {feeding.doubt}; "
        f"pass {choices}, as it was trained, or --trust to take the first",
    )


def conclude(feed: Feed, because: Iterable[str]) -> list[Concluded]:
    reason = "; ".join(because)
    return [
        Concluded("input", spell(feed), reason),
        Concluded("fit", feed.align, "of the family's convention, or --align"),
    ]


def _by_image_metadata(feeds: tuple[Feed, ...], signature: Signature) -> tuple[tuple[Feed, ...], list[str]]:
    """ONNX's own image metadata, which Windows ML and Custom Vision write."""
    said = []
    pixel = signature.metadata.get("Image.BitmapPixelFormat", "").lower()
    if pixel[:3] in {"rgb", "bgr"}:
        order: Channels = "rgb" if pixel[:3] == "rgb" else "bgr"
        feeds = _unique(dataclasses.replace(feed, channels=order) for feed in feeds)
        said.append(f"its metadata say Image.BitmapPixelFormat {pixel}")
    span = signature.metadata.get("Image.NominalPixelRange", "")
    known = {"NominalRange_0_255": _BARE, "Normalized_0_1": _UNIT}
    if span in known:
        feeds = _unique(dataclasses.replace(feed, **known[span]) for feed in feeds)
        said.append(f"its metadata say Image.NominalPixelRange {span}")
    return feeds, said


def _spans(feed: Feed, stem: Stem) -> bool:
    """Whether pixels of 0 and 255 are about what the quantized input can hold at its ends."""
    if stem.levels is None:
        return False
    least = min((0 - mean) / std for mean, std in zip(feed.mean, feed.std, strict=True))
    most = max((255 - mean) / std for mean, std in zip(feed.mean, feed.std, strict=True))
    near = 0.1 * (most - least)
    return abs(least - stem.levels[0]) <= near and abs(most - stem.levels[1]) <= near


def _tie(feeds: tuple[Feed, ...], why: str) -> str:
    return "" if len(feeds) == 1 else f"{_listed(feeds)} are in use, and {why}"


def _listed(feeds: Iterable[Feed]) -> str:
    return " or ".join(dict.fromkeys(spell(feed) for feed in feeds))


def _unique(feeds: Iterable[Feed]) -> tuple[Feed, ...]:
    return tuple(dict.fromkeys(feeds))
