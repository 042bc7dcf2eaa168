"""Counts with zeros beyond those of their law; and hurdles, where zeros are a matter of their own."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.random import Random, generator
from dmlcore.core.declared import child, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, Sampler, as_values
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.partial import UNKNOWN, Outcomes, Parts, given
from dmlcore.core.powers import Redraws
from dmlcore.core.prior import PseudoCounts
from dmlcore.core.redraw import redrawn
from dmlcore.core.statistics import Node
from dmlcore.core.weights import share
from dmlcore.data.columns import Distinct, Record, Values
from dmlcore.data.layouts import Count, Layout, Real
from dmlcore.data.record_layouts import Explained, Fields
from dmlcore.stats.combinators.optional import MaybeProbability
from dmlcore.stats.combinators.powers_of_law import PowersOfLaw
from dmlcore.stats.latent.mixture import Posteriors, given_components
from dmlcore.stats.latent.numbers_read import numbers_in
from dmlcore.stats.regression.glm.regression_distribution import known_values
from dmlcore.stats.regression.logistic_regression import LogisticRegressionDistribution, LogisticRegressionEstimator
from dmlcore.stats.univariate.poisson import PoissonDistribution

ZEROS = PoissonDistribution(0.0)


class ZeroTape:
    """What the way back needs: posteriors `(.., 2, n)` of an extra zero and of a draw of the law, the tape of the law, and those of the
    gate for rows with an extra zero and without (None without a gate)."""

    __slots__ = ("gates", "inner", "shares")

    def __init__(self, shares: np.ndarray, inner: Any, gates: Any):
        self.shares, self.inner, self.gates = shares, inner, gates

    def posterior(self) -> np.ndarray:
        """Posterior probabilities `(.., 2, n)`."""
        return self.shares


class _Gated:
    """What the law and its estimator have in common: what they read, and whether there is a gate."""

    gate: Any
    label: str

    @property
    def inner(self) -> Any:
        """The law, or estimator, of what is no extra zero."""
        raise NotImplementedError

    @cached_property
    def layout(self) -> Layout:
        """That of the law; with a gate, pairs of its covariates and that."""
        inner: Layout = self.inner.layout
        return inner if self.gate is None else Fields(self.label, (self.gate.layout.values[0], inner))

    def check_law_and_gate(self, gate_family: Any) -> None:
        """Raises where the law is of other values than counts and positive numbers, or the gate is none."""
        who = type(self).__name__
        if not reads_numbers(self.inner.layout, Count) and (not reads_numbers(self.inner.layout, Real) or may_be_zero(self.inner)):
            raise StructureError(
                f"{who}: a {self.inner.label} is no law of counts, nor of numbers without zero; beside other laws of reals, "
                "a PointMass in a Mixture gives a number a probability"
            )
        if self.gate is not None and (not isinstance(self.gate, gate_family) or self.gate.trials or self.gate.offset):
            raise ParameterError(f"{who}: gate must be a {gate_family.__name__} without trials and offset, got {self.gate!r}")

    def split(self, column: Any) -> tuple[Any, Any]:
        """A column as that of the gate's covariates (None without a gate), and that of the law."""
        return (None, column) if self.gate is None else column.fields


def reads_numbers(layout: Layout, kind: type[Layout]) -> bool:
    """Whether a layout is of numbers of a kind, or of such responses."""
    return isinstance(layout.values[1] if isinstance(layout, Explained) else layout, kind)


def may_be_zero(node: Any) -> bool:
    """Whether a law, or one that an estimator may find, gives zero a density."""
    if node.support is not None:
        return bool(node.support.contains(np.zeros(1))[0])
    return any(map(may_be_zero, node.children())) if node.children() else True


