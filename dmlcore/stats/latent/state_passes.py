"""The passes of a hidden chain over lists: filtering forward, smoothing backward (Baum et al. 1970), a window of elements at a time.

A block of lists is one window, but for lists that are longer than one. Of those only the probabilities of the states at the ends of windows
are kept on the way forward; on the way back the elements of a window are scored once more, so that what is held at once does not grow with
the length of a list. Probabilities are relative within each step. Lists of which that loses digits are passed over once more in logarithms.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base.numerics import by_rows, joined, logs_of
from dmlcore.base.records import dataclass
from dmlcore.core.mixing import Drawn, exact_mix, largest, one_of
from dmlcore.core.walk import SMALL, Components, Forward
from dmlcore.data.columns import taken_elements
from dmlcore.stats.latent.state_steps import ChainSteps

WINDOW = 1 << 16  # elements
RARE = 1e-60  # a transition that is rarer may bring a path back that was given up
GIVEN_UP = -600.0  # log density that the paths which were kept must lose before one that was given up counts again


@dataclass(frozen=True)
class Window:
    """Elements `start` to `stop` of a column of lists, which rows `first` to `last` hold; `offsets` are theirs in the window."""

    start: int
    stop: int
    first: int
    last: int
    offsets: np.ndarray
    continued: bool  # whether its first list began before it
    continues: bool  # whether its last list goes on after it

    @cached_property
    def order(self) -> np.ndarray:
        """The rows that have elements here, the longest first."""
        lengths = np.diff(self.offsets)
        order = np.argsort(-lengths, kind="stable")
        return order[: int(np.count_nonzero(lengths))]

    @cached_property
    def begins(self) -> np.ndarray:
        """The elements with which lists begin here."""
        begins: np.ndarray = self.offsets[:-1][np.diff(self.offsets) > 0]
        return begins[1:] if self.continued else begins


def windows(offsets: np.ndarray) -> Iterator[Window]:
    """The elements of lists cut into windows, by the lists alone: as one, if there are few."""
    n, N = len(offsets) - 1, int(offsets[-1])
    if N <= WINDOW + WINDOW // 2:
        yield Window(0, N, 0, n, offsets, False, False)
        return
    cuts = [*range(0, N, WINDOW), N]
    for start, stop in pairwise(cuts):
        first = int(np.searchsorted(offsets, start, side="right")) - 1
        last = n if stop == N else int(np.searchsorted(offsets, stop, side="left"))
        own = np.clip(offsets[first : last + 1], start, stop) - start
        yield Window(start, stop, first, last, own, bool(offsets[first] < start), bool(offsets[last] > stop))


class Emissions:
    """Elements as the states see them: densities `(.., S, N)` times `exp(shift)`. Where states share K topics, in proportions `taus`
    `(.., S, K)`, those of the topics are mixed. The steps into the elements, and their transitions P `(.., Q, S, S)`, stand beside."""

    def __init__(self, law: Any, flat: Any, score: Forward):
        observed, self.steps = law.read(flat)
        self.P: np.ndarray = law.transitions_of(self.steps)
        self.scored: Components = score.components(law.topics, observed, law.batch)
        self.taus = law.taus
        self.densities = self.scored.scaled if self.taus is None else self.taus @ self.scored.scaled

    @cached_property
    def joint(self) -> np.ndarray:
        """Log densities of the topics in each state `(.., S, K, N)`."""
        return np.asarray(self.scored.logs[..., None, :, :] + logs_of(self.taus)[..., None])

    @cached_property
    def logs(self) -> np.ndarray:
        """Log densities of the states `(.., S, N)`."""
        return self.scored.logs if self.taus is None else exact_mix(self.joint)[0]

    def shares(self, states: np.ndarray, exact: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """Weights of the topics `(.., K, N)` from those of the states `(.., S, N)`, and what each topic has in each state `(.., S, K)`.
        exact: states may have weight where their densities are too small to tell."""
        if self.taus is None:
            return states, None
        if exact:
            each = exact_mix(self.joint)[1] * states[..., None, :]
            return each.sum(axis=-3), each.sum(axis=-1)
        rows = states / np.where(self.densities > 0, self.densities, 1.0)
        topics = self.taus.swapaxes(-1, -2) @ rows
        topics *= self.scored.scaled
        return topics, self.taus * (rows @ self.scored.scaled.swapaxes(-1, -2))


@dataclass(frozen=True)
class StatesOfElements:
    """What a pass says of some elements: how their topics were scored; weighted probabilities of the states `(.., S, N)`; the sums of those
    of the states that begin lists `(.., S)` and of pairs of successive states `(.., Q, S, S)`. elements: which of the column they are."""

    emissions: Any
    states: np.ndarray
    begun: np.ndarray
    pairs: np.ndarray
    exact: bool
    elements: Any


@dataclass(frozen=True)
class Filtered:
    """A window passed over forward: probabilities of the states given what came before `first` `(.., n, S)` and given the element too
    `filtered` `(.., S, N)`, and what each element adds to the likelihood `totals` `(.., N)`."""

    emissions: Emissions
    first: np.ndarray
    filtered: np.ndarray
    totals: np.ndarray


class Pass:
    """Lists scored by a chain: `log` `(.., n)` of their elements. `pieces(weights)` goes back over them."""

    def __init__(self, law: Any, column: Any, score: Forward):
        self.law, self.offsets, self.flat = law, column.offsets, column.flat
        self._score = score
        self.windows = list(windows(column.offsets))
        self.log = np.zeros((*law.batch, len(column)))
        self.plain = np.zeros(0, dtype=np.intp)  # the rows that are passed over in logarithms
        self._carried: list[np.ndarray | None] = []  # into each window: probabilities of the states at the element before it `(.., S)`
        self._kept: list[Filtered] = []  # of a single window
        self.chosen = None if score.mix is exact_mix else self._choose()
        if self.chosen is None:
            self._forward()

    def _scored(self, flat: Any) -> Emissions:
        one = len(self.windows) == 1
        return Emissions(self.law, flat, self._score if one else Forward(self._score.repeated, self._score.tables, self._score.mix))

    def _forward(self) -> None:
        carried, doubtful = None, []
        for window in self.windows:
            self._carried.append(carried)
            found = self._filtered(window, carried)
            doubt = self._doubtful(window, found)
            doubtful.append(window.first + doubt)
            for r in doubt.tolist():
                found.totals[..., window.offsets[r] : window.offsets[r + 1]] = 1.0
            log = by_rows(kernels.segment_log_product, found.totals, window.offsets)
            log += by_rows(kernels.segment_sum, found.emissions.scored.shift, window.offsets)
            self.log[..., window.first : window.last] += log
            carried = found.filtered[..., -1].copy() if window.continues else None
            if len(self.windows) == 1:
                self._kept.append(found)
        self.plain = np.unique(np.concatenate(doubtful))
        if len(self.plain):
            self.log[..., self.plain] = self._exactly.log

    def _filtered(self, window: Window, carried: np.ndarray | None) -> Filtered:
        emissions = self._scored(self.flat if len(self.windows) == 1 else self.flat.slice(window.start, window.stop))
        first = np.repeat(self.law.w[..., None, :], len(window.offsets) - 1, axis=-2)
        if carried is not None:
            first[..., 0, :] = (carried[..., None, :] @ emissions.P[..., emissions.steps.kind(0), :, :])[..., 0, :]
        shape = emissions.densities.shape
        args = joined(emissions.densities, 2), joined(first, 2), joined(emissions.P, 3), emissions.steps.which
        filtered, totals = kernels.filtered_states(*args, window.offsets, window.order)
        return Filtered(emissions, first, filtered.reshape(shape), totals.reshape(*shape[:-2], shape[-1]))

    def _doubtful(self, window: Window, found: Filtered) -> np.ndarray:
        """The rows of which probabilities lost digits: a step left little of all paths, or paths were given up that count again."""
        P, filtered = found.emissions.P, found.filtered
        small = ~(joined(found.totals) > SMALL).all(axis=0)
        if P.size and not P.min() > RARE:
            before = np.zeros(filtered.shape)
            before[..., 1:] = found.emissions.steps.onward(P, filtered)
            starts = window.offsets[:-1][window.order]
            before[..., starts] = found.first[..., window.order, :].swapaxes(-1, -2)
            lost = (before > 0) & (filtered < kernels.LEAST) & (found.emissions.logs > -np.inf)
            if lost.any():
                ahead = np.cumsum(logs_of(np.where(found.totals > 0, found.totals, 1.0)), axis=-1)
                ends = np.repeat(window.offsets[1:] - 1, np.diff(window.offsets))
                small |= joined(lost.any(axis=-2) & ~(ahead[..., ends] - ahead > GIVEN_UP)).any(axis=0)
        rows = np.searchsorted(window.offsets, np.flatnonzero(small), side="right") - 1
        return np.unique(rows)

    @staticmethod
    def likeliest(law: Any, column: Any, score: Forward) -> tuple[np.ndarray, np.ndarray]:
        """The most probable states of the elements of lists `(N,)`, and the log densities of the lists with them `(n,)` (Viterbi 1967)."""
        every = InLogarithms(law, column.offsets, column.flat, score)
        log = every.choose(largest)
        return every.paths[0], log

    @cached_property
    def _exactly(self) -> InLogarithms:
        return InLogarithms(self.law, self.offsets, self.flat, self._score, self.plain)

    def _choose(self) -> InLogarithms:
        every = InLogarithms(self.law, self.offsets, self.flat, self._score)
        self.log = every.choose(self._score.mix)
        return every

    def so_far(self) -> np.ndarray:
        """Probabilities of the states of one law `(S, N)`, each given the elements of its list up to it alone."""
        out = np.zeros((self.law.w.shape[-1], int(self.offsets[-1])))
        for window, carried in zip(self.windows, self._carried, strict=True):
            out[:, window.start : window.stop] = (self._kept[0] if self._kept else self._filtered(window, carried)).filtered
        if len(self.plain):
            out[:, self._exactly.elements] = exact_mix(self._exactly.forth[0])[1]
        return out

    def pieces(self, weights: np.ndarray) -> Iterator[StatesOfElements]:
        """What a pass back over the lists says, from their weights `(.., n)`."""
        if self.chosen is not None:
            yield self.chosen.piece(weights)
            return
        if len(self.plain):
            yield self._exactly.piece(weights[..., self.plain])
            weights = weights.copy()
            weights[..., self.plain] = 0.0
        weights = np.broadcast_to(weights, self.log.shape)
        ahead = None
        for window, carried in zip(reversed(self.windows), reversed(self._carried), strict=True):
            found = self._kept[0] if self._kept else self._filtered(window, carried)
            piece, ahead = self._smoothed(window, found, weights, carried, ahead)
            yield piece

    def _smoothed(
        self, window: Window, found: Filtered, weights: np.ndarray, carried: np.ndarray | None, ahead: np.ndarray | None
    ) -> tuple[StatesOfElements, np.ndarray]:
        """The piece of one window, with the pair of the element before it and its first, and `ahead` for the window before.

        ahead `(.., S)`: what `last` of `kernels.smoothed_states` says of a list that goes on in the window after.
        """
        emissions, steps, P, filtered = found.emissions, found.emissions.steps, found.emissions.P, found.filtered
        own = weights[..., window.first : window.last]
        last = np.repeat(own[..., None], P.shape[-1], axis=-1)
        if window.continues and ahead is not None:
            last[..., -1, :] = ahead
        shape = filtered.shape
        args = joined(filtered, 2), joined(emissions.densities, 2), joined(found.totals), joined(P, 3), steps.which, joined(last, 2)
        states, hence = (out.reshape(shape) for out in kernels.smoothed_states(*args, window.offsets, window.order))
        opening = hence[..., 0].copy() if shape[-1] else np.zeros(shape[:-1])
        begun = states[..., window.begins].sum(axis=-1)
        hence[..., window.begins] = 0.0
        pairs = steps.pair_sums(filtered, hence)
        before = opening
        if carried is not None:
            k = steps.kind(0)
            pairs[..., k, :, :] += carried[..., :, None] * opening[..., None, :]
            before = (P[..., k, :, :] @ opening[..., None])[..., 0]
        return StatesOfElements(emissions, states, begun, pairs * P, False, slice(window.start, window.stop)), before


class InLogarithms:
    """Lists, all or some rows of them, whole, in logarithms: exact whatever their densities are, or by paths that are chosen."""

    def __init__(self, law: Any, offsets: np.ndarray, flat: Any, score: Forward, rows: np.ndarray | None = None):
        every = rows is None or len(rows) == len(offsets) - 1
        self.rows = np.arange(len(offsets) - 1) if rows is None else rows
        self.elements: Any = slice(None)
        self.offsets = offsets
        if not every:
            self.offsets, self.elements = taken_elements(offsets, self.rows)
        part = flat if every else flat.take(self.elements)
        self.emissions = Emissions(law, part, Forward(score.repeated, score.tables, score.mix))
        self.batch, self.P, self.steps = law.batch, self.emissions.P, self.emissions.steps
        self.logs, self.log_P = joined(self.emissions.logs, 2), joined(logs_of(self.P), 3)
        self.w = np.repeat(joined(logs_of(law.w))[:, None], len(self.rows), axis=1)
        self.paths: Any = None

    @cached_property
    def forth(self) -> np.ndarray:
        """Logarithms of the joint densities of the states and what was seen so far `(M, S, N)`."""
        parts = zip(self.logs, self.w, self.log_P, strict=True)
        return np.array([kernels.log_filtered(*part, self.steps.which, self.offsets) for part in parts])

    @cached_property
    def log(self) -> np.ndarray:
        """Log densities of the lists `(.., n)`."""
        out = np.zeros((len(self.logs), len(self.rows)))
        full = np.diff(self.offsets) > 0
        out[:, full] = exact_mix(self.forth[:, :, self.offsets[1:][full] - 1])[0]
        return out.reshape(*self.batch, len(self.rows))

    def choose(self, mix: Any) -> np.ndarray:
        """Takes one path of each list, by a rule (`dmlcore.core.mixing`); log densities `(.., n)` by that rule."""
        paths: Any
        if isinstance(mix, Drawn):
            u = mix.rng.random((len(self.logs), self.offsets[-1]))
            filtered = exact_mix(self.forth)[1]
            each = zip(filtered, joined(self.P, 3), u, strict=True)
            paths = [kernels.drawn_states(f, P, self.steps.which, v, self.offsets) for f, P, v in each]
            log = self.log
        else:
            parts = zip(self.logs, self.w, self.log_P, strict=True)
            paths, best = zip(*(kernels.likeliest_states(*part, self.steps.which, self.offsets) for part in parts), strict=True)
            log = np.array(best).reshape(*self.batch, len(self.rows))
        self.paths = np.array(paths)
        return log

    def piece(self, weights: np.ndarray) -> StatesOfElements:
        """What the rows say, from their weights `(.., n)`."""
        weights = joined(np.broadcast_to(weights, (*self.batch, len(self.rows))))
        if self.paths is None:
            parts = zip(self.forth, self.logs, self.log_P, weights, strict=True)
            found = [kernels.log_smoothed(f, logs, P, self.steps.which, w, self.offsets) for f, logs, P, w in parts]
        else:
            log = joined(self.log)
            found = [self._along(path, np.where(own > -np.inf, w, 0.0)) for path, own, w in zip(self.paths, log, weights, strict=True)]
        S = self.P.shape[-1]
        states = np.array([one for one, _ in found]).reshape(*self.batch, S, -1)
        begins = self.offsets[:-1][np.diff(self.offsets) > 0]
        pairs = np.array([two for _, two in found]).reshape(self.P.shape)
        return StatesOfElements(self.emissions, states, states[..., begins].sum(axis=-1), pairs, True, self.elements)

    def _along(self, path: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted indicators of the states along paths `(S, N)`, and counts of their pairs `(Q, S, S)`."""
        each = np.repeat(weights, np.diff(self.offsets))
        states = one_of(path, self.P.shape[-1])
        after = states * each
        after[:, self.offsets[:-1][np.diff(self.offsets) > 0]] = 0.0
        return states * each, self.steps.pair_sums(states, after)


