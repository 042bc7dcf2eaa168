"""Probabilities of events, and laws given them."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from scipy import stats

import dmlcore
from dmlcore import UNKNOWN, Between, condition, most_informative, probability
from dmlcore.base.errors import DataError, ParameterError, StructureError, SupportError
from dmlcore.core.powers import Redraws, has
from dmlcore.core.redraw import redrawn
from dmlcore.data.layouts import AnyKind, Count, Covariates, Labels, Maybe, Real, Vector
from dmlcore.data.record_layouts import Explained, Fields
from dmlcore.data.sequences import LabelSequence, Repeated
from dmlcore.data.times import Times
from dmlcore.inference.condition import log_evidence
from dmlcore.stats import (
    CategoricalDistribution,
    CensoredDistribution,
    CompositeDistribution,
    DiagonalGaussianDistribution,
    GaussianDistribution,
    HiddenMarkovModelDistribution,
    IntegerCategoricalDistribution,
    MarkovChainDistribution,
    MixtureDistribution,
    MultivariateGaussianDistribution,
    OptionalDistribution,
    OrdinalDistribution,
    PointMassDistribution,
    PoissonDistribution,
    SemiSupervisedMixtureDistribution,
    TimeDistribution,
    TruncatedDistribution,
)
from tests.examples import BY_NAME, EXAMPLES, Example

N, P, C = GaussianDistribution, PoissonDistribution, CategoricalDistribution

young = CompositeDistribution({"age": N(30.0, 100.0), "city": C({"A": 0.5, "B": 0.3, "C": 0.2}), "n": P(3.0)})
old = CompositeDistribution({"age": N(50.0, 64.0), "city": C({"A": 0.1, "B": 0.3, "C": 0.6}), "n": P(9.0)})
people = MixtureDistribution([young, old], [0.4, 0.6])


# -- values that follow from the laws of fields -------------------------------------------------------------------------


def test_a_mixture_sums_over_its_components() -> None:
    shares = np.array([0.4 * stats.norm.cdf(1.0) * 0.8, 0.6 * stats.norm.cdf(-10 / 8) * 0.4])
    event = {"age": (None, 40), "city": {"A", "B"}}
    assert probability(people, event) == pytest.approx(shares.sum(), rel=1e-12)
    assert probability(people, ((None, 40), {"A", "B"}, UNKNOWN)) == pytest.approx(shares.sum(), rel=1e-12)

    law: Any = condition(people, event)
    np.testing.assert_allclose(law.w, shares / shares.sum(), rtol=1e-12)
    age, city, n = law.components[0].dists
    assert (age, n) == (TruncatedDistribution(N(30.0, 100.0), high=40), P(3.0))
    assert city.probabilities() == pytest.approx({"A": 0.625, "B": 0.375})
    assert law.components[0].field_names == ("age", "city", "n")


def test_an_event_given_values_and_given_another() -> None:
    density = np.array([0.4, 0.6]) * stats.norm.pdf(35.0, [30.0, 50.0], [10.0, 8.0])
    wanted = density @ [0.8, 0.4] / density.sum()
    assert probability(people, {"city": {"A", "B"}}, given={"age": 35.0}) == pytest.approx(wanted, rel=1e-12)

    both = probability(people, {"age": (40, 45)})
    assert probability(people, {"age": (30, 45)}, given={"age": (40, 60)}) == pytest.approx(both / probability(people, {"age": (40, 60)}))
    assert probability(people, {"age": (30, 45), "n": 3}, given={"age": 41.0}) == probability(people, {"n": 3}, given={"age": 41.0})
    assert probability(people, {"age": (30, 40)}, given={"age": 41.0}) == 0.0
    assert probability(people, {"age": (30, 40)}, given={"age": (41, 50)}) == 0.0
    assert probability(people, {"city": {"A"}}, given={"city": {"B", "C"}}) == 0.0
    assert probability(people, {"city": "A"}, given={"city": {"A", "C"}}) == pytest.approx(0.26 / 0.70)
    whole = (35.0, "A", 4)
    assert probability(people, {"age": (30, 40), "n": 4}, given=whole) == 1.0
    with pytest.raises(SupportError, match="density zero"):
        probability(people, {"n": 3}, given={"city": "D"})


def test_both_ends_belong_to_a_range() -> None:
    law = P(3.0)
    assert probability(law, (2, 4)) == pytest.approx(stats.poisson.pmf([2, 3, 4], 3.0).sum(), rel=1e-12)
    assert probability(law, (2.5, 3.5)) == pytest.approx(stats.poisson.pmf(3, 3.0), rel=1e-12)
    assert probability(law, {1, 7}) == pytest.approx(stats.poisson.pmf([1, 7], 3.0).sum(), rel=1e-12)
    assert probability(law, 4) == pytest.approx(stats.poisson.pmf(4, 3.0), rel=1e-12)
    assert condition(law, {1, 7}) == IntegerCategoricalDistribution(
        1, [3.0 / (3.0 + 3.0**7 / 5040), *[0.0] * 5, 3.0**7 / 5040 / (3.0 + 3.0**7 / 5040)]
    )


def test_one_value_has_a_probability_where_there_is_an_atom() -> None:
    law = MixtureDistribution([PointMassDistribution(40.0), N(30.0, 100.0)], [0.3, 0.7])
    assert probability(law, 40.0) == pytest.approx(0.3)
    assert probability(law, 39.0) == 0.0
    assert probability(law, (40.0, None)) == pytest.approx(0.3 + 0.7 * stats.norm.sf(1.0))
    assert probability(law, {40.0, 3.0}) == pytest.approx(0.3)


def test_ranges_of_values_that_are_known_within_one() -> None:
    within = TruncatedDistribution(N(0.0, 1.0), 0.0, 4.0)
    assert condition(within, (1.0, 9.0)) == TruncatedDistribution(N(0.0, 1.0), 1.0, 4.0)
    assert condition(within, (None, 2.0)) == TruncatedDistribution(N(0.0, 1.0), 0.0, 2.0)
    assert condition(TruncatedDistribution(P(3.0), 1), (None, 4)) == TruncatedDistribution(P(3.0), 1, 4)
    assert probability(CensoredDistribution(N(0.0, 1.0)), (0.0, 2.0)) == pytest.approx(np.diff(stats.norm.cdf([0.0, 2.0]))[0], rel=1e-12)


def test_far_tails_keep_their_digits() -> None:
    assert probability(N(0.0, 1.0), (10.0, None)) == pytest.approx(stats.norm.sf(10.0), rel=1e-10)
    law: Any = condition(MixtureDistribution([N(0.0, 1.0), N(10.0, 1.0)], [0.5, 0.5]), (9.0, None))
    assert law.w[0] == 0.0  # of what it hardly ever does it has no form, and hardly counts
    assert min(law.sample(100, rng=1)) >= 9.0
    with pytest.raises(SupportError, match="hardly any probability"):
        condition(N(0.0, 1.0), (10.0, None))


def test_values_that_may_be_missing() -> None:
    law = OptionalDistribution(C({"a": 0.5, "b": 0.5}), 0.2)
    assert probability(law, {"a"}) == pytest.approx(0.4)
    assert probability(law, {"a", None}) == pytest.approx(0.6)
    assert probability(law, None) == pytest.approx(0.2)
    assert condition(law, {"a", None}) == OptionalDistribution(C({"a": 1.0}), 1 / 3)
    coded = OptionalDistribution(N(2.0, 3.0), 0.3, missing_value=-999.0)
    assert probability(coded, {-999.0}) == pytest.approx(0.3)
    assert probability(coded, Between()) == pytest.approx(0.7)
    assert probability(coded, Between(2.0, None, missing=True)) == pytest.approx(0.3 + 0.7 / 2)
    assert condition(coded, Between(2.0, None, missing=True)).p == pytest.approx(0.3 / 0.65)
    with pytest.raises(StructureError, match="p is None"):
        probability(OptionalDistribution(N(0.0, 1.0)), {None})


def test_ordered_labels() -> None:
    law = OrdinalDistribution(("low", "middle", "high"), [0.5, 0.2, 0.3])
    assert probability(law, Between(None, "middle")) == pytest.approx(0.7)
    assert condition(law, Between("middle", None)) == OrdinalDistribution(("middle", "high"), [0.4, 0.6])
    assert probability(C({"a": 0.5, "b": 0.2, "c": 0.3}), Between("b", None)) == pytest.approx(0.5)
    assert probability(law, {"low", "middle"}, given=Between("middle", None)) == pytest.approx(0.4)
    assert probability(law, Between("middle", None), given={"low", "middle"}) == pytest.approx(0.2 / 0.7)
    assert probability(law, {"low"}, given=Between("middle", None)) == 0.0
    with pytest.raises(StructureError, match="not one of its levels"):
        probability(law, Between("none", None))
    with pytest.raises(StructureError, match="no order"):
        probability(C({"a": 0.5, 1: 0.5}), Between("b", None))


def test_times() -> None:
    law = TimeDistribution(N(3.0, 4.0), "h", datetime(2021, 3, 4, 12))
    moment = datetime(2021, 3, 4, 17)
    assert probability(law, (None, moment)) == pytest.approx(stats.norm.cdf(1.0))
    later: Any = condition(law, (moment, None))
    assert min(later.sample(50, rng=1)) >= moment


def test_boxes_of_vectors() -> None:
    mu, covar = [1.0, -2.0, 0.5], np.array([[2.0, 0.6, 0.1], [0.6, 0.5, -0.2], [0.1, -0.2, 1.0]])
    law = MultivariateGaussianDistribution(mu, covar)
    assert probability(law, [(0.0, 2.0), UNKNOWN, UNKNOWN]) == pytest.approx(np.diff(stats.norm.cdf([0, 2], 1.0, 2.0**0.5))[0])
    wanted = stats.multivariate_normal(mu[:2], covar[:2, :2], seed=1).cdf([2.0, -2.0], lower_limit=[0.0, -np.inf])
    assert probability(law, [(0.0, 2.0), (None, -2.0), UNKNOWN]) == pytest.approx(wanted, abs=1e-5)
    given = probability(law, [(0.0, 2.0), UNKNOWN, UNKNOWN], given=[UNKNOWN, -1.5, UNKNOWN])
    assert given == pytest.approx(np.diff(stats.norm.cdf([0, 2], 1.0 + 0.6 / 0.5 * 0.5, (2.0 - 0.36 / 0.5) ** 0.5))[0])
    plain = DiagonalGaussianDistribution([0.0, 1.0], [1.0, 4.0])
    assert probability(plain, [(None, 0.0), (1.0, None)]) == pytest.approx(0.25, rel=1e-12)
    with pytest.raises(StructureError, match="no form"):
        condition(law, [(0.0, 2.0), (None, -2.0), UNKNOWN])


def test_numbers_of_a_tree() -> None:
    law: Any = BY_NAME["icl tree"].law
    every = list(itertools.product(*map(range, law.num_states)))
    events: list[Any] = [UNKNOWN] * law.num_features
    events[0], events[1] = (1, None), {0, 1}
    wanted = sum(law.density(x) for x in every if x[0] >= 1 and x[1] in (0, 1))
    assert probability(law, events) == pytest.approx(wanted, rel=1e-12)
    given: Any = condition(law, events)
    inside = [x for x in every if x[0] >= 1 and x[1] in (0, 1)]
    assert [given.density(x) for x in inside] == pytest.approx([law.density(x) / wanted for x in inside], rel=1e-12)
    last = [UNKNOWN] * (law.num_features - 1) + [0]
    both = sum(law.density(x) for x in inside if x[-1] == 0)
    assert probability(law, events, given=last) == pytest.approx(both / probability(law, last), rel=1e-12)
    assert probability(law, [99, *last[1:]]) == 0.0


def test_elements_of_lists() -> None:
    topics = [C({"a": 0.9, "b": 0.1}), C({"a": 0.2, "b": 0.5, "c": 0.3})]
    three = IntegerCategoricalDistribution(3, [1.0])
    chain = HiddenMarkovModelDistribution(topics, [0.5, 0.5], [[0.8, 0.2], [0.3, 0.7]], len_dist=three)
    event = [{"a", "c"}, UNKNOWN, {"b"}]
    wanted = sum(chain.density([x, y, "b"]) for x in "ac" for y in "abc")
    assert probability(chain, event) == pytest.approx(wanted, rel=1e-12)
    walk = MarkovChainDistribution({"a": 0.6, "b": 0.4}, {"a": {"a": 0.2, "b": 0.8}, "b": {"c": 1.0}, "c": {"a": 0.5, "c": 0.5}}, three)
    wanted = sum(walk.density([x, y, "c"]) for x in "ab" for y in "bc")
    assert probability(walk, [UNKNOWN, {"b", "c"}, "c"]) == pytest.approx(wanted, rel=1e-12)
    second: Any = condition(walk, ["a", {"b", "c"}, "c"])
    assert second.probabilities()["b"] == pytest.approx(1.0)


def test_labels_of_a_semi_supervised_mixture() -> None:
    law = SemiSupervisedMixtureDistribution([N(-2.0, 1.0), N(3.0, 2.0), N(9.0, 1.0)], [0.3, 0.5, 0.2], labels=("x", "y", "z"))
    assert probability(law, (UNKNOWN, {"x", "z"})) == pytest.approx(0.5)
    wanted = 0.3 * stats.norm.cdf(0.0, -2.0) + 0.2 * stats.norm.cdf(0.0, 9.0)
    assert probability(law, ((None, 0.0), {"x", "z"})) == pytest.approx(wanted, rel=1e-12)


def test_what_is_no_event() -> None:
    for event, error in (
        ({"age": (40, 30)}, ParameterError),
        ({"age": ("a", None)}, ParameterError),
        ({"age": "old"}, DataError),
        ({"height": (1, 2)}, StructureError),
        ({"age": (None, 40), 0: (30, None)}, StructureError),
    ):
        with pytest.raises(error):
            probability(people, event)
    with pytest.raises(ParameterError, match=r"gaussian: a range needs low <= high, got 3.0 and 1.0"):
        probability(N(0.0, 1.0), Between(3.0, 1.0))
    with pytest.raises(StructureError, match="poisson: given one of 2 numbers so far apart it has no form"):
        condition(P(3.0), {1, 10**7})
    with pytest.raises(StructureError, match="no cdf"):
        probability(dmlcore.stats.VonMisesDistribution(0.0, 1.0), (0.0, 1.0))
    with pytest.raises(StructureError, match="model must be a distribution"):
        probability(None, {})  # type: ignore[arg-type]


@pytest.mark.parametrize("event", [("A", "B"), ["A", "B"], np.array(["A", "B"]), {"A": 1}], ids=["tuple", "list", "array", "mapping"])
def test_what_was_meant_for_a_set_of_labels_is_not_one_of_probability_zero(event: Any) -> None:
    for ask in (probability, condition, log_evidence, most_informative):
        with pytest.raises(DataError, match=r"^city.categorical: .* is no value it may have; need one of its labels, a set"):
            ask(people, {"city": event})
    with pytest.raises(DataError, match=r"^n.poisson: .* is no value it may have; need a value, a set"):
        probability(people, {"n": {"A", "B"}})
    walk = MarkovChainDistribution({"a": 0.6, "b": 0.4}, {"a": {"b": 1.0}, "b": {"a": 1.0}}, IntegerCategoricalDistribution(2, [1.0]))
    with pytest.raises(DataError, match=r"entry 1\.markov chain"):
        probability(walk, ["a", ("a", "b")])


def test_a_frozenset_is_a_set() -> None:
    for event in ({"city": {"A", "B"}}, {"n": {1, 7}}):
        frozen = {name: frozenset(values) for name, values in event.items()}
        assert probability(people, frozen) == probability(people, event)
        assert condition(people, frozen) == condition(people, event)
    law = OptionalDistribution(C({"a": 0.5, "b": 0.5}), 0.2)
    assert probability(law, frozenset({"a", None})) == pytest.approx(0.6)


def test_labels_may_be_composed() -> None:
    law = C({("A", "B"): 0.5, frozenset("AB"): 0.3, "A": 0.2})
    assert [probability(law, event) for event in (("A", "B"), frozenset("AB"), {"A"}, {"A", ("A", "B")})] == [0.5, 0.3, 0.2, 0.7]


# -- every family, against its own draws --------------------------------------------------------------------------------


def asked(layout: Any, rows: list[Any], rng: np.random.Generator) -> tuple[Any, Any]:
    """An event that about a third of some rows are in or more, and what it is given: covariates and the like. `None` for neither."""
    if isinstance(layout, Maybe):
        there = [row for row, present in zip(rows, layout.present(rows), strict=True) if present]
        return asked(layout.value, there, rng) if there else (UNKNOWN, UNKNOWN)
    if isinstance(layout, Labels):
        counts = [label for label, _ in Counter(rows).most_common()]
        return set(counts[: max(len(counts) // 2, 1)]), UNKNOWN
    if isinstance(layout, Times):
        ends = sorted(rows)
        return (ends[len(ends) // 5], ends[-len(ends) // 4]), UNKNOWN
    if isinstance(layout, (Real, Count)) or (isinstance(layout, AnyKind) and Labels not in layout.read_by):
        low, high = np.quantile(np.array(rows, dtype=float), [0.2, 0.75], method="inverted_cdf")
        return [(low, high), (None, high), (low, None)][rng.integers(3)], UNKNOWN
    if isinstance(layout, AnyKind):
        return set(rows[:3]), UNKNOWN
    if isinstance(layout, Covariates):
        return UNKNOWN, rows[0]
    if isinstance(layout, Vector):
        return [asked(Real(), column, rng)[0] for column in np.array(rows).T.tolist()], UNKNOWN
    if isinstance(layout, Fields):
        columns = list(zip(*(list(row.values()) if isinstance(row, dict) else row for row in rows), strict=True))
        held = isinstance(layout, Explained)
        pairs = [
            (UNKNOWN, column[0]) if held and j != 1 else asked(part, list(column), rng)
            for j, (part, column) in enumerate(zip(layout.values, columns, strict=True))
        ]
        return both_sides(tuple, pairs)
    if isinstance(layout, (LabelSequence, Repeated)):
        length = Counter(len(row) for row in rows if len(row)).most_common(1)[0][0]
        places = zip(*(row for row in rows if len(row) == length), strict=True)
        element = Labels() if isinstance(layout, LabelSequence) else layout.value
        pairs = [asked(element, list(place), rng) for place in places]
        return both_sides(list, pairs)
    return UNKNOWN, UNKNOWN


def both_sides(kind: Any, pairs: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Entries as one event and one that it is given; where nothing is given, not how many there are either."""
    events, given = (kind(side) for side in zip(*pairs, strict=True))
    return events, UNKNOWN if all(one is UNKNOWN for one in given) else given


