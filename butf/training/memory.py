"""The memory of a training process: what a step frees is kept for the next one, in large pages.

A step's maps are some tens of megabytes each. glibc gives such memory back to the system when it is freed, and has it
back, page by page of 4 KB and filled with zeros, a layer later: of a training on two cores that was a tenth of the
processor's time, and more in misses of its page tables.
"""

import ctypes
import mmap
import os
import sys

# malloc.h
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = -1
MADV_HUGEPAGE = 14
LARGE = 4 << 30
"""Bytes of the heap that are asked for in large pages, but no more than half the memory; unused they take none."""


def keep_freed() -> bool:
    """Have this process keep the memory that it frees, and take it in large pages; whether its C library can do so."""
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    try:
        kept = library.mallopt(M_MMAP_MAX, 0) and library.mallopt(M_TRIM_THRESHOLD, NEVER)
    except AttributeError:  # musl, say, has another allocator
        return False
    _enlarge_pages(library, min(LARGE, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2))
    return bool(kept)


def _enlarge_pages(library: ctypes.CDLL, size: int) -> None:
    """Mark the heap to come: `size` bytes are allotted, marked and freed, and none of them is touched."""
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    start = library.malloc(size)
    if start is None:  # the process may have no more: the pages stay small
        return
    first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
    library.madvise(first, start + size - first, MADV_HUGEPAGE)
    library.free(start)
