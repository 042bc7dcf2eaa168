"""What a fitted mixture of regressions tells: means, posteriors, criteria, standard errors, and a summary."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.core.scoring import log_densities
from dmlcore.fitting.record import Fit
from dmlcore.inference.uncertainty import standard_errors
from dmlcore.inference.uncertainty.result import StandardErrors, check_level
from dmlcore.regression.checked_rows import ModelFrame, model_frame
from dmlcore.regression.formula import Formula
from dmlcore.regression.named_columns import NamedColumns, check_rows
from dmlcore.regression.ordering import heaviest_first
from dmlcore.regression.prediction import response_bounds
from dmlcore.regression.responses import FAMILIES
from dmlcore.regression.summary import Summary, labels_of, summarised
from dmlcore.selection import aic, bic, icl
from dmlcore.stats.combinators.composite import CompositeDistribution
from dmlcore.stats.combinators.optional import OptionalDistribution
from dmlcore.stats.sequences.sequence import SequenceDistribution


class RowsToFit(NamedTuple):
    """What a fit reads: checked rows, where it starts (None: it searches), numbers of the rows left out, and the formula, if by one."""

    rows: ModelFrame
    start: Any
    left_out: np.ndarray
    formula: Formula | None


class Fitted:
    """Base of `MixtureRegression`: everything after the fit. Arrays of q responses have a further axis, as `MixtureRegression` says."""

    _formula: Formula | None = None

    def _adopt(self, read: RowsToFit, record: Fit) -> None:
        """Takes over what a fit found, components in order."""
        given = read.rows
        self._formula, self.left_out_ = read.formula, read.left_out
        self.__dict__.pop("posterior_", None)
        self.fit_, self.weights_ = heaviest_first(record, given)
        self.model_: Any = self.fit_.model
        self.log_likelihood_, self.n_iter_, self.status_ = record.log_likelihood, record.iterations, record.status
        self._given, self._schema, self._made_by = given, given.schema, self.fit_.estimator
        self._errors: StandardErrors | None = None
        names, responses = self._schema.names, self._schema.responses
        self.feature_names_in_, self.n_features_in_ = np.array(names, dtype=object), len(names)
        laws = self._laws()
        shape = (len(laws), len(responses))
        self.intercept_, self.scale_ = np.zeros(shape), np.ones(shape)
        self.coef_ = np.zeros((*shape, len(names)))  # zero where a response does not depend on a covariate
        for k, each in enumerate(laws):
            for j, (law, response) in enumerate(zip(each, responses, strict=True)):
                family = FAMILIES[response.family]
                self.intercept_[k, j] = law.intercept or 0.0
                self.coef_[k, j, slice(None) if response.columns is None else list(response.columns)] = law.coef
                if family.field is not None:
                    self.scale_[k, j] = family.scale(getattr(law, family.field))
        if len(responses) == 1:
            self.intercept_, self.coef_, self.scale_ = self.intercept_[:, 0], self.coef_[:, 0], self.scale_[:, 0]

    # -- what was found ------------------------------------------------------------------------------------------------

    @property
    def components_(self) -> list[Any]:
        """The law of each component, a distribution of `dmlcore.stats`: a regression, or of several responses a composite of them."""
        self._check_fitted()
        return [law.dist if isinstance(law, SequenceDistribution) else law for law in self.model_.components]

    def _laws(self) -> list[list[Any]]:
        """The regression of each response in each component."""
        each = [list(law.dists) if len(self._schema.responses) > 1 else [law] for law in self.components_]
        return [[law.dist if isinstance(law, OptionalDistribution) else law for law in laws] for laws in each]

    @property
    def response_names_(self) -> tuple[str, ...]:
        """Names of the responses."""
        self._check_fitted()
        return tuple(response.name for response in self._schema.responses)

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

    def predict(
        self,
        X: Any,
        offset: Any = None,
        gate: Any = None,
        *,
        exposure: Any = None,
        trials: Any = None,
        per_component: bool = False,
        interval: float | None = None,
    ) -> Any:
        """Mean responses `(n,)` (binomial: of one trial), averaged over components by their weights; or of each component, `(n, K)`.

        With q responses `(n, q)`, or `(n, K, q)`. interval: a level such as 0.9; then also bounds, `(means, bounds)`, with a last axis of
        two: a new response lies between them with that probability, as much of the rest below as above (binomial: its share of the
        trials). They are of all components, or of each, and take the parameters as known.
        """
        if interval is not None:
            check_level(interval)
        roles = dict(offset=offset, exposure=exposure, gate=gate) | ({} if interval is None else {"trials": trials})
        given = self._later(X, **roles)
        laws, places = self._laws(), list(enumerate(self._schema.responses))
        means = np.array([[law[j].mean_given(given.x_of(one), given.offset[j]) for j, one in places] for law in laws])  # (K, q, n)
        weights = self.weights_[None] if given.gate is None else self.model_.weights_given(given.gate)
        out = means.transpose(2, 0, 1) if per_component else (means * weights.T[:, None]).sum(axis=0).T
        out = out if len(places) > 1 else out[..., 0]
        if interval is None:
            return out
        bounds = response_bounds(laws, None if per_component else weights, given, interval)
        return out, bounds if len(places) > 1 else bounds[..., 0, :]

    # -- the rows of the fit -------------------------------------------------------------------------------------------

    @cached_property
    def posterior_(self) -> np.ndarray:
        """Posterior probabilities `(n, K)` of the components, of the rows of the fit."""
        self._check_fitted()
        posterior = self.model_.seq_posterior(self._given.encoded(self.model_.layout))
        return posterior if self._given.codes is None else posterior[self._given.codes]

    def fitted_means(self) -> np.ndarray:
        """Means of the responses of the rows of the fit in each component, `(n, K)`, or `(n, K, q)` (binomial: of one trial)."""
        return self._of_fit("mean")

    def residuals(self) -> np.ndarray:
        """Responses of the rows of the fit less the means of each component, in units of its standard deviation, `(n, K)` or `(n, K, q)`
        (Pearson residuals). NaN where a response is missing."""
        y = np.stack([np.asarray(one, dtype=np.float64) for one in self._given.y or []], axis=-1)[:, None]
        y = y if len(self._schema.responses) > 1 else y[..., 0]
        shares = [np.ones(len(y)) if trials is None else np.maximum(trials, 1) for trials in self._given.trials]
        unit = np.stack(shares, axis=-1)[:, None] if len(shares) > 1 else shares[0][:, None]
        return (y - unit * self.fitted_means()) / np.sqrt(self._of_fit("variance"))

    def _of_fit(self, what: str) -> np.ndarray:
        """`mean` (of one trial) or `variance` of the laws of the responses of the rows of the fit."""
        self._check_fitted()
        given, out = self._given, []
        for j, response in enumerate(self._schema.responses):
            where = (given.x_of(response), given.offset[j])
            laws = [each[j] for each in self._laws()]
            parts = [law.mean_given(*where) if what == "mean" else law.laws_given(*where, given.trials[j]).ask(what) for law in laws]
            out.append(np.stack([np.broadcast_to(part, len(given.x)) for part in parts], axis=-1))
        return np.stack(out, axis=-1) if len(out) > 1 else out[0]

    def plot(self, what: str = "coefficients", **options: Any) -> Any:
        """A picture of the fit: "coefficients", "residuals" or "rootogram", as the functions of `dmlcore.plot` of these names."""
        from dmlcore.plot import regressions

        self._check_fitted()
        pictures: dict[str, Any] = {
            "coefficients": regressions.coefficients,
            "residuals": regressions.residuals,
            "rootogram": regressions.rootogram,
        }
        if what not in pictures:
            raise ParameterError(f"there is no picture {what!r}; there are {', '.join(pictures)}")
        return pictures[what](self, **options)

    # -- any rows ------------------------------------------------------------------------------------------------------

    def predict_proba(
        self,
        X: Any,
        y: Any = None,
        offset: Any = None,
        trials: Any = None,
        groups: Any = None,
        gate: Any = None,
        impossible: str = "error",
        exposure: Any = None,
    ) -> np.ndarray:
        """Posterior probabilities `(n, K)` of the components, given covariates and responses (of all rows of the group, with groups).

        impossible: what becomes of responses without density: "error", or "prior" for the mixing weights.
        """
        given = self._later(X, y=y, offset=offset, exposure=exposure, trials=trials, groups=groups, gate=gate)
        law = self._law(given)
        posterior = law.seq_posterior(given.encoded(law.layout), impossible)
        return posterior if given.codes is None else posterior[given.codes]

    def predict_labels(self, X: Any, y: Any = None, **given: Any) -> np.ndarray:
        """The most probable component of each row `(n,)`, given covariates and responses; arguments as of `predict_proba`."""
        return self.predict_proba(X, y, **given).argmax(axis=1)

    def score(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        offset: Any = None,
        trials: Any = None,
        groups: Any = None,
        gate: Any = None,
        exposure: Any = None,
    ) -> float:
        """Mean log density of a row's responses given its covariates (with groups: of a group's); larger is better."""
        roles = dict(offset=offset, exposure=exposure, trials=trials, groups=groups, gate=gate)
        given = self._later(X, y=y, sample_weight=sample_weight, **roles)
        law = self._law(given)
        return float(np.average(log_densities(law, given.encoded(law.layout), None), weights=given.unit_weights))

    def aic(self) -> float:
        """Akaike's criterion of the fit; smaller is better."""
        self._check_fitted()
        return aic(self.fit_)

    def bic(self, count: str = "groups") -> float:
        """The Bayesian information criterion of the fit; smaller is better. n is the weight of all rows; with groups, of all groups,
        which were drawn independently, or with count="rows" (as R's flexmix has it) still of all rows."""
        self._check_fitted()
        if count not in ("groups", "rows"):
            raise ParameterError(f"count must be 'groups' or 'rows', got {count!r}")
        n = self._given.total if count == "groups" else self._given.total_rows
        return bic(self.fit_, rows=n)

    def icl(self, *, hard: bool = False) -> float:
        """The integrated completed likelihood of the fit, as `dmlcore.icl`."""
        self._check_fitted()
        encoded = self._given.encoded(self.model_.layout)
        return icl(self.fit_, encoded, weights=self._given.unit_weights, hard=hard)

    def standard_errors(self, kind: str = "observed", *, clusters: Any = None, **options: Any) -> StandardErrors:
        """Standard errors of all parameters of `model_` from the rows it was fitted to; arguments as of `dmlcore.standard_errors`.

        clusters: labels of the rows of the fit, those left out among them or not; with groups the same for all rows of one.
        """
        self._check_fitted()
        if clusters is not None and not isinstance(clusters, str):
            labels = np.array([*clusters, None], dtype=object)[:-1]  # text of any library, and tuples
            if len(self.left_out_) and len(labels) == len(self._given.x) + len(self.left_out_):
                labels = np.delete(labels, self.left_out_)
            check_rows(len(labels), "clusters", len(self._given.x))
            clusters = self._given.of_units(labels, "clusters")
        encoded, weights = self._given.encoded(self.model_.layout), self._given.unit_weights
        made: dict[str, Any] = dict(estimator=self._made_by, weights=weights, kind=kind, clusters=clusters)
        return replace(standard_errors(self.model_, encoded, **made, **options), labels=labels_of(self))

    def summary(self, level: float = 0.95, kind: str = "observed", **options: Any) -> Summary:
        """How the fit went, and coefficients with standard errors, z, p and intervals of each component, weights and scales.

        level: of the intervals; kind and options: of the errors, as of `standard_errors`. Its `frame()` is a pandas frame.
        """
        self._check_fitted()
        check_level(level)
        if kind != "observed" or options:
            return summarised(self, self.standard_errors(kind, **options), level)
        if self._errors is None:
            self._errors = self.standard_errors()
        return summarised(self, self._errors, level)

    def conf_int(self, level: float = 0.95, kind: str = "observed", **options: Any) -> Any:
        """Confidence intervals of all numbers of the summary: a pandas frame with columns low and high, its rows by part and term."""
        return self.summary(level, kind, **options).frame().set_index(["part", "term"])[["low", "high"]]

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_() if hasattr(self, "model_") else f"<code>{self!r}</code>"

    # -- rows after the fit --------------------------------------------------------------------------------------------

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise StructureError(f"this {type(self).__name__} is not fitted yet; call fit(X, y)")

    def _later(self, X: Any, **roles: Any) -> ModelFrame:
        self._check_fitted()
        if self._formula is not None:
            X, roles = self._formula.read(X, roles)
        return model_frame(NamedColumns(X), roles, self._schema)

    def _law(self, given: ModelFrame) -> Any:
        """The fitted law of rows, or of groups of them."""
        parts: list[Any] = []
        for laws in self._laws():
            each = [OptionalDistribution(law) if given.has_gaps(j) else law for j, law in enumerate(laws)]
            part = CompositeDistribution(each) if len(each) > 1 else each[0]
            parts.append(part if given.codes is None else SequenceDistribution(part))
        return self.model_.replace(components=tuple(parts))
