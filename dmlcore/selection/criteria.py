"""Criteria by which models are chosen: one table, which sweeps and their tables go through. n is the weight of all rows, p the number of
free parameters. A new criterion is one more entry of `CRITERIA`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.base.records import dataclass
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.flat import n_parameters, parameters_once
from dmlcore.core.powers import HasClasses, has
from dmlcore.data.encoded import Encoded, encode, row_weights
from dmlcore.fitting.problem import paired
from dmlcore.fitting.record import Fit
from dmlcore.inference.parameters import numbers_of
from dmlcore.selection.assignments import entropy, responsibilities
from dmlcore.selection.cross_validation import held_out

CriterionValue = float | tuple[float, float]


@dataclass(frozen=True)
class Candidate:
    """A fitted model as criteria look at it. data, and weights `(n,)` (None: all one), are needed by those that look at rows; options, of
    `held_out`, by those that fit again."""

    log_likelihood: float
    model: Any
    n: float
    estimator: Any = None
    data: Encoded | None = None
    weights: np.ndarray | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def p(self) -> int:
        """The number of free parameters."""
        return free_parameters(self.model, self.estimator)

    def undecided(self, hard: bool) -> float:
        """Weighted sum over rows of the entropy of the posterior, or (hard) of minus the log of its largest entry; 0 without components.

        Rows of weight zero say nothing, and need have no density.
        """
        if not has(self.model, HasClasses) or self.data is None:
            return 0.0
        weights = np.ones(len(self.data)) if self.weights is None else self.weights
        there = np.flatnonzero(weights)
        posterior = responsibilities(self.model, Encoded(self.data.column.take(there), self.data.layout))
        each = -np.log(posterior.reshape(len(posterior), -1).max(axis=1)) if hard else entropy(posterior)
        return float(weights[there] @ each)

    def held_out(self) -> tuple[float, float]:
        """The mean log density of a row that a fit did not see, and its standard error."""
        return held_out(self.data, self.estimator, weights=self.weights, **self.options)


@dataclass(frozen=True)
class Criterion:
    """A criterion: a name, and a function of a candidate; or two numbers, the second the standard error of the first.

    larger_is_better: otherwise smaller. refits: whether it fits again, so that it is asked for only where it chooses.
    """

    name: str
    of: Callable[[Candidate], CriterionValue]
    larger_is_better: bool = False
    refits: bool = False

    def value(self, candidate: Candidate) -> float:
        """The number by which it chooses."""
        value = self.of(candidate)
        return value[0] if isinstance(value, tuple) else value

    def row(self, candidate: Candidate) -> dict[str, float]:
        """Its entries in the row of a table."""
        value = self.of(candidate)
        return dict(zip((self.name, f"{self.name}_error"), value if isinstance(value, tuple) else (value,), strict=False))


def _bic(c: Candidate) -> float:
    return -2 * c.log_likelihood + c.p * math.log(c.n)


CRITERIA: dict[str, Criterion] = {
    criterion.name: criterion
    for criterion in (
        Criterion("bic", _bic),
        Criterion("aic", lambda c: -2 * c.log_likelihood + 2 * c.p),
        Criterion("icl", lambda c: _bic(c) + 2 * c.undecided(hard=False)),
        Criterion("icl_hard", lambda c: _bic(c) + 2 * c.undecided(hard=True)),
        Criterion("held_out", Candidate.held_out, larger_is_better=True, refits=True),
    )
}


@takes()
def bic(log_likelihood: float | Fit, model: Any = None, rows: float | None = None, estimator: Estimator | None = None) -> float:
    """Bayesian information criterion, `-2 log L + p log n` (Schwarz 1978): `bic(fit)`, or `bic(log_likelihood, model, n)`."""
    return CRITERIA["bic"].value(_candidate(log_likelihood, model, rows, estimator))


@takes()
def aic(log_likelihood: float | Fit, model: Any = None, estimator: Estimator | None = None) -> float:
    """Akaike's information criterion, `-2 log L + 2 p` (Akaike 1974): `aic(fit)`, or `aic(log_likelihood, model)`."""
    return CRITERIA["aic"].value(_candidate(log_likelihood, model, math.nan, estimator))


@takes(law="model")
def icl(
    model: Distribution | Fit,
    data: Any,
    *,
    weights: Any = None,
    hard: bool = False,
    estimator: Estimator | None = None,
    threads: int | None = None,
) -> float:
    """Integrated completed likelihood: BIC and what the data leave open about which component each row is of.

    model: a model, or a fit. Entropy form (default): `BIC + 2 sum_i H_i`, with H the entropy of a row's posterior (Biernacki, Celeux and
    Govaert 2000; McLachlan and Peel 2000, section 6.10.3). hard: `BIC - 2 sum_i log max_k posterior_ik`, every row given to its most
    probable component; what flexmix and mclust report. A model without components has nothing open, and its ICL is its BIC.
    """
    return criterion_of("icl_hard" if hard else "icl", model, data, weights, estimator, threads)


def criterion_of(name: str, model: Any, data: Any, weights: Any = None, estimator: Any = None, threads: int | None = None) -> float:
    """A criterion by its name in `CRITERIA`, of a model or a fit, and the rows it is judged by."""
    if isinstance(model, Fit):
        model, estimator = model.model, model.estimator if estimator is None else estimator
    encoded = encode(data, model.layout)
    w: Any = row_weights(weights, len(encoded))
    w = np.ones(len(encoded)) if w is None else w
    there = w > 0
    log_likelihood = float(w[there] @ model.seq_log_density(encoded, threads)[there])
    return CRITERIA[name].value(Candidate(log_likelihood, model, float(w.sum()), estimator, encoded, w))


def _candidate(given: Any, model: Any, n: float | None, estimator: Any) -> Candidate:
    """A fit, or a log likelihood with its model, as a candidate."""
    if n is not None and n <= 0:
        raise ParameterError(f"rows must be a number above 0, got {n!r}")
    if isinstance(given, Fit):
        fitted_by = given.estimator if estimator is None else estimator
        return Candidate(given.log_likelihood, given.model, given.rows if n is None else n, fitted_by)
    if isinstance(given, Distribution):
        raise ParameterError("it is bic(fit), or bic(log_likelihood, model, rows): the log likelihood comes first")
    if model is None or n is None:
        raise ParameterError("give a fit, or a log likelihood with its model (bic: and the number of rows)")
    return Candidate(given, model, n, estimator)


def free_parameters(model: Any, estimator: Any = None) -> int:
    """The number of free parameters: every number that stands in the model, less one for each set of probabilities that sum to one.

    It is that of the model's shape, the same wherever estimates came to lie: a probability that was estimated as zero counts. Tied numbers
    count once; chosen ones (`default_value`, `min_prob`), whole ones (a number of trials) and those held in regressions do not; nor, with
    `estimator`, do the weights it holds fixed, and the coefficients that its penalty set to zero.
    """
    if estimator is None:
        return n_parameters(model)
    made_by = {id(law): e for _, e, law in reversed(list(paired(estimator, model)))}  # of one that stands in several places the first
    return sum(_free(made_by[id(node)], node, own) for node, own in parameters_once(model))


def _free(estimator: Any, law: Any, own: list[tuple[str, Any, Any]]) -> int:
    left_out = estimator.left_out(law)
    mine = ((domain, value, left_out.get(field)) for field, domain, value in own if field not in estimator.fixed_fields)
    return sum(domain.free(value) - (0 if out is None else int(numbers_of(domain, out).sum())) for domain, value, out in mine)
