"""Which model serves: a bundle, an ONNX file imported into one, or the bundle that ships."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from vigie_devkit.local.errors import NoModelError
from vigie_devkit.local.ownership import claim_part
from vigie_devkit.local.paths import CHECKOUT, bundle_shelves, home_folder

CARD = "card.yaml"


def find_bundle(wanted: str | None, shelves: Sequence[Path] = ()) -> Path:
    """The bundle folder to serve.

    Args: wanted: an ``.onnx`` file, a bundle folder or its card, None for the one that ships. shelves: folders of
        bundles, that of those that ship last; default: this machine's.
    Raises: NoModelError: none of these.
    """
    shelves = shelves or bundle_shelves()
    if wanted is None:
        shipped = sorted(card.parent for card in shelves[-1].glob(f"*/{CARD}"))
        if not shipped:
            raise NoModelError(
                "no detector ships yet; pass one: ./vigie up --model FILE.onnx (any YOLOX export will do)"
            )
        return shipped[0]
    path = Path(wanted).expanduser().absolute()
    if path.name == CARD:
        path = path.parent
    if path.is_dir():
        if not (path / CARD).is_file():
            raise NoModelError(f"{wanted} is a folder without {CARD}: pass a bundle folder or an .onnx file")
        return path
    if not path.is_file():
        return on_shelf(wanted, shelves)
    return import_once(path)


def on_shelf(name: str, shelves: Sequence[Path]) -> Path:
    """The bundle of that name, this machine's own before those that ship. Raises: NoModelError, with the names."""
    known = by_name(shelves)
    if name in known:
        return known[name]
    near = get_close_matches(name, known, 1, 0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none'}"
    raise NoModelError(
        f"there is no model {name!r}: neither an .onnx file, nor a bundle folder, nor a bundle's name; {hint}"
    )


def by_name(shelves: Sequence[Path]) -> dict[str, Path]:
    """The bundles, a machine's own in place of those that ship; half-written ones (a dot begins them) are left out."""
    found = {card.parent.name: card.parent for shelf in reversed(shelves) for card in shelf.glob(f"*/{CARD}")}
    return {name: found[name] for name in sorted(found) if not name.startswith(".")}


def import_once(onnx_file: Path) -> Path:
    """Import a model file into the state folder, once per content and importer.

    Raises: NoModelError: it cannot be read, or is no model that the importer knows; the text says why.
        StrangeFolderError: the state folder is not Vigie's.
    """
    try:
        digest = hashlib.sha256(onnx_file.read_bytes())
    except OSError as error:
        raise NoModelError(f"cannot read {onnx_file} ({error.strerror})") from error
    digest.update(importer_fingerprint())
    folder = claim_part(home_folder(), "models") / digest.hexdigest()[:16]
    done = [card.parent for card in (*folder.glob(CARD), *folder.glob(f"*/{CARD}"))]
    if done:
        return done[0]
    from vigie.errors import ProviderError, VigieError
    from vigie_devkit.models import import_model

    # Imported beside and renamed when complete: an import that was cut off must not be taken for a bundle.
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        bundle = import_model(onnx_file, beside / onnx_file.stem)
        inside = Path(bundle).relative_to(beside)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    except ProviderError as error:  # what reads the file is not installed: nothing to pass
        raise NoModelError(str(error)) from error
    except VigieError as error:
        raise NoModelError(f"{error} (what to pass goes to './vigie models import {onnx_file}')") from error
    except OSError as error:
        raise NoModelError(f"cannot import {onnx_file.name} into {folder} ({error.strerror})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder / inside


def importer_fingerprint() -> bytes:
    """Changes whenever the importer's sources do, so that a mended importer imports anew."""
    from importlib.metadata import version

    sources = sorted((CHECKOUT / "devkit/src/vigie_devkit/models").rglob("*.py"))
    stamps = [f"{path.name}:{path.stat().st_mtime_ns}:{path.stat().st_size}" for path in sources]
    return "\n".join([version("vigie-devkit"), *stamps]).encode()
