"""The rows measured, and how they are printed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from benchmarks.workloads import NO_SUCH_MODEL

SYSTEMS = {"dmlcore": "dmlcore", "mixle": "mixle", "dmx": "dmx-learn", "sklearn": "scikit-learn", "hmmlearn": "hmmlearn"}
DIGITS = 8  # to which log likelihoods must agree


@dataclass
class Row:
    """One line of the table. values: seconds (or a rate, larger is better) by system. wanted: least ratio to each system."""

    name: str
    what: str
    values: dict[str, float] = field(default_factory=dict)
    wanted: dict[str, float] = field(default_factory=dict)
    rate: bool = False
    unit: str = "s"
    target: str = ""
    met: bool | None = None
    notes: dict[str, str] = field(default_factory=dict)
    check: dict[str, float] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)

    def ratio(self, system: str) -> float | None:
        """How many times better dmlcore is."""
        ours, theirs = self.values.get("dmlcore"), self.values.get(system)
        if not ours or not theirs or system == "dmlcore":
            return None
        return ours / theirs if self.rate else theirs / ours

    def digits(self, system: str) -> float | None:
        """To how many digits a system's check value agrees with dmlcore's."""
        ours, theirs = self.check.get("dmlcore"), self.check.get(system)
        if ours is None or theirs is None or system == "dmlcore":
            return None
        return 16.0 if ours == theirs else min(16.0, -math.log10(abs(ours - theirs) / abs(ours)))

    def judge(self) -> str:
        """Whether the target is met: every ratio, and the same likelihoods."""
        if self.met is not None:
            return "yes" if self.met else "NO"
        if not self.wanted:
            return ""
        ratios = {s: self.ratio(s) for s in self.wanted}
        if "dmlcore" not in self.values or all(r is None for r in ratios.values()):
            return "?"
        same = all((d := self.digits(s)) is None or d >= DIGITS for s in self.wanted)
        good = same and all(r is None or r >= self.wanted[s] for s, r in ratios.items())
        return ("yes" if good else "NO") + (" (in part)" if None in ratios.values() else "")


def against_dedicated(keyed: Row, dedicated: Row) -> None:
    """The keyed form must cost at most twice the dedicated one, and reach its likelihood."""
    if "dmlcore" in keyed.values and "dmlcore" in dedicated.values:
        times = keyed.values["dmlcore"] / dedicated.values["dmlcore"]
        same = math.isclose(keyed.check["dmlcore"], dedicated.check["dmlcore"], rel_tol=10.0**-DIGITS)
        keyed.target, keyed.met = f"at most 2x W4 ({times:.2f}x)", same and times <= 2


def number(value: float) -> str:
    """Three digits."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}" if value else "0"


def cell(row: Row, system: str) -> str:
    if system not in row.values:
        return "-"
    ratio = row.ratio(system)
    return f"{number(row.values[system])} {row.unit}" + ("" if ratio is None else f" ({number(ratio)}x)")


def table(rows: list[Row], systems: list[str]) -> str:
    """The rows in columns, and what they need beside: likelihoods, ways, notes."""
    lines = [["", "", *(SYSTEMS[s] for s in systems), "target", "met"]]
    for row in rows:
        target = row.target or ", ".join(f"{times:g}x {SYSTEMS[s]}" for s, times in row.wanted.items())
        lines.append([row.name, row.what, *(cell(row, s) for s in systems), target, row.judge()])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def remarks(rows: list[Row], missing: dict[str, str]) -> str:
    """Log likelihoods, the ways that were tried, and why numbers are missing."""
    lines = [f"{SYSTEMS[system]}: not here: {why}" for system, why in missing.items()]
    for row in rows:
        if row.check:
            after = f"log likelihood after {row.detail['after']} steps" if "after" in row.detail else "mean of the first posterior"
            values = [f"{SYSTEMS[s]} {v!r}" + ("" if (d := row.digits(s)) is None else f" ({d:.1f} digits)") for s, v in row.check.items()]
            lines.append(f"{row.name}: {after}: " + ", ".join(values))
        for system, found in row.detail.items():
            if isinstance(found, dict) and len(found.get("ways", ())) > 1:
                tried = ", ".join(f"{way} {number(cpu)} s" for way, cpu in found["ways"].items())
                lines.append(f"{row.name}: {SYSTEMS[system]} by {found['way']}, the fastest of: {tried}")
        lines += [f"{row.name}: {SYSTEMS[s]}: {why}" for s, why in row.notes.items() if NO_SUCH_MODEL not in why]
    return "\n".join(lines)
