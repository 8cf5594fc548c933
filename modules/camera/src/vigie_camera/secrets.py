"""Secrets in a source: ``${NAME}`` becomes its value here, at the moment of opening, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from vigie.errors import SecretMissingError
from vigie.log import SecretUrl

_SECRET = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# A password as plain text: before the host, or under one of the names that cameras use in queries and paths.
_PLAIN_USER = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#:@]*:(?P<password>[^/?#]*)@", re.IGNORECASE)
_PLAIN_QUERY = re.compile(r"[?&/;](?:password|passwd|pwd|pass|token)=(?P<password>[^&#/;]+)", re.IGNORECASE)
_FILE_LIMIT_BYTES = 4096


def holds_plain_password(source: str) -> bool:
    """Whether a password stands in ``source`` as itself; a twin is no place for one."""
    found = [match["password"] for match in _PLAIN_USER.finditer(source)]
    found += [match["password"] for match in _PLAIN_QUERY.finditer(source)]
    return any(password and _SECRET.fullmatch(password) is None for password in found)


def names_secret(source: str) -> bool:
    """Whether ``source`` has a ``${NAME}``."""
    return _SECRET.search(source) is not None


def reveal(template: str, folder: Path, environ: Mapping[str, str]) -> SecretUrl:
    """The URL to open; each value percent-encoded. Its repr and str are the template.

    A secret is the file ``folder/NAME`` (one newline at its end is not part of it), else the variable ``NAME``.

    Raises: SecretMissingError: neither has it.
    """
    return SecretUrl(_SECRET.sub(lambda match: quote(_value(match[1], folder, environ), safe=""), template), template)


def _value(name: str, folder: Path, environ: Mapping[str, str]) -> str:
    try:
        with (folder / name).open("r", encoding="utf-8") as file:
            return file.read(_FILE_LIMIT_BYTES).removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError):
        if name in environ:
            return environ[name]
        raise SecretMissingError(name, str(folder)) from None
