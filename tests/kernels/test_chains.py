"""Kernels of hidden chains whose transitions differ from step to step."""

from __future__ import annotations

import numpy as np

from dmlcore import kernels


def test_a_path_is_drawn_by_the_transitions_that_lead_into_each_step() -> None:
    stay, change = np.eye(2), np.eye(2)[::-1]
    filtered = np.array([[0.5, 0.5, 1.0], [0.5, 0.5, 0.0]])  # it ends in the first state
    into = np.array([0, 1, 0])  # by a change, and by none
    path = kernels.drawn_states(filtered, np.array([stay, change]), into, np.full(3, 0.5), np.array([0, 3]))
    assert path.tolist() == [1, 0, 0]
