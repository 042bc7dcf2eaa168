"""The penguins, and a model of them that takes no search to fit."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd

from dmlcore import fit
from dmlcore.datasets import load_penguins
from dmlcore.stats import CategoricalEstimator, CompositeEstimator, GaussianEstimator, MixtureEstimator, OptionalEstimator

SPECIES = ["Adelie", "Chinstrap", "Gentoo"]


@cache
def penguins() -> tuple[pd.DataFrame, Any]:
    """Four measurements and sex, and six components that begin at species and sex."""
    table = load_penguins()
    frame = pd.DataFrame([row[2:7] for row in table.rows], columns=table.columns[2:7])
    kinds = [OptionalEstimator(GaussianEstimator()) for _ in range(4)] + [OptionalEstimator(CategoricalEstimator())]
    start = [2 * SPECIES.index(row[0]) + (row[6] == "male") for row in table.rows]
    return frame, fit([row[2:7] for row in table.rows], MixtureEstimator([CompositeEstimator(kinds)] * 6), start=start).model
