"""How kernels are compiled: the GIL released, cached on disk.

`reassoc` lets sums be vectorised (their order is fixed by the compiled code, so results do not vary); nothing here assumes that
NaN and infinity do not occur. `exact_kernel` keeps the order of additions as written. No kernel calls one whose sums may be reordered: a
process runs whichever of the compiled versions of such a callee it happened to load first, and their orders differ.
"""

from __future__ import annotations

import warnings

import numba
import numpy as np

from dmlcore.base.errors import SlowWarning

kernel = numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
exact_kernel = numba.njit(nogil=True, cache=True, fastmath={"contract", "nsz"}, error_model="numpy")

if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # told once, as this is imported when the first kernel is needed
    warnings.warn(
        "NUMBA_DISABLE_JIT is set, so kernels run as plain Python and fits take ten to a hundred times longer; unset it before numba is "
        "imported (kernels are compiled once and kept on disk, so there is little to wait for)",
        SlowWarning,
        stacklevel=2,
    )

TILE = 512  # numbers worked on at a time, so that several rows of them stay in the fastest cache

# Kernels return fresh arrays of a block's size. glibc maps and unmaps arrays above a threshold one by one, and each then costs a page
# fault per 4 KiB, in which threads wait for each other; the threshold rises to the size of the largest array freed so far, at most 32 MiB.
np.empty(31 << 17)
