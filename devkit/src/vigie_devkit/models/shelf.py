"""Bundles on this machine: the state folder's and those that ship; what they are, in lines for people."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from vigie.errors import BundleError
from vigie.models import Bundle, load_bundle
from vigie.models.bundle import CARD_FILE, read_contained, read_verified
from vigie.models.signed import SIGNATURE_BYTES_MAX, SIGNATURE_FILE
from vigie.models.store import BundleStore, Shelved
from vigie_devkit.local.bundle import by_name
from vigie_devkit.local.ownership import claim_part
from vigie_devkit.local.paths import bundle_shelves, home_folder
from vigie_devkit.models.labels import choose_labels, read_labels
from vigie_devkit.models.photograph_check import PhotographCheck
from vigie_devkit.models.prepare import prepare
from vigie_devkit.models.recognise import recognise
from vigie_devkit.models.settle import settle_feed


def shelf_folder() -> Path:
    """Where ``import`` puts bundles unless told otherwise; made and marked. Raises: StrangeFolderError."""
    return claim_part(home_folder(), "bundles")


def find_on_shelf(wanted: str) -> Path:
    """A bundle by its folder or its name. Raises: BundleError: neither."""
    path = Path(wanted)
    if path.name == CARD_FILE:
        path = path.parent
    if (path / CARD_FILE).is_file():
        return path
    known = by_name(bundle_shelves())
    if wanted in known:
        return known[wanted]
    raise BundleError(
        wanted, f"is neither a bundle folder nor one of these names: {', '.join(known) or 'none imported yet'}"
    )


def listing(width: int | None = None) -> list[str]:
    """One line per bundle; two for each where one row would be wider than ``width`` characters."""
    rows = [_row(shelved) for shelf in bundle_shelves() for shelved in BundleStore(shelf).list()]
    if width is None or all(len(f"{what}  {where}") <= width for what, where in rows):
        return [f"{what}  {where}" for what, where in rows]
    return [line for what, where in rows for line in (what, f"    {where}")]


def _row(shelved: Shelved) -> tuple[str, str]:
    card = shelved.card
    if card is None:
        return f"{shelved.folder.name:24}", f"refused: {shelved.refusal}"
    size = f"{card.input.height}x{card.input.width}"
    what = f"{shelved.folder.name:24} {card.task:14} {card.decoder.family:10} {size} {len(card.labels):4} classes"
    return what, f"{', '.join(card.variants)}  {shelved.folder}"


def summary(folder: Path) -> str:
    """A verified bundle in a few lines. Raises: see ``load_bundle``."""
    bundle = load_bundle(folder)
    card = bundle.card
    shown = ", ".join(card.labels[:8]) + (", ..." if len(card.labels) > 8 else "")
    sizes = ", ".join(
        f"{name} ({bundle.variant(name).file.stat().st_size / 1e6:.1f} MB, "
        f"{f'opset {facts.opset}' if facts.opset else facts.format})"
        for name, facts in card.variants.items()
    )
    size = f"{card.input.height}x{card.input.width}"
    lines = [
        f"{card.name} {card.version}: {card.task}, {bundle.folder}",
        f"  input      {size} uint8 BGR, {card.input.align}, pad {card.input.pad_value}",
        f"  decoder    {card.decoder.family} {card.decoder.params or ''}".rstrip(),
        f"  labels     {len(card.labels)} ({card.labels_from}): {shown}",
        f"  thresholds score {card.thresholds.score_min}, IoU {card.thresholds.iou_max}",
        f"  variants   {sizes}",
        f"  recognised {card.source.recognised_by or 'not said'}",
        *(f"  {one.question:10} {one.answer}, because {one.because}" for one in card.source.concluded),
        f"  licence    {card.licence}",
    ]
    return "\n".join(lines)


def describe_file(file: Path, *, labels: Path | None, family: str | None, size_hw: tuple[int, int] | None) -> str:
    """What an ONNX file is and how it would be read, without writing anything. Raises: as ``import_model``."""
    told = None if labels is None else read_labels(labels)
    prepared = prepare(file, size_hw=size_hw, labels=told)
    signature = prepared.signature
    reading = recognise(signature, family=family)
    names, labels_from = choose_labels(signature, reading, told)
    reading, concluded = settle_feed(
        reading, signature, told={}, given=False, trust=True, look=PhotographCheck(prepared, told).compare
    )
    feed = reading.feed
    ports = [f"  input      {port.name} {list(port.shape)} {port.dtype}" for port in signature.inputs]
    ports += [f"  output     {port.name} {list(port.shape)} {port.dtype}" for port in signature.outputs]
    lines = [
        f"{file.name}: {reading.family} ({reading.why})",
        *ports,
        f"  feed       {feed.channels}, {feed.align}, pad {feed.pad_value}, mean {feed.mean}, std {feed.std}",
        *(f"  {one.question}: {one.answer}, because {one.because}" for one in concluded),
        f"  labels     {len(names)} ({labels_from}): {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}",
        f"  import     {'; '.join(prepared.steps)}",
    ]
    return "\n".join(lines)


def export_bundle(folder: Path, output: Path | None) -> Path:
    """Pack a verified bundle into a zip, the same bytes for the same bundle. Raises: BundleError: not writable."""
    bundle = load_bundle(folder)
    card = bundle.card
    target = output or Path(f"{card.name}-{card.version}.zip")
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in bundle_files(bundle):
                entry = zipfile.ZipInfo(f"{card.name}/{name}")  # its default date makes the archive reproducible
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, content)
    except OSError as error:
        raise BundleError(str(target), f"cannot be written: {error.strerror}; pass another --output") from error
    return target


def bundle_files(bundle: Bundle) -> Iterator[tuple[str, bytes]]:
    """What belongs to a bundle, its signature included: name and verified bytes, the card first."""
    yield CARD_FILE, read_verified(bundle.folder, CARD_FILE, bundle.digest)
    for name, sha256 in bundle.files():
        yield name, read_verified(bundle.folder, name, sha256)
    if (bundle.folder / SIGNATURE_FILE).is_file():
        yield SIGNATURE_FILE, read_contained(bundle.folder, SIGNATURE_FILE, limit=SIGNATURE_BYTES_MAX)