class ZeroInflatedDistribution(_Gated, PowersOfLaw, Posteriors, Distribution, Redraws):
    """A count that is zero with probability p, whatever `dist` says, and else a draw of `dist`: probability `p [x = 0] + (1 - p) dist(x)`.

    dist: a law of counts, or a regression of counts, whose observations it then has, `(x, y)`; also of numbers that cannot be zero.
    p: the probability of an extra zero, in [0, 1]. gate: in place of p, a `LogisticRegressionDistribution` of an extra zero given
    covariates z of its own (which may be those of the regression); one observation is then `(z, ..)`, z and what `dist` describes.
    Posteriors are of an extra zero, and of a draw of `dist` (Lambert 1992). Raises `ParameterError` without p and gate, or with both.
    """

    dist: Distribution = child()
    p: float | None = parameter(MaybeProbability(), default=None)
    gate: Distribution | None = child(default=None, at="gate")
    name: str | None = name()
    keys: str | None = keys()

    def validate(self) -> None:
        self.check_law_and_gate(LogisticRegressionDistribution)
        if (self.p is None) == (self.gate is None):
            raise ParameterError(f"{type(self).__name__}: give p, or gate, and not both; got {self.p!r}, {self.gate!r}")

    @property
    def inner(self) -> Any:
        return self.dist

    @property
    def extra_or_not(self) -> np.ndarray:
        """Probabilities of an extra zero and of none, `(2,)`."""
        p: Any = self.p
        return np.stack([p, 1 - p], axis=-1)

    def _log_shares(self, z: Any, n: int, score: Any) -> tuple[np.ndarray, Any]:
        """Log probabilities of an extra zero and of none, `(.., 2, n)`, and the gate's tapes of both."""
        if z is None:
            with np.errstate(divide="ignore"):
                return np.broadcast_to(np.log(self.extra_or_not)[..., None], (*self.batch, 2, n)), None
        logs, tapes = zip(*(score(self.gate, answered(z, answer)) for answer in (1, 0)), strict=True)
        return np.stack(logs, axis=-2), tapes

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, ZeroTape]:
        z, inner = self.split(column)
        log, tape = score(self.dist, inner)
        joint, gates = self._log_shares(z, len(inner), score)
        draws = joint[..., 1, :] + log
        extra = np.where(numbers_in(inner, self.dist.layout) == 0, joint[..., 0, :], -np.inf)
        total, shares = score.mix(np.stack([extra, draws], axis=-2))
        return total, ZeroTape(shares, tape, gates)

    @property
    def _law(self) -> Any:
        return self.dist

    def prior_given(self, column: Any) -> np.ndarray:
        """Probabilities of an extra zero and of none before an observation is seen, `(2, n)`."""
        if self.gate is None:
            return np.broadcast_to(self.extra_or_not[:, None], (2, len(column)))
        record = column.values.take(column.codes) if type(column) is Distinct else column
        p = self._gate_means(record.fields[0].x)
        return np.stack([p, 1 - p])

    def _gate_means(self, z: Any) -> np.ndarray:
        gate: Any = self.gate
        return gate.mean_given(z)  # type: ignore[no-any-return]

    # -- moments, where the law has them -------------------------------------------------------------------------------

    def has_powers(self) -> bool:
        return self.gate is None

    def _mean(self) -> float:
        return float(self.extra_or_not[1] * self._law.mean())

    def _variance(self) -> float:
        (p, rest), law = self.extra_or_not, self._law
        return float(rest * (law.variance() + p * law.mean() ** 2))

    def _mode(self) -> Any:
        mode = self._law.mode()
        return mode if self.log_density(mode) > self.log_density(0) else 0

    def _entropy(self) -> float:
        (p, rest), inside = self.extra_or_not, self.extra_or_not[1] * self._law.density(0)
        of_draws = rest * self._law.entropy() - special.xlogy(rest, rest)  # each kept apart from an extra zero
        return float(of_draws + special.xlogy(inside, inside) - special.xlogy(p + inside, p + inside))

    def _cdf(self, x: Any) -> Any:
        p, rest = self.extra_or_not
        return p * (np.asarray(x) >= 0) + rest * self._law.cdf(x)

    def _quantile(self, q: Any) -> Any:
        (p, rest), q = self.extra_or_not, np.asarray(q, dtype=np.float64)
        below, at_zero = rest * self._law.cdf(np.nextafter(0.0, -1.0)), self._cdf(0.0)
        level = np.where(q <= below, q, q - p) / (rest or 1.0)
        out = np.where((q > below) & (q <= at_zero), 0.0, self._law.quantile(np.clip(level, 0.0, 1.0)))
        return np.where((q >= 0) & (q <= 1), out, np.nan)[()]

    # -- draws, and what is partly known -----------------------------------------------------------------------------------

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        if self.gate is not None:
            raise StructureError(
                f"{self.label}: it cannot be sampled without the covariates of its gate; use sample_given, or condition on z"
            )
        extra = rng.random(size) < self.extra_or_not[0]
        return np.where(extra, 0, np.asarray(self.dist.draw(size, rng)))

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        inner = [row[1] for row in rows] if self.gate is not None else rows
        p = self._gate_means([row[0] for row in rows]) if self.gate is not None and rows else self.p
        extra = rng.random(len(rows)) < np.asarray(p)
        drawn = as_values(redrawn(self.dist, inner, rng))
        if isinstance(self.dist.layout, Explained):
            drawn = [(x[0], 0, *x[2:]) if zero else x for x, zero in zip(drawn, extra.tolist(), strict=True)]
        else:
            drawn = [0 if zero else x for x, zero in zip(drawn, extra.tolist(), strict=True)]
        return drawn if self.gate is None else [(row[0], x) for row, x in zip(rows, drawn, strict=True)]

    def sampler(self, seed: Random = None) -> Sampler:
        return ZeroInflatedSampler(self, generator(seed))

    def given(self, x: Any, n: int) -> Any:
        if self.gate is None:
            joint, inner = np.broadcast_to(self.extra_or_not[:, None], (2, n)), x
        else:
            z, inner = x.entries
            p = self._gate_means(known_values(self, z, self.gate.layout.values[0]))  # type: ignore[attr-defined]
            joint = np.stack([p, 1 - p])
        log, law = given(self.dist, inner, n)
        number = inner.entries[1] if isinstance(inner, Parts) else inner
        zero, zeros = given(ZEROS, number if isinstance(number, Outcomes) else UNKNOWN, n)
        with np.errstate(divide="ignore"):
            return given_components(np.log(joint) + np.stack([zero, log]), [zeros, law])

    # -- of regressions ------------------------------------------------------------------------------------------------------

    def _shares_given(self, z: Any, n: int) -> np.ndarray:
        """The probability of no extra zero `(n,)`."""
        if (z is None) != (self.gate is None):
            raise StructureError(f"{self.label}: {'has no gate' if self.gate is None else 'needs z, the covariates of its gate'}")
        return np.full(n, self.extra_or_not[1]) if z is None else 1.0 - self._gate_means(z)

    def mean_given(self, x: Any, offset: Any = None, z: Any = None) -> np.ndarray:
        """Of a regression: the mean response `(n,)` at covariates x `(n, p)`, with those of the gate, z, where there is one."""
        mean = self.regression().mean_given(x, offset)
        return self._shares_given(z, len(mean)) * mean

    def law_given(self, x: Any, offset: Any = None, trials: Any = None, z: Any = None) -> Any:
        """Of a regression: the law of y at one x `(p,)`, with the gate's covariates z of the row, where there is a gate."""
        rest = self._shares_given(None if z is None else [z], 1)[0]
        law = self.regression().law_given(x, offset, trials)
        family: Any = type(self)
        return family(law, float(1.0 - rest))

    def sample_given(self, x: Any, rng: Random = None, offset: Any = None, trials: Any = None, z: Any = None) -> np.ndarray:
        """Of a regression: one response for each row of covariates x `(n, p)`, with those of the gate, z, where there is one."""
        rng = generator(rng)
        drawn = np.asarray(self.regression().sample_given(x, rng, offset, trials))
        return np.where(rng.random(len(drawn)) < self._shares_given(z, len(drawn)), drawn, 0)

    def estimator(self, pseudo_count: Any = None) -> Any:
        gate = None if self.gate is None else self.gate.estimator(pseudo_count)
        return self.estimator_family(self.dist.estimator(pseudo_count), gate, pseudo_count, self.name, self.keys)

    def explain_zero_density(self, x: Any) -> str:
        return self.dist.explain_zero_density(x if self.gate is None else x[1])


