"""The workloads: data, start models and estimators as plain values, made by NumPy alone, the same for every system.

A model is written as `law("Gaussian", mu, sigma2)`: a family name and its arguments in the order that dmlcore, dmx-learn and mixle
share. `build` turns it into one system's distributions or estimators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Spec = dict[str, Any]


def law(family: str, *arguments: Any, **settings: Any) -> Spec:
    """A distribution or an estimator as plain values."""
    return {"law": family, "arguments": list(arguments), "settings": settings}


def build(spec: Any, stats: Any, kind: str) -> Any:
    """The objects of one system's `stats` module; kind: Distribution or Estimator."""
    if isinstance(spec, dict) and "law" in spec:
        settings = {name: build(value, stats, kind) for name, value in spec["settings"].items()}
        return getattr(stats, spec["law"] + kind)(*[build(a, stats, kind) for a in spec["arguments"]], **settings)
    return [build(item, stats, kind) for item in spec] if isinstance(spec, list) else spec


@dataclass(frozen=True)
class Workload:
    """Rows to fit, a model to start from, and the estimator of its shape. steps: EM steps taken; the first is not timed."""

    rows: Any
    start: Spec
    estimator: Spec
    steps: int


NO_SUCH_MODEL = "it has no such model"
SIZES = {"W1": 1_000_000, "W2": 200_000, "W3": 100_000, "W4": 20_000, "W4K": 20_000, "W5": 100_000, "W6": 2_000}


def make(name: str, rows: int | None = None, components: int | None = None) -> Workload:
    """One workload by name. components: of W1 and W3 only, for the memory rows."""
    n = SIZES[name] if rows is None else rows
    rng = np.random.default_rng(20240 + int(name[1]))
    if name == "W1":
        return gaussians(n, components or 5, rng)
    if name == "W2":
        return full_covariances(n, rng)
    if name == "W3":
        return composites(n, components or 3, rng)
    if name == "W5":
        return joint(n, rng)
    if name == "W6":
        return chains(n, rng)
    return hierarchical(n, rng, keyed=name == "W4K")


def gaussians(n: int, K: int, rng: np.random.Generator) -> Workload:
    """W1: unit Gaussians at 0, 3, 6, ..."""
    x = 3.0 * rng.integers(K, size=n) + rng.standard_normal(n)
    start = law("Mixture", [law("Gaussian", 3.0 * k + 0.5, 2.0) for k in range(K)], [1 / K] * K)
    return Workload(x, start, law("Mixture", [law("Gaussian")] * K), 11)


def full_covariances(n: int, rng: np.random.Generator) -> Workload:
    """W2: ten Gaussians in ten dimensions, correlated and overlapping; the start has unit covariances and moved means."""
    d = K = 10
    means, factors = 3.0 * rng.standard_normal((K, d)), rng.standard_normal((K, d, d)) / np.sqrt(d)
    factors += 0.5 * np.eye(d)
    z = rng.integers(K, size=n)
    x = means[z] + np.einsum("nij,nj->ni", factors[z], rng.standard_normal((n, d)))
    moved = (means + 0.5 * rng.standard_normal((K, d))).tolist()
    unit = np.eye(d).tolist()
    start = law("Mixture", [law("MultivariateGaussian", mu, unit) for mu in moved], [1 / K] * K)
    return Workload(x, start, law("Mixture", [law("MultivariateGaussian", dim=d)] * K), 11)


def composite(means: list[float], p: float, missing: float, first: float, stay: tuple[float, float], included: list[float]) -> Spec:
    """One component of W3: a mixture of two Gaussians, an optional count, a chain of letters, a set of letters."""
    chain = {"a": {"a": stay[0], "b": 1 - stay[0]}, "b": {"a": 1 - stay[1], "b": stay[1]}}
    return law(
        "Composite",
        [
            law("Mixture", [law("Gaussian", mu, 1.0) for mu in means], [0.5, 0.5]),
            law("Optional", law("Geometric", p), p=missing),
            law("MarkovChain", {"a": first, "b": 1 - first}, chain, len_dist=law("Poisson", 8.0)),
            law("BernoulliSet", dict(zip("abcd", included, strict=True))),
        ],
    )


