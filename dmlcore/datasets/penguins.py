"""The Palmer penguins: sizes of 344 penguins of three species, with missing values."""

from __future__ import annotations

import csv
from collections.abc import Callable
from importlib.resources import files
from typing import Any, NamedTuple

COLUMN_TYPES: dict[str, Callable[[str], Any]] = {
    "species": str,
    "island": str,
    "bill_length_mm": float,
    "bill_depth_mm": float,
    "flipper_length_mm": int,
    "body_mass_g": int,
    "sex": str,
    "year": int,
}
SOURCE = (
    "Horst AM, Hill AP, Gorman KB (2020). palmerpenguins: Palmer Archipelago (Antarctica) penguin data. "
    "R package version 0.1.0. doi:10.5281/zenodo.3960218"
)
LICENCE = "CC0 1.0 (public domain)"


class Penguins(NamedTuple):
    """columns: names of the fields. rows: one tuple of str, float, int or None (missing) per penguin. source: how to cite them."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    source: str
    licence: str


def load_penguins() -> Penguins:
    """The 344 penguins in the order of the source; lengths in millimetres, mass in grams, None where missing."""
    text = files("dmlcore.datasets").joinpath("penguins.csv").read_text(encoding="utf-8")
    columns, *rows = csv.reader(text.splitlines())
    kinds = [COLUMN_TYPES[column] for column in columns]
    values = [tuple(None if text == "NA" else kind(text) for kind, text in zip(kinds, row, strict=True)) for row in rows]
    return Penguins(tuple(columns), values, SOURCE, LICENCE)
