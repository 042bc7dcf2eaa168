"""What a hidden Markov model says of the states of lists, and of elements that are unknown."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dmlcore import kernels
from dmlcore.base.errors import ParameterError, StructureError
from dmlcore.base.numerics import logs_of
from dmlcore.core.distribution import interleaved
from dmlcore.core.mixing import exact_mix
from dmlcore.core.partial import Parts, given
from dmlcore.core.rowlaws import Mixed, Product, RowLaw, check_cases, put
from dmlcore.core.scoring import over_blocks
from dmlcore.data.columns import Distinct, ends_of
from dmlcore.stats.latent.mixture import MixtureDistribution, check_impossible, without_posterior
from dmlcore.stats.latent.state_passes import InLogarithms, Pass

SOON = 100  # steps over which the share of each state is taken

OfLists = Callable[[Any, Any, Any], np.ndarray]


class StateMethods:
    """Probabilities of the states, likeliest paths and predictions. Each takes lists of any lengths; of T elements an array has T rows."""

    def seq_posterior(self: Any, encoded: Any, impossible: str = "error") -> list[np.ndarray]:
        """Probabilities of the states of each list `(T, S)`, given the whole list (smoothed). impossible: lists of density zero raise a
        `SupportError` that names them ("error"), or get the probabilities before anything is seen ("prior")."""
        check_impossible(impossible)
        return of_lists(self, encoded, smoothed, impossible)

    def posterior(self: Any, x: Any, impossible: str = "error") -> np.ndarray:
        """Probabilities of the states of one list `(T, S)`, given the whole list; `impossible` as of `seq_posterior`."""
        return self.seq_posterior([x], impossible)[0]

    def seq_filtered_posterior(self: Any, encoded: Any) -> list[np.ndarray]:
        """Probabilities of the states of each list `(T, S)`, each given the elements up to it alone."""
        return of_lists(self, encoded, filtered)

    def filtered_posterior(self: Any, x: Any) -> np.ndarray:
        """Probabilities of the states of one list `(T, S)`, each given the elements up to it alone."""
        return self.seq_filtered_posterior([x])[0]

    def pair_posterior(self: Any, x: Any) -> np.ndarray:
        """Probabilities of the pairs of successive states of one list `(T - 1, S, S)`, given the whole list."""
        encoded = self.seq_encode([x])
        after, before = of_lists(self, encoded, smoothed)[0], of_lists(self, encoded, filtered)[0]
        reached = before[:-1] @ self.transitions  # probability of the next state, before its element is seen
        ratio = np.divide(after[1:], reached, out=np.zeros_like(reached), where=reached > 0)
        return np.asarray(before[:-1, :, None] * self.transitions * ratio[:, None, :])

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

    def predict(self: Any, x: Any, steps: int = 1) -> Any:
        """The law of the element so many steps after the end of a list: a mixture of the states' laws. Of an empty list it is the law of
        its element number `steps`."""
        if not isinstance(steps, (int, np.integer)) or steps < 1:
            raise ParameterError(f"steps must be a whole number >= 1, got {steps!r}")
        known = len(x) > 0
        now = self.filtered_posterior(x)[-1] if known else self.w
        return self.law_of_element(now @ np.linalg.matrix_power(self.transitions, steps if known else steps - 1))

    def given(self: Any, x: Parts, n: int) -> tuple[np.ndarray, RowLaw]:
        """What is known of n lists of which the same elements are known (`Distribution.given`)."""
        states = [self.emission(s) for s in range(self.num_states)]
        parts = [[given(law, entry, n) for law in states] for entry in x.entries]
        path = PartlySeen(self, np.array([[log for log, _ in each] for each in parts]).reshape(len(parts), len(states), n))
        log = path.log + self.len_dist.log_density(len(x.entries))
        laws = {t: [law for _, law in each] for t, each in enumerate(parts) if each[0][1].slots}
        return log, UnknownElements(path, laws) if laws else Product([])


def smoothed(law: Any, lists: Pass, column: Any) -> np.ndarray:
    """Of each element the probabilities of the states `(N, S)`."""
    out = np.zeros((int(column.offsets[-1]), law.num_states))
    for piece in lists.pieces(np.ones(len(column))):
        out[piece.elements] += piece.states.T
    return out


def filtered(law: Any, lists: Pass, column: Any) -> np.ndarray:
    """As `smoothed`, given what came before alone."""
    return np.asarray(exact_mix(InLogarithms(lists, np.arange(len(column))).forth[0])[1].T)


def likeliest(law: Any, lists: Pass, column: Any) -> np.ndarray:
    """Of each element its state on the most probable path `(N, 1)`."""
    every = InLogarithms(lists, np.arange(len(column)))
    path, _ = kernels.likeliest_states(every.logs[0], every.w[0], every.log_P[0], every.offsets)
    return np.asarray(path)[:, None]


def of_lists(model: Any, data: Any, of: OfLists, impossible: str = "error") -> list[np.ndarray]:
    """What `of` says of the elements of each list, an array a list. impossible: what of lists without density, as of `seq_posterior`."""
    encoded = model.seq_encode(data)
    parts, none = zip(*over_blocks(model, encoded, partial(_of_block, of)), strict=True)
    out = [each for part in parts for each in part]
    refused = np.concatenate([start + rows for (start, _, _), rows in zip(encoded.blocks, none, strict=True)])
    if len(refused) and impossible == "error":
        raise without_posterior(model, encoded, refused)
    for row in refused.tolist():
        out[row] = unseen(model, len(out[row]))
    return out


def _of_block(of: OfLists, law: Any, score: Any, column: Any) -> tuple[list[np.ndarray], np.ndarray]:
    codes = np.arange(len(column))
    if type(column) is Distinct:
        there, codes = np.unique(column.codes, return_inverse=True)
        column = column.values.take(there)
    log, tape = law.forward(column, score)
    rows = np.split(of(law, tape.lists, column), column.offsets[1:-1]) if len(column) else []
    return [rows[code] for code in codes.tolist()], np.flatnonzero(log[codes] == -np.inf)


def unseen(law: Any, length: int) -> np.ndarray:
    """Probabilities of the states of so many steps `(T, S)` before anything is seen."""
    out, now = np.empty((length, law.num_states)), law.w
    for t in range(length):
        out[t], now = now, now @ law.transitions
    return out


class PartlySeen:
    """The states of n lists of T elements, from log densities `(T, S, n)` of what is known of the elements under each state."""

    def __init__(self, law: Any, logs: np.ndarray):
        self.law, (T, S, n) = law, logs.shape
        P, self.log = law.transitions, np.zeros(n)
        self.forth, now = np.empty((T, S, n)), np.repeat(law.w[:, None], n, axis=1)
        for t in range(T):
            log, self.forth[t] = exact_mix(logs_of(now) + logs[t])
            self.log += log
            self.forth[t][:, log == -np.inf] = 1.0 / S  # such lists are refused, or get no weight, above
            now = P.T @ self.forth[t]

    def before(self, t: int, after: np.ndarray) -> np.ndarray:
        """Probabilities of the states at step t `(S, n)`, from those of the states at the next step, given all that is known."""
        P, reached = self.law.transitions, self.law.transitions.T @ self.forth[t]
        return np.asarray(self.forth[t] * (P @ np.divide(after, reached, out=np.zeros_like(after), where=reached > 0)))

    def back(self, t: int, to: int, after: np.ndarray) -> np.ndarray:
        """The same, from step `to` back to step t."""
        for step in range(to - 1, t - 1, -1):
            after = self.before(step, after)
        return after

    def smoothed(self, t: int) -> np.ndarray:
        """Probabilities of the states at step t `(S, n)`, given all that is known."""
        return self.back(t, len(self.forth) - 1, self.forth[-1])

    def linked(self, t: int, to: int, state: int, row: int) -> np.ndarray:
        """Of one list: probabilities of the states at step t `(S,)`, given that at the later step `to`."""
        sure = np.zeros((self.forth.shape[1], 1))
        sure[state] = 1.0
        one = PartlySeen.__new__(PartlySeen)
        one.law, one.forth = self.law, self.forth[:, :, row : row + 1]
        return one.back(t, to, sure)[:, 0]


class UnknownElements(RowLaw):
    """Unknown elements of n lists, or what is unknown of them: laws by the step and the state, and the path of the states."""

    def __init__(self, path: PartlySeen, laws: dict[int, list[RowLaw]]):
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
        S, steps = self.path.law.num_states, list(self.laws)
        check_cases(S ** len(steps))
        last = self.path.smoothed(steps[-1])[:, row]
        paths: list[tuple[float, tuple[int, ...]]] = [(float(p), (s,)) for s, p in enumerate(last) if p > 0]
        for t, to in zip(reversed(steps[:-1]), reversed(steps), strict=False):
            links = [self.path.linked(t, to, s, row) for s in range(S)]
            paths = [(w * float(p), (s, *path)) for w, path in paths for s, p in enumerate(links[path[0]]) if p > 0]
        out: list[tuple[float, tuple[Any, ...]]] = []
        for w, path in paths:
            cases: list[tuple[float, tuple[Any, ...]]] = [(w, ())]
            for t, s in zip(steps, path, strict=True):
                cases = [(share * v, (*laws, *more)) for share, laws in cases for v, more in self.laws[t][s].cases(row)]
            out += cases
        check_cases(len(out))
        return out

    def draw(self, rows: np.ndarray, rng: np.random.Generator) -> list[Any]:
        path, S = self.path, self.path.law.num_states
        out: list[Any] = []
        after: Any = None
        for t in range(len(path.forth) - 1, min(self.laws) - 1, -1):
            now = path.forth[t][:, rows] if after is None else path.forth[t][:, rows] * path.law.transitions[:, after]
            reached = np.cumsum(now, axis=0)
            after = np.minimum((reached <= rng.random(len(rows)) * reached[-1]).sum(axis=0), S - 1)
            if t in self.laws:
                columns: list[Any] = [None] * self.laws[t][0].slots
                for s in np.unique(after):
                    mine = np.flatnonzero(after == s)
                    for j, column in enumerate(self.laws[t][s].draw(rows[mine], rng)):
                        columns[j] = put(columns[j], column, mine, len(rows))
                out = columns + out
        return out


def occupancy(law: Any) -> np.ndarray:
    """The share of each state in the first steps `(S,)`."""
    return unseen(law, SOON).mean(axis=0)


def likeliest_path(law: Any, length: int) -> np.ndarray:
    """The most probable path of so many states."""
    first = logs_of(law.w)[None]
    path, _ = kernels.likeliest_states(np.zeros((len(law.w), length)), first, logs_of(law.transitions), np.array([0, length]))
    return np.asarray(path)


def drawn_paths(law: Any, lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paths of states of the given lengths, end to end."""
    first = rng.choice(law.num_states, len(lengths), p=law.w)
    return np.asarray(kernels.walked_states(first, np.cumsum(law.transitions, axis=1), rng.random(int(lengths.sum())), ends_of(lengths)))


