"""Laws and numbers in a few words, as tables and reports show them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dmlcore.core.powers import HasMean, HasProbabilities, HasVariance, MayBeMissing, Mixing, has
from dmlcore.core.tree import MAX_TEXT, outline
from dmlcore.data.layouts import Count, Fields, Labels, Real

TOP = 3  # labels that stand for a law of labels
MANY_COMPONENTS, MANY_FIELDS = 12, 40  # that stand side by side: the heaviest, the first


def in_words(law: Any) -> str:
    """A law of one value: mean ± standard deviation, or the most probable labels; how often it is missing, if it says."""
    if law is None:
        return "no law of its own"
    inner, marks = present(law)
    gone = 1 - share_present(law) if marks else 0.0
    return _values_in_words(inner) + (f"; {percent(gone)} missing" if gone >= 5e-4 else "")


def _values_in_words(law: Any) -> str:
    if isinstance(law.layout, (Real, Count)) and has(law, HasMean) and has(law, HasVariance):
        mean, variance = float(law.mean()), float(law.variance())
        return f"{number(mean)} ± {number(variance**0.5, 3)}"
    if isinstance(law.layout, Labels) and has(law, HasProbabilities):
        shares = sorted(law.probabilities().items(), key=lambda pair: -pair[1])
        named = ", ".join(f"{label} {percent(p)}" for label, p in shares[:TOP] if p >= 5e-4)
        return named + (", …" if len(shares) > TOP and sum(p for _, p in shares[:TOP]) < 0.995 else "")
    shown = outline(law, 1)
    return " ".join([shown.family, *(f"{field} {text}" for field, text in shown.parameters)])


def side_by_side(model: Any) -> tuple[list[str], list[list[str]]] | None:
    """The components of a mixture of records as a table: a head, and a line for each field. The heaviest come first. None of others."""
    if not has(model, Mixing) or not all(isinstance(law.layout, Fields) and is_record(law) for law in model.components):
        return None
    order = np.argsort(-np.asarray(model.w), kind="stable")[:MANY_COMPONENTS].tolist()
    head = ["", *(f"component {k}: {percent(float(model.w[k]))}" for k in order)]
    fields = [model.components[k].children() for k in order]
    shown = min(len(fields[0]), MANY_FIELDS)
    lines = [[cut_short(text) for text in (model.layout.place(j), *(in_words(laws[j]) for laws in fields))] for j in range(shown)]
    return head, lines if shown == len(fields[0]) else [*lines, [f"… {len(fields[0]) - shown} more"]]


def cut_short(text: str) -> str:
    """A text of at most `MAX_TEXT` characters."""
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def is_record(law: Any) -> bool:
    """Whether the children of a law are those of the fields of its observations."""
    return len(law.children()) == len(law.layout.values) and all(
        child.layout == part for child, part in zip(law.children(), law.layout.values, strict=True)
    )


def present(law: Any) -> tuple[Any, tuple[Any, ...]]:
    """The law of the values that are not missing, and what stands for missing."""
    if has(law, MayBeMissing):
        inner, missing = present(law.value_law())
        return inner, (*missing, law.missing_value)
    if has(law, Mixing):
        laws, missing = zip(*(present(component) for component in law.components), strict=True)
        shares = law.w * [share_present(component) for component in law.components]
        if any(missing) and shares.sum() > 0:
            return law.replace(components=laws, w=shares / shares.sum()), sum(missing, ())
    return law, ()


def share_present(law: Any) -> float:
    """The probability that a value is there."""
    if has(law, MayBeMissing):
        return (1 - (law.missing_probability() or 0.0)) * share_present(law.value_law())
    return float(law.w @ [share_present(component) for component in law.components]) if has(law, Mixing) else 1.0


def number(value: float, digits: int = 4) -> str:
    """A number to so many significant digits, with commas in thousands; whole numbers below ten million in full."""
    value = float(value)
    if not math.isfinite(value):
        return "" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if not -4 <= size < 7:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    if value == round(value):
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:,.{max(0, digits - 1 - size)}f}".replace("-", "−")


def percent(share: float) -> str:
    """A share in percent."""
    if not math.isfinite(share):
        return ""
    return f"{100 * share:.1f}%" if 0 < share < 0.1 or 0.99 < share < 1 else f"{100 * share:.0f}%"
