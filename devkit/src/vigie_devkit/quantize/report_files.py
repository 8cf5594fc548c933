"""Writes a run's report beside the bundle: ``NAME.report/report.json`` and ``report.html``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vigie.errors import BundleError
from vigie_devkit.quantize.page import write_page
from vigie_devkit.quantize.pictures import worst_frames
from vigie_devkit.quantize.pipeline import QuantizeOutcome


def write_report(bundle_folder: Path, outcome: QuantizeOutcome) -> Path:
    """The page's path. A refused run has a report too. Raises: BundleError: the folder cannot be written."""
    folder = bundle_folder.absolute().with_name(f"{bundle_folder.name}.report")
    pictures = worst_frames(outcome.bench, outcome.built)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(outcome.report), indent=2))
        page = folder / "report.html"
        page.write_text(write_page(outcome.report, pictures), encoding="utf-8")
    except OSError as error:
        raise BundleError(str(folder), f"cannot be written: {error.strerror}; pass another --output") from error
    return page
