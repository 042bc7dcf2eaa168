"""Documents whose words come from topics in proportions of each document's own: the variational law of these (Blei, Ng and Jordan 2003).

Documents lie end to end: document r holds the different words `offsets[r]` to `offsets[r + 1]`, each `counts` times. Densities of the words
under the K topics are `scaled` `(M, K, N)`, relative to the largest of each word.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from dmlcore.kernels.compiled import exact_kernel, kernel

DOCUMENT_PASSES = 2000  # over a document at most
PLAIN_PASSES = 6  # after which the basin is chosen, and every third pass is followed by a longer step
LONGER_STEPS = 400  # passes with longer steps, at most
NO_WORDS, FEW_WORDS = 1e-3, 4.0  # of a topic in a document
IMPROVED = 1e-9  # a bound that is larger by more is another optimum
FAINTEST = 1e-200  # of a topic in a document, relative to all: less makes no difference, unless a word has no other topic


@exact_kernel
def _digamma(x):
    """psi(x) of one x > 0, to about 1e-12: by the recurrence and the asymptotic series (Abramowitz and Stegun 6.3.5, 6.3.18)."""
    above, below = 0.0, 1.0  # the sum of 1 / x, 1 / (x + 1), ... as one fraction: divisions are dear
    while x < 8.0:
        above = above * x + below
        below *= x
        x += 1.0
    s = 1.0 / (x * x)
    return (
        math.log(x)
        - 0.5 / x
        - s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s * (1 / 132 - s * 691 / 32760)))))
        - above / below
    )


@exact_kernel
def _expected_shares(gamma, whole, out):
    """`exp(E log theta_k)` of a Dirichlet with parameters `(K,)`, of which `whole` is psi of their sum."""
    for k in range(len(gamma)):
        out[k] = max(math.exp(_digamma(gamma[k]) - whole), FAINTEST)


@exact_kernel
def _apart(one, other):
    """The sum of the differences of two vectors."""
    out = 0.0
    for k in range(len(one)):
        out += abs(one[k] - other[k])
    return out


@exact_kernel
def _lengthen(gamma, before, last, alpha):
    """Where two steps, `before` and then `last`, that led to parameters `(K,)` would lead if they went on alike; none goes below alpha."""
    along, bent = 0.0, 0.0
    for k in range(len(gamma)):
        along += before[k] * before[k]
        bent += (last[k] - before[k]) ** 2
    if not along > bent > 0.0:
        return
    length = math.sqrt(along / bent)
    for k in range(len(gamma)):
        further = gamma[k] + (2.0 * length - 1.0) * before[k] + length * length * (last[k] - before[k]) - last[k]
        gamma[k] = further if further >= alpha[k] else 0.5 * (alpha[k] + gamma[k])


@kernel
def document_topics(scaled, shift, alpha, offsets, counts, threshold):
    """Parameters of the Dirichlet laws of the proportions of topics `(M, K, n)`, and bounds of the log densities of documents `(M, n)`.

    shift `(M, N)`: logarithms of what words were scaled by. alpha `(M, K)`. A document's passes end when its parameters change by less than
    `threshold` of their sum. They begin with even shares, in which every topic is there. As a bound may have several optima, which differ
    in the topics that have next to nothing, passes begin again without each of these in turn, and the best is kept; they end where they
    come back to it. Passes converge slowly, so that their steps are lengthened (Varadhan and Roland 2008): these end in fixed points of
    passes, too. A document with a word that no topic has gets -inf.
    """
    M, K, _ = scaled.shape
    n = len(offsets) - 1
    gammas, bounds = np.empty((M, K, n)), np.empty((M, n))
    longest = 0
    for r in range(n):
        longest = max(longest, offsets[r + 1] - offsets[r])
    words, ratio = np.empty(longest), np.empty(longest)
    gamma, best, shares, tried = np.empty(K), np.empty(K), np.empty(K), np.zeros(K, np.bool_)
    before, last = np.zeros(K), np.zeros(K)  # steps
    for m in range(M):
        prior, constant = 0.0, 0.0
        for k in range(K):
            prior += alpha[m, k]
            constant -= math.lgamma(alpha[m, k])
        constant += math.lgamma(prior)
        for r in range(n):
            a, b = offsets[r], offsets[r + 1]
            total, outside = prior, 0.0
            for i in range(a, b):
                total += counts[i]
                outside += counts[i] * shift[m, i]
            psi_total = _digamma(total)
            for k in range(K):
                gamma[k] = alpha[m, k] + (total - prior) / K
                best[k] = gamma[k]
                tried[k] = False
            bounds[m, r] = -np.inf
            without = 0
            while without >= 0:
                moved = np.inf
                for step in range(DOCUMENT_PASSES + 1):
                    _expected_shares(gamma, psi_total, shares)
                    words[: b - a] = 0.0
                    for k in range(K):
                        for i in range(b - a):
                            words[i] += shares[k] * scaled[m, k, a + i]
                    if (
                        step == DOCUMENT_PASSES
                        or moved <= threshold * total
                        or (without >= 0 and step > 0 and _apart(gamma, best) < NO_WORDS)
                    ):
                        break
                    for i in range(b - a):
                        ratio[i] = counts[a + i] / words[i] if words[i] > 0.0 else 0.0
                    for k in range(K):
                        sum_of = 0.0
                        for i in range(b - a):
                            sum_of += ratio[i] * scaled[m, k, a + i]
                        updated = alpha[m, k] + shares[k] * sum_of
                        before[k], last[k] = last[k], updated - gamma[k]
                        gamma[k] = updated
                    moved = np.abs(last).sum()
                    if step % 3 == 2 and PLAIN_PASSES <= step < LONGER_STEPS and moved > threshold * total:
                        _lengthen(gamma, before, last, alpha[m])
                whole = 0.0
                for k in range(K):
                    whole += gamma[k]
                bound = constant - math.lgamma(whole) + outside
                for k in range(K):
                    bound += math.lgamma(gamma[k]) + (alpha[m, k] - gamma[k]) * math.log(shares[k])
                for i in range(b - a):
                    bound += counts[a + i] * (math.log(words[i]) if words[i] > 0.0 else -np.inf)
                if not bound <= bounds[m, r] + IMPROVED:
                    bounds[m, r] = bound
                    best[:] = gamma
                    tried[:] = False
                without = _next_to_nothing(best, alpha[m], tried)
                if without >= 0:
                    tried[without] = True
                    gamma[:] = best
                    gamma[without] = alpha[m, without]
            for k in range(K):
                gammas[m, k, r] = best[k]
    return gammas, bounds


@exact_kernel
def _next_to_nothing(gamma, alpha, tried):
    """A topic that has few words, and more than none, and that no passes have begun without; -1 if there is none."""
    for k in range(len(gamma)):
        if not tried[k] and NO_WORDS < gamma[k] - alpha[k] < FEW_WORDS:
            return k
    return -1


@kernel
def topic_weights(scaled, gammas, offsets, counts, weights):
    """The weights of the documents' words under each topic, `(M, K, N)`: counts, times weights of documents `(M, n)`, times the probability
    of each topic where the proportions have Dirichlet laws with parameters `(M, K, n)`."""
    M, K, N = scaled.shape
    out = np.empty((M, K, N))
    gamma, shares = np.empty(K), np.empty(K)
    for m in range(M):
        for r in range(len(offsets) - 1):
            total = 0.0
            for k in range(K):
                gamma[k] = gammas[m, k, r]
                total += gamma[k]
            _expected_shares(gamma, _digamma(total), shares)
            for i in range(offsets[r], offsets[r + 1]):
                word = 0.0
                for k in range(K):
                    word += shares[k] * scaled[m, k, i]
                each = counts[i] * weights[m, r] / word if word > 0.0 else 0.0
                for k in range(K):
                    out[m, k, i] = each * shares[k] * scaled[m, k, i]
    return out
