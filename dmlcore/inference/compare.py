"""How like the real data synthetic data are: each column, each pair of columns, and whether a classifier tells rows apart."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from dmlcore.core import special
from dmlcore.core.errors import DataError, ParameterError, StructureError
from dmlcore.core.random import Random, generator
from dmlcore.data.values import frame_columns, is_missing, listed
from dmlcore.inference.tables import is_frame

WIDTH = 16  # of a column's name in the text


@dataclass(frozen=True)
class Marginal:
    """One column. distance: of numbers the largest gap between the distribution functions (Kolmogorov-Smirnov), of labels half the
    sum of gaps between the shares (total variation). missing: shares of missing values, (real, synthetic). real, synthetic: mean and
    standard deviation of numbers, the most frequent label and its share of labels."""

    name: str
    kind: str
    distance: float
    missing: tuple[float, float]
    real: tuple[Any, float]
    synthetic: tuple[Any, float]


@dataclass(frozen=True)
class Pair:
    """Two columns. real, synthetic: their dependence: Spearman's correlation of numbers, from -1 to 1; of a number and a label the
    correlation ratio of the ranks, and Cramer's V of labels, from 0 to 1."""

    names: tuple[str, str]
    real: float
    synthetic: float

    @property
    def gap(self) -> float:
        return abs(self.real - self.synthetic)


@dataclass(frozen=True)
class Classifier:
    """A classifier trained on half of the rows to tell synthetic from real, judged on the other half: `auc` is 0.5 if it cannot.

    p: the probability of an area as large under equality (Mann-Whitney test on the rows held out).
    """

    auc: float
    p: float
    rows: int


@dataclass(frozen=True)
class Comparison:
    """What `compare` found; `str` of it is a short report, and `plot.compared` and `plot.dependence` show it.

    columns: the values of both tables, column by column.
    """

    marginals: tuple[Marginal, ...]
    pairs: tuple[Pair, ...]
    classifier: Classifier | None
    columns: tuple[TwoSided, ...] = field(default=(), repr=False, compare=False)

    def __str__(self) -> str:
        lines = [f"{'column':{WIDTH}}  distance   missing real/synthetic   real              synthetic"]
        for m in self.marginals:
            sides = [
                f"{side[0]:.4g} +- {side[1]:.3g}" if m.kind != "label" else f"{side[0]} {side[1]:.2f}" for side in (m.real, m.synthetic)
            ]
            lines.append(
                f"{m.name[:WIDTH]:{WIDTH}}  {m.distance:8.3f}   {m.missing[0]:8.3f} {m.missing[1]:8.3f}        {sides[0]:16}  {sides[1]}"
            )
        worst = sorted(self.pairs, key=lambda pair: -pair.gap)[:5]
        if worst:
            lines.append("largest gaps in dependence: ")
            lines += [f"  {a} - {b}: {p.real:.3f} real, {p.synthetic:.3f} synthetic" for p in worst for a, b in [p.names]]
        if self.classifier is not None:
            c = self.classifier
            lines.append(f"classifier: area {c.auc:.3f} on {c.rows} rows held out (0.5 if alike), p = {c.p:.2g}")
        return "\n".join(lines)


def compare(real: Any, synthetic: Any, classify: bool = True, rng: Random = None) -> Comparison:
    """Compares two tables of the same columns (rows, arrays or data frames).

    Columns of numbers and of labels are compared as such, those of lists or sets by their lengths. classify: also train a classifier
    to tell the two apart (Lopez-Paz and Oquab 2017), which needs scikit-learn. Raises `DataError` where the columns differ,
    `StructureError` without scikit-learn.
    """
    names, one, two = _both(real, synthetic)
    columns = [TwoSided(name, a, b) for name, a, b in zip(names, one, two, strict=True)]
    pairs = tuple(Pair((a.name, b.name), *(_dependence(a, b, side) for side in (0, 1))) for a, b in combinations(columns, 2))
    told = _classified(columns, generator(rng)) if classify else None
    return Comparison(tuple(c.marginal() for c in columns), pairs, told, tuple(columns))


def _both(real: Any, synthetic: Any) -> tuple[list[str], list[Any], list[Any]]:
    sides = []
    for data in map(listed, (real, synthetic)):
        if not hasattr(data, "__len__") or not len(data):
            raise DataError("compare needs tables with at least one row")
        if is_frame(data):
            sides.append((list(data.columns), [list(c) for c in frame_columns(data)]))
        else:
            rows = [row if isinstance(row, (tuple, list, np.ndarray)) else (row,) for row in data]
            if len({len(row) for row in rows}) > 1:
                raise DataError("compare needs rows of one length")
            columns = [list(c) for c in zip(*rows, strict=True)]
            sides.append(([f"field {j}" for j in range(len(columns))], columns))
    (names, one), (other, two) = sides
    if names != other:
        strange = [name for name in [*names, *other] if name not in names or name not in other]
        raise DataError(f"the tables have different columns: {strange or [names, other]}")
    return names, one, two


