"""`MixtureRegression`: finite mixtures of regressions in the style of scikit-learn, over the leaves and mixtures of the library."""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np

from dmlcore.core.errors import DataError, ParameterError, StructureError
from dmlcore.core.random import Random
from dmlcore.core.walk import log_densities
from dmlcore.fitting.fit import fit
from dmlcore.fitting.record import Fit
from dmlcore.inference.uncertainty import standard_errors
from dmlcore.inference.uncertainty.result import StandardErrors
from dmlcore.regression.families import FAMILIES, family_named
from dmlcore.regression.formula import Formula, formula_of
from dmlcore.regression.ordering import heaviest_first
from dmlcore.regression.rows import Given, Schema, read
from dmlcore.regression.summary import Summary, summarised
from dmlcore.selection import aic, bic, icl
from dmlcore.stats.latent.gated_mixture import GatedMixtureEstimator
from dmlcore.stats.latent.mixture import MixtureEstimator
from dmlcore.stats.regression.multinomial import MultinomialLogisticRegressionEstimator
from dmlcore.stats.sequences.sequence import SequenceDistribution, SequenceEstimator


class MixtureRegression:
    """A finite mixture of regressions: y given x has density `sum_k w_k f(y | intercept_k + coef_k . x (+ offset), scale_k)`.

    n_components: K. family: "gaussian" (identity link), "poisson", "gamma", "negative_binomial" (log link) or "binomial" (logit link; y
    is 0 or 1, or the number of successes in `trials`). fit_intercept: whether there is one. starts, max_iter: random starts and most EM
    steps, as of `dmlcore.fit`. random_state: a seed or a generator. ridge: penalty on coefficients, as of the regression estimators.

    After `fit`, components by descending weight (with a gate: mean weight over rows): `model_` (the distribution), `weights_` `(K,)`,
    `intercept_` `(K,)`, `coef_` `(K, p)`, `scale_` `(K,)` (gaussian: standard deviation; gamma: 1 / shape; negative binomial: dispersion;
    others: ones), `log_likelihood_`, `n_iter_`, `status_`, `fit_` (the record of the fit), `feature_names_in_`, `n_features_in_`.
    """

    def __init__(
        self,
        n_components: int = 2,
        family: str = "gaussian",
        *,
        fit_intercept: bool = True,
        starts: int | None = None,
        max_iter: int = 1000,
        random_state: Random = None,
        ridge: float = 0.0,
    ):
        self.n_components = n_components
        self.family = family
        self.fit_intercept = fit_intercept
        self.starts = starts
        self.max_iter = max_iter
        self.random_state = random_state
        self.ridge = ridge

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
        return f"{type(self).__name__}({', '.join(changed)})"

    _formula: Formula | None = None

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        n_components: int = 2,
        family: str = "gaussian",
        *,
        groups: Any = None,
        gate: Any = None,
        offset: Any = None,
        trials: Any = None,
        weights: Any = None,
        **settings: Any,
    ) -> Self:
        """A fit by a formula, such as `"y ~ x + I(x**2)"` ("0 + x" is without intercept), to columns of a frame (needs formulaic).

        gate: a formula, such as `"~ z"`. It and the others may be the name of a column, or arrays; what they mean `fit` says. settings: as
        of the class. Later calls take frames with the same columns. Raises `ParameterError` for what is no formula, `DataError` naming
        the column for cells that are missing, factors of one level, and later levels that were not there at the fit.
        """
        if "fit_intercept" in settings:
            raise ParameterError("whether there is an intercept is said by the formula: '0 + x' is without")
        made, roles = formula_of(formula, data, dict(y=None, sample_weight=weights, offset=offset, trials=trials, groups=groups, gate=gate))
        X, roles = made.read(data, roles)
        model = cls(n_components, family, fit_intercept=made.covariates.intercept, **settings).fit(X, **roles)
        model._formula = made
        return model

    # -- fitting -------------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        offset: Any = None,
        trials: Any = None,
        groups: Any = None,
        gate: Any = None,
    ) -> Self:
        """Maximum likelihood (with `ridge`: maximum a posteriori), from a searched start.

        X: covariates `(n, p)`, an array or a data frame. y: responses `(n,)`. sample_weight: numbers >= 0. offset: the known part of the
        linear predictor (of a log link: the log exposure). trials: numbers of trials (binomial). groups: labels; the rows of one label
        come from one component. gate: covariates `(n, d)` on which the weights depend, by a multinomial logistic regression.
        Each may be an array `(n,)` or the name of a column of X (gate: also a list of names); columns named so are no covariates of the
        regression. Weights and gate must be the same for all rows of a group.

        Raises `DataError` naming column and row for cells that are missing, infinite or impossible, `DegenerateError` for columns that
        are constant or follow from others where there is no ridge.
        """
        roles = dict(y=y, sample_weight=sample_weight, offset=offset, trials=trials, groups=groups, gate=gate)
        given, schema = self._read_first(X, roles)
        self._formula = None
        estimator = self._estimator(self.n_components, schema, given.codes is not None)
        record = fit(
            given.encoded(estimator.layout),
            estimator,
            weights=given.unit_weights,
            rng=self.random_state,
            starts=self.starts,
            max_its=self.max_iter,
        )
        return self._adopt(given, schema, estimator, record)

    def _read_first(self, X: Any, roles: dict[str, Any]) -> tuple[Given, Schema]:
        if roles["y"] is None:
            raise DataError("a regression needs responses y")
        return read(family_named(self.family), X, roles)

    def _estimator(self, K: Any, schema: Schema, grouped: bool) -> Any:
        """The estimator of a mixture of K regressions of these rows."""
        if not isinstance(K, (int, np.integer)) or isinstance(K, bool) or K < 1:
            raise ParameterError(f"n_components must be a whole number >= 1, got {K!r}")
        more = {"trials": True} if schema.trials else {}
        leaf = family_named(self.family).estimator(
            intercept=self.fit_intercept, ridge=self.ridge, offset=schema.offset, names=schema.names, **more
        )
        parts = [SequenceEstimator(leaf) if grouped else leaf] * int(K)
        if schema.gate_names is None:
            return MixtureEstimator(parts)
        return GatedMixtureEstimator(parts, MultinomialLogisticRegressionEstimator(names=schema.gate_names))

    def _adopt(self, given: Given, schema: Schema, estimator: Any, record: Fit) -> Self:
        """Takes over what a fit found, components in order."""
        self.fit_, self.weights_ = heaviest_first(record, given)
        self.model_ = self.fit_.model
        self.log_likelihood_, self.n_iter_, self.status_ = record.log_likelihood, record.iterations, record.status
        self.feature_names_in_, self.n_features_in_ = np.array(schema.names, dtype=object), len(schema.names)
        laws = self.components_
        family = FAMILIES[self.family]
        self.intercept_ = np.array([0.0 if law.intercept is None else law.intercept for law in laws])
        self.coef_ = np.array([law.coef for law in laws]).reshape(len(laws), -1)
        self.scale_ = np.array([1.0 if family.field is None else family.scale(getattr(law, family.field)) for law in laws])
        self._given, self._schema, self._made_by = given, schema, estimator
        self._errors: StandardErrors | None = None
        return self

    # -- what was found ------------------------------------------------------------------------------------------------

    @property
    def components_(self) -> list[Any]:
        """The regression of each component, a distribution of `dmlcore.stats`."""
        self._check_fitted()
        model: Any = self.model_
        return [law.dist if isinstance(law, SequenceDistribution) else law for law in model.components]

    @property
    def gate_names_(self) -> tuple[str, ...]:
        """Names of the gate's covariates; none without a gate."""
        self._check_fitted()
        return self._schema.gate_names or ()

    @property
    def n_rows_(self) -> tuple[float, str]:
        """What the criteria count: the weight of all rows, or of all groups, and which of the two."""
        self._check_fitted()
        return self._given.total, "rows" if self._given.codes is None else "groups"

    def predict(self, X: Any, offset: Any = None, gate: Any = None, *, per_component: bool = False) -> np.ndarray:
        """Mean responses `(n,)` (binomial: of one trial), averaged over components by their weights; or of each component, `(n, K)`."""
        given = self._later(X, offset=offset, gate=gate)
        means = np.array([law.mean_given(given.x, given.offset) for law in self.components_]).T
        if per_component:
            return means
        model: Any = self.model_
        weights = self.weights_[None] if given.gate is None else model.weights_given(given.gate)
        return (means * weights).sum(axis=1)

    def predict_proba(
        self, X: Any, y: Any = None, offset: Any = None, trials: Any = None, groups: Any = None, gate: Any = None
    ) -> np.ndarray:
        """Posterior probabilities `(n, K)` of the components, given covariates and response (of all rows of the group, with groups)."""
        given, encoded = self._observed(X, y, None, offset, trials, groups, gate)
        posterior = self._law(given).seq_posterior(encoded)
        return posterior if given.codes is None else posterior[given.codes]

    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, offset: Any = None, trials: Any = None, groups: Any = None, gate: Any = None
    ) -> float:
        """Mean log density of a row's response given its covariates (with groups: of a group's); larger is better."""
        given, encoded = self._observed(X, y, sample_weight, offset, trials, groups, gate)
        logs = log_densities(self._law(given), encoded, None)
        return float(np.average(logs, weights=given.unit_weights))

    def aic(self) -> float:
        """Akaike's criterion of the fit; smaller is better."""
        self._check_fitted()
        return aic(self.log_likelihood_, self.model_, self._made_by)

    def bic(self) -> float:
        """The Bayesian information criterion of the fit; smaller is better. n is the weight of all rows; with groups, of all groups."""
        self._check_fitted()
        return bic(self.log_likelihood_, self.model_, self._given.total, self._made_by)

    def icl(self, *, hard: bool = False) -> float:
        """The integrated completed likelihood of the fit, as `dmlcore.icl`."""
        self._check_fitted()
        encoded = self._given.encoded(self.model_.layout)
        return icl(self.model_, encoded, weights=self._given.unit_weights, hard=hard, estimator=self._made_by)

    def standard_errors(self, kind: str = "observed", **options: Any) -> StandardErrors:
        """Standard errors of all parameters of `model_` from the rows it was fitted to; arguments as of `dmlcore.standard_errors`."""
        self._check_fitted()
        encoded = self._given.encoded(self.model_.layout)
        return standard_errors(self.model_, encoded, estimator=self._made_by, weights=self._given.unit_weights, kind=kind, **options)

    def summary(self) -> Summary:
        """Coefficients with standard errors, z and p of each component, weights, scales, criteria and how the fit went, as a table."""
        self._check_fitted()
        if self._errors is None:
            self._errors = self.standard_errors()
        return summarised(self, self._errors)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_() if hasattr(self, "model_") else f"<code>{self!r}</code>"

    # -- rows after the fit --------------------------------------------------------------------------------------------

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise StructureError(f"this {type(self).__name__} is not fitted yet; call fit(X, y)")

    def _later(self, X: Any, **roles: Any) -> Given:
        self._check_fitted()
        if self._formula is not None:
            X, roles = self._formula.read(X, roles)
        return read(FAMILIES[self.family], X, roles, self._schema)[0]

    def _observed(self, X: Any, y: Any, sample_weight: Any, offset: Any, trials: Any, groups: Any, gate: Any) -> tuple[Given, Any]:
        given = self._later(X, y=y, sample_weight=sample_weight, offset=offset, trials=trials, groups=groups, gate=gate)
        if given.y is None:
            raise DataError("responses y are needed")
        return given, given.encoded(self._law(given).layout)

    def _law(self, given: Given) -> Any:
        """The fitted law of rows, or of groups of them."""
        model: Any = self.model_
        parts = [SequenceDistribution(law) if given.codes is not None else law for law in self.components_]
        return model.replace(components=tuple(parts))
