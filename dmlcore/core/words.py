"""Laws and numbers in a few words, as tables and reports show them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dmlcore.core.powers import HasMean, HasProbabilities, HasVariance, MayBeMissing, Mixing, OnScale, has
from dmlcore.core.tree import MAX_TEXT, outline
from dmlcore.data.layouts import Count, Labels, Real, Vector
from dmlcore.data.record_layouts import Fields

TOP = 3  # labels that stand for a law of labels
ENTRIES = 6  # of a record or a vector
MANY_COMPONENTS, MANY_FIELDS = 12, 40  # that stand side by side: the heaviest, the first


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
    if isinstance(law.layout, (Real, Count)) and has(law, HasMean) and has(law, HasVariance):
        return mean_and_deviation(float(law.mean()), float(law.variance()) ** 0.5)
    if isinstance(law.layout, Vector) and has(law, HasMean) and has(law, HasVariance):
        coordinates = [mean_and_deviation(float(m), float(v) ** 0.5) for m, v in zip(law.mean(), law.variance(), strict=True)]
        return ", ".join(coordinates[:ENTRIES]) + (", …" if len(coordinates) > ENTRIES else "")
    if has(law, OnScale) and has(law.number_law(), HasMean) and has(law.number_law(), HasVariance):
        return "\u00a0±\u00a0".join(law.mean_and_deviation())
    if isinstance(law.layout, Labels) and has(law, HasProbabilities):
        shares = sorted(law.probabilities().items(), key=lambda pair: -pair[1])
        named = ", ".join(label_and_share(label, p) for label, p in shares[:TOP] if p >= 5e-4)
        return named + (", …" if len(shares) > TOP and sum(p for _, p in shares[:TOP]) < 0.995 else "")
    if isinstance(law.layout, Fields) and is_record(law):
        each = [f"{law.layout.place(j)} {in_words(child)}" for j, child in enumerate(law.children()[:ENTRIES])]
        return ", ".join(each) + (", …" if len(law.children()) > ENTRIES else "")
    shown = outline(law, 1 + TOP)
    own = " ".join([shown.family, *(f"{field} {text}" for field, text in shown.parameters)])
    below = [f"{child.place} {child.family} {', '.join(text for _, text in child.parameters)}".strip() for child in shown.children]
    return f"{own}: {'; '.join(below)}" if below and not has(law, Mixing) else own


def mean_and_deviation(mean: float, deviation: float) -> str:
    """Two numbers that stay in one line."""
    return f"{number(mean)}\u00a0±\u00a0{number(deviation, 3)}"


def label_and_share(label: Any, share: float) -> str:
    """A label and how often it is there, which stay in one line."""
    return f"{label}\u00a0{percent(share)}"


def components_beside(model: Any) -> tuple[list[str], list[list[str]]] | None:
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
