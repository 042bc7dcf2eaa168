"""The contract of a distribution.

There is one kind of node. `forward(column, score)` gives log densities, and what the estimator's `backward` needs. As it stands here it is
that of a leaf, which implements `log_densities(x)` of encoded values and `draw(size, rng)`; a node that is made of others writes it anew.
Everything else a user calls is written here, once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from dmlcore.base.collector import collector_held
from dmlcore.base.domains import SETTING, Domain, NamedParts
from dmlcore.base.errors import BadValue, ParameterError, StructureError, shorten
from dmlcore.base.lazy import above
from dmlcore.base.random import Random, generator
from dmlcore.core.declared import Declared, parameter, renamed
from dmlcore.core.partial import Outcomes
from dmlcore.core.parts import check_held, check_single_parts
from dmlcore.core.powers import HasMean, HasMode, HasQuantile, HasTypical, has
from dmlcore.core.shown import Shown
from dmlcore.data.columns import Versions
from dmlcore.data.encoded import Encoded, encode
from dmlcore.data.layouts import Anything, Layout
from dmlcore.engines.choice import by_parts

if TYPE_CHECKING:
    from dmlcore.core.estimator import Estimator
    from dmlcore.core.rowlaws import RowLaw
    from dmlcore.core.walk import Forward


class Distribution(Shown, Declared):
    """The law of one observation. Immutable; its parameters are its fields."""

    tied: Any = parameter(NamedParts(str), default=(), kw_only=True)
    held: Any = parameter(NamedParts(float), default=(), kw_only=True)

    noun = "a distribution"

    kind: ClassVar[type[Layout]]
    """What one observation looks like: a `Layout`, such as `Real`, `Count` or `Labels`."""

    estimator_family: ClassVar[Any]
    """The estimator of this family; set by the estimator's own declaration."""

    support: ClassVar[Any] = None
    """Where the density can be positive, a `Support`. Other values score -inf and never reach `log_densities`. None: anywhere."""

    takes_partial_rows: ClassVar[bool] = False
    """Whether `given` reads tuples whose entries are known in some of the rows only (`ObservedRows`); else it gets rows of one pattern."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "estimator" in cls.__dict__:
            cls.estimator = of_the_same_parts(cls.estimator)  # type: ignore[method-assign]

    # -- what a family implements --------------------------------------------------------------------------------------

    def log_densities(self, x: Any) -> np.ndarray:
        """Log densities `(n,)` of encoded values inside the support: an array `(n,)`, `(n, d)`, or a `Vocabulary` of labels."""
        raise StructureError(f"{type(self).__name__} has no log_densities(x), nor forward(column, score)")

    def forward(self, column: Any, score: Forward) -> tuple[np.ndarray, Any]:
        """Log densities `(n,)` and the tape its estimator's `backward` reads. `score(child, column)` gives both for a child.

        Log densities of a child may stand elsewhere too, and are not written over.
        """
        return log_densities_inside(self, column), (column, self)

    def one(self, of: Callable[[Any], Any]) -> Any:
        """The log density `(.., 1)` of one raw value as a function of it (`dmlcore.core.one`); `of(child)` gives that of a child."""
        from dmlcore.core.one import one_value

        return one_value(self)

    @cached_property
    def given_covariates(self) -> bool:
        """Whether it is a law given covariates, or labels or lengths that have no law, and cannot be drawn without them."""
        return any(child.given_covariates for child in self.children())

    def draw(self, size: int, rng: np.random.Generator) -> Any:
        """`size` independent draws: an array for numeric leaves, a list of plain Python values otherwise."""
        raise StructureError(f"{type(self).__name__} cannot be sampled")

    def estimator(self, pseudo_count: Any = None) -> Estimator:
        """The estimator of this shape."""
        raise StructureError(f"{type(self).__name__} has no estimator")

    def expected_statistics(self, count: float) -> Any:
        """What `count` draws have as statistics on average; `estimate` gives the law back."""
        raise StructureError(f"{type(self).__name__} has no expected_statistics(count)")

    def log_likelihood(self, statistics: Any) -> float:
        """Log likelihood as a function of sufficient statistics, up to what does not depend on the parameters.

        What pseudo-observations add to the objective of a fit.
        """
        raise StructureError(f"{type(self).__name__} takes no pseudo-observations")

    # -- what users call -----------------------------------------------------------------------------------------------

    def log_density(self, x: Any) -> float:
        """Log density of one raw observation; -inf off the support. Raises `DataError` if `x` is of the wrong kind."""
        from dmlcore.core.one import log_density_of_one

        return log_density_of_one(self)(x)

    def density(self, x: Any) -> float:
        """Density (or probability) of one raw observation."""
        return float(np.exp(self.log_density(x)))

    def seq_encode(self, data: Any) -> Encoded:
        """Many raw observations as columns, once. Raises `DataError` naming field path, row, value and what is needed."""
        return encode(data, self.layout)

    @by_parts
    def seq_log_density(self, encoded: Any, threads: int | None = None) -> np.ndarray:
        """Log densities `(n,)` of encoded (or raw) observations."""
        from dmlcore.core.scoring import log_densities

        return log_densities(self, self.seq_encode(encoded), threads)

    def sampler(self, seed: Random = None) -> Sampler:
        """A source of draws with a state of its own: `sampler(seed).sample(size)` gives lists."""
        return Sampler(self, generator(seed))

    def sample(self, size: int | None = None, rng: Random = None) -> Any:
        """One draw (size None) or `size` draws, from `rng` (a Generator, a RandomState, a seed, or None).

        Several are an array for numeric leaves, otherwise a list of plain Python values; those of a `sampler` are always a list.
        """
        return drawn(self, size, generator(rng))

    def bic(self, data: Any, *, weights: Any = None) -> float:
        """Bayesian information criterion of these data, as of `dmlcore.bic`; smaller is better."""
        return float(above("dmlcore.selection.criteria", "criterion_of")("bic", self, data, weights))

    def aic(self, data: Any, *, weights: Any = None) -> float:
        """Akaike's information criterion of these data, as of `dmlcore.aic`; smaller is better."""
        return float(above("dmlcore.selection.criteria", "criterion_of")("aic", self, data, weights))

    def icl(self, data: Any, *, weights: Any = None, hard: bool = False) -> float:
        """Integrated completed likelihood of these data, as of `dmlcore.icl`; smaller is better."""
        return float(above("dmlcore.selection.criteria", "icl")(self, data, weights=weights, hard=hard))

    def plot(self, data: Any = None, **options: Any) -> Any:
        """The law of each column, over data if there are any: `dmlcore.plot.columns`, which says what the options are."""
        return above("dmlcore.plot.density", "columns")(self, data, **options)

    def dist_to_encoder(self) -> Self:
        """What encodes observations for this law: the law itself. For code written for DMLearn; `seq_encode` needs no encoder."""
        return self

    # -- what the engine asks ------------------------------------------------------------------------------------------

    @property
    def tied_parts(self) -> Any:
        return self.tied

    @property
    def held_parts(self) -> Any:
        return self.held

    def check_parts(self) -> None:
        check_single_parts(self, type(self))
        check_held(self)

    def parameters(self) -> Iterator[tuple[str, Domain, Any]]:
        held = dict(self.held_parts)
        for field, domain, value in super().parameters():
            yield field, SETTING if field in held else domain, value

    scored_as: ClassVar[Any] = None  # the same law with stacks, once made (`dmlcore.core.scoring`)
    scored_one: ClassVar[Any] = None  # what scores one observation, once made (`dmlcore.core.one`)

    @cached_property
    def layout(self) -> Layout:
        """Which column layout an observation needs; nodes share data exactly if theirs are equal."""
        return self.kind(self.label)

    @property
    def own_key(self) -> str | None:
        """The key that ties its own parameters alone to those of other nodes, without what is below it."""
        return None

    @cached_property
    def repeated(self) -> frozenset[int]:
        """The ids of nodes that stand at more than one place below: a block scores such a node once per column."""
        seen: set[int] = set()
        twice: set[int] = set()
        stack: list[Any] = [self]
        while stack:
            node = stack.pop()
            if id(node) in seen:
                twice.add(id(node))
            else:
                seen.add(id(node))
                stack.extend(node.children())
        return frozenset(twice)

    def given(self, x: Any, n: int) -> tuple[np.ndarray, RowLaw]:
        """Of n rows that know the same parts: log density `(n,)` of what is known, and the law of what is not.

        The hook of `condition` and `impute`. `x` is a `Parts` whose entries are each `Known`, `Parts`, UNKNOWN or MISSING, or itself
        MISSING; values wholly known or wholly unknown do not come here (`dmlcore.core.partial.given` treats them). `known.encoded(layout)`
        gives columns. The law is a `RowLaw` of the unknown values in order: `Fixed(law)` where it is the same in every row, `EachRow` or
        an `Atom` of one's own where it differs from row to row (as that of y given x does in a regression), `Product` and `Mixed` of such.

        `x`, or an entry of it, may also be `Outcomes`: the value is unknown, but for being one of these. Their probability then stands for
        a density, and the law is that given them. As it stands here, it asks the law's `cdf`, its `probabilities`, or its densities of
        labels and whole numbers.
        """
        if isinstance(x, Outcomes):
            return x.of(self, n)
        raise StructureError(f"{self.label}: conditioning on part of its value is not available; draw from the model instead")

    def interval(self, level: float = 0.9) -> Any:
        """Equal-tailed interval `(low, high)` that holds a new value with at least the probability `level`."""
        if not 0 < level < 1:
            raise ParameterError(f"level must be a number between 0 and 1, got {level!r}")
        law: Any = self
        if not has(law, HasQuantile):
            raise StructureError(f"a {self.label} has no quantile(), so no interval")
        return law.quantile((1 - level) / 2), law.quantile((1 + level) / 2)

    def explain_zero_density(self, x: Any) -> str:
        """Which part of one observation has no density, for messages."""
        return outside_support(self, x) or f"{self.label}: {shorten(x)} has density zero under its parameters"


