"""Part of a file as writable memory, without keeping the file open: Python's own mmap keeps a descriptor."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import Self

import numpy as np
from numpy.typing import NDArray

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_FAILED = ctypes.c_void_p(-1).value


class SharedBytes:
    """``array`` is valid until ``close``; whoever holds it longer dies of SIGSEGV, so only one place does."""

    def __init__(self, fd: int, offset: int, length: int) -> None:
        """Map ``length`` bytes from ``offset``, a whole number of pages. ``fd`` may be closed afterwards.

        Raises: OSError.
        """
        self.array: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._address: int | None = None
        self._length = length
        if fd >= 0:
            found = _libc.mmap(None, length, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, offset)
            if found == _FAILED:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            self._address = found
            self.array = np.ctypeslib.as_array((ctypes.c_ubyte * length).from_address(found))

    @classmethod
    def none(cls) -> Self:
        """No memory."""
        return cls(-1, 0, 0)

    def close(self) -> None:
        self.array = np.empty(0, np.uint8)
        if self._address is not None:
            _libc.munmap(self._address, self._length)
            self._address = None
