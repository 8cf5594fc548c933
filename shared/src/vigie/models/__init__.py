"""Model bundles: the card, the verified folder, the reference frames, the store.

Public: ``load_bundle``, ``Bundle``, ``Variant``, ``Card``.
"""

from __future__ import annotations

from vigie.models.bundle import Bundle, ModelContent, Variant, load_bundle
from vigie.models.card import Card

__all__ = ["Bundle", "Card", "ModelContent", "Variant", "load_bundle"]