def outside_support(node: Any, x: Any) -> str | None:
    """Why one raw observation is outside the support that a law, or those of an estimator, declares; None where it is not, or none is."""
    if node.support is None:
        return None
    try:
        column: Any = node.layout.encode([x])
        need = None if node.support.contains(getattr(column, "x", column))[0] else node.support.need
    except BadValue as error:  # of another kind than this law reads, beside others that read it
        need = error.need
    return need and f"{node.label}: {shorten(x)} has density zero; it needs {need}"


def of_the_same_parts(estimator_of: Any) -> Any:
    """What makes a law's estimator, so that it ties and holds what the law does."""

    @functools.wraps(estimator_of)
    def made(self: Any, *args: Any, **kwargs: Any) -> Any:
        out = estimator_of(self, *args, **kwargs)
        return out.replace(tied=self.tied, held=self.held) if self.tied_parts or self.held_parts else out

    return made


def log_densities_inside(leaf: Distribution, column: Any) -> np.ndarray:
    """Log densities `(n,)`; -inf outside the support and for values of another kind, where the leaf's formula is not asked."""
    if type(column) is Versions:
        part, out = column.kinds[leaf.layout.version], np.full((*leaf.batch, len(column)), -np.inf)
        out[..., part.present] = log_densities_inside(leaf, part.value)
        return out
    support = leaf.support
    with np.errstate(over="ignore"):  # a square beyond 1e308 is inf, and its density 0
        if support is None or support.covers(column):
            return leaf.log_densities(column.x)
        inside = support.contains(column.x)
        out = np.full((*leaf.batch, len(column)), -np.inf)
        if inside.any():
            out[..., inside] = leaf.log_densities(column.x[inside])
        return out


