"""Lists whose elements depend on those right before them, as well as on states that nobody sees."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base.domains import Whole
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.core.declared import child, keys, name, parameter
from dmlcore.core.distribution import Distribution, as_values
from dmlcore.core.estimator import Estimator
from dmlcore.core.partial import UNKNOWN, Known, Parts, given
from dmlcore.core.rowlaws import Mixed, RowLaw
from dmlcore.core.statistics import Node
from dmlcore.data.columns import ends_of
from dmlcore.data.encoded import Encoded
from dmlcore.data.layouts import Layout, Maybe
from dmlcore.data.record_layouts import Fields
from dmlcore.data.sequences import Lookback, Repeated
from dmlcore.stats.latent.joined import distribution_of
from dmlcore.stats.latent.mixture import MixtureDistribution
from dmlcore.stats.latent.state_paths import drawn_paths
from dmlcore.stats.sequences.sequence import drawn_lengths

OF_ONE = ("posterior", "filtered_posterior", "pair_posterior", "most_probable_states", "viterbi")  # what is asked of the chain
OF_MANY = ("seq_posterior", "seq_filtered_posterior", "seq_most_probable_states", "seq_viterbi")
OF_CHAIN = ("w", "transitions", "num_states")
PAIRS = "a law of lists of pairs (first elements or None, window or None)"


class LookbackDistribution(Distribution):
    """A list `x`, of which `dist` reads its first `lag` elements, and each further one together with the `lag` before it.

    dist: a law of lists of pairs: `(x[:lag], None)`, and then `(None, window)` for each further element x_t, where a window is
    `(x[t - lag], .., x[t])`; to laws of tuples of two, it is the pair `((x[t - lag], .., x[t - 1]), x[t])` where lag is more than 1. Of an
    empty list it reads none. With the hidden Markov model that `LookbackHiddenMarkovDistribution` makes, each state has a law of first
    elements and one of windows. The density is that of `dist`, and so sums to one where the laws of windows are those of x_t given the
    others: conditional laws, regressions. Its methods of states (`posterior`, `most_probable_states`, ..) have one row for each pair:
    of T elements, T - lag + 1.
    """

    dist: Distribution = child()
    lag: int = parameter(Whole(0), default=1)
    name: str | None = name()
    keys: str | None = keys()

    shown_with_child = True

    def validate(self) -> None:
        looking_back(self, self.dist)

    @cached_property
    def layout(self) -> Layout:
        return looking_back(self, self.dist)

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Any]:
        return score(self.dist, column.pairs)

    def __getattr__(self, name: str) -> Any:
        if name in OF_CHAIN:
            return getattr(self.dist, name)
        if name not in (*OF_ONE, *OF_MANY):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        answer, layout = getattr(self.dist, name), self.layout
        read = layout.pairs if name in OF_ONE else self._encoded_pairs  # type: ignore[attr-defined]
        return lambda x, *args, **options: answer(read(x), *args, **options)

    def _encoded_pairs(self, data: Any) -> Encoded:
        column: Any = self.seq_encode(data).column
        return Encoded(column.pairs, self.dist.layout)

    def predict(self, x: Any) -> Any:
        """The law of the element after the end of a list of at least `lag` elements."""
        if len(x) < max(self.lag, 1):
            raise ParameterError(f"{self.label}: predict needs a list of at least {max(self.lag, 1)} elements, got {len(x)}")
        chain: Any = self.dist
        ahead = self.filtered_posterior(x)[-1] @ chain.transitions
        each = [self._next(s, [list(x)[len(x) - self.lag :]]) for s in range(chain.num_states)]
        logs = np.array([log[0] for log, _ in each])
        weights = ahead * np.exp(logs - logs.max())
        return distribution_of(Mixed(weights[:, None] / weights.sum(), [law for _, law in each], MixtureDistribution))

    def _next(self, state: int, past: list[Any]) -> tuple[np.ndarray, RowLaw]:
        """Log densities of the elements before, and the laws of the element after them, in a state."""
        window = self._parts_of(state)[1]
        columns = [Known(list(map(tuple, past)))] if self.layout.apart else [Known(list(column)) for column in zip(*past, strict=True)]  # type: ignore[attr-defined]
        return given(window, Parts([*columns, UNKNOWN]), len(past))

    def _parts_of(self, state: int) -> tuple[Any, Any]:
        """The laws of first elements and of windows in a state. Raises `StructureError` where it has no such form."""
        try:
            first, window = self.dist.emission(state).dists  # type: ignore[attr-defined]
            return first.dist, window.dist
        except (AttributeError, ValueError):
            need = "is drawn from and predicted with a hidden Markov model alone, as LookbackHiddenMarkovDistribution makes it"
            raise StructureError(f"{self.label}: {need}") from None

    @cached_property
    def given_covariates(self) -> bool:
        return False  # elements are given those before them, which are drawn

    def draw(self, size: int, rng: np.random.Generator) -> list[list[Any]]:
        self._parts_of(0)
        lengths = drawn_lengths(self.dist, size, rng)
        path, begins = drawn_paths(self.dist, lengths, rng), ends_of(lengths)[:-1]
        out: list[list[Any]] = [[] for _ in range(size)]
        for t in range(int(lengths.max(initial=0))):
            alive = np.flatnonzero(lengths > t)
            states = path[begins[alive] + t]
            for s in np.unique(states).tolist():
                rows = alive[states == s].tolist()
                if t == 0:
                    for row, block in zip(rows, as_values(self._parts_of(s)[0].draw(len(rows), rng)), strict=True):
                        out[row] = list(block)
                else:
                    law = self._next(s, [out[row][len(out[row]) - self.lag :] for row in rows])[1]
                    for row, value in zip(rows, as_values(law.draw(np.arange(len(rows)), rng)[0]), strict=True):
                        out[row].append(value)
        return out

    def estimator(self, pseudo_count: Any = None) -> LookbackEstimator:
        return LookbackEstimator(self.dist.estimator(pseudo_count), self.lag, self.name, self.keys)

    def explain_zero_density(self, x: Any) -> str:
        return f"{self.label}, as pairs: {self.dist.explain_zero_density(self.layout.pairs(x))}"  # type: ignore[attr-defined]


class LookbackEstimator(Estimator):
    """Estimates the law of the pairs as which a list is read. estimator: of lists of pairs. lag: as of `LookbackDistribution`."""

    estimator: Estimator = child()
    lag: int = parameter(Whole(0), default=1)
    name: str | None = name()
    keys: str | None = keys()

    family = LookbackDistribution
    carried = ("lag", "name", "keys")
    shown_with_child = True
    stacks = True

    def validate(self) -> None:
        looking_back(self, self.estimator)

    @cached_property
    def layout(self) -> Layout:
        return looking_back(self, self.estimator)

    def open(self, column: Any, open: Any) -> Any:
        return open(self.estimator, column.pairs)

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        return Node(None, [send(self.estimator, tape, weights)])

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> LookbackDistribution:
        return self.law(dist=children[0])

    def why_outside_support(self, x: Any) -> str | None:
        return self.estimator.why_outside_support(self.layout.pairs(x))  # type: ignore[attr-defined]

    def why_foreign(self, law: Any) -> str | None:
        return None if law.lag == self.lag else f"looks back {law.lag} elements, the estimator {self.lag}"


def looking_back(node: Any, inner: Any) -> Lookback:
    """The layout of lists that are read as pairs. Raises `ParameterError` where the law within reads something else."""
    lists = inner.layout
    pair = lists.value if isinstance(lists, Repeated) else None
    if not isinstance(pair, Fields) or len(pair.values) != 2 or not all(isinstance(part, Maybe) for part in pair.values):
        raise ParameterError(f"{type(node).__name__}: needs {PAIRS}; {inner.label} reads {lists}")
    window: Any = pair.values[1]
    return Lookback(node.label, lists, node.lag, node.lag > 1 and isinstance(window.value, Fields) and len(window.value.values) == 2)
