"""`MixtureRegression`: finite mixtures of regressions in the style of scikit-learn, over the leaves and mixtures of the library."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.base.random import Random
from dmlcore.data.frames import check_paired, index_of
from dmlcore.data.values import listed
from dmlcore.fitting.fit import fit
from dmlcore.regression.checked_rows import ModelFrame, model_frame
from dmlcore.regression.fitted import Fitted, RowsToFit
from dmlcore.regression.formula import formula_of, with_complete_rows
from dmlcore.regression.incomplete_rows import ERROR, KEEP, check_missing, incomplete_rows_of, kept_rows
from dmlcore.regression.named_columns import NamedColumns, is_name
from dmlcore.regression.responses import FAMILIES
from dmlcore.regression.schema import Term, schema_of
from dmlcore.regression.shared_coefficients import Sharing, sharing_of
from dmlcore.regression.summary import estimates
from dmlcore.stats.combinators.composite import CompositeEstimator
from dmlcore.stats.combinators.optional import OptionalEstimator
from dmlcore.stats.latent.gated_mixture import GatedMixtureEstimator
from dmlcore.stats.latent.mixture import MixtureEstimator
from dmlcore.stats.regression.multinomial_logistic_regression import MultinomialLogisticRegressionEstimator
from dmlcore.stats.regression.penalties import Penalty
from dmlcore.stats.sequences.sequence import SequenceEstimator


class MixtureRegression(Fitted):
    """A finite mixture of regressions: y given x has density `sum_k w_k f(y | intercept_k + coef_k . x (+ offset), scale_k)`.

    Of several responses, given x and the component independent, f is the product. n_components: K. family: "gaussian" (identity link),
    "poisson", "gamma", "negative_binomial" (log link), "weibull" (log link of the scale) or "binomial" (logit link; y is 0 or 1, or the
    number of successes in `trials`); of several responses one for all, or a list. fit_intercept: whether there is one; also a list. starts,
    max_iter: random starts and most EM steps, as of `dmlcore.fit`. random_state: a seed or a generator. ridge (a number), or penalty
    (such as `Lasso(2.0)`): on coefficients, as of the regression estimators. shared_scale: whether all components have one scale. assign:
    "soft" (EM), "hard" (classification EM) or "stochastic"; min_share: components whose weight falls below are removed; both as of
    `dmlcore.fit`. missing: what becomes of rows that lack a cell: "error", "drop" (they are left out), or "keep": of several responses,
    rows are kept that have at least one, and say what they can.

    After `fit`, components by descending weight (with a gate: mean weight over rows): `model_` (the distribution), `weights_` `(K,)`,
    `intercept_` `(K,)`, `coef_` `(K, p)`, `scale_` `(K,)` (gaussian: standard deviation; gamma and weibull: 1 / shape; negative binomial:
    dispersion; others: ones), `log_likelihood_`, `n_iter_`, `status_`, `fit_` (the record of the fit), `feature_names_in_`,
    `n_features_in_`, `left_out_` (numbers of rows that were left out). Of q responses `intercept_` and `scale_` are `(K, q)`, `coef_` is
    `(K, q, p)`, zero where a formula leaves a covariate out of a response.
    """

    def __init__(
        self,
        n_components: int = 2,
        family: str | Sequence[str] = "gaussian",
        *,
        fit_intercept: bool | Sequence[bool] = True,
        starts: int | None = None,
        max_iter: int = 1000,
        random_state: Random = None,
        ridge: float = 0.0,
        shared_scale: bool = False,
        assign: str = "soft",
        min_share: float | None = None,
        penalty: Penalty | None = None,
        missing: str = "error",
    ):
        self.n_components = n_components
        self.family = family
        self.fit_intercept = fit_intercept
        self.starts = starts
        self.max_iter = max_iter
        self.random_state = random_state
        self.ridge = ridge
        self.shared_scale = shared_scale
        self.assign = assign
        self.min_share = min_share
        self.penalty = penalty
        self.missing = missing

    # -- settings ------------------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self).__init__).parameters if name != "self"}

    def set_params(self, **params: Any) -> Self:
        """Changes settings. Raises `ParameterError` for a name that is none."""
        names = self.get_params()
        for name, value in params.items():
            if name not in names:
                raise ParameterError(f"there is no setting {name!r}; there are {', '.join(names)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        shown = [(name, value, defaults[name].default) for name, value in self.get_params().items()]
        changed = [f"{name}={value!r}" for name, value, usual in shown if type(value) is not type(usual) or value != usual]
        said = f"{type(self).__name__}({', '.join(changed)})"
        return f"{said}\n{estimates(self)}" if hasattr(self, "model_") else said

    # -- scikit-learn, which alone asks for these ----------------------------------------------------------------------

    _estimator_type = "regressor"

    def __sklearn_tags__(self) -> Any:
        """What the tools of scikit-learn (from 1.6) must know: a regressor that needs responses."""
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags  # type: ignore[import-untyped]

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(),
            input_tags=InputTags(allow_nan=False),
            non_deterministic=self.random_state is None,
        )

    # -- fitting -------------------------------------------------------------------------------------------------------

    @classmethod
    def from_formula(
        cls,
        formula: str | Sequence[str],
        data: Any,
        n_components: int = 2,
        family: str | Sequence[str] = "gaussian",
        *,
        groups: Any = None,
        gate: Any = None,
        offset: Any = None,
        exposure: Any = None,
        trials: Any = None,
        weights: Any = None,
        fixed: Any = None,
        nested: Any = None,
        start: Any = None,
        **settings: Any,
    ) -> Self:
        """A fit by a formula, such as `"y ~ x + I(x**2)"` ("0 + x" is without intercept), to columns of a frame (needs formulaic).

        Several responses: `"y1 + y2 ~ x"`, or a list of formulas where they depend on different covariates; `"cbind(yes, no) ~ x"` are
        successes and failures of a binomial response, and of other families two responses. gate, fixed, and those of nested: a formula,
        such as `"~ z"`; fixed and nested add covariates to those of the formula. offset, exposure, trials, weights: a name of a column or
        an expression, such as `"np.log(base)"`; also `"y ~ x + offset(log(base))"`. All may be arrays; what they mean `fit` says. Where the
        formula is without intercept and `fixed` is not, it is fixed: `"y ~ 0 + x", fixed="~ w"`. settings: as of the class. Later calls
        take frames with the same columns. Raises `ParameterError` for what is no formula, `DataError` naming the column for cells
        that are missing, factors of one level, and later levels that were not there at the fit.
        """
        if "fit_intercept" in settings:
            raise ParameterError("whether there is an intercept is said by the formula: '0 + x' is without")
        model = cls(n_components, family, **settings)
        roles = dict(sample_weight=weights, offset=offset, exposure=exposure, trials=trials, groups=groups, gate=gate)
        return model._fit(model._read_formula(formula, data, roles, fixed, nested, start))

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        offset: Any = None,
        trials: Any = None,
        groups: Any = None,
        gate: Any = None,
        fixed: Any = None,
        nested: Any = None,
        start: Any = None,
        exposure: Any = None,
    ) -> Self:
        """Maximum likelihood (with `ridge` or `penalty`: maximum a posteriori), from a searched start.

        X: covariates `(n, p)`, an array or a data frame. y: responses `(n,)`, or of several `(n, q)`, a frame, or a list of names.
        sample_weight: numbers >= 0. offset: the known part of the linear predictor. exposure: of a log link, numbers > 0 that means are
        proportional to, such as the time of a count; its logarithm is an offset. trials: numbers of trials (binomial). groups: labels;
        the rows of one label come from one component. gate: covariates `(n, d)` on which the weights depend, by a multinomial logistic
        regression. Each may be an array `(n,)` or the name of a column of X (gate: also a list of
        names); columns named so are no covariates of the regression. Weights, gate and start must be the same for all rows of a group.
        Of several responses, offset, exposure and trials say whose they are: `{"y2": ...}`.

        fixed: covariates with one coefficient in all components: names of columns, or an array `(n, d)`, which then stands for further,
        last columns of X, in later calls too. nested: a list of `(size, names)`, one for each block of components: how many these are,
        and the covariates (or None) that only they have, with one coefficient in the block: `[(1, None), (2, "x1")]`.

        start: where to begin instead of a search: a component for each row `(n,)`, or shares of the components `(n, K)`.

        Raises `DataError` naming column and row (counted from 0) for cells that are missing, infinite or impossible, `DegenerateError`
        for columns that are constant or follow from others where there is no penalty. Where the maximum is infinite, or rests on few
        rows, `status_` and `fit_.events` say so.
        """
        roles = dict(y=y, sample_weight=sample_weight, offset=offset, exposure=exposure, trials=trials, groups=groups, gate=gate)
        return self._fit(self._read_columns(X, roles, fixed, nested, start))

    def _fit(self, given: RowsToFit) -> Self:
        rows = given.rows
        estimator = self._estimator(self.n_components, rows)
        record = fit(
            rows.encoded(estimator.layout),
            estimator,
            weights=rows.unit_weights,
            start=rows.unit_start(given.start),
            rng=self.random_state,
            starts=self.starts,
            max_its=self.max_iter,
            assign=self.assign,
            min_share=self.min_share,
        )
        self._adopt(given, record)
        return self

    def _read_columns(self, X: Any, roles: dict[str, Any], fixed: Any = None, nested: Any = None, start: Any = None) -> RowsToFit:
        """The rows of a fit to columns, and where it starts."""
        check_missing(self.missing)
        left_out = np.zeros(0, dtype=np.intp)
        if self.missing != ERROR:
            X, said = listed(X), roles | {"fixed": fixed}
            gone = incomplete_rows_of(X, said, self.missing)
            X, (said, start), left_out = kept_rows(X, ~gone), (kept_rows(part, ~gone) for part in (said, start)), np.flatnonzero(gone)
            fixed, roles = said.pop("fixed"), said
        table = NamedColumns(X)
        check_paired(table.index, start, "start")
        return RowsToFit(self._checked(table, roles, sharing_of(table, fixed, nested)), start, left_out, None)

    def _read_formula(
        self, formula: Any, data: Any, roles: dict[str, Any], fixed: Any = None, nested: Any = None, start: Any = None
    ) -> RowsToFit:
        """The rows of a fit by a formula, which says whether there are intercepts, and where it starts."""
        check_paired(index_of(data), start, "start", "data")
        check_missing(self.missing)
        roles, left_out = {"y": None} | roles, np.zeros(0, dtype=np.intp)
        if self.missing != ERROR:
            data, gone = with_complete_rows(formula, data, roles | {"fixed": fixed}, nested, self.missing)
            roles, fixed, start = (kept_rows(part, ~gone) for part in (roles, fixed, start))
            left_out = np.flatnonzero(gone)
        made, data, roles = formula_of(formula, data, roles, fixed, nested, self.family, self.missing == KEEP)
        X, roles = made.read(data, roles)
        intercepts = [term.intercept for term in made.terms]
        self.fit_intercept = intercepts[0] if len(set(intercepts)) == 1 else intercepts
        return RowsToFit(self._checked(NamedColumns(X), roles, made.sharing, made.terms), start, left_out, made)

    def _checked(self, table: NamedColumns, roles: dict[str, Any], sharing: Sharing, terms: tuple[Term, ...] | None = None) -> ModelFrame:
        roles = {role: value if is_name(value) else listed(value) for role, value in roles.items()}
        schema = schema_of(table, roles, self.family, self.fit_intercept, terms, replace(sharing, scale=bool(self.shared_scale)))
        return model_frame(table, roles, replace(schema, gaps=self.missing == KEEP))

    def _estimator(self, K: Any, given: ModelFrame) -> Any:
        """The estimator of a mixture of K regressions of these rows."""
        if not isinstance(K, (int, np.integer)) or isinstance(K, bool) or K < 1:
            raise ParameterError(f"n_components must be a whole number >= 1, got {K!r}")
        schema = given.schema
        if schema.sharing is not None:
            schema = replace(schema, sharing=schema.sharing.for_components(int(K)))
            given = replace(given, schema=schema)
        parts = [self._part(k, given) for k in range(int(K))] if schema.sharing is not None else [self._part(0, given)] * int(K)
        if schema.gate_names is None:
            return MixtureEstimator(parts)
        return GatedMixtureEstimator(parts, MultinomialLogisticRegressionEstimator(names=schema.gate_names))

    def _part(self, k: int, given: ModelFrame) -> Any:
        """The estimator of component k."""
        leaves = [self._leaf(k, j, given) for j in range(len(given.schema.responses))]
        part: Any = CompositeEstimator(leaves) if len(leaves) > 1 else leaves[0]
        return part if given.codes is None else SequenceEstimator(part)

    def _leaf(self, k: int, j: int, given: ModelFrame) -> Any:
        """The estimator of response j in component k; where rows lack it, these say nothing of it."""
        schema, response = given.schema, given.schema.responses[j]
        more: dict[str, Any] = {"trials": True} if response.trials else {}
        names = schema.names_of(response)
        if schema.sharing is not None:
            more |= schema.sharing.settings(k, response, names, len(schema.responses) > 1)
        leaf = FAMILIES[response.family].estimator(
            intercept=response.intercept, ridge=self.ridge, penalty=self.penalty, offset=response.shifted, names=names, **more
        )
        return OptionalEstimator(leaf) if given.has_gaps(j) else leaf
