"""Hurdles: whether a number is zero is one matter, and how large it is otherwise another."""

from __future__ import annotations

from typing import Any

from dmlcore.data.layouts import Count
from dmlcore.stats.latent.truncated import TruncatedDistribution, TruncatedEstimator
from dmlcore.stats.latent.zero_inflated import ZeroInflatedDistribution, ZeroInflatedEstimator, may_be_zero, reads_numbers


class HurdleDistribution(ZeroInflatedDistribution):
    """A number that is zero with probability p, and else a draw of `dist`, which is never zero (Mullahy 1986).

    dist: a law, or a regression, of counts; one that can be zero is taken truncated to counts from 1, `TruncatedDistribution(dist, 1)`.
    Or of numbers > 0. p: the probability of zero, in [0, 1]. gate: in place of p, a `LogisticRegressionDistribution` of zero given
    covariates z of its own; one observation is then `(z, ..)`. Raises `ParameterError` without p and gate, or with both.
    """

    def validate(self) -> None:
        if _needs_truncation(self.dist):
            self.derive(dist=TruncatedDistribution(self.dist, 1))
        super().validate()


class HurdleEstimator(ZeroInflatedEstimator):
    """Maximum likelihood for a hurdle law: of the zeros and of the other numbers apart; arguments as for `ZeroInflatedEstimator`.

    An estimator of a law that can be zero is taken as `TruncatedEstimator(estimator, 1)`.
    """

    family = HurdleDistribution
    stacks = True

    def validate(self) -> None:
        if _needs_truncation(self.estimator):
            self.derive(estimator=TruncatedEstimator(self.estimator, 1))
        super().validate()


def _needs_truncation(node: Any) -> bool:
    """Whether a law of whole numbers, or an estimator of one, says something of zero."""
    return reads_numbers(node.layout, Count) and may_be_zero(node)
