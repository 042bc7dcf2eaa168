"""Mixtures of which the component is known, or partly known, for some of the observations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.domains import Domain, simplex
from dmlcore.base.errors import ParameterError, inside
from dmlcore.base.labels import Vocabulary
from dmlcore.base.marks import holds_mark
from dmlcore.base.numerics import logs_of
from dmlcore.core.declared import children, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, as_values, common_layout, interleaved
from dmlcore.core.estimator import Estimator, impossible_under_all
from dmlcore.core.mixing import exact_mix
from dmlcore.core.partial import UNKNOWN, Known, Outcomes, given
from dmlcore.core.rowlaws import Fixed
from dmlcore.core.weights import drawn_components, weight_prior
from dmlcore.data.evidence import Evidence
from dmlcore.data.layouts import Layout
from dmlcore.data.record_layouts import Fields
from dmlcore.stats.latent.conditional import WithLabel
from dmlcore.stats.latent.mixture import MixtureTape, PosteriorMethods, WeightsOfComponents, given_components, mixed
from dmlcore.stats.univariate.categorical import CategoricalDistribution
from dmlcore.stats.univariate.row_labels import RowLabels


class SemiSupervisedMixtureDistribution(PosteriorMethods, Distribution):
    """A pair `(x, known)` of an observation of a mixture and what is known of its component, with density `sum_k known_k w[k]
    components[k](x)`.

    components: K distributions of one kind of observation. w: mixing weights `(K,)` on the simplex. labels: what the components are
    called; without, their numbers 0, ..., K - 1. `known` is one of the labels (known_k is 1 for it and else 0), None or another mark,
    where nothing is known (all of them are 1), or pairs `(label, probability)`, or a mapping: known_k is then how probable it would be to
    know so much, were k the component. Draws have their label; the densities of all pairs of an observation and a label sum to one.
    Raises `ParameterError` on other weights or labels.
    """

    components: Sequence[Distribution] = children("component")
    w: Any = parameter(simplex)
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("weights", "components")
    labels: Any = parameter(Domain(), default=None, kw_only=True)

    components_field = "components"

    def validate(self) -> None:
        if len(self.w) != len(self.components):
            raise ParameterError(f"{type(self).__name__}: w must have one entry per component, {len(self.components)}, got {len(self.w)}")
        check_labels(self, len(self.components))

    @cached_property
    def layout(self) -> Layout:
        return labelled_layout(self, self.components)

    @property
    def own_key(self) -> str | None:
        return self.keys[0]

    @property
    def num_components(self) -> int:
        """K, the number of components."""
        return self.w.shape[-1]

    @property
    def names(self) -> tuple[Any, ...]:
        """What the components are called."""
        return labels_of_components(self, self.num_components)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, MixtureTape]:
        x, known = column.fields
        scored = score.components(self.components, x, self.batch, logs_of(fits_of(known)))
        return mixed(scored, self.w, score.mix)

    def component_logs(self, column: Any, score: Any) -> np.ndarray:
        """Log densities of x under each component, and how well the component fits what is known, `(K, n)`."""
        x, known = column.fields
        return score.components(self.components, x, extra=logs_of(fits_of(known))).logs  # type: ignore[no-any-return]

    def classify(self, values: Sequence[Any]) -> list[Any]:
        """The most probable label of each of some observations x of which nothing is known."""
        best = self.seq_posterior([(x, None) for x in values]).argmax(axis=1)
        return [self.names[k] for k in best.tolist()]

    def given(self, x: Any, n: int) -> Any:
        value, known = x.entries
        logs, laws = zip(*(given(component, value, n) for component in self.components), strict=True)
        joint = np.array(logs) + logs_of(self.w)[:, None]
        if isinstance(known, Known):
            layout: Any = self.layout
            return given_components(joint + logs_of(fits_of(known.encoded(layout.values[1]).column)), laws)
        if isinstance(known, Outcomes):
            joint = joint + logs_of(known.fits(self.names))[:, None]
        log, posterior = exact_mix(joint)
        posterior[:, log == -np.inf] = 1.0 / len(posterior)  # such rows are refused, or get no weight, above
        labels = CategoricalDistribution(dict(zip(self.names, self.w.tolist(), strict=True)))
        law = Fixed(labels) if value is known is UNKNOWN else RowLabels(Vocabulary(self.names), posterior)
        return log, WithLabel(law, self.names, posterior, laws, first=False) if laws[0].slots else law

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        which, counts, order = drawn_components(self.w, size, rng)
        parts = [as_values(self.components[k].draw(count, rng)) for k, count in zip(which, counts, strict=True)]
        labels = [[self.names[k]] * count for k, count in zip(which.tolist(), counts.tolist(), strict=True)]
        return interleaved([list(zip(*both, strict=True)) for both in zip(parts, labels, strict=True)], order)  # type: ignore[no-any-return]

    def estimator(self, pseudo_count: Any = None) -> SemiSupervisedMixtureEstimator:
        parts = tuple(c.estimator(pseudo_count) for c in self.components)
        own = None if pseudo_count is None else self.w
        return SemiSupervisedMixtureEstimator(parts, own, pseudo_count, self.keys, self.name, labels=self.labels)

    def explain_zero_density(self, x: Any) -> str:
        value, known = x
        layout: Any = self.layout
        fits = fits_of(layout.values[1].encode([known]))[:, 0] * self.w
        if not fits.any():
            return f"{self.label}: {known!r} fits none of the labels {', '.join(map(repr, self.names))}"
        k = int(np.argmax(fits))
        return inside(f"label {self.names[k]!r}", self.components[k].explain_zero_density(value))


class SemiSupervisedMixtureEstimator(WeightsOfComponents):
    """Maximum likelihood by EM for a mixture whose component is known for some of the rows: these are fitted with it, the others by
    posteriors.

    estimators: one per component. labels: what the components are called in the data; without, 0, ..., K - 1. A class without a labelled
    row is one that EM is to find. pseudo_count and suff_stat: of the weights, as of a Mixture. fixed_weights: mixing weights that are not
    estimated. keys: (weights, components).
    """

    estimators: Sequence[Estimator] = children("component")
    suff_stat: Any = setting()
    pseudo_count: Any = setting()
    keys: tuple[str | None, str | None] = keys("weights", "components")
    name: str | None = name()
    labels: Any = parameter(Domain(), default=None, kw_only=True)
    fixed_weights: Any = parameter(Domain(), default=None, kw_only=True)

    family = SemiSupervisedMixtureDistribution
    carried = ("name", "keys", "labels")
    parted = ("estimators",)
    stacks = True
    components_field = "estimators"

    def validate(self) -> None:
        check_labels(self, len(self.estimators))
        self.derive(prior=weight_prior(self, len(self.estimators), type(self).__name__))

    @cached_property
    def layout(self) -> Layout:
        return labelled_layout(self, self.estimators)

    def columns_of_children(self, column: Any) -> tuple[Any, ...]:
        return (column.fields[0] if hasattr(column, "fields") else None,) * len(self.estimators)

    def covers(self, column: Any) -> bool:
        return bool(fits_of(column.fields[1]).all())

    def why_outside_support(self, x: Any) -> str | None:
        value, known = x
        layout: Any = self.layout
        fits = fits_of(layout.values[1].encode([known]))[:, 0]
        if not fits.any():
            return (
                f"{self.label}: {known!r} fits none of the labels {', '.join(map(repr, labels_of_components(self, len(self.estimators))))}"
            )
        return impossible_under_all([e for e, fit in zip(self.estimators, fits, strict=True) if fit > 0], value)

    def open(self, column: Any, open: Any) -> MixtureTape:
        scored = open.components(self.estimators, column.fields[0], self.together)
        return MixtureTape(scored, np.ones(scored.scaled.shape[:-1]), np.ones((*open.batch, len(column))))


def fits_of(known: Any) -> np.ndarray:
    """How well each component fits what is known, `(K, n)`."""
    return np.ascontiguousarray(known.values.x.T[:, known.codes])


def labels_of_components(node: Any, count: int) -> tuple[Any, ...]:
    """What components are called."""
    return tuple(range(count)) if node.labels is None else node.labels


def check_labels(node: Any, count: int) -> None:
    """Raises `ParameterError` unless labels are None, or different ones, one for each component; and where components cannot be mixed."""
    if node.labels is not None:
        labels = tuple(node.labels) if isinstance(node.labels, (tuple, list)) else ()
        if len(labels) != count or len(set(labels)) < count or any(map(holds_mark, labels)) or None in labels:
            need = f"{count} different labels, one for each component, none of them missing"
            raise ParameterError(f"{type(node).__name__}: labels must be {need}, got {node.labels!r}")
        node.derive(labels=labels)
    assert node.layout is not None  # or else it raises


def labelled_layout(node: Any, parts: Any) -> Layout:
    """The layout of pairs of an observation and what is known of its component."""
    count = node.w.shape[-1] if hasattr(node, "w") else node.num_components
    return Fields(node.label, (common_layout(parts, type(node).__name__), Evidence("label", labels=labels_of_components(node, count))))
