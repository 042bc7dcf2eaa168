"""`python -m tests.extremes`: log densities at every extreme place, by mpmath, and larger sizes than the suite's.

Exits with 1 if one is wrong.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from dmlcore import fit
from dmlcore.stats import (
    CategoricalEstimator,
    CompositeEstimator,
    GaussianEstimator,
    HiddenMarkovEstimator,
    MarkovChainEstimator,
    MixtureEstimator,
    MultivariateGaussianEstimator,
    OptionalEstimator,
    TreeHiddenMarkovEstimator,
)
from tests.extremes.exact import LAWS, wrong


def labels_in_a_mixture(rng: np.random.Generator) -> Any:
    codes = rng.integers(10**5, size=10**5)
    rows = [(f"label {i}", float(y)) for i, y in zip(codes, codes % 2 + rng.normal(0, 0.2, 10**5), strict=True)]
    pair = CompositeEstimator((CategoricalEstimator(), GaussianEstimator()))
    return fit(rows, MixtureEstimator([pair] * 2), rng=1, starts=1, max_its=50)


def labels_in_a_chain(rng: np.random.Generator) -> Any:
    return fit([rng.integers(10**5, size=10**6).tolist()], MarkovChainEstimator())


def components(rng: np.random.Generator) -> Any:
    x = rng.normal(0, 30, (300, 3))[rng.integers(300, size=20_000)] + rng.normal(size=(20_000, 3))
    return fit(x, MixtureEstimator([MultivariateGaussianEstimator()] * 300), rng=1, starts=1, max_its=20)


def states(rng: np.random.Generator) -> Any:
    x = rng.normal(rng.integers(300, size=3000) * 10.0, 1.0)
    return fit([x.tolist()], HiddenMarkovEstimator([GaussianEstimator()] * 300), rng=1, starts=1, max_its=5)


def fields_with_gaps(rng: np.random.Generator) -> Any:
    x = rng.normal(rng.integers(2, size=300)[:, None] * 2.0, 1.0, (300, 500))
    rows = [tuple(None if rng.random() < 0.1 else v for v in row) for row in x.tolist()]
    record = CompositeEstimator([OptionalEstimator(GaussianEstimator(), est_prob=True)] * 500)
    return fit(rows, MixtureEstimator([record] * 2), rng=1, starts=2)


def steps(rng: np.random.Generator) -> Any:
    x = rng.normal(np.repeat(rng.integers(2, size=1000), 1000) * 4.0, 1.0)
    return fit([x.tolist()], HiddenMarkovEstimator([GaussianEstimator()] * 2), rng=1, starts=1)


def nodes_of_a_tree(rng: np.random.Generator) -> Any:
    tree = [((i, (i - 1) // 2 if i else -1), "ab"[v]) for i, v in enumerate(rng.integers(2, size=10**5).tolist())]
    return fit([tree], TreeHiddenMarkovEstimator([CategoricalEstimator()] * 2), rng=1, starts=1, max_its=5)


SIZES: dict[str, Callable[[np.random.Generator], Any]] = {
    "10^5 labels beside a number, K = 2": labels_in_a_mixture,
    "a chain of 10^6 steps over 10^5 labels": labels_in_a_chain,
    "K = 300 vectors": components,
    "300 hidden states": states,
    "500 fields with gaps": fields_with_gaps,
    "10^6 steps of 2 hidden states": steps,
    "a tree of 10^5 nodes": nodes_of_a_tree,
}


def main() -> int:
    failed = False
    for name, law in LAWS.items():
        began, off = time.process_time(), wrong(name)
        failed |= bool(off)
        places = len(set(law.places()))
        print(f"{name:20s} {places:5d} places, {len(off)} wrong {off[:2] or ''} {time.process_time() - began:6.1f} s", flush=True)
    for what, work in SIZES.items():
        began = time.process_time()
        record = work(np.random.default_rng(0))
        failed |= not np.isfinite(record.log_likelihood)
        seconds = time.process_time() - began
        print(f"{what:40s} {record.status:16s} {record.iterations:4d} steps {record.log_likelihood:16.1f} {seconds:6.1f} s", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
