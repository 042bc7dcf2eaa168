"""Laws of one unknown value in many rows say of all rows at once what the distribution of each row says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

from dmlcore import UNKNOWN
from dmlcore.base.errors import StructureError
from dmlcore.core.partial import Known, Parts, given
from dmlcore.stats import (
    BernoulliSetDistribution,
    CensoredDistribution,
    DiagonalGaussianDistribution,
    IntegerCategoricalDistribution,
    LinearRegressionDistribution,
    MultivariateGaussianDistribution,
    MultivariateStudentTDistribution,
)
from tests.examples import BY_NAME

S = [[2.0, 0.6, -0.3], [0.6, 0.5, 0.1], [-0.3, 0.1, 1.2]]
HEAVY = MultivariateStudentTDistribution([1.0, -2.0, 0.5], S, 4.0)


def of_vectors(model: Any, columns: list[list[float] | None]) -> Any:
    """The law of the first coordinate, given others."""
    n = len(next(column for column in columns if column is not None))
    return given(model, Parts([UNKNOWN if column is None else Known(column) for column in columns]), n)[1].keep([0])


KNOWN = [None, [0.5, -3.0, -1.0], [0.0, 1.0, 9.0]]
LEVELS: list[list[int] | None] = [None, [0, 1, 1], [0, 0, 1], None]
ATOMS: dict[str, tuple[Callable[[], Any], list[float]]] = {
    "t": (lambda: of_vectors(HEAVY, KNOWN), [0.3, -1.0, 4.0]),
    "t of infinite variance": (lambda: of_vectors(HEAVY.replace(df=0.5), [KNOWN[0], KNOWN[1], None]), [0.3, -1.0, 4.0]),
    "gaussian": (lambda: of_vectors(MultivariateGaussianDistribution([1.0, -2.0, 0.5], S), KNOWN), [0.3, -1.0, 4.0]),
    "diagonal": (lambda: of_vectors(DiagonalGaussianDistribution([1.0, -2.0, 0.5], [2.0, 1.0, 3.0]), KNOWN), [0.3, -1.0, 4.0]),
    "number of a tree": (lambda: of_vectors(BY_NAME["icl tree"].law, LEVELS), [0.0, 2.0, 1.0]),
    "response seen in part": (
        lambda: given(
            CensoredDistribution(LinearRegressionDistribution([2.0], 1.0, 4.0)), Parts([Known([[1.0], [0.0], [-3.0]]), UNKNOWN]), 3
        )[1],
        [0.3, -1.0, 4.0],
    ),
}


@pytest.mark.parametrize("case", ATOMS)
def test_all_rows_at_once_are_each_row(case: str) -> None:
    made, x = ATOMS[case]
    atom, levels = made(), np.array([0.1, 0.5, 0.95])
    laws = [atom.cases(row)[0][1][0] for row in range(3)]
    for what in ("mean", "variance", "mode"):
        np.testing.assert_allclose(np.broadcast_to(atom.ask(what), 3), [getattr(law, what)() for law in laws], rtol=1e-12)
    np.testing.assert_allclose(atom.ask("cdf", np.array(x)), [law.cdf(v) for law, v in zip(laws, x, strict=True)], rtol=1e-12)
    np.testing.assert_allclose(atom.ask("quantile", levels), [law.quantile(q) for law, q in zip(laws, levels, strict=True)], rtol=1e-12)
    plain = [int(v) if v.is_integer() else v for v in x]
    np.testing.assert_allclose(atom.log_densities(np.array(x)), [law.log_density(v) for law, v in zip(laws, plain, strict=True)])
    some = atom.at(np.array([2, 0]))
    np.testing.assert_array_equal(np.broadcast_to(some.ask("mean"), 2), np.broadcast_to(atom.ask("mean"), 3)[[2, 0]])
    (drawn,) = atom.draw(np.repeat([0, 1, 2], 400), np.random.default_rng(1))
    reached = np.concatenate([between(law, part) for law, part in zip(laws, np.split(np.asarray(drawn), 3), strict=True)])
    assert scipy.stats.kstest(reached, "uniform").pvalue > 1e-3
    with pytest.raises(StructureError, match=r"no entropies\(\)"):
        atom.ask("entropies")


def between(law: Any, x: np.ndarray) -> np.ndarray:
    """The distribution function at draws; of whole numbers, at random between the steps, so that it is uniform."""
    below = law.cdf(x - 1) if law.__class__.__name__.startswith("Integer") else law.cdf(x)
    return below + np.random.default_rng(2).random(len(x)) * (law.cdf(x) - below)


def test_a_law_of_one_value_is_its_own_atom() -> None:
    tree = given(BY_NAME["icl tree"].law, Parts([UNKNOWN, *map(Known, ([0, 1], [0, 1], [2, 2]))]), 2)[1]
    ((weight, number),) = tree.atoms()
    np.testing.assert_array_equal(weight * number.ask("mean"), tree.keep([0]).ask("mean"))
    walk = given(BY_NAME["markov chain"].law, Parts([Known(["a", "c"]), UNKNOWN]), 2)[1]
    ((weight, label),) = walk.atoms()
    assert weight == 1.0
    for row in range(2):
        assert label.cases(row)[0][1][0].probabilities() == walk.cases(row)[0][1][0].probabilities()


def test_parts_of_what_hangs_together() -> None:
    three = BY_NAME["markov chain"].law.replace(len_dist=IntegerCategoricalDistribution(3, [1.0]))
    with pytest.raises(StructureError, match="ask for one, or draw from all"):
        given(three, Parts([UNKNOWN] * 3), 1)[1].keep([0, 1])
    hidden = BY_NAME["hidden markov"].law.replace(len_dist=IntegerCategoricalDistribution(3, [1.0]))
    with pytest.raises(StructureError, match="can be asked for only in their order"):
        given(hidden, Parts([UNKNOWN, UNKNOWN, Known(["a"])]), 1)[1].keep([1, 0])
    edit = BY_NAME["bernoulli edit"].law
    pair = given(edit, Parts([UNKNOWN, UNKNOWN]), 3)[1]
    before, after = pair.keep([0, 1]).draw(np.zeros(2000, dtype=int), np.random.default_rng(1))
    together = np.mean([("milk" in one, "milk" in two) == (True, True) for one, two in zip(before, after, strict=True)])
    assert together == pytest.approx(0.3 * 0.6, abs=0.03)
    assert pair.draw(np.zeros(0, dtype=int), np.random.default_rng(1)) == [[], []]
    strange = edit.replace(init_dist=BernoulliSetDistribution({"eggs": 0.5}))
    with pytest.raises(StructureError, match="may hold labels of which nothing is known after"):
        given(strange, Parts([UNKNOWN, Known([["milk"]])]), 1)


def test_coordinates_of_a_heavy_vector() -> None:
    both = given(HEAVY, Parts([UNKNOWN, Known([0.5, -3.0]), UNKNOWN]), 2)[1]
    law = both.cases(1)[0][1][0]
    assert law.df == 5.0
    first, last = both.draw(np.ones(4000, dtype=int), np.random.default_rng(1))
    assert scipy.stats.kstest(first + last, _sum_of(law).cdf).pvalue > 1e-3
    with pytest.raises(StructureError, match="ask for one coordinate"):
        both.ask("quantile", 0.5)
    nothing = given(HEAVY, Parts([Known([0.5])] * 3), 1)
    assert nothing[1].slots == 0
    assert nothing[0][0] == pytest.approx(HEAVY.log_density([0.5] * 3), rel=1e-12)
    assert np.isnan(given(HEAVY.replace(df=0.8), Parts([UNKNOWN] * 3), 1)[1].keep([0]).ask("mean")).all()
    assert np.isnan(HEAVY.replace(df=0.8).mean()).all()


def _sum_of(law: Any) -> Any:
    """The law of the sum of the two coordinates of a t, which is a t."""
    ones = np.ones(2)
    return scipy.stats.t(law.df, law.mu @ ones, np.sqrt(ones @ law.scatter @ ones))
