"""What makes components different: their laws in a few words, and how much each column tells about which component a row is of."""

from __future__ import annotations

from typing import Any

import numpy as np

from dmlcore.core.powers import MayBeMissing, has
from dmlcore.core.telling import gains, posteriors_of_laws
from dmlcore.core.words import ENTRIES, in_words, missing_in_words, present, share_present
from dmlcore.data.layouts import Vector
from dmlcore.data.record_layouts import Fields
from dmlcore.inference.condition import marginal
from dmlcore.reporting.subject import Subject
from dmlcore.stats.latent.spikes import spiked


def law_in_words(law: Any) -> str:
    """A law in a few words, of records and vectors of any form entry by entry."""
    if law is None:
        return "no law of its own"
    inner, marks = present(law)
    layout = inner.layout
    if (apart := spiked(inner)) is not None:
        return apart.in_words() + missing_in_words(1 - share_present(law) if marks else 0.0)
    if isinstance(layout, Fields):
        places = [f"{layout.place(j)} " for j in range(len(layout.values))]
    elif isinstance(layout, Vector):
        places = [""] * int(layout.dim or 0)
    else:
        return in_words(law)
    parts = [f"{place}{law_in_words(marginal(inner, j))}" for j, place in enumerate(places[:ENTRIES])]
    return ", ".join(parts) + (", …" if len(places) > ENTRIES else "") + missing_in_words(1 - share_present(law) if marks else 0.0)


def told(subject: Subject) -> np.ndarray:
    """How much each column alone tells about the component, in nats: the mutual information, `(columns,)`, NaN where it has no form.

    The mean over rows of `gains`.
    """
    out = np.full(len(subject.names), np.nan)
    used = np.flatnonzero(subject.w > 0)
    w = subject.w[used]
    for j in range(len(subject.names)):
        laws = [subject.laws[k][j] for k in used]
        if None in laws or not all(type(law.layout) is type(laws[0].layout) for law in laws):
            continue
        rows = subject.sample if _says_missing(laws[0]) else subject.sample[~subject.missing[j][subject.sample]]
        if len(rows):
            out[j] = gains(posteriors_of_laws(laws, w, subject.values(j, rows)), w).sum() / len(subject.sample)
    return out


def _says_missing(law: Any) -> bool:
    return has(law, MayBeMissing)
