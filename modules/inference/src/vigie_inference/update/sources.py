"""Sources of releases that can never be fetched, found before anything else of the configuration takes effect. Pure."""

from __future__ import annotations

from vigie.errors import ConfigRefusedError, DownloadRefusedError
from vigie.models.link import check_link
from vigie.models.oci import read_reference
from vigie.source_url import literals
from vigie_inference.config import InferenceConfig


def check_sources(config: InferenceConfig) -> None:
    """Raises: ConfigRefusedError: a source that can never be fetched."""
    for name, release in (config.models or {}).items():
        source, path = release.source, f"$.models.{name}.source"
        if source.startswith("file:///"):
            continue
        try:
            check_link(read_reference(source).base if source.startswith("oci:") else source)
        except DownloadRefusedError as error:
            raise ConfigRefusedError(path, str(error)) from error
        if literals(source):
            raise ConfigRefusedError(path, "holds a value that may be a secret; name it by `secret`")
