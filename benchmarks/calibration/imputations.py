"""True laws of tables with gaps: intervals of the cells that were hidden, and of means and slopes pooled over copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.calibration.coverage import LEVELS, Case, Told, held
from benchmarks.calibration.regressions import Rng, logistic
from dmlcore import fit, impute, missing_at_random, pool
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    GaussianEstimator,
    MixtureEstimator,
    MultivariateGaussianEstimator,
    PoissonEstimator,
)

COPIES = 39  # with one more draw of the same law 40: of these two on either side are outside of 90%, one outside of 95%
OUTSIDE = np.array([2, 1])
MANY_ROWS = 400_000  # that tell what is true of means and slopes
Table = dict[str, np.ndarray]
Statistic = Callable[[Table], tuple[float, float]]  # an estimate and its squared standard error


@dataclass(frozen=True)
class TrueTable:
    """A law of rows without gaps, which cells of it are hidden, and how they are filled.

    draw: columns of n rows. hide: which cells of these are missing, by column. filled: what `impute` says of a table of rows as
    dictionaries, or of tuples by position. kinds: what columns are, by name. statistics: what is computed from the completed table.
    """

    family: str
    name: str
    draw: Callable[[Rng, int], Table]
    hide: Callable[[Rng, Table], Table]
    filled: Callable[[list[Any], Rng], Any]
    kinds: dict[str, str]
    statistics: dict[str, Statistic]
    n: int = 150
    by_position: bool = False

    def case(self) -> Case:
        """Tables of one size."""
        return Case(self.family, self.name, f"{self.n} rows", self.repeat)

    @cached_property
    def truth(self) -> dict[str, float]:
        """What is true of the law, from many rows."""
        many = self.draw(np.random.default_rng(0), MANY_ROWS)
        return {name: statistic(many)[0] for name, statistic in self.statistics.items()}

    def repeat(self, rng: Rng) -> Told:
        """Ranks of hidden cells among draws, and intervals of what is pooled."""
        table = self.draw(rng, self.n)
        gaps = self.hide(rng, table)
        found = self.filled(self._with_gaps(table, gaps), rng)
        names = list(table)
        out: dict[str, list[np.ndarray]] = {}
        copies = [dict(table) for _ in range(COPIES)]
        for name, cells in found.cells.items():
            column = names[int(name.rpartition(" ")[2])] if self.by_position else name  # "field 1"
            drawn = [np.array(each) for each in cells.each]
            for copy, values in zip(copies, drawn, strict=True):
                copy[column] = table[column].copy()
                copy[column][cells.rows] = values
            inside = within_draws(table[column][cells.rows], np.array(drawn), rng)
            out.setdefault(f"cells: {self.kinds[column]}", []).append(inside)
        told = {kind: np.mean(each, axis=0) for kind, each in out.items()}
        for name, statistic in self.statistics.items():
            pooled = pool(copies, statistic, freedom=self.n - 2)
            ends = {level: np.array([pooled.interval(level)]) for level in LEVELS}
            told[f"pooled {name}"] = held([self.truth[name]], ends)
        return told

    def _with_gaps(self, table: Table, gaps: Table) -> list[Any]:
        seen = {name: [None if gone else v for v, gone in zip(x.tolist(), gaps[name].tolist(), strict=True)] for name, x in table.items()}
        rows = list(zip(*seen.values(), strict=True))
        return rows if self.by_position else [dict(zip(seen, row, strict=True)) for row in rows]


def within_draws(truth: np.ndarray, draws: np.ndarray, rng: Rng) -> np.ndarray:
    """How often the truth `(m,)` is not among the outermost of itself and draws `(COPIES, m)`, of equal ones in an order by chance."""
    order = np.unique(np.concatenate([truth[None], draws]), return_inverse=True)[1].reshape(len(draws) + 1, -1)
    below, equal = (order[1:] < order[0]).sum(axis=0), (order[1:] == order[0]).sum(axis=0)
    rank = below + rng.integers(0, equal + 1)
    return np.array([np.mean((out <= rank) & (rank <= len(draws) - out)) for out in OUTSIDE])


# -- statistics ------------------------------------------------------------------------------------------------------------


def mean_of(column: str) -> Statistic:
    """The mean of a column."""
    return lambda table: (float(table[column].mean()), float(table[column].var(ddof=1) / len(table[column])))


def share_of(column: str, label: str) -> Statistic:
    """The share of a label."""

    def share(table: Table) -> tuple[float, float]:
        p = float(np.mean(table[column] == label))
        return p, p * (1 - p) / len(table[column])

    return share


def slope_of(response: str, covariate: str) -> Statistic:
    """The slope of a line by least squares."""

    def slope(table: Table) -> tuple[float, float]:
        x, y = (table[name].astype(np.float64) - table[name].mean() for name in (covariate, response))
        found = float(x @ y / (x @ x))
        return found, float(((y - found * x) ** 2).sum() / (len(x) - 2) / (x @ x))

    return slope


# -- which cells are hidden ------------------------------------------------------------------------------------------------


def at_random(rng: Rng, table: Table) -> Table:
    """One in five cells, but for the first column."""
    first, *others = table
    return {first: np.zeros(len(table[first]), dtype=bool)} | {name: rng.random(len(table[name])) < 0.2 for name in others}


def where_first_is_large(rng: Rng, table: Table) -> Table:
    """More cells where the first column, which is never hidden, is large."""
    first, *others = table
    chance = logistic(1.2 * table[first] - 1.0)
    return {first: np.zeros(len(chance), dtype=bool)} | {name: rng.random(len(chance)) < chance for name in others}


# -- the tables --------------------------------------------------------------------------------------------------------------

GRADES = ("fair", "good", "ideal", "premium")  # by the alphabet too


def every_kind(rng: Rng, n: int) -> Table:
    """Columns of every kind that hang together."""
    first = rng.normal(size=n)
    common = 0.7 * first + rng.normal(0, 0.7, n)
    odds = np.column_stack([np.zeros(n), common, -common - 0.5]) + rng.gumbel(size=(n, 3))
    return {
        "first": first,
        "normal": common + rng.normal(size=n),
        "skewed": np.exp(0.5 * common + rng.normal(0, 0.4, n)),
        "counts": rng.poisson(np.exp(1.0 + 0.4 * common)),
        "bounded": logistic(0.8 * common + rng.normal(0, 0.8, n)),
        "labels": np.array(["a", "b", "c"])[odds.argmax(axis=1)],
        "grades": np.array(GRADES)[np.searchsorted([-1.0, 0.2, 1.2], common + rng.logistic(0, 0.5, n))],
    }


def by_class(rng: Rng, n: int) -> Table:
    """Two classes that nobody sees, in which columns are independent."""
    z = rng.random(n) < 0.4
    label = np.where(rng.random(n) < np.where(z, 0.8, 0.15), "b", "a")
    return {
        "first": rng.normal(np.where(z, 1.5, -0.5), 1.0),
        "normal": rng.normal(np.where(z, 2.0, -1.0), 1.0),
        "counts": rng.poisson(np.where(z, 6.0, 2.0)),
        "labels": label,
    }


def vectors(rng: Rng, n: int) -> Table:
    """A Gaussian vector."""
    first = rng.normal(size=n)
    normal = first + rng.normal(size=n)
    return {"first": first, "normal": normal, "other": 0.5 * normal - 0.5 * first + rng.normal(size=n)}


KINDS = {
    "first": "normal numbers",
    "normal": "normal numbers",
    "other": "normal numbers",
    "skewed": "skewed numbers",
    "counts": "counts",
    "bounded": "bounded numbers",
    "labels": "labels",
    "grades": "ordered labels",
}
OF_EVERY_KIND: dict[str, Statistic] = {
    "mean, normal": mean_of("normal"),
    "mean, skewed": mean_of("skewed"),
    "mean, counts": mean_of("counts"),
    "mean, bounded": mean_of("bounded"),
    "share of a label": share_of("labels", "b"),
    "share of an ordered label": share_of("grades", "good"),
    "slope": slope_of("normal", "first"),
}
OF_NUMBERS: dict[str, Statistic] = {"mean, normal": mean_of("normal"), "slope": slope_of("normal", "first")}
OF_CLASSES = OF_NUMBERS | {"mean, counts": mean_of("counts"), "share of a label": share_of("labels", "b")}


def of_table(table: list[Any], rng: Rng) -> Any:
    """`impute(table)`, told what the kinds of its columns are."""
    known = table[0]
    bounds = {"bounded": (0.0, 1.0)} if "bounded" in known else None
    return impute(table, draws=COPIES, rng=rng, bounds=bounds, ordered={"grades": GRADES} if "grades" in known else ())


def by_two_classes(table: list[Any], rng: Rng) -> Any:
    """`impute(fit, table)`, by a mixture of two."""
    part = CompositeEstimator((GaussianEstimator(), GaussianEstimator(), PoissonEstimator(), CategoricalEstimator()))
    return impute(fit(table, missing_at_random(MixtureEstimator([part] * 2)), rng=rng), table, draws=COPIES, rng=rng)


def by_vector(table: list[Any], rng: Rng) -> Any:
    """`impute(fit, table)`, by a Gaussian vector."""
    return impute(fit(table, missing_at_random(MultivariateGaussianEstimator()), rng=rng), table, draws=COPIES, rng=rng)


HIDDEN = {"one cell in five hidden": at_random, "hidden where another column is large": where_first_is_large}
ALONE, BY_A_FIT = "impute(table)", "impute(fit, table)"


def tables() -> Iterator[TrueTable]:
    """All there are."""
    for how, hide in HIDDEN.items():
        yield TrueTable(ALONE, f"every kind, {how}", every_kind, hide, of_table, KINDS, OF_EVERY_KIND)
        yield TrueTable(ALONE, f"a Gaussian vector, {how}", vectors, hide, of_table, KINDS, OF_NUMBERS)
        yield TrueTable(ALONE, f"two classes, {how}", by_class, hide, of_table, KINDS, OF_CLASSES)
        yield TrueTable(BY_A_FIT, f"a Gaussian vector, {how}", vectors, hide, by_vector, KINDS, OF_NUMBERS, by_position=True)
        yield TrueTable(BY_A_FIT, f"two classes, {how}", by_class, hide, by_two_classes, KINDS, OF_CLASSES, by_position=True)
