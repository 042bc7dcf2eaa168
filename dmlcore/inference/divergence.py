"""How far two laws are apart, on data."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.base.errors import SupportError
from dmlcore.core.distribution import Distribution
from dmlcore.core.scoring import log_densities
from dmlcore.data.encoded import encode
from dmlcore.data.values import listed


def empirical_kl_divergence(dist1: Distribution, dist2: Distribution, enc_data: Any) -> tuple[float, int, int]:
    """Estimate of the Kullback-Leibler divergence of `dist2` from `dist1`, and how many rows each of them rules out: `kl, bad1, bad2`.

    kl: the mean of `log dist1(x) - log dist2(x)` over the rows that both give a density; unbiased if the rows are draws from `dist1`.
    bad1, bad2: the rows without density under `dist1`, which are no draws of it, and under `dist2`: where there are any, the
    divergence is infinite, and kl is that of the rows left. Raises `SupportError` where no row is left.
    """
    data = listed(enc_data)
    one, two = (log_densities(law, encode(data, law.layout)) for law in (dist1, dist2))
    bad1, bad2 = ~np.isfinite(one), ~np.isfinite(two)
    left = ~(bad1 | bad2)
    if not left.any():
        raise SupportError(f"none of the {len(one)} rows has a density under both distributions, so there is nothing to compare them by")
    return float((one[left] - two[left]).mean()), int(bad1.sum()), int(bad2.sum())
