"""The thread engine. Blocks are fixed by the data and results are added in block order, so any number of threads gives the same bits."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

from dmlcore.base.errors import ParameterError


def thread_count(threads: int | None) -> int:
    """How many threads to use: `threads`, else the environment variable DMLCORE_NUM_THREADS, else 1."""
    given: Any = os.environ.get("DMLCORE_NUM_THREADS", "1") if threads is None else threads
    try:
        count = int(given)
    except (TypeError, ValueError):
        count = 0
    if count < 1:
        source = "the environment variable DMLCORE_NUM_THREADS" if threads is None else "threads"
        raise ParameterError(f"{source} must be a whole number >= 1, got {given!r}")
    return count


APART = 8 << 20  # bytes of encoded data from which fits side by side gain by threads; smaller ones wait for each other's interpreter lock
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_here = threading.local()


def _begin_worker() -> None:
    _here.is_worker = True


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="dmlcore", initializer=_begin_worker)


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class _Holders:
    """Who holds BLAS to one thread now, and what lets it go again."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.lock, self.count = threading.Lock(), 0
        self.limiter: Any = None


_holders = _Holders()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Holds BLAS to one thread; whoever leaves last lets it go. Its own threads gain little on blocks, and wait for each other while
    the machine is busy; sums have the same bits with one as in a worker."""
    with _holders.lock:
        _holders.count += 1
        if _holders.count == 1:
            _holders.limiter = _blas().limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _holders.lock:
            _holders.count -= 1
            if _holders.count == 0:
                _holders.limiter.restore_original_limits()


def map_in_order(work: Callable[[Any], Any], items: Sequence[Any], threads: int) -> Iterator[Any]:
    """Yields `work(item)` for each item, in order, with BLAS held to one thread. Work that maps itself does so on its own thread."""
    threads = 1 if getattr(_here, "is_worker", False) else threads
    if len(items) == 1 and threads == 1:
        yield work(items[0])
        return
    with one_blas_thread():
        if threads == 1 or len(items) == 1:
            yield from map(work, items)
        else:
            yield from results_in_order(_pool(threads), work, items, 4 * threads)


def results_in_order(pool: Executor, work: Callable[[Any], Any], items: Iterable[Any], ahead: int) -> Iterator[Any]:
    """Yields `work(item)` for each item, in order, from an executor that is given so many items ahead, and no more."""
    waiting = deque[Any]()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def map_stream(work: Callable[[Any], Any], items: Iterable[Any], threads: int) -> Iterator[Any]:
    """`map_in_order` of items that are made one after the other and take memory: few are there at once."""
    threads = 1 if getattr(_here, "is_worker", False) else threads
    with one_blas_thread():
        yield from map(work, items) if threads == 1 else results_in_order(_pool(threads), work, items, threads)


@cache
def keep_freed_memory() -> None:
    """Undoes, for this process, the settings by which workers of Dask give memory back at once (MALLOC_TRIM_THRESHOLD_): glibc then maps
    and unmaps every array of a block anew, and a step takes three times as long. Once a process; nothing where there is no such setting."""
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return  # another C library
    mallopt(TRIM_THRESHOLD, 1 << 28)
    mallopt(MMAP_THRESHOLD, 1 << 25)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
    os.register_at_fork(after_in_child=_holders.reset)
