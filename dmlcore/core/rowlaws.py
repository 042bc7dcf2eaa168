"""Laws of what is unknown in many rows that know the same parts: what `given` of a distribution returns.

A `RowLaw` says, for each of n rows, what `slots` unknown values are like. `Product` sets independent ones side by side, `Mixed`
chooses among several with weights of each row's own. An `Atom` is the law of one value: `Fixed` the same distribution in every
row; families add others whose parameters differ from row to row (`Normals`, `RowLabels`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError

MAX_CASES = 4096  # more products of independent laws than this are no useful form of a law
NEGLIGIBLE = 1e-6  # the weight below which a law that has no form is left out of a mixture


class RowLaw:
    """The law of `slots` unknown values in each of n rows."""

    slots: int

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        """One row's law as a mixture of products: `(weight, distributions in the order of the values)`. Raises `StructureError`."""
        raise StructureError(f"{type(self).__name__} has no form as a distribution; draw from it instead")

    def keep(self, slots: list[int]) -> RowLaw:
        """The law of some of the values, in the order given."""
        raise StructureError(f"{type(self).__name__} has no law of part of its values")

    def atoms(self) -> list[tuple[Any, Any]]:
        """Of one value: `(weights (n,) or 1, atom)`, whose mixture it is."""
        raise StructureError(f"{type(self).__name__} is not of one value")

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        """One draw for each of the given rows: a list of `slots` columns."""
        raise StructureError(f"{type(self).__name__} cannot be sampled")

    def within(self, events: dict[int, Any], n: int) -> tuple[np.ndarray, RowLaw]:
        """Log probabilities `(n,)` of events of some of the values, by their numbers, and the law given these."""
        raise StructureError("there is a range of values whose law together says no probability of one; draw from the model instead")

    @property
    def hardly_ever(self) -> bool:
        """Whether it is a law given what it hardly ever does, which has no form."""
        return False


class Atom(RowLaw):
    """The law of one value."""

    slots = 1

    def keep(self, slots: list[int]) -> RowLaw:
        return self

    def atoms(self) -> list[tuple[Any, Any]]:
        return [(1.0, self)]

    def within(self, events: dict[int, Any], n: int) -> tuple[np.ndarray, RowLaw]:
        if self.slots > 1 or n > 1:  # events are said of one observation
            return super().within(events, n)
        (event,) = events.values()
        ((_, (law,)),) = self.cases(0)
        return law.given(event, 1)  # type: ignore[no-any-return]

    def at(self, rows: np.ndarray) -> Atom:
        """The law in some of the rows."""
        return self

    def ask(self, what: str, *args: Any) -> Any:
        """`mean`, `variance`, `mode`, `cdf`, `quantile`, ...: one number for all rows, or `(n,)`. Raises `StructureError`."""
        raise StructureError(f"{type(self).__name__} has no {what}()")

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        """Log densities `(n,)` of one number for each row."""
        raise StructureError(f"{type(self).__name__} has no log_densities(x)")


class Fixed(Atom):
    """The same distribution in every row."""

    def __init__(self, law: Any):
        self.law = law

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        return [(1.0, (self.law,))]

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        return [self.law.draw(len(rows), rng)]

    def ask(self, what: str, *args: Any) -> Any:
        if not hasattr(self.law, what):
            raise StructureError(f"a {self.law.label} has no {what}()")
        return getattr(self.law, what)(*args)

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        return self.law.seq_log_density(x)


class EachRow(Atom):
    """One distribution per row. Right for every family; a loop over rows, so an `Atom` with arrays of parameters is faster."""

    def __init__(self, laws: Sequence[Any]):
        self.laws = list(laws)

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        return [(1.0, (self.laws[row],))]

    def at(self, rows: np.ndarray) -> Atom:
        return EachRow([self.laws[i] for i in rows.tolist()])

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        out: Any = None
        for place, i in enumerate(rows.tolist()):
            out = put(out, self.laws[i].draw(1, rng), np.array([place]), len(rows))
        return [out]

    def ask(self, what: str, *args: Any) -> Any:
        wide = [np.broadcast_to(arg, len(self.laws)) for arg in args]
        return np.array([Fixed(law).ask(what, *(arg[i] for arg in wide)) for i, law in enumerate(self.laws)])

    def log_densities(self, x: np.ndarray) -> np.ndarray:
        return np.array([law.log_density(value) for law, value in zip(self.laws, x, strict=True)])