TRUE_COMPOSITES = [  # the seed's d1, d2, d3
    composite([-10.0, 0.0], 0.1, 0.1, 0.5, (0.2, 0.2), [0.1, 0.3, 0.7, 0.9]),
    composite([10.0, 5.0], 0.2, 0.2, 0.5, (0.8, 0.8), [0.9, 0.8, 0.1, 0.1]),
    composite([0.0, 5.0], 0.9, 0.01, 0.8, (0.5, 0.8), [0.5, 0.5, 0.5, 0.8]),
]
TRUE_COMPOSITE_MIXTURE = law("Mixture", TRUE_COMPOSITES, [0.4, 0.3, 0.3])


def composites(n: int, K: int, rng: np.random.Generator) -> Workload:
    """W3: rows of the seed's composite mixture, as Python tuples; the start has its shape and other parameters."""
    rows: list[Any] = [None] * n
    z = rng.choice(3, size=n, p=[0.4, 0.3, 0.3])
    for k, component in enumerate(TRUE_COMPOSITES):
        where = np.flatnonzero(z == k)
        for i, row in zip(where.tolist(), composite_rows(component, len(where), rng), strict=True):
            rows[i] = row
    starts = [
        composite([-8.0, 1.0], 0.2, 0.15, 0.4, (0.3, 0.4), [0.3, 0.4, 0.6, 0.7]),
        composite([8.0, 4.0], 0.3, 0.15, 0.5, (0.6, 0.7), [0.7, 0.6, 0.3, 0.2]),
        composite([1.0, 4.0], 0.6, 0.05, 0.6, (0.5, 0.6), [0.5, 0.4, 0.5, 0.6]),
    ]
    start = law("Mixture", [starts[k % 3] for k in range(K)], [1 / K] * K)
    fields = [
        law("Mixture", [law("Gaussian")] * 2),
        law("Optional", law("Geometric"), est_prob=True),
        law("MarkovChain", len_estimator=law("Poisson")),
        law("BernoulliSet"),
    ]
    return Workload(rows, start, law("Mixture", [law("Composite", fields)] * K), 7)


def composite_rows(component: Spec, n: int, rng: np.random.Generator) -> Any:
    """`n` rows of one component, as Python values."""
    mixture, optional, chain, letters = component["arguments"][0]
    means = np.array([g["arguments"][0] for g in mixture["arguments"][0]])
    x = (rng.choice(means, size=n) + rng.standard_normal(n)).tolist()
    counts = rng.geometric(optional["arguments"][0]["arguments"][0], size=n).tolist()
    missing = (rng.random(n) < optional["settings"]["p"]).tolist()
    initial, transitions = chain["arguments"]
    lengths = rng.poisson(8.0, size=n)
    states = np.zeros((n, max(int(lengths.max(initial=1)), 1)), dtype=int)  # 0 is "a", 1 is "b"
    after = np.array([transitions["a"]["b"], transitions["b"]["b"]])
    states[:, 0] = rng.random(n) < initial["b"]
    for t in range(1, states.shape[1]):
        states[:, t] = rng.random(n) < after[states[:, t - 1]]
    names = np.array(["a", "b"], dtype=object)[states].tolist()
    sets = (rng.random((n, 4)) < list(letters["arguments"][0].values())).tolist()
    for i, length in enumerate(lengths.tolist()):
        yield x[i], None if missing[i] else counts[i], names[i][:length], [v for v, there in zip("abcd", sets[i], strict=True) if there]


