"""Recognition rules, one file per model family.

A file may define ``by_metadata``, ``by_names`` and ``by_shape``: ``(Signature) -> Iterator[Recognition |
Doubt]``. Each is a pure function of the model's outside: it yields nothing where it does not fit, and a ``Doubt`` that
says what to pass where it nearly does. Adding a family is adding the file (and a
decoder of its own in ``vigie.vision.decoders`` if no other reads it).
"""
