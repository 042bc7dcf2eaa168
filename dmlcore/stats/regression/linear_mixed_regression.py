"""Linear mixed regression: lines whose intercept and slopes differ from group to group (random effects)."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import covariance, nonnegative, positive
from dmlcore.base.errors import DataError, DegenerateError, ParameterError, shorten
from dmlcore.base.random import Random, generator
from dmlcore.base.support import REALS
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.estimator import REMEDY, Estimator, from_suff_stat, pseudo_counts
from dmlcore.core.partial import Known, Outcomes, Parts, narrowed
from dmlcore.core.rowlaws import Product, RowLaw
from dmlcore.core.scoring import joined_blocks, over_blocks
from dmlcore.core.statistics import Node, Scatter, Sums
from dmlcore.data.columns import ends_of
from dmlcore.data.layouts import Covariates, Layout, Real
from dmlcore.data.sequences import Repeated
from dmlcore.stats.multivariate.multivariate_gaussian import MultivariateGaussianDistribution, above_floor, least_factor
from dmlcore.stats.multivariate.normals import Normals
from dmlcore.stats.regression.glm.coefficients import ColumnNames
from dmlcore.stats.regression.glm.predictors import Tape, row_layout
from dmlcore.stats.regression.glm.regression_distribution import RegressionDistribution, known_values
from dmlcore.stats.regression.glm.scoring import Frame, Scoring, pseudo_solved, times, whitening
from dmlcore.stats.regression.glm.tied_and_held import INTERCEPT
from dmlcore.stats.regression.linear_regression import EXACT_FLOOR, LinePrior, scatter_of_rows, squares
from dmlcore.stats.regression.penalties import Ridge
from dmlcore.stats.regression.random_effects import (
    EndToEnd,
    FirstSums,
    Groups,
    MixedDesign,
    MixedSums,
    RandomColumns,
    effects_of,
    scored_groups,
)
from dmlcore.stats.univariate.gaussian import GaussianDistribution
from dmlcore.stats.univariate.moments import RELATIVE_ROUNDING, VARIANCE_FLOOR, check_scale, floor_message, relative_variance, variance_of

NO_PENALTY = Ridge(0.0)


class LinearMixedRegressionDistribution(RegressionDistribution):
    """A group: a list of rows `(x, y)`, as the visits of a patient are, with real responses y given covariates x.

    `y_i = intercept + coef . x_i + z_i . b + e_i`, where b, Gaussian with mean 0 and covariance covar, is the same for all rows of the
    group, and the e_i are Gaussian with mean 0 and variance sigma2, and independent. z are the columns `random` of (1, x). So the responses
    of a group with covariates X and Z are `N(intercept + X coef, Z covar Z' + sigma2)`; nothing is said of how many rows it has. Rows are
    complete: one that lacks x or y says nothing of its group, and is left out of it.

    coef: `(p,)`, units of y per unit of x. intercept: in units of y, or None. sigma2: the variance within a group, positive. covar: that
    of the q random effects `(q, q)`, symmetric and positive definite. random: which coefficients differ from group to group, in the order
    of covar: "intercept", and numbers of columns. Raises `ParameterError` outside these domains.
    """

    sigma2: float = parameter(positive)
    covar: np.ndarray = parameter(covariance)
    random: Any = parameter(RandomColumns(), default=(INTERCEPT,))
    name: str | None = name()
    keys: str | None = keys()

    support = REALS

    def validate(self) -> None:
        check_random(self)
        check_columns(type(self).__name__, self.random, len(self.coef))
        q = len(self.random)
        if self.covar.shape != (q, q):
            shape = self.covar.shape
            raise ParameterError(f"LinearMixedRegressionDistribution: covar must have shape {(q, q)}, as random says, got {shape}")

    @cached_property
    def layout(self) -> Layout:
        return group_layout(self, len(self.coef))

    @cached_property
    def design(self) -> MixedDesign:
        """Which columns its rows have."""
        return MixedDesign(self.intercept is not None, self.random)

    @cached_property
    def factor(self) -> np.ndarray:
        """The Cholesky factor of covar."""
        return np.linalg.cholesky(self.covar)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Tape]:
        groups: Any = Groups(self, column)
        if not groups.rows.n:
            return np.zeros((*self.batch, groups.n)), Tape(groups)
        log, effects = effects_of(self, groups)
        return groups.bar(log), Tape(groups, self, effects)

    # -- groups ------------------------------------------------------------------------------------------------------------

    def random_effects(self, x: Any) -> MultivariateGaussianDistribution:
        """The law of the random effects b `(q,)` of one group, given its rows: by how much its own coefficients differ."""
        groups = Groups(self, self.seq_encode([x]).column)
        if not groups.rows.n:
            return MultivariateGaussianDistribution(np.zeros(len(self.random)), self.covar)
        effects = effects_of(self, groups)[1]
        covar = self.factor @ effects.covar[..., 0] @ self.factor.T
        return MultivariateGaussianDistribution(self.factor @ effects.mean[:, 0], (covar + covar.T) / 2)

    def seq_random_effects(self, encoded: Any) -> np.ndarray:
        """The means of the random effects of many groups, `(n, q)`."""
        return joined_blocks(list(over_blocks(self, self.seq_encode(encoded), _means_of_effects)))

    def law_given(self, x: Any, offset: Any = None, trials: int | None = None) -> GaussianDistribution:
        """The law of y at one x `(p,)` of a group of which no row is known."""
        mean = float(self.mean_given([x], offset)[0])
        z = self._directions(np.asarray(x, dtype=np.float64).reshape(1, -1))[0]
        return GaussianDistribution(mean, float(z @ z) + self.sigma2)

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        return eta

    def sample_given(self, x: Any, rng: Random = None, offset: Any = None, trials: Any = None) -> np.ndarray:
        """Responses `(n,)` of one new group with covariates `(n, p)`."""
        mean, rng = self.mean_given(x, offset), generator(rng)
        if trials is not None:
            raise DataError(f"{self.label}: has no trials, got {shorten(trials)}")
        directions = self._directions(np.asarray(x, dtype=np.float64).reshape(len(mean), -1))
        return mean + directions @ rng.standard_normal(len(self.random)) + rng.normal(0.0, math.sqrt(self.sigma2), len(mean))

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        out = []
        for group in rows:
            drawn = self.sample_given([x for x, _ in group], rng).tolist() if len(group) else []
            out.append([(x, y) for (x, _), y in zip(group, drawn, strict=True)])
        return out

    def given(self, x: Any, n: int) -> tuple[np.ndarray, RowLaw]:
        layout: Any = self.layout
        pairs = [self._entry(entry, layout.value) for entry in x.entries]
        covariates = np.array([at for at, _ in pairs])  # (T, n, p)
        seen, unseen = ([t for t, (_, y) in enumerate(pairs) if (y is None) == gone] for gone in (False, True))
        directions = self._directions(covariates)
        means = covariates @ self.coef + (self.intercept or 0.0)
        residuals = np.array([pairs[t][1] for t in seen]).reshape(len(seen), n) - means[seen]
        flat = np.moveaxis(directions[seen], -1, 0).swapaxes(-1, -2).reshape(len(self.random), -1)
        log, mean, covar, _ = scored_groups(residuals.T.ravel(), flat, self.sigma2, EndToEnd(ends_of(np.full(n, len(seen)))))
        if not unseen:
            return log, Product([])
        own = directions[unseen].swapaxes(0, 1)  # (n, unseen, q)
        spread = own @ np.moveaxis(covar, -1, 0) @ own.swapaxes(-1, -2) + self.sigma2 * np.eye(len(unseen))
        events = {slot: event for slot, t in enumerate(unseen) if (event := outcomes_of(x.entries[t])) is not None}
        return narrowed(log, Normals(means[unseen].T + times(own, mean.T), spread, MultivariateGaussianDistribution), events, n)

    def _entry(self, entry: Any, layout: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Covariates `(n, p)` and responses `(n,)`, or None, of one row of n groups."""
        if isinstance(entry, Known):
            column: Any = entry.encoded(layout).column
            return column.fields[0].x, column.fields[1].x
        at, response = getattr(entry, "entries", (None, None))
        covariates = known_values(self, at, layout.values[0])
        if not isinstance(response, Known):
            return covariates, None
        known: Any = response.encoded(layout.values[1]).column
        return covariates, known.x

    def _directions(self, x: np.ndarray) -> np.ndarray:
        """Z L at covariates `(.., p)`, `(.., q)`."""
        z = np.stack([np.ones(x.shape[:-1]) if place == INTERCEPT else x[..., place] for place in self.random], axis=-1)
        return z @ self.factor

    def estimator(self, pseudo_count: Any = None) -> LinearMixedRegressionEstimator:
        """The estimator of this shape; `pseudo_count` observations say that the variance within a group is sigma2."""
        given = {} if pseudo_count is None else {"pseudo_count": pseudo_count, "suff_stat": self.sigma2}
        return LinearMixedRegressionEstimator(self.random, self.intercept is not None, **given, name=self.name, keys=self.keys)

    def explain_zero_density(self, x: Any) -> str:
        return impossible_row(self, x) or f"{self.label}: {shorten(x)} has density zero"


