"""Uploads a packed bundle to Azure Blob Storage. A blob that is there already is never replaced: devices may fetch it.

Source: Blob service REST API, Put Blob (block blob, one request of at most 5,000 MiB), conditional headers.
"""

from __future__ import annotations

import hashlib
import tempfile
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError, URLError

from vigie.errors import DownloadError, DownloadRefusedError
from vigie.models.link import check_link, open_link, shown
from vigie_devkit.models.shelf import export_bundle

TIMEOUT_S = 300.0


class Published(NamedTuple):
    """Of the archive: ``sha256`` in hex, ``size`` in bytes."""

    sha256: str
    size: int


def publish(folder: Path, url: str, signature: str) -> Published:
    """Pack the verified bundle in ``folder`` and write it to ``url`` with the shared access ``signature``.

    Raises: DownloadRefusedError: the URL is not https, holds a query, or the service says no; DownloadError: nobody
        answers. BundleError: the bundle cannot be packed.
    """
    check_link(url)
    if "?" in url:
        raise DownloadRefusedError(shown(url), "holds a query; the signature belongs into the file of --sas")
    with tempfile.TemporaryDirectory(prefix="vigie-publish-") as scratch:
        content = export_bundle(folder, Path(scratch) / "bundle.zip").read_bytes()
    headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/zip", "If-None-Match": "*"}
    try:
        address = f"{url}?{signature.removeprefix('?')}"
        with open_link(address, headers, timeout_s=TIMEOUT_S, method="PUT", body=content) as answer:
            answer.read()
    except HTTPError as error:
        raise DownloadRefusedError(shown(url), _answer(error.code)) from error
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise DownloadError(shown(url), f"no answer ({error or type(error).__name__})") from error
    return Published(hashlib.sha256(content).hexdigest(), len(content))


def _answer(code: int) -> str:
    if code in {409, 412}:
        return "already exists; a release is never replaced: use a new name"
    if code == 403:
        return "the service answers 403: the signature has expired, or does not allow to create blobs (right 'c')"
    if code == 404:
        return "the service answers 404: there is no such container"
    return f"the service answers {code}"
