"""Secrets in a source: ``${NAME}`` becomes its value at the moment of opening, and only towards its own camera."""

from __future__ import annotations

from urllib.parse import quote

from vigie.errors import SecretMissingError, SecretRefusedError
from vigie.log import SecretUrl
from vigie.secrets import SecretStore
from vigie.source_url import SECRET, NetworkSource


def reveal(source: NetworkSource, store: SecretStore, *, host: str | None = None) -> SecretUrl:
    """The URL to open, secrets percent-encoded; shown as its template. ``host``: connect to this address.

    Raises: SecretMissingError, SecretRefusedError.
    """
    template = source.address(host or source.host)
    url = SECRET.sub(lambda match: quote(store.find(match[1], source.host).reveal(), safe=""), template)
    return SecretUrl(url, source.template)


def refused_by(store: SecretStore, source: NetworkSource) -> str | None:
    """Why ``source`` may not have the secrets that it names; one that is missing may still come."""
    for name in source.secrets:
        try:
            store.find(name, source.host)
        except SecretRefusedError as error:
            return str(error)
        except SecretMissingError:
            continue
    return None
