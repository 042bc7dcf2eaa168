"""How often intervals hold the truth: what one table shows of it, the sums over many, and what to make of them."""

from __future__ import annotations

import re
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import reduce
from operator import add
from typing import Any, Self

import numpy as np

from dmlcore.base.errors import DmlcoreError, FitWarning

LEVELS = (0.90, 0.95)
WITHIN = 0.02  # of the level
SURE = 2.0  # standard errors that chance may add
ENOUGH = 100  # tables, whose spread tells of the standard error; fewer may be all alike by chance

Told = dict[str, np.ndarray]  # by kind of interval: shares that held the truth at each of `LEVELS`
Intervals = dict[float, np.ndarray]  # by level: ends `(m, 2)`


@dataclass(frozen=True)
class Case:
    """A true model, and tables of one size drawn from it. family, truth: what it is, in words. size: rows, in words too.

    repeat: draws a table, fits, and tells by kind which share of the intervals held the truth. at_least: kinds whose intervals are of whole
    numbers, and hold more than their level. small: tables so small that the theory of large samples need not hold.
    """

    family: str
    truth: str
    size: str
    repeat: Callable[[np.random.Generator], Told]
    at_least: tuple[str, ...] = ()
    small: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.family}: {self.truth}, {self.size}"

    def rng(self, i: int) -> np.random.Generator:
        """The numbers of table i, whichever run draws it."""
        return np.random.default_rng([zlib.crc32(self.name.encode()), i])


@dataclass
class Sums:
    """Of one kind: tables, and of the shares that held the truth at each level the sum and that of squares."""

    tables: int = 0
    total: list[float] = field(default_factory=lambda: [0.0] * len(LEVELS))
    squares: list[float] = field(default_factory=lambda: [0.0] * len(LEVELS))

    def add(self, shares: np.ndarray) -> None:
        """One table more."""
        self.tables += 1
        self.total = (np.array(self.total) + shares).tolist()
        self.squares = (np.array(self.squares) + shares**2).tolist()

    def __add__(self, other: Sums) -> Sums:
        pairs = ((self.total, other.total), (self.squares, other.squares))
        return Sums(self.tables + other.tables, *((np.array(one) + two).tolist() for one, two in pairs))

    @property
    def held(self) -> np.ndarray:
        """Coverage at each level."""
        return np.array(self.total) / self.tables

    @property
    def errors(self) -> np.ndarray:
        """Its standard errors, from how much tables differ."""
        spread = np.maximum(np.array(self.squares) / self.tables - self.held**2, 0.0)
        return np.sqrt(spread / max(self.tables - 1, 1))


@dataclass
class Tally:
    """All tables of a case that were drawn so far. failed: what fits that failed said, and how often."""

    drawn: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, Sums] = field(default_factory=dict)

    @classmethod
    def read(cls, kept: dict[str, Any]) -> Self:
        """From what `asdict` made."""
        return cls(kept["drawn"], kept["failed"], {kind: Sums(**sums) for kind, sums in kept["kinds"].items()})

    def kept(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def draw(self, case: Case, tables: int) -> None:
        """So many tables more."""
        for _ in range(tables):
            rng = case.rng(self.drawn)
            self.drawn += 1
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", FitWarning)
                    told = case.repeat(rng)
            except DmlcoreError as error:
                said = f"{type(error).__name__}: {error}"[:120]
                self.failed[said] = self.failed.get(said, 0) + 1
                continue
            for kind, shares in told.items():
                self.kinds.setdefault(kind, Sums()).add(shares)


def held(truth: Any, intervals: Intervals) -> np.ndarray:
    """The share of intervals that hold the truth `(m,)`, at each of `LEVELS`. One that could not be told holds nothing."""
    at = np.asarray(truth, dtype=np.float64)
    return np.array([np.mean((ends[:, 0] <= at) & (at <= ends[:, 1])) for ends in (intervals[level] for level in LEVELS)])


def verdict(sums: Sums, at_least: bool = False) -> str:
    """Whether coverage is within two points of the level at both levels: "yes" or "NO" where so many tables can tell, else "perhaps"."""
    levels = np.array(LEVELS)
    least = np.sqrt(levels * (1 - levels) / sums.tables) if sums.tables < ENOUGH else 0.0
    by_chance = SURE * np.maximum(sums.errors, least)
    off = np.maximum(levels - sums.held, 0.0) if at_least else np.abs(sums.held - levels)
    if (off > WITHIN + by_chance).any():
        return "NO"
    return "yes" if (off <= WITHIN).all() and (by_chance <= WITHIN).all() else "perhaps"


def markdown(tallies: Iterable[tuple[Case, Tally]]) -> str:
    """A line for each kind of interval of each case."""
    rows = []
    for case, tally in tallies:
        for kind, sums in tally.kinds.items():
            failed = f", {sum(tally.failed.values())} failed" if tally.failed else ""
            rows.append([case.family, case.truth, case.size, kind, f"{sums.tables}{failed}", *_said(sums, kind in case.at_least)])
    return _table(["family", "true model", "size", "intervals of", "tables"], rows)


def by_family(tallies: Iterable[tuple[Case, Tally]]) -> str:
    """A line for each family and what its intervals are of, over all true models with tables that are not small."""
    found: dict[tuple[str, str], list[tuple[Sums, bool]]] = {}
    for case, tally in tallies:
        for kind, sums in tally.kinds.items():
            if not case.small:
                found.setdefault((case.family, re.split("[: ]", kind)[0]), []).append((sums, kind in case.at_least))
    rows = []
    for (family, kind), own in found.items():
        whole = reduce(add, (sums for sums, _ in own))
        rows.append([family, kind, f"{len(own)}", f"{whole.tables}", *_said(whole, all(at_least for _, at_least in own))])
    return _table(["family", "intervals of", "kinds", "tables"], rows)


def _said(sums: Sums, at_least: bool) -> list[str]:
    shares = [f"{100 * share:.1f} ± {100 * error:.1f}" for share, error in zip(sums.held, sums.errors, strict=True)]
    return [*shares, verdict(sums, at_least)]


def _table(head: list[str], rows: list[list[str]]) -> str:
    said = Counter(row[-1] for row in rows)
    counts = ", ".join(f"{said[word]} {word}" for word in ("yes", "perhaps", "NO"))
    head = [*head, "90%", "95%", "within two points"]
    rule = ["--:" if name in ("tables", "kinds") or name.endswith("%") else "---" for name in head]
    return f"Within two points: {counts}.\n\n" + "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])
