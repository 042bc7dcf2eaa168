"""Covariances as volume, shape and orientation, each of which the components of a mixture may have in common.

`covar_k = volume_k D_k diag(shape_k) D_k'`, where a shape has product one and D_k is orthogonal (Banfield and Raftery 1993). Three letters
say of volume, shape and orientation whether they are equal (E), vary (V), or are those of the identity (I): fourteen structures in all.
The maxima are those of Celeux and Govaert (1995), sections 3 and 4. Where they have none in closed form, parts take turns, each the
maximum given the others, from the laws before, so that no step goes downhill. A common orientation of several shapes is found by rotating
two axes at a time, each the best rotation (a Jacobi method, after Flury and Gautschi 1986).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dmlcore.base.domains import Array, Domain, from_log_ratios, log_ratios
from dmlcore.base.errors import ParameterError

COVARIANCE_STRUCTURES = ("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV")
STRUCTURE_WORDS = {"spherical": "VII", "diagonal": "VVI", "diag": "VVI", "tied": "EEE", "full": "VVV"}
PARTS = ("volume", "shape", "orientation")
INNER_TURNS = 1000  # of parts, each given the others, where there are no laws before
MORE_TURNS = 10  # from the laws before: the next step goes on
STANDS_STILL = 1e-11  # relative: a change of variances after which turns are no more
TINY = np.finfo(np.float64).tiny


class Structure(Domain):
    """One of the fourteen structures by its letters, or by a plain word."""

    need = f"one of {', '.join(COVARIANCE_STRUCTURES)}, or of {', '.join(STRUCTURE_WORDS)}"

    def check(self, value: Any) -> str:
        name = STRUCTURE_WORDS.get(value, value) if isinstance(value, str) else value
        if name not in COVARIANCE_STRUCTURES:
            raise self.fail(value)
        return str(name)


class UnitProduct(Array):
    """Positive numbers `(d,)` whose product is one; unconstrained as log ratios."""

    def __init__(self) -> None:
        super().__init__("a vector of positive reals whose product is one", 1, positive=True)

    def check(self, value: Any) -> np.ndarray:
        out = super().check(value)
        if abs(np.log(out).sum()) > 1e-6 * (1 + np.abs(np.log(out)).sum()):
            raise self.fail(value)
        return out

    def free(self, value: np.ndarray) -> int:
        return value.size - 1

    def flatten(self, value: np.ndarray) -> np.ndarray:
        return log_ratios(value)

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        return of_unit_product(from_log_ratios(vector, like))[1]


class Axes(Array):
    """An orthogonal matrix `(d, d)`, of which the signs of columns mean nothing; unconstrained as the angles of plane rotations."""

    def __init__(self) -> None:
        super().__init__("an orthogonal matrix", 2)

    def check(self, value: Any) -> np.ndarray:
        out = super().check(value)
        if out.shape[0] != out.shape[1] or np.abs(out.T @ out - np.eye(len(out))).max() > 1e-8:
            raise self.fail(value)
        return out

    def free(self, value: np.ndarray) -> int:
        return len(value) * (len(value) - 1) // 2

    def flatten(self, value: np.ndarray) -> np.ndarray:
        left, angles = np.array(value), []
        for i, j in _planes(value.shape[-1]):
            angle = np.arctan2(left[..., j, i], left[..., i, i])
            angles.append(angle)
            _turn(left.swapaxes(-1, -2), i, j, angle)
        return np.stack(angles, axis=-1).ravel() if angles else np.zeros(0)

    def unflatten(self, vector: np.ndarray, like: np.ndarray) -> np.ndarray:
        d = like.shape[-1]
        out, planes = np.broadcast_to(np.eye(d), like.shape).copy(), list(_planes(d))
        angles = vector.reshape(*like.shape[:-2], len(planes))
        for m in range(len(planes) - 1, -1, -1):
            _turn(out.swapaxes(-1, -2), *planes[m], -angles[..., m])
        return out


def _planes(d: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(d) for j in range(i + 1, d)]


def _turn(axes: np.ndarray, i: int, j: int, angle: Any) -> None:
    """Turns two columns of matrices towards each other, in place."""
    c, s = np.cos(angle)[..., None], np.sin(angle)[..., None]
    one, other = axes[..., :, i].copy(), axes[..., :, j].copy()
    axes[..., :, i] = c * one + s * other
    axes[..., :, j] = c * other - s * one


class Decomposed(NamedTuple):
    """Volumes `(.., K)`, shapes `(.., K, d)` and orientations `(.., K, d, d)` of K covariances."""

    volume: np.ndarray
    shape: np.ndarray
    orientation: np.ndarray

    @property
    def variances(self) -> np.ndarray:
        """Those along the axes, `(.., K, d)`."""
        return np.asarray(self.volume[..., None] * self.shape)


def of_unit_product(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The geometric means `(..)` of positive numbers `(.., d)`, and the numbers divided by them."""
    means = np.exp(np.log(values).mean(axis=-1))
    return means, values / means[..., None]


