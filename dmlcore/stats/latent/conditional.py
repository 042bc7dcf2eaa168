"""Pairs of a label and a value whose law depends on the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from dmlcore.base.domains import Domain
from dmlcore.base.errors import ParameterError, StructureError, inside
from dmlcore.base.labels import FixedDict, Vocabulary, plain
from dmlcore.base.marks import holds_mark
from dmlcore.base.numerics import logs_of
from dmlcore.core.declared import LAST, child, children, keys, name, parameter
from dmlcore.core.distribution import Distribution, as_values, common_layout, typical_of
from dmlcore.core.estimator import Estimator
from dmlcore.core.mixing import exact_mix
from dmlcore.core.partial import UNKNOWN, Known, Outcomes, given
from dmlcore.core.powers import HasProbabilities, HasTypical, Redraws, has
from dmlcore.core.redraw import redrawn_by_component
from dmlcore.core.rowlaws import Fixed, Mixed, Product, RowLaw
from dmlcore.core.statistics import Node
from dmlcore.data.columns import Distinct, Versions
from dmlcore.data.layouts import Labels, Layout
from dmlcore.data.record_layouts import Fields
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.latent.mixture import MixtureDistribution
from dmlcore.stats.univariate.categorical import CategoricalDistribution
from dmlcore.stats.univariate.row_labels import RowLabels


class ByLabel:
    """What a conditional law and its estimator have in common: a node for each label, one for other labels, and one for the labels."""

    labels: tuple[Any, ...]

    @classmethod
    def family_name(cls) -> str:
        """The word for this family in messages."""
        return "conditional"

    def __post_init__(self: Any) -> None:
        field = self._child_fields[0][0]
        nodes = self.__dict__[field]
        if isinstance(nodes, Mapping):
            self.derive(**{field: tuple(nodes.values()), "labels": tuple(map(plain, nodes))})
        elif self.labels is None and isinstance(nodes, (list, tuple)):
            self.derive(labels=tuple(range(len(nodes))))
        super().__post_init__()  # type: ignore[misc]

    def validate(self: Any) -> None:
        """Checks that there is one node for each of several labels, and that all read one kind of value; raises `ParameterError`."""
        labels, nodes, who = self.labels, self.of_labels(), type(self).__name__
        if type(labels) is not tuple or len(labels) != len(nodes) or len(set(labels)) < len(labels) or any(map(holds_mark, labels)):
            raise ParameterError(f"{who}: labels must be {len(nodes)} different labels, one for each, none of them missing, got {labels!r}")
        assert self.layout is not None  # or else it raises

    @property
    def alternatives(self: Any) -> int:
        """How many laws a value may have: one for each label."""
        return len(self.of_labels())

    def of_labels(self: Any) -> tuple[Any, ...]:
        """The nodes of the labels, in order."""
        return self.__dict__[self._child_fields[0][0]]  # type: ignore[no-any-return]

    @cached_property
    def _mapping(self: Any) -> FixedDict:
        return FixedDict(zip(self.labels, self.of_labels(), strict=True))

    @property
    def default_node(self: Any) -> Any:
        """The node of all other labels; None where these have no density."""
        node = getattr(self, self._child_fields[1][0])
        return None if node.says_nothing else node

    @property
    def given_node(self: Any) -> Any:
        """The node of the label."""
        return getattr(self, self._child_fields[2][0])

    def node_of(self: Any, label: Any) -> Any:
        """The node of the values of one label; None where it has no density."""
        return self._mapping.get(label, self.default_node)

    @cached_property
    def layout(self: Any) -> Layout:
        """Which column layout a pair needs."""
        who, default = type(self).__name__, self.default_node
        label = self.given_node.layout.joined(Labels("label"))
        if label is None:
            raise StructureError(f"{who}: a {self.given_node.label} is no law of labels")
        values = common_layout([*self.of_labels(), *([] if default is None else [default])], who)
        return Fields(self.label, (label, values))

    def split(self: Any, column: Any) -> list[tuple[np.ndarray, Any]]:
        """Of a column of pairs, for each label, and then for all others: which rows they are, and the column of their values."""

        def make() -> list[tuple[np.ndarray, Any]]:
            labels, values = column.fields
            at = Vocabulary(self.labels).positions(vocabulary_of(labels))[labels.codes]
            at[at < 0] = len(self.labels)
            order = np.argsort(at.astype(np.int32), kind="stable")
            ends = np.searchsorted(at[order], np.arange(len(self.labels) + 2))
            rows = [order[a:b] for a, b in pairwise(ends)]
            return [(mine, values.take(mine)) for mine in rows]

        return column.kept(self.labels, make)  # type: ignore[no-any-return]

    def places(self: Any) -> list[str]:
        """How each node is reached: by its label."""
        fields = [field for field, _ in self._child_fields]
        return [f"{self.mapping_name}[{label!r}]" for label in self.labels] + fields[1:]

    def steps(self: Any) -> list[str]:
        """How messages name the way to each node: by its label."""
        return [f"label {label!r}" for label in self.labels] + [f"({self.label}) {at}" for at in ("default", "label")]

    def __repr__(self: Any) -> str:
        nodes = ", ".join(f"{label!r}: {node!r}" for label, node in self._mapping.items())
        fields = [f for f, _ in self._fields[1:] if f not in ("labels", *LAST)]
        rest = [
            f", {f}={getattr(self, f)!r}"
            for f in fields
            if getattr(self, f) is not None and not getattr(getattr(self, f), "says_nothing", 0)
        ]
        return f"{type(self).__name__}({{{nodes}}}{''.join(rest)})"


def vocabulary_of(column: Distinct) -> Vocabulary:
    """The distinct labels of a column, which may be read as numbers too."""
    values: Any = column.values
    labels: Any = values.kinds[Labels].value if type(values) is Versions else values
    return labels.x  # type: ignore[no-any-return]


class ConditionalDistribution(ByLabel, Distribution, HasTypical, Redraws):
    """A pair `(label, y)` with density `given_dist(label) dmap[label](y)`.

    dmap: a mapping from labels to the laws of y given each, all of them laws of one kind of value; a list has the labels 0, 1, ...
    default_dist: the law of y given any other label; without one, pairs with other labels have density zero. given_dist: the law of the
    label; without one it says nothing, and labels cannot be drawn, nor guessed from y. Raises `ParameterError` on labels that are missing
    or twice the same, and `StructureError` where laws read different kinds of values.

    Which label goes with a value is what `dmlcore.condition(law, (UNKNOWN, y))` says (Bayes' rule), or for many values
    `label_posterior`.
    """

    dists: Any = children("label")
    default_dist: Distribution = child(default=NullDistribution(), at="default")
    given_dist: Distribution = child(default=NullDistribution(), at="label")
    name: str | None = name()
    keys: str | None = keys()
    labels: Any = parameter(Domain(), default=None, kw_only=True)

    other_names: ClassVar[Mapping[str, str]] = {"dmap": "dists"}
    mapping_name = "dmap"

    @property
    def dmap(self) -> Mapping[Any, Distribution]:
        """The law of y given each label."""
        return self._mapping

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        out, tapes, parts = np.full((*self.batch, len(column)), -np.inf), [], self.split(column)
        for dist, (rows, values) in zip((*self.dists, self.default_dist), parts, strict=True):
            log, tape = score(dist, values)
            tapes.append(tape)
            if dist is not self.default_dist or self.default_node is not None:
                out[..., rows] = log
        log, label_tape = score(self.given_dist, column.fields[0])
        return out + log, ([rows for rows, _ in parts], tapes, label_tape)

    def given(self, x: Any, n: int) -> Any:
        label, y = x.entries
        return self._given_label(label, y, n) if isinstance(label, Known) else self._of_any_label(label, y, n)

    def _given_label(self, label: Known, y: Any, n: int) -> tuple[np.ndarray, RowLaw]:
        """Of rows whose labels are known."""
        column: Any = label.encoded(self.layout.values[0]).column  # type: ignore[attr-defined]
        vocabulary, log, laws, chosen = vocabulary_of(column), np.full(n, -np.inf), [], []
        for code in np.unique(column.codes).tolist():
            rows, node = column.codes == code, self.node_of(vocabulary[code])
            known, law = given(node or self.dists[0], y, n)
            log[rows] = known[rows] if node is not None else -np.inf
            laws.append(law)
            chosen.append(rows)
        log = log + self.given_dist.seq_log_density(label.encoded(self.given_dist.layout))
        if len(laws) == 1 or not laws[0].slots:
            return log, laws[0]
        return log, Mixed(np.array(chosen, dtype=np.float64), laws, MixtureDistribution)

    def _of_any_label(self, label: Any, y: Any, n: int) -> tuple[np.ndarray, RowLaw]:
        """Of rows whose labels are unknown, but for an event."""
        labels, shares = self._shares()
        if isinstance(label, Outcomes):
            shares = shares + logs_of(label.fits(labels))
        logs, laws = zip(*(given(self.node_of(label), y, n) for label in labels), strict=True)
        log, posterior = exact_mix(np.array(logs) + shares[:, None])
        posterior[:, log == -np.inf] = 1.0 / len(posterior)  # such rows are refused, or get no weight, above
        law = Fixed(self.given_dist) if label is y is UNKNOWN else RowLabels(Vocabulary(labels), posterior)
        return log, WithLabel(law, labels, posterior, laws) if laws[0].slots else law

    def _shares(self) -> tuple[list[Any], np.ndarray]:
        """All labels that a pair may have, and the log probability of each."""
        law: Any = self.given_dist
        if law.says_nothing:
            raise StructureError(f"{self.label}: has no given_dist, so nothing can be said of an unknown label; give it one")
        labels = list(self.labels)
        if self.default_node is not None:
            if not has(law, HasProbabilities):
                raise StructureError(
                    f"{self.label}: a {law.label} has no probabilities(), so the labels that take default_dist are unknown"
                )
            labels += [label for label in law.probabilities() if label not in self._mapping]
        shares = law.seq_log_density(labels)
        there = [i for i, share in enumerate(shares) if share > -np.inf]
        return [labels[i] for i in there], shares[there]

    def label_posterior(self, values: Sequence[Any]) -> tuple[list[Any], np.ndarray]:
        """The labels, and the probability of each given each of some values y, `(n, L)`. Raises `StructureError` without given_dist.

        Of a value that has density zero with every label nothing follows: its probabilities are NaN.
        """
        labels, shares = self._shares()
        encoded = {id(node): node.seq_log_density(values) for node in map(self.node_of, labels)}
        log, posterior = exact_mix(np.array([encoded[id(self.node_of(label))] for label in labels]) + shares[:, None])
        posterior[:, log == -np.inf] = np.nan
        return labels, np.ascontiguousarray(posterior.T)

    def classify(self, values: Sequence[Any]) -> list[Any]:
        """The most probable label of each of some values y: the classifier that this law is. None where no label has any density."""
        labels, posterior = self.label_posterior(values)
        best = np.where(np.isnan(posterior).any(axis=1), -1, np.argmax(posterior, axis=1))
        return [None if k < 0 else labels[k] for k in best.tolist()]

    def typical(self) -> Any:
        label = typical_of(self.given_dist)
        return label, typical_of(self._law_of(label))

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        labels = self._drawn_labels(size, rng)
        return list(zip(labels, self.drawn_given(labels, rng), strict=True))

    def drawn_given(self, labels: list[Any], rng: np.random.Generator) -> list[Any]:
        """A value y for each of some labels."""
        which = {label: [] for label in labels}  # type: dict[Any, list[int]]
        for i, label in enumerate(labels):
            which[label].append(i)
        out: list[Any] = [None] * len(labels)
        for label, rows in which.items():
            for i, value in zip(rows, as_values(self._law_of(label).draw(len(rows), rng)), strict=True):
                out[i] = value
        return out

    @cached_property
    def given_covariates(self) -> bool:
        return self.given_dist.says_nothing or any(law.given_covariates for law in self.children())

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        labels = [row[0] for row in rows] if self.given_dist.says_nothing else self._drawn_labels(len(rows), rng)
        numbers = {label: k for k, label in enumerate(dict.fromkeys(labels))}
        which = np.array([numbers[label] for label in labels], dtype=np.intp)
        values = redrawn_by_component([self._law_of(label) for label in numbers], which, [row[1] for row in rows], rng)
        return list(zip(labels, values, strict=True))

    def _drawn_labels(self, size: int, rng: np.random.Generator) -> list[Any]:
        if self.given_dist.says_nothing:
            raise StructureError(f"{self.label}: has no given_dist, so labels cannot be drawn; give it one")
        return as_values(self.given_dist.draw(size, rng))

    def _law_of(self, label: Any) -> Distribution:
        law = self.node_of(label)
        if law is None:
            raise StructureError(f"{self.label}: given_dist draws {label!r}, for which there is no law; add one to dmap, or a default_dist")
        return law  # type: ignore[no-any-return]

    def estimator(self, pseudo_count: Any = None) -> ConditionalDistributionEstimator:
        each = {label: dist.estimator(pseudo_count) for label, dist in self._mapping.items()}
        default, label = self.default_dist.estimator(pseudo_count), self.given_dist.estimator(pseudo_count)
        return ConditionalDistributionEstimator(each, default, label, name=self.name, keys=self.keys)

    def explain_zero_density(self, x: Any) -> str:
        label, y = x
        law = self.node_of(label)
        if law is None:
            return no_such_label(self, label)
        if law.log_density(y) == -np.inf:
            return inside(f"label {label!r}", law.explain_zero_density(y))
        return self.given_dist.explain_zero_density(label)


class WithLabel(Mixed):
    """The law of a label, and of what is unknown of the value that goes with it. label: the law of the label alone. first: whether the
    label stands before the value, or after it."""

    def __init__(self, label: Any, labels: Sequence[Any], posterior: np.ndarray, laws: Sequence[RowLaw], first: bool = True):
        sure = [Fixed(CategoricalDistribution({one: 1.0})) for one in labels]
        pairs = [Product([one, law] if first else [law, one]) for one, law in zip(sure, laws, strict=True)]
        super().__init__(posterior, pairs, MixtureDistribution)
        self.label, self.place = label, 0 if first else laws[0].slots

    def keep(self, slots: list[int]) -> RowLaw:
        return self.label if slots == [self.place] else super().keep(slots)  # type: ignore[no-any-return]


class ConditionalDistributionEstimator(ByLabel, Estimator):
    """Estimates the law of y given each label from the rows of that label, and the law of the label from all rows.

    estimator_map: a mapping from labels to estimators; a list has the labels 0, 1, ... default_estimator: of y given all other labels;
    without one, a row with another label is an error that names it. given_estimator: of the label.
    """

    estimators: Any = children("label")
    default_estimator: Estimator = child(default=NullEstimator(), at="default")
    given_estimator: Estimator = child(default=NullEstimator(), at="label")
    name: str | None = name()
    keys: str | None = keys()
    labels: Any = parameter(Domain(), default=None, kw_only=True)

    family = ConditionalDistribution
    carried = ("name", "keys", "labels")
    parted = ("estimators", "default_estimator")
    other_names: ClassVar[Mapping[str, str]] = {"estimator_map": "estimators"}
    mapping_name = "estimator_map"
    stacks = True

    @property
    def estimator_map(self) -> Mapping[Any, Estimator]:
        """The estimator of y given each label."""
        return self._mapping

    def open(self, column: Any, open: Any) -> Any:
        parts = self.split(column)
        tapes = [open(e, values) for e, (_, values) in zip((*self.estimators, self.default_estimator), parts, strict=True)]
        return [rows for rows, _ in parts], tapes, open(self.given_estimator, column.fields[0])

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        each, tapes, label_tape = tape
        nodes = zip((*self.estimators, self.default_estimator), tapes, each, strict=True)
        values = [send(e, t, np.ascontiguousarray(weights[..., rows])) for e, t, rows in nodes]
        return Node(None, [*values, send(self.given_estimator, label_tape, weights)])

    def covers(self, column: Any) -> bool:
        return self.default_node is not None or set(vocabulary_of(column.fields[0])) <= set(self.labels)

    def why_outside_support(self, x: Any) -> str | None:
        label, y = x
        node = self.node_of(label)
        if node is None:
            return no_such_label(self, label)
        why = node.why_outside_support(y)
        return inside(f"label {label!r}", why) if why else self.given_estimator.why_outside_support(label)

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> ConditionalDistribution:
        *dists, default, label = children
        return self.law(dists=tuple(dists), default_dist=default, given_dist=label)


def no_such_label(node: Any, label: Any) -> str:
    """Why a label has no density."""
    return (
        f"{node.label}: {label!r} has density zero; it is none of the labels {', '.join(map(repr, node.labels))}, and there is no default"
    )
