"""What laws of a response given covariates share: the linear predictor, means, laws and samples at given covariates.

The intercept is stated here, once: distributions hold `intercept` (a number, or None for none) and `coef` apart, estimators have the
setting `intercept`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dmlcore.base.errors import DataError, StructureError, shorten
from dmlcore.base.random import Random, generator
from dmlcore.core.declared import parameter
from dmlcore.core.distribution import Distribution, Sampler, as_values
from dmlcore.core.partial import Known, Outcomes, narrowed
from dmlcore.core.powers import Redraws
from dmlcore.core.rowlaws import Atom, EachRow, RowLaw
from dmlcore.data.encoded import encode
from dmlcore.data.layouts import Covariates, Layout, Real
from dmlcore.stats.multivariate.vectors import check_dimension
from dmlcore.stats.regression.glm.coefficients import Coefficients, MaybeReal
from dmlcore.stats.regression.glm.predictors import Rows, Tape, as_floats, impossible_response, predictors, row_layout

HIGHEST = 300.0  # linear predictors of log links beyond this are cut, so that means, and informations made of them, stay finite


class RegressionDistribution(Distribution, Redraws):
    """Base: the law of a response y given covariates x, through `eta = intercept + coef . x (+ offset)`."""

    coef: np.ndarray = parameter(Coefficients())
    intercept: float | None = parameter(MaybeReal())

    response: ClassVar[type[Layout]] = Real
    undetermined: ClassVar[np.ndarray | None] = None  # whether a fit could not determine the intercept and coefficients `(p + 1,)`
    offset = False

    @cached_property
    def layout(self) -> Layout:
        return row_layout(self, Covariates(self.label, len(self.coef)), self.response(self.label))

    @cached_property
    def given_covariates(self) -> bool:
        return True

    @property
    def dim(self) -> int:
        """The number of covariates."""
        return self.coef.shape[-1]

    @property
    def has_trials(self) -> bool:
        """Whether observations hold a number of trials."""
        return False

    def replace(self, **changes: Any) -> Self:
        out = super().replace(**changes)
        return out if self.undetermined is None else out.pinned(undetermined=self.undetermined)

    # -- what a family implements --------------------------------------------------------------------------------------

    def scores(self, rows: Rows, eta: np.ndarray) -> tuple[np.ndarray, Any]:
        """Log densities `(.., n)` at linear predictors `(.., n)`, which may be written over, and what `slopes` needs."""
        raise StructureError(f"{type(self).__name__} has no scores(rows, eta)")

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        """The mean response (of one trial) at linear predictors `(n,)`."""
        raise StructureError(f"{type(self).__name__} has no mean_of(eta)")

    def law_of(self, mean: float, trials: int) -> Any:
        """The law of y, a distribution of the library, where its mean (in one trial) is `mean`; of arrays, a stack of them."""
        raise StructureError(f"{type(self).__name__} has no law_of(mean, trials)")

    def draw_of(self, mean: np.ndarray, trials: Any, rng: np.random.Generator) -> np.ndarray:
        """One response for each mean `(n,)`."""
        raise StructureError(f"{type(self).__name__} has no draw_of(mean, trials, rng)")

    # -- what the engine asks ------------------------------------------------------------------------------------------

    def forward(self, column: Any, score: Any) -> tuple[np.ndarray, Tape]:
        rows = Rows(self, column)
        if not rows.n:
            return np.zeros((*self.batch, 0)), Tape(rows)
        with np.errstate(over="ignore"):
            logs, made = self.scores(rows, predictors(self, rows))
        return rows.bar(logs), Tape(rows, self, made)

    def draw(self, size: int, rng: np.random.Generator) -> Any:
        raise StructureError(f"{self.label}: a regression cannot be sampled without covariates; use sample_given(x), or condition on x")

    # -- what users call -----------------------------------------------------------------------------------------------

    def predictor_given(self, x: Any, offset: Any = None) -> np.ndarray:
        """Linear predictors `(n,)` at covariates `(n, p)`. Raises `DataError` for other shapes, missing and infinite cells."""
        column: Any = encode(x, Covariates(self.label, self.dim)).column
        values = column.x
        check_dimension(values, self.dim, self.label)
        if (offset is not None) != bool(self.offset):
            raise DataError(f"{self.label}: {'needs an offset' if self.offset else 'has no offset'}, got {shorten(offset)}")
        eta = values @ self.coef + (self.intercept or 0.0)
        return eta if offset is None else eta + np.broadcast_to(np.asarray(offset, dtype=np.float64), eta.shape)

    def mean_given(self, x: Any, offset: Any = None) -> np.ndarray:
        """The mean response `(n,)` (of one trial) at covariates `(n, p)`, with offsets `(n,)` or one number where the law has them."""
        return self.mean_of(self.predictor_given(x, offset))

    def law_given(self, x: Any, offset: Any = None, trials: int | None = None) -> Any:
        """The law of y at one x `(p,)`: a distribution of the library."""
        if (trials is not None) != bool(self.has_trials):
            raise DataError(f"{self.label}: {'needs trials' if self.has_trials else 'has no trials'}, got {trials!r}")
        return self.law_of(float(self.mean_given([x], offset)[0]), 1 if trials is None else trials)

    def sample_given(self, x: Any, rng: Random = None, offset: Any = None, trials: Any = None) -> np.ndarray:
        """One draw of y for each row of covariates `(n, p)`, `(n,)`."""
        mean = self.mean_given(x, offset)
        if (trials is not None) != bool(self.has_trials):
            raise DataError(f"{self.label}: {'needs trials' if self.has_trials else 'has no trials'}, got {shorten(trials)}")
        return self.draw_of(mean, trials, generator(rng))

    def redraw(self, rows: list[Any], rng: np.random.Generator) -> list[Any]:
        names = [name for name, there in (("trials", self.has_trials), ("offset", self.offset)) if there]
        given: dict[str, Any] = {name: [row[2 + j] for row in rows] for j, name in enumerate(names)}
        drawn: Any = self.sample_given([row[0] for row in rows], rng, **given) if rows else []
        return [(row[0], y, *row[2:]) for row, y in zip(rows, as_values(drawn), strict=True)]

    def sampler(self, seed: Random = None) -> GivenSampler:
        return GivenSampler(self, generator(seed))

    def estimator(self, pseudo_count: Any = None) -> Any:
        """The estimator of this shape; `pseudo_count` becomes its `ridge`."""
        ridge = 0.0 if pseudo_count is None else float(np.ravel(pseudo_count)[0] or 0.0)
        settings = {field: getattr(self, field) for field, _ in self._fields if field in ("offset", "trials", "link", "name", "keys")}
        return self.estimator_family(intercept=self.intercept is not None, ridge=ridge, **settings)

    def given(self, x: Any, n: int) -> tuple[np.ndarray, RowLaw]:
        layout: Any = self.layout
        entries = [pair for j, pair in enumerate(zip(x.entries, layout.values, strict=True)) if j != 1]  # all but the response
        covariates, *rest = [known_values(self, entry, part) for entry, part in entries]
        offset = rest[-1] if self.offset else None
        trials = rest[0] if self.has_trials else None
        response, laws = x.entries[1], self.laws_given(covariates, offset, trials)
        return narrowed(np.zeros(n), laws, {0: response} if isinstance(response, Outcomes) else {}, n)

    def laws_given(self, x: np.ndarray, offset: Any = None, trials: Any = None) -> Atom:
        """The laws of y at each row of covariates `(n, p)`."""
        each = np.ones(len(x), dtype=np.int64) if trials is None else np.asarray(trials).astype(np.int64)
        return AtMeans(self, self.mean_given(x, offset), each)

    def explain_zero_density(self, x: Any) -> str:
        why = impossible_response(self, x)
        return why or f"{self.label}: {shorten(x)} has density zero"


class AtMeans(EachRow):
    """The laws of a response at each row's mean (in one trial) and number of trials, `(n,)`."""

    def __init__(self, law: RegressionDistribution, mean: np.ndarray, trials: np.ndarray):
        self.law, self.mean, self.trials = law, mean, trials

    @cached_property
    def laws(self) -> list[Any]:  # type: ignore[override]
        """Each by itself."""
        return [self.law.law_of(mean, n) for mean, n in zip(self.mean.tolist(), self.trials.tolist(), strict=True)]

    @cached_property
    def together(self) -> Any:
        """All of them as a stack, whose distribution functions are those of all rows at once."""
        return self.law.law_of(self.mean, self.trials)  # type: ignore[arg-type]

    def ask(self, what: str, *args: Any) -> Any:
        return getattr(self.together, what)(*args) if what in ("mean", "variance", "cdf", "quantile") else super().ask(what, *args)


def law_with(family: Any, **parameters: Any) -> Any:
    """The law of a family with these parameters; where some are arrays, a stack."""
    shape = np.broadcast_shapes(*map(np.shape, parameters.values()))
    return family.unchecked(shape, **parameters) if shape else family(**parameters)


def known_values(node: Any, entry: Any, layout: Layout) -> np.ndarray:
    """Covariates, numbers of trials or offsets, row by row. Raises `StructureError` where they are unknown."""
    if not isinstance(entry, Known):
        raise StructureError(
            f"{node.label}: covariates have no law (nor have trials, or an offset), so only a response can be unknown; give them"
        )
    column: Any = entry.encoded(layout).column
    return column.x if isinstance(layout, Covariates) else as_floats(column)


class GivenSampler(Sampler):
    """Draws of responses at given covariates; successive calls continue one random stream."""

    def sample_given(self, x: Any, offset: Any = None, trials: Any = None) -> np.ndarray:
        """One draw of y for each row of covariates `(n, p)`, `(n,)`."""
        law: Any = self.distribution
        return law.sample_given(x, self.rng, offset, trials)
