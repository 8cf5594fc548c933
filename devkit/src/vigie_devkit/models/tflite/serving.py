"""The very file that was imported, as one more variant of its bundle, where it agrees with its conversion."""

from __future__ import annotations

from pathlib import Path

from vigie.errors import BundleError, EngineError, ModelFileError, ProviderError
from vigie.models import load_bundle
from vigie_devkit.models.attach import RANGES_TRIED, attach


def attach_original(folder: Path, file: Path) -> tuple[bool, str]:
    """Whether ``file`` became a variant of the bundle in ``folder``, and as what, or why not.

    Pixels are fed as import concluded, so that a trial does not end in a tie. Raises: BundleError: no such bundle.
    """
    bundle = load_bundle(folder)
    fed = next((one.answer for one in bundle.card.source.concluded if one.question == "input"), "")
    channels, _, span = fed.partition("/")
    known = channels in {"rgb", "bgr"} and span in RANGES_TRIED
    try:
        done = attach(bundle, file, folder, channels=channels if known else "", range_=span if known else "")
    except (ModelFileError, EngineError, ProviderError, BundleError) as error:
        return False, error.reason
    return True, f"{done.variant}, {done.trial.words}"
