"""What a hidden Markov model says of the states of lists, and of elements that are unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from operator import add
from typing import Any, ClassVar

import numpy as np

from dmlcore import kernels
from dmlcore.base.errors import DegenerateError, StructureError, shorten
from dmlcore.base.numerics import logs_of
from dmlcore.core.distribution import interleaved
from dmlcore.core.estimator import impossible_under_all
from dmlcore.core.mixing import exact_mix
from dmlcore.core.partial import UNKNOWN, Known, Parts, given
from dmlcore.core.rowlaws import Mixed, Product, RowLaw, check_cases, put
from dmlcore.core.scoring import over_blocks
from dmlcore.core.statistics import Node
from dmlcore.data.columns import Distinct, ends_of
from dmlcore.data.encoded import Encoded
from dmlcore.stats.latent.mixture import MixtureDistribution, check_impossible, without_posterior
from dmlcore.stats.latent.state_passes import ChainTape, Opened, Pass
from dmlcore.stats.latent.state_steps import ONE_KIND, ChainSteps
from dmlcore.stats.sequences.sequence import impossible_element

SOON = 100  # steps over which the share of each state is taken
ENDLESS = 1 << 14  # elements after which a drawn list has not come to its end

OfLists = Callable[[Any, Any, Any], tuple[np.ndarray, np.ndarray]]


class HiddenStates:
    """A law of lists each element of which has a state that nobody sees. What says something of the states takes lists of any lengths; of
    T elements an array has T rows."""

    passes: ClassVar[Any]
    """How lists are passed over: `passes(law, column, score)`."""

    @property
    def num_states(self: Any) -> int:
        """S, the number of states."""
        return self.w.shape[-1]

    def forward(self: Any, column: Any, score: Any) -> tuple[np.ndarray, ChainTape]:
        """Log densities of lists, and the tape of the pass over them (`Distribution.forward`)."""
        lists = self.passes(self, column, score)
        length, tape = score(self.len_dist, column.lengths)
        return lists.log + self.of_each_list(length, column), ChainTape(lists, tape)

    def of_each_list(self, length: np.ndarray, column: Any) -> np.ndarray:
        """Log densities of the lengths that belong to each list `(.., n)`."""
        return length

    def emission(self: Any, state: int) -> Any:
        """The law of an element in a state."""
        return self.topics[state] if self.taus is None else MixtureDistribution(self.topics, self.taus[state])

    def law_of_element(self: Any, w: np.ndarray) -> Any:
        """The law of an element whose state has probabilities `(S,)`."""
        return MixtureDistribution(self.topics, w if self.taus is None else w @ self.taus)

    def lengths_of(self, x: Any) -> Iterator[tuple[str, int]]:
        """What `len_dist` describes of one list, with the words for it."""
        yield "length", len(x)

    def explain_zero_density(self: Any, x: Any) -> str:
        """Which part of a list has no density, for messages."""
        for what, length in self.lengths_of(x):
            if self.len_dist.log_density(length) == -np.inf:
                return f"{what} of {self.label}, {self.len_dist.explain_zero_density(length)}"
        for i, value in enumerate(map(self.observed, x)):
            law = self.law_of_element(np.full(self.num_states, 1 / self.num_states))
            if law.log_density(value) == -np.inf:
                return f"element {i} of {self.label}, {law.explain_zero_density(value)}"
        return f"{self.label}: {x!r} has density zero: no path of states that is possible gives all of its elements"

    def seq_posterior(self: Any, encoded: Any, impossible: str = "error") -> list[np.ndarray]:
        """Probabilities of the states of each list `(T, S)`, given the whole list (smoothed). impossible: lists of density zero raise a
        `SupportError` that names them ("error"), or get the probabilities before anything is seen ("prior")."""
        check_impossible(impossible)
        return of_lists(self, encoded, smoothed, impossible)

    def posterior(self: Any, x: Any, impossible: str = "error") -> np.ndarray:
        """Probabilities of the states of one list `(T, S)`, given the whole list; `impossible` as of `seq_posterior`."""
        return self.seq_posterior([x], impossible)[0]

    def seq_most_probable_states(self: Any, encoded: Any) -> list[np.ndarray]:
        """The most probable path of states of each list `(T,)` (Viterbi 1967)."""
        return [path[:, 0] for path in of_lists(self, encoded, likeliest)]

    def most_probable_states(self: Any, x: Any) -> np.ndarray:
        """The most probable path of states of one list `(T,)` (Viterbi 1967)."""
        return self.seq_most_probable_states([x])[0]

    def seq_viterbi(self: Any, encoded: Any) -> list[np.ndarray]:
        """`seq_most_probable_states`, by the name of the algorithm."""
        return self.seq_most_probable_states(encoded)

    def viterbi(self: Any, x: Any) -> np.ndarray:
        """`most_probable_states`, by the name of the algorithm."""
        return self.most_probable_states(x)

    def unseen_states(self: Any, column: Any, row: int) -> np.ndarray:
        """Probabilities of the states of one list of a column `(T, S)` before anything is seen."""
        raise NotImplementedError

    def given(self: Any, x: Parts, n: int) -> tuple[np.ndarray, RowLaw]:
        """What is known of n lists of which the same elements are known (`Distribution.given`)."""
        entries, of_states = self.read_parts(x, n)
        states = [self.emission(s) for s in range(self.num_states)]
        parts = [[given(law, entry, n) for law in states] for entry in entries]
        seen, lengths = of_states(np.array([[log for log, _ in each] for each in parts]).reshape(len(parts), len(states), n))
        laws = {t: [law for _, law in each] for t, each in enumerate(parts) if each[0][1].slots}
        return seen.log + lengths, UnknownElements(seen, laws) if laws else Product([])


class StateMethods(HiddenStates):
    """A law of lists by the states of a hidden chain, one after the other."""

    passes: ClassVar[Any] = Pass

    def seq_filtered_posterior(self: Any, encoded: Any) -> list[np.ndarray]:
        """Probabilities of the states of each list `(T, S)`, each given the elements up to it alone."""
        return of_lists(self, encoded, filtered)

    def filtered_posterior(self: Any, x: Any) -> np.ndarray:
        """Probabilities of the states of one list `(T, S)`, each given the elements up to it alone."""
        return self.seq_filtered_posterior([x])[0]

    def pair_posterior(self: Any, x: Any) -> np.ndarray:
        """Probabilities of the pairs of successive states of one list `(T - 1, S, S)`, given the whole list."""
        return of_lists(self, [x], pairs)[0][1:]

    def unseen_states(self: Any, column: Any, row: int) -> np.ndarray:
        a, b = column.offsets[row : row + 2].tolist()
        _, steps = self.read(column.flat)
        return unseen(self.w, steps.into(self.transitions_of(steps), min(a + 1, b), b))[: b - a]

    def read_parts(self: Any, x: Parts, n: int) -> tuple[Sequence[Any], Callable[[np.ndarray], tuple[Any, Any]]]:
        """What is known of what the states' laws describe, of n lists that are known in part; and what makes of its log densities
        `(T, S, n)` what there is to know of the states, beside the log densities of the lengths."""
        entries, P = self.elements_of(x)
        return entries, lambda logs: (PartlySeen(self.w, P, logs), self.len_dist.log_density(len(entries)))


class LearnsStates:
    """An estimator of a law of lists each element of which has a state that nobody sees. What a piece of a pass says to it is
    `sums_of(piece, send)`."""

    opened: ClassVar[Any] = Opened
    """What makes a tape of lists before there is a model: `opened(estimator, column, open)`."""

    def why_outside_support(self: Any, x: Any) -> str | None:
        """The first element that no state can give (`Estimator.why_outside_support`)."""
        return impossible_element(self, x, lambda element: impossible_under_all(self.estimators, self.observed(element)))

    def open(self: Any, column: Any, open: Any) -> ChainTape:
        """Lists before there is a model (`Estimator.open`)."""
        return ChainTape(self.opened(self, column, open), open(self.len_estimator, column.lengths))

    def backward(self: Any, tape: ChainTape, weights: np.ndarray, send: Any) -> Node:
        """Statistics of all pieces, and of the lengths (`Estimator.backward`)."""
        sums = reduce(add, (self.sums_of(piece, send) for piece in tape.lists.pieces(weights)))
        return Node(sums.own, [*sums.children, send(self.len_estimator, tape.length, self.of_each_length(weights, tape.lists))])

    def of_each_length(self, weights: np.ndarray, lists: Any) -> np.ndarray:
        """The weights of what the law of lengths describes, from those of the lists."""
        return weights


def smoothed(law: Any, column: Any, score: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of each element the probabilities of the states `(N, S)`, and log densities of lists `(n,)`."""
    log, tape = law.forward(column, score)
    return _smoothed(law, tape.lists, column), log


