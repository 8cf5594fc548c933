"""Bundles as artifacts of an OCI registry: one layer per file, every byte by its digest.

Source: OCI distribution specification 1.1 (pull, push), image specification 1.1 (artifacts). An own small client: the
package ``oras`` accepted a blob that had been tampered with.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Annotated
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec
from msgspec import Meta

from vigie.errors import DownloadError, DownloadRefusedError
from vigie.models.download import Conduct, ExpectedFile, download
from vigie.models.link import check_link, open_link

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE = "application/vnd.vigie.bundle.v1"
LAYER_TYPE = "application/vnd.vigie.file.v1"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
MANIFEST_BYTES_MAX = 1 << 20
TITLE = "org.opencontainers.image.title"
_TOKEN_BYTES_MAX = 64 << 10
_REFERENCE = re.compile(
    r"oci://(?P<host>[A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9A-Fa-f:]+\](?::\d{1,5})?)/"
    r"(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
)
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_CHALLENGE = re.compile(r'([a-z]+)="([^"]*)"')
_LOOPBACK = re.compile(r"(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])(?::\d+)?")

Digest = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]


class Descriptor(msgspec.Struct, frozen=True, rename={"media_type": "mediaType"}, omit_defaults=True):
    """One blob: ``size`` in bytes; ``annotations`` hold the file's name."""

    media_type: str
    digest: Digest
    size: Annotated[int, Meta(ge=0)]
    annotations: dict[str, str] = {}


class ImageManifest(
    msgspec.Struct,
    frozen=True,
    rename={"schema_version": "schemaVersion", "media_type": "mediaType", "artifact_type": "artifactType"},
):
    """What of an image manifest matters here."""

    schema_version: int
    media_type: str
    artifact_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class OciReference:
    """``oci://host/repository[:tag]``."""

    host: str
    repository: str
    tag: str

    @property
    def base(self) -> str:
        """Plain http for a registry on this machine only."""
        scheme = "http" if _LOOPBACK.fullmatch(self.host) else "https"
        return f"{scheme}://{self.host}/v2/{self.repository}"


