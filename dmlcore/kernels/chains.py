"""Hidden chains: filtering forward, smoothing backward, the likeliest path, drawn paths.

Chains lie end to end: chain r holds steps `offsets[r]` to `offsets[r + 1]`, and arrays of steps are `(.., K, N)`. Several chains are worked
on side by side (LANES), so that the loops over them are vectorised; `order` lists the chains that have steps, the longest first.

Transitions are matrices `P` `(.., Q, K, K)`. Where Q = 1, it is one for all steps, and nobody looks at `which`; else `which[t]` is the one
that leads into step t.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from dmlcore.kernels.compiled import exact_kernel

LANES = 32
FEW_CHAINS = 4  # chains, below which each is worked on alone, and its states are what loops go along
LEAST = 1e-290  # probabilities below this have lost digits
MOST_ODDS = 1e300  # odds beyond this are of states that are not there


@exact_kernel
def _times_matrix(a, P, out, width):
    """`out[j] = sum_i a[i] P[i, j]` of `(K, width)`."""
    K = len(P)
    for j in range(K):
        for s in range(width):
            out[j, s] = P[0, j] * a[0, s]
        for i in range(1, K - 1, 2):
            p, q = P[i, j], P[i + 1, j]
            for s in range(width):
                out[j, s] += p * a[i, s] + q * a[i + 1, s]
        if K % 2 == 0:
            p = P[K - 1, j]
            for s in range(width):
                out[j, s] += p * a[K - 1, s]


@exact_kernel
def _times_matrices(a, P, into, out, width):
    """The same, of matrices `P[into[s]]` of their own for each s."""
    K = a.shape[0]
    for s in range(width):
        own = P[into[s]]
        for j in range(K):
            out[j, s] = 0.0
        for i in range(K):
            for j in range(K):
                out[j, s] += own[i, j] * a[i, s]


@exact_kernel
def _filtered_alone(densities, first, P, which, begin, end, out, totals):
    """One chain of `filtered_states`: of one place, into `out` `(K, N)` and `totals` `(N,)`."""
    K = len(densities)
    now, before = np.empty(K), np.empty(K)
    for t in range(begin, end):
        if t == begin:
            now[:] = first
        else:
            q = which[t] if len(P) > 1 else 0
            now[:] = 0.0
            for i in range(K):
                x = before[i]
                for j in range(K):
                    now[j] += x * P[q, i, j]
        total = 0.0
        for j in range(K):
            now[j] *= densities[j, t]
            total += now[j]
        totals[t] = total
        scale = 1.0 / total if total > 0.0 else 0.0
        for j in range(K):
            before[j] = now[j] * scale
            out[j, t] = before[j]


@exact_kernel
def _smoothed_alone(filtered, densities, totals, turned, which, last, begin, end, out, ahead):
    """One chain of `smoothed_states`, likewise; turned: P with its rows as columns."""
    K = len(densities)
    after, hence = np.empty(K), np.empty(K)
    for t in range(end - 1, begin - 1, -1):
        if t == end - 1:
            after[:] = last
        else:
            q = which[t + 1] if len(turned) > 1 else 0
            after[:] = 0.0
            for j in range(K):
                x = hence[j]
                for i in range(K):
                    after[i] += x * turned[q, j, i]
        scale = 1.0 / totals[t] if totals[t] > 0.0 else 0.0
        for j in range(K):
            there = filtered[j, t] > LEAST
            back = min(after[j], MOST_ODDS)
            hence[j] = back * densities[j, t] * scale if there else 0.0
            out[j, t] = back * filtered[j, t] if there else 0.0
            ahead[j, t] = hence[j]


@exact_kernel
def filtered_states(densities, first, P, which, offsets, order):
    """Probabilities of the states given all steps so far `(M, K, N)`, and what each step adds to the likelihood `(M, N)`.

    densities `(M, K, N)`. first `(M, n, K)`: of the states at the first step of each chain, before it is seen. P `(M, Q, K, K)`. A step
    that has no density under any state adds 0, and no probability is left from there.
    """
    M, K, N = densities.shape
    out, totals = np.empty((M, K, N)), np.empty((M, N))
    now, before, sums = np.zeros((K, LANES)), np.zeros((K, LANES)), np.zeros(LANES)
    at, into = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    for m in range(M):
        for begin in range(0, len(order), LANES):
            width = min(LANES, len(order) - begin)
            if width < FEW_CHAINS:
                for r in order[begin:]:
                    _filtered_alone(densities[m], first[m, r], P[m], which, offsets[r], offsets[r + 1], out[m], totals[m])
                continue
            for s in range(width):
                at[s] = offsets[order[begin + s]]
                for j in range(K):
                    now[j, s] = first[m, order[begin + s], j]
            for t in range(offsets[order[begin] + 1] - offsets[order[begin]]):
                if t > 0:
                    while at[width - 1] + 1 == offsets[order[begin + width - 1] + 1]:
                        width -= 1
                    for s in range(width):
                        at[s] += 1
                    if P.shape[1] == 1:
                        _times_matrix(before, P[m, 0], now, width)
                    else:
                        for s in range(width):
                            into[s] = which[at[s]]
                        _times_matrices(before, P[m], into, now, width)
                sums[:] = 0.0
                for j in range(K):
                    for s in range(width):
                        now[j, s] *= densities[m, j, at[s]]
                    for s in range(width):
                        sums[s] += now[j, s]
                for s in range(width):
                    totals[m, at[s]] = sums[s]
                    sums[s] = 1.0 / sums[s] if sums[s] > 0.0 else 0.0
                for j in range(K):
                    for s in range(width):
                        before[j, s] = now[j, s] * sums[s]
                    for s in range(width):
                        out[m, j, at[s]] = before[j, s]
    return out, totals


@exact_kernel
def smoothed_states(filtered, densities, totals, P, which, last, offsets, order):
    """Weighted probabilities of the states given the whole chains `(M, K, N)`, and `ahead` `(M, K, N)`, with which pairs of successive
    states at i, j have the weighted probability `filtered[i, t] P[i, j] ahead[j, t + 1]`, where P leads into step t + 1.

    filtered, totals: of `filtered_states`. last `(M, n, K)`: the weight of each chain, times how much likelier what comes after it is from
    each state than on the whole; the weight alone, where nothing does.
    """
    M, K, N = densities.shape
    out, ahead = np.empty((M, K, N)), np.empty((M, K, N))
    after, hence, scale = np.zeros((K, LANES)), np.zeros((K, LANES)), np.zeros(LANES)
    known, seen = np.zeros(LANES), np.zeros(LANES)
    at, into = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    for m in range(M):
        turned = P[m].transpose((0, 2, 1)).copy()
        for begin in range(0, len(order), LANES):
            width = min(LANES, len(order) - begin)
            if width < FEW_CHAINS:
                for r in order[begin:]:
                    places = filtered[m], densities[m], totals[m], turned, which, last[m, r]
                    _smoothed_alone(*places, offsets[r], offsets[r + 1], out[m], ahead[m])
                continue
            for s in range(width):
                at[s] = offsets[order[begin + s] + 1] - 1
                for j in range(K):
                    after[j, s] = last[m, order[begin + s], j]
            for t in range(offsets[order[begin] + 1] - offsets[order[begin]]):
                if t > 0:
                    while at[width - 1] == offsets[order[begin + width - 1]]:
                        width -= 1
                    for s in range(width):
                        at[s] -= 1
                    if P.shape[1] == 1:
                        _times_matrix(hence, turned[0], after, width)
                    else:
                        for s in range(width):
                            into[s] = which[at[s] + 1]
                        _times_matrices(hence, turned, into, after, width)
                for s in range(width):
                    total = totals[m, at[s]]
                    scale[s] = 1.0 / total if total > 0.0 else 0.0
                for j in range(K):
                    for s in range(width):
                        there = filtered[m, j, at[s]] > LEAST
                        known[s] = filtered[m, j, at[s]] if there else 0.0
                        seen[s] = densities[m, j, at[s]] if there else 0.0
                    for s in range(width):
                        back = min(after[j, s], MOST_ODDS)  # of a state that is not there it may be beyond all numbers
                        hence[j, s] = back * seen[s] * scale[s]
                        known[s] *= back
                    for s in range(width):
                        out[m, j, at[s]] = known[s]
                        ahead[m, j, at[s]] = hence[j, s]
    return out, ahead


@exact_kernel
def _log_sum(values):
    top = values.max()
    return top if top == -np.inf else top + np.log(np.exp(values - top).sum())


@exact_kernel
def log_filtered(logs, log_first, log_P, which, offsets):
    """Logarithms of the joint densities of the states and all steps so far `(K, N)`; logs `(K, N)`, log_first `(n, K)`, log_P
    `(Q, K, K)`."""
    K, N = logs.shape
    out, terms = np.empty((K, N)), np.empty(K)
    for r in range(len(offsets) - 1):
        for t in range(offsets[r], offsets[r + 1]):
            q = which[t] if len(log_P) > 1 else 0
            for j in range(K):
                if t == offsets[r]:
                    out[j, t] = log_first[r, j] + logs[j, t]
                else:
                    for i in range(K):
                        terms[i] = out[i, t - 1] + log_P[q, i, j]
                    out[j, t] = _log_sum(terms) + logs[j, t]
    return out


@exact_kernel
def log_smoothed(forth, logs, log_P, which, weights, offsets):
    """Weighted probabilities of the states given the whole chains `(K, N)`, and the sums of those of pairs of successive states
    `(Q, K, K)`.

    forth: of `log_filtered`. Chains without density get probability zero.
    """
    K, N = logs.shape
    out, pairs = np.zeros((K, N)), np.zeros(log_P.shape)
    back, terms = np.zeros(K), np.empty(K)
    for r in range(len(offsets) - 1):
        begin, end = offsets[r], offsets[r + 1]
        log = _log_sum(forth[:, end - 1].copy()) if end > begin else -np.inf
        if log == -np.inf:
            continue
        back[:] = 0.0
        for t in range(end - 1, begin - 1, -1):
            q = which[t] if len(log_P) > 1 else 0
            for j in range(K):
                out[j, t] = weights[r] * np.exp(forth[j, t] + back[j] - log)
                terms[j] = logs[j, t] + back[j]
            if t > begin:
                for i in range(K):
                    for j in range(K):
                        pairs[q, i, j] += weights[r] * np.exp(forth[i, t - 1] + log_P[q, i, j] + terms[j] - log)
                for i in range(K):
                    back[i] = _log_sum(log_P[q, i] + terms)
    return out, pairs


@exact_kernel
def likeliest_states(logs, log_first, log_P, which, offsets):
    """The most probable path of each chain `(N,)`, and its log density `(n,)` (Viterbi 1967); the first of equals."""
    K, N = logs.shape
    n = len(offsets) - 1
    path, back, best = np.zeros(N, np.int64), np.zeros((N, K), np.uint16), np.zeros(n)
    now, before = np.empty(K), np.empty(K)
    for r in range(n):
        a, b = offsets[r], offsets[r + 1]
        if a == b:
            continue
        for t in range(a, b):
            q = which[t] if len(log_P) > 1 else 0
            for j in range(K):
                if t == a:
                    now[j] = log_first[r, j] + logs[j, t]
                else:
                    top, best_i = before[0] + log_P[q, 0, j], 0
                    for i in range(1, K):
                        if before[i] + log_P[q, i, j] > top:
                            top, best_i = before[i] + log_P[q, i, j], i
                    now[j] = top + logs[j, t]
                    back[t, j] = best_i
            before[:] = now
        path[b - 1] = np.argmax(now)
        best[r] = now.max()
        for t in range(b - 1, a, -1):
            path[t - 1] = back[t, path[t]]
    return path, best


@exact_kernel
def drawn_states(filtered, P, which, u, offsets):
    """A path of each chain with its probability given the whole chain `(N,)`; filtered `(K, N)`: as of `filtered_states`; P `(Q, K, K)`;
    u `(N,)`: random numbers in [0, 1)."""
    K, N = filtered.shape
    path, reached = np.zeros(N, np.int64), np.empty(K)
    for r in range(len(offsets) - 1):
        for t in range(offsets[r + 1] - 1, offsets[r] - 1, -1):
            total, last = 0.0, t + 1 == offsets[r + 1]
            q = which[t + 1] if len(P) > 1 and not last else 0
            for j in range(K):
                total += filtered[j, t] * (1.0 if last else P[q, j, path[t + 1]])
                reached[j] = total
            z = 0
            while z < K - 1 and reached[z] <= u[t] * total:
                z += 1
            path[t] = z
    return path


@exact_kernel
def walked_states(first, reached, which, u, offsets):
    """Paths of chains end to end `(N,)`: first `(n,)` states, reached `(Q, K, K)` cumulative probabilities of the next, u `(N,)` in
    [0, 1)."""
    K, path = reached.shape[1], np.empty(len(u), np.int64)
    for r in range(len(offsets) - 1):
        for t in range(offsets[r], offsets[r + 1]):
            if t == offsets[r]:
                path[t] = first[r]
                continue
            sums = reached[which[t] if len(reached) > 1 else 0, path[t - 1]]
            z = 0
            while z < K - 1 and sums[z] <= u[t] * sums[K - 1]:
                z += 1
            path[t] = z
    return path
