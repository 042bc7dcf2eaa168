"""The contract of an estimator.

There is one kind of node. `open` and `backward` walk it, `assemble` builds its law. As they stand here they are those of a leaf, which
implements `statistics(x, weights)`, or `statistics(x, weights, law)`, and `estimate(statistics, previous)`; a node that is made of others
writes them anew. `resolve` fixes what depends on the data once per fit. Keys, priors, threads and starts are written elsewhere, once.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import Domain, NamedParts, nonnegative
from dmlcore.base.errors import EmptyError, ParameterError, StructureError, inside, shorten
from dmlcore.core.declared import Declared, chosen, parameter, renamed
from dmlcore.core.distribution import Distribution, outside_support
from dmlcore.core.parts import check_single_parts
from dmlcore.core.prior import Prior, PseudoDraws, PseudoObservations, prior_of
from dmlcore.core.shown import Shown
from dmlcore.core.statistics import Node
from dmlcore.core.together import Member, maximised_together
from dmlcore.data.columns import Versions
from dmlcore.data.layouts import Layout

if TYPE_CHECKING:
    from dmlcore.core.walk import Backward, FirstPass


FORMULAS = frozenset(
    ("family", "statistics", "estimate", "open", "backward", "assemble", "sums", "slopes", "further", "scale", "scale_sums", "scale_from")
)
REMEDY = "give pseudo_count and suff_stat, or leave it out"  # what to do where data have no maximum


class Estimator(Shown, Declared):
    """What to learn about one observation. Immutable; its settings are its fields."""

    tied: Any = parameter(NamedParts(str), default=(), kw_only=True)
    held: Any = parameter(NamedParts(float), default=(), kw_only=True)

    noun = "an estimator"

    family: ClassVar[type[Distribution]]
    """The distribution it estimates."""

    is_mixture: ClassVar[bool] = False
    """Whether its first `num_components` children are the components of a mixture: each a law of the whole observation, or of what
    `component_column` leaves of it. A search moves rows between them (`dmlcore.fitting.moves`)."""

    parted: ClassVar[tuple[str, ...]] = ()
    """The fields of those children whose own observations may be missing where this one is there: entries of it, elements, components."""

    closed_form: ClassVar[bool] = True
    """Whether `estimate` maximises; False: it makes one step uphill, which a fit shortens if the objective falls."""

    stacks: ClassVar[bool] = False
    """Whether its formulas and its law's take parameters, weights and statistics with leading axes (`dmlcore.core.stacks`)."""

    bounded: ClassVar[bool] = False
    """Whether no choice of parameters gives an observation more than a bounded density: where `degenerate` is then a coefficient that runs
    off to a limit, and no spike."""

    carried: ClassVar[tuple[str, ...]] = ("name", "keys", "tied", "held")
    """Its fields that its law has too."""

    sees_law: ClassVar[bool] = False
    """Whether its `statistics` take the law: as the class that writes them says by its arguments."""

    coupled: ClassVar[bool] = False
    """Whether its estimate depends on the statistics of each of the places that share it, not on their sum alone."""

    together: ClassVar[int | None] = None
    """How many components of a mixture its one child stands for, in a stack."""

    place: ClassVar[int | None] = None
    """Which node of its tree it is, in preorder (of tied ones the first), once a fit has told it."""

    prior: ClassVar[Any] = None
    """What is known beforehand, a `dmlcore.core.prior.Prior`, set from `pseudo_count` and `suff_stat`; None: nothing. Statistics are taken
    as those of pseudo-observations."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "stacks" not in cls.__dict__ and not FORMULAS.isdisjoint(cls.__dict__):
            cls.stacks = False  # what a class writes anew may be for one law
        if "statistics" in cls.__dict__:
            cls.sees_law = "law" in inspect.signature(cls.statistics).parameters
            if cls.sees_law and "closed_form" not in cls.__dict__:
                cls.closed_form = False  # an estimate from expectations is a step of EM
        if "family" in cls.__dict__:
            cls.family.estimator_family = cls
        if "estimate" in cls.__dict__:
            cls.estimate = holding(cls.estimate)  # type: ignore[method-assign]

    @cached_property
    def layout(self) -> Layout:
        """Which column layout an observation needs."""
        return self.family.kind(self.label)

    @cached_property
    def support(self) -> Any:
        """Where some law of the family can have positive density: a `Support` or None."""
        return self.family.support

    # -- what a family implements --------------------------------------------------------------------------------------

    def statistics(self, x: Any, weights: np.ndarray, *args: Any, **kwargs: Any) -> Any:
        """Weighted sufficient statistics of encoded values; they add, and have a `count`, the sum of weights.

        A family whose statistics are expectations writes `statistics(x, weights, law=None)`: law is the one that gave the values their log
        densities, None before there is one.
        """
        raise StructureError(f"{type(self).__name__} has no statistics(x, weights)")

    def estimate(self, statistics: Any, previous: Any = None) -> Distribution:
        """The law that maximises the likelihood of the statistics and of the pseudo-observations."""
        raise StructureError(f"{type(self).__name__} has no estimate(statistics, previous)")

    def open(self, column: Any, open: FirstPass) -> Any:
        """The tape that `forward` would give, without a model: latent nodes take their responsibilities from `open`."""
        return column, None

    def backward(self, tape: Any, weights: np.ndarray, send: Backward) -> Node:
        """Statistics from one weight per row `(n,)`; a node made of others passes weights on with `send(child, tape, weights)`."""
        column, law = tape
        return Node(statistics_inside(self, column, weights, law))

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> Any:
        """The law of the children just estimated and of the node's own statistics.

        Without children it is the estimate. One that lost its weight keeps its law; of a stack, the places that did. Raises `EmptyError`
        where there is no weight, and neither a prior nor a law before.
        """
        count: Any = 0.0 if own is None else own.count
        if self.has_prior or np.all(count > 0):
            return self.estimate(own, previous)
        if previous is None:
            remedy = " without pseudo_count" if hasattr(self, "pseudo_count") else ""
            raise EmptyError(f"{self.label}: no row gives it any weight; it cannot be estimated{remedy}")
        if not np.any(count > 0):
            return previous.with_children(children) if children else previous
        with np.errstate(all="ignore"):
            return chosen(count > 0, self.estimate(own, previous), previous)

    def law(self, batch: tuple[int, ...] | None = None, /, **parameters: Any) -> Any:
        """The law of these parameters, which has the estimator's name and keys: checked, if it is one; a stack as it is.

        batch: the shape of the stack, where no parameter says it.
        """
        family: Any = self.family
        given = {field: getattr(self, field) for field in self.carried if field in family.__dataclass_fields__}
        domains = dict(family._fields)
        shapes = (domains[field].shape_of(value) for field, value in parameters.items())
        shape = next((shape for shape in shapes if shape is not None), ()) if batch is None else batch
        if not shape and not self.of_stacks:
            return family(**{**given, **parameters})
        defaults = {field: f.default for field, f in family.__dataclass_fields__.items() if field in domains}
        return family.unchecked(shape, **{**defaults, **given, **parameters})

    @property
    def tied_parts(self) -> Any:
        return self.tied

    @property
    def held_parts(self) -> Any:
        return self.held

    @property
    def shared_names(self) -> frozenset[str]:
        """Its parameters that are tied to those of others."""
        return frozenset((*dict(self.tied_parts), *self.among_alternatives))

    @property
    def alone(self) -> Self:
        """The same without what is tied and held."""
        return self.pinned(tied=(), held=())

    def check_parts(self) -> None:
        if self.tied or self.held:
            check_single_parts(self, self.family)

    def estimate_together(self, members: list[Member]) -> list[Any]:
        """The laws that maximise the sum of the log likelihoods and priors of leaves of this family, this the first of them, some of whose
        parameters are one, or held. A step is never downhill from the laws before.

        A family whose maximum has a closed form writes it here; as it stands, it is found by Newton's method from `log_likelihood`.
        """
        return maximised_together(members)

    def columns_of_children(self, column: Any) -> tuple[Any, ...]:
        """The columns that its children read, of a column that it reads; None for those that are made of it in a pass."""
        return (None,) * len(self.children())

    def together_on(self, column: Any) -> Any:
        """How its children are read together where it reads a column, as a stack may do it; None where they are not."""
        return None

    def free_numbers(self, law: Any) -> int:
        """How many numbers are free in one law of a stack, without those that others say too; of one that holds like fields, in each."""
        one, shared = (0,) * len(law.batch), self.shared_names
        return sum(domain.free(domain.apart(v, one) if law.batch else v) for f, domain, v in law.parameters() if f not in shared)

    # -- what a family may implement -----------------------------------------------------------------------------------

    def resolve(self, statistics: Any) -> Self:
        """The estimator with what depends on the data fixed for a fit: label set, range, floors, the prior.

        `statistics` are those of all rows at full weight, pooled over nodes with one key.
        """
        return self

    def log_prior(self, distribution: Any) -> float:
        """What the prior adds to the objective, up to a constant."""
        prior = prior_of(self)
        return 0.0 if prior is None else prior.log_density(distribution)

    def with_prior(self, statistics: Any) -> Any:
        """Statistics, and what the prior adds to them."""
        prior = prior_of(self)
        return statistics if prior is None else prior.added_to(statistics)

    def with_gaps(self, allow: Callable[[Any], Any]) -> Estimator:
        """The same for observations of which parts may be missing; `allow(child)` makes a child take missing ones. Itself without parts."""
        parts = {field: getattr(self, field) for field in self.parted}
        open = {field: tuple(map(allow, value)) if isinstance(value, tuple) else allow(value) for field, value in parts.items()}
        return self.replace(**open) if open else self

    def why_outside_support(self, x: Any) -> str | None:
        """Why one raw observation has density zero whatever the parameters, or None if it need not have."""
        return outside_support(self, x)

    def covers(self, column: Any) -> bool:
        """Whether surely no observation of a column is outside the support, by what the node itself says; its children say the rest."""
        if type(column) is Versions and not self.children():
            part = column.kinds.get(self.layout.version)
            return part is None or (len(part.present) == len(column) and self.covers(part.value))
        if self.support is None:
            return bool(self.children()) or type(self).why_outside_support is Estimator.why_outside_support
        return bool(self.support.covers(column))

    def degenerate(self, distribution: Any) -> str | None:
        """Why an estimate is no ordinary maximum (it lies on a floor), or None; of a stack, whether any is."""
        return None

    def runs_off(self, distribution: Any, statistics: Any, unit: float) -> str | None:
        """Why an estimate, with the statistics of its own step, is on its way to infinity, or None; `unit` is the mean row weight."""
        return None

    def min_relative_variance(self, distribution: Any) -> Any:
        """The least variance of an estimate in any direction, of that of all the data, of a stack place by place; None where a law
        cannot collapse."""
        return None

    def is_feasible(self, distribution: Any) -> bool:
        """Whether the node's own parameters that are not estimated are as the estimator has them, and the others within bounds."""
        return self.within_bounds(distribution)

    def within_bounds(self, law: Any) -> bool:
        """Whether an estimate may be a law by its bounds, which a step beyond EM's knows nothing of; of a stack, all of them."""
        return True

    def why_foreign(self, law: Any) -> str | None:
        """Why a law of its family and shape is none that it could estimate, whatever the data; None if it may be."""
        return None

    def adopt(self, law: Distribution) -> Distribution:
        """A law of which a start has this part, as the estimator would have it: one that learns no law takes none from a start."""
        return law

    @property
    def fixed_fields(self) -> tuple[str, ...]:
        """The law's own parameters that are given, not estimated, though the law does not show it."""
        return ()

    def left_out(self, distribution: Any) -> dict[str, np.ndarray]:
        """Fields of a law, and which of their numbers an estimate made no parameters of: coefficients that a penalty set to zero."""
        return {}

    @property
    def stacked_children(self) -> int:
        """Of a mixture, how many of its children, the first ones, are components that may be one stack (`components_field`)."""
        return self.together or len(getattr(self, str(self.components_field)))

    @property
    def has_prior(self) -> bool:
        """Whether `estimate` has an answer without data."""
        prior = prior_of(self)
        return prior is not None and prior.decides

    def ties(self) -> tuple[str | None, Any, tuple[tuple[Any, ...], ...]]:
        """What the keys tie: (key of the whole node, key of its own statistics alone, one tuple of labels per child).

        Of own statistics that are `Sums` of which each estimates the parameter of its name alone, there may be a key for each, by name.
        """
        return getattr(self, "keys", None), None, ((),) * len(self.children())