def maximal(scatter: np.ndarray, count: np.ndarray, structure: str, floor: Any, start: Decomposed | None) -> Decomposed:
    """The covariances of a structure that maximise the likelihood of K scatter matrices `(.., K, d, d)` of so many rows `(.., K)`.

    floor: scatter along an axis is taken as no less than this, a number or `(d,)`, for each row. start: where turns begin.
    """
    volume, shape, orientation = tuple(structure)
    count = np.maximum(count, TINY)
    least = count[..., None] * floor
    if orientation == "I":
        axes = np.broadcast_to(np.eye(scatter.shape[-1]), scatter.shape)
        along = np.maximum(np.einsum("...ii->...i", scatter), least)
        return Decomposed(*_volumes_and_shapes(along, count, volume, shape, start), axes)
    if orientation == "V":
        values, axes = _principal(scatter, None if start is None else start.orientation)
        return Decomposed(*_volumes_and_shapes(np.maximum(values, least), count, volume, shape, start), axes)
    return _common_axes(scatter, count, volume, shape, least, start)


def _principal(matrix: np.ndarray, before: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, the largest first, and eigenvectors with signs as before."""
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[..., ::-1], vectors[..., ::-1]
    if before is not None:
        vectors = vectors * np.where((vectors * before).sum(axis=-2, keepdims=True) < 0, -1.0, 1.0)
    return values, vectors


def _volumes_and_shapes(along: np.ndarray, count: np.ndarray, volume: str, shape: str, start: Any) -> tuple[np.ndarray, np.ndarray]:
    """Volumes and shapes from scatter along axes `(.., K, d)`."""
    d = along.shape[-1]
    if shape == "I":
        total, each = along.sum(axis=-1), d * count
        return _pooled(total, each, volume), np.ones(along.shape)
    if shape == "V":
        means, shapes = of_unit_product(along)
        return _pooled(means, count, volume), shapes
    if volume == "E":
        mean, common = of_unit_product(along.sum(axis=-2, keepdims=True))
        volumes = mean / count.sum(axis=-1, keepdims=True)
        return np.broadcast_to(volumes, count.shape), np.broadcast_to(common, along.shape)
    volumes = of_unit_product(along)[0] / count if start is None else start.volume
    for _ in range(INNER_TURNS if start is None else MORE_TURNS):
        common = of_unit_product((along / volumes[..., None]).sum(axis=-2, keepdims=True))[1]
        before, volumes = volumes, (along / common).sum(axis=-1) / (d * count)
        if _stands(before, volumes):
            break
    return volumes, np.broadcast_to(common, along.shape)


def _pooled(total: np.ndarray, count: np.ndarray, letter: str) -> np.ndarray:
    if letter == "V":
        return np.asarray(total / count)
    return np.broadcast_to(total.sum(axis=-1, keepdims=True) / count.sum(axis=-1, keepdims=True), count.shape)


def _stands(before: np.ndarray, now: np.ndarray) -> bool:
    return bool((np.abs(now - before) <= STANDS_STILL * np.abs(before)).all())


def _common_axes(scatter: np.ndarray, count: np.ndarray, volume: str, shape: str, least: np.ndarray, start: Any) -> Decomposed:
    """Covariances that have their axes in common: axes, and variances along them, take turns."""
    before: Any = None if start is None else start.orientation[..., 0, :, :]
    axes = _principal(scatter.sum(axis=-3), before)[1] if before is None or volume == shape == "E" else before
    now = start
    for turn in range(INNER_TURNS if start is None else MORE_TURNS):
        if turn or start is not None:
            if shape == "E":
                weighed = scatter / now.volume[..., None, None]
                axes = _principal(weighed.sum(axis=-3), axes)[1]
            else:
                axes = _rotated(axes, scatter, 1.0 / now.variances)
        along = np.maximum(np.einsum("...ia,...kij,...ja->...ka", axes, scatter, axes), least)
        last, parts = now, _volumes_and_shapes(along, count, volume, shape, now)
        now = Decomposed(*parts, np.broadcast_to(axes[..., None, :, :], scatter.shape))
        if volume == shape == "E" or count.shape[-1] == 1 or (last is not None and _stands(last.variances, now.variances)):
            break
    return now  # type: ignore[no-any-return]


def _rotated(axes: np.ndarray, scatter: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Common axes `(.., d, d)`, every two turned to where `sum_k trace(scatter_k covar_k^-1)` is least, once for each pair."""
    axes = np.array(axes)
    seen = axes[..., None, :, :].swapaxes(-1, -2) @ scatter @ axes[..., None, :, :]
    for i, j in _planes(axes.shape[-1]):
        apart = precision[..., i] - precision[..., j]
        even = (apart * (seen[..., i, i] - seen[..., j, j])).sum(axis=-1) / 2
        odd = (apart * seen[..., i, j]).sum(axis=-1)
        angle = np.where((even == 0) & (odd == 0), 0.0, np.arctan2(-odd, -even) / 2)
        _turn(axes, i, j, angle)
        _turn(seen, i, j, angle[..., None])
        _turn(seen.swapaxes(-1, -2), i, j, angle[..., None])
    return axes


def check_structure(law: Any) -> None:
    """Raises `ParameterError` where lengths differ, or a part is not that of the identity where the structure says so."""
    d, who = len(law.mu), type(law).__name__
    if law.shape.shape != (d,) or law.orientation.shape != (d, d):
        got = f"{law.shape.shape} and {law.orientation.shape}"
        raise ParameterError(f"{who}: shape and orientation must have shapes {(d,)} and {(d, d)}, as mu says, got {got}")
    for part, letter, identity in ((law.shape, law.structure[1], np.ones(d)), (law.orientation, law.structure[2], np.eye(d))):
        if letter == "I" and not np.array_equal(part, identity):
            raise ParameterError(f"{who}: of structure {law.structure!r}, shape must be ones and orientation the identity where it says I")
