"""Mixtures whose weights depend on covariates: concomitant variables, a mixture of experts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.labels import Vocabulary
from dmlcore.base.random import Random, generator
from dmlcore.core.declared import child, children, keys, name, setting
from dmlcore.core.distribution import Distribution, Sampler, common_layout, interleaved
from dmlcore.core.estimator import Estimator, impossible_under_all
from dmlcore.core.partial import given
from dmlcore.core.powers import Exchange, Redraws, Relabels, WeightsGiven
from dmlcore.core.redraw import redrawn_by_component
from dmlcore.core.statistics import Node
from dmlcore.core.walk import shares_among
from dmlcore.data.columns import Distinct, Option
from dmlcore.data.layouts import Covariates, Layout, Maybe
from dmlcore.data.record_layouts import Fields
from dmlcore.stats.latent.mixture import MixtureDistribution, MixtureTape, PosteriorMethods, but, given_components, mixed
from dmlcore.stats.regression.glm.label_predictors import Design, LabelTape, chosen_rows, share_sums
from dmlcore.stats.regression.glm.regression_distribution import known_values
from dmlcore.stats.regression.multinomial_logistic_regression import (
    MultinomialLogisticRegressionDistribution,
    MultinomialLogisticRegressionEstimator,
)


class GatedTape(MixtureTape):
    """The tape of a mixture whose weights are in the scores already, that of its gate, and which rows have no covariates `(n,)`."""

    __slots__ = ("absent", "gate")

    def __init__(self, mixture: MixtureTape, gate: LabelTape, absent: np.ndarray | None):
        super().__init__(mixture.scored, mixture.w, mixture.total, mixture.plain)
        self.gate, self.absent = gate, absent


def with_labels_permuted(gate: Any, order: np.ndarray) -> Any:
    """A gate with its labels permuted: log odds are then against another one."""

    def against(rows: Any) -> Any:
        full = np.insert(rows, 0, 0.0, axis=0)[order]
        return full[1:] - full[0]

    return gate.replace(coef=against(gate.coef), intercept=None if gate.intercept is None else against(gate.intercept))


def exchanged_gate(node: Any, order: np.ndarray) -> dict[str, Any]:
    """The gate of a mixture whose components are permuted."""
    return {"gate": with_labels_permuted(node.gate, order)}


class GatedMixtureDistribution(PosteriorMethods, Distribution, WeightsGiven, Redraws, Relabels):
    """An observation (z, x), where x given z has density `sum_k w_k(z) components[k](x)` and `w(z)` is multinomial logistic in z.

    components: K distributions of one kind of observation. gate: a `MultinomialLogisticRegressionDistribution` over the labels
    0, ..., K - 1; component 0 is its reference. z and x may share covariates: each reads its own. missing_covariates: whether z may be
    missing, or an entry of it. As z has no law, such a row says nothing: it has log density 0, and as posterior what its x says of the
    components at even weights. Raises `ParameterError` where the gate has other labels, `StructureError` if components describe
    different observations.
    """

    components: Sequence[Distribution] = children("component")
    gate: Distribution = child(at="gate")
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("gate", "components")
    missing_covariates: bool = setting(False)

    components_field = "components"
    exchanges = (Exchange("components", (), lambda node: np.zeros(node.num_components), exchanged_gate),)

    def validate(self) -> None:
        gate: Any = self.gate
        check_gate(f"{type(self).__name__}: gate", gate, len(self.components))
        _ = self.layout  # raises where components describe different observations

    @cached_property
    def layout(self) -> Layout:
        gate: Any = self.gate
        return gated_layout(self, self.components, gate.dim, self.missing_covariates)

    @property
    def num_components(self) -> int:
        """K, the number of components."""
        gate: Any = self.gate
        return len(gate.labels)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, GatedTape]:
        covariates, inner = column.fields
        gate: Any = self.gate
        z, absent = gate_covariates(covariates)
        design = Design(z)
        log_w = gate.log_probabilities(design)
        if absent is not None:
            log_w[..., absent] = -np.log(self.num_components)
        log, tape = mixed(score.components(self.components, inner, self.batch, log_w), np.ones(log_w.shape[:-1]), score.mix)
        if absent is not None:
            log[..., absent] = 0.0
        return log, GatedTape(tape, LabelTape(design, np.exp(log_w, out=log_w), gate.vocabulary), absent)

    def component_logs(self, column: Any, score: Any) -> np.ndarray:
        """Log densities under each component, `(K, n)`."""
        return score.components(self.components, column.fields[1]).logs  # type: ignore[no-any-return]

    def prior_given(self, column: Any) -> np.ndarray:
        gate: Any = self.gate
        record = column.values.take(column.codes) if isinstance(column, Distinct) else column
        return np.exp(gate.log_probabilities(Design(gate_covariates(record.fields[0])[0])))

    def given(self, x: Any, n: int) -> Any:
        z, inner = x.entries
        gate: Any = self.gate
        log_w = gate.log_probabilities(Design(known_values(self, z, gate.layout.values[0])))
        logs, laws = zip(*(given(component, inner, n) for component in self.components), strict=True)
        return given_components(np.array(logs) + log_w, laws)

    def without(self, k: int) -> Any:
        """The mixture of the other components, whose weights keep their proportions at every z."""
        law: Any = self.gate
        labels = range(self.num_components - 1)
        coef, intercept = (None if v is None else others_odds(v, k) for v in (law.coef, law.intercept))
        return self.replace(components=but(self.components, k), gate=law.replace(coef=coef, intercept=intercept, labels=labels))

    def weights_given(self, z: Any) -> np.ndarray:
        """Mixing weights `(n, K)` at gate covariates `(n, d)`."""
        gate: Any = self.gate
        return gate.mean_given(z)

    def law_given(self, z: Any) -> MixtureDistribution:
        """The mixture of x at one z `(d,)`."""
        return MixtureDistribution(self.components, self.weights_given([z])[0])

    def mean_given(self, z: Any, x: Any, offset: Any = None) -> np.ndarray:
        """Of gated regressions: the mean response `(n,)` at gate covariates z and covariates x."""
        means = [component.mean_given(x, offset) for component in regressions(self, self.components)]
        return np.einsum("nk,kn->n", self.weights_given(z), np.array(means))

    def sample_given(self, z: Any, rng: Random = None, x: Any = None, **given: Any) -> Any:
        """One draw of what the components describe for each z `(n, d)`; of regressions, of the response at covariates x `(n, p)`, with
        `offset` and `trials` as they need them."""
        rng = generator(rng)
        return drawn_by(self, self.components, chosen_rows(self.weights_given(z), rng), rng, x, given)

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        layout: Any = self.layout
        rows = list(map(layout.entries, rows))
        gone = ~layout.values[0].present([row[0] for row in rows]) if self.missing_covariates else np.zeros(len(rows), dtype=bool)
        known = [row for row, absent in zip(rows, gone.tolist(), strict=True) if not absent]
        reached = np.cumsum(self.weights_given([row[0] for row in known]), axis=1)
        which = (reached[:, :-1] < rng.random((len(known), 1))).sum(axis=1)
        inner = iter(redrawn_by_component(self.components, which, [row[1] for row in known], rng))
        return [row if absent else (row[0], next(inner)) for row, absent in zip(rows, gone.tolist(), strict=True)]

    def sampler(self, seed: Random = None) -> GatedSampler:
        return GatedSampler(self, generator(seed))

    def draw(self, size: int, rng: np.random.Generator) -> Any:
        raise StructureError(
            f"{self.label}: a gated mixture cannot be sampled without its covariates; use sample_given(z), or condition on z"
        )

    def estimator(self, pseudo_count: Any = None) -> GatedMixtureEstimator:
        parts = tuple(component.estimator(pseudo_count) for component in self.components)
        return GatedMixtureEstimator(parts, self.gate.estimator(pseudo_count), self.name, self.keys, self.missing_covariates)

    def explain_zero_density(self, x: Any) -> str:
        return self.components[int(np.argmax(self.weights_given([x[0]])[0]))].explain_zero_density(x[1])


def check_gate(who: str, gate: Any, K: int) -> None:
    """Raises `ParameterError` unless a law is a gate of K components."""
    if not isinstance(gate, MultinomialLogisticRegressionDistribution) or gate.labels != tuple(range(K)):
        need = f"a MultinomialLogisticRegressionDistribution over the labels 0 to {K - 1}"
        raise ParameterError(f"{who} must be {need}, got {gate!r}")


def regressions(node: Any, components: Any) -> Any:
    """The components, if they are regressions. Raises `StructureError`."""
    for component in components:
        if not hasattr(component, "mean_given"):
            raise StructureError(f"{node.label}: a {component.label} is no regression, so it takes no covariates x")
    return components


def drawn_by(node: Any, components: Any, which: np.ndarray, rng: np.random.Generator, x: Any, given: dict[str, Any]) -> Any:
    """One draw by each of the components that `which` `(n,)` says; of regressions, of the response at covariates x, and what else is
    given."""
    rows = [np.flatnonzero(which == k) for k in range(len(components))]
    order = np.empty(len(which), dtype=np.intp)
    order[np.concatenate(rows)] = np.arange(len(which))
    if x is None:
        return interleaved([c.draw(len(own), rng) for c, own in zip(components, rows, strict=True)], order)
    wide = {field: np.broadcast_to(value, len(which)) for field, value in given.items() if value is not None}
    parts = [
        component.sample_given([x[i] for i in own.tolist()], rng, **{field: value[own] for field, value in wide.items()})
        for component, own in zip(regressions(node, components), rows, strict=True)
        if len(own)
    ]
    return interleaved(parts, order)


def others_odds(odds: np.ndarray, k: int) -> np.ndarray:
    """Log odds against the first of C labels, without label k, against the first that is left: from `(C - 1, ..)` to `(C - 2, ..)`."""
    left = np.delete(np.concatenate([np.zeros_like(odds[:1]), odds]), k, axis=0)
    return left[1:] - left[0]


class GatedSampler(Sampler):
    """Draws at given covariates; successive calls continue one random stream."""

    def sample_given(self, z: Any, x: Any = None, **given: Any) -> Any:
        """One draw for each z `(n, d)`; of regressions, of the response at covariates x."""
        law: Any = self.distribution
        return law.sample_given(z, self.rng, x, **given)


def gated_layout(node: Any, parts: Any, dim: int | None, missing: bool = False) -> Fields:
    """The layout of (z, x). missing: whether z may be."""
    covariates: Layout = Covariates(f"{node.label} gate", dim)
    if missing:
        covariates = Maybe(f"{node.label} gate", covariates)
    return Fields(node.label, (covariates, common_layout(parts, type(node).__name__)))


def gate_covariates(column: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Covariates `(n, d)` of one block, and which rows have none `(n,)` (None: all do); these stand at the mean of the others."""
    if type(column) is not Option:
        return column.x, None
    known: np.ndarray = column.value.x  # type: ignore[attr-defined]
    if len(column.present) == len(column):
        return known, None
    absent = np.ones(len(column), dtype=bool)
    absent[column.present] = False
    z = np.full((len(column), known.shape[1]), known.mean(axis=0) if len(known) else 0.0)
    z[column.present] = known
    return z, absent


