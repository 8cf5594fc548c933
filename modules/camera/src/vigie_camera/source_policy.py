"""Which cameras this device lets a twin name: schemes and networks, decided on the device and not by the twin."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from vigie.addresses import PRIVATE_NETWORKS, Network, NetworkPolicy, networks_and_names
from vigie.errors import ConfigRefusedError

SCHEMES_VARIABLE: Final = "VIGIE_CAMERA_SCHEMES"
NETWORKS_VARIABLE: Final = "VIGIE_CAMERA_NETWORKS"
SCHEMES: Final = ("file", "http", "https", "rtsp", "rtsps", "synthetic", "v4l2")


@dataclass(frozen=True, slots=True)
class SourcePolicy(NetworkPolicy):
    """What may be opened: ``schemes`` beside the networks and names."""

    networks: tuple[Network, ...] = tuple(map(ipaddress.ip_network, PRIVATE_NETWORKS))
    names: frozenset[str] = frozenset()
    variable: str = NETWORKS_VARIABLE
    schemes: frozenset[str] = frozenset(SCHEMES)

    never: ClassVar[str] = "a camera"
    allowed: ClassVar[str] = "in this device's camera networks"

    def refuses_scheme(self, scheme: str) -> str | None:
        """Why a source of this scheme is not opened; None: it may be."""
        if scheme in self.schemes:
            return None
        return f"this device opens no '{scheme}' sources, only {', '.join(sorted(self.schemes))} ({SCHEMES_VARIABLE})"


def read_policy(environ: Mapping[str, str]) -> SourcePolicy:
    """The device's policy: `VIGIE_CAMERA_SCHEMES` and `VIGIE_CAMERA_NETWORKS`, words separated by blanks or commas.

    A network is `10.1.0.0/16`, one address, or a host name; the word `default` stands for the private ranges.
    Raises: ConfigRefusedError: a word that is none of these.
    """
    schemes = frozenset(_words(environ.get(SCHEMES_VARIABLE, " ".join(SCHEMES))))
    if unknown := sorted(schemes - set(SCHEMES)):
        raise ConfigRefusedError(SCHEMES_VARIABLE, f"expected some of {', '.join(SCHEMES)}, got {unknown[0][:40]!r}")
    return policy_of(_words(environ.get(NETWORKS_VARIABLE, "default")), schemes)


def policy_of(words: Iterable[str], schemes: frozenset[str] = frozenset(SCHEMES)) -> SourcePolicy:
    """From words of `VIGIE_CAMERA_NETWORKS`. Raises: ConfigRefusedError: a word that is not a network or a name."""
    networks, names = networks_and_names(words, NETWORKS_VARIABLE)
    return SourcePolicy(networks, names, schemes=schemes)


def _words(text: str) -> Iterable[str]:
    return text.replace(",", " ").split()
