"""Moments, quantiles, modes and probabilities of mixtures of one value's laws, for many rows with weights of each row's own.

`atoms` are pairs `(weights (n,), Atom)`, as `RowLaw.atoms` gives them; weights sum to one in each row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from itertools import pairwise
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.base.labels import Vocabulary
from dmlcore.core.distribution import typical_of
from dmlcore.core.powers import (
    HasCdf,
    HasMean,
    HasMode,
    HasProbabilities,
    HasQuantile,
    HasTypical,
    HasVariance,
    HoldsFixed,
    MayBeMissing,
    OnScale,
    has,
)
from dmlcore.core.rowlaws import EachRow, Fixed
from dmlcore.data.layouts import Count, Labels, Real
from dmlcore.data.times import Times

Atoms = list[tuple[Any, Any]]

BISECTIONS = 1100  # more than the halvings between the ends of float64
BETWEEN = 8  # points looked at between the modes of two components
TABLE = 256  # whole numbers that are all looked at


def in_numbers(law: Any) -> tuple[Any, Any]:
    """A law of values on a scale, such as times, as the scale and the law of the number; of others, None and itself."""
    if not isinstance(law.layout, Times):
        return None, law
    if has(law, OnScale):
        return law.scale, law.number_law()
    if has(law, HoldsFixed):
        return in_numbers(law.held_law())
    scales, laws = zip(*map(in_numbers, law.children()), strict=True)
    if not all(scale is not None and scale.agrees_with(scales[0]) for scale in scales):
        return None, law
    return scales[0], law.replace(**law.child_values(laws))


def by_number(answer: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a mixture that answers for values on a scale by what it says of their numbers."""

    @wraps(answer)
    def answered(mixture: Any, *args: Any) -> Any:
        scale, law = in_numbers(mixture)
        if scale is None:
            if isinstance(mixture.layout, Times):
                raise of_several_scales(mixture)
            return answer(mixture, *args)
        match answer.__name__:
            case "cdf":
                return law.cdf(scale.number(*args))
            case "variance":
                return law.variance()
        return scale.time(getattr(law, answer.__name__)(*args))

    return answered


class MixtureSummaries(HasMean, HasVariance, HasMode, HasCdf, HasQuantile, HasTypical, HasProbabilities):
    """What a mixture says of single values: `components` and `w` are its laws and weights."""

    def _each(self: Any, method: str, *args: Any) -> list[Any]:
        """A method of every component. Raises `StructureError` if one does not have it."""
        for component in self.components:
            if not hasattr(component, method):
                hint = "; condition(.., values=True) gives the law of the value" if has(component, MayBeMissing) else ""
                raise StructureError(f"{self.label}: a {component.label} has no {method}(){hint}")
        return [getattr(component, method)(*args) for component in self.components]

    @by_number
    def mean(self: Any) -> Any:
        return sum(w * np.asarray(mean) for w, mean in zip(self.w, self._each("mean"), strict=True))

    @by_number
    def variance(self: Any) -> Any:
        centre = self.mean()
        if centre.ndim:
            raise StructureError(f"{self.label}: variance() is of numbers; these are vectors")
        parts = zip(self.w, self._each("mean"), self._each("variance"), strict=True)
        return sum(w * (variance + (mean - centre) ** 2) for w, mean, variance in parts)

    @by_number
    def cdf(self: Any, x: Any) -> Any:
        return sum(w * below for w, below in zip(self.w, self._each("cdf", x), strict=True))

    def _atoms(self: Any) -> list[tuple[float, Fixed]]:
        return [(w, Fixed(component)) for w, component in zip(self.w.tolist(), self.components, strict=True) if w > 0]

    @by_number
    def quantile(self: Any, q: Any) -> Any:
        """Of a law of numbers, `q` or an array of them; by halving between the components' quantiles."""
        levels = np.asarray(q, dtype=np.float64)
        whole = isinstance(self.layout, Count)
        return quantile_of(self._atoms(), levels.ravel(), levels.size, whole).reshape(levels.shape)[()]

    @by_number
    def mode(self: Any) -> Any:
        """The most probable label, or where the density of a number is highest."""
        if isinstance(self.layout, Labels):
            table = self.probabilities()
            return max(table, key=lambda label: table[label])
        if not isinstance(self.layout, (Real, Count)):
            raise StructureError(f"{self.label}: mode() is of numbers and labels")
        whole = isinstance(self.layout, Count)
        x = float(mode_of(self._atoms(), 1, whole)[0])
        return int(x) if whole else x

    def typical(self: Any) -> Any:
        """Of numbers and labels the mode, of other values what is typical of the most probable component."""
        single = isinstance(self.layout, (Real, Count, Labels)) or in_numbers(self)[0] is not None
        return self.mode() if single else typical_of(self.components[int(np.argmax(self.w))])

    def probabilities(self: Any) -> dict[Any, float]:
        """Of each label."""
        labels, p = probabilities_of(self._atoms(), 1)
        return dict(zip(labels, p[:, 0].tolist(), strict=True))


