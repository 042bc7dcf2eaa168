"""How many components? A sweep over their number, every criterion in one table, and the best model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dmlcore.base.errors import ParameterError
from dmlcore.regression.model import MixtureRegression
from dmlcore.regression.named_columns import NamedColumns
from dmlcore.regression.shared_coefficients import sharing_of
from dmlcore.selection.criteria import CRITERIA
from dmlcore.selection.sweep import Selection, select
from dmlcore.stats.regression.penalties import Penalty

PAST = 2  # candidates in a row that must be worse than the best to end a sweep
MAX_COMPONENTS = 12  # components at which a sweep without a range ends
ROLES = ("sample_weight", "offset", "trials", "groups", "gate")  # what a fit may be given besides X and y


@dataclass(frozen=True, repr=False)
class ComponentSelection:
    """What a sweep found. models: a fitted `MixtureRegression` for each number of components. selection: the
    `dmlcore.selection.Selection`."""

    models: tuple[MixtureRegression, ...]
    selection: Selection

    @property
    def best(self) -> MixtureRegression:
        """The model chosen."""
        return self.models[self.selection.best_index]

    @property
    def n_components(self) -> int:
        """The number of components chosen."""
        return int(self.selection.value)

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """One dictionary per number of components: value, log_likelihood, parameters, every criterion, status, reached,
        starts."""
        return self.selection.rows

    def table(self) -> str:
        """The rows as text, the one chosen marked."""
        return self.selection.table()

    def plot(self, ax: Any = None, criteria: Iterable[str] | None = None) -> Any:
        """Criteria against the number of components, the one chosen marked, on a matplotlib axes; returns the axes."""
        ax = self.selection.plot(ax, criteria)
        ax.set_xlabel("number of components")
        return ax

    def __repr__(self) -> str:
        return repr(self.selection)

    def _repr_html_(self) -> str:
        return self.selection._repr_html_()


def select_components(
    X: Any,
    y: Any,
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
    penalty: Penalty | None = None,
    **given: Any,
) -> ComponentSelection:
    """Fits 1, 2, 3, ... components until two numbers in a row were worse than the best; or all of `components`, such as `range(1, 6)`.

    criterion: "bic", "aic", "icl" or "icl_hard". fixed, and given: sample_weight, offset, trials, groups and gate, as of
    `MixtureRegression.fit`; other arguments as of `MixtureRegression`. A fit that ended degenerate is chosen only if all did. Raises as
    these do, and `ParameterError` for an unknown criterion.
    """
    ready = [name for name, known in CRITERIA.items() if not known.refits]
    if criterion in CRITERIA and criterion not in ready:
        raise ParameterError(f"criterion must be one of {', '.join(ready)}; for held-out rows use dmlcore.select")
    unknown = [name for name in given if name not in ROLES]
    if unknown:
        raise ParameterError(f"there is no argument {unknown[0]!r}; there are {', '.join(ROLES)}")
    settings: dict[str, Any] = dict(fit_intercept=fit_intercept, starts=starts, max_iter=max_iter, random_state=random_state, ridge=ridge)
    settings |= dict(shared_scale=shared_scale, assign=assign, penalty=penalty)
    plan, table = MixtureRegression(1, family, **settings), NamedColumns(X)
    rows = plan._read_first(table, dict.fromkeys(ROLES) | dict(y=y, **given), sharing_of(table, fixed))

    def estimator_for(k: Any) -> Any:
        return plan._estimator(k, rows)

    found = select(
        estimator_for,
        range(1, MAX_COMPONENTS + 1) if components is None else components,
        rows.encoded(estimator_for(1).layout),
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
        models[-1]._adopt(rows, record)
    return ComponentSelection(tuple(models), found)
