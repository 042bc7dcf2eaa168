"""Laws made of others: of unknowns, row by row, as distributions; of models, on average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.core.distribution import Distribution
from dmlcore.core.rowlaws import Mixed, RowLaw
from dmlcore.stats.combinators.composite import CompositeDistribution
from dmlcore.stats.latent.mixture import MixtureDistribution


def distribution_of(law: RowLaw, row: int = 0) -> Distribution:
    """The law of one row's unknowns as a distribution: a product where they are independent, a mixture of products otherwise."""
    w, each = zip(*law.cases(row), strict=True)
    laws = [laws[0] if len(laws) == 1 else CompositeDistribution(laws) for laws in each]
    return laws[0] if len(laws) == 1 else mixture_of(laws, w)


def mixture_of(laws: Sequence[Distribution], w: Any) -> MixtureDistribution:
    """The mixture of laws with weights."""
    return MixtureDistribution(laws, w)


def averaged_laws(laws: Sequence[RowLaw], n: int) -> RowLaw:
    """One of several laws of n rows, each as probable."""
    return laws[0] if len(laws) == 1 else Mixed(np.full((len(laws), n), 1 / len(laws)), laws, MixtureDistribution)


def in_a_tuple(law: Any) -> Distribution:
    """The law of tuples of one entry."""
    return CompositeDistribution((law,))