class Sampler:
    """Draws from a distribution; successive calls continue one random stream."""

    def __init__(self, distribution: Distribution, rng: np.random.Generator):
        self.distribution, self.rng = distribution, rng

    def sample(self, size: int | None = None) -> Any:
        """One draw (size None), or a list of `size` draws, all plain Python values (vectors are arrays)."""
        draws = drawn(self.distribution, size, self.rng)
        return draws if size is None else as_values(draws)


def drawn(distribution: Distribution, size: int | None, rng: np.random.Generator) -> Any:
    """One draw as a plain value (size None), or `size` draws as the distribution gives them."""
    _ = distribution.layout  # a model whose parts do not fit together says so here
    with collector_held():
        draws = distribution.draw(1 if size is None else size, rng)
    return draws if size is not None else as_values(draws)[0]


def typical_of(law: Any) -> Any:
    """A value that may stand for the law where one must: its `typical` value, or else its mode, or mean. Raises `StructureError`.

    `typical` is what laws of lists and sets have, whose mode is hard to find or of no use (short lists have the highest densities):
    the most probable elements at the most probable length, the labels that are more probably in than out.
    """
    if has(law, HasTypical):
        return law.typical()
    if has(law, HasMode):
        return law.mode()
    if has(law, HasMean):
        return law.mean()
    raise StructureError(f"a {law.label} has no typical(), mode() or mean()")


def as_values(draws: Any) -> list[Any]:
    """Draws as a list of plain Python values (vectors stay arrays)."""
    if isinstance(draws, np.ndarray):
        return draws.tolist() if draws.ndim == 1 else list(draws)
    return draws


def interleaved(parts: list[Any], order: np.ndarray) -> Any:
    """Row `i` of the result is row `order[i]` of the parts laid end to end; an array if all parts are, of one kind of number."""
    if all(isinstance(part, np.ndarray) and part.dtype == parts[0].dtype for part in parts):
        return np.concatenate(parts)[order]
    flat = np.fromiter((v for part in parts for v in as_values(part)), dtype=object, count=len(order))
    return flat[order].tolist()


def cut(flat: list[Any], lengths: np.ndarray) -> list[list[Any]]:
    """A flat list as lists of the given lengths."""
    ends = np.cumsum(lengths).tolist()
    return [flat[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def common_layout(nodes: Sequence[Any], who: str) -> Layout:
    """The one layout that all nodes read. Numbers and labels of several kinds count as one, of which each node reads what it can.

    Raises `StructureError` where they describe different observations.
    """
    wanted, first = nodes[0].layout, nodes[0]
    for node in nodes[1:]:
        layout = wanted.joined(node.layout)
        if layout is None:
            reads = f"{first.label} reads {wanted}, {node.label} reads {node.layout}"
            raise StructureError(f"{who}: components describe different observations: {reads}")
        if isinstance(wanted, Anything):
            first = node
        wanted = layout
    return wanted


def __getattr__(name: str) -> Any:
    if name == "CombinatorDistribution":
        return renamed(name, Distribution)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
