"""The catalogue: which models can be fetched, each with the hash that decides whether it came whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from vigie.errors import CatalogueError
from vigie.models.bundle import MODEL_BYTES_MAX
from vigie.models.card import Name, Sha256, Text
from vigie_devkit.models.evidence.spelling import RANGES

SHIPPED = Path(__file__).with_name("catalogue.yaml")
_CATALOGUE_BYTES_MAX = 1 << 20
_INPUT = f"^(rgb|bgr)/({'|'.join(re.escape(span) for span in RANGES)})$"
_Side = Annotated[int, msgspec.Meta(ge=1, le=8192)]


class CatalogueModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file to fetch: a bundle as a zip archive, or an ONNX file that is imported as the rest says."""

    url: Annotated[str, msgspec.Meta(min_length=8, max_length=2048)]
    sha256: Sha256
    size_bytes: Annotated[int, msgspec.Meta(ge=1, le=MODEL_BYTES_MAX)]
    licence: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    family: Name | None = None
    labels: tuple[Text, ...] | Literal["coco80"] | None = None
    input_hw: tuple[_Side, _Side] | None = None
    input: Annotated[str, msgspec.Meta(pattern=_INPUT)] | None = None


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A decoded catalogue file."""

    schema: Literal["vigie.catalogue/1"]
    models: dict[Name, CatalogueModel]


def find_entry(name: str, file: Path = SHIPPED) -> CatalogueModel:
    """The entry ``name`` of a catalogue.

    Raises: CatalogueError: the file cannot be read, has an unknown key or a bad value (with its path), or no such name.
    """
    models = read_catalogue(file).models
    if name not in models:
        known = ", ".join(sorted(models)) or "none yet; pass --catalogue FILE with one of your own"
        raise CatalogueError(str(file), f"has no model {name!r}; it has {known}")
    return models[name]


def read_catalogue(file: Path) -> Catalogue:
    """Decode a catalogue file. Raises: CatalogueError."""
    try:
        if file.stat().st_size > _CATALOGUE_BYTES_MAX:
            raise CatalogueError(str(file), f"is larger than {_CATALOGUE_BYTES_MAX} bytes; no catalogue is")
        return msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), Catalogue)
    except msgspec.ValidationError as error:
        raise CatalogueError(str(file), str(error)) from error
    except OSError as error:
        raise CatalogueError(str(file), f"cannot be read: {error.strerror}") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise CatalogueError(str(file), f"is not plain YAML ({type(error).__name__})") from error