def holding(estimate: Any) -> Any:
    """What estimates a law, with the parameters that are held as they are."""

    @functools.wraps(estimate)
    def made(self: Any, statistics: Any, previous: Any = None) -> Any:
        if not self.tied_parts and not self.held_parts:
            return estimate(self, statistics, previous)
        return self.estimate_together([Member(self, statistics, previous, {}, np.shape(statistics.count))])[0]

    return made


def statistics_inside(leaf: Estimator, column: Any, weights: np.ndarray, law: Any) -> Any:
    """Weighted statistics of the values inside the support."""
    if type(column) is Versions:
        part = column.kinds[leaf.layout.version]
        return statistics_inside(leaf, part.value, weights[..., part.present], law)
    x, support = column.x, leaf.support
    if support is not None and not support.covers(column):
        inside = support.contains(x)
        x, weights = x[inside], weights[..., inside]
    return leaf.statistics(x, weights, law) if leaf.sees_law else leaf.statistics(x, weights)


def impossible_under_all(estimators: Any, x: Any) -> str | None:
    """Why an observation is impossible under each of several estimators, as the first says it; or None."""
    first = None
    for e in estimators:
        why = e.why_outside_support(x)
        if why is None:
            return None
        first = first or why
    return first


def impossible_part(places: Any) -> str | None:
    """The first reason among `(place, reason or None)`, with its place in front."""
    return next((inside(place, why) for place, why in places if why), None)


