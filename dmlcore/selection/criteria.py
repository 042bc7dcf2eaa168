"""Information criteria; smaller is better. n is the sum of the row weights, p the number of free parameters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dmlcore.core.flat import n_parameters, parameter_nodes
from dmlcore.data.encoded import Encoded, encode, row_weights
from dmlcore.inference.parameters import first_places, fixed_fields
from dmlcore.selection.assignments import entropy, responsibilities


def free_parameters(model: Any, estimator: Any = None) -> int:
    """The number of free parameters: every number that stands in the model, less one for each set of probabilities that sum to one.

    It is that of the model's shape, the same wherever estimates came to lie: a probability that was estimated as zero counts. Tied numbers
    count once; chosen ones (`default_value`, `min_prob`), whole ones (a number of trials) and those held in regressions do not; nor, with
    `estimator`, do the weights it holds fixed.
    """
    if estimator is None:
        return n_parameters(model)
    fixed, places = fixed_fields(estimator, model), first_places(model)
    mine = ((places[id(node)], *own) for node in parameter_nodes(model) for own in node.parameters())
    return n_parameters(model) - sum(domain.free(value) for path, field, domain, value in mine if (path, field) in fixed)


def bic(log_likelihood: float, model: Any, rows: float, estimator: Any = None) -> float:
    """Bayesian information criterion, `-2 log L + p log n` (Schwarz 1978)."""
    return -2 * log_likelihood + free_parameters(model, estimator) * math.log(rows)


def aic(log_likelihood: float, model: Any, estimator: Any = None) -> float:
    """Akaike's information criterion, `-2 log L + 2 p` (Akaike 1974)."""
    return -2 * log_likelihood + 2 * free_parameters(model, estimator)


def icl(model: Any, data: Any, *, weights: Any = None, hard: bool = False, estimator: Any = None, threads: int | None = None) -> float:
    """Integrated completed likelihood: BIC and what the data leave open about which component each row is of.

    Entropy form (default): `BIC + 2 sum_i H_i`, with H the entropy of a row's posterior (Biernacki, Celeux and Govaert 2000; McLachlan
    and Peel 2000, section 6.10.3). hard: `BIC - 2 sum_i log max_k posterior_ik`, every row given to its most probable component;
    what flexmix and mclust report. A model without components has nothing open, and its ICL is its BIC.
    """
    encoded = encode(data, model.layout)
    w: Any = row_weights(weights, len(encoded))
    w = np.ones(len(encoded)) if w is None else w
    there = w > 0
    log_likelihood = float(w[there] @ model.seq_log_density(encoded, threads)[there])
    return bic(log_likelihood, model, float(w.sum()), estimator) + 2 * undecided(model, encoded, w, hard)


def undecided(model: Any, data: Any, weights: np.ndarray, hard: bool) -> float:
    """Weighted sum over rows of the entropy of the posterior, or (hard) of minus the log of its largest entry; 0 without components.

    Rows of weight zero say nothing, and need have no density.
    """
    if not hasattr(model, "seq_posterior"):
        return 0.0
    there = np.flatnonzero(weights)
    posterior = responsibilities(model, Encoded(data.column.take(there), data.layout))
    each = -np.log(posterior.reshape(len(posterior), -1).max(axis=1)) if hard else entropy(posterior)
    return float(weights[there] @ each)
