"""Real tables with cells hidden at random: columns by name, each of numbers or of labels, None where a cell is missing."""

from __future__ import annotations

import csv
import subprocess
from dataclasses import dataclass
from typing import Any

import numpy as np

from dmlcore.datasets import load_penguins


@dataclass(frozen=True)
class Table:
    """columns: values by name. labels: which columns are of labels; the others are of numbers. ordered: which labels are in order, that
    of the alphabet."""

    columns: dict[str, list[Any]]
    labels: tuple[str, ...]
    ordered: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(name for name in self.columns if name not in self.labels)

    def rows(self) -> list[dict[str, Any]]:
        """As mappings."""
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*self.columns.values(), strict=True)]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def spread(self, name: str) -> float:
        """Standard deviation of a column of numbers."""
        return float(np.std([v for v in self.columns[name] if v is not None]))


def penguins() -> Table:
    """344 birds; 19 cells are missing of themselves, and are never scored."""
    found = load_penguins()
    columns = {name: list(values) for name, values in zip(found.columns, zip(*found.rows, strict=True), strict=True)}
    return Table(columns, ("species", "island", "sex", "year"))


def wine() -> Table:
    """178 wines of three growers (Forina 1986), as scikit-learn ships them."""
    from sklearn.datasets import load_wine

    data = load_wine()
    numbers = dict(zip(data.feature_names, data.data.T.tolist(), strict=True))
    return Table({"grower": [str(v) for v in data.target], **numbers}, ("grower",))


def diabetes() -> Table:
    """442 patients (Efron et al. 2004), as scikit-learn ships them, unscaled; s1 to s6 are strongly dependent."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    columns = dict(zip(data.feature_names, data.data.T.tolist(), strict=True)) | {"progression": data.target.tolist()}
    return Table(columns | {"sex": [str(int(v)) for v in columns["sex"]]}, ("sex",))


def of_mice(name: str, labels: tuple[str, ...] = (), ordered: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Table:
    """A table that R's package mice ships."""
    text = subprocess.run(["Rscript", "-e", f"write.csv(mice::{name}, row.names = FALSE, na = '')"], capture_output=True, check=True).stdout
    columns = {column: [row[column] for row in csv.DictReader(text.decode().splitlines())] for column in header(text.decode())}
    found = {
        column: [None if v == "" else v if column in labels else float(v) for v in values]
        for column, values in columns.items()
        if column not in without
    }
    return Table(found, labels, ordered)


def header(text: str) -> list[str]:
    return next(csv.reader(text.splitlines()))


TABLES = {
    "penguins": penguins,
    "wine": wine,
    "diabetes": diabetes,
    "boys": lambda: of_mice("boys", ("gen", "phb", "reg"), ("gen", "phb")),
    "nhanes": lambda: of_mice("nhanes2", ("age", "hyp")),
    "mammalsleep": lambda: of_mice("mammalsleep", without=("species",)),
    "windspeed": lambda: of_mice("windspeed"),
    "brandsma": lambda: of_mice("brandsma", ("sex", "min", "den"), without=("sch", "pup")),
}


def hidden(table: Table, share: float, seed: int) -> tuple[Table, dict[str, np.ndarray]]:
    """The table with a share of its known cells replaced by None, and the rows hidden in each column."""
    rng = np.random.default_rng(seed)
    gaps = {name: (rng.random(len(table)) < share) & [v is not None for v in values] for name, values in table.columns.items()}
    columns = {
        name: [None if gap else v for v, gap in zip(values, gaps[name].tolist(), strict=True)] for name, values in table.columns.items()
    }
    return Table(columns, table.labels, table.ordered), {name: np.flatnonzero(gap) for name, gap in gaps.items()}
