"""How many components? A sweep over their number, every criterion in one table, and the best model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dmlcore.base.errors import ParameterError
from dmlcore.base.records import dataclass
from dmlcore.regression.fitted import RowsToFit
from dmlcore.regression.formula_text import texts_in
from dmlcore.regression.model import MixtureRegression
from dmlcore.selection.criteria import CRITERIA
from dmlcore.selection.sweep import Selection, select
from dmlcore.stats.regression.penalties import Penalty

PAST = 2  # candidates in a row that must be worse than the best to end a sweep
MAX_COMPONENTS = 12  # components at which a sweep without a range ends
ROLES = ("sample_weight", "offset", "exposure", "trials", "groups", "gate")  # what a fit may be given besides X and y


@dataclass(frozen=True, repr=False)
class FittedSweep:
    """What a sweep found. models: a fitted `MixtureRegression` for each candidate. selection: the `dmlcore.selection.Selection`."""

    models: tuple[MixtureRegression, ...]
    selection: Selection

    @property
    def best(self) -> MixtureRegression:
        """The model chosen."""
        return self.models[self.selection.best_index]

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """One dictionary per candidate: value, log_likelihood, parameters, every criterion, status, reached, starts."""
        return self.selection.rows

    def table(self) -> str:
        """The rows as text, the one chosen marked."""
        return self.selection.table()

    def __repr__(self) -> str:
        return repr(self.selection)

    def _repr_html_(self) -> str:
        return self.selection._repr_html_()


class ComponentSelection(FittedSweep):
    """A sweep over the number of components."""

    @property
    def n_components(self) -> int:
        """The number of components chosen."""
        return int(self.selection.value)

    def plot(self, ax: Any = None, criteria: Iterable[str] | None = None) -> Any:
        """Criteria against the number of components, the one chosen marked, on a matplotlib axes; returns the axes."""
        ax = self.selection.plot(ax, criteria)
        ax.set_xlabel("number of components")
        return ax


def select_components(
    X: Any,
    y: Any = None,
    *,
    components: Iterable[int] | None = None,
    criterion: str = "bic",
    family: str | Sequence[str] = "gaussian",
    fit_intercept: bool | Sequence[bool] = True,
    starts: int | None = None,
    max_iter: int = 1000,
    random_state: Any = None,
    ridge: float = 0.0,
    shared_scale: bool = False,
    assign: str = "soft",
    fixed: Any = None,
    nested: Any = None,
    penalty: Penalty | None = None,
    missing: str = "error",
    **given: Any,
) -> ComponentSelection:
    """Fits 1, 2, 3, ... components until two numbers in a row were worse than the best; or all of `components`, such as `range(1, 6)`.

    X, y: covariates and responses, or a formula and a frame: `select_components("y ~ x", data)`. criterion: "bic", "aic", "icl" or
    "icl_hard". fixed, nested, and given (sample_weight, offset, exposure, trials, groups and gate): as of `MixtureRegression.fit`, or with
    a formula of `from_formula`; one block of nested may have the size None: all other components. Other arguments as of
    `MixtureRegression`. A fit that ended degenerate is chosen only if all did. Raises as these do, and `ParameterError` for an unknown
    criterion.
    """
    check_criterion(criterion)
    settings: dict[str, Any] = dict(fit_intercept=fit_intercept, starts=starts, max_iter=max_iter, random_state=random_state, ridge=ridge)
    settings |= dict(shared_scale=shared_scale, assign=assign, penalty=penalty, missing=missing)
    plan = MixtureRegression(1, family, **settings)
    read = rows_to_sweep(plan, X, y, given, fixed, nested)
    rows, settings = read.rows, settings | {"fit_intercept": plan.fit_intercept}
    least, further = (rows.schema.sharing.counted, rows.schema.sharing.open) if rows.schema.sharing is not None else (1, True)
    least = max(least, 1)

    def estimator_for(k: Any) -> Any:
        return plan._estimator(k, rows)

    found = select(
        estimator_for,
        range(least, MAX_COMPONENTS + 1 if further else least + 1) if components is None else components,
        rows.encoded(estimator_for(least).layout),
        criterion,
        starts=starts,
        weights=rows.unit_weights,
        patience=PAST if components is None else None,
        rng=random_state,
        max_its=max_iter,
        assign=assign,
    )
    models = []
    for k, record in zip(found.values, found.fits, strict=True):
        models.append(MixtureRegression(k, family, **settings))
        models[-1]._adopt(read, record)
    return ComponentSelection(tuple(models), found)


def check_criterion(criterion: str) -> None:
    """Raises `ParameterError` for criteria that fit again; of others that are not known, `select` says so."""
    ready = [name for name, known in CRITERIA.items() if not known.refits]
    if criterion not in ready:
        raise ParameterError(f"criterion must be one of {', '.join(ready)}, got {criterion!r}; for held-out rows use dmlcore.select")


def rows_to_sweep(plan: MixtureRegression, X: Any, y: Any, given: dict[str, Any], fixed: Any = None, nested: Any = None) -> RowsToFit:
    """The rows of all candidates: X and y are covariates and responses, or a formula and a frame. Raises `ParameterError` for what is no
    role of a fit."""
    if unknown := [name for name in given if name not in ROLES]:
        raise ParameterError(f"there is no argument {unknown[0]!r}; there are {', '.join(ROLES)}")
    roles = dict.fromkeys(ROLES) | given
    if any("~" in text for text in texts_in(X)):
        return plan._read_formula(X, y, roles, fixed, nested)
    return plan._read_columns(X, {"y": y} | roles, fixed, nested)
