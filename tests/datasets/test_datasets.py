"""The data sets that come with the package."""

from __future__ import annotations

from dmlcore.datasets import load_penguins


def test_penguins_are_complete_and_typed() -> None:
    columns, rows, source, licence = load_penguins()
    assert columns == ("species", "island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex", "year")
    assert len(rows) == 344
    assert rows[0] == ("Adelie", "Torgersen", 39.1, 18.7, 181, 3750, "male", 2007)
    assert rows[3] == ("Adelie", "Torgersen", None, None, None, None, None, 2007)
    kinds = (str, str, float, float, int, int, str, int)
    assert all(value is None or type(value) is kind for row in rows for value, kind in zip(row, kinds, strict=True))
    missing = [sum(row[i] is None for row in rows) for i in range(8)]
    assert missing == [0, 0, 2, 2, 2, 2, 11, 0]
    assert "Horst" in source
    assert "CC0" in licence
