"""How like the real data synthetic data are: each column, each pair of columns, and whether a classifier tells rows apart.

Columns of vectors, records, lists and sets are compared by plain columns of numbers or labels that stand for them: see `plain_columns`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import date, datetime, timedelta
from html import escape
from itertools import chain, combinations
from typing import Any

import numpy as np

from dmlcore.base import special
from dmlcore.base.errors import DataError, ParameterError, shorten
from dmlcore.base.extras import library
from dmlcore.base.random import Random, generator
from dmlcore.base.records import dataclass
from dmlcore.core.arguments import takes
from dmlcore.core.text_tables import as_html
from dmlcore.data.frames import Columns, is_frame, plain_column
from dmlcore.data.values import is_hashable, is_listed, is_missing, is_number, listed

NAME_WIDTH = 16, 30  # of a column's name in the text, at least and at most
MEMBERS = 12  # of sets, the most frequent, that have a column of their own
THREADS_FROM = 20_000  # rows from which the classifier gains by threads
SHARES = 8  # labels of lists, the most frequent, whose share of a list the classifier sees


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

    def said(self, side: int) -> str:
        """The real (0) or the synthetic side (1) in words."""
        first, second = (self.real, self.synthetic)[side]
        return f"{first} {second:.2f}" if self.kind == "label" else f"{first:.4g} +- {second:.3g}"


@dataclass(frozen=True)
class Pair:
    """Two columns, or that of elements of lists and the "next" element. real, synthetic: their dependence: Spearman's correlation of
    numbers, from -1 to 1; of a number and a label the correlation ratio of the ranks, and Cramer's V of labels, from 0 to 1."""

    names: tuple[str, str]
    real: float
    synthetic: float

    @property
    def gap(self) -> float:
        """How far the two associations are apart."""
        return abs(self.real - self.synthetic)


@dataclass(frozen=True)
class Classifier:
    """A classifier trained on half of the rows to tell synthetic from real, judged on the other half: `auc` is 0.5 if it cannot.

    p: the probability of an area as large under equality (Mann-Whitney test on the rows held out).
    """

    auc: float
    p: float
    rows: int


@dataclass(frozen=True, repr=False)
class Comparison:
    """What `compare` found; it shows itself as a short report, and `plot.compared` and `plot.dependence` show it.

    columns: the values of both tables, column by column. sides: what these are called.
    """

    marginals: tuple[Marginal, ...]
    pairs: tuple[Pair, ...]
    classifier: Classifier | None
    columns: tuple[TwoSided, ...] = field(default=(), repr=False, compare=False)
    sides: tuple[str, str] = ("real", "synthetic")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        one, two = self.sides
        columns = [
            {"column": str(m.name), "distance": m.distance, one: m.said(0), two: m.said(1)}
            | {f"missing, {one}": m.missing[0], f"missing, {two}": m.missing[1]}
            for m in self.marginals
        ]
        pairs = [{"columns": " - ".join(map(str, p.names)), one: p.real, two: p.synthetic} for p in self._worst()]
        below = as_html(pairs, "Largest gaps in dependence") if pairs else ""
        told = f"<p>{escape(self._told())}</p>" if self.classifier is not None else ""
        return as_html(columns, f"{one} and {two}, column by column".capitalize()) + below + told

    def _worst(self) -> list[Pair]:
        return sorted(self.pairs, key=lambda pair: -pair.gap)[:5]

    def _told(self) -> str:
        c: Any = self.classifier
        return f"classifier: area {c.auc:.3f} on {c.rows} rows held out (0.5 if alike), p = {c.p:.2g}"

    def __str__(self) -> str:
        width = min(max(NAME_WIDTH[0], *(len(str(m.name)) for m in self.marginals)), NAME_WIDTH[1])
        one, two = self.sides
        lines = [f"{'column':{width}}  distance   {f'missing {one}/{two}':23}   {one:16}  {two}"]
        for m in self.marginals:
            sides = [m.said(0), m.said(1)]
            missing = "{:8.3f} {:8.3f}".format(*m.missing)
            lines.append(f"{str(m.name)[:width]:{width}}  {m.distance:8.3f}   {missing:25} {sides[0]:16}  {sides[1]}")
        if worst := self._worst():
            lines.append("largest gaps in dependence: ")
            lines += [f"  {a} - {b}: {p.real:.3f} {one}, {p.synthetic:.3f} {two}" for p in worst for a, b in [p.names]]
        if self.classifier is not None:
            lines.append(self._told())
        return "\n".join(lines)