class LinearMixedRegressionEstimator(Estimator):
    """Maximum likelihood (not REML) for a linear mixed regression, by EM.

    random: which coefficients differ from group to group, "intercept" and numbers of columns. intercept: whether there is one; it must
    be there to be random. names: of the covariates, for messages. pseudo_count=c with suff_stat=v: c pseudo-observations say the variance
    within a group is v (default: that about the one line through all the data); the log prior is `-c/2 (log sigma2 + v / sigma2)`.

    What is not seen are the standardised random effects u (Laird and Ware 1982). A step also estimates a mean of u, a covariance of u and
    the matrix L by which they act on rows, which the data cannot tell from the coefficients and from covar, and puts the three back
    into these (parameter-expanded EM: Liu, Rubin and Wu 1998; Meng and van Dyk 1998). So EM never falls, and is fast whether random
    effects are large or vanish. sigma2 is held above `VARIANCE_FLOOR` times the variance of all responses, and covar above what makes as
    little of it. Raises `DegenerateError` where all responses are equal, and for columns that are constant or follow from others.
    """

    random: Any = parameter(RandomColumns(), default=(INTERCEPT,))
    intercept: bool = setting(True)
    names: Any = parameter(ColumnNames(), default=None)
    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    name: str | None = name()
    keys: str | None = keys()

    family = LinearMixedRegressionDistribution
    stacks = True
    carried = ("random", "name", "keys")
    has_trials = offset = False
    floor = noise = 0.0
    frame: ClassVar[Any] = None
    whiten: ClassVar[Any] = None  # of the columns of X, and of those of Z times each of u
    scale: ClassVar[Any] = None  # a factor of the covariance that random effects would have, were each as large as a unit of y
    least: ClassVar[Any] = None  # a factor of the covariance below which no estimate falls

    def validate(self) -> None:
        who = type(self).__name__
        if not isinstance(self.intercept, (bool, np.bool_)):
            raise ParameterError(f"{who}: intercept must be True or False, got {self.intercept!r}")
        check_random(self)
        pseudo_counts(self.pseudo_count, 1, who)
        if self.suff_stat is not None:
            from_suff_stat(self, nonnegative.check, self.suff_stat)

    @cached_property
    def layout(self) -> Layout:
        return group_layout(self, None if self.names is None else len(self.names))

    @property
    def design(self) -> MixedDesign:
        """Which columns its rows have."""
        return MixedDesign(bool(self.intercept), self.random)

    def open(self, column: Any, open: Any) -> Tape:
        open.shares(1, len(column))  # random effects are latent
        groups: Any = Groups(self, column)
        return Tape(groups)

    def backward(self, tape: Tape, weights: np.ndarray, send: Any) -> Node:
        groups: Any = tape.rows
        weights = groups.admit(weights)
        if tape.law is not None:
            return Node(MixedSums.of(self.design, groups, tape.made, weights))
        with np.errstate(over="ignore", invalid="ignore"):  # squares beyond 1e308: `resolve` says so
            sums = scatter_of_rows(groups.rows, groups.repeated(weights))
        return Node(FirstSums(sums.count, sums.mean, sums.m2))

    def resolve(self, statistics: FirstSums) -> Self:
        if not statistics.count > 0:
            return self
        check_scale(self.label, statistics)
        check_columns(self.label, self.random, len(statistics.mean) - 1)
        scoring = Scoring.of_least_squares(statistics, 0.0, np.zeros(len(statistics.mean) - 1))
        frame = Frame(scoring, self.intercept, NO_PENALTY, self.label, self.names)
        design, q, response = self.design, len(self.random), Scatter(statistics.count, statistics.mean[-1], statistics.m2[-1, -1])
        within = frame.relative[np.ix_(design.in_fixed, design.in_fixed)]
        if not design.centred:  # then Z is not about the centre, where X may be
            at = frame.centre[list(self.random)]
            within = within + np.outer(at, at)
        effects = whitening(within)
        first = len(frame.whiten)
        whiten = np.zeros((first + q * q, first + q * q))
        whiten[:first, :first], whiten[first:, first:] = frame.whiten, np.kron(np.eye(q), effects)
        scale = design.at(np.linalg.cholesky(effects.T @ effects), -frame.centre)
        scale = np.linalg.cholesky(scale @ scale.T)
        variance = variance_of(response)
        rounding = float(RELATIVE_ROUNDING * response.mean)
        out = self.pinned(
            frame=frame,
            whiten=whiten,
            scale=scale,
            least=least_factor(np.sqrt(variance) * scale) if variance > 0 else None,
            floor=VARIANCE_FLOOR * variance,
            noise=rounding * rounding,
        )
        (count,) = pseudo_counts(self.pseudo_count, 1, type(self).__name__)
        if not count:
            return out
        about_line = squares(statistics, *out.line(statistics)) / statistics.count
        return out.pinned(prior=LinePrior(NO_PENALTY, count, about_line if self.suff_stat is None else self.suff_stat))

    def line(self, statistics: FirstSums) -> tuple[Any, np.ndarray]:
        """The intercept and the coefficients of one line through all rows."""
        nothing = np.zeros(statistics.mean[..., 1:].shape)
        step = self.frame.step(Scoring.of_least_squares(statistics, 0.0, nothing), nothing[..., None, :], EXACT_FLOOR, 0.0, None)
        return (step.intercept[..., 0] if self.intercept else None), step.coef[..., 0, :]

    def estimate(self, statistics: Any, previous: Any = None) -> Any:
        if self.frame is None:
            self = self.resolve(statistics)
        return self._first(statistics) if isinstance(statistics, FirstSums) else self._next(statistics, previous)

    def _first(self, statistics: FirstSums) -> Any:
        """One line through all rows, and half of the variance about it between groups."""
        intercept, coef = self.line(statistics)
        half = self._variance(Sums(count=statistics.count, squares=squares(statistics, intercept, coef))) / 2
        covar = np.asarray(half / len(self.random))[..., None, None] * (self.scale @ self.scale.T)
        return self.law(coef=coef, intercept=intercept, sigma2=np.maximum(half, self.floor)[()], covar=self._above_floor(covar))

    def _next(self, statistics: MixedSums, previous: Any) -> Any:
        """The maximiser of the expected log likelihood, in which u has a mean and a covariance of its own; these are then put back."""
        centre, q = self.frame.centre, len(self.random)
        sums = statistics.about(np.broadcast_to(centre, statistics.centre.shape))
        matrix, right, before = sums.matrix[..., :-1, :-1], sums.matrix[..., :-1, -1], sums.matrix[..., -1, -1]
        change, _ = pseudo_solved(matrix, right, self.whiten, np.where(sums.count > 0, sums.count, 1.0), EXACT_FLOOR)
        left = before - (change * (2 * right - times(matrix, change))).sum(axis=-1)
        sigma2 = self._variance(Sums(count=sums.count, squares=np.maximum(left, 0.0)))

        groups = np.where(sums.effects[..., 0, 0] > 0, sums.effects[..., 0, 0], 1.0)
        mean = sums.effects[..., 1:, 0] / groups[..., None]
        spread = sums.effects[..., 1:, 1:] / groups[..., None, None] - mean[..., :, None] * mean[..., None, :]
        first = matrix.shape[-1] - q * q
        acts = self.design.at(previous.factor, centre) + change[..., first:].reshape(*change.shape[:-1], q, q).swapaxes(-1, -2)
        fixed = change[..., :first].copy()
        fixed[..., self.design.in_fixed] += times(acts, mean)
        if self.intercept and not self.design.centred:  # the columns of X are about the centre, those of Z are not
            fixed[..., 0] += (centre[list(self.random)] * times(acts, mean)).sum(axis=-1)
        acts = self.design.at(acts, -centre)
        covar = acts @ spread @ acts.swapaxes(-1, -2)
        coef = previous.coef + fixed[..., int(self.intercept) :]
        intercept = None
        if self.intercept:
            intercept = previous.intercept + fixed[..., 0] - (fixed[..., 1:] * centre).sum(axis=-1)
        return self.law(coef=coef, intercept=intercept, sigma2=sigma2, covar=self._above_floor((covar + covar.swapaxes(-1, -2)) / 2))

    def _variance(self, sums: Sums) -> Any:
        """The variance that maximises, from the expected sum of squares, above its floor."""
        both = self.with_prior(sums)
        variance = both.squares / np.where(both.count > 0, both.count, 1.0)
        sigma2 = np.maximum(np.where(variance > self.noise, variance, 0.0), self.floor)[()]
        if not np.all(sigma2 > 0):
            raise DegenerateError(f"{self.label}: all responses lie on the line, so the variance has no maximum; {REMEDY}")
        return sigma2

    def _above_floor(self, covar: np.ndarray) -> np.ndarray:
        return covar if self.least is None else above_floor(covar, self.least)

    def covers(self, column: Any) -> bool:
        return Groups(self, column).rows.inside is None

    def why_outside_support(self, x: Any) -> str | None:
        return impossible_row(self, x)

    def is_feasible(self, distribution: Any) -> bool:
        return (distribution.intercept is not None) == self.intercept

    def why_foreign(self, law: Any) -> str | None:
        return None if law.random == self.random else f"has random effects on {law.random}, the estimator on {self.random}"

    def degenerate(self, distribution: Any) -> str | None:
        return floor_message(self.label, distribution.sigma2, self.floor, "passes through all its responses")

    def min_relative_variance(self, distribution: Any) -> Any:
        return relative_variance(distribution.sigma2, self.floor)


