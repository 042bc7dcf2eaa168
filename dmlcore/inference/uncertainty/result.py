"""Parameters with their standard errors: a table, intervals, and the error of anything computed from the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property
from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import DmlcoreError, ParameterError
from dmlcore.base.records import dataclass
from dmlcore.core.distribution import Distribution
from dmlcore.core.flat import Shape, flatten
from dmlcore.core.text_tables import as_html, as_text
from dmlcore.inference.parameters import POSITIVE_SCALE, PROBABILITY_SCALE, readable_names

DERIVATIVE_STEP = 0.01  # standard errors: steps of derivatives of what is computed from a model


@dataclass(frozen=True, repr=False)
class StandardErrors:
    """Every parameter of a fitted model with its standard error.

    names `(m,)`: where each number stands in the model, such as `components[1].dists[0].mu`. scales: what it is: real, positive or a
    probability. estimates, errors `(m,)`; covariance `(m, m)`: NaN for what has none; notes says why, by name. kind: "observed",
    "sandwich" or "bootstrap". root `(d, r)`: `root root'` is the covariance of the flat parameters. models: the replicates of a bootstrap,
    components in the order of `model`; replicates `(B, m)`: their numbers. clusters: how many there are, 0 without.
    labels: what tables call parameters, by name; those without one have their name.
    """

    model: Distribution
    kind: str
    names: tuple[str, ...]
    scales: tuple[str, ...]
    estimates: np.ndarray
    errors: np.ndarray
    covariance: np.ndarray
    notes: dict[str, str]
    root: np.ndarray
    models: tuple[Distribution, ...] = ()
    replicates: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    clusters: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def z(self) -> np.ndarray:
        """Estimates in units of their standard errors, `(m,)`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.estimates / self.errors

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the t law of estimates in units of their errors: of G clusters G - 1 (as Stata has it), otherwise
        infinite, a normal law. Few clusters say little of how much scores spread (Cameron and Miller 2015, section VI)."""
        return self.clusters - 1 if self.clusters else math.inf

    @property
    def p(self) -> np.ndarray:
        """Two-sided p-values `(m,)` of each number being zero, by the law that `freedom` says; NaN for numbers of which that is no
        question, as of a variance or a probability."""
        asked = np.array([scale not in (POSITIVE_SCALE, PROBABILITY_SCALE) for scale in self.scales], dtype=bool)
        return np.where(asked, 2 * special.stdtr(self.freedom, -np.abs(self.z)), np.nan)

    def interval(self, level: float = 0.95, method: str | None = None) -> np.ndarray:
        """Confidence intervals `(m, 2)`.

        method "wald" (default without replicates): symmetric on the scale of the logarithm for positive numbers and of the log odds
        for probabilities, so that they stay inside their domain; by clusters with quantiles of a t law, see `freedom`. "percentile"
        (default of a bootstrap): quantiles of the replicates.
        """
        check_level(level)
        method = method or ("percentile" if self.kind == "bootstrap" else "wald")
        if method == "percentile" and self.kind == "bootstrap":
            tail = (1 - level) / 2
            out = np.quantile(self.replicates, [tail, 1 - tail], axis=0).T
            out[np.isnan(self.errors)] = np.nan
            return out
        if method != "wald":
            raise ParameterError(f"method must be 'wald', or 'percentile' of a bootstrap, got {method!r} of a {self.kind!r}")
        reach = t_quantile(self.freedom, (1 + level) / 2) * self.errors
        out = np.stack([self.estimates - reach, self.estimates + reach], axis=1)
        for i, (scale, v, r) in enumerate(zip(self.scales, self.estimates, reach, strict=True)):
            if scale == POSITIVE_SCALE and v > 0 and np.isfinite(r):
                out[i] = v * np.exp(-min(r / v, 700)), v * np.exp(min(r / v, 700))
            elif scale == PROBABILITY_SCALE and 0 < v < 1 and np.isfinite(r):
                out[i] = [1 / (1 + (1 - v) / v * math.exp(-s * min(r / (v * (1 - v)), 700))) for s in (-1, 1)]
        return out

    def of(self, function: Callable[[Distribution], Any]) -> tuple[Any, Any]:
        """The value of any function of the model (a number or an array) and its standard error.

        Such as `errors.of(lambda model: model.mean())`, or the mean of a field given the others. By the delta method, or from the
        replicates of a bootstrap.
        """
        value = np.asarray(function(self.model), dtype=np.float64)
        if self.kind == "bootstrap":
            spread = np.std([np.asarray(function(model), dtype=np.float64) for model in self.models], axis=0, ddof=1)
        else:
            centre, shape, slopes = flatten(self.model), Shape(self.model), []
            for axis in self.root.T:
                up, down = (np.asarray(function(shape.model(centre + s * DERIVATIVE_STEP * axis)), np.float64) for s in (1, -1))
                slopes.append((up - down).ravel() / (2 * DERIVATIVE_STEP))
            spread = lengths(np.array(slopes).reshape(-1, value.size).T).reshape(value.shape)
        return (float(value), float(spread)) if value.ndim == 0 else (value, spread)

    @cached_property
    def readable(self) -> tuple[str, ...]:
        """The names as tables show them: those in `labels`; of others, parts that have a name by it, such as `components[1].size.mu`."""
        return tuple(self.labels.get(name, shown) for name, shown in zip(self.names, readable_names(self.model), strict=True))

    def __getitem__(self, name: str) -> dict[str, Any]:
        """The row of one parameter, by its name in `names`, or as tables show it."""
        known = self.names if name in self.names else self.readable
        if name not in known:
            raise ParameterError(f"there is no parameter {name!r}; there are {', '.join(known[:6])}{', ...' * (len(known) > 6)}")
        return self.rows()[known.index(name)]

    def rows(self, level: float = 0.95) -> list[dict[str, Any]]:
        """One dictionary per parameter: parameter, estimate, error, z, p, low, high, note."""
        columns = zip(self.names, self.estimates, self.errors, self.z, self.p, self.interval(level), strict=True)
        return [
            {
                "parameter": self.labels.get(name, name),
                "estimate": float(v),
                "error": float(e),
                "z": float(z),
                "p": float(p),
                "low": float(low),
                "high": float(high),
                "note": self.notes.get(name, ""),
            }
            for name, v, e, z, p, (low, high) in columns
        ]

    def table(self, level: float = 0.95) -> str:
        """The rows as text."""
        return as_text(self._shown(level))

    def __repr__(self) -> str:
        return f"Standard errors ({self.said})\n{self.table()}"

    def _repr_html_(self) -> str:
        return as_html(self._shown(0.95), f"Standard errors ({self.said})")

    @property
    def said(self) -> str:
        """The kind in words."""
        return f"{self.kind}, {self.clusters} clusters" if self.clusters else self.kind

    def _shown(self, level: float) -> list[dict[str, Any]]:
        left_out = set() if self.notes else {"note"}
        no_test = np.isnan(self.p)
        rows = []
        for row, name, silent in zip(self.rows(level), self.readable, no_test, strict=True):
            shown = row | {"parameter": name} | ({"z": math.nan, "p": math.nan} if silent else {})
            rows.append({k: v for k, v in shown.items() if k not in left_out})
        return rows


def t_quantile(freedom: Any, p: float) -> Any:
    """A quantile of the t law with these degrees of freedom, numbers or arrays of them; infinite ones are of the normal law."""
    return np.where(np.isinf(freedom), special.ndtri(p), special.stdtrit(freedom, p))[()]


def lengths(rows: np.ndarray) -> np.ndarray:
    """Euclidean lengths of rows `(m, r)` whose squares may overflow or vanish."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    unit = np.where(largest > 0, largest, 1.0)
    return unit * np.sqrt(((rows / unit[:, None]) ** 2).sum(axis=1))


def check_level(level: Any) -> None:
    """A level of confidence lies between 0 and 1."""
    try:
        right = bool(0 < level < 1)
    except (TypeError, ValueError):
        right = False
    if not right:
        raise ParameterError(f"level must be between 0 and 1, got {level!r}")


def failure(error: BaseException) -> bool:
    """Whether a fit failed because of its data, and not by a mistake in the program."""
    return isinstance(error, (DmlcoreError, np.linalg.LinAlgError, ArithmeticError))
