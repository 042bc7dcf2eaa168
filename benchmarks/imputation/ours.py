"""Imputation by this library: one call."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import dmlcore
from benchmarks.imputation.scores import COPIES, Answer
from benchmarks.imputation.tables import Table


def imputed(table: Table, rows: dict[str, np.ndarray], seed: int) -> tuple[dict[str, Any], float]:
    """`dmlcore.impute(table)`: what its laws expect, and copies."""
    start = time.process_time()
    found = dmlcore.impute(table.rows(), draws=COPIES, rng=seed, ordered=table.ordered)
    seconds = time.process_time() - start
    out = {}
    for name, where in rows.items():
        cells = found.cells[name]
        own = np.searchsorted(cells.rows, where).tolist()
        expected, each = [cells.expected[i] for i in own], [[copy[i] for i in own] for copy in cells.each]
        out[name] = Answer(expected, None if name in table.labels else np.array(each, dtype=np.float64))
    return out, seconds
