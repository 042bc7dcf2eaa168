"""A fit's problem: the rows, and an estimator resolved on them. One EM step is `expect`, then `maximise`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from typing import Any

import numpy as np

from dmlcore.base.errors import LikelihoodError, StructureError, SupportError
from dmlcore.base.threads import map_in_order
from dmlcore.core.declared import check_node, same
from dmlcore.core.distribution import Distribution
from dmlcore.core.estimator import Estimator
from dmlcore.core.keys import WHOLE_OWN, Ties, log_prior, maximise, own_statistics, preorder
from dmlcore.core.stacks import Stacking, taken
from dmlcore.core.walk import Backward, DistinctCache, Forward, take_pending
from dmlcore.data.encoded import Encoded
from dmlcore.fitting.assignment import mixing
from dmlcore.fitting.chunked import rows_for
from dmlcore.fitting.resolved import Resolved, added, local, scaled, unpooled
from dmlcore.fitting.rows import RowBlock, WeightedRows

HELD = 1e-3  # of a row's weight, below which a component does not hold it


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows, and an estimator resolved on them; made by `Problem.of`.

    assign: how an E step gives rows to classes (`dmlcore.fitting.assignment`); draws: where what is drawn comes from. stacking: how models
    are held as stacks, where `stacked` says so; the estimator is then that of the stack. together: whether like fields may be read together
    (`dmlcore.stats.combinators.fields`), which looks at columns of all rows.
    """

    rows: Any  # `WeightedRows`, or `ChunkedRows`
    resolved: Resolved
    assign: str = "soft"
    draws: np.random.Generator | None = None
    stacking: Stacking | None = None
    together: bool = True
    _stacked: dict[Any, Any] = field(default_factory=dict, repr=False)  # ways to hold models as stacks, once made

    @classmethod
    def of(cls, data: Any, estimator: Estimator, weights: Any = None, threads: int | None = None, engine: Any = None) -> Problem:
        """Observations with weights, and an estimator, which is resolved on them. engine: an executor that works on parts of them."""
        check_node(estimator, Estimator.noun, "the second argument", StructureError)
        rows = rows_for(data, estimator.layout, weights, threads, engine)
        return cls(rows, Resolved.on(estimator, rows), together=rows.in_memory is rows)

    # -- what it is made of --------------------------------------------------------------------------------------------

    @property
    def estimator(self) -> Any:
        """The tree whose every place is a node of its own."""
        return self.resolved.estimator

    @property
    def ties(self) -> Ties:
        """Which places of the estimator are tied."""
        return self.resolved.ties

    @property
    def encoded(self) -> Encoded:
        """The rows as columns; of rows in chunks, a sample of them."""
        return self.rows.in_memory.encoded

    @property
    def unit(self) -> float:
        """The mean weight of a row that has any."""
        return self.rows.unit

    @property
    def work(self) -> int:
        """What a step holds at once: encoded rows, or elements where rows hold many, times the nodes of the model."""
        return self.rows.work * len(self.ties.nodes)

    # -- others like it ------------------------------------------------------------------------------------------------

    def stacked(self, starts: int | None = None, apart: bool = False) -> Problem:
        """The same problem for stacks of models: their estimator, and theirs alone, changes. starts: how many models are one stack; None
        is for one model whose like parts are stacks; apart: or are not."""
        key, known = (starts, apart), self.__dict__.setdefault("_known", {})  # which goes with this problem, rows and all
        if key in known:
            return known[key]  # type: ignore[no-any-return]
        if key not in self._stacked:
            shape = () if starts is None else (starts,)
            stacking = Stacking(self.estimator, self.ties, apart, shape, self.encoded.column if self.together and not apart else None)
            resolved = replace(self.resolved, estimator=stacking.stacked, ties=Ties(stacking.stacked, len(shape)))
            self._stacked[key] = stacking, resolved
        stacking, resolved = self._stacked[key]
        known[key] = replace(self, resolved=resolved, stacking=stacking)
        return known[key]  # type: ignore[no-any-return]

    @property
    def in_memory(self) -> Problem:
        """The same problem; of rows in chunks, on a sample of them that is in memory."""
        rows = self.rows.in_memory
        return self if rows is self.rows else replace(self, rows=rows)

    def sample(self, size: int, rng: np.random.Generator, certain: np.ndarray | None = None) -> Problem:
        """The same problem on so many of its rows (`WeightedRows.sample`); itself, if it has no more."""
        near = self.in_memory
        rows = near.rows.sample(size, rng, certain)
        return near if rows is near.rows else replace(near, rows=rows)

    def on(self, data: Any, weights: Any = None) -> Problem:
        """The same resolved estimator on other rows."""
        rows = rows_for(data, self.estimator.layout, weights, self.rows.threads)
        return replace(self, rows=rows, _stacked={})  # how these are held as stacks may differ

    def learning(self, estimator: Estimator) -> Problem:
        """The same rows, and another estimator of them."""
        return replace(self, resolved=Resolved.on(estimator, self.rows), _stacked={})

    def weighted(self, weights: np.ndarray) -> Problem:
        """The same encoded rows with other weights."""
        return replace(self, rows=self.rows.weighted(weights))

    def assigned(self, assign: str, rng: np.random.Generator) -> Problem:
        """The same problem, in which `expect` gives rows to classes by one of the `RULES`; what is drawn comes from `rng`."""
        if assign != "stochastic":
            return replace(self, assign=assign)
        return replace(self, assign=assign, draws=rng, rows=self.rows.one_by_one(), _stacked={})

    def part(self, estimator: Estimator, weights: np.ndarray) -> tuple[Problem, np.ndarray]:
        """Of a mixture: one of its components as estimated here, alone on the rows that have weight, more than `HELD` of theirs; and which
        encoded rows these are."""
        held = np.flatnonzero(weights > HELD * self.rows.each_weight)
        column = self.estimator.component_column(self.encoded.column).take(held)
        rows = self.rows.part(column, estimator.layout, weights[held])
        return Problem(rows, Resolved.alone(estimator, rows)), held

    def with_single_rows(self, who: str) -> Problem:
        """The same problem. Raises `StructureError` where the rows are in chunks, for who draws or weighs single ones."""
        if self.rows.in_memory is not self.rows:
            raise StructureError(f"{who} needs the rows in one table in memory, not in parts")
        return self

    # -- steps ---------------------------------------------------------------------------------------------------------

    def expect(self, model: Any) -> tuple[Any, list[Any]]:
        """Log likelihood of the model, and the expected statistics in preorder, pooled by key; of a stack of models, of each.

        Where rows are assigned hard, the classification log likelihood: `sum_i weights_i max_z log p(x_i, z)` over all latent classes z.
        """
        total = self.rows.total(partial(_expected, self.estimator, self.ties, model, mixing(self.assign, self.draws)))
        return self._finite(model, total.log), self.ties.pool(total.owns)

    def log_likelihood(self, model: Any) -> Any:
        """Log likelihood of the model on these rows; of a stack of models, of each."""
        return self._finite(model, self.rows.total(partial(log_likelihood_of, model)))

    def maximise(self, owns: list[Any], previous: Any) -> Any:
        """The model that maximises the expected log likelihood and the prior."""
        return maximise(self.estimator, owns, self.ties, previous)

    def log_prior(self, model: Any) -> Any:
        """What priors add to the objective."""
        return log_prior(self.estimator, model, self.ties)

    def objective(self, model: Any) -> Any:
        """What a fit maximises: the log likelihood and the log prior."""
        return self.log_likelihood(model) + self.log_prior(model)

    # -- statistics without a model ------------------------------------------------------------------------------------

    def opened(self, responsibilities: Any, factors: np.ndarray | None = None, blocks: Sequence[RowBlock] | None = None) -> list[Any]:
        """Statistics in preorder where latent nodes take the responsibilities (`resolved.unpooled`)."""
        shape = () if self.stacking is None else self.stacking.shape
        blocks = self.rows.blocks if blocks is None else blocks
        return self.ties.pool(unpooled(self.estimator, self.ties, blocks, responsibilities, 1, factors, shape))

    def downweighted(self, share: float) -> list[Any]:
        """A share of the statistics of all rows under every choice: added to others, they give every row a density."""
        if self.resolved.scalable:
            return [own if own is None or local(own) else scaled(own, share) for own in self.resolved.start_statistics]
        near = self.in_memory
        return near.opened(lambda K, n, estimators=(), column=None: np.ones((K, n)), np.full(len(near.rows), share / near.rows.share))

    # -- questions to a model ------------------------------------------------------------------------------------------

    def stack(self, models: Sequence[Distribution]) -> Any:
        """Models as the stack of such a problem."""
        assert self.stacking is not None
        return self.stacking.of(models)

    def check(self, model: Any) -> Distribution:
        """A model of the estimator's shape, or `StructureError` naming the place where it is not."""
        for path, node, law in paired(self.estimator, model):
            if type(law) is not node.family or len(law.children()) != len(node.children()):
                parts = f" with {', '.join(node.places()) or 'no parts'}" if type(law) is node.family else ""
                need = f"{node.family.__name__}{parts}"
                raise StructureError(f"the model does not fit the estimator: {path or 'at the top'} is {law!r}, expected a {need}")
            if (why := node.why_foreign(law)) is not None:
                raise StructureError(f"the model does not fit the estimator: {path or 'at the top'} {why}")
        return model

    def is_feasible(self, model: Distribution) -> bool:
        """Whether a model is one that a step could give: tied places are equal, fixed parts are as given. A start need not be."""
        laws = list(preorder(model))
        values = [{f: v for f, _, v in law.parameters() if f not in ("name", "keys")} for law in laws]
        slots = [(i, group, part) for i, own in enumerate(self.ties.own) for part, group in own.items() if group is not None]
        fields = [(i, group, f) for i, group, part in slots for f in values[i] if part in (WHOLE_OWN, f)]
        tied = all(same(values[group][f], values[i][f]) for i, group, f in fields)
        shared: dict[Any, Any] = {}
        for i, tags in self.ties.tags.items():
            tied = tied and all(same(shared.setdefault(tag, value := laws[i].stored(f)), value) for f, tag in tags.items())
        tied = tied and all(e.held_parts == () or same(e.held, law.held) for e, law in zip(self.ties.nodes, laws, strict=True))
        return tied and all(e.is_feasible(law) for e, law in zip(self.ties.nodes, laws, strict=True))

    def _finite(self, model: Any, total: Any) -> Any:
        """A log likelihood, or the error that names a row without density."""
        if not model.batch:
            return float(total) if np.isfinite(total) else self._explained(model, float(total))
        for r in np.flatnonzero(~np.isfinite(total)):
            self._explained(taken(model, int(r)), float(total[r]))
        return total

    def _explained(self, model: Any, total: float) -> float:
        if (found := self.rows.first_found(partial(_without_density, self.estimator, model))) is None:
            return total
        row, x, why, number = found
        if not number:
            raise LikelihoodError(f"{row}: the log density is NaN")
        if why is not None:
            raise SupportError(f"{row} has density zero under every choice the model allows ({why}); leave it out or model it")
        model = model if self.stacking is None else self.stacking.model(model)
        why = model.explain_zero_density(x)
        raise SupportError(f"{row} has density zero under the start ({why}); begin from another, or leave it out")


