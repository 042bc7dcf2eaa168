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
from dmlcore.regression.fitted import Fitted
from dmlcore.regression.formula import formula_of
from dmlcore.regression.named_columns import NamedColumns, is_name
from dmlcore.regression.responses import FAMILIES
from dmlcore.regression.schema import Response, Schema, Term, schema_of
from dmlcore.regression.shared_coefficients import Sharing, sharing_of
from dmlcore.regression.summary import estimates
from dmlcore.stats.combinators.composite import CompositeEstimator
from dmlcore.stats.latent.gated_mixture import GatedMixtureEstimator
from dmlcore.stats.latent.mixture import MixtureEstimator
from dmlcore.stats.regression.multinomial_logistic_regression import MultinomialLogisticRegressionEstimator
from dmlcore.stats.regression.penalties import Penalty
from dmlcore.stats.sequences.sequence import SequenceEstimator


class MixtureRegression(Fitted):
    """A finite mixture of regressions: y given x has density `sum_k w_k f(y | intercept_k + coef_k . x (+ offset), scale_k)`.

    Of several responses, given x and the component independent, f is the product. n_components: K. family: "gaussian" (identity link),
    "poisson", "gamma", "negative_binomial" (log link) or "binomial" (logit link; y is 0 or 1, or the number of successes in `trials`);
    of several responses one for all, or a list. fit_intercept: whether there is one; also a list. starts, max_iter: random starts and
    most EM steps, as of `dmlcore.fit`. random_state: a seed or a generator. ridge (a number), or penalty
    (such as `Lasso(2.0)`): on coefficients, as of the regression estimators. shared_scale: whether all components have one scale. assign:
    "soft" (EM), "hard" (classification EM) or "stochastic"; min_share: components whose weight falls below are removed; both as of
    `dmlcore.fit`.

    After `fit`, components by descending weight (with a gate: mean weight over rows): `model_` (the distribution), `weights_` `(K,)`,
    `intercept_` `(K,)`, `coef_` `(K, p)`, `scale_` `(K,)` (gaussian: standard deviation; gamma: 1 / shape; negative binomial: dispersion;
    others: ones), `log_likelihood_`, `n_iter_`, `status_`, `fit_` (the record of the fit), `feature_names_in_`, `n_features_in_`. Of q
    responses `intercept_` and `scale_` are `(K, q)`, `coef_` is `(K, q, p)`, zero where a formula leaves a covariate out of a response.
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
        changed = [f"{name}={value!r}" for name, value in self.get_params().items() if value is not (defaults[name].default)]
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
        trials: Any = None,
        weights: Any = None,
        fixed: Any = None,
        nested: Any = None,
        start: Any = None,
        **settings: Any,
    ) -> Self:
        """A fit by a formula, such as `"y ~ x + I(x**2)"` ("0 + x" is without intercept), to columns of a frame (needs formulaic).

        Several responses: `"y1 + y2 ~ x"`, or a list of formulas where they depend on different covariates. gate, fixed, and those of
        nested: a formula, such as `"~ z"`; fixed and nested add covariates to those of the formula. They and the others may be names
        of columns, or arrays; what they mean `fit` says. Where the formula is without intercept and `fixed` is not, it is fixed:
        `"y ~ 0 + x", fixed="~ w"`. settings: as of the class. Later
        calls take frames with the same columns. Raises `ParameterError` for what is no formula, `DataError` naming the column for cells
        that are missing, factors of one level, and later levels that were not there at the fit.
        """
        if "fit_intercept" in settings:
            raise ParameterError("whether there is an intercept is said by the formula: '0 + x' is without")
        roles = dict(y=None, sample_weight=weights, offset=offset, trials=trials, groups=groups, gate=gate)
        check_paired(index_of(data), start, "start", "data")
        made, data, roles = formula_of(formula, data, roles, fixed, nested)
        X, roles = made.read(data, roles)
        intercepts = [term.intercept for term in made.terms]
        same = len(set(intercepts)) == 1
        model = cls(n_components, family, fit_intercept=intercepts[0] if same else intercepts, **settings)
        model._fit(model._read_first(X, roles, made.sharing, made.terms), start)
        model._formula = made
        return model

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
    ) -> Self:
        """Maximum likelihood (with `ridge` or `penalty`: maximum a posteriori), from a searched start.

        X: covariates `(n, p)`, an array or a data frame. y: responses `(n,)`, or of several `(n, q)`, a frame, or a list of names.
        sample_weight: numbers >= 0. offset: the known part of the linear predictor (of a log link: the log exposure). trials: numbers of
        trials (binomial). groups: labels; the rows of one label come from one component. gate: covariates `(n, d)` on which the weights
        depend, by a multinomial logistic regression. Each may be an array `(n,)` or the name of a column of X (gate: also a list of
        names); columns named so are no covariates of the regression. Weights, gate and start must be the same for all rows of a group.
        Of several responses, offset and trials say whose they are: `{"y2": ...}`.

        fixed: covariates with one coefficient in all components: names of columns, or an array `(n, d)`, which then stands for further,
        last columns of X, in later calls too. nested: a list of `(size, names)`, one for each block of components: how many these are,
        and the covariates (or None) that only they have, with one coefficient in the block: `[(1, None), (2, "x1")]`.

        start: where to begin instead of a search: a component for each row `(n,)`, or shares of the components `(n, K)`.

        Raises `DataError` naming column and row (counted from 0) for cells that are missing, infinite or impossible, `DegenerateError`
        for columns that are constant or follow from others where there is no penalty. Where the maximum is infinite, or rests on few
        rows, `status_` and `fit_.events` say so.
        """
        roles = dict(y=y, sample_weight=sample_weight, offset=offset, trials=trials, groups=groups, gate=gate)
        table = NamedColumns(X)
        check_paired(table.index, start, "start")
        return self._fit(self._read_first(table, roles, sharing_of(table, fixed, nested)), start)

    def _fit(self, given: ModelFrame, start: Any) -> Self:
        estimator = self._estimator(self.n_components, given)
        record = fit(
            given.encoded(estimator.layout),
            estimator,
            weights=given.unit_weights,
            start=given.unit_start(start),
            rng=self.random_state,
            starts=self.starts,
            max_its=self.max_iter,
            assign=self.assign,
            min_share=self.min_share,
        )
        self._formula = None
        self._adopt(given, record)
        return self

    def _read_first(self, X: Any, roles: dict[str, Any], sharing: Sharing, terms: tuple[Term, ...] | None = None) -> ModelFrame:
        table = X if isinstance(X, NamedColumns) else NamedColumns(X)
        roles = {role: value if is_name(value) else listed(value) for role, value in roles.items()}
        sharing = replace(sharing, scale=bool(self.shared_scale))
        return model_frame(table, roles, schema_of(table, roles, self.family, self.fit_intercept, terms, sharing))

    def _estimator(self, K: Any, given: ModelFrame) -> Any:
        """The estimator of a mixture of K regressions of these rows."""
        if not isinstance(K, (int, np.integer)) or isinstance(K, bool) or K < 1:
            raise ParameterError(f"n_components must be a whole number >= 1, got {K!r}")
        schema = given.schema
        if schema.sharing is not None:
            schema.sharing.check_components(int(K))
        parts = [self._part(k, given) for k in range(int(K))] if schema.sharing is not None else [self._part(0, given)] * int(K)
        if schema.gate_names is None:
            return MixtureEstimator(parts)
        return GatedMixtureEstimator(parts, MultinomialLogisticRegressionEstimator(names=schema.gate_names))

    def _part(self, k: int, given: ModelFrame) -> Any:
        """The estimator of component k."""
        leaves = [self._leaf(k, response, given.schema) for response in given.schema.responses]
        part: Any = CompositeEstimator(leaves) if len(leaves) > 1 else leaves[0]
        return part if given.codes is None else SequenceEstimator(part)

    def _leaf(self, k: int, response: Response, schema: Schema) -> Any:
        """The estimator of one response in component k."""
        more: dict[str, Any] = {"trials": True} if response.trials else {}
        names = schema.names_of(response)
        if schema.sharing is not None:
            more |= schema.sharing.settings(k, response, names, len(schema.responses) > 1)
        return FAMILIES[response.family].estimator(
            intercept=response.intercept, ridge=self.ridge, penalty=self.penalty, offset=response.offset, names=names, **more
        )