def pseudo_counts(value: Any, parts: int, who: str) -> tuple[float, ...]:
    """`pseudo_count` as `parts` numbers >= 0 (None means 0; one number stands for all)."""
    given = value if isinstance(value, (tuple, list, np.ndarray)) else (value,) * parts
    if len(given) != parts:
        raise ParameterError(f"{who}: pseudo_count must be one number or {parts}, got {value!r}")
    try:
        return tuple(0.0 if count is None else nonnegative.check(count) for count in given)
    except ParameterError as error:
        raise ParameterError(f"{who}: pseudo_count {error}") from None


def pseudo_observations(estimator: Any, statistics: Any, law: Any = None) -> Prior | None:
    """`pseudo_count` observations: as `law` draws them on average, or (law None) like all the data. None without any."""
    (count,) = pseudo_counts(estimator.pseudo_count, 1, type(estimator).__name__)
    if count == 0:
        return None
    if law is not None:
        return PseudoObservations(law.expected_statistics(count))
    return PseudoObservations(statistics.scaled(count / statistics.count)) if statistics.count > 0 else None


def pseudo_draws(estimator: Any, statistics: Any) -> Prior | None:
    """`pseudo_count` observations as a law of the family draws them on average: that of the parameters `suff_stat`, or (None) the first
    estimate from all the data. None without any."""
    (count,) = pseudo_counts(estimator.pseudo_count, 1, type(estimator).__name__)
    if count == 0:
        return None
    if (law := given_law(estimator)) is None and statistics.count > 0:
        law = estimator.estimate(statistics)
    return None if law is None else PseudoDraws(law, count)