def gate_of(who: str, gate: Any, K: int) -> Any:
    """The estimator of a gate of K components; None is the plain one. Raises `ParameterError`."""
    gate, labels = MultinomialLogisticRegressionEstimator() if gate is None else gate, tuple(range(K))
    if not isinstance(gate, MultinomialLogisticRegressionEstimator) or gate.labels not in (None, labels):
        raise ParameterError(f"{who} must be a MultinomialLogisticRegressionEstimator, got {gate!r}")
    return gate.replace(labels=labels)


class GatedMixtureEstimator(Estimator):
    """Maximum likelihood for a gated mixture by EM: components are fitted to their shares of the rows, and the gate takes one Fisher
    scoring step towards the posteriors in each step of EM.

    estimators: one per component. gate: a `MultinomialLogisticRegressionEstimator` (its ridge, intercept, names); None is the plain
    one. keys: (gate, components). missing_covariates: as of the distribution; nothing is learnt from a row without covariates.
    """

    estimators: Sequence[Estimator] = children("component")
    gate: Estimator = child(None, at="gate")
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("gate", "components")
    missing_covariates: bool = setting(False)

    family = GatedMixtureDistribution
    is_mixture = stacks = True
    components_field = "estimators"
    parted = ("estimators",)

    def with_gaps(self, allow: Any) -> Estimator:
        return super().with_gaps(allow).replace(missing_covariates=True)

    def validate(self) -> None:
        gate = gate_of(f"{type(self).__name__}: gate", self.gate, len(self.estimators))
        dim = None if gate.names is None else len(gate.names)
        self.derive(gate=gate, layout=gated_layout(self, self.estimators, dim, self.missing_covariates))

    @property
    def num_components(self) -> int:
        """K, the number of components."""
        return self.together or len(self.estimators)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The labels of the gate: the components' numbers."""
        return Vocabulary(range(self.num_components))

    def component_column(self, column: Any) -> Any:
        """What the components see of a column of observations."""
        return column.fields[1]

    def columns_of_children(self, column: Any) -> tuple[Any, ...]:
        return (*(self.component_column(column) if hasattr(column, "fields") else None,) * len(self.estimators), None)

    def without(self, k: int) -> Any:
        """The estimator of the other components."""
        return self.replace(estimators=but(self.estimators, k), gate=self.gate.replace(labels=None))

    def ties(self) -> Any:
        gate, components = self.keys
        of_components = [() if components is None else ((components, k),) for k in range(len(self.estimators))]
        return None, None, (*of_components, () if gate is None else ((gate, "gate"),))

    def why_outside_support(self, x: Any) -> str | None:
        layout: Any = self.layout
        z, inner = layout.entries(x)
        if self.missing_covariates and not layout.values[0].present([z])[0]:
            return None
        return impossible_under_all(self.estimators, inner)

    def open(self, column: Any, open: Any) -> GatedTape:
        covariates, inner = column.fields
        z, absent = gate_covariates(covariates)
        scored = open.components(self.estimators, inner, self.together)
        tape = MixtureTape(scored, np.ones(scored.scaled.shape[:-1]), np.ones((*open.batch, len(column))))
        return GatedTape(tape, LabelTape(Design(z), None, self.vocabulary), absent)

    def backward(self, tape: GatedTape, weights: np.ndarray, send: Any) -> Node:
        if tape.absent is not None:
            weights = np.where(tape.absent, 0.0, weights)
        if tape.plain is None:
            shares, own = shares_among(tape.scored.scaled, tape.w, tape.total, weights)
        else:
            shares = tape.posterior() * weights[..., None, :]
            own = shares.sum(axis=-1)
        nodes = send.shared_out(self.estimators, tape.scored.tapes, shares)
        return Node(own, [*nodes, Node(share_sums(tape.gate, shares))])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> GatedMixtureDistribution:
        return self.law(gate=children[-1], components=children[:-1], missing_covariates=self.missing_covariates)
