"""What makes measurements worthless when it changes: model, packages, drivers, CPU, quota, power mode, our rules."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

import msgspec

from vigie.models.bundle import Bundle
from vigie.runtimes.engines.plugged_in import plugged_in

# Raised when measuring, judging or the meaning of an option changes.
RULES_VERSION = "2"


def fingerprint(bundle: Bundle, facts: Mapping[str, str], environ: Mapping[str, str] | None = None) -> str:
    """64 hex digits. The objective is no part of it: measurements outlive it.

    Args: facts: of the hardware, drivers and packages, as the probe tells them.
    """
    tree = {
        "rules": RULES_VERSION,
        "bundle": bundle.digest,
        "engines": plugged_in(os.environ if environ is None else environ),
        "facts": dict(facts),
    }
    return hashlib.sha256(msgspec.json.encode(tree, order="deterministic")).hexdigest()
