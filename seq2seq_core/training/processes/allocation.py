"""Nothing in; a process whose memory, once it was taken from the system, is used again instead of given back, out.

A step of training takes and frees the same tensors as the one before. By default glibc gives large ones back to the
system each time, and gets them anew as pages of zeros: tens of thousands of page faults a second, a sixth of the time.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Names of the settings in malloc.h."""

SETTINGS = {_TRIM_THRESHOLD: (1 << 31) - 1, _TOP_PAD: 64 << 20, _MMAP_THRESHOLD: 1 << 30}
"""Free memory at the end of the heap that is kept, what the heap grows by, and what is too large for it, in bytes."""


def keep_freed_memory() -> bool:
    """Let this process keep what it frees; whether the C library has such settings."""
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(set_option(name, value) == 1 for name, value in SETTINGS.items())