class Product(RowLaw):
    """Independent laws side by side; without any, there is nothing unknown."""

    def __init__(self, parts: Sequence[RowLaw]):
        self.parts: list[RowLaw] = []
        for part in parts:
            self.parts.extend(part.parts if isinstance(part, Product) else [part])
        self.slots = sum(part.slots for part in self.parts)

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        out: list[tuple[float, tuple[Any, ...]]] = [(1.0, ())]
        for part in self.parts:
            own = part.cases(row)
            check_cases(len(out) * len(own))
            out = [(w * v, laws + more) for w, laws in out for v, more in own]
        return out

    def keep(self, slots: list[int]) -> RowLaw:
        owner = [(i, j) for i, part in enumerate(self.parts) for j in range(part.slots)]
        wanted = [owner[j] for j in slots]
        order = list(dict.fromkeys(i for i, _ in wanted))
        if [i for i, _ in wanted] != sorted((i for i, _ in wanted), key=order.index):
            raise StructureError("values that depend on each other can be asked for only next to each other")
        return Product([self.parts[i].keep([j for k, j in wanted if k == i]) for i in order])

    def within(self, events: dict[int, Any], n: int) -> tuple[np.ndarray, RowLaw]:
        log, parts, first = np.zeros(n), [], 0
        for part in self.parts:
            own = {slot - first: event for slot, event in events.items() if first <= slot < first + part.slots}
            first += part.slots
            if own:
                more, part = part.within(own, n)
                log = log + more
            parts.append(part)
        return log, Product(parts)

    def atoms(self) -> list[tuple[Any, Any]]:
        return self.parts[0].atoms()

    @property
    def hardly_ever(self) -> bool:
        return any(part.hardly_ever for part in self.parts)

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        return [column for part in self.parts for column in part.draw(rows, rng)]


class Mixed(RowLaw):
    """One of K laws, with weights `(K, n)` of each row's own. `family` is the distribution that mixes one value's laws."""

    def __init__(self, weights: np.ndarray, parts: Sequence[RowLaw], family: Any):
        self.weights, self.parts, self.family, self.slots = weights, list(parts), family, parts[0].slots

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        pairs = [(formed(w[row], part), part.cases(row)) for w, part in zip(self.weights, self.parts, strict=True)]
        if self.slots == 1 and any(isinstance(only(part), Mixed) for part in self.parts):
            pairs = merged([(formed(float(w if np.ndim(w) == 0 else w[row]), atom), atom) for w, atom in self.atoms()], row)
        w, each = np.array([share for share, _ in pairs]), [own for _, own in pairs]
        if all(len(own) == 1 and len(own[0][1]) == 1 for own in each):
            return [(1.0, (self.family([own[0][1][0] for own in each], w),))]
        check_cases(sum(map(len, each)))
        return [(share * v, laws) for share, own in zip(w.tolist(), each, strict=True) for v, laws in own]

    def keep(self, slots: list[int]) -> RowLaw:
        return Mixed(self.weights, [part.keep(slots) for part in self.parts], self.family)

    def atoms(self) -> list[tuple[Any, Any]]:
        pairs = zip(self.weights, self.parts, strict=True)
        return [(w * share, atom) for w, part in pairs for share, atom in part.atoms()]

    @property
    def hardly_ever(self) -> bool:
        return any(part.hardly_ever and bool(np.max(w) >= NEGLIGIBLE) for w, part in zip(self.weights, self.parts, strict=True))

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        reached = np.cumsum(self.weights[:, rows], axis=0)
        z = np.minimum((reached <= rng.random(len(rows)) * reached[-1]).sum(axis=0), len(self.parts) - 1)
        out: list[Any] = [None] * self.slots
        for k in np.unique(z):
            mine = np.flatnonzero(z == k)
            for j, column in enumerate(self.parts[k].draw(rows[mine], rng)):
                out[j] = put(out[j], column, mine, len(rows))
        return out


def formed(weight: Any, law: RowLaw) -> Any:
    """The weight of a law in a mixture: none, where it has no form and hardly counts."""
    return 0.0 if law.hardly_ever and weight < NEGLIGIBLE else weight


def only(law: RowLaw) -> RowLaw:
    """The one part of a product of one."""
    return law.parts[0] if isinstance(law, Product) and len(law.parts) == 1 else law


def merged(atoms: list[tuple[float, Any]], row: int) -> list[tuple[float, Any]]:
    """Cases of one value's atoms; weights of atoms that are one distribution are added."""
    out: dict[int, tuple[float, Any]] = {}
    for w, atom in atoms:
        key = id(atom.law) if isinstance(atom, Fixed) else id(atom)
        out[key] = (out[key][0] + w if key in out else w, atom)
    return [(w, atom.cases(row)) for w, atom in out.values()]


def check_cases(count: int) -> None:
    if count > MAX_CASES:
        raise StructureError(f"the law of these unknowns together has no form of fewer than {count} parts; ask for fewer, or draw from it")


def put(out: Any, column: Any, where: np.ndarray, n: int) -> Any:
    """`out` with `column` written at the positions `where`; an array of n numbers, or of objects where values are not numbers."""
    numeric = isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype != object
    if out is None:
        out = np.empty(n, dtype=column.dtype if numeric else object)
    if numeric and out.dtype != object:
        if out.dtype != column.dtype:
            out = out.astype(np.result_type(out, column))
        out[where] = column
        return out
    out = out if out.dtype == object else out.astype(object)
    values = column.tolist() if numeric else column
    filled = np.empty(len(where), dtype=object)
    for i, value in enumerate(values):  # one by one: NumPy would take lists and vectors apart
        filled[i] = value
    out[where] = filled
    return out
