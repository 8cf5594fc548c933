"""Twin documents as values: merge a patch, find a patch, keep `$metadata` beside it."""

from __future__ import annotations

from vigie_edgehub.ports import Json, JsonObject


def merge(document: JsonObject, patch: JsonObject) -> JsonObject:
    """``document`` with ``patch`` in it: objects recurse, null removes, anything else replaces whole."""
    merged = dict(document)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            old = merged.get(key)
            merged[key] = merge(old if isinstance(old, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def difference(old: JsonObject, new: JsonObject) -> JsonObject:
    """The smallest patch for which ``merge(old, patch) == new``."""
    patch: JsonObject = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = difference(before, value)
            if inner:
                patch[key] = inner
        elif key not in old or not same(before, value):
            patch[key] = value
    return patch


def same(left: Json, right: Json) -> bool:
    """Equal as JSON: Python holds True and 1 and 1.0 for equal, JSON does not."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


def merge_metadata(metadata: JsonObject, patch: JsonObject, stamp: JsonObject) -> JsonObject:
    """`$metadata` after ``patch``: each touched node carries ``stamp``, removed ones vanish.

    Args: stamp: ``{"$lastUpdated": ..., "$lastUpdatedVersion": ...}``, the second for desired only.
    """
    merged = dict(metadata) | stamp
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge_metadata(merged.get(key) or {}, value, stamp)
        else:
            merged[key] = dict(stamp)
    return merged
