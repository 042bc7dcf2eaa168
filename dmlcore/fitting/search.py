"""From many starts to one good optimum: short runs of EM from starts of several kinds, and from what moves make of the best.

Short runs (Biernacki, Celeux and Govaert 2003) from starts at random and from starts whose components lie apart
(`dmlcore.fitting.seeding`), side by side (`dmlcore.fitting.side_by_side`). How many there are depends on what they find: a few where all
end alike, more where ends differ, as long as they are cheap. An end that rests on a spike is passed over (`dmlcore.fitting.support`). Where
few starts came to the best end, components are merged, split and placed elsewhere (`dmlcore.fitting.moves`), until that finds nothing
better. Many rows are searched through a sample of them, with those that a first model explains worst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count as count_from
from typing import Any

import numpy as np

from dmlcore.base.numerics import OUTSIDE_DOMAIN
from dmlcore.base.random import spawn
from dmlcore.core.distribution import Distribution
from dmlcore.core.scoring import log_densities
from dmlcore.fitting.ascent import State, followed, interrupted, scored
from dmlcore.fitting.effort import FIRST, THEN, Effort, Starts
from dmlcore.fitting.events import Event
from dmlcore.fitting.moves import proposals, splits
from dmlcore.fitting.observe import NOBODY, Watch
from dmlcore.fitting.problem import Problem
from dmlcore.fitting.record import Start
from dmlcore.fitting.seeding import Descriptions
from dmlcore.fitting.side_by_side import Run, carried_on, new_runs, spiky
from dmlcore.fitting.starts import random_start, with_all_rows
from dmlcore.fitting.stopping import Remaining

ROWS = 4000  # rows of the sample in which optima are sought
UNLIKELY = 0.1  # part of them: rows that a first model explains worst
STARTS = 16  # starts of the first round; the next rounds double their number
MOST_STARTS = 512  # of all rounds
KINDS = ("values", "far", 0.06, "laws", "values", 0.1, "far", 0.3)  # of starts, in turn
NEAR = 0.05  # nats within which two starts are taken to come to one optimum
RESTING = 1e-3  # nats: a start whose last step gained less has come to rest
UNSEEN = 0.01  # part of the space of starts that may lead to optima nobody has seen
WORK = 8_000_000  # rows times nodes times steps that more starts may cost, and more moves
LOOKED_AT = 12  # ends that are followed at most, from the highest down, for those that rest on no few rows
FINALISTS = 3  # of these, followed to their end, where components are moved
WAYS = 2  # in which each component of a smaller model is split
AGREEING = 4  # starts that must have come to the best end, where components are not moved
ENOUGH = 24  # starts that have come to the best end, after which there are no more
FRUITLESS = 3  # generations of moves in a row that find nothing better, after which no more are made
GENERATIONS = 12
LEAST_MOVES, MOST_MOVES = 12, 64  # of one generation
BETTER = 1e-3  # nats by which an end must be better to be another
ALL_ROWS_SHARE = 1e-6  # share of all rows added to the statistics of a sample, so that every row has a density


@dataclass
class Search:
    """Where a search ended: a model for all rows, each start's record, and all EM steps taken. state: of the ascent that led to the model,
    where that was on all rows."""

    model: Distribution
    state: State | None
    starts: list[Start]
    events: list[Event]
    steps: int
    interrupted: bool
    ended: int  # starts that were not given up early
    reached: int  # of those, how many came to the best optimum


def search(
    problem: Problem,
    rng: np.random.Generator,
    p: float,
    starts: int | Starts | None,
    deadline: float,
    max_its: int = 1000,
    watch: Watch = NOBODY,
) -> Search:
    """The best model found from these starts. Raises as they do if all fail. watch: is told what is happening."""
    starts = starts if isinstance(starts, Starts) else Starts(starts)
    sample_rng, describe_rng, move_rng, start_rng = spawn(rng, 4)
    effort = Effort(deadline, max_its, watch)
    near = problem.in_memory
    small = near.sample(ROWS, sample_rng)
    if small.rows.origin is not None:
        small = near.sample(ROWS, sample_rng, _unlikely_rows(near, small, sample_rng, effort))
    runs: list[Run] = []
    ended: list[State] = []
    gains = 0
    stopped = False
    try:
        descriptions = Descriptions(small.estimator, small.encoded.column, describe_rng)
        _rounds(small, start_rng, descriptions, p, starts, effort, runs)
        ended = _finished(small, runs, effort, 1)
        if ended and starts.random is None and small.estimator.is_mixture and _near(runs, ended[0]) < AGREEING:
            ended, gains = _moved(small, _finished(small, runs, effort, FINALISTS, ended), descriptions, move_rng, effort)
    except (KeyboardInterrupt, SystemError) as error:
        ended += [scored(small, run.ahead) for run in runs if run.error is None and run.ahead is not None]
        if not ended or not interrupted(error):
            raise
        stopped = True
    if not ended:
        problem.log_likelihood(random_start(problem, np.random.default_rng(0), p))  # fails as the starts did, and names the row
        raise next(run.error for run in runs if run.error is not None)
    best = max(ended, key=lambda state: state.rank)
    model = best.model
    if small is not problem:
        everywhere = problem.downweighted(ALL_ROWS_SHARE * small.rows.share)
        model = problem.maximise(with_all_rows(small.expect(model)[1], everywhere), model)
    late = [run for run in runs if run.steps > effort.first] or runs
    reached = max(_near(late, best), 1)
    events = [] if stopped else _events(runs, len(late), reached, gains)
    return Search(
        model, best if small is problem else None, [_record(small, run) for run in runs], events, effort.steps, stopped, len(late), reached
    )


def _rounds(
    problem: Problem,
    rng: np.random.Generator,
    descriptions: Descriptions,
    p: float,
    starts: Starts,
    effort: Effort,
    runs: list[Run],
) -> None:
    """Rounds of starts, each run a little and its better part a little longer, until enough is seen; added to `runs` as they begin."""
    affordable = min(max(STARTS, _affordable(problem)), MOST_STARTS)
    known = _from_known(problem, starts.known, descriptions, rng)
    for number in count_from(1):
        best = max((run.objective for run in runs), default=-np.inf)
        effort.watch.say(f"search round {number}: {len(runs)} starts tried" + (f", best {best:.6g}" if runs else ""))
        count = starts.random or min(max(STARTS, len(runs)), affordable - len(runs))
        kinds: list[Any] = [KINDS[i % len(KINDS)] for i in range(count)]
        kinds = [min(1.0, kind * p / 0.1) if isinstance(kind, float) else kind for kind in kinds]
        _race(problem, rng, [*kinds, *known], descriptions, effort, runs)
        known = []
        if starts.random or effort.spent or len(runs) >= affordable or _settled(problem, runs) or _all_fail_alike(runs):
            return


def _from_known(problem: Problem, known: Any, descriptions: Descriptions, rng: np.random.Generator) -> list[np.ndarray]:
    """Shares of the rows that begin where a model has its components; or, if it has one less, with each in turn split."""
    if known is None:
        return []
    posterior = known.seq_posterior(problem.encoded, "prior").T
    mixture: Any = problem.estimator
    if len(posterior) == mixture.num_components:
        return [posterior]
    points = rows_as_points(problem, descriptions)
    return splits(posterior, points, WAYS, rng) if points and len(posterior) + 1 == mixture.num_components else []


def rows_as_points(problem: Problem, descriptions: Descriptions) -> list[np.ndarray]:
    """What the rows may be seen as, `(n, d)` each, by the components of a mixture."""
    mixture: Any = problem.estimator
    column = mixture.component_column(problem.encoded.column)
    return [seen for seen in (descriptions.by_laws(column), descriptions.by_values(column)) if seen is not None]


def _affordable(problem: Problem) -> int:
    """How many starts are cheap."""
    return int(WORK / (len(problem.rows) * len(problem.ties.nodes) * (FIRST + THEN / 3)))


def _race(
    problem: Problem, rng: np.random.Generator, kinds: Sequence[Any], descriptions: Descriptions, effort: Effort, added_to: list[Run]
) -> None:
    """Starts of these kinds, run a little, and the better third of them longer."""
    runs = new_runs(problem, rng, kinds, descriptions, effort.deadline)
    added_to += runs
    effort.steps += carried_on(problem, runs, effort.first, effort.deadline, effort.watch)
    alive = sorted((run for run in runs if run.error is None), key=lambda run: -run.objective)
    effort.steps += carried_on(problem, alive[: max(FINALISTS, (len(alive) + 2) // 3)], effort.then, effort.deadline, effort.watch)


def _settled(problem: Problem, runs: list[Run]) -> bool:
    """Whether many starts came to the best end, or little of the space of starts can lead to optima that none has come to.

    Of N starts that came to rest, at w optima, `w (w + 1) / (N (N - 1))` is what the others are expected to fill (Boender and Rinnooy Kan
    1987).
    """
    resting = [run for run in runs if run.error is None and run.gain < RESTING * problem.unit and not spiky(problem, run)]
    ends = np.sort([run.objective / problem.unit for run in resting])
    seen, N = 1 + int((np.diff(ends) > NEAR).sum()), len(resting)
    return N > 1 and (seen * (seen + 1) <= UNSEEN * N * (N - 1) or int((ends > ends[-1] - NEAR).sum()) >= ENOUGH)


def _all_fail_alike(runs: list[Run]) -> bool:
    """Whether every start failed and all say the same: it lies with the data, and others would fail too."""
    return all(run.error is not None for run in runs) and len({str(run.error) for run in runs}) == 1


def _finished(
    problem: Problem, runs: list[Run], effort: Effort, most: int, known: Sequence[State] = (), above: float = -np.inf
) -> list[State]:
    """The best ends, so many at most, followed to where EM stops; the best first. Those that rest on spikes only where there are no others.

    known: those that have been followed. above: an objective that they must be near, to be followed.
    """
    alive = sorted((run for run in runs if run.error is None and run.ahead is not None), key=lambda run: -run.objective)
    alive = [run for run in alive if run.objective > above - problem.unit]
    ended: list[State] = list(known)
    doubted: list[State] = []
    last = np.inf
    for run in [*(run for run in alive if not spiky(problem, run)), *(run for run in alive if spiky(problem, run))]:
        if len(ended) >= most or len(ended) + len(doubted) >= LOOKED_AT or (ended and (effort.late or spiky(problem, run))):
            break
        if run.error is not None or run.followed or abs(last - run.objective / problem.unit) <= NEAR:
            last = run.objective / problem.unit if run.followed else last
            continue
        last, run.followed = run.objective / problem.unit, True
        effort.watch.say(f"going on from the best starts: {effort.steps} steps taken, at {run.objective:.6g}")
        try:
            end = followed(scored(problem, run.ahead), Remaining(problem.unit), effort.most, effort.deadline)
            supported = end.rank[:2] == (True, True)
        except OUTSIDE_DOMAIN as error:
            run.error = error
            continue
        effort.steps += end.step
        (ended if supported else doubted).append(end)
    return sorted(ended or doubted, key=lambda state: state.rank, reverse=True)[:most]


def _moved(
    problem: Problem, ended: list[State], descriptions: Descriptions, rng: np.random.Generator, effort: Effort
) -> tuple[list[State], int]:
    """The ends, or better ones that moves from them lead to, and how often they did."""
    count = min(max(LEAST_MOVES, _affordable(problem) // 2), MOST_MOVES)
    points = rows_as_points(problem, descriptions)
    fruitless = gains = 0
    for generation in range(1, 1 + (GENERATIONS if points else 0)):
        if effort.spent or fruitless == FRUITLESS:
            break
        effort.watch.say(f"moving components, round {generation}: {effort.steps} steps taken, best {ended[0].objective:.6g}")
        shares = [
            move
            for state, part in zip(ended, (2, 1, 1), strict=False)
            for move in proposals(state.model.seq_posterior(problem.encoded, "prior").T, points, count * part // 4, rng)
        ]
        best = ended[0].objective
        trials: list[Run] = []
        _race(problem, rng, shares, descriptions, effort, trials)
        found = _finished(problem, trials, effort, FINALISTS, above=best)
        both = sorted([*ended, *found], key=lambda state: state.rank, reverse=True)
        distinct = [s for i, s in enumerate(both) if not i or abs(s.objective - both[i - 1].objective) > BETTER * problem.unit]
        better = distinct[0].rank[:2] > ended[0].rank[:2] or distinct[0].objective > best + BETTER * problem.unit
        fruitless = 0 if better else fruitless + 1
        gains += better
        ended = distinct[:FINALISTS]
    return ended, gains


def _near(runs: list[Run], end: State) -> int:
    """How many starts came to an end."""
    return sum(run.error is None and abs(run.objective - end.objective) <= NEAR * end.problem.unit for run in runs)


def _unlikely_rows(problem: Problem, small: Problem, rng: np.random.Generator, effort: Effort) -> np.ndarray:
    """The rows that a first model, of a sample, explains worst: there may be a component that the sample missed."""
    (first,) = new_runs(small, rng, ["far"], Descriptions(small.estimator, small.encoded.column, rng))
    carried_on(small, [first], effort.first, effort.deadline, effort.watch)
    if first.error is not None or first.ahead is None:
        return np.zeros(0, dtype=np.intp)
    try:
        logs = log_densities(scored(small, first.ahead).model, problem.encoded, problem.rows.threads)
    except OUTSIDE_DOMAIN:
        return np.zeros(0, dtype=np.intp)
    worst = int(UNLIKELY * len(small.rows))
    return np.argpartition(logs, worst)[:worst]


def _record(problem: Problem, run: Run) -> Start:
    if run.error is not None:
        return Start(-np.inf, "failed", run.steps, str(run.error))
    return Start(run.objective, "degenerate" if spiky(problem, run) else "given up", run.steps)


def _events(runs: list[Run], ended: int, reached: int, gains: int) -> list[Event]:
    out = []
    failed = [run for run in runs if run.error is not None]
    if failed:
        out.append(Event("failed starts", f"{len(failed)} of {len(runs)} starts failed; the first: {failed[0].error}"))
    if gains:
        out.append(Event("moved components", f"components were merged, split or placed elsewhere {gains} times, each time for the better"))
    if ended > 1 and reached == 1:
        said = f"only one of {ended} starts came to the best value found; more starts may find a better one"
        out.append(Event("met once", said))
    return out