def atoms_in_numbers(atoms: Atoms) -> tuple[Any, Atoms]:
    """The scale on which the values of laws are numbers, and the laws of these."""
    scales: list[Any] = []
    out: Atoms = []
    for w, atom in atoms:
        laws = [atom.law] if isinstance(atom, Fixed) else atom.laws
        own, numbers = zip(*map(in_numbers, laws), strict=True)
        scales.extend(own)
        out.append((w, Fixed(numbers[0]) if isinstance(atom, Fixed) else EachRow(numbers)))
        if not all(scale is not None and scale.agrees_with(scales[0]) for scale in own):
            raise of_several_scales(laws[0])
    return scales[0], out


def of_several_scales(law: Any) -> StructureError:
    """The error that times of laws which count them differently have no number in common."""
    what = "times that laws count in different units, or from different moments, have no number in common"
    return StructureError(f"{law.label}: {what}, so no mean, quantile or mode is found; give them one unit and one origin")


def mean_of(atoms: Atoms) -> Any:
    """Means: `(n,)`, or vectors."""
    if len(atoms) == 1 and np.ndim(atoms[0][0]) == 0:
        return atoms[0][1].ask("mean")
    return sum(w * atom.ask("mean") for w, atom in atoms)


def mixed_variance(atoms: Atoms) -> Any:
    """Variances `(n,)`."""
    centre = mean_of(atoms)
    return sum(w * (atom.ask("variance") + (atom.ask("mean") - centre) ** 2) for w, atom in atoms)


def quantile_of(atoms: Atoms, q: Any, n: int, whole: bool) -> np.ndarray:
    """Quantiles `(n,)`: of level `q`, a number or `(n,)`. They lie between those of the components, where halving finds them."""
    weights = [np.broadcast_to(w, n) for w, _ in atoms]
    ends = [np.broadcast_to(atom.ask("quantile", q), n).astype(np.float64) for _, atom in atoms]
    low = np.min([np.where(w > 0, end, np.inf) for w, end in zip(weights, ends, strict=True)], axis=0)
    high = np.max([np.where(w > 0, end, -np.inf) for w, end in zip(weights, ends, strict=True)], axis=0)
    q = np.broadcast_to(np.asarray(q, dtype=np.float64), n)
    todo = np.flatnonzero((low < high) & (q > 0) & (q < 1))
    out = np.where(q >= 1, high, low)
    a, b, level = low[todo], high[todo], q[todo]
    for _ in range(BISECTIONS):
        if not len(todo):
            break
        middle = np.floor(a / 2 + b / 2 + ((a % 2 != 0) & (b % 2 != 0)) / 2) if whole else a / 2 + b / 2
        x = spread_over(middle, todo, n)
        reached = sum(w[todo] * np.broadcast_to(atom.ask("cdf", x), n)[todo] for w, (_, atom) in zip(weights, atoms, strict=True)) >= level
        a, b = np.where(reached, a, middle + 1 if whole else middle), np.where(reached, middle, b)
        done = (a >= b) if whole else (a / 2 + b / 2 == a) | (a / 2 + b / 2 == b)
        if done.any():
            out[todo[done]] = b[done]
            todo, a, b, level = (part[~done] for part in (todo, a, b, level))
    return np.where((q >= 0) & (q <= 1), out, np.nan)


