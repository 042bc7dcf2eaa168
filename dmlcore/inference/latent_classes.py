"""How well latent classes fit a table of counts, and how well they can be told apart."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import field
from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import DataError, StructureError
from dmlcore.base.marks import is_missing
from dmlcore.base.records import dataclass
from dmlcore.core.arguments import takes
from dmlcore.core.distribution import Distribution
from dmlcore.core.flat import n_parameters
from dmlcore.core.powers import HasClasses, has
from dmlcore.core.row_columns import row_columns
from dmlcore.core.text_tables import as_html, as_text
from dmlcore.data.encoded import encode, row_weights
from dmlcore.data.record_layouts import Fields
from dmlcore.fitting.record import Fit, model_of
from dmlcore.inference.condition import marginal
from dmlcore.inference.expectation import values_of


@dataclass(frozen=True)
class GoodnessOfFit:
    """What `goodness_of_fit` finds.

    n: the weight of the rows that count; left_out: that of those with a missing value. cells: of the table of all values. parameters: the
    free ones of the model. df: `cells - 1 - parameters`. g2, x2: the likelihood ratio and Pearson's statistic against the table itself;
    g2_p, x2_p: how probable larger ones are under chi-squared laws with df degrees of freedom (NaN where df is not positive), which are
    right only where cells are well filled.

    residuals: of each two columns, Pearson's statistic of their own table over `(A - 1) (B - 1)`: about 1 where the classes explain how the
    two go together (Vermunt and Magidson 2005).

    Of K classes: entropy_r2, how much smaller the entropy of the posteriors is than that of the class sizes, as a share;
    relative_entropy, the same against K classes of one size (Ramaswamy et al. 1993). classification `(K, K)`: the weight of rows of class
    k (row; by posteriors) that are assigned to class l (column; the most probable). classification_error: the share of wrong assignments
    that it expects.
    """

    n: float
    left_out: float
    cells: int
    parameters: int
    df: int
    g2: float
    x2: float
    residuals: dict[tuple[Any, Any], float] = field(repr=False)
    entropy_r2: float
    relative_entropy: float
    classification: np.ndarray = field(repr=False)

    @property
    def g2_p(self) -> float:
        """How probable a larger G2 is."""
        return chi_squared_tail(self.g2, self.df)

    @property
    def x2_p(self) -> float:
        """How probable a larger X2 is."""
        return chi_squared_tail(self.x2, self.df)

    @property
    def classification_error(self) -> float:
        """The share of rows that are assigned to a class that they are not of, as posteriors have it."""
        return float(1.0 - np.trace(self.classification) / self.classification.sum())

    def rows(self) -> list[dict[str, Any]]:
        """The numbers as a table."""
        names = ["n", "left_out", "cells", "parameters", "df", "g2", "g2_p", "x2", "x2_p"]
        names += ["entropy_r2", "relative_entropy", "classification_error"]
        return [{"statistic": name, "value": getattr(self, name)} for name in names]

    def __str__(self) -> str:
        pairs = [{"column": a, "with": b, "residual": value} for (a, b), value in self.residuals.items()]
        return f"{as_text(self.rows())}\n\n{as_text(pairs)}"

    def _repr_html_(self) -> str:
        return as_html(self.rows(), "Goodness of fit")


@takes()
def goodness_of_fit(model: Distribution | Fit, data: Any, weights: Any = None) -> GoodnessOfFit:
    """How well a model of labels, or of few whole numbers, fits the table of their counts: G2, X2, bivariate residuals; and how well its
    classes can be told apart: entropy R2 and the classification table.

    model: of tuples each entry of which has finitely many values, with latent classes or without. data, weights: the rows it was fitted
    to; those in which a value is missing that the model says nothing of (`OptionalDistribution` with p None) are left out. Raises
    `StructureError` for other models, and `DataError` where no row is left.
    """
    model = model_of(model, "goodness_of_fit")
    columns = _columns_of(model)
    encoded = encode(data, model.layout)
    weight = row_weights(weights, len(encoded))
    weight = np.ones(len(encoded)) if weight is None else weight
    counts: dict[Any, float] = defaultdict(float)
    for row, w in zip(encoded.column.listed(), weight.tolist(), strict=True):
        counts[tuple(None if is_missing(v) else v for v in row)] += w
    complete = {row: w for row, w in counts.items() if w > 0 and _is_complete(row, columns)}
    n = sum(complete.values())
    if not n > 0:
        raise DataError(f"{model.label}: no row is complete, so there is no table of counts")
    observed = np.array(list(complete.values()))
    fitted = n * np.exp(model.seq_log_density(list(complete)))
    with np.errstate(divide="ignore"):
        g2 = 2.0 * float(observed @ np.log(observed / fitted))
        x2 = float((observed**2 / fitted).sum()) - n
    cells, p = math.prod(map(len, columns)), n_parameters(model)
    counted = (float(n), float(weight.sum() - n), cells, p, cells - 1 - p, g2, x2)
    return GoodnessOfFit(*counted, _residuals(model, columns, complete), *_told_apart(model, encoded, weight))


def _is_complete(row: Any, columns: Sequence[list[Any]]) -> bool:
    """Whether no value is missing of which the model does not say how probable that is."""
    return all(v is not None or None in own for v, own in zip(row, columns, strict=True))


def _columns_of(model: Any) -> list[list[Any]]:
    """The values of each column. Raises `StructureError` where one has a density, or infinitely many."""
    if not isinstance(model.layout, Fields):
        raise StructureError(f"{model.label}: goodness of fit is of models of tuples of labels")
    out = []
    for column in row_columns(model.layout):
        own = values_of(marginal(model, column.path[0]))
        if own is None:
            raise StructureError(f"{model.label}: {column.key!r} does not have finitely many values, so there is no table of counts")
        out.append(own)
    return out


def _residuals(model: Any, columns: Sequence[list[Any]], counts: dict[Any, float]) -> dict[tuple[Any, Any], float]:
    keys, n, out = [column.key for column in row_columns(model.layout)], sum(counts.values()), {}
    for i, j in itertools.combinations(range(len(keys)), 2):
        pairs: dict[Any, float] = defaultdict(float)
        for row, w in counts.items():
            pairs[row[i], row[j]] += w
        cells = list(itertools.product(columns[i], columns[j]))
        fitted = n * np.exp(marginal(model, [i, j]).seq_log_density(cells))
        seen = np.array([pairs[cell] for cell in cells])
        there = fitted > 0
        df = (len(columns[i]) - 1) * (len(columns[j]) - 1)
        x2 = float(((seen - fitted)[there] ** 2 / fitted[there]).sum()) if not seen[~there].any() else math.inf
        out[keys[i], keys[j]] = x2 / df if df else 0.0
    return out


def _told_apart(model: Any, encoded: Any, weight: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Entropy R2, relative entropy, and the classification table; of one class, 1, 1 and a table of one cell."""
    if not has(model, HasClasses):
        return 1.0, 1.0, np.array([[weight.sum()]])
    posterior = model.seq_posterior(encoded).reshape(len(encoded), -1)
    K, n = posterior.shape[1], weight.sum()
    left, sizes = float(weight @ special.entr(posterior).sum(axis=1)) / n, weight @ posterior / n
    before = float(special.entr(sizes).sum())
    table = np.stack([(weight * (posterior.argmax(axis=1) == k)) @ posterior for k in range(K)], axis=1)
    return 1.0 - left / before if before > 0 else 1.0, 1.0 - left / math.log(K) if K > 1 else 1.0, table


def chi_squared_tail(x: float, df: int) -> float:
    """How probable a larger number is under a chi-squared law; NaN without degrees of freedom."""
    return float(special.gammaincc(df / 2.0, x / 2.0)) if df > 0 else math.nan
