"""What the environment says of the page: where it is served, over TLS or not, who may see it."""

from __future__ import annotations

import ipaddress
import os
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vigie.config.environment import ModuleEnvironment, address_of
from vigie.errors import ConfigRefusedError
from vigie.private_files import file_mode

TOKEN_SECRET = "viewer_token"  # noqa: S105 - the name of a file
TOKEN_FILE = "page-token"  # noqa: S105 - the name of a file
_TOKEN_LEAST = 12


@dataclass(frozen=True, slots=True)
class PageSettings:
    """``token`` None: only connections of this process's own user are served, which needs a loopback address.

    ``hub_service``: description of a local hub whose twins this page may change; None on a device. ``model_desk``:
    folder of whoever imports model files that are dropped on the page; None on a device.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    token: str | None
    token_file: Path | None
    hub_service: Path | None
    model_desk: Path | None = None

    @classmethod
    def from_environ(cls, env: ModuleEnvironment, environ: Mapping[str, str]) -> Self:
        """Read ``VIGIE_PAGE``, ``VIGIE_PAGE_TLS`` and the token; a page that others can reach gets one made.

        Raises: ConfigRefusedError: a variable, certificate or token that cannot be used.
        """
        host, port = address_of("VIGIE_PAGE", environ.get("VIGIE_PAGE", "127.0.0.1:8710"))
        token, token_file = _token(env, local=is_loopback(host))
        service, desk = (environ.get(name) for name in ("VIGIE_HUB_SERVICE", "VIGIE_MODEL_DESK"))
        return cls(
            host, port, _tls(environ), token, token_file,
            Path(service) if service else None, Path(desk) if desk else None,
        )  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(environ: Mapping[str, str]) -> ssl.SSLContext | None:
    text = environ.get("VIGIE_PAGE_TLS", "")
    if not text:
        return None
    certificate, separator, key = text.partition(",")
    if not separator:
        raise ConfigRefusedError("VIGIE_PAGE_TLS", "expected certificate.pem,key.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate.strip(), key.strip())
    except (OSError, ssl.SSLError) as error:
        raise ConfigRefusedError("VIGIE_PAGE_TLS", f"the certificate or its key cannot be used: {error}") from error
    return context


def _token(env: ModuleEnvironment, *, local: bool) -> tuple[str | None, Path | None]:
    secret = env.secrets / TOKEN_SECRET
    try:
        token = secret.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return (None, None) if local else _made_token(env.state / TOKEN_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigRefusedError(TOKEN_SECRET, f"{secret} cannot be read: {error}") from error
    if len(token) < _TOKEN_LEAST:
        raise ConfigRefusedError(TOKEN_SECRET, f"{secret}: expected at least {_TOKEN_LEAST} characters")
    return token, secret


def _made_token(path: Path) -> tuple[str, Path]:
    """The token of a former start, else a new one that only this module's user can read."""
    try:
        path.touch(mode=file_mode(), exist_ok=True)
        if path.stat().st_uid == os.geteuid():  # else it is of the user that ran this module before
            path.chmod(file_mode())
        token = path.read_text(encoding="ascii").strip()
        if len(token) < _TOKEN_LEAST:
            token = secrets.token_urlsafe(18)
            path.write_text(token + "\n", encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigRefusedError("VIGIE_STATE", f"the page's token cannot be kept in {path}: {error}") from error
    return token, path
