"""Finite mixtures: one of K laws, chosen at random, produced the observation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base.domains import simplex
from dmlcore.base.errors import DataError, ParameterError, StructureError, SupportError, shorten
from dmlcore.base.numerics import joined, logs_of
from dmlcore.core.declared import children, keys, name, parameter, same, setting
from dmlcore.core.distribution import Distribution, common_layout, interleaved
from dmlcore.core.estimator import Estimator, impossible_under_all
from dmlcore.core.mixing import exact_mix
from dmlcore.core.partial import given
from dmlcore.core.powers import Exchange, HasClasses, Mixing, Redraws, Relabels
from dmlcore.core.redraw import redrawn_by_component
from dmlcore.core.rowlaws import Mixed, Product, RowLaw
from dmlcore.core.scoring import joined_blocks, over_blocks
from dmlcore.core.statistics import Node
from dmlcore.core.walk import SMALL, Components, DistinctTape, scaled_by_largest
from dmlcore.core.weights import drawn_components, share, weight_prior
from dmlcore.data.columns import Distinct
from dmlcore.data.encoded import Encoded
from dmlcore.data.layouts import Layout
from dmlcore.engines.choice import by_parts
from dmlcore.stats.latent.summaries import MixtureSummaries

EVERY = slice(None)


def but(parts: Sequence[Any], k: int) -> tuple[Any, ...]:
    """All but one."""
    return tuple(part for i, part in enumerate(parts) if i != k)


class MixtureTape:
    """Scores of the components, mixing weights `(K,)`, and `total = w @ scaled` `(n,)`; of M mixtures, with an axis M in front.

    Where `total` lost its digits, `plain` holds `(rows, posteriors (K, rows))` taken in log space; `EVERY` row where a class is chosen.
    """

    __slots__ = ("plain", "scored", "total", "w")

    def __init__(self, scored: Components, w: np.ndarray, total: np.ndarray, plain: Any = None):
        self.scored, self.w, self.total, self.plain = scored, w, total, plain

    def posterior(self) -> np.ndarray:
        """Posterior probabilities `(K, n)`."""
        rows, exact = self.plain or (np.zeros(0, np.intp), np.zeros(0))
        if rows is EVERY:
            return exact
        out: np.ndarray = self.scored.scaled * self.w[..., :, None]
        out /= self.total[..., None, :]
        if len(rows):
            out[..., rows] = exact
        return out


def mixed(scored: Components, w: np.ndarray, mix: Any = exact_mix) -> tuple[np.ndarray, MixtureTape]:
    """Log densities `(n,)` of components mixed with weights `(K,)`, and the tape; or of M mixtures, with an axis M in front.

    Rows whose weighted sum underflows are taken in log space; rows without density get posterior zero. mix: another rule than EM's.
    """
    if mix is not exact_mix:
        log, chosen = mix(scored.logs + logs_of(w)[..., :, None])
        return log, MixtureTape(scored, w, log, (EVERY, chosen))
    *shape, _, n = scored.scaled.shape
    total, least = kernels.mixed_densities(joined(scored.scaled, 2), joined(w))
    total = total.reshape(*shape, n)
    if least > SMALL:
        log = np.log(total)
        log += scored.shift
        return log, MixtureTape(scored, w, total)
    rows = np.flatnonzero(~(joined(total).min(axis=0) > SMALL))
    log_sums, exact = exact_mix(scored.logs[..., rows] + logs_of(w)[..., :, None])
    total[..., rows] = 1.0
    log = np.log(total) + scored.shift
    log[..., rows] = log_sums
    return log, MixtureTape(scored, w, total, (rows, exact))


class Posteriors(HasClasses):
    """Posteriors of laws with latent states, whose tape has `posterior()` `(.., n)`, and which have `prior_given(column)` `(.., n)`."""

    @by_parts
    def seq_posterior(self: Any, encoded: Any, impossible: str = "error") -> np.ndarray:
        """Posterior probabilities of the states, `(n, K)`; of a joint mixture those of the pairs, `(n, K1, K2)`.

        impossible: of rows that have density zero under every component nothing follows. "error": they raise a `SupportError` that
        names them and the part that is impossible. "prior": they get the probabilities of the states before anything is seen, the
        mixing weights (of a gated mixture, at the row's covariates).
        """
        check_impossible(impossible)
        encoded = self.seq_encode(encoded)
        parts, none = zip(*over_blocks(self, encoded, partial(_posterior, self)), strict=True)
        refused = np.concatenate([start + rows for (start, _, _), rows in zip(encoded.blocks, none, strict=True)])
        if len(refused) and impossible == "error":
            raise without_posterior(self, encoded, refused)
        return joined_blocks(list(parts))

    def posterior(self, x: Any, impossible: str = "error") -> np.ndarray:
        """Posterior probabilities of the states given one raw observation, `(K,)` or `(K1, K2)`; `impossible` as in `seq_posterior`."""
        try:
            return self.seq_posterior([x], impossible)[0]
        except DataError as error:
            if not isinstance(error, SupportError) and _many(self, x):
                raise DataError(f"posterior() is of one observation, and these are {len(x)}; seq_posterior() is of many") from None
            raise


def _many(model: Any, x: Any) -> bool:
    """Whether it is observations that were given for one."""
    try:
        return len(model.seq_encode(x)) == len(x)
    except (DataError, TypeError):
        return False


def _posterior(model: Any, law: Any, score: Any, column: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of one block: posteriors `(n, ..)`, those of rows without density as before anything is seen; and which rows these are."""
    log, tape = score(law, column)
    posterior = tape.tape.posterior()[..., tape.codes] if type(tape) is DistinctTape else tape.posterior()
    none = np.flatnonzero(log == -np.inf)
    if len(none):
        posterior[..., none] = model.prior_given(column.take(none))
    return np.ascontiguousarray(posterior.transpose(-1, *range(posterior.ndim - 1))), none


def _component_logs(law: Any, score: Any, column: Any) -> np.ndarray:
    if type(column) is Distinct:
        return np.ascontiguousarray(law.component_logs(column.values, score)[:, column.codes].T)
    return np.ascontiguousarray(law.component_logs(column, score).T)


def check_impossible(impossible: str) -> None:
    """Raises `ParameterError` for what is no way to treat rows without density."""
    if impossible not in ("error", "prior"):
        raise ParameterError(f"impossible must be 'error' or 'prior', got {impossible!r}")


def without_posterior(model: Any, encoded: Encoded, rows: np.ndarray) -> SupportError:
    """The error that rows without density under every component are."""
    first = int(rows[0])
    more = f"; likewise {len(rows) - 1} other rows, {shorten(rows[1:].tolist(), 40)}" if len(rows) > 1 else ""
    why = model.explain_zero_density(encoded.column.row(first))
    need = "impossible='prior' gives the mixing weights for such rows"
    return SupportError(f"{model.label}: row {first} has density zero under every component ({why}), so no posterior{more}; {need}")


class PosteriorMethods(Posteriors):
    """Posteriors and component scores of laws with one latent choice."""

    def transform(self: Any, data: Any, impossible: str = "error") -> np.ndarray:
        """A data set as points of the simplex, `(n, K)`: `seq_posterior`, by the name that scikit-learn's transformers have."""
        return self.seq_posterior(data, impossible)

    def prior_given(self: Any, column: Any) -> np.ndarray:
        """Probabilities of the states before an observation is seen, `(K, n)`."""
        return np.broadcast_to(self.w[:, None], (len(self.w), len(column)))

    @by_parts
    def seq_component_log_density(self: Any, encoded: Any) -> np.ndarray:
        """Log densities under each component, `(n, K)`."""
        encoded = self.seq_encode(encoded)
        return joined_blocks(list(over_blocks(self, encoded, _component_logs)))

    def component_log_density(self, x: Any) -> np.ndarray:
        """Log densities `(K,)` of one raw observation under each component."""
        return self.seq_component_log_density([x])[0]


class MixtureDistribution(PosteriorMethods, MixtureSummaries, Distribution, Mixing, Redraws, Relabels):
    """An observation with density `sum_k w[k] components[k](x)`.

    components: K distributions of one kind of observation. w: mixing weights `(K,)`, >= 0, summing to one (within 1e-6, then
    normalised). Raises `ParameterError` on other weights, `StructureError` if components describe different observations.

    Laws of numbers, of counts and of labels may stand beside each other, also in tuples, lists and Optionals: each reads what it can,
    and gives the rest density zero (a Poisson that of 2.5, a Gaussian that of a word). Densities and probabilities are added as they
    are, but for numbers at which a PointMass stands: these are left to it, and to counts and labels.
    """

    components: Sequence[Distribution] = children("component")
    w: Any = parameter(simplex)
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("weights", "components")

    takes_partial_rows = True
    components_field = "components"
    exchanges = (Exchange("components", (("w", 0),), lambda node: node.w),)

    def validate(self) -> None:
        if len(self.w) != len(self.components):
            raise ParameterError(f"{type(self).__name__}: w must have one entry per component, {len(self.components)}, got {len(self.w)}")
        assert self.layout is not None  # or else it raises

    @cached_property
    def layout(self) -> Layout:
        return common_layout(self.components, type(self).__name__)

    @property
    def own_key(self) -> str | None:
        return self.keys[0]

    @property
    def num_components(self) -> int:
        """K, the number of components."""
        return self.w.shape[-1]

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, MixtureTape]:
        return mixed(score.components(self.components, column, self.batch), self.w, score.mix)

    def one(self, of: Any) -> Any:
        if not all(component.layout == self.layout for component in self.components):
            return super().one(of)  # each reads of a value what it can
        each, as_stack = list(map(of, self.components)), len(self.components[0].batch) > len(self.batch)

        def mixture(x: Any) -> np.ndarray:
            logs = each[0](x) if as_stack else np.stack([one(x) for one in each], axis=-2)
            return mixed(scaled_by_largest(logs, None), self.w)[0]

        return mixture

    def component_logs(self, column: Any, score: Any) -> np.ndarray:
        """Log densities under each component, `(K, n)`."""
        return score.components(self.components, column).logs  # type: ignore[no-any-return]

    def without(self, k: int) -> Any:
        """The mixture of the other components, in the same proportions."""
        components, w = but(self.components, k), np.delete(self.w, k)
        return self.replace(components=components, w=w / w.sum() if w.sum() > 0 else np.full(len(w), 1 / len(w)))

    def given(self, x: Any, n: int) -> Any:
        logs, laws = zip(*(given(component, x, n) for component in self.components), strict=True)
        return given_components(np.array(logs) + logs_of(self.w)[:, None], laws)

    def draw(self, size: int, rng: np.random.Generator) -> Any:
        which, counts, order = drawn_components(self.w, size, rng)
        parts = [self.components[k].draw(count, rng) for k, count in zip(which, counts, strict=True)]
        return interleaved(parts, order)

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        return redrawn_by_component(self.components, rng.choice(len(self.w), len(rows), p=self.w), rows, rng)

    def estimator(self, pseudo_count: Any = None) -> Any:
        parts = tuple(c.estimator(pseudo_count) for c in self.components)
        own = None if pseudo_count is None else self.w
        return self.estimator_family(parts, None, own, pseudo_count, self.name, self.keys)

    def explain_zero_density(self, x: Any) -> str:
        return self.components[int(np.argmax(self.w))].explain_zero_density(x)