@takes()
def compare(real: Any, synthetic: Any, classify: bool = True, rng: Random = None) -> Comparison:
    """Compares two tables of the same columns (rows, arrays or data frames).

    Columns of numbers (dates in seconds since 1970) and of labels are compared as such. Of vectors, and of tuples or mappings, each
    entry becomes a column of its own, "name, 0", and their dependence is compared like that of all columns. Of lists of several
    lengths, and of sets, "name" is how long they are and "name, element" what is in them, all together, with the dependence of each
    element and the next one of a list; of sets, "name: member" says who is in them. classify: also train a classifier to tell the two
    tables apart (Lopez-Paz and Oquab 2017), which needs scikit-learn. Raises `DataError` where the columns differ, and for one that
    mixes kinds; `LibraryError` without scikit-learn.
    """
    forests = library("sklearn.ensemble", "the classifier of compare needs", "or compare(.., classify=False)") if classify else None
    forests = library("sklearn.ensemble", "the classifier of compare needs", "or compare(.., classify=False)") if classify else None
    names, one, two = _both(real, synthetic)
    columns = [part for name, *sides in zip(names, one, two, strict=True) for part in plain_columns(name, sides)]
    pairs = [
        Pair((a.name, b.name), *(_dependence(a, a.sides[i], b, b.sides[i]) for i in (0, 1)))
        for a, b in combinations(columns, 2)
        if a.inside is b.inside
    ]
    pairs += [Pair((a.name, "next"), *(_dependence(a, x, a, y) for x, y in map(a.steps, (0, 1)))) for a in columns if a.ordered]
    told = _classified(columns, forests, generator(rng)) if forests is not None else None
    return Comparison(tuple(c.marginal() for c in columns), tuple(pairs), told, tuple(columns))


def _both(real: Any, synthetic: Any) -> tuple[list[Any], list[Any], list[Any]]:
    real, synthetic = both = listed(real), listed(synthetic)
    lists = all(isinstance(data, list) and all(isinstance(row, list) for row in data) for data in both) and all(both)
    if lists and len({len(row) for data in both for row in data}) > 1:  # tables of one column, which holds lists
        return ["field 0"], [real], [synthetic]
    (names, one), (other, two) = map(_columns, both)
    if sorted(map(repr, names)) != sorted(map(repr, other)):
        strange = [name for name in [*names, *other] if name not in names or name not in other]
        raise DataError(f"the tables have different columns: {strange or [names, other]}")
    return names, one, [two[other.index(name)] for name in names]


class Inside:
    """Elements of lists. lists: in which list each element is, of the real table and of the synthetic one; rows: in which row."""

    def __init__(self, lengths: list[list[int]], outer: Inside | None, ordered: bool):
        self.ordered = ordered
        self.rows: list[np.ndarray]
        self.lists = [np.repeat(np.arange(len(each)), each) for each in lengths]
        self.rows = [lists if outer is None else outer.rows[i][lists] for i, lists in enumerate(self.lists)]


def plain_columns(name: Any, sides: list[list[Any]], inside: Inside | None = None) -> Iterator[TwoSided]:
    """A column of two tables as plain ones, which hold numbers or labels.

    Entries of vectors, tuples and mappings become columns; lists and sets become their lengths and, in one column, all their elements;
    sets also their most frequent members, each with whether it is there.
    """
    kind, keys = _kind(name, sides)
    if kind == "record":
        for key in keys:
            parts = [[None if is_missing(v) else v[key] for v in side] for side in sides]
            yield from plain_columns(f"{name}, {key}", parts, inside)
    elif kind == "plain":
        yield TwoSided(name, sides, "", inside)
    else:
        yield TwoSided(name, [[None if is_missing(v) else len(v) for v in side] for side in sides], "length", inside)
        often = Counter(chain.from_iterable(v for side in sides for v in side if not is_missing(v))) if kind == "set" else {}
        for member in sorted(often, key=lambda v: (-often[v], repr(v)))[:MEMBERS]:
            there = [[None if is_missing(v) else member in v for v in side] for side in sides]
            yield TwoSided(f"{name}: {member}", there, "label", inside)
        lengths = [[0 if is_missing(v) else len(v) for v in side] for side in sides]
        ordered = list if kind == "list" else lambda v: sorted(v, key=repr)
        elements = [[element for v in side if not is_missing(v) for element in ordered(v)] for side in sides]
        if any(elements):
            yield from plain_columns(f"{name}, element", elements, Inside(lengths, inside, kind == "list"))


