"""Rows of a mixture of three components with six mixed columns, and the estimator of its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    GammaEstimator,
    GaussianEstimator,
    MixtureEstimator,
    OptionalEstimator,
    PoissonEstimator,
)

FILE_ROWS = 100_000
WEIGHTS = (0.5, 0.3, 0.2)


def table(rows: int, seed: int) -> Any:
    """Two reals, one of them with gaps, a positive number, a count, a label of ten and a truth value, as a table of pyarrow."""
    import pyarrow

    rng = np.random.default_rng(seed)
    z = rng.choice(3, size=rows, p=WEIGHTS)
    return pyarrow.table(
        {
            "height": np.array([0.0, 3.0, 6.0])[z] + rng.standard_normal(rows),
            "wait": rng.gamma(np.array([2.0, 4.0, 8.0])[z]),
            "visits": rng.poisson(np.array([1.0, 5.0, 12.0])[z]),
            "place": np.array(list("abcdefghij"))[rng.integers(0, 4, rows) + 3 * z],
            "score": pyarrow.array(z + rng.standard_normal(rows), mask=rng.random(rows) < 0.2),
            "agrees": rng.random(rows) < np.array([0.2, 0.5, 0.9])[z],
        }
    )


def estimator(components: int = 3) -> Any:
    """A mixture of records for these columns."""
    return MixtureEstimator(
        [
            CompositeEstimator(
                {
                    "height": GaussianEstimator(),
                    "wait": GammaEstimator(),
                    "visits": PoissonEstimator(),
                    "place": CategoricalEstimator(),
                    "score": OptionalEstimator(GaussianEstimator(), est_prob=True),
                    "agrees": CategoricalEstimator(),
                }
            )
            for _ in range(components)
        ]
    )


def files(folder: Path, rows: int) -> list[str]:
    """So many rows as Parquet files of 100,000 each, written where they are not there yet."""
    import pyarrow.parquet

    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for number in range(-(-rows // FILE_ROWS)):
        path = folder / f"part-{number:04d}.parquet"
        if not path.exists():
            pyarrow.parquet.write_table(table(FILE_ROWS, number), path)
        out.append(str(path))
    return out
