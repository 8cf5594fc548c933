"""Recognition rules, one file per model family.

A file may define ``by_metadata``, ``by_names`` and ``by_shape``: ``(Signature) -> Iterable[Recognition]``. Each is a
pure function of the model's outside and yields nothing when in doubt. Adding a family is adding the file (and a
decoder of its own in ``vigie.vision.decoders`` if no other reads it).
"""