def _kind(name: Any, sides: list[list[Any]]) -> tuple[str, Any]:
    """What the values of a column are: plain; records, with the keys of their entries; lists or sets. Raises `DataError` for a mix."""
    there = [v for side in sides for v in side if not is_missing(v)]
    kinds = {kind: v for v in there for kind in [_shape(v)]}
    if len(kinds) > 1 and set(kinds) != {"set", "list"}:
        one, other = list(kinds.values())[:2]
        raise DataError(f"column {name!r}: {shorten(one)} and {shorten(other)} stand in one column; compare needs values of one kind")
    if "set" in kinds or "plain" in kinds or not kinds:
        return ("set" if "set" in kinds else "plain"), ()
    keys = {frozenset(v) for v in there} if "mapping" in kinds else {len(v) for v in there}
    if "mapping" in kinds and len(keys) > 1:
        raise DataError(f"column {name!r}: mappings with different keys, such as {shorten(there[0])}; compare needs the same in all")
    if len(keys) > 1 or keys == {0}:
        return "list", ()
    return "record", list(there[0]) if "mapping" in kinds else range(len(there[0]))


def _shape(value: Any) -> str:
    if isinstance(value, (set, frozenset)):
        return "set"
    return "mapping" if isinstance(value, Mapping) else "list" if is_listed(value) else "plain"


def _number(value: Any) -> float | None:
    """A number, a date (in seconds since 1970) or a time as a number; None for anything else."""
    if isinstance(value, (np.datetime64, np.timedelta64)):
        value = value.astype("M8[us]" if isinstance(value, np.datetime64) else "m8[us]").item()
    if is_number(value) and not isinstance(value, (bool, np.bool_)):
        return float(value)
    if isinstance(value, datetime):
        return (value - datetime(1970, 1, 1, tzinfo=value.tzinfo)).total_seconds()
    if isinstance(value, date):
        return 86400.0 * (value - date(1970, 1, 1)).days
    return value.total_seconds() if isinstance(value, timedelta) else None