def _without_density(estimator: Estimator, model: Any, rows: WeightedRows) -> tuple[str, Any, str | None, bool] | None:
    """The first row without a density: what it is called, what it holds, why no choice of the model gives it any, and whether what it has
    in its place is a number at all; None if all rows have one."""
    for block in rows.blocks:
        log = np.where(block.weights > 0, Forward(model.repeated, DistinctCache())(model, block.column)[0], 0.0)
        if np.isnan(log).any():
            i = block.start + int(np.argmax(np.isnan(log)))
            return rows.named_row(i), rows.observation(i), None, False
        if not log.min() > -np.inf:
            i = block.start + int(np.argmin(log))
            x = rows.observation(i)
            return rows.named_row(i), x, estimator.why_outside_support(x), True
    return None


@dataclass
class LogAndStatistics:
    """A log likelihood and own statistics in preorder, which add."""

    log: Any
    owns: list[Any]

    def __add__(self, other: LogAndStatistics) -> LogAndStatistics:
        return LogAndStatistics(self.log + other.log, added(self.owns, other.owns))


def _expected(estimator: Estimator, ties: Ties, model: Any, mix: Callable[[int], Any], rows: WeightedRows) -> LogAndStatistics:
    """Log likelihood of a model on rows, and their expected statistics."""
    work = partial(_expected_in_block, estimator, ties, model, DistinctCache(), mix)
    log, statistics = reduce(_both, map_in_order(work, rows.blocks, rows.threads))
    return LogAndStatistics(log, own_statistics(estimator, take_pending(estimator, statistics, Backward(ties.by_id))))