def hierarchical(n: int, rng: np.random.Generator, keyed: bool) -> Workload:
    """W4: 8 mixtures of 10 shared Gaussian topics, sequences of 20. W4K: the same law as a mixture of sequences of keyed mixtures."""
    K, M, length = 10, 8, 20
    taus = rng.dirichlet(np.full(K, 0.5), size=M)
    cumulative = np.cumsum(taus, axis=1)[rng.integers(M, size=n)]
    topics = (rng.random((n, length, 1)) > cumulative[:, None, :]).sum(axis=2).clip(max=K - 1)
    rows = (4.0 * topics + rng.standard_normal((n, length))).tolist()
    start_taus = (0.5 * taus + 0.5 / K).tolist()
    start_topics = [law("Gaussian", 4.0 * k + 1.0, 4.0) for k in range(K)]
    w = [1 / M] * M
    if not keyed:
        start = law("HierarchicalMixture", start_topics, w, start_taus)
        return Workload(rows, start, law("HierarchicalMixture", [law("Gaussian")] * K, M), 11)
    start = law("Mixture", [law("Sequence", law("Mixture", start_topics, tau)) for tau in start_taus], w)
    inner = law("Mixture", [law("Gaussian")] * K, keys=(None, "comps"))
    return Workload(rows, start, law("Mixture", [law("Sequence", inner)] * M), 11)


def chains(n: int, rng: np.random.Generator) -> Workload:
    """W6: sequences of 100 from hidden Markov chains of 8 Gaussian states, which are mostly left after ten steps."""
    K, length = 8, 100
    stay = rng.random((n, length)) < 0.9
    fresh = rng.integers(K, size=(n, length))
    states = fresh.copy()
    for t in range(1, length):
        states[:, t] = np.where(stay[:, t], states[:, t - 1], fresh[:, t])
    rows = list(3.0 * states + rng.standard_normal((n, length)))
    near = (0.5 * np.eye(K) + 0.5 / K).tolist()
    start = law("HiddenMarkovModel", [law("Gaussian", 3.0 * k + 0.5, 2.0) for k in range(K)], [1 / K] * K, near)
    return Workload(rows, start, law("HiddenMarkov", [law("Gaussian")] * K), 11)


def joint(n: int, rng: np.random.Generator) -> Workload:
    """W5: rows of the seed's joint mixture: (label, real) and a sequence of reals; without its pseudo-counts, which systems read
    differently."""
    z = rng.choice(3, size=n, p=[0.6, 0.3, 0.1])
    h = (rng.random((n, 1)) > np.cumsum(0.1 + 0.7 * np.eye(3), axis=1)[z]).sum(axis=1).clip(max=2)
    labels = np.array(["a", "b", "c"], dtype=object)[z].tolist()
    reals = (np.array([-2.0, 0.0, 2.0])[z] + rng.standard_normal(n)).tolist()
    lengths = rng.poisson(3.0, size=n)
    values = (np.repeat(np.array([2.0, 0.0, -2.0])[h], lengths) + rng.standard_normal(lengths.sum())).tolist()
    ends = np.cumsum(lengths).tolist()
    rows = [((labels[i], reals[i]), values[end - length : end]) for i, (end, length) in enumerate(zip(ends, lengths.tolist(), strict=True))]
    near = 0.2 + 0.4 * np.eye(3)
    first = [
        law("Composite", [law("Categorical", dict(zip("abc", p, strict=True))), law("Gaussian", mu, 2.0)])
        for p, mu in zip(near.tolist(), [-1.5, 0.5, 1.5], strict=True)
    ]
    second = [law("Sequence", law("Gaussian", mu, 2.0), law("Poisson", 4.0)) for mu in [1.5, 0.5, -1.5]]
    w1 = np.array([0.5, 0.3, 0.2])
    both = w1[:, None] * near
    w2 = both.sum(axis=0)
    start = law("JointMixture", first, second, w1.tolist(), w2.tolist(), near.tolist(), (both / w2).tolist())
    one = law("Composite", [law("Categorical"), law("Gaussian")])
    two = law("Sequence", law("Gaussian"), law("Poisson"))
    return Workload(rows, start, law("JointMixture", [one] * 3, [two] * 3), 11)