class TwoSided:
    """One plain column of both tables. sides: codes of `labels`, or numbers, NaN where missing: of the real table, of the synthetic one.
    what: "number", "label", or "length" of lists and sets. inside: which lists the values are elements of; None: each is of a row."""

    def __init__(self, name: Any, sides: list[list[Any]], what: str = "", inside: Inside | None = None):
        self.name, self.inside = name, inside
        there = [v for side in sides for v in side if not is_missing(v)]
        numbers = [self._number(v) for v in there]
        self.number = None not in numbers
        self.what = what or ("number" if self.number else "label")
        self.labels = [] if self.number else sorted(self._labels(there, numbers), key=repr)
        code = {label: i for i, label in enumerate(self.labels)}
        self.sides = [
            np.array([np.nan if is_missing(v) else _number(v) if self.number else code[v] for v in side], dtype=np.float64)
            for side in sides
        ]

    def _number(self, value: Any) -> float | None:
        if not is_hashable(value):
            raise DataError(f"column {self.name!r}: {shorten(value)} is no number, label, vector, record, list or set; compare needs one")
        return _number(value)

    def _labels(self, values: list[Any], numbers: list[float | None]) -> set[Any]:
        """All labels. Whole numbers may be labels beside others, measurements not."""
        odd = next((x for x in numbers if x is not None and x % 1 != 0), None)
        if odd is not None:
            label = values[numbers.index(None)]
            raise DataError(f"column {self.name!r}: {odd!r} and {label!r} stand in one column; compare needs numbers or labels")
        return set(values)

    @property
    def ordered(self) -> bool:
        """Whether the values are elements of lists in order."""
        return self.inside is not None and self.inside.ordered

    def steps(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Elements that have a next one in their list, and these."""
        lists, x = self.inside.lists[side], self.sides[side]  # type: ignore[union-attr]
        on = lists[1:] == lists[:-1]
        return x[:-1][on], x[1:][on]

    def features(self, side: int, rows: int) -> list[np.ndarray]:
        """Columns with a number for each row: the values; of elements of lists, the mean and deviation of numbers, shares of labels."""
        x = self.sides[side]
        if self.inside is None:
            return [x]
        there = ~np.isnan(x)
        x, row = x[there], self.inside.rows[side][there]
        count = np.bincount(row, minlength=rows)

        def mean(values: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore"):
                return np.bincount(row, values, rows) / count

        if self.number:
            middle = mean(x)
            return [middle, np.sqrt(mean((x - middle[row]) ** 2))]
        both = np.concatenate(self.sides)
        often = np.argsort(-np.bincount(both[~np.isnan(both)].astype(np.int64)), kind="stable")[:SHARES]
        return [mean(x == code) for code in often]

    def marginal(self) -> Marginal:
        """How its values are spread on both sides."""
        one, two = (side[~np.isnan(side)] for side in self.sides)
        missing = tuple(float(np.isnan(side).mean()) for side in self.sides)
        if self.number:
            return Marginal(self.name, "number", _ks(one, two), missing, _moments(one), _moments(two))  # type: ignore[arg-type]
        shares = [np.bincount(side.astype(np.int64), minlength=len(self.labels)) / max(len(side), 1) for side in (one, two)]
        tops = [(self.labels[int(np.argmax(share))], float(share.max())) for share in shares]
        return Marginal(self.name, "label", float(np.abs(shares[0] - shares[1]).sum() / 2), missing, *tops)  # type: ignore[arg-type]


def _columns(data: Any) -> tuple[list[Any], list[Any]]:
    """Names and values of the columns of a table."""
    if not hasattr(data, "__len__") or not len(data):
        raise DataError("compare needs tables with at least one row")
    if is_frame(data):
        table = Columns(data)
        return list(table.names), [list(c) for c in table.columns]
    data = plain_column(data)
    if all(isinstance(row, Mapping) for row in data) and len({frozenset(row) for row in data}) == 1:
        return list(data[0]), [[row[name] for row in data] for name in data[0]]
    rows = [row if is_listed(row) else (row,) for row in data]
    if len({len(row) for row in rows}) > 1:
        raise DataError("compare needs rows of one length")
    columns = [list(c) for c in zip(*rows, strict=True)]
    return [f"field {j}" for j in range(len(columns))], columns


def _moments(x: np.ndarray) -> tuple[float, float]:
    with np.errstate(invalid="ignore", over="ignore"):  # infinite numbers have no standard deviation
        return (float(x.mean()), float(x.std())) if len(x) else (math.nan, math.nan)


def _ks(one: np.ndarray, two: np.ndarray) -> float:
    if not len(one) or not len(two):
        return float(len(one) != len(two))
    at = np.concatenate([one, two])
    below = [np.searchsorted(np.sort(x), at, side="right") / len(x) for x in (one, two)]
    return float(np.abs(below[0] - below[1]).max())


def _dependence(a: TwoSided, x: np.ndarray, b: TwoSided, y: np.ndarray) -> float:
    """Of values x of column a and y of column b."""
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


def _classified(columns: list[TwoSided], forests: Any, rng: np.random.Generator) -> Classifier:
    from threadpoolctl import threadpool_limits

    sizes = [len(side) for side in next(c for c in columns if c.inside is None).sides]
    if min(sizes) < 20:
        raise ParameterError(f"the classifier of compare needs at least 20 rows of each table, got {sizes}; or classify=False")
    each = [[c.features(i, sizes[i]) for c in columns] for i in (0, 1)]
    features = np.concatenate([np.array(list(chain.from_iterable(side))).T for side in each])
    synthetic = np.repeat([0, 1], sizes)
    order = rng.permutation(len(synthetic))
    half = len(order) // 2
    train, held = order[:half], order[half:]
    categorical = [c.inside is None and not c.number and len(c.labels) <= 255 for c, own in zip(columns, each[0], strict=True) for _ in own]
    model = forests.HistGradientBoostingClassifier(
        max_iter=100,
        categorical_features=categorical,
        min_samples_leaf=max(2, min(20, half // 8)),  # 20 of few rows are too many to split off
        random_state=int(rng.integers(2**31)),
    )
    with threadpool_limits(1 if half < THREADS_FROM else None):  # threads that wait for each other take longer than few rows do
        model.fit(features[train], synthetic[train])
        score, label = model.predict_proba(features[held])[:, 1], synthetic[held]
    return Classifier(*area(score, label), len(held))


def area(score: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """The area under the curve of scores of rows labelled 1 against 0, and the probability of as large a one by chance (Mann-Whitney)."""
    ones, zeros = int(label.sum()), int(len(label) - label.sum())
    auc = float((ranks(score)[label == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))
    _, ties = np.unique(score, return_counts=True)
    total = ones + zeros
    spread = math.sqrt((total + 1 - (ties**3 - ties).sum() / (total * (total - 1))) / (12 * ones * zeros))
    return auc, float(special.ndtr(-(auc - 0.5) / spread)) if spread > 0 else 1.0
