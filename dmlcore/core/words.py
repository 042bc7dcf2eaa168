"""Laws and numbers in a few words, as tables and reports show them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dmlcore.base.errors import StructureError
from dmlcore.core.powers import HasMean, HasProbabilities, HasVariance, InWords, MayBeMissing, Mixing, OnScale, has
from dmlcore.core.tree import MAX_TEXT, outline
from dmlcore.data.layouts import Count, Labels, Real, Vector
from dmlcore.data.record_layouts import Fields

TOP = 3  # labels that stand for a law of labels
ENTRIES = 6  # of a record or a vector


def in_words(law: Any) -> str:
    """A law in a few words: mean ± standard deviation, or the most probable labels; how often it is missing, if it says. Of a record entry
    by entry."""
    inner, marks = present(law)
    return values_in_words(inner) + missing_in_words(1 - share_present(law) if marks else 0.0)


def missing_in_words(share: float) -> str:
    """How often a value is missing, where it is."""
    return f"; {percent(share)} missing" if share >= 5e-4 else ""


def values_in_words(law: Any) -> str:
    """The law of values that are there."""
    if has(law, InWords):
        return str(law.in_words())
    if isinstance(law.layout, (Real, Count, Vector)) and (moments := _moments(law)) is not None:
        coordinates = [mean_and_deviation(float(m), float(v) ** 0.5) for m, v in zip(*moments, strict=True)]
        return ", ".join(coordinates[:ENTRIES]) + (", …" if len(coordinates) > ENTRIES else "")
    if has(law, OnScale) and has(law.number_law(), HasMean) and has(law.number_law(), HasVariance):
        return "\u00a0±\u00a0".join(law.mean_and_deviation())
    if isinstance(law.layout, Labels) and has(law, HasProbabilities):
        return labels_in_words(law.probabilities(), total=True)
    if isinstance(law.layout, Fields) and is_record(law):
        each = [f"{law.layout.place(j)} {in_words(child)}" for j, child in enumerate(law.children()[:ENTRIES])]
        return ", ".join(each) + (", …" if len(law.children()) > ENTRIES else "")
    if has(law, Mixing):
        order = np.argsort(-np.asarray(law.w), kind="stable").tolist()
        each = [f"{percent(float(law.w[k]))}: {in_words(law.components[k])}" for k in order[:TOP]]
        return " | ".join(each) + (" | …" if len(order) > TOP else "")
    shown = outline(law, 1 + TOP)
    own = " ".join([shown.family, *(f"{field} {text}" for field, text in shown.parameters)])
    below = [f"{child.place} {child.family} {', '.join(text for _, text in child.parameters)}".strip() for child in shown.children]
    return f"{own}: {'; '.join(below)}" if below else own


def labels_in_words(shares: Mapping[Any, float], total: bool = False) -> str:
    """The labels that are most probable, with their probabilities. total: whether these sum to one, so that a rest can be left unsaid."""
    ordered = sorted(shares.items(), key=lambda pair: -pair[1])
    named = ", ".join(label_and_share(label, p) for label, p in ordered[:TOP] if p >= 5e-4)
    rest = sum(p for _, p in ordered[:TOP]) < 0.995 if total else any(p >= 5e-4 for _, p in ordered[TOP:])
    return named + (", …" if len(ordered) > TOP and rest else "")


def list_in_words(element: Any, length: Any) -> str:
    """A list, from the law of its elements and that of its length."""
    return f"{'list' if length.says_nothing else in_words(length)} of {in_words(element)}"


def _moments(law: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Means and variances of the coordinates, one of a number; None where they have no form."""
    if not (has(law, HasMean) and has(law, HasVariance)):
        return None
    try:
        return np.atleast_1d(law.mean()), np.atleast_1d(law.variance())
    except StructureError:
        return None


def mean_and_deviation(mean: float, deviation: float) -> str:
    """Two numbers that stay in one line."""
    return f"{number(mean)}\u00a0±\u00a0{number(deviation, 3)}"


def label_and_share(label: Any, share: float) -> str:
    """A label and how often it is there, which stay in one line."""
    return f"{label}\u00a0{percent(share)}"


def cut_short(text: str, most: int = MAX_TEXT) -> str:
    """A text of at most so many letters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


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
    """A number to so many significant digits, with commas from 10,000 on; whole numbers below ten million in full."""
    value = float(value)
    if not math.isfinite(value):
        return "" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if not -4 <= size < 7:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    decimals = 0 if value == round(value) else max(0, digits - 1 - size)
    return format(value, f"{',' if size > 3 else ''}.{decimals}f").replace("-", "−")


def percent(share: float) -> str:
    """A share in percent."""
    if not math.isfinite(share):
        return ""
    return f"{100 * share:.1f}%" if 0 < share < 0.1 or 0.99 < share < 1 else f"{100 * share:.0f}%"
