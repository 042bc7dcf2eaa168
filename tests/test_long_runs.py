"""A process may fit all day, in many threads, beside others. All of it: `python -m tests.long_runs`."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

from tests.long_runs import MOST_OBJECTS, NAMES, at_once, fitted, held

KINDS = len(NAMES)
SETS = 3 * KINDS + NAMES.index("mixture of sets")  # of labels, which hash differently in every process


def test_fits_leave_nothing_behind() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:  # no other test's gaps in its heap
        grown, objects = pool.submit(held, 2 * KINDS, KINDS).result()
    assert not grown > 8.0
    assert objects < MOST_OBJECTS


def test_fits_in_sixteen_threads_and_two_processes_at_once_have_the_bits_of_those_alone() -> None:
    some = range(0, KINDS, 2)
    alone = [fitted(i) for i in some]
    with ThreadPoolExecutor(16) as pool:
        assert at_once(pool, [*some, *some], threads=4) == alone * 2
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert at_once(pool, [SETS, 0]) == [fitted(SETS), alone[0]]