def given_components(joint: np.ndarray, laws: Sequence[RowLaw]) -> tuple[np.ndarray, RowLaw]:
    """`given` of a mixture, from log weight and log density of each component `(K, n)`: Bayes' rule, row by row."""
    log, posterior = exact_mix(joint)
    if not laws[0].slots:
        return log, Product([])
    none = log == -np.inf
    if none.any():  # such rows are refused, or get no weight, above
        posterior[:, none] = 1.0 / len(posterior)
    return log, Mixed(posterior, laws, MixtureDistribution)


class WeightsOfComponents(Estimator):
    """What estimators have in common whose first children are components that are mixed with weights `w`, which they estimate: `keys` of
    (weights, components), `fixed_weights`, and a prior on the weights."""

    @property
    def num_components(self: Any) -> int:
        """K, the number of components."""
        return self.together or len(self.estimators)

    def ties(self: Any) -> Any:
        weights, components = self.keys
        labels = () if components is None else (components,)
        return None, weights, tuple(tuple((key, k) for key in labels) for k in range(len(self.estimators)))

    def backward(self: Any, tape: MixtureTape, weights: np.ndarray, send: Any) -> Node:
        if tape.plain is None:
            return send.components(self.estimators, tape.scored, tape.w, tape.total, weights)
        shares = tape.posterior() * weights[..., None, :]
        return Node(shares.sum(axis=-1), send.shared_out(self.estimators, tape.scored.tapes, shares))

    def assemble(self: Any, own: np.ndarray, children: tuple[Any, ...], previous: Any = None) -> MixtureDistribution:
        w = self.fixed_weights if self.fixed_weights is not None else share(self.with_prior(own), None if previous is None else previous.w)
        if self.fixed_weights is not None and own.ndim > 1:
            w = np.broadcast_to(w, own.shape)
        return self.law(w=w, components=children)

    def is_feasible(self: Any, distribution: Any) -> bool:
        return self.fixed_weights is None or same(self.fixed_weights, distribution.w)

    @property
    def fixed_fields(self: Any) -> tuple[str, ...]:
        return () if self.fixed_weights is None else ("w",)


