"""Further models of `up`: each sees every frame beside the first one, as a release that serves without a trial."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vigie_devkit.local.errors import NoModelError, UsageError
from vigie_devkit.local.metrics import MetricTotals
from vigie_devkit.local.twins import refusals

# Desired property `models` of inference takes so many.
BESIDE_MAX = 5
# Opening an engine that compiles its model, on a machine that does much else.
SERVES_WITHIN_S = 300.0
GONE = ("rejected", "rolled_back")


@dataclass(frozen=True)
class Beside:
    """``name``: of its entry in desired property ``models``, and in results."""

    name: str
    bundle: Path


def beside(first: Path, others: Sequence[Path]) -> list[Beside]:
    """``others`` with names of their own. Raises: UsageError: too many; NoModelError: one cannot be read."""
    if len(others) > BESIDE_MAX:
        raise UsageError(f"--model is given {len(others) + 1} times; {BESIDE_MAX + 1} models can serve at once")
    taken, found = {card_name(first)}, []
    for bundle in others:
        own = name = card_name(bundle)
        number = 2
        while name in taken:
            name, number = f"{own}-{number}", number + 1
        taken.add(name)
        found.append(Beside(name, bundle))
    return found


def card_name(bundle: Path) -> str:
    """Raises: NoModelError: its card cannot be read."""
    from vigie.errors import VigieError
    from vigie.models import load_bundle

    try:
        return load_bundle(bundle).card.name
    except VigieError as error:
        raise NoModelError(str(error)) from error


def releases(models: Iterable[Beside], folder: Path) -> dict[str, Any]:
    """Desired property ``models``; each is packed into ``folder``, which inference takes files from.

    Raises: NoModelError: one cannot be packed.
    """
    from vigie.errors import VigieError
    from vigie.models import load_bundle
    from vigie_devkit.models.shelf import export_bundle

    wanted = {}
    folder.mkdir(parents=True, exist_ok=True)
    for model in models:
        try:
            archive = export_bundle(model.bundle, folder / f"{model.name}.zip")
            version = load_bundle(model.bundle).card.version
        except VigieError as error:
            raise NoModelError(str(error)) from error
        with archive.open("rb") as packed:
            sha256 = hashlib.file_digest(packed, "sha256").hexdigest()
        wanted[model.name] = {
            "version": version,
            "source": archive.as_uri(),
            "sha256": sha256,
            "size": archive.stat().st_size,
            "beside": True,
            "rollout": {"commit": "immediate", "probation_s": 0},
        }
    return wanted


def phases(tally: MetricTotals) -> dict[str, str]:
    """Of every release with a seat of its own: where it is on its way into service."""
    samples = tally.values("vigie_model_update_info", "inference")
    return {seat: one.label("phase") for one in samples if one.value and (seat := one.label("seat"))}


def awaited(models: Iterable[Beside], tally: MetricTotals) -> list[str]:
    """Those that do not serve yet, each with its state."""
    told = phases(tally)
    return [
        f"model {one.name} does not serve yet: {told.get(one.name, 'asked for')}"
        for one in models
        if told.get(one.name) != "committed"
    ]


def require_serving(models: Sequence[Beside], reported: Mapping[str, Any]) -> None:
    """Args: reported: of inference. Raises: NoModelError: one was refused, with the reason."""
    refused = refusals(reported)
    if models and "models" in refused:
        raise NoModelError(f"inference refuses the further models: {refused['models']}")
    states = reported.get("models_state") or {}
    for model in models:
        update = (states.get(model.name) or {}).get("update") or {}
        if update.get("phase") in GONE:
            raise NoModelError(f"inference refuses model {model.name}: {update.get('reason') or update['phase']}")
