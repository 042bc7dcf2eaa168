"""A model to fit and the data to fit it to: expectation, maximisation, and the random start, over blocks and threads."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cached_property, reduce
from operator import add
from typing import Any

import numpy as np

from dmlcore.base.errors import DegenerateError, EmptyError, LikelihoodError, StructureError, SupportError
from dmlcore.base.random import spawn
from dmlcore.base.threads import map_in_order, thread_count
from dmlcore.core.declared import check_node, same
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.keys import Ties, log_prior, maximise, own_statistics, placed, preorder, resolve
from dmlcore.core.stacks import Stacking, taken
from dmlcore.core.walk import Backward, DistinctCache, FirstPass, Forward, take_pending
from dmlcore.data.columns import Distinct
from dmlcore.data.encoded import Encoded, encode, observation, plain_observations, row_weights
from dmlcore.data.frames import check_paired, index_of
from dmlcore.data.values import listed
from dmlcore.fitting.assignment import EVEN_SHARE, random_shares, rule_of, shares_first
from dmlcore.fitting.impossible import first_impossible
from dmlcore.fitting.seeding import Descriptions, shares_apart
from dmlcore.kernels.codes import scatter

HELD = 1e-3  # of a row's weight, below which a component does not hold it


class Problem:
    """Encoded data with weights, and an estimator resolved on them. `estimator` is the tree whose every place is a node of its own.

    latent: whether the law of a row sums over what is not seen. choosing: whether it does so over several classes, so that starts differ.
    """

    stacking: Stacking | None = None  # of a problem whose models are stacks

    def __init__(self, data: Any, estimator: Estimator, weights: Any = None, threads: int | None = None):
        check_node(estimator, Estimator.noun, "the second argument", StructureError)
        self.estimator = estimator
        self.threads = thread_count(threads)
        self.share = 1.0  # of the rows that the estimator was resolved on
        self.assign = "soft"
        self._draws: np.random.Generator | None = None
        self._hold(data, weights)
        self._learn(estimator)

    def _learn(self, estimator: Estimator) -> None:
        """Resolves an estimator on the rows."""
        ties = Ties(estimator)
        with np.errstate(over="ignore", invalid="ignore"):  # values too large for their squares are named by `resolve`
            owns = self._all_said(estimator, ties)
        self.estimator = resolve(estimator, owns, ties)
        self.ties = Ties(self.estimator)
        self.exact = all(node.exact for node in self.ties.nodes)
        entangled = any(node.entangled for node in self.ties.nodes)  # places must be told apart, which only now are nodes of their own
        self._start_owns = self._all_said(self.estimator, self.ties) if entangled else owns

    def _all_said(self, estimator: Estimator, ties: Ties) -> list[Any]:
        """Statistics of all rows under every choice; learns on the way whether there is any."""
        self.latent = self.choosing = False
        return ties.pool(own_statistics(estimator, self._opened(estimator, ties, self._whole)))

    def _hold(self, data: Any, weights: Any) -> None:
        data = listed(data)
        encoded = encode(data, self.estimator.layout)
        check_paired(index_of(data), weights, "weights", "data")
        w = row_weights(weights, len(encoded))
        self.rows = len(encoded)
        self.unit = 1.0 if w is None else float(w.sum() / np.count_nonzero(w))  # the mean weight of a row that has any
        self.raw, self.codes, self.copies = data, None, None
        self.given_weights = np.ones(1) if w is None else w
        if type(encoded.column) is Distinct:  # rows that repeat are kept once, with their weight
            self.codes = encoded.column.codes
            w = scatter(np.ones(len(encoded)) if w is None else w, self.codes, len(encoded.column.values))
            self.copies = np.bincount(self.codes, minlength=len(w))
            encoded = Encoded(encoded.column.values, encoded.layout)
        self.encoded, self.weights = encoded, w

    def stacked(self, starts: int | None = None, apart: bool = False) -> Problem:
        """The same problem for stacks of models: their estimator, and theirs alone, changes. starts: how many models are one stack; None
        is for one model whose like parts are stacks; apart: or are not."""
        key = starts, apart
        if key not in self.ties.stacked:
            shape = () if starts is None else (starts,)
            stacking = Stacking(self.estimator, apart, shape, None if apart else self.encoded.column)
            self.ties.stacked[key] = stacking, Ties(stacking.stacked)
        out = self._copy()
        out.stacking, out.ties = self.ties.stacked[key]
        out.estimator = out.stacking.stacked
        return out

    @property
    def stackable(self) -> bool:
        """Whether several models can be one stack: not where ties hold parts together that a stack keeps apart."""
        return not self.ties.any or all(e.stacks for e in self.ties.nodes)

    def stack(self, models: Sequence[Distribution]) -> Any:
        """Models as the stack of such a problem."""
        assert self.stacking is not None
        return self.stacking.of(models)

    def _copy(self) -> Problem:
        out = copy.copy(self)
        out.__dict__.pop("_ones", None)
        return out

    @property
    def work(self) -> int:
        """What a step holds at once: encoded rows, or elements where rows hold many, times the nodes of the model."""
        elements = self.encoded.column.work()
        return max(len(self.encoded), 0 if elements is None else int(elements[-1])) * len(self.ties.nodes)

    @property
    def row_weights(self) -> np.ndarray:
        """The weight of each encoded row `(n,)`."""
        return np.ones(len(self.encoded)) if self.weights is None else self.weights

    @property
    def weight(self) -> float:
        """The weight of all rows."""
        return float(self.row_weights.sum())

    @property
    def scalable(self) -> bool:
        """Whether statistics that hold under any law can be multiplied: a user's need not be."""
        return all(own is None or isinstance(own, np.ndarray) or hasattr(own, "scaled") for own in self._start_owns if not local(own))

    @property
    def closed(self) -> bool:
        """Whether the maximum follows from the statistics of all rows."""
        return self.exact and not self.latent

    @property
    def start_statistics(self) -> list[Any]:
        """Statistics of all rows under every choice, pooled by key."""
        return self._start_owns

    @property
    def local(self) -> bool:
        """Whether some statistics hold at one law alone, so that those of other laws do not add to them."""
        return any(map(local, self._start_owns))

    def _block_weights(self, start: int, stop: int) -> np.ndarray:
        return self._ones[: stop - start] if self.weights is None else self.weights[start:stop]

    @cached_property
    def _ones(self) -> np.ndarray:
        return np.ones(max(stop - start for start, stop, _ in self.encoded.blocks))

    def _whole(self, K: int, n: int, estimators: Any = (), column: Any = None) -> np.ndarray:
        self.latent = True
        self.choosing = self.choosing or K > 1
        return np.ones((K, n))

    def _opened(
        self, estimator: Estimator, ties: Ties, responsibilities: Any, factors: np.ndarray | None = None, blocks: Any = None
    ) -> Any:
        """Statistics without a model: latent nodes take the given responsibilities, rows their weights times `factors` `(n,)`."""
        tables, send = DistinctCache(), Backward(ties.by_id)
        open, total = FirstPass(responsibilities, tables, () if self.stacking is None else self.stacking.shape), None
        for start, stop, column in self.encoded.blocks if blocks is None else blocks:
            weights = self._block_weights(start, stop) if blocks is None else self.row_weights[start:stop]
            node = send(estimator, open(estimator, column), weights if factors is None else weights * factors[..., start:stop])
            total = node if total is None else total + node
        return take_pending(estimator, total, send)

    def sample(self, rows: int, rng: np.random.Generator, certain: np.ndarray | None = None) -> Problem:
        """The same problem on that many rows, chosen at random by weight; itself, if it has no more.

        certain: encoded rows that are in it whatever chance says, with the weight that they have among all; the others stand for the rest.
        """
        if len(self.encoded) <= rows:
            return self
        out = self._copy()
        whole = self.row_weights
        sure = np.zeros(0, dtype=np.intp) if certain is None else np.unique(certain)
        if self.weights is None and not len(sure):
            chosen, out.weights = np.sort(rng.choice(len(self.encoded), rows, replace=False)), None
            out.copies = None
        else:  # in proportion to weight; one that is drawn several times counts as often
            rest = whole / whole.sum()
            rest[sure] = 0.0
            drawn = rows - len(sure)
            counts = rng.multinomial(drawn, rest / rest.sum())
            each = np.zeros(len(whole))
            each[sure] = whole[sure] / whole.sum() * drawn / rest.sum()
            chosen = np.flatnonzero((counts > 0) | (each > 0))
            out.copies = np.maximum(counts, 1)[chosen]
            out.weights = (counts + each)[chosen] * self.unit
        out.encoded = Encoded(self.encoded.column.take(chosen), self.encoded.layout)
        out.threads, out.share = 1, float(out.row_weights.sum() / whole.sum())
        return out

    def on(self, data: Any, weights: Any = None) -> Problem:
        """The same resolved estimator on other rows."""
        out = self._copy()
        out.ties = Ties(self.estimator)  # how these are held as stacks may differ
        out._hold(data, weights)
        return out

    def of(self, estimator: Estimator) -> Problem:
        """The same rows, and another estimator of them."""
        out = self._copy()
        out._learn(estimator)
        return out

    def part(self, estimator: Estimator, weights: np.ndarray) -> tuple[Problem, np.ndarray]:
        """Of a mixture: one of its components as estimated here, alone on the rows that have weight, more than `HELD` of theirs; and which
        encoded rows these are."""
        rows = np.flatnonzero(weights > HELD * self.row_weights)
        mixture: Any = self.estimator
        out = self._copy()
        out.encoded = Encoded(mixture.component_column(self.encoded.column).take(rows), estimator.layout)
        out.weights, out.codes, out.copies, out.threads, out.share = weights[rows], None, None, 1, 1.0
        out.rows, out.assign = len(rows), "soft"
        if any(node.entangled for node in preorder(estimator)):
            out._learn(estimator)  # what it shares with other places is here its own
            return out, rows
        out.estimator = placed(estimator, Ties(estimator))
        out.ties = Ties(out.estimator)
        out.exact = all(node.exact for node in out.ties.nodes)
        out._start_owns = out._all_said(out.estimator, out.ties)
        return out, rows

    def weighted(self, weights: np.ndarray) -> Problem:
        """The same encoded rows with other weights."""
        out = self._copy()
        out.weights = weights
        return out

    def assigned(self, assign: str, rng: np.random.Generator) -> Problem:
        """The same problem, in which `expect` gives rows to classes by one of the `RULES`; what is drawn comes from `rng`."""
        out = self._copy()
        out.assign, out._draws = assign, rng if assign == "stochastic" else None
        if out._draws is not None and self.codes is not None:  # rows that are alike are drawn apart
            out.encoded = Encoded(Distinct(self.codes, self.encoded.column), self.encoded.layout)
            out.weights, out.codes, out.copies = np.broadcast_to(self.given_weights, self.rows), None, None
        return out

    def faintly(self, owns: list[Any], share: float) -> list[Any]:
        """Statistics, and a faint share of those of all rows under every choice: what they give has a density for every row.

        Local ones stay as they are: no law has been scored under every choice, and their laws have a density everywhere.
        """
        if self.scalable:
            rest = [own if own is None or local(own) else faint(own, share) for own in self._start_owns]
        else:
            every = np.full(len(self.encoded), share)
            rest = self.ties.pool(own_statistics(self.estimator, self._opened(self.estimator, self.ties, self._whole, every)))
        return [own if own is None or local(own) else own + other for own, other in zip(owns, rest, strict=True)]

    def start(self, rng: np.random.Generator, p: float) -> Distribution:
        """A random start: a fraction `p` of the rows, assigned at random wherever a component must be chosen.

        Without components to choose between (none are latent, or there is one) it is the maximum of what all rows say.
        """
        return self._begun(lambda: self._random_start(rng, p))

    def described(self, rng: np.random.Generator) -> Descriptions:
        """What starts whose components lie apart are drawn from (`dmlcore.fitting.seeding`); for few rows, as it looks at all at once."""
        return Descriptions(self.estimator, self.encoded.column, rng)

    @property
    def _whole_block(self) -> list[tuple[int, int, Any]]:
        return [(0, len(self.encoded), self.encoded.column)]

    def starts(self, rngs: Sequence[np.random.Generator], kinds: Sequence[Any], descriptions: Descriptions) -> Any:
        """Starts as one stack, of this problem of as many. A kind is a number, the part of the rows that a random start begins with; a
        word, for components that lie apart (`shares_apart`); or shares `(K, n)` of the outermost latent node."""
        shares, kept = [], np.ones((len(rngs), len(self.encoded)))
        for r, (rng, kind) in enumerate(zip(rngs, kinds, strict=True)):
            if isinstance(kind, str):
                shares.append(shares_apart(rng, descriptions, kind))
            elif isinstance(kind, np.ndarray):
                shares.append(shares_first(kind, random_shares(rng)))
            else:
                shares_rng, rows_rng = spawn(rng, 2)
                kept[r] = np.maximum(self._kept(rows_rng, kind), EVEN_SHARE * kind)
                shares.append(random_shares(shares_rng))
        fractions = [kind if isinstance(kind, float) else 1.0 for kind in kinds]
        statistics = self._opened(self.estimator, self.ties, shares, kept, self._whole_block)
        owns = self.ties.pool(own_statistics(self.estimator, statistics))
        if self.share < 1:
            faint_share = EVEN_SHARE * np.array(fractions) * self.share
            whole = [self._whole] * len(rngs)
            every = np.broadcast_to(faint_share[:, None], kept.shape)
            rest = self.ties.pool(own_statistics(self.estimator, self._opened(self.estimator, self.ties, whole, every, self._whole_block)))
            owns = [own if own is None or local(own) else own + other for own, other in zip(owns, rest, strict=True)]
        return maximise(self.estimator, owns, self.ties)

    def _begun(self, latent_start: Callable[[], Distribution]) -> Distribution:
        try:
            return latent_start() if self.choosing else maximise(self.estimator, self._start_owns, self.ties)
        except (EmptyError, DegenerateError):
            self._name_impossible_rows()
            raise

    def observations(self) -> list[Any]:
        """The rows as the user gave them, as plain values."""
        return self._observed(0, self.rows)

    def _observed(self, start: int, stop: int) -> list[Any]:
        return plain_observations(self.raw, self.estimator.layout, start, stop)

    def _name_impossible_rows(self) -> None:
        """Raises `SupportError` for the first row that no parameters could have produced."""
        places = np.arange(self.rows) if self.codes is None else self.codes
        if found := first_impossible(self.estimator, self.encoded.column, places, self._observed):
            raise SupportError(
                f"row {found[0]} has density zero under every choice the model allows ({found[1]}); leave it out or model it"
            )

    def _random_start(self, rng: np.random.Generator, p: float) -> Distribution:
        shares_rng, rows_rng = spawn(rng, 2)
        kept = np.maximum(self._kept(rows_rng, p), EVEN_SHARE * p)
        return self._assembled(self._opened(self.estimator, self.ties, random_shares(shares_rng), kept), EVEN_SHARE * p)

    def _assembled(self, statistics: Any, share: float = EVEN_SHARE) -> Distribution:
        """The model of the statistics of a start; on a sample, with a faint share of those of all rows."""
        owns = self.ties.pool(own_statistics(self.estimator, statistics))
        if self.share < 1 and self.scalable:
            owns = self.faintly(owns, share * self.share)
        return maximise(self.estimator, owns, self.ties)

    def _kept(self, rng: np.random.Generator, p: float) -> np.ndarray:
        """The share of each encoded row's copies that is kept, where each row is kept with probability `p`. Shape `(n,)`."""
        if self.copies is None:
            return (rng.random(len(self.encoded)) < p).astype(np.float64)
        return rng.binomial(self.copies, p) / np.maximum(self.copies, 1)

    def start_from(self, shares: np.ndarray, rng: np.random.Generator) -> Distribution:
        """The model that follows from shares `(K, n)` of the components of a mixture; what else is latent starts at random."""
        if self.codes is not None:  # rows that repeat are kept once: their mean share, by weight
            sums = np.array([np.bincount(self.codes, row * self.given_weights, len(self.encoded)) for row in shares])
            whole = sums.sum(axis=0)
            shares = np.where(whole > 0, sums / np.where(whole > 0, whole, 1.0), 1 / len(shares))
        shares = EVEN_SHARE / len(shares) + (1 - EVEN_SHARE) * shares
        inner = random_shares(rng)
        node, send, tables = None, Backward(self.ties.by_id), DistinctCache()
        for start, stop, column in self.encoded.blocks:
            tape = FirstPass(shares_first(shares[:, start:stop], inner), tables)(self.estimator, column)
            part = send(self.estimator, tape, self._block_weights(start, stop))
            node = part if node is None else node + part
        owns = own_statistics(self.estimator, take_pending(self.estimator, node, send))
        return maximise(self.estimator, self.ties.pool(owns), self.ties)

    def expect(self, model: Distribution) -> tuple[float, list[Any]]:
        """Log likelihood of the model, and the expected statistics in preorder, pooled by key.

        Where rows are assigned hard, the classification log likelihood: `sum_i weights_i max_z log p(x_i, z)` over all latent classes z.
        """
        tables, rule = DistinctCache(), rule_of(self.assign, self._draws)

        def work(block: tuple[int, int, Any]) -> tuple[float, Any]:
            start, stop, column = block
            weights = self._block_weights(start, stop)
            log, tape = Forward(model.repeated, tables, rule(start))(model, column)
            send = Backward(self.ties.by_id)
            node = send(self.estimator, tape, np.broadcast_to(weights, log.shape) if model.batch else weights)
            send.finish()
            return self._total(model, log, weights, start), node

        sums = reduce(add, (_Pair(*both) for both in map_in_order(work, self.encoded.blocks, self.threads)))
        node = take_pending(self.estimator, sums.node, Backward(self.ties.by_id))
        return sums.log, self.ties.pool(own_statistics(self.estimator, node))

    def log_likelihood(self, model: Distribution) -> float:
        """Log likelihood of the model on these rows."""
        tables = DistinctCache()

        def work(block: tuple[int, int, Any]) -> float:
            start, stop, column = block
            return self._total(model, Forward(model.repeated, tables)(model, column)[0], self._block_weights(start, stop), start)

        return sum(map_in_order(work, self.encoded.blocks, self.threads))

    def maximise(self, owns: list[Any], previous: Distribution | None) -> Distribution:
        """The model that maximises the expected log likelihood and the prior."""
        return maximise(self.estimator, owns, self.ties, previous)

    def log_prior(self, model: Distribution) -> float:
        """What priors add to the objective."""
        return log_prior(self.estimator, model, self.ties)

    def objective(self, model: Distribution) -> float:
        """What a fit maximises: the log likelihood and the log prior."""
        return self.log_likelihood(model) + self.log_prior(model)

    def check(self, model: Any) -> Distribution:
        """A model of the estimator's shape, or `StructureError` naming the place where it is not."""
        for path, node, law in paired(self.estimator, model):
            if type(law) is not node.family or len(law.children()) != len(node.children()):
                parts = f" with {', '.join(node.places()) or 'no parts'}" if type(law) is node.family else ""
                need = f"{node.family.__name__}{parts}"
                raise StructureError(f"the model does not fit the estimator: {path or 'at the top'} is {law!r}, expected a {need}")
        return model

    def permits(self, model: Distribution) -> bool:
        """Whether a model is one that a step could give: tied places are equal, fixed parts are as given. A start need not be."""
        laws = list(preorder(model))
        values = [tuple(v for f, _, v in law.parameters() if f not in ("name", "keys")) for law in laws]
        tied = all(group is None or same(values[group], values[i]) for i, group in enumerate(self.ties.own))
        return tied and all(e.permits(law) for e, law in zip(self.ties.nodes, laws, strict=True))

    def _total(self, model: Distribution, log: np.ndarray, weights: np.ndarray, start: int) -> Any:
        """The weighted sum of log densities; of a stack of models, of each."""
        with np.errstate(invalid="ignore"):  # a row of weight zero may have density zero
            total = log @ weights
        if np.isfinite(total).all():
            return total if model.batch else float(total)
        if model.batch:
            laws = [taken(model, r) for r in range(len(log))]
            return np.array([self._total(law, row, weights, start) for law, row in zip(laws, log, strict=True)])
        log = np.where(weights > 0, log, 0.0)
        if np.isnan(log).any():
            raise LikelihoodError(f"row {start + int(np.argmax(np.isnan(log)))}: the log density is NaN")
        if not log.min() > -np.inf:
            row = start + int(np.argmin(log))
            row = int(np.argmax(self.codes == row)) if self.codes is not None else row
            x = observation(self.raw, self.estimator.layout, row)
            model = model if self.stacking is None else self.stacking.model(model)
            why = self.estimator.impossible(x)
            if why is None:
                raise SupportError(f"row {row} has density zero under the start ({model.blame(x)}); begin from another, or leave it out")
            raise SupportError(f"row {row} has density zero under every choice the model allows ({why}); leave it out or model it")
        return float(weights @ log)


def local(own: Any) -> bool:
    """Whether statistics hold at the law that they were taken at alone: slopes of its log density."""
    return bool(getattr(own, "local", False))


def faint(own: Any, share: float) -> Any:
    """Statistics as if every weight had been multiplied by a small share."""
    return own.scaled(share) if hasattr(own, "scaled") else own * share


class _Pair:
    __slots__ = ("log", "node")

    def __init__(self, log: Any, node: Any):
        self.log, self.node = log, node

    def __add__(self, other: _Pair) -> _Pair:
        return _Pair(self.log + other.log, self.node + other.node)


def paired(estimator: Estimator, model: Any, path: str = "") -> Any:
    """`(path, estimator node, distribution node)` for every place of a tree."""
    yield path, estimator, model
    if len(estimator.children()) != len(getattr(model, "children", tuple)()):
        return
    for place, e, d in zip(model.places(), estimator.children(), model.children(), strict=True):
        yield from paired(e, d, f"{path}.{place}".lstrip("."))