class ChainTape:
    """A pass over lists, and the tape of their lengths."""

    __slots__ = ("length", "lists")

    def __init__(self, lists: Any, length: Any):
        self.lists, self.length = lists, length


class Opened:
    """Lists before there is a model: elements have responsibilities that were given, each for itself."""

    def __init__(self, estimator: Any, column: Any, open: Any):
        self.estimator, self.column, self.open = estimator, column, open
        self.windows = list(windows(column.offsets))
        self._kept = [self._scored(column.flat)] if len(self.windows) == 1 else []

    def _scored(self, flat: Any) -> Any:
        e = self.estimator
        observed, steps = e.read(flat)
        scored = self.open.components(e.estimators, observed, e.together)
        return Given(scored, steps, None if e.num_states is None else self.open.shares(e.states, len(flat)))

    def pieces(self, weights: np.ndarray) -> Any:
        """What each window says, as of `Pass`."""
        for window in self.windows:
            given = self._kept[0] if self._kept else self._scored(self.column.flat.slice(window.start, window.stop))
            each = np.repeat(weights[..., window.first : window.last], np.diff(window.offsets), axis=-1)
            states = given.states * each[..., None, :]
            begun = states[..., window.begins].sum(axis=-1)
            after = states.copy()
            after[..., window.begins] = 0.0
            yield StatesOfElements(
                given, states, begun, given.steps.pair_sums(given.states, after), False, slice(window.start, window.stop)
            )


class Given:
    """How elements are given to topics and states for a start; there are no transitions yet."""

    P = None

    def __init__(self, scored: Any, steps: ChainSteps, states: np.ndarray | None):
        self.scored, self.steps, self.shared = scored, steps, states is not None
        self.states = scored.scaled if states is None else states

    def shares(self, states: np.ndarray, exact: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """Weights of the topics, and what each topic has in each state (`Emissions.shares`)."""
        if not self.shared:
            return states, None
        topics = self.scored.scaled
        return topics * states.sum(axis=-2, keepdims=True), states @ topics.swapaxes(-1, -2)