class ZeroInflatedSampler(Sampler):
    """Draws at given covariates; successive calls continue one random stream."""

    def sample_given(self, x: Any, offset: Any = None, trials: Any = None, z: Any = None) -> np.ndarray:
        """One response for each row of covariates `(n, p)`, `(n,)`."""
        law: Any = self.distribution
        return law.sample_given(x, self.rng, offset, trials, z)  # type: ignore[no-any-return]


def answered(z: Any, answer: int) -> Record:
    """The gate's covariates with one answer in every row."""
    return Record(len(z), (z, Values(np.full(len(z), answer, dtype=np.int64))))


class ZeroInflatedEstimator(_Gated, Estimator):
    """Maximum likelihood for a zero-inflated law by EM: each zero is shared out between the extra ones and those of the law.

    estimator: of the law. gate: a `LogisticRegressionEstimator` of an extra zero given covariates; it takes one Fisher scoring step in each
    step of EM. pseudo_count: pseudo-observations, half of them extra zeros, where there is no gate; they add
    `pseudo_count / 2 (log p + log(1 - p))` to the objective.
    """

    estimator: Estimator = child()
    gate: Estimator | None = child(default=None, at="gate")
    pseudo_count: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = ZeroInflatedDistribution
    stacks = True

    def validate(self) -> None:
        self.check_law_and_gate(LogisticRegressionEstimator)
        (count,) = pseudo_counts(self.pseudo_count, 1, type(self).__name__)
        self.derive(prior=PseudoCounts(np.full(2, count / 2), "extra_or_not") if count and self.gate is None else None)

    @property
    def inner(self) -> Any:
        return self.estimator

    def open(self, column: Any, open: Any) -> ZeroTape:
        z, inner = self.split(column)
        n = len(inner)
        open.shares(1, n)  # says that there is something latent, which no start chooses
        half = np.where(numbers_in(inner, self.estimator.layout) == 0, 0.5, 0.0)
        shares = np.broadcast_to(np.stack([half, 1.0 - half]), (*open.batch, 2, n))
        gates = None if z is None else [open(self.gate, answered(z, answer)) for answer in (1, 0)]
        return ZeroTape(shares, open(self.estimator, inner), gates)

    def backward(self, tape: ZeroTape, weights: np.ndarray, send: Any) -> Node:
        shares = tape.shares * weights[..., None, :]
        nodes = [send(self.estimator, tape.inner, np.ascontiguousarray(shares[..., 1, :]))]
        if tape.gates is not None:
            parts = [send(self.gate, part, np.ascontiguousarray(shares[..., i, :])) for i, part in enumerate(tape.gates)]
            nodes.append(parts[0] + parts[1])
        return Node(shares.sum(axis=-1), nodes)

    def assemble(self, own: np.ndarray, children: tuple[Any, ...], previous: Any = None) -> Any:
        if self.gate is not None:
            return self.law(dist=children[0], gate=children[1])
        before = None if previous is None else previous.extra_or_not
        return self.law(dist=children[0], p=share(self.with_prior(own), before)[..., 0])

    def why_outside_support(self, x: Any) -> str | None:
        x = x if self.gate is None else x[1]
        y = x[1] if isinstance(self.estimator.layout, Explained) else x
        return None if y == 0 else self.estimator.why_outside_support(x)
