"""The machinery of `benchmarks.calibration`: intervals are counted right, and a table of each kind goes through."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest

from benchmarks.calibration import regressions
from benchmarks.calibration.coverage import Case, Sums, Tally, by_family, held, markdown, verdict
from benchmarks.calibration.imputations import tables, within_draws
from benchmarks.calibration.mixtures import MIXTURES, SINGLE
from benchmarks.calibration.one_large import markdown_of_large
from benchmarks.calibration.regressions import large, truths
from dmlcore.base.errors import DegenerateError

COUNTED = next(case for truth in truths() for case in truth.cases())


def test_counts_of_intervals_that_hold_the_truth() -> None:
    ends = np.array([[0.0, 1.0], [2.0, 3.0], [np.nan, np.nan], [0.0, 1.0]])
    np.testing.assert_array_equal(held([0.5, 0.5, 0.5, 1.0], {0.90: ends, 0.95: ends}), [0.5, 0.5])
    draws = np.arange(39.0)[:, None] + np.zeros(40)  # the truth has each rank once
    np.testing.assert_allclose(within_draws(np.arange(40.0) - 0.5, draws, np.random.default_rng(0)), [0.9, 0.95])
    equal = within_draws(np.zeros(4000), np.zeros((39, 4000)), np.random.default_rng(0))  # ties are in an order by chance
    np.testing.assert_allclose(equal, [0.9, 0.95], atol=0.02)


@pytest.mark.parametrize(
    ("shares", "tables", "said"), [((0.9, 0.95), 2000, "yes"), ((0.9, 0.95), 40, "perhaps"), ((0.8, 0.95), 2000, "NO")]
)
def test_verdicts_take_account_of_chance(shares: tuple[float, float], tables: int, said: str) -> None:
    total = [share * tables for share in shares]
    sums = Sums(tables, total, total)
    assert verdict(sums) == said
    np.testing.assert_allclose(sums.errors, np.sqrt(np.array(shares) * (1 - np.array(shares)) / (tables - 1)))
    assert verdict(Sums(2000, [2000.0] * 2, [2000.0] * 2)) == "NO"
    assert verdict(Sums(2000, [2000.0] * 2, [2000.0] * 2), at_least=True) == "yes"


def test_tables_go_on_where_they_were_left() -> None:
    whole, parts = Tally(), Tally()
    whole.draw(COUNTED, 3)
    parts.draw(COUNTED, 2)
    parts = Tally.read(parts.kept())
    parts.draw(COUNTED, 1)
    assert parts.kept() == whole.kept()
    assert set(whole.kinds) == {"coef", "intercept", "sigma2"}
    text = markdown([(COUNTED, whole)])
    assert len(text.splitlines()) == 7
    assert text.startswith("Within two points: 0 yes, 3 perhaps, 0 NO.")
    assert "| linear | normal covariates | 300 rows | coef | 3 |" in text
    few = replace(COUNTED, small=True)
    families = by_family([(COUNTED, whole), (COUNTED, parts), (few, whole)])  # that of few rows is left out
    assert "| linear | coef | 2 | 6 |" in families


def test_what_cannot_be_fitted_is_counted() -> None:
    def fails(rng: np.random.Generator) -> dict[str, np.ndarray]:
        raise DegenerateError("no maximum")

    tally = Tally()
    tally.draw(Case("family", "truth", "3 rows", fails), 2)
    assert tally.failed == {"DegenerateError: no maximum": 2}


def test_names_tell_cases_apart() -> None:
    names = [case.name for case in chain((one.case() for one in (*SINGLE, *MIXTURES, *tables())), *(truth.cases() for truth in truths()))]
    assert len(names) == len(set(names))


def test_a_mixture_and_what_it_foretells() -> None:
    told = MIXTURES[0].repeat(np.random.default_rng(1))
    assert set(told) == {"intercept", "coef", "standard deviation", "weight", "new responses"}


def test_one_large_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regressions, "ROWS", 200)
    found = large(next(truths()), np.random.default_rng(0))
    assert found.apart.shape == found.alike.shape == (4,)
    assert ((found.alike > 0.7) & (found.alike < 1.4)).all()
    assert markdown_of_large([(COUNTED, found)] * 2).splitlines()[-1].startswith("| all | | 8 |")