def read_reference(text: str) -> OciReference:
    """Raises: DownloadRefusedError: not such an address."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise DownloadRefusedError(text[:200], "expected oci://host/repository or oci://host/repository:tag")
    return OciReference(match["host"], match["repository"], match["tag"] or "")


@dataclass(slots=True)
class Registry:
    """One repository. ``credentials``: ``user:password``, or empty; asked for a token where the registry wants one."""

    reference: OciReference
    credentials: str = field(default="", repr=False)
    _authorization: str = field(default="", repr=False)

    @property
    def authorization(self) -> str:
        """The header that was good for the last request."""
        return self._authorization

    def ask(
        self, url: str, headers: dict[str, str], *, method: str = "GET", body: bytes | None = None, push: bool = False
    ) -> HTTPResponse:
        """Raises: DownloadError: nobody answers just now. DownloadRefusedError: the answer is no."""
        for again in (False, True):
            try:
                return open_link(url, headers, authorization=self._authorization, method=method, body=body)
            except HTTPError as error:
                if error.code != 401 or again:
                    raise _answered(url, error) from error
                self._authorization = self._authorize(error.headers, push=push)
            except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
                raise DownloadError(url, f"no answer ({error or type(error).__name__})") from error
        raise AssertionError("unreachable")

    def _authorize(self, headers: Message, *, push: bool) -> str:
        challenge = headers.get("WWW-Authenticate", "")
        basic = "Basic " + base64.b64encode(self.credentials.encode()).decode() if self.credentials else ""
        told = dict(_CHALLENGE.findall(challenge))
        if not challenge.lower().startswith("bearer") or "realm" not in told:
            if not basic:
                raise DownloadRefusedError(
                    self.reference.base, "asks for a user and a password; name a secret that holds user:password"
                )
            return basic
        wanted = told.get("scope") or f"repository:{self.reference.repository}:{'pull,push' if push else 'pull'}"
        realm = told["realm"]
        check_link(realm)
        query = urlencode({"service": told.get("service", ""), "scope": wanted})
        try:
            with open_link(f"{realm}?{query}", {}, authorization=basic) as answer:
                token = json.loads(answer.read(_TOKEN_BYTES_MAX))
        except HTTPError as error:
            raise _answered(realm, error) from error
        except (URLError, HTTPException, TimeoutError, ConnectionError, ValueError) as error:
            raise DownloadError(realm, f"did not give a token ({error or type(error).__name__})") from error
        found = token.get("token") or token.get("access_token") if isinstance(token, dict) else None
        if not isinstance(found, str):
            raise DownloadRefusedError(realm, "did not give a token")
        return f"Bearer {found}"


def pull(
    registry: Registry,
    digest: str,
    *,
    limit_bytes: int,
    downloads: Path,
    target: Path,
    conduct: Conduct,
) -> None:
    """The files of the artifact whose manifest has sha256 ``digest`` into the empty folder ``target``.

    Args: limit_bytes: of all its files together. downloads: what an interrupted pull goes on from.
    Raises: DownloadError: interrupted; calling again goes on. DownloadRefusedError: not that artifact, or not a bundle.
    """
    base = registry.reference.base
    manifest = _manifest(registry, digest)
    total = sum(layer.size for layer in manifest.layers)
    if total > limit_bytes:
        raise DownloadRefusedError(base, f"the artifact has {total} bytes, {limit_bytes} were expected")
    names = [layer.annotations.get(TITLE, "") for layer in manifest.layers]
    for name in names:
        if _FILE_NAME.fullmatch(name) is None or names.count(name) > 1:
            raise DownloadRefusedError(base, f"the artifact names a file {name[:80]!r}; a bundle holds plain files")
    for layer, name in zip(manifest.layers, names, strict=True):
        if not layer.size:
            (target / name).write_bytes(b"")
            continue
        sha256 = layer.digest.removeprefix("sha256:")
        wanted = ExpectedFile(f"{base}/blobs/{layer.digest}", sha256, layer.size, authorization=registry.authorization)
        download(wanted, downloads, conduct).rename(target / name)


def push(registry: Registry, files: dict[str, bytes]) -> str:
    """Upload ``files`` by name and tag the artifact; the digest of its manifest, ``sha256:...``.

    Raises: DownloadError, DownloadRefusedError: the registry is away, or says no.
    """
    reference = registry.reference
    for name in files:
        if _FILE_NAME.fullmatch(name) is None:
            raise DownloadRefusedError(name[:80], "lies in a folder or has an odd name; only plain names are pushed")
    layers = [_upload(registry, content, LAYER_TYPE, {TITLE: name}) for name, content in files.items()]
    config = _upload(registry, EMPTY, EMPTY_TYPE, {})
    manifest = msgspec.json.encode(ImageManifest(2, MANIFEST_TYPE, ARTIFACT_TYPE, config, tuple(layers)))
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    url = f"{reference.base}/manifests/{reference.tag or digest}"
    with registry.ask(url, {"Content-Type": MANIFEST_TYPE}, method="PUT", body=manifest, push=True) as answer:
        answer.read()
    return digest


def _manifest(registry: Registry, digest: str) -> ImageManifest:
    url = f"{registry.reference.base}/manifests/sha256:{digest}"
    with registry.ask(url, {"Accept": MANIFEST_TYPE}) as answer:
        content = answer.read(MANIFEST_BYTES_MAX + 1)
    if hashlib.sha256(content).hexdigest() != digest:
        raise DownloadRefusedError(url, "the registry gives another manifest than was asked for")
    try:
        manifest = msgspec.json.decode(content, type=ImageManifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DownloadRefusedError(url, f"is not a bundle of Vigie ({error})") from error
    if manifest.artifact_type != ARTIFACT_TYPE or len(manifest.layers) > 256:
        raise DownloadRefusedError(url, f"is not a bundle of Vigie (artifact type {manifest.artifact_type[:80]!r})")
    return manifest


def _upload(registry: Registry, content: bytes, media_type: str, annotations: dict[str, str]) -> Descriptor:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    base = registry.reference.base
    made = Descriptor(media_type, digest, len(content), annotations)
    try:
        with registry.ask(f"{base}/blobs/{digest}", {}, method="HEAD", push=True) as known:
            if known.status == 200:
                return made
    except DownloadRefusedError:
        pass  # not there yet
    with registry.ask(f"{base}/blobs/uploads/", {"Content-Length": "0"}, method="POST", body=b"", push=True) as begun:
        place = urljoin(f"{base}/blobs/uploads/", begun.headers.get("Location", ""))
    if urlsplit(place).netloc != urlsplit(base).netloc:
        raise DownloadRefusedError(base, "sends the upload to another host")
    url = f"{place}{'&' if '?' in place else '?'}{urlencode({'digest': digest})}"
    headers = {"Content-Type": "application/octet-stream"}
    with registry.ask(url, headers, method="PUT", body=content, push=True) as done:
        done.read()
    return made


def _answered(url: str, error: HTTPError) -> DownloadError | DownloadRefusedError:
    if error.code in {408, 425, 429, 500, 502, 503, 504}:
        return DownloadError(url, f"the registry answers {error.code} just now")
    return DownloadRefusedError(url, f"the registry answers {error.code}")