def group_layout(node: Any, p: int | None) -> Layout:
    """The layout of lists of rows `(x, y)`."""
    return Repeated(node.label, row_layout(node, Covariates(node.label, p), Real(node.label)))


def check_random(node: Any) -> None:
    """Raises `ParameterError` where an intercept is random that is not there."""
    if INTERCEPT in node.random and (node.intercept is None or node.intercept is False):
        raise ParameterError(f"{type(node).__name__}: it has no intercept that could be random; name columns in random, or give it one")


def check_columns(who: str, random: Any, p: int) -> None:
    """Raises `ParameterError` where a column is random that is not among p."""
    last = max((place for place in random if place != INTERCEPT), default=-1)
    if last >= p:
        raise ParameterError(f"{who}: random names column {last}, but there are {p} (from 0 to {p - 1})")


def outcomes_of(entry: Any) -> Outcomes | None:
    """What is known of the response of a row, where that is an event."""
    response = entry.entries[1] if isinstance(entry, Parts) else None
    return response if isinstance(response, Outcomes) else None


def impossible_row(node: Any, x: Any) -> str | None:
    """Why one raw group has density zero whatever the parameters, or None."""
    inside = Groups(node, node.layout.encode([x])).rows.inside
    if inside is None:
        return None
    i = int(np.argmin(inside))
    return f"element {i} of {node.label}: the response {x[i][1]!r} has density zero; it needs {node.support.need}"


def _means_of_effects(law: Any, score: Any, column: Any) -> np.ndarray:
    made = law.forward(column, score)[1].made
    return np.zeros((len(column), len(law.random))) if made is None else (law.factor @ made.mean).T
