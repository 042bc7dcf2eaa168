"""The two walks over a model's tree: log densities forward, weights backward, one block of rows at a time.

`Forward` gives each row's log density and keeps tapes; `Backward` passes one weight per row back along them and collects statistics.
`FirstPass` makes tapes without a model, for the first pass of a fit. All three treat here, once for every family:

- `Distinct` columns: a node is scored on the distinct values once per pass, rows are gathered from that table, and their
  weights are summed per distinct value before any statistics are taken;
- nodes that stand at several places (tied ones): scored once per block and column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base.errors import LikelihoodError
from dmlcore.base.numerics import by_rows, joined
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.mixing import Drawn, exact_mix
from dmlcore.core.statistics import Node
from dmlcore.data.columns import Column, Distinct, Parallel
from dmlcore.kernels.codes import gather, gather_fields, gather_many, scatter, scatter_fields, scatter_many

SMALL = 1e-280  # below this, a weighted sum of scaled densities has lost digits and is taken again in log space


class DistinctTape:
    """The tape of a `Distinct` column: codes into the tape of its distinct values."""

    __slots__ = ("codes", "size", "tape")

    def __init__(self, codes: np.ndarray, size: int, tape: Any):
        self.codes, self.size, self.tape = codes, size, tape


class StackTape:
    """The tape of components that are one stack."""

    __slots__ = ("tape",)

    def __init__(self, tape: Any):
        self.tape = tape


class Components:
    """Several nodes scored on one column: `scaled[k] * exp(shift)` is the density of node k. Shapes `(K, n)` and `(n,)`.

    `logs` `(K, n)` are the log densities; `tapes` a list of K tapes, or one `StackTape`.
    """

    __slots__ = ("logs", "scaled", "shift", "tapes", "uses")

    def __init__(self, tapes: Any, logs: np.ndarray, scaled: np.ndarray, shift: np.ndarray):
        self.tapes, self.logs, self.scaled, self.shift, self.uses = tapes, logs, scaled, shift, 1


class DistinctCache:
    """What has been computed on distinct values in this pass, shared by its blocks."""

    def __init__(self) -> None:
        self.done: dict[Any, Any] = {}
        self.lock = Lock()

    def __reduce__(self) -> Any:  # elsewhere nothing is computed yet
        return DistinctCache, ()

    def get(self, node: Any, values: Column, make: Callable[[Any, Column], Any]) -> Any:
        """What `make(node, values)` gives, made once."""
        key = (id(node), id(values))
        found = self.done.get(key)
        if found is None:
            with self.lock:
                found = self.done.get(key)
                if found is None:
                    found = self.done[key] = make(node, values)
        return found


class Forward:
    """Scores nodes on the columns of one block: `score(node, column)` gives `(log densities (n,), tape)`, never to be written over."""

    def __init__(self, repeated: frozenset[int], tables: DistinctCache, mix: Any = exact_mix):
        self.repeated, self.tables, self.mix = repeated, tables, mix  # how latent nodes weigh their classes
        self.memo: dict[Any, Any] = {}

    def __call__(self, node: Distribution, column: Any) -> tuple[np.ndarray, Any]:
        if type(column) is Distinct:
            if column.codes.ndim == 1 and self._apart(node):
                return self(node, column.values.take(column.codes))
            table, tape = self.tables.get(node, column.values, Forward(self.repeated, DistinctCache(), self.mix))
            return gathered(table, column.codes), DistinctTape(column.codes, len(column.values), tape)
        if type(column) is Parallel and (read := column.read_by(node)) is not column:
            return self(node, read)
        if id(node) not in self.repeated:
            return node.forward(column, self)
        key = (id(node), id(column))
        if key not in self.memo:
            self.memo[key] = (*node.forward(column, self), column)  # keeps the column, and so its id, alive
        return self.memo[key][:2]

    def _apart(self, node: Distribution) -> bool:  # rows that are alike are scored apart where their classes are drawn
        return type(self.mix) is Drawn and bool(node.children())

    def each(self, nodes: Sequence[Distribution], column: Any) -> tuple[np.ndarray, list[Any]]:
        """Log densities `(.., K, n)` of several nodes on one column, one after the other, and their tapes."""
        scores = [self(node, column) for node in nodes]
        return np.stack([log for log, _ in scores], axis=-2), [tape for _, tape in scores]

    def components(self, nodes: Sequence[Distribution], column: Any, shape: tuple[int, ...] = (), extra: Any = None) -> Components:
        """All of `nodes` on one column, scaled by the largest; computed once for nodes tied across places.

        shape: of the stack that they are components of; one of them may be a stack of that shape and an axis more, which holds them all.
        extra: log densities to be added.
        """
        key: Any = None
        if extra is None and self.repeated and self.repeated.issuperset(map(id, nodes)):
            key = (*map(id, nodes), id(column))
            if key in self.memo:
                found = self.memo[key][0]
                found.uses += 1
                return found
        if len(nodes[0].batch) > len(shape):
            logs, tape = self(nodes[0], column)
            tapes: Any = StackTape(tape)
        else:
            logs, tapes = self.each(nodes, column)
        out = scaled_by_largest(logs if extra is None else logs + extra, tapes)
        if key is not None:
            self.memo[key] = (out, column)
        return out


class PendingStatistics:
    """Statistics to be taken later: weights summed per distinct value, with the tape of those values."""

    __slots__ = ("tape", "weights")

    def __init__(self, tape: Any, weights: np.ndarray):
        self.tape, self.weights = tape, weights

    def __add__(self, other: Any) -> Any:
        return self if other is NOTHING else PendingStatistics(self.tape, self.weights + other.weights)


class _Nothing:
    """Statistics of a node whose weights were sent to another it is tied to."""

    def __add__(self, other: Any) -> Any:
        return other


NOTHING: Any = _Nothing()


class Backward:
    """Sends weights down to a child: `send(estimator, tape, weights)` gives the statistics of that child as a `Node`."""

    def __init__(self, tied: dict[int, Any]):
        self.tied = tied  # id of an estimator's node -> its group
        self.waiting: dict[Any, Any] = {}

    def __call__(self, estimator: Estimator, tape: Any, weights: np.ndarray) -> Any:
        if type(tape) is DistinctTape:
            return PendingStatistics(tape.tape, scattered(weights, tape.codes, tape.size))
        return estimator.backward(tape, weights, self)

    def components(
        self, estimators: Sequence[Estimator], scored: Components, w: np.ndarray, total: np.ndarray, weights: np.ndarray
    ) -> Node:
        """Sends `w[k] scored[k] weights / total` to each estimator k; a `Node` of what each gets in all, and their statistics.

        Tied estimators wait, and get the sum over all their places at once.
        """
        groups = tuple(self.tied.get(id(e)) for e in estimators) if scored.uses > 1 else (None,)
        if None in groups:
            shares, sums = shares_among(scored.scaled, w, total, weights)
            return Node(sums, self.shared_out(estimators, scored.tapes, shares))
        key = groups, id(scored)
        first = key not in self.waiting
        if first:
            self.waiting[key] = Waiting(estimators, scored)
        own = np.empty(w.shape)
        self.waiting[key].places.append((w, weights / total, own))
        return Node(own, self.waiting[key].out if first else [NOTHING] * len(estimators))

    def shared_out(self, estimators: Sequence[Estimator], tapes: Any, shares: np.ndarray) -> list[Any]:
        """Statistics of the components of a mixture, from weights `(.., K, n)`."""
        if type(tapes) is StackTape:
            return [self(estimators[0], tapes.tape, shares)]
        return [self(e, tape, shares[..., k, :]) for k, (e, tape) in enumerate(zip(estimators, tapes, strict=True))]

    def finish(self) -> None:
        """Sends what has been waiting."""
        while self.waiting:
            _, tied = self.waiting.popitem()
            tied.out[:] = self.shared_out(tied.estimators, tied.scored.tapes, tied.shares())


class Waiting:
    """Components that are tied to those of other mixtures, and the mixtures' weights: `w` `(.., K)`, `weights / total` `(.., n)`, and where
    to write what each component gets there `(.., K)`. out: where to write the components' statistics."""

    def __init__(self, estimators: Sequence[Estimator], scored: Components):
        self.estimators, self.scored = estimators, scored
        self.places: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.out: list[Any] = [NOTHING] * len(estimators)

    def shares(self) -> np.ndarray:
        """The weights `(.., K, n)` that the components get from all places."""
        ws, rows, owns = zip(*self.places, strict=True)
        w, row, scaled = np.stack(ws, axis=-2), np.stack(rows, axis=-2), self.scored.scaled
        counts = w * (row @ scaled.swapaxes(-1, -2))
        for m, own in enumerate(owns):
            own[...] = counts[..., m, :]
        return np.asarray((w.swapaxes(-1, -2) @ row) * scaled)


