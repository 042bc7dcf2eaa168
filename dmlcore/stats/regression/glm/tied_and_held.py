"""Regressions some of whose parameters are shared with others (`tied`, by key) or held at given values (`held`).

A place is a column's number (or its name, if the estimator has `names`), "intercept", or the name of the law's scale: "sigma2",
"shape", "dispersion" or "precision". Coefficients that vary between components are untied, fixed ones are tied in all, nested ones in
some; a coefficient that a component does not have is held at zero (Gruen and Leisch 2008).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.domains import Domain, PartlyFree
from dmlcore.base.errors import ParameterError
from dmlcore.core.declared import child, parameter
from dmlcore.core.statistics import Node, beside
from dmlcore.stats.regression.glm.coefficients import Places
from dmlcore.stats.regression.glm.common_parameters import CommonParametersDistribution, CommonParametersEstimator, Contributions, Share
from dmlcore.stats.regression.glm.regression_distribution import RegressionDistribution
from dmlcore.stats.regression.glm.regression_estimator import RegressionEstimator
from dmlcore.stats.regression.glm.scoring import Frame, level_of

INTERCEPT = "intercept"


class SharingDistribution(RegressionDistribution):
    """Base: a regression with `tied`, a mapping from places to keys of `common`, whose numbers it takes there, and `held`, a mapping
    from places to numbers, which it takes there; neither is a free parameter of its own."""

    tied: Any = parameter(Places(str), default=(), kw_only=True)
    held: Any = parameter(Places(float), default=(), kw_only=True)
    common: Any = child(default=None, kw_only=True, at="common")

    scale_field: ClassVar[str | None] = None
    tied_parts = held_parts = ()  # type: ignore[assignment]  # places are its own

    def check_parts(self) -> None:
        check_places(self, type(self).__name__)

    def validate(self) -> None:
        who = type(self).__name__
        outside = [place for place, _ in self.tied + self.held if isinstance(place, int) and not 0 <= place < len(self.coef)]
        if outside:
            raise ParameterError(f"{who}: there is no column {outside[0]}; coef has {len(self.coef)}")
        if bool(self.tied) != isinstance(self.common, CommonParametersDistribution):
            raise ParameterError(f"{who}: tied and common (a CommonParametersDistribution) go together, got {self.tied!r}, {self.common!r}")
        self.complete()

    def complete(self) -> None:
        if self.tied or self.held:
            self.derive(**self._taken())

    def _taken(self) -> dict[str, Any]:
        """The fields with what is tied and held in place."""
        coef, others = np.array(self.coef), dict[Any, Any]()
        for place, value in self.held:
            others[place] = value
        for place, key in self.tied:
            table = self.common.numbers("scale" if place == self.scale_field else "coef")
            if key not in table:
                raise ParameterError(f"{type(self).__name__}: common has no {key!r} for {place!r}; it has {list(table)}")
            others[place] = table[key]
        for place in [place for place in others if isinstance(place, int)]:
            coef[..., place] = others.pop(place)
        for place, value in others.items():
            others[place] = value if np.ndim(value) == coef.ndim - 1 else np.full(coef.shape[:-1], value)
        coef.setflags(write=False)
        return {"coef": coef, **others}

    def with_children(self, new: tuple[Any, ...]) -> Self:
        out = super().with_children(new)
        out.complete()
        return out

    def parameters(self) -> Iterator[tuple[str, Domain, Any]]:
        elsewhere = {place for place, _ in self.tied + self.held}
        for field, domain, value in super().parameters():
            if field == "coef" and elsewhere:
                domain = PartlyFree(np.array([j not in elsewhere for j in range(value.shape[-1])], dtype=bool))
            yield field, Domain() if field in elsewhere else domain, value

    def estimator(self, pseudo_count: Any = None) -> Any:
        return super().estimator(pseudo_count).replace(tied=self.tied, held=self.held)


class SharingEstimator(RegressionEstimator):
    """Base: tied: a mapping from places to keys; regressions with one key in a model share the parameter. held: a mapping from places
    to numbers that parameters are held at."""

    tied: Any = parameter(Places(str), default=(), kw_only=True)
    held: Any = parameter(Places(float), default=(), kw_only=True)
    common: Any = child(default=None, kw_only=True, at="common")

    floor: ClassVar[float] = 0.0
    tied_parts = held_parts = ()  # type: ignore[assignment]

    def check_parts(self) -> None:
        pass  # in `validate`, where columns have their numbers

    def validate(self) -> None:
        super().validate()
        if self.tied or self.held:
            for field, kind in (("tied", str), ("held", float)):
                pairs = ((self._column(place), value) for place, value in getattr(self, field))
                self.derive(**{field: Places(kind).check(tuple(pairs))})
            check_places(self, type(self).__name__)
            if self.coef_keys and self.prior_of_coef.selects:
                raise ParameterError(f"{type(self).__name__}: a {self.penalty!r} goes with no tied coefficients")
            if self.tied and self.common is None:
                self.derive(common=CommonParametersEstimator())

    def _column(self, place: Any) -> Any:
        """A place with a column's name as its number. Raises `ParameterError` for what is none."""
        if isinstance(place, int) or place in (INTERCEPT, self.scale_field):
            if isinstance(place, int) and not 0 <= place < (np.inf if self.names is None else len(self.names)):
                raise ParameterError(f"{type(self).__name__}: there is no column {place}")
            return place
        if self.names is None or place not in self.names:
            known = [*(self.names or ()), INTERCEPT, *filter(None, [self.scale_field])]
            raise ParameterError(f"{type(self).__name__}: there is no parameter {place!r}; there are {known} and columns by number")
        return self.names.index(place)

    @property
    def scale_field(self) -> str | None:
        """The name of the law's scale."""
        family: Any = self.family
        return family.scale_field  # type: ignore[no-any-return]

    @property
    def scale_key(self) -> str | None:
        """The key of the scale, if it is shared."""
        return dict(self.tied).get(self.scale_field)

    @cached_property
    def coef_keys(self) -> tuple[str, ...]:
        """The keys of shared intercepts and coefficients, in the order of its coordinates: the intercept first."""
        places = dict(self.tied)
        return tuple(places[place] for place in (INTERCEPT, *sorted(p for p in places if isinstance(p, int))) if place in places)

    def chosen(self, keys: list[str]) -> np.ndarray:
        """Which of these keys each of its shared coordinates takes, `(shared, keys)`."""
        return np.array([[1.0 * (key == own) for key in keys] for own in self.coef_keys]).reshape(-1, len(keys))

    def ties(self) -> Any:
        labels = tuple((key, "parameter") for _, key in self.tied)
        return self.keys, None, (labels,) * len(self.children())  # type: ignore[attr-defined]

    def is_feasible(self, distribution: Any) -> bool:
        return super().is_feasible(distribution) and distribution.tied == self.tied and distribution.held == self.held

    # -- what the engine asks ------------------------------------------------------------------------------------------

    def backward(self, tape: Any, weights: np.ndarray, send: Any) -> Node:
        node = super().backward(tape, weights, send)
        if self.common is not None:
            node.children = [Node(Contributions({id(self) if self.place is None else self.place: Share(node.own, self, tape.law)}))]
        return node

    def assemble(self, own: Any, children: tuple[Any, ...], previous: Any = None) -> Any:
        return RegressionEstimator.assemble(self.pinned(shared=children[0]) if children else self, own, children, previous)

    shared: ClassVar[Any] = None  # the law of `common` in this step

    # -- the step ------------------------------------------------------------------------------------------------------

    def frame_of(self, statistics: Any) -> Frame:
        if not self.tied and not self.held:
            return super().frame_of(statistics)
        scoring = self.scoring(statistics, None)
        coordinates: list[Any] = [INTERCEPT] * self.intercept + list(range(len(scoring.centre)))
        tied, held = dict(self.tied), dict(self.held)
        for place in [*tied, *held]:
            if place not in coordinates and place != self.scale_field:
                what = "the estimator has no intercept" if place == INTERCEPT else f"there are {len(scoring.centre)} columns"
                raise ParameterError(f"{type(self).__name__}: {place!r} cannot be tied or held, as {what}")
        others = [i for i, place in enumerate(coordinates) if place in tied]
        own = np.array([i for i, place in enumerate(coordinates) if place not in tied and place not in held], dtype=np.intp)
        return Frame(scoring, self.intercept, self.prior_of_coef, self.label, self.names, own, others)

    def changes(self, law: Any) -> np.ndarray | None:
        """By how much coordinates that are tied or held differ from a law's (None: from zero), `(q,)`; zero for the others."""
        if not self.tied and not self.held:
            return None
        assert self.frame is not None
        shape = np.shape(next(iter(self.shared.numbers("coef").values()))) if self.coef_keys else () if law is None else law.batch
        out = np.zeros((*shape, len(self.frame.scale)))
        values = {**dict(self.held), **{place: self.shared.numbers("coef")[key] for place, key in self.tied if place != self.scale_field}}
        values.pop(self.scale_field, None)
        for place, value in values.items():
            before = 0.0 if law is None else law.intercept if place == INTERCEPT else law.coef[..., place]
            out[..., 0 if place == INTERCEPT else place + self.intercept] = value - before
        return out

    def equations(self, statistics: Any, law: Any) -> tuple[np.ndarray, np.ndarray, Any] | None:
        """Information and score of its shared coordinates at the shared values, its own eliminated; and the information on its linear
        predictors. Zeros where there is too little of that, None where nothing is shared or held."""
        scoring = self.scoring(statistics, law)
        level, known = level_of(scoring), self.changes(law)
        if known is None or self.prior_of_coef.selects:  # which has no shared coordinates
            return None
        assert self.frame is not None
        coef = np.zeros(scoring.centre.shape) if law is None else law.coef
        matrix, gradient = self.frame.eliminated(scoring, coef, self.shape_floor, known)
        unit = np.where(level > self.level_floor * statistics.count, self.precision(law), 0.0)
        return beside(unit, matrix) * matrix, beside(unit, gradient) * gradient, unit * level

    def precision(self, law: Any) -> Any:
        """What statistics that stand for a unit scale are multiplied by to be a log likelihood."""
        return 1.0

    def scale(self, statistics: Any, previous: Any, intercept: Any, coef: np.ndarray) -> dict[str, Any]:
        field = self.scale_field
        if field is None:
            return {}
        given = dict(self.held).get(field)
        if given is None and self.scale_key is not None:
            given = self.shared.numbers("scale")[self.scale_key]
        if given is None:
            return {field: self.scale_from(self.scale_sums(statistics, intercept, coef), previous)}
        return {field: given if np.ndim(given) == coef.ndim - 1 else np.full(coef.shape[:-1], given)}

    def scale_sums(self, statistics: Any, intercept: Any, coef: np.ndarray) -> Any:
        """Sums, with their count, from which the scale follows; they add."""
        return None

    def scale_from(self, sums: Any, previous: Any) -> Any:
        """The scale that such sums give."""
        return 1.0

    def passed_on(self) -> dict[str, Any]:
        rest = super().passed_on()
        return {**rest, "tied": self.tied, "held": self.held, "common": self.shared} if self.tied or self.held else rest


def check_places(node: Any, who: str) -> None:
    """Raises `ParameterError` where a place is tied and held, is no scale of the family, or is an intercept that is not there."""
    tied, held = dict(node.tied), dict(node.held)
    both = [place for place in tied if place in held]
    if both:
        raise ParameterError(f"{who}: {both[0]!r} is both tied and held")
    for place in [*tied, *held]:
        if isinstance(place, str) and place not in (INTERCEPT, node.scale_field):
            raise ParameterError(f"{who}: there is no parameter {place!r}")
        if place == INTERCEPT and (node.intercept is None or node.intercept is False):
            raise ParameterError(f"{who}: it has no intercept to be tied or held")
    if node.scale_field in held and not held[node.scale_field] > 0:
        raise ParameterError(f"{who}: {node.scale_field} must be positive, got {held[node.scale_field]!r}")