def happens(event: Any, row: Any) -> bool:
    if event is UNKNOWN:
        return True
    if isinstance(event, set):
        return row in event
    if row is None or (isinstance(row, float) and math.isnan(row)):
        return False
    if isinstance(event, list):
        return len(row) == len(event) and all(map(happens, event, row))
    if isinstance(event, tuple) and isinstance(row, (tuple, dict)):
        return all(map(happens, event, row.values() if isinstance(row, dict) else row))
    return (event[0] is None or bool(event[0] <= row)) and (event[1] is None or bool(row <= event[1]))


def draws_of(example: Example, size: int, seed: int) -> list[Any] | None:
    """Draws; of laws that need covariates, at those of one row."""
    if example.sampled:
        return example.data(size, seed)
    if not has(example.law, Redraws) or "in part" in example.tags:
        return None
    try:
        return redrawn(example.law, [max(example.rows[:5], key=len)] * size, np.random.default_rng(seed))
    except StructureError:
        return None


SILENT = {  # laws that say no probability of ranges of their values, or of labels, or events of which are none of ranges and labels
    "von mises", "von mises sharp", "multivariate student t", "dirichlet", "von mises fisher", "bernoulli set", "bernoulli set certain",
    "spearman ranking", "mixture of rankings", "hidden association", "hidden association of reals", "integer hidden association",
    "sparse markov association", "tree hidden markov", "conditional labelless",
}  # fmt: skip


def agreement(example: Example, size: int, seed: int = 3) -> tuple[float, float, float] | None:
    """The probability of an event, its share among draws, and the standard error of that."""
    rows = draws_of(example, 2000, seed)
    if not rows:
        return None
    event, given = asked(example.law.layout, rows, np.random.default_rng(4))
    if event is UNKNOWN:
        return None
    p = probability(example.law, event, given=None if given is UNKNOWN else given)
    rows = draws_of(example, size, seed + 1)
    share = float(np.mean([happens(event, row) for row in rows or ()]))
    return p, share, max(math.sqrt(p * (1 - p) / size), 1e-12)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_draws_agree(example: Example) -> None:
    try:
        found = agreement(example, 4000)
    except StructureError:
        assert example.name in SILENT
        return
    if found is not None:
        p, share, error = found
        assert abs(p - share) <= 4 * error