class FirstPass:
    """Makes tapes from columns alone. `responsibilities(K, n, estimators, column)` gives the shares `(K, n)` of latent nodes; of the K
    estimators and their common column, where a node has these. batch: the shape of the stack that begins; they are then given for each
    place of its first axis, by a list of such functions."""

    def __init__(self, responsibilities: Any, tables: DistinctCache, batch: tuple[int, ...] = ()):
        self.responsibilities, self.tables, self.batch = responsibilities, tables, batch

    def __call__(self, estimator: Estimator, column: Any) -> Any:
        if type(column) is Distinct:
            inner = FirstPass(self.responsibilities, DistinctCache(), self.batch)
            return DistinctTape(column.codes, len(column.values), self.tables.get(estimator, column.values, inner))
        if type(column) is Parallel and (read := column.read_by(estimator)) is not column:
            return self(estimator, read)
        return estimator.open(column, self)

    def shares(self, K: int, n: int, estimators: Any = (), column: Any = None) -> np.ndarray:
        """Responsibilities `(*batch, K, n)` of one latent node."""
        if not self.batch:
            return np.asarray(self.responsibilities(K, n, estimators, column))
        each = [of(K, n, estimators, column) for of in self._of_each_place()]
        return np.array(each).reshape(*self.batch, K, n)

    def _of_each_place(self) -> list[Any]:
        """What gives responsibilities, for each place of the stack."""
        many = isinstance(self.responsibilities, list)
        return [of for of in (self.responsibilities if many else [self.responsibilities]) for _ in np.ndindex(self.batch[many:])]

    def apart(self, estimators: tuple[Estimator, ...], column: Any) -> list[Any]:
        """Tapes of the laws of a stack that are kept apart, one for each place."""
        return [FirstPass(of, DistinctCache())(e, column) for of, e in zip(self._of_each_place(), estimators, strict=True)]

    def components(self, estimators: tuple[Estimator, ...], column: Any, together: int | None = None) -> Components:
        """Tapes and responsibilities of the components of a latent node. together: how many they are, where they are one stack."""
        K = together or len(estimators)
        shares = self.shares(K, len(column), estimators, column)
        inner = FirstPass(self.responsibilities, self.tables, (*self.batch, K)) if together else self
        tapes: Any = StackTape(inner(estimators[0], column)) if together else [self(e, column) for e in estimators]
        return Components(tapes, np.empty((0, 0)), shares, np.zeros((*self.batch, len(column))))


