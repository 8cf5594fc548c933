"""A version names one set of files: others under the same name and version are refused. Pure."""

from __future__ import annotations

from vigie.models import Bundle
from vigie_inference.update.record import Record, StoredBundle


def why_another(new: Bundle, held: StoredBundle, record: Record, serving: Bundle | None) -> str:
    """Why ``new`` must not serve under its version; empty: it may. The same files packed anew are no other version.

    Args: held: ``new`` in the store. serving: what serves in its place now, a release or not.
    """
    for one in (record.serving, record.former, *record.kept):
        if one is not None and (one.name, one.version) == (held.name, held.version) and one.digest != held.digest:
            return _refusal(held.name, held.version, "on this device already with other files", one.digest, held.digest)
    if serving is None or (serving.card.name, serving.card.version) != (new.card.name, new.card.version):
        return ""
    if serving.digest == new.digest:
        return ""
    return _refusal(new.card.name, new.card.version, "what serves now, with other files", serving.digest, new.digest)


def _refusal(name: str, version: str, what: str, there: str, comes: str) -> str:
    return (
        f"{name} {version} is {what} (its card is {there[:12]}, this one's {comes[:12]}); "
        "give the new one another version"
    )