class MixtureEstimator(WeightsOfComponents):
    """Maximum likelihood for a mixture by EM: weights are mean posteriors, components are fitted to their shares of the rows.

    estimators: one per component. fixed_weights: mixing weights `(K,)` that are not estimated. pseudo_count: pseudo-observations
    spread over components as `suff_stat` `(K,)` says (default: evenly); they add `pseudo_count * sum_k s[k] log w[k]` to the objective.
    keys: (weights, components).
    """

    estimators: Sequence[Estimator] = children("component")
    fixed_weights: Any = setting()
    suff_stat: Any = setting()
    pseudo_count: Any = setting()
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("weights", "components")

    family = MixtureDistribution
    parted = ("estimators",)
    is_mixture = stacks = True
    components_field = "estimators"

    def validate(self) -> None:
        assert self.layout is not None  # or else it raises
        self.derive(prior=weight_prior(self, len(self.estimators), type(self).__name__))

    @cached_property
    def layout(self) -> Layout:
        return common_layout(self.estimators, type(self).__name__)

    def component_column(self, column: Any) -> Any:
        """What the components see of a column of observations."""
        return column

    def with_gaps(self, allow: Any) -> Estimator:
        try:
            return super().with_gaps(allow)
        except StructureError:  # components that do not agree on which parts may be missing: the whole may be
            return self

    def columns_of_children(self, column: Any) -> tuple[Any, ...]:
        return (column,) * len(self.estimators)

    def without(self, k: int) -> Any:
        """The estimator of the other components; pseudo-observations keep their number."""
        spread = None if self.suff_stat is None else np.delete(np.asarray(self.suff_stat), k)
        return self.replace(estimators=but(self.estimators, k), suff_stat=spread)

    def why_outside_support(self, x: Any) -> str | None:
        return impossible_under_all(self.estimators, x)

    def open(self, column: Any, open: Any) -> MixtureTape:
        scored = open.components(self.estimators, column, self.together)
        return MixtureTape(scored, np.ones(scored.scaled.shape[:-1]), np.ones((*open.batch, len(column))))


class HeterogeneousMixtureDistribution(MixtureDistribution):
    """A `MixtureDistribution`, by the name that mixtures of laws of several families have in DMLearn."""


class HeterogeneousMixtureEstimator(MixtureEstimator):
    """A `MixtureEstimator`, by the name that mixtures of laws of several families have in DMLearn."""

    family = HeterogeneousMixtureDistribution
    stacks = True