def scaled_by_largest(logs: np.ndarray, tapes: Any) -> Components:
    """Log densities `(.., K, n)` of K nodes as densities relative to the largest of each row."""
    scaled, shift, odd = kernels.scaled_densities(joined(logs, 2))
    if odd:
        raise LikelihoodError("a log density is NaN or +inf")
    return Components(tapes, logs, scaled.reshape(logs.shape), shift.reshape(*logs.shape[:-2], -1))


def shares_among(scaled: np.ndarray, w: np.ndarray, total: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`w scaled weights / total`, the weights `(.., n)` shared out among K components `(.., K, n)`, and their sums `(.., K)`."""
    *shape, _, n = scaled.shape
    weights = np.broadcast_to(weights, (*shape, n))
    shares, sums = kernels.weighted_posteriors(joined(scaled, 2), joined(w), joined(total), joined(weights))
    return shares.reshape(scaled.shape), sums.reshape(w.shape)


def gathered(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """`table[..., codes]`; where rows have several codes, the sum over these."""
    if codes.ndim > 1:
        return by_rows(gather_fields, table, codes)
    return gather(table, codes) if table.ndim == 1 else by_rows(gather_many, table, codes)


def scattered(weights: np.ndarray, codes: np.ndarray, size: int) -> np.ndarray:
    """Weights `(.., n)` summed for each code below `size`."""
    if codes.ndim > 1:
        return by_rows(scatter_fields, weights, codes, size)
    return scatter(weights, codes, size) if weights.ndim == 1 else by_rows(scatter_many, weights, codes, size)


def take_pending(estimator: Estimator, statistics: Any, send: Backward) -> Any:
    """Takes the statistics that were waiting for the histogram of their distinct values."""
    while type(statistics) is PendingStatistics:
        statistics = send(estimator, statistics.tape, statistics.weights)
        send.finish()
    if statistics is NOTHING:
        return statistics
    children = [take_pending(e, s, send) for e, s in zip(estimator.children(), statistics.children, strict=True)]
    return Node(statistics.own, children)
