"""Labels as a linear predictor each: the block's covariates, and the statistics of labels given covariates."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dmlcore.base.errors import ParameterError
from dmlcore.base.labels import Vocabulary
from dmlcore.base.records import dataclass
from dmlcore.stats.regression.glm.predictors import amid
from dmlcore.stats.regression.glm.scoring import Scoring, squares_about


class Design:
    """Covariates of one block, and about a point amid them."""

    def __init__(self, x: np.ndarray):
        self.x, self.n = x, len(x)
        self.centre = amid(x)
        self.apart = x.T - self.centre[:, None]


class LabelTape:
    """What the way back needs of one block: its covariates, label probabilities `(C, n)` (None: no law yet), each row's label as a
    position in `labels` (-1: not there; None: shares are given)."""

    __slots__ = ("design", "labels", "probabilities", "where")

    def __init__(self, design: Design, probabilities: Any, labels: Vocabulary, where: Any = None):
        self.design, self.probabilities, self.labels, self.where = design, probabilities, labels, where


@dataclass(frozen=True)
class LabelStart:
    """Sums before there is a law: `sums.score` `(C, q)` holds those of z over the rows of each label, `information` `(1, q, 1, q)` that
    of z z' over all rows. Carries its labels with it."""

    labels: Vocabulary
    sums: Scoring
    local: ClassVar[bool] = True

    @property
    def count(self) -> float:
        """The sum of weights."""
        return self.sums.count

    def __add__(self, other: LabelStart) -> LabelStart:
        labels = self.labels.union(other.labels)
        return LabelStart(labels, self.over(labels) + other.over(labels))

    def over(self, labels: Vocabulary) -> Scoring:
        """The sums with one row of scores for each of these labels."""
        if labels is self.labels:
            return self.sums
        *shape, _, q = self.sums.score.shape
        score = np.zeros((*shape, len(labels), q))
        where = labels.positions(self.labels)
        score[..., where[where >= 0], :] = self.sums.score[..., where >= 0, :]
        return Scoring(self.sums.count, self.sums.centre, score, self.sums.information)


def share_sums(tape: LabelTape, shares: np.ndarray) -> Any:
    """Statistics from a weight `(C, n)` for each label in each row."""
    design, total = tape.design, shares.sum(axis=-2)
    count = total.sum(axis=-1)
    shift = total @ design.apart.T / np.where(count > 0, count, 1.0)[..., None]
    centre = design.centre + shift
    if tape.probabilities is None:
        square = squares_about(design.apart, total, shift)
        return LabelStart(tape.labels, Scoring(count, centre, tilted(shares, design.apart, shift), square[..., None, :, None, :]))
    p = tape.probabilities[..., 1:, :]
    short = p.shape[-2]
    pairs = np.array([(c, d) for c in range(short) for d in range(c + 1)], dtype=np.intp).reshape(-1, 2)
    one, two = p[..., pairs[:, 0], :], p[..., pairs[:, 1], :]
    curves = one * np.where((pairs[:, 0] == pairs[:, 1])[:, None], 1.0 - one, two) * total[..., None, :]
    square = squares_about(design.apart, curves, np.broadcast_to(shift[..., None, :], (*curves.shape[:-1], shift.shape[-1])))
    q = shift.shape[-1] + 1
    information = np.zeros((*p.shape[:-2], short, q, short, q))
    for i, (c, d) in enumerate(pairs.tolist()):
        information[..., c, :, d, :] = square[..., i, :, :] * (1 if c == d else -1)
        information[..., d, :, c, :] = information[..., c, :, d, :]
    return Scoring(count, centre, tilted(shares[..., 1:, :] - p * total[..., None, :], design.apart, shift), information)


def tilted(slopes: np.ndarray, apart: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Sums of slopes `(.., C, n)` times (1, x - centre - shift), `(.., C, q)`."""
    totals = slopes.sum(axis=-1, keepdims=True)
    return np.concatenate([totals, slopes @ apart.T - totals * shift[..., None, :]], axis=-1)


def chosen_rows(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One column for each row of probabilities `(n, C)`, drawn with them."""
    reached = np.cumsum(p, axis=1)
    return np.minimum((reached <= rng.random(len(p))[:, None] * reached[:, -1:]).sum(axis=1), p.shape[1] - 1)


def distinct_labels(labels: Any, who: str) -> tuple[Any, ...]:
    """Labels as a tuple. Raises `ParameterError` unless they are distinct, and at least one."""
    out = tuple(labels) if hasattr(labels, "__iter__") and not isinstance(labels, (str, bytes)) else ()
    if not out or len(set(out)) < len(out):
        raise ParameterError(f"{who}: labels must be distinct, and at least one, got {labels!r}")
    return out
