"""Pixels between processes: a ring in shared memory with cursors beside it, inline JPEG where no memory is shared.

Import from the files (``vigie.frames.writer``, ``.reader``, ``.cursor``, ...): the cursor must load without NumPy,
because sync uses it and has none; only ``inline`` loads OpenCV.
"""
