"""What makes components different: their laws in a few words, and how much each column tells about which component a row is of."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.core.powers import HasMean, HasProbabilities, HasVariance, MayBeMissing, Mixing, has
from dmlcore.core.tree import outline
from dmlcore.data.layouts import Count, Fields, Labels, Real, Vector
from dmlcore.inference.condition import marginal
from dmlcore.plot.density import present, share_present
from dmlcore.reporting.markup import number, percent
from dmlcore.reporting.subject import Subject

TOP = 3  # labels that stand for a law of labels
ENTRIES = 6  # of a record or a vector


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
        return mean_and_deviation(mean, variance**0.5)
    if isinstance(law.layout, Labels) and has(law, HasProbabilities):
        shares = sorted(law.probabilities().items(), key=lambda pair: -pair[1])
        named = ", ".join(label_and_share(label, p) for label, p in shares[:TOP] if p >= 5e-4)
        return named + (", …" if len(shares) > TOP and sum(p for _, p in shares[:TOP]) < 0.995 else "")
    if isinstance(law.layout, (Fields, Vector)):
        return _entries_in_words(law)
    shown = outline(law, 1 + TOP)
    own = " ".join([shown.family, *(f"{field} {text}" for field, text in shown.parameters)])
    below = [f"{child.place} {child.family} {', '.join(text for _, text in child.parameters)}".strip() for child in shown.children]
    return f"{own}: {'; '.join(below)}" if below and not has(law, Mixing) else own


def _entries_in_words(law: Any) -> str:
    """A law of records or vectors, entry by entry."""
    layout = law.layout
    count = len(layout.values) if isinstance(layout, Fields) else layout.dim
    named = isinstance(layout, Fields)
    parts = [f"{layout.place(j) + ' ' if named else ''}{in_words(marginal(law, j))}" for j in range(min(count, ENTRIES))]
    return ", ".join(parts) + (", …" if count > ENTRIES else "")


def mean_and_deviation(mean: float, deviation: float) -> str:
    """Two numbers that stay in one line."""
    return f"{number(mean)}\u00a0±\u00a0{number(deviation, 3)}"


def label_and_share(label: Any, share: float) -> str:
    """A label and how often it is there, which stay in one line."""
    return f"{label}\u00a0{percent(share)}"


def told(subject: Subject) -> np.ndarray:
    """How much each column alone tells about the component, in nats: the mutual information, `(columns,)`, NaN where it has no form.

    The mean over rows of `KL(P(component | the cell) || weights)`, whose expectation under the model is the mutual information.
    """
    out = np.full(len(subject.names), np.nan)
    w = subject.w
    used = np.flatnonzero(w > 0)
    log_w = np.log(w[used])[:, None]
    for j in range(len(subject.names)):
        laws = [subject.laws[k][j] for k in used]
        if None in laws or not all(type(law.layout) is type(laws[0].layout) for law in laws):
            continue
        rows = subject.sample if _says_missing(laws[0]) else subject.sample[~subject.missing[j][subject.sample]]
        if not len(rows):
            continue
        values = subject.values(j, rows)
        joint = log_w + np.array([law.seq_log_density(values) for law in laws])
        joint = joint[:, joint.max(axis=0) > -np.inf]
        log_posterior = joint - np.logaddexp.reduce(joint, axis=0)
        posterior = np.exp(log_posterior)
        gains = np.where(posterior > 0, log_posterior - log_w, 0.0)
        terms = (posterior * gains).sum(axis=0)
        out[j] = max(0.0, float(terms.sum() / len(subject.sample)))
    return out


def _says_missing(law: Any) -> bool:
    return has(law, MayBeMissing)


def entropy_of(w: np.ndarray) -> float:
    """Of weights, in nats: how much there is to tell."""
    some = w[w > 0]
    return float(-(some * np.log(some)).sum())
