"""The tables, in markdown. Calls come as `{"problem: method": [...]}`."""

from __future__ import annotations

from collections import Counter
from statistics import median

import numpy as np

from benchmarks.convergence.calls import METHODS, VERDICTS, Call, verdict
from benchmarks.convergence.problems import PROBLEMS, Problem
from benchmarks.table import number
from benchmarks.workloads import NO_SUCH_MODEL

WANTED = 0.95  # share of default calls that must find the optimum

TITLES = {
    "default": "dmlcore",
    "plain": "plain EM",
    "dmx": "dmx-learn",
    "mixle": "mixle",
    "sklearn": "scikit-learn",
    "sklearn tight": "scikit-learn, to the end",
}


def markdown(head: list[str], lines: list[list[str]]) -> str:
    """A table; the first two columns are text."""
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    rule = ["-" * width if i < 2 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    return "\n".join("| " + " | ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)) + " |" for line in [head, rule, *lines])


def tally(problem: Problem, calls: list[Call]) -> Counter[str]:
    """How many calls ended where."""
    return Counter(verdict(problem, call) for call in calls)


def shares(calls: dict[str, list[Call]]) -> str:
    """A row a problem: of the calls of each method, how many found the best known optimum."""
    methods = [method for method in METHODS if any(key.endswith(f": {method}") for key in calls)]
    lines = []
    for name, problem in PROBLEMS.items():
        if not any(f"{name}: {method}" in calls for method in methods):
            continue
        line = [name, problem.what]
        for method in methods:
            made = calls.get(f"{name}: {method}")
            line.append(f"{tally(problem, made)['found']}/{len(made)}" if made else "-")
        if "default" in methods:
            made = calls.get(f"{name}: default", [])
            line.append("?" if not made else "yes" if tally(problem, made)["found"] >= WANTED * len(made) else "NO")
        lines.append(line)
    head = ["", "within 1e-4 of the best known optimum", *(TITLES[method] for method in methods)]
    return markdown(head + [f"{WANTED:.0%}"] * ("default" in methods), lines)


def costs(calls: dict[str, list[Call]]) -> str:
    """A row a problem and method: where calls ended, what one costs, and what a find costs."""
    lines = []
    for name, problem in PROBLEMS.items():
        for method, title in TITLES.items():
            made = calls.get(f"{name}: {method}")
            if not made:
                continue
            ended = tally(problem, made)
            taken = [call.steps for call in made if call.steps is not None]
            seconds = [call.seconds for call in made]
            short = [problem.best - call.log_likelihood for call in made if np.isfinite(call.log_likelihood)]
            lines.append(
                [
                    name,
                    title,
                    *(str(ended[verdict] or "") for verdict in VERDICTS),
                    f"{median(taken):,.0f}" if taken else "-",
                    f"{max(taken):,}" if taken else "-",
                    number(median(seconds)),
                    number(max(seconds)),
                    number(sum(seconds) / ended["found"]) if ended["found"] else "-",
                    f"{max([0.0, *short]):.2g}" if short else "-",
                ]
            )
    head = ["problem", "method", *VERDICTS, "steps, median", "most", "CPU s, median", "most", "CPU s per find", "worst, nats below"]
    return markdown(head, lines)


def remarks(calls: dict[str, list[Call]], notes: dict[str, str]) -> str:
    """What the tables leave out: better optima, failures, systems that are not here."""
    lines = []
    for name, problem in PROBLEMS.items():
        for method, title in TITLES.items():
            made = calls.get(f"{name}: {method}", [])
            new = [call for call in made if verdict(problem, call) == "new"]
            failed = [call for call in made if verdict(problem, call) == "failed"]
            if new:
                top = max(new, key=lambda call: call.log_likelihood)
                lines.append(
                    f"{name}: {title}: {len(new)} calls ended above the best known {problem.best:.4f}, not spurious; "
                    f"{top.log_likelihood:.4f} with seed {top.seed}: find it again (--find)"
                )
            if failed:
                lines.append(f"{name}: {title}: {len(failed)} calls failed; seed {failed[0].seed}: {failed[0].error or 'not finite'}")
    lines += [f"{key}: {why}" for key, why in notes.items() if NO_SUCH_MODEL not in why]
    return "\n".join(lines)
