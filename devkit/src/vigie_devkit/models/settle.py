"""One feed for a reading: the user's, or the one that the evidence leaves; else a refusal with the choices."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vigie.errors import ModelUnrecognisedError
from vigie.models.card import Concluded
from vigie_devkit.models.evidence.feeding import conclude, contradiction, narrow, refuse
from vigie_devkit.models.evidence.looking import FeedComparison
from vigie_devkit.models.recognition import Feed, Recognition
from vigie_devkit.models.signature import Signature

Look = Callable[[Recognition, Sequence[Feed]], FeedComparison | None]


def settle_feed(
    reading: Recognition, signature: Signature, *, told: Mapping[str, Any], given: bool, trust: bool, look: Look
) -> tuple[Recognition, list[Concluded]]:
    """The reading with the one feed that the evidence leaves.

    Args: told: fields of ``Feed`` that the user states. given: the reading is the user's own. look: how sure a reading
        is, fed each way, of what photographs show; asked where the rest of the evidence leaves several ways.
    Raises: ModelUnrecognisedError: several are left, or the user's contradicts the weights, and ``trust`` is off.
    """
    reading = dataclasses.replace(
        reading,
        feed=dataclasses.replace(reading.feed, **told),
        other_feeds=tuple(dataclasses.replace(feed, **told) for feed in reading.other_feeds),
    )
    if given or told.keys() & {"mean", "std"}:
        against = contradiction(reading.feed, signature, signature.stem)
        if against and not trust:
            raise ModelUnrecognisedError(signature.file, f"{against}; or pass --trust")
        why = f"TRUSTED although {against}" if against else "it was stated"
        return dataclasses.replace(reading, other_feeds=()), conclude(reading.feed, [why])
    feeding = narrow(reading, signature, signature.stem)
    because = feeding.because
    if feeding.doubt and not feeding.against and (sight := look(reading, feeding.feeds)) is not None:
        because = (*because, str(sight))
        if sight.winner is not None:
            feeding = dataclasses.replace(feeding, feeds=(sight.winner,), doubt="")
        else:
            feeding = dataclasses.replace(feeding, doubt=f"{feeding.doubt}; {sight}, which settles nothing")
    if feeding.doubt:
        if not trust:
            raise refuse(reading, feeding, signature.file)
        because = (*because, f"TRUSTED although {feeding.doubt}")
    return dataclasses.replace(reading, feed=feeding.feeds[0], other_feeds=()), conclude(feeding.feeds[0], because)
