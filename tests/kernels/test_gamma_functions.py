"""Derivatives of log gamma beside logarithms, against values of mpmath 1.3 with 60 digits."""

import math

import numpy as np
import pytest

from dmlcore import kernels
from dmlcore.base.numerics import stirling_error

# k, log k - psi(k), psi'(k) - 1 / k
VALUES = np.array(
    [
        (1e-8, 99999982.156534902, 9999999900000001.2),
        (0.3, 2.2985514178741971, 8.9120312127743978),
        (3.43, 0.15279785180374032, 0.046563075712103287),
        (19.1, 0.026406377347452107, 0.0013944826867665731),
        (20, 0.025208281311841943, 0.0012708229352031198),
        (1000, 0.000500083333325, 5.0016666663333336e-7),
        (1e8, 5.0000000083333333e-9, 5.0000000166666667e-17),
    ]
)


def test_gaps_have_all_digits_on_both_sides_of_the_series():
    np.testing.assert_allclose(kernels.gamma_gaps(VALUES[:, 0]), VALUES[:, 1:].T, rtol=2e-14)


def test_shapes_are_the_inverse_of_the_first_gap():
    np.testing.assert_allclose(kernels.gamma_shapes(VALUES[:, 1]), VALUES[:, 0], rtol=2e-14)


@pytest.mark.parametrize("k", [1e-200, 1e200, 1e300])
def test_shapes_at_the_ends_of_the_range_of_numbers(k):
    gap = kernels.gamma_gaps(np.array([k]))[0]
    np.testing.assert_allclose(kernels.gamma_shapes(gap), k, rtol=1e-13)


@pytest.mark.parametrize("n", [0.5, 15.9, 16.0, 20.0, 60.0])
def test_the_error_of_stirlings_formula_on_both_sides_of_the_series(n):
    exact = math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)
    assert stirling_error(n) == pytest.approx(exact, abs=5e-13 if n > 1 else 1e-15)