def spread_over(values: np.ndarray, where: np.ndarray, n: int) -> np.ndarray:
    """Numbers at their places among n, the first of them elsewhere."""
    if len(where) == n:
        return values
    out = np.full(n, values[0])
    out[where] = values
    return out


def draw_within(atoms: Atoms, n: int, low: float, high: float, whole: bool, rng: np.random.Generator) -> np.ndarray:
    """Draws `(n,)` given that they lie between two bounds, by their quantiles; the nearer bound where none seem to."""
    ends = [
        (np.broadcast_to(atom.ask("cdf", low - 1 if whole else low), n), np.broadcast_to(atom.ask("cdf", high), n)) for _, atom in atoms
    ]
    mass = np.array([np.broadcast_to(w, n) * (above - below) for (w, _), (below, above) in zip(atoms, ends, strict=True)])
    reached = np.cumsum(mass, axis=0)
    z = np.minimum((reached <= rng.random(n) * reached[-1]).sum(axis=0), len(atoms) - 1)
    out = np.empty(n)
    for k in np.unique(z).tolist():
        rows = np.flatnonzero(z == k)
        below, above = ends[k]
        level = below[rows] + rng.random(len(rows)) * (above - below)[rows]
        out[rows] = atoms[k][1].at(rows).ask("quantile", level)
    middle = np.broadcast_to(mean_of(atoms), n)
    return np.where(reached[-1] > 0, np.clip(out, low, high), np.where(middle > high, high, low))


def mode_of(atoms: Atoms, n: int, whole: bool) -> np.ndarray:
    """Where the density is highest, `(n,)`: among points from the smallest to the largest mode of a component, and near the best of these.

    Right for components with one peak each, whose peaks are not much narrower than their distance by `BETWEEN`, or at a mode.
    """
    weights = np.array([np.broadcast_to(w, n) for w, _ in atoms])
    modes = np.array([np.broadcast_to(atom.ask("mode"), n) for _, atom in atoms], dtype=np.float64)
    modes = np.sort(np.where(weights > 0, modes, modes[np.argmax(weights, axis=0), np.arange(n)]), axis=0)
    if len(modes) == 1:
        return modes[0]
    span = float((modes[-1] - modes[0]).max())
    if whole and span <= TABLE:
        points = [np.minimum(modes[0] + j, modes[-1]) for j in range(int(span) + 1)]
    else:
        points = [a + (b - a) * (j / (BETWEEN + 1)) for a, b in pairwise(modes) for j in range(BETWEEN + 1)] + [modes[-1]]
        points = [np.round(point) for point in points] if whole else points

    def log_density(x: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            logs = [np.log(w) + atom.log_densities(x.astype(np.int64) if whole else x) for w, (_, atom) in zip(weights, atoms, strict=True)]
        return np.logaddexp.reduce(logs)

    heights = np.array([log_density(point) for point in points])
    x, best = np.array(points)[np.argmax(heights, axis=0), np.arange(n)], heights.max(axis=0)
    if whole and span <= TABLE:
        return x
    step = np.diff(modes, axis=0).max(axis=0) / (BETWEEN + 1)
    for _ in range(60):
        step = np.maximum(np.ceil(step / 2), 1.0) if whole else step / 2
        for other in (x - step, x + step):
            height = log_density(other)
            x, best = np.where(height > best, other, x), np.maximum(best, height)
    return x


def probabilities_of(atoms: Atoms, n: int) -> tuple[Vocabulary, np.ndarray]:
    """All labels, and the probability of each in each row, `(labels, n)`."""
    tables = [atom.table() if hasattr(atom, "table") else fixed_table(atom) for _, atom in atoms]
    labels = tables[0][0]
    for own, _ in tables[1:]:
        labels = labels.union(own)
    out = np.zeros((len(labels), n))
    for (w, _), (own, p) in zip(atoms, tables, strict=True):
        out[labels.positions(own)] += w * p
    return labels, out


def fixed_table(atom: Fixed) -> tuple[Vocabulary, np.ndarray]:
    """The labels of a distribution and their probabilities, `(labels, 1)`. Raises `StructureError` where it has none."""
    table = atom.ask("probabilities")
    if not isinstance(table, dict):
        raise StructureError(f"{atom.law.label}: has no labels")
    return Vocabulary(table), np.array(list(table.values()))[:, None]
