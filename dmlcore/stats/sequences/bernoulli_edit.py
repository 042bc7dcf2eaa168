"""Pairs of sets of labels: what each label became, on its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base import special
from dmlcore.base.domains import Proportions, chosen_probability
from dmlcore.base.errors import EmptyError, ParameterError, StructureError, inside, shorten
from dmlcore.base.label_domains import LabelProbabilities
from dmlcore.base.labels import LabelMap, Vocabulary
from dmlcore.base.numerics import logs_of
from dmlcore.core.declared import child, keys, name, parameter, setting
from dmlcore.core.distribution import Distribution, as_values, typical_of
from dmlcore.core.estimator import Estimator, pseudo_counts
from dmlcore.core.partial import Known
from dmlcore.core.powers import HasTypical, Redraws
from dmlcore.core.prior import PseudoObservations
from dmlcore.core.rowlaws import EachRow, Fixed, RowLaw
from dmlcore.core.statistics import Counts, Node
from dmlcore.core.walk import gathered, scattered
from dmlcore.data.columns import Distinct
from dmlcore.data.edited_sets import ADDED, REMOVED, STAYED, EditedSets
from dmlcore.data.layouts import Anything, Layout
from dmlcore.data.sequences import LabelSet
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.sequences.bernoulli_set import (
    BernoulliSetDistribution,
    check_closed,
    counts_in_sets,
    drawn_sets,
    first_strange,
    log_densities_of_sets,
)


def pairs_of_sets(node: Any, before: Any) -> EditedSets:
    """The layout of pairs of sets, the first of which a law reads. Raises `StructureError` where that is no law of sets."""
    if not isinstance(before.layout, (LabelSet, Anything)):
        raise StructureError(f"{node.label}: a {before.label} is no law of the set before, which is a set of labels")
    return EditedSets(node.label, (LabelSet(node.label), LabelSet(node.label)))


class BernoulliEditDistribution(Distribution, HasTypical, Redraws):
    """A pair of sets (before, after): with density `init_dist(before)` times, for each label a by itself, the probability of what became
    of it: a label that was not there is added with probability added[a], and one that was is kept with probability kept[a].

    added, kept: probabilities in [0, 1] of the same labels. Pairs with other labels have density zero. init_dist: the law of the set
    before; without one it says nothing, and pairs cannot be drawn, nor the set before guessed. min_prob: as of a BernoulliSet. Draws are
    lists in the order of the labels. Raises `ParameterError` outside these domains.
    """

    added: Any = parameter(LabelProbabilities(total=False))
    kept: Any = parameter(LabelProbabilities(total=False))
    init_dist: Distribution = child(default=NullDistribution(), at="before")
    min_prob: float = parameter(chosen_probability, default=1e-128)
    name: str | None = name()
    keys: str | None = keys()

    def validate(self) -> None:
        added, kept = self.stored("added"), self.stored("kept")
        if added.labels.place.keys() != kept.labels.place.keys():
            raise ParameterError("BernoulliEditDistribution: added and kept must have the same labels")
        self.derive(kept=LabelMap(added.labels, kept.lookup(added.labels, kept.values_array, 0.0)))

    @property
    def labels(self) -> Vocabulary:
        """All labels."""
        return self.stored("added").labels  # type: ignore[no-any-return]

    @cached_property
    def layout(self) -> Layout:
        return pairs_of_sets(self, self.init_dist)

    def _probabilities(self) -> tuple[np.ndarray, np.ndarray]:
        return self.stored("added").values_array, self.stored("kept").values_array

    def _log_tables(self) -> list[np.ndarray]:
        """Logarithms of the probabilities that a label is left out, removed, added and kept, each `(.., labels)`."""
        q, k = self._probabilities()
        return [logs_of(np.maximum(p, self.min_prob)) for p in (1.0 - q, 1.0 - k, q, k)]

    @cached_property
    def _logs(self) -> tuple[Vocabulary, np.ndarray, np.ndarray, Any]:
        """All edits; their log odds against being left out; which of them a label must have; and the log probability that none is made."""
        out, *done = self._log_tables()
        sure = out == -np.inf
        base = np.where(sure, 0.0, out)
        odds = np.concatenate([log - base for log in done], axis=-1)
        return edits_to(self.labels), odds, np.concatenate([sure] * 3, axis=-1), base.sum(axis=-1)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        before, edits = column.fields
        log, tape = score(self.init_dist, before)
        sets = edits.values if type(edits) is Distinct else edits
        labels, odds, sure, base = self._logs
        own = log_densities_of_sets(sets, labels, odds, sure, base, sure.sum(axis=-1) // 3)
        return log + (gathered(own, edits.codes) if type(edits) is Distinct else own), (edits, tape)

    def log_likelihood(self, statistics: Any) -> float:
        parts = labelled(statistics, self.labels)
        known = sum(part.sum(axis=-1) for part in parts[1:])
        if np.any(statistics.weights.sum(axis=-1) > known + 1e-9 * statistics.total):
            return -np.inf
        q, k = self._probabilities()
        p = [np.maximum(each, self.min_prob) for each in (1.0 - q, 1.0 - k, q, k)]
        return sum(special.xlogy(part, each).sum(axis=-1) for part, each in zip(parts, p, strict=True))  # type: ignore[return-value]

    def given(self, x: Any, n: int) -> tuple[np.ndarray, RowLaw]:
        before, after = x.entries
        if isinstance(before, Known):
            encoded = before.encoded(LabelSet(self.label))
            laws = [self._after(row) for row in encoded.column.listed()]
            return self.init_dist.seq_log_density(encoded.column.listed()), EachRow(laws)
        if isinstance(after, Known):
            pairs = [self._before(row) for row in after.encoded(LabelSet(self.label)).column.listed()]
            return np.array([log for log, _ in pairs]), EachRow([law for _, law in pairs])
        return np.zeros(n), EditedPair(self)

    def _after(self, before: Any) -> BernoulliSetDistribution:
        """The law of the set after, given that before."""
        return BernoulliSetDistribution(LabelMap(self.labels, self._share_after([before])[0]), self.min_prob)

    def _share_after(self, before: Any) -> np.ndarray:
        """How probable each label is after, for each set before `(n, labels)`."""
        q, k = self._probabilities()
        out = np.tile(q, (len(before), 1))
        for i, row in enumerate(before):
            there = [self.labels.place[a] for a in row if a in self.labels]
            out[i, there] = k[there]
        return out

    def _share_before(self) -> np.ndarray:
        """How probable each label is before. Raises `StructureError` unless these are independent."""
        law: Any = self.init_dist
        if not isinstance(law, BernoulliSetDistribution):
            what = "has no init_dist" if law.says_nothing else f"a {law.label} is no BernoulliSet"
            raise StructureError(f"{self.label}: {what}, so nothing can be said here of the set before")
        if not set(law.pmap) <= set(self.labels):
            raise StructureError(f"{self.label}: the set before may hold labels of which nothing is known after")
        return np.array([law.pmap.get(a, 0.0) for a in self.labels])

    def _before(self, after: Any) -> tuple[float, BernoulliSetDistribution]:
        """The log probability of a set after, and the law of that before it."""
        r, (q, k) = self._share_before(), self._probabilities()
        there = np.isin(np.arange(len(self.labels)), [self.labels.place.get(a, -1) for a in after])
        kept, added = r * np.where(there, k, 1.0 - k), (1.0 - r) * np.where(there, q, 1.0 - q)
        total = kept + added
        log = float(logs_of(total).sum()) if all(a in self.labels for a in after) else -np.inf
        p = np.where(total > 0, kept / np.where(total > 0, total, 1.0), 0.0)
        return log, BernoulliSetDistribution(LabelMap(self.labels, p), self.min_prob)

    def after(self) -> BernoulliSetDistribution:
        """The law of the set after, whatever it was before."""
        r, (q, k) = self._share_before(), self._probabilities()
        return BernoulliSetDistribution(LabelMap(self.labels, r * k + (1.0 - r) * q), self.min_prob)

    def typical(self) -> Any:
        before = typical_of(self.init_dist)
        return before, self._after(before).typical()

    def sample_given(self, before: Any, rng: np.random.Generator) -> list[list[Any]]:
        """One set after for each of some sets before."""
        return drawn_sets(self.labels, len(before), lambda start, stop: self._share_after(before[start:stop]), rng)

    def draw(self, size: int, rng: np.random.Generator) -> list[Any]:
        if self.init_dist.says_nothing:
            raise StructureError(f"{self.label}: has no init_dist, so pairs cannot be drawn; give it one, or use sample_given")
        before = as_values(self.init_dist.draw(size, rng))
        return list(zip(before, self.sample_given(before, rng), strict=True))

    @cached_property
    def given_covariates(self) -> bool:
        return self.init_dist.says_nothing

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        if not self.given_covariates:
            return self.draw(len(rows), rng)
        before = [list(row[0]) for row in rows]
        return list(zip(before, self.sample_given(before, rng), strict=True))

    def estimator(self, pseudo_count: Any = None) -> BernoulliEditEstimator:
        own = None
        if pseudo_count is not None:
            q, k = self._probabilities()
            own = dict(zip(self.labels, (np.array([1.0 - q, 1.0 - k, q, k]).T / 2).tolist(), strict=True))
        before = self.init_dist.estimator(pseudo_count)
        return BernoulliEditEstimator(before, self.min_prob, pseudo_count, own, name=self.name, keys=self.keys)

    def explain_zero_density(self, x: Any) -> str:
        before, after = x
        if self.init_dist.log_density(before) == -np.inf:
            return inside("before", self.init_dist.explain_zero_density(before))
        strange = [a for a in (*before, *after) if a not in self.labels]
        if strange:
            return f"{self.label}: {strange[0]!r} is not among its labels"
        for a, *logs in zip(self.labels, *self._log_tables(), strict=True):
            how = (a in before) + 2 * (a in after)
            if logs[how] == -np.inf:
                return f"{self.label}: {shorten(x)} has density zero; {a!r} is never {('left out', 'removed', 'added', 'kept')[how]}"
        return super().explain_zero_density(x)


def edits_to(labels: Vocabulary) -> Vocabulary:
    """All that labels may become but left out: those removed, then those added, then those kept."""
    return Vocabulary((a, how) for how in (REMOVED, ADDED, STAYED) for a in labels)


def labelled(statistics: Counts, labels: Vocabulary) -> list[np.ndarray]:
    """How much weight each label has that is left out, removed, added and kept, each `(.., labels)`; other labels do not count."""
    removed, added, kept = np.split(statistics.over(edits_to(labels)), 3, axis=-1)
    total = np.asarray(statistics.total)[..., None]
    out = total - removed - added - kept
    return [np.where(out > 1e-12 * total, out, 0.0), removed, added, kept]  # less is a rounding error


class EditedPair(RowLaw):
    """Both sets of a pair."""

    slots = 2

    def __init__(self, law: BernoulliEditDistribution):
        self.law = law

    def keep(self, slots: list[int]) -> RowLaw:
        if len(slots) == 2:
            return self
        return Fixed(self.law.init_dist if slots == [0] else self.law.after())

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        return list(map(list, zip(*self.law.draw(len(rows), rng), strict=True))) if len(rows) else [[], []]


class BernoulliEditEstimator(Estimator):
    """Maximum likelihood: of the pairs without a label, the share to which it is added, and of those with it, the share that keep it; where
    there are no such pairs, the probability is as it was before a step, and one half at first.

    init_estimator: of the set before. pseudo_count=a with suff_stat, a mapping from labels to four shares (left out, removed, added, kept):
    a pseudo-pairs that look so (default: all four alike); their log likelihood is the log prior. Labels of suff_stat are allowed for
    beside those in the data; closed: whether there are no others, so that a pair with another is an error. two_levels: all labels have
    one of two probabilities to be added, and one of two to be kept: of all ways to part the labels in two, the likeliest.
    """

    init_estimator: Estimator = child(default=NullEstimator(), at="before")
    min_prob: float = parameter(chosen_probability, default=1e-128)
    pseudo_count: Any = setting()
    suff_stat: Any = setting()
    two_levels: bool = setting(False)
    name: str | None = name()
    keys: str | None = keys()
    closed: bool = setting(False, kw_only=True)

    family = BernoulliEditDistribution
    stacks = True
    labels: ClassVar[Any] = None

    def validate(self) -> None:
        pseudo_counts(self.pseudo_count, 1, "BernoulliEditEstimator")
        check_closed(self)
        if self.suff_stat is None:
            return
        need = "BernoulliEditEstimator: suff_stat must be a mapping from labels to four shares (left out, removed, added, kept)"
        if not isinstance(self.suff_stat, Mapping):
            raise ParameterError(need)
        try:
            shares = {a: Proportions().check(four) for a, four in self.suff_stat.items()}
        except ParameterError:
            raise ParameterError(need) from None
        if any(len(four) != 4 for four in shares.values()):
            raise ParameterError(need)
        self.derive(suff_stat={a: tuple(four.tolist()) for a, four in shares.items()})

    @cached_property
    def layout(self) -> Layout:
        return pairs_of_sets(self, self.init_estimator)

    def covers(self, column: Any) -> bool:
        edits = column.fields[1]
        sets: Any = edits.values if type(edits) is Distinct else edits
        return first_strange(self, (a for a, _ in sets.flat.values.x)) is None

    def why_outside_support(self, x: Any) -> str | None:
        before, after = x
        why = self.init_estimator.why_outside_support(before)
        return inside("before", why) if why else first_strange(self, (*before, *after))

    def open(self, column: Any, open: Any) -> Any:
        before, edits = column.fields
        return edits, open(self.init_estimator, before)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        edits, before = tape
        if type(edits) is Distinct:
            own = counts_in_sets(edits.values, scattered(weights, edits.codes, len(edits.values)))
        else:
            own = counts_in_sets(edits, weights)
        return Node(own, [send(self.init_estimator, before, weights)])

    def resolve(self, statistics: Counts) -> Self:
        (count,) = pseudo_counts(self.pseudo_count, 1, "BernoulliEditEstimator")
        shares = self.suff_stat or {}
        seen: Any = statistics.weighty()
        labels = Vocabulary([*(() if self.closed else (a for a, _ in seen)), *shares])
        if not count > 0:
            return self.pinned(labels=labels, prior=None)
        four = np.array([shares.get(a, (0.25,) * 4) for a in labels]).reshape(len(labels), 4)
        return self.pinned(labels=labels, prior=PseudoObservations(Counts(edits_to(labels), count * four[:, 1:].T.ravel(), count)))

    def assemble(self, own: Counts, children: tuple[Any, ...], previous: Any = None) -> BernoulliEditDistribution:
        both = self.with_prior(own)
        if previous is None and not np.any(both.total > 0):
            raise EmptyError(f"{self.label}: no row gives it any weight; it cannot be estimated without pseudo_count")
        out, removed, added, kept = labelled(both, self.labels)
        tables = {}
        for field, yes, no in (("added", added, out), ("kept", kept, removed)):
            law = None if previous is None else previous.stored(field)
            before = np.full(yes.shape, 0.5) if law is None else law.lookup(self.labels, law.values_array, 0.0)
            p = np.where(yes + no > 0, yes / np.where(yes + no > 0, yes + no, 1.0), before)
            tables[field] = LabelMap(self.labels, parted_in_two(yes, no, p) if self.two_levels else p)
        return self.law(np.shape(both.total), **tables, init_dist=children[0], min_prob=self.min_prob)


def parted_in_two(yes: np.ndarray, no: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Of labels `(.., L)` with so much weight for and against, and shares in favour, the likeliest probabilities of which no more than two
    differ.

    Some cut of the labels in the order of their shares parts them best, as the log likelihood of a part is convex in its two sums (Breiman
    et al. 1984, section 4.4).
    """
    order = np.argsort(share, axis=-1, kind="stable")
    low = [np.cumsum(np.take_along_axis(part, order, axis=-1), axis=-1) for part in (yes, no)]
    if not order.shape[-1]:
        return share
    high = [np.maximum(part[..., -1:] - part, 0.0) for part in low]
    gain = sum(special.xlogy(a, rate(a, b)) + special.xlogy(b, rate(b, a)) for a, b in (low, high))
    cut = np.argmax(gain, axis=-1)[..., None]
    below, above = (rate(*(np.take_along_axis(part, cut, axis=-1) for part in parts)) for parts in (low, high))
    levels = np.where(np.arange(order.shape[-1]) <= cut, below, above)
    out = np.empty(share.shape)
    np.put_along_axis(out, order, levels, axis=-1)
    return out


def rate(yes: np.ndarray, no: np.ndarray) -> np.ndarray:
    """`yes / (yes + no)`; one half where there is neither."""
    total = yes + no
    return np.where(total > 0, yes / np.where(total > 0, total, 1.0), 0.5)