class TwoSided:
    """One column of both tables. sides: codes of `labels`, or numbers, NaN where missing: of the real table, of the synthetic one.
    what: "number", "label", or "length" of lists and sets."""

    def __init__(self, name: str, *sides: list[Any]):
        self.name, self.what = name, ""
        there = [[v for v in side if not is_missing(v)] for side in sides]
        every = [v for side in there for v in side]
        if all(isinstance(v, (list, set, frozenset, np.ndarray)) for v in every) and every:
            sides = tuple([v if is_missing(v) else len(v) for v in side] for side in sides)
            every, self.what = [len(v) for v in every], "length"
        self.number = all(isinstance(v, (int, float, np.number)) and not isinstance(v, bool) for v in every)
        self.what = self.what or ("number" if self.number else "label")
        self.labels = [] if self.number else sorted(set(every), key=repr)
        code = {label: i for i, label in enumerate(self.labels)}
        self.sides = [
            np.array([np.nan if is_missing(v) else float(v) if self.number else code[v] for v in side], dtype=np.float64) for side in sides
        ]

    def marginal(self) -> Marginal:
        one, two = (side[~np.isnan(side)] for side in self.sides)
        missing = tuple(float(np.isnan(side).mean()) for side in self.sides)
        if self.number:
            return Marginal(self.name, "number", _ks(one, two), missing, _moments(one), _moments(two))  # type: ignore[arg-type]
        shares = [np.bincount(side.astype(np.int64), minlength=len(self.labels)) / max(len(side), 1) for side in (one, two)]
        tops = [(self.labels[int(np.argmax(share))], float(share.max())) for share in shares]
        return Marginal(self.name, "label", float(np.abs(shares[0] - shares[1]).sum() / 2), missing, *tops)  # type: ignore[arg-type]


def _moments(x: np.ndarray) -> tuple[float, float]:
    with np.errstate(invalid="ignore", over="ignore"):  # infinite numbers have no standard deviation
        return (float(x.mean()), float(x.std())) if len(x) else (math.nan, math.nan)


def _ks(one: np.ndarray, two: np.ndarray) -> float:
    if not len(one) or not len(two):
        return float(len(one) != len(two))
    at = np.concatenate([one, two])
    below = [np.searchsorted(np.sort(x), at, side="right") / len(x) for x in (one, two)]
    return float(np.abs(below[0] - below[1]).max())


def _dependence(a: TwoSided, b: TwoSided, side: int) -> float:
    x, y = a.sides[side], b.sides[side]
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = x[both], y[both]
    if len(x) < 2 or len(np.unique(x)) < 2 or len(np.unique(y)) < 2:
        return 0.0
    if a.number and b.number:
        return float(np.corrcoef(ranks(x), ranks(y))[0, 1])
    if not a.number and not b.number:
        return _cramer(x.astype(np.int64), y.astype(np.int64))
    number, label = (ranks(x), y) if a.number else (ranks(y), x)
    _, code = np.unique(label, return_inverse=True)
    count = np.bincount(code)
    means = np.bincount(code, number) / count
    return float(math.sqrt(min(1.0, (count @ (means - number.mean()) ** 2) / ((number - number.mean()) ** 2).sum())))


def ranks(x: np.ndarray) -> np.ndarray:
    """Ranks from 1, mean ranks of equal values."""
    _, code, count = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[code]


def _cramer(x: np.ndarray, y: np.ndarray) -> float:
    table = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(table, (x, y), 1.0)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(math.sqrt(((table - expected) ** 2 / expected).sum() / table.sum() / (min(table.shape) - 1)))


def _classified(columns: list[TwoSided], rng: np.random.Generator) -> Classifier:
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]
    except ImportError:
        raise StructureError(
            "the classifier of compare needs scikit-learn: pip install scikit-learn, or compare(.., classify=False)"
        ) from None
    sizes = [len(side) for side in columns[0].sides]
    if min(sizes) < 20:
        raise ParameterError(f"the classifier of compare needs at least 20 rows of each table, got {sizes}; or classify=False")
    features = np.concatenate([np.array([c.sides[i] for c in columns]).T for i in (0, 1)])
    synthetic = np.repeat([0, 1], sizes)
    order = rng.permutation(len(synthetic))
    half = len(order) // 2
    train, held = order[:half], order[half:]
    categorical = [not c.number and len(c.labels) <= 255 for c in columns]
    model = HistGradientBoostingClassifier(max_iter=100, categorical_features=categorical, random_state=int(rng.integers(2**31)))
    model.fit(features[train], synthetic[train])
    score, label = model.predict_proba(features[held])[:, 1], synthetic[held]
    ones, zeros = int(label.sum()), int(len(label) - label.sum())
    rank = ranks(score)
    auc = float((rank[label == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))
    _, ties = np.unique(score, return_counts=True)
    total = ones + zeros
    spread = math.sqrt((total + 1 - (ties**3 - ties).sum() / (total * (total - 1))) / (12 * ones * zeros))
    return Classifier(auc, float(special.ndtr(-(auc - 0.5) / spread)) if spread > 0 else 1.0, len(held))
