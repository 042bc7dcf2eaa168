"""Joint mixtures: a pair, each side a mixture, whose hidden states are linked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.domains import simplex, stochastic_matrix
from dmlcore.base.errors import ParameterError, inside, shorten
from dmlcore.base.numerics import joined, logs_of
from dmlcore.core.declared import children, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, as_values, common_layout, interleaved, typical_of
from dmlcore.core.estimator import Estimator, impossible_part, impossible_under_all, pseudo_counts
from dmlcore.core.mixing import exact_mix
from dmlcore.core.partial import given
from dmlcore.core.powers import Exchange, HasTypical, Relabels
from dmlcore.core.prior import PseudoCounts
from dmlcore.core.rowlaws import Product
from dmlcore.core.scoring import joined_blocks, over_blocks
from dmlcore.core.statistics import Node
from dmlcore.core.walk import SMALL, Components
from dmlcore.core.weights import share
from dmlcore.data.columns import Distinct
from dmlcore.data.record_layouts import Fields
from dmlcore.stats.latent.mixture import MixtureDistribution, Posteriors, given_components


class JointTape:
    """Scores of both sides, pair weights `(K1, K2)`, and what they sum to: `inner = pairs @ scaled2` `(K1, n)`, `total` `(n,)`."""

    __slots__ = ("exact", "inner", "one", "pairs", "total", "two")

    def __init__(self, one: Components, two: Components, pairs: np.ndarray, inner: np.ndarray, total: np.ndarray, exact: Any = None):
        self.one, self.two, self.pairs, self.inner, self.total, self.exact = one, two, pairs, inner, total, exact

    def posterior(self) -> np.ndarray:
        """Posterior probabilities of the pairs of states, `(K1, K2, n)`."""
        out = self.one.scaled[..., :, None, :] * self.two.scaled[..., None, :, :]
        out *= self.pairs[..., None] / self.total[..., None, None, :]
        if self.exact is not None:
            rows, posterior = self.exact
            out[..., rows] = posterior
        return out


class JointMixtureDistribution(Posteriors, Distribution, HasTypical, Relabels):
    """A pair `(x, y)` with density `sum_kl w1[k] taus12[k, l] components1[k](x) components2[l](y)`.

    components1, components2: K1 laws of x and K2 of y. w1: weights of the states of x `(K1,)`. taus12: probabilities of the state
    of y given that of x, `(K1, K2)`. w2 and taus21 follow from these two: `w2 = w1 @ taus12`, and taus21 `(K2, K1)` by Bayes' rule;
    what is passed for them is replaced.
    """

    components1: Sequence[Distribution] = children("field 0.component")
    components2: Sequence[Distribution] = children("field 1.component")
    w1: Any = parameter(simplex)
    w2: Any = setting()
    taus12: Any = parameter(stochastic_matrix, default=None)
    taus21: Any = setting()
    keys: tuple[str | None, str | None, str | None] = keys("weights", "components1", "components2")
    name: str | None = name()

    takes_partial_rows = True
    exchanges = (
        Exchange("components1", (("w1", 0), ("taus12", 0)), lambda node: node.w1),
        Exchange("components2", (("taus12", 1),), lambda node: node.w2),
    )

    def validate(self) -> None:
        shape = (len(self.components1), len(self.components2))
        if self.w1.shape != shape[:1] or self.taus12.shape != shape:
            need = f"w1 and taus12 must have shapes {shape[:1]} and {shape}"
            raise ParameterError(f"JointMixtureDistribution: {need}, got {self.w1.shape} and {self.taus12.shape}")
        w2 = self.pairs.sum(axis=0)
        even = np.full(shape[::-1], 1 / shape[0])
        taus21 = np.where(w2[:, None] > 0, self.pairs.T / np.where(w2 > 0, w2, 1.0)[:, None], even)
        self.derive(w2=simplex.check(w2), taus21=stochastic_matrix.check(taus21))

    @cached_property
    def pairs(self) -> np.ndarray:
        """Probabilities of the pairs of states, `(K1, K2)`."""
        return self.w1[..., None] * self.taus12

    def fields(self) -> dict[str, Any]:
        return {**super().fields(), "w2": None, "taus21": None}

    @cached_property
    def layout(self) -> Fields:
        one = common_layout(self.components1, "JointMixtureDistribution, components1")
        return Fields(self.label, (one, common_layout(self.components2, "JointMixtureDistribution, components2")))

    @property
    def own_key(self) -> str | None:
        return self.keys[0]

    @property
    def num_components1(self) -> int:
        """K1, the number of states of x."""
        return len(self.components1)

    @property
    def num_components2(self) -> int:
        """K2, the number of states of y."""
        return len(self.components2)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, JointTape]:
        one, two = (score.components(side, field, self.batch) for side, field in zip(self._sides, column.fields, strict=True))
        inner = self.pairs @ two.scaled
        total = np.einsum("...kn,...kn->...n", one.scaled, inner)
        exact = None
        chooses = score.mix is not exact_mix
        if chooses or (total.size and not total.min() > SMALL):
            rows = np.flatnonzero(chooses | ~(joined(total).min(axis=0) > SMALL))
            left, right = (side.logs[..., rows] for side in (one, two))
            joint = left[..., :, None, :] + right[..., None, :, :] + logs_of(self.pairs)[..., None]
            *shape, K1, K2, _ = joint.shape
            sums, posterior = score.mix(joint.reshape(*shape, K1 * K2, len(rows)))
            exact = (rows, posterior.reshape(joint.shape))
            total[..., rows] = 1.0
        log = np.log(total) + one.shift + two.shift
        if exact is not None:
            log[..., rows] = sums
        return log, JointTape(one, two, self.pairs, inner, total, exact)

    def prior_given(self, column: Any) -> np.ndarray:
        """Probabilities of the pairs of states before an observation is seen, `(K1, K2, n)`."""
        return np.broadcast_to(self.pairs[:, :, None], (*self.pairs.shape, len(column)))

    def seq_component_log_density(self, encoded: Any) -> np.ndarray:
        """Log densities of each pair of components, `log components1[k](x) + log components2[l](y)`, `(n, K1, K2)`."""
        encoded = self.seq_encode(encoded)
        return joined_blocks(list(over_blocks(self, encoded, _pair_logs)))

    def component_log_density(self, x: Any) -> np.ndarray:
        """Log densities `(K1, K2)` of one raw pair under each pair of components."""
        return self.seq_component_log_density([x])[0]

    @cached_property
    def marginal1(self) -> MixtureDistribution:
        """The law of x alone."""
        return MixtureDistribution(self.components1, self.w1)

    @cached_property
    def marginal2(self) -> MixtureDistribution:
        """The law of y alone."""
        return MixtureDistribution(self.components2, self.w2)

    def posterior1(self, x: Any, impossible: str = "error") -> np.ndarray:
        """P(state of x | x), `(K1,)`."""
        return self.marginal1.posterior(x, impossible)

    def posterior2(self, y: Any, impossible: str = "error") -> np.ndarray:
        """P(state of y | y), `(K2,)`."""
        return self.marginal2.posterior(y, impossible)

    def posterior2_given1(self, x: Any, impossible: str = "error") -> np.ndarray:
        """P(state of y | x), `(K2,)`."""
        return self.posterior1(x, impossible) @ self.taus12

    def posterior1_given2(self, y: Any, impossible: str = "error") -> np.ndarray:
        """P(state of x | y), `(K1,)`."""
        return self.posterior2(y, impossible) @ self.taus21

    def given1(self, x: Any) -> MixtureDistribution:
        """The law of y given x."""
        return MixtureDistribution(self.components2, self.posterior2_given1(x))

    def given2(self, y: Any) -> MixtureDistribution:
        """The law of x given y."""
        return MixtureDistribution(self.components1, self.posterior1_given2(y))

    def given(self, x: Any, n: int) -> Any:
        one, two = ([given(component, side, n) for component in part] for part, side in zip(self._sides, x.entries, strict=True))
        logs2, laws2 = np.array([log for log, _ in two]), [law for _, law in two]
        if not one[0][1].slots:  # only y has unknowns: a mixture over the states of y
            pairs = np.array([log for log, _ in one])[:, None] + logs_of(self.pairs)[:, :, None]
            return given_components(logs2 + np.logaddexp.reduce(pairs, axis=0), laws2)
        rest = [given_components(logs2 + logs_of(taus)[:, None], laws2) for taus in self.taus12]
        logs1 = np.array([log + log2 for (log, _), (log2, _) in zip(one, rest, strict=True)])
        laws = [Product([law, law2]) for (_, law), (_, law2) in zip(one, rest, strict=True)]
        return given_components(logs1 + logs_of(self.w1)[:, None], laws)

    def typical(self) -> tuple[Any, Any]:
        k, l = map(int, np.unravel_index(int(np.argmax(self.pairs)), self.pairs.shape))
        return typical_of(self.components1[k]), typical_of(self.components2[l])

    @property
    def _sides(self) -> tuple[Sequence[Distribution], Sequence[Distribution]]:
        return self.components1, self.components2

    def draw(self, size: int, rng: np.random.Generator) -> list[tuple[Any, Any]]:
        z = rng.choice(self.pairs.size, size=size, p=self.pairs.ravel())
        sides = []
        for components, state in ((self.components1, z // self.num_components2), (self.components2, z % self.num_components2)):
            counts = np.bincount(state, minlength=len(components))
            order = np.empty(size, dtype=np.intp)
            order[np.argsort(state, kind="stable")] = np.arange(size)
            sides.append(as_values(interleaved([c.draw(int(count), rng) for c, count in zip(components, counts, strict=True)], order)))
        return list(zip(*sides, strict=True))

    def estimator(self, pseudo_count: Any = None) -> JointMixtureEstimator:
        one, two = (tuple(c.estimator(pseudo_count) for c in side) for side in (self.components1, self.components2))
        own = None if pseudo_count is None else self.pairs
        return JointMixtureEstimator(one, two, own, pseudo_count, self.keys, self.name)

    def explain_zero_density(self, x: Any) -> str:
        x = self.layout.entries(x)
        if self.marginal1.log_density(x[0]) == -np.inf:
            return inside("field 0", self.marginal1.explain_zero_density(x[0]))
        if self.marginal2.log_density(x[1]) == -np.inf:
            return inside("field 1", self.marginal2.explain_zero_density(x[1]))
        return f"{self.label}: the states that could give {x!r} never meet"


def _pair_logs(law: Any, score: Any, column: Any) -> np.ndarray:
    inner: Any = column.values if type(column) is Distinct else column
    one, two = score.each(law.components1, inner.fields[0])[0], score.each(law.components2, inner.fields[1])[0]
    both = np.moveaxis(one[:, None] + two[None], -1, 0)
    return both[column.codes] if type(column) is Distinct else np.ascontiguousarray(both)


class JointMixtureEstimator(Estimator):
    """Maximum likelihood for a joint mixture by EM.

    estimators1, estimators2: one per state of x, of y. pseudo_count: pseudo-pairs of states, spread as suff_stat `(K1, K2)` says
    (default: evenly); of three numbers, as users of DMLearn pass them, the sum counts. They add `c sum_kl s_kl log(w1_k taus12_kl)`
    to the objective. keys: (weights, components1, components2).
    """

    estimators1: Sequence[Estimator] = children("field 0.component")
    estimators2: Sequence[Estimator] = children("field 1.component")
    suff_stat: Any = setting()
    pseudo_count: Any = setting()
    keys: tuple[str | None, str | None, str | None] = keys("weights", "components1", "components2")
    name: str | None = name()

    family = JointMixtureDistribution
    stacks = True
    parted = ("estimators1", "estimators2")

    def validate(self) -> None:
        many = isinstance(self.pseudo_count, (tuple, list))
        count = sum(pseudo_counts(self.pseudo_count, 3 if many else 1, "JointMixtureEstimator"))
        shape = (len(self.estimators1), len(self.estimators2))
        try:
            spread = np.ones(shape) if self.suff_stat is None else np.asarray(self.suff_stat, dtype=np.float64)
        except (TypeError, ValueError):
            spread = np.zeros(0)
        if spread.shape != shape or not (spread >= 0).all() or not 0 < spread.sum() < np.inf:
            need = f"a matrix of finite numbers >= 0, not all zero, of shape {shape}"
            raise ParameterError(f"JointMixtureEstimator: suff_stat must be {need}, got {shorten(self.suff_stat)}")
        self.derive(prior=PseudoCounts(count * spread / spread.sum(), "pairs") if count else None)

    @cached_property
    def layout(self) -> Fields:
        one = common_layout(self.estimators1, "JointMixtureEstimator, estimators1")
        return Fields(self.label, (one, common_layout(self.estimators2, "JointMixtureEstimator, estimators2")))

    def ties(self) -> Any:
        weights, one, two = self.keys
        first = [() if one is None else ((one, k),) for k in range(len(self.estimators1))]
        second = [() if two is None else ((two, k),) for k in range(len(self.estimators2))]
        return None, weights, (*first, *second)

    def why_outside_support(self, x: Any) -> str | None:
        one, two = self.layout.entries(x)
        sides = ((self.estimators1, one), (self.estimators2, two))
        return impossible_part((f"field {j}", impossible_under_all(side, value)) for j, (side, value) in enumerate(sides))

    def open(self, column: Any, open: Any) -> JointTape:
        one, two = open.components(self.estimators1, column.fields[0]), open.components(self.estimators2, column.fields[1])
        pairs = np.ones((*open.batch, len(self.estimators1), len(self.estimators2)))
        inner = pairs @ two.scaled
        return JointTape(one, two, pairs, inner, np.einsum("...kn,...kn->...n", one.scaled, inner))

    def backward(self, tape: JointTape, weights: np.ndarray, send: Any) -> Node:
        rows = weights / tape.total
        if tape.exact is not None:
            at, posterior = tape.exact
            extra = posterior * weights[..., None, None, at]
            rows[..., at] = 0.0
        left = tape.one.scaled * rows[..., None, :]
        own = tape.pairs * (left @ tape.two.scaled.swapaxes(-1, -2))
        first, second = left * tape.inner, tape.two.scaled * (tape.pairs.swapaxes(-1, -2) @ left)
        if tape.exact is not None:
            own += extra.sum(axis=-1)
            first[..., at] += extra.sum(axis=-2)
            second[..., at] += extra.sum(axis=-3)
        one = send.shared_out(self.estimators1, tape.one.tapes, first)
        return Node(own, [*one, *send.shared_out(self.estimators2, tape.two.tapes, second)])

    def assemble(self, own: np.ndarray, children: tuple[Any, ...], previous: Any = None) -> JointMixtureDistribution:
        K1 = len(self.estimators1)
        counts = self.with_prior(own)
        w1 = share(counts.sum(axis=-1), None if previous is None else previous.w1)
        taus12 = share(counts, None if previous is None else previous.taus12)
        return self.law(w1=w1, taus12=taus12, components1=children[:K1], components2=children[K1:])