def _both(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    return one[0] + other[0], one[1] + other[1]


def _expected_in_block(
    estimator: Estimator, ties: Ties, model: Any, tables: DistinctCache, mix: Callable[[int], Any], block: RowBlock
) -> tuple[Any, Any]:
    log, tape = Forward(model.repeated, tables, mix(block.start))(model, block.column)
    send = Backward(ties.by_id)
    node = send(estimator, tape, np.broadcast_to(block.weights, log.shape) if model.batch else block.weights)
    send.finish()
    return weighted_sum(log, block.weights), node


def log_likelihood_of(model: Any, rows: WeightedRows) -> Any:
    """Log likelihood of a model on rows."""
    return sum(map_in_order(partial(_scored_block, model, DistinctCache()), rows.blocks, rows.threads))


def _scored_block(model: Any, tables: DistinctCache, block: RowBlock) -> Any:
    return weighted_sum(Forward(model.repeated, tables)(model, block.column)[0], block.weights)


def weighted_sum(log: np.ndarray, weights: np.ndarray) -> Any:
    """Log densities `(.., n)` summed with weights; a row of weight zero may have density zero."""
    with np.errstate(invalid="ignore"):
        total = log @ weights
        return total if np.isfinite(total).all() else np.where(weights > 0, log, 0.0) @ weights


def paired(estimator: Any, model: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """`(path, estimator node, distribution node)` for every place of a tree, as far as both have the same shape."""
    yield path, estimator, model
    if len(estimator.children()) != len(getattr(model, "children", tuple)()):
        return
    for place, e, d in zip(model.places(), estimator.children(), model.children(), strict=True):
        yield from paired(e, d, f"{path}.{place}".lstrip("."))