def drawn_elements(law: Any, path: np.ndarray, rng: np.random.Generator) -> list[Any]:
    """One element for each state of a path."""
    counts = np.bincount(path, minlength=law.num_states)
    order = np.empty(len(path), dtype=np.intp)
    order[np.argsort(path, kind="stable")] = np.arange(len(path))
    parts = [law.emission(s).draw(int(count), rng) for s, count in enumerate(counts)]
    flat = interleaved(parts, order)
    return flat.tolist() if isinstance(flat, np.ndarray) and flat.ndim == 1 else list(flat)


def drawn_to_the_end(law: Any, size: int, rng: np.random.Generator) -> list[list[Any]]:
    """Lists that end with the first terminal value."""
    terminal, reached = set(law.terminal_values), np.cumsum(law.transitions, axis=1)
    out: list[list[Any]] = [[] for _ in range(size)]
    alive, state = np.arange(size), rng.choice(law.num_states, size, p=law.w)
    while len(alive):
        elements = drawn_elements(law, state, rng)
        for row, element in zip(alive.tolist(), elements, strict=True):
            out[row].append(element)
        going = np.array([element not in terminal for element in elements], dtype=bool)
        alive, state = alive[going], state[going]
        steps = kernels.walked_states(state, reached, rng.random(2 * len(state)), np.arange(len(state) + 1) * 2)
        state = steps[1::2]
    return out