def _smoothed(law: Any, lists: Any, column: Any) -> np.ndarray:
    out = np.zeros((int(column.offsets[-1]), law.num_states))
    for piece in lists.pieces(np.ones(len(column))):
        out[piece.elements] += piece.states.T
    return out


def filtered(law: Any, column: Any, score: Any) -> tuple[np.ndarray, np.ndarray]:
    """As `smoothed`, given what came before alone."""
    log, tape = law.forward(column, score)
    return tape.lists.so_far().T, log


def pairs(law: Any, column: Any, score: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of each element the probabilities of the pairs of the state before it and its own `(N, S, S)`, none where a list begins; and log
    densities of lists `(n,)`."""
    log, tape = law.forward(column, score)
    after, before = _smoothed(law, tape.lists, column), tape.lists.so_far().T
    _, steps = law.read(column.flat)
    P = law.transitions_of(steps)
    reached = np.zeros(after.shape)
    reached[1:] = steps.onward(P, before.T).T  # probability of the state, before its element is seen
    reached[column.offsets[:-1][np.diff(column.offsets) > 0]] = 0.0
    ratio = np.divide(after, reached, out=np.zeros_like(after), where=reached > 0)
    return np.roll(before, 1, axis=0)[:, :, None] * steps.into(P, 0, len(after)) * ratio[:, None, :], log


def likeliest(law: Any, column: Any, score: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of each element its state on the most probable path `(N, 1)`, and log densities of lists with these paths `(n,)`."""
    path, log = law.passes.likeliest(law, column, score)
    length, _ = score(law.len_dist, column.lengths)
    return path[:, None], log + law.of_each_list(length, column)


def of_lists(model: Any, data: Any, of: OfLists, impossible: str = "error") -> list[np.ndarray]:
    """What `of` says of the elements of each list, an array a list. impossible: what of lists without density, as of `seq_posterior`."""
    encoded = model.seq_encode(data)
    parts, none = zip(*over_blocks(model, encoded, partial(_of_block, of)), strict=True)
    out = [each for part in parts for each in part]
    refused = np.concatenate([start + rows for (start, _, _), rows in zip(encoded.blocks, none, strict=True)])
    if len(refused) and impossible == "error":
        raise without_posterior(model, encoded, refused)
    return out


def _of_block(of: OfLists, law: Any, score: Any, column: Any) -> tuple[list[np.ndarray], np.ndarray]:
    codes = np.arange(len(column))
    if type(column) is Distinct:
        there, codes = np.unique(column.codes, return_inverse=True)
        column = column.values.take(there)
    each, log = of(law, column, score)
    rows = np.split(each, column.offsets[1:-1]) if len(column) else []
    for row in np.flatnonzero(log == -np.inf).tolist():
        rows[row] = law.unseen_states(column, row)
    return [rows[code] for code in codes.tolist()], np.flatnonzero(log[codes] == -np.inf)


def unseen(w: np.ndarray, P: Any) -> np.ndarray:
    """Probabilities of the states `(T, S)` before anything is seen, from those of the first and the transitions of each of T - 1 steps."""
    out = [w]
    for each in P:
        out.append(out[-1] @ each)
    return np.array(out)


def two_entries(entry: Any, pair: Any) -> tuple[Any, Any]:
    """What is known of the two entries of an element of which part may be known; pair: the layout of elements."""
    if isinstance(entry, Known):
        column: Any = entry.encoded(pair).column
        one, two = (Known(None, Encoded(field, layout)) for field, layout in zip(column.fields, pair.values, strict=True))
        return one, two
    return entry.entries if isinstance(entry, Parts) else (UNKNOWN, UNKNOWN)


class PartlySeen:
    """The states of n lists of T elements, from log densities `(T, S, n)` of what is known of the elements under each state.

    w: of the first states `(S,)`. P: transitions into each element, `(S, S)` for all lists, or `(n, S, S)`.
    """

    def __init__(self, w: np.ndarray, P: Sequence[np.ndarray], logs: np.ndarray):
        (T, S, n), self.P, self.log = logs.shape, P, np.zeros(logs.shape[-1])
        self.forth = np.empty((T, S, n))
        for t in range(T):
            now = onward(P[t], self.forth[t - 1]) if t else np.repeat(w[:, None], n, axis=1)
            log, self.forth[t] = exact_mix(logs_of(now) + logs[t])
            self.log += log
            self.forth[t][:, log == -np.inf] = 1.0 / S  # such lists are refused, or get no weight, above

    def before(self, t: int, after: np.ndarray) -> np.ndarray:
        """Probabilities of the states at step t `(S, n)`, from those of the states at the next step, given all that is known."""
        P, reached = self.P[t + 1], onward(self.P[t + 1], self.forth[t])
        ratio = np.divide(after, reached, out=np.zeros_like(after), where=reached > 0)
        return np.asarray(self.forth[t] * onward(P.swapaxes(-1, -2), ratio))

    def back(self, t: int, to: int, after: np.ndarray) -> np.ndarray:
        """The same, from step `to` back to step t."""
        for step in range(to - 1, t - 1, -1):
            after = self.before(step, after)
        return after

    def smoothed(self, t: int) -> np.ndarray:
        """Probabilities of the states at step t `(S, n)`, given all that is known."""
        return self.back(t, len(self.forth) - 1, self.forth[-1])

    def _linked(self, t: int, to: int, state: int, row: int) -> np.ndarray:
        """Of one list: probabilities of the states at step t `(S,)`, given that at the later step `to`."""
        sure = np.zeros((self.forth.shape[1], 1))
        sure[state] = 1.0
        one = PartlySeen.__new__(PartlySeen)
        one.P, one.forth = [P if P.ndim == 2 else P[row : row + 1] for P in self.P], self.forth[:, :, row : row + 1]
        return one.back(t, to, sure)[:, 0]

    def together(self, steps: list[int], row: int) -> list[tuple[float, tuple[int, ...]]]:
        """Of one list, the states that some steps may have together, each with its probability."""
        last = self.smoothed(steps[-1])[:, row]
        paths: list[tuple[float, tuple[int, ...]]] = [(float(p), (s,)) for s, p in enumerate(last) if p > 0]
        for t, to in zip(reversed(steps[:-1]), reversed(steps), strict=False):
            links = [self._linked(t, to, s, row) for s in range(len(last))]
            paths = [(w * float(p), (s, *path)) for w, path in paths for s, p in enumerate(links[path[0]]) if p > 0]
        return paths

    def drawn(self, steps: list[int], rows: np.ndarray, rng: np.random.Generator) -> dict[int, np.ndarray]:
        """Of some lists, states at some steps, drawn together."""
        out: dict[int, np.ndarray] = {}
        after: Any = None
        for t in range(len(self.forth) - 1, min(steps) - 1, -1):
            after = self._drawn(t, rows, after, rng)
            if t in steps:
                out[t] = after
        return out

    def _drawn(self, t: int, rows: np.ndarray, after: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
        """Of some lists, states at step t with their probabilities given those at the next step; `after` None: at the last step."""
        now = self.forth[t][:, rows]
        if after is not None:
            P = self.P[t + 1]
            now = now * (P[:, after] if P.ndim == 2 else P[rows, :, after].T)
        reached = np.cumsum(now, axis=0)
        return np.asarray(np.minimum((reached <= rng.random(len(rows)) * reached[-1]).sum(axis=0), len(now) - 1))


def onward(P: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Probabilities of the next states `(S, n)`; P: `(S, S)`, or `(n, S, S)`."""
    return P.T @ now if P.ndim == 2 else np.einsum("nij,in->jn", P, now)


class UnknownElements(RowLaw):
    """Unknown elements of n lists, or what is unknown of them: laws by the element and the state, and what is known of the states, a
    `PartlySeen` or the like: `smoothed`, `together` and `drawn`."""

    def __init__(self, path: Any, laws: dict[int, list[RowLaw]]):
        self.path, self.laws = path, laws
        self.slots = sum(each[0].slots for each in laws.values())

    def keep(self, slots: list[int]) -> RowLaw:
        owner = [(t, j) for t, each in self.laws.items() for j in range(each[0].slots)]
        wanted: dict[int, list[int]] = {}
        for t, j in (owner[slot] for slot in slots):
            wanted.setdefault(t, []).append(j)
        if [owner[slot] for slot in slots] != [(t, j) for t in sorted(wanted) for j in wanted[t]]:
            raise StructureError("unknown elements that depend on each other can be asked for only in their order")
        return UnknownElements(self.path, {t: [law.keep(wanted[t]) for law in self.laws[t]] for t in sorted(wanted)})

    def alone(self) -> Mixed:
        """The law of what is unknown of a single element."""
        ((t, each),) = self.laws.items()
        return Mixed(self.path.smoothed(t), each, MixtureDistribution)

    def atoms(self) -> list[tuple[Any, Any]]:
        return self.alone().atoms()

    def cases(self, row: int) -> list[tuple[float, tuple[Any, ...]]]:
        if len(self.laws) == 1:
            return self.alone().cases(row)
        steps = list(self.laws)
        check_cases(len(self.laws[steps[0]]) ** len(steps))
        out: list[tuple[float, tuple[Any, ...]]] = []
        for w, path in self.path.together(steps, row):
            cases: list[tuple[float, tuple[Any, ...]]] = [(w, ())]
            for t, s in zip(steps, path, strict=True):
                cases = [(share * v, (*laws, *more)) for share, laws in cases for v, more in self.laws[t][s].cases(row)]
            out += cases
        check_cases(len(out))
        return out

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        out: list[Any] = []
        for t, states in sorted(self.path.drawn(list(self.laws), rows, rng).items()):
            columns: list[Any] = [None] * self.laws[t][0].slots
            for s in np.unique(states):
                mine = np.flatnonzero(states == s)
                for j, column in enumerate(self.laws[t][s].draw(rows[mine], rng)):
                    columns[j] = put(columns[j], column, mine, len(rows))
            out += columns
        return out


def occupancy(law: Any) -> np.ndarray:
    """The share of each state in the first steps `(S,)`."""
    return np.asarray(unseen(law.w, [law.transitions] * (SOON - 1)).mean(axis=0))


def typical_path(law: Any, length: int) -> np.ndarray:
    """The most probable path of so many states."""
    first = logs_of(law.w)[None]
    log_P = logs_of(law.transitions)[None]
    path, _ = kernels.likeliest_states(np.zeros((len(law.w), length)), first, log_P, ONE_KIND.which, np.array([0, length]))
    return np.asarray(path)


def drawn_paths(law: Any, lengths: np.ndarray, rng: np.random.Generator, steps: ChainSteps = ONE_KIND) -> np.ndarray:
    """Paths of states of the given lengths, end to end. steps: those into all their elements."""
    first, u = rng.choice(law.num_states, len(lengths), p=law.w), rng.random(int(lengths.sum()))
    return np.asarray(kernels.walked_states(first, np.cumsum(law.transitions_of(steps), axis=-1), steps.which, u, ends_of(lengths)))


def drawn_elements(law: Any, path: np.ndarray, rng: np.random.Generator) -> list[Any]:
    """One element for each state of a path."""
    counts = np.bincount(path, minlength=law.num_states)
    order = np.empty(len(path), dtype=np.intp)
    order[np.argsort(path, kind="stable")] = np.arange(len(path))
    parts = [law.emission(s).draw(int(count), rng) for s, count in enumerate(counts)]
    flat = interleaved(parts, order)
    return flat.tolist() if isinstance(flat, np.ndarray) and flat.ndim == 1 else list(flat)


def drawn_to_the_end(law: Any, size: int, rng: np.random.Generator) -> list[list[Any]]:
    """Lists that end with the first terminal value. Raises `DegenerateError` where it does not come."""
    terminal, reached = set(law.terminal_values), np.cumsum(law.transitions_of(ONE_KIND), axis=-1)
    out: list[list[Any]] = [[] for _ in range(size)]
    alive, state = np.arange(size), rng.choice(law.num_states, size, p=law.w)
    while len(alive):
        elements = drawn_elements(law, state, rng)
        for row, element in zip(alive.tolist(), elements, strict=True):
            out[row].append(element)
        going = np.array([element not in terminal for element in elements], dtype=bool)
        alive, state = alive[going], state[going]
        if len(alive) and len(out[alive[0]]) == ENDLESS:
            said = f"a list of {ENDLESS:,} elements was drawn without one of the terminal_values {shorten(law.terminal_values)}"
            raise DegenerateError(f"{law.label}: {said}; give values that its states draw, or a len_dist")
        u, offsets = rng.random(2 * len(state)), np.arange(len(state) + 1) * 2
        state = kernels.walked_states(state, reached, ONE_KIND.which, u, offsets)[1::2]
    return out
