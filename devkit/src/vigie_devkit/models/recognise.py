"""Which family a model belongs to: embedded metadata, then output names, then shapes; never a guess.

Source of the order and the rules: docs/decisions/0010-recognising-models.md.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from typing import Any

from vigie.errors import ModelUnrecognisedError
from vigie_devkit.models import families
from vigie_devkit.models.not_read import not_read
from vigie_devkit.models.recognition import Doubt, Recognition
from vigie_devkit.models.signature import Signature

STAGES = ("by_metadata", "by_names", "by_shape")


def family_names() -> tuple[str, ...]:
    """What ``--family`` takes: the files of ``vigie_devkit.models.families``."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(families.__path__)))


def recognise(signature: Signature, *, family: str | None = None) -> Recognition:
    """The one reading that the strongest stage gives.

    Args: family: ask only this family's rules.
    Raises: ModelUnrecognisedError: no rule or several of one stage fit; the text says what to pass.
    """
    names = family_names() if family is None else (family,)
    if family is not None and family not in family_names():
        raise ModelUnrecognisedError(
            signature.file, f"there is no family {family!r}; pass --family with one of: {', '.join(family_names())}"
        )
    if signature.unread_names:
        raise ModelUnrecognisedError(signature.file, f"{signature.unread_names}; pass --labels FILE, one name per line")
    if family is not None:
        signature = dataclasses.replace(signature, asked=family)
    for stage in STAGES:
        # After the exporters that name themselves, and before shapes that may be anything.
        if stage == "by_shape" and family is None and (known := not_read(signature)):
            raise ModelUnrecognisedError(signature.file, f"{known}; or pass a reading with --card")
        answers = [answer for name in names for answer in _ask(name, stage, signature)]
        found = [answer for answer in answers if isinstance(answer, Recognition)]
        doubts = [answer for answer in answers if isinstance(answer, Doubt)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ModelUnrecognisedError(signature.file, _ambiguous(found))
        if doubts:
            raise ModelUnrecognisedError(
                signature.file, "; or ".join(f"{doubt.family}: {doubt.why}" for doubt in doubts)
            )
    raise ModelUnrecognisedError(signature.file, _unknown(signature, family))


def _ask(family: str, stage: str, signature: Signature) -> list[Recognition | Doubt]:
    module: Any = importlib.import_module(f"{families.__name__}.{family}")
    rule = getattr(module, stage, None)
    return list(rule(signature)) if rule is not None else []


def _ambiguous(found: list[Recognition]) -> str:
    readings = "; ".join(f"{reading.family} ({reading.why})" for reading in found)
    choices = sorted({reading.family for reading in found})
    if len(choices) == 1:
        return f"can be read in more than one way: {readings}; pass --labels FILE so that the class count decides"
    return f"can be read in more than one way: {readings}; pass --family {' or --family '.join(choices)}"


def _unknown(signature: Signature, family: str | None) -> str:
    ports = ", ".join(f"{port.name} {list(port.shape)}" for port in signature.outputs)
    height, width = signature.input_hw
    if family is not None:
        return f"does not look like {family}: outputs {ports} for input {height}x{width}; pass another --family"
    told = "" if signature.labels is None else f" and {len(signature.labels)} class names"
    return (
        f"no family has outputs {ports} for input {height}x{width}{told}; pass a reading with --card: a decoder, its "
        "parameters and how pixels are fed (docs/models.md), or --labels with as many names as there are classes"
    )
