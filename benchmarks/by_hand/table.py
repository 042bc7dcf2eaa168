"""The tables, in markdown, of what was measured. `measured` is `{"steps": {name: {...}}, "fits": {name: {...}}}`."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.by_hand.fits import FITS
from benchmarks.by_hand.steps import TABLES
from benchmarks.convergence.problems import TOLERANCE
from benchmarks.convergence.table import WANTED, markdown
from benchmarks.table import number


def ratio(ours: list[float], peer: list[float]) -> float:
    """How many times the peer's time ours is: the median over pairs, each measured one after the other."""
    return median(a / b for a, b in zip(ours, peer, strict=True))


def met(target: float | None, unit: str, times: float, absolute: float) -> list[str]:
    """What is wanted, and whether it is so."""
    if target is None:
        return ["", ""]
    return [f"{target:g} {unit}".replace(" x", "x"), "yes" if (times if unit == "x" else absolute) <= target else "NO"]


def of_steps(measured: dict[str, Any]) -> str:
    """A row a table of data: milliseconds of a step."""
    lines = []
    for name, table in TABLES.items():
        if found := measured.get(name):
            times, ours = ratio(found["ours"], found["peer"]), 1e3 * median(found["ours"])
            peer = f"{number(1e3 * median(found['peer']))} {table.peer}"
            lines.append(
                [name, table.what, number(ours), peer, f"{number(times)}x", *met(table.target, table.unit, times, ours), found["on"]]
            )
    return markdown(["", "one EM step", "dmlcore, ms", "beside it, ms", "ratio", "to reach", "met", "measured"], lines)


def optimum(found: dict[str, Any]) -> float:
    """The best known, or else the best seen in the run that is not spurious."""
    ends = [end["value"] for who in ("ours", "peer") for end in found[who] if not end["spurious"]]
    return float(max(ends, default=float("nan")) if found["best"] is None else found["best"])


def share(ends: list[dict[str, Any]], best: float) -> tuple[int, int]:
    """Of the calls, how many ended at the optimum, and how many above it at a spurious one."""
    near = [abs(end["value"] - best) <= TOLERANCE * abs(best) for end in ends]
    return sum(near), sum(end["spurious"] and end["value"] > best and not at for end, at in zip(ends, near, strict=True))


def told(ends: list[dict[str, Any]], best: float) -> str:
    at, above = share(ends, best)
    return f"{at}/{len(ends)}" + (f", {above} spurious" if above else "")


def of_fits(measured: dict[str, Any]) -> str:
    """A row a fit: CPU seconds of a call, and where calls ended."""
    lines = []
    for name, whole in FITS.items():
        if found := measured.get(name):
            ours, peer = ([end["seconds"] for end in found[who]] for who in ("ours", "peer"))
            best, times = optimum(found), ratio(ours, peer)
            wanted, fast = met(whole.target, whole.unit, times, median(ours))
            good = share(found["ours"], best)[0] >= WANTED * len(ours)
            lines.append(
                [
                    name,
                    whole.what,
                    number(median(ours)),
                    f"{number(median(peer))} {whole.peer}",
                    f"{number(times)}x",
                    f"{best:.4f}",
                    told(found["ours"], best),
                    told(found["peer"], best),
                    wanted,
                    fast if fast != "yes" or good else "NO",
                    found["on"],
                ]
            )
    head = [
        "",
        "whole fit",
        "dmlcore, s",
        "ten restarts, s",
        "ratio",
        "best",
        "dmlcore at it",
        "ten restarts at it",
        "to reach",
        "met",
        "measured",
    ]
    return markdown(head, lines)
