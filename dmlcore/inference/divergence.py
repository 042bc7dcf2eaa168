"""How far two laws are apart, on data."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.core.distribution import Distribution
from dmlcore.core.errors import SupportError
from dmlcore.core.walk import log_densities
from dmlcore.data.encoded import encode


def empirical_kl_divergence(dist1: Distribution, dist2: Distribution, enc_data: Any) -> tuple[float, float]:
    """Estimate of the Kullback-Leibler divergence of `dist2` from `dist1`, from draws of `dist1`, with its standard error.

    `mean(log dist1(x) - log dist2(x))` over the rows: unbiased if they are draws from `dist1`. inf where dist2 rules out a row.
    Raises `SupportError` for a row that `dist1` rules out, as it cannot be a draw of it.
    """
    one = log_densities(dist1, encode(enc_data, dist1.layout))
    two = log_densities(dist2, encode(enc_data, dist2.layout))
    if len(one) == 0 or one.min() == -np.inf:
        row = int(np.argmin(one)) if len(one) else 0
        raise SupportError(f"row {row} has density zero under the first distribution; the rows must be draws from it")
    difference = one - two
    error = float(difference.std(ddof=1) / np.sqrt(len(one))) if len(one) > 1 and two.min() > -np.inf else np.inf
    return float(difference.mean()), error
