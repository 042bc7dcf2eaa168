"""Information criteria; smaller is better."""

from __future__ import annotations

import math
from typing import Any

from dmlcore.core.flat import n_parameters


def bic(log_likelihood: float, model: Any, rows: float) -> float:
    """Bayesian information criterion, `-2 log L + p log n` (Schwarz 1978)."""
    return -2 * log_likelihood + n_parameters(model) * math.log(rows)


def aic(log_likelihood: float, model: Any) -> float:
    """Akaike's information criterion, `-2 log L + 2 p` (Akaike 1974)."""
    return -2 * log_likelihood + 2 * n_parameters(model)