def given_law(estimator: Any) -> Any:
    """The law whose parameters `suff_stat` gives, or whose one parameter it is; None without. Raises `ParameterError` for others."""
    if estimator.suff_stat is None:
        return None
    names = [field for field, _ in estimator.family._fields if field not in estimator.carried]
    given = (estimator.suff_stat,) if len(names) == 1 else estimator.suff_stat
    if not isinstance(given, (tuple, list, np.ndarray)) or len(given) != len(names):
        raise ParameterError(f"{type(estimator).__name__}: suff_stat must be ({', '.join(names)}), got {shorten(estimator.suff_stat)}")
    return from_suff_stat(estimator, estimator.family, *given)


def from_suff_stat(estimator: Any, make: Callable[..., Any], *given: Any) -> Any:
    """What `make` makes of `suff_stat`, or of its parts. Raises `ParameterError`, as it does, with the name of the setting."""
    try:
        return make(*given)
    except ParameterError as error:
        raise ParameterError(f"{type(estimator).__name__}: suff_stat {error}") from None


def pseudo_tables(estimator: Any, domains: Mapping[str, Domain], even: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """The tables that `suff_stat` gives, a tuple of one for each name: of a domain, and of the shape of the even one, which None stands
    for. Raises `ParameterError`."""
    given, who = (None,) * len(even) if estimator.suff_stat is None else estimator.suff_stat, type(estimator).__name__
    if not isinstance(given, (tuple, list)) or len(given) != len(even):
        raise ParameterError(f"{who}: suff_stat must be ({', '.join(domains)}), each of which may be None, got {shorten(given)}")
    out = []
    for (field, domain), plain, table in zip(domains.items(), even, given, strict=True):
        try:
            out.append(plain if table is None else domain.check(table))
        except ParameterError as error:
            raise ParameterError(f"{who}: suff_stat, {field} {error}") from None
        if out[-1].shape != plain.shape:
            raise ParameterError(f"{who}: suff_stat, {field} must be of shape {plain.shape}, got {out[-1].shape}")
    return out


def __getattr__(name: str) -> Any:
    if name == "CombinatorEstimator":
        return renamed(name, Estimator)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
