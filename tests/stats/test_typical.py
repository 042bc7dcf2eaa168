"""A typical value: the most probable parts where a law has no mean and its mode is hard to find."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dmlcore.base.errors import StructureError
from dmlcore.core.words import in_words
from dmlcore.stats import (
    BernoulliSetDistribution,
    CategoricalDistribution,
    ConditionalDistribution,
    GaussianDistribution,
    HiddenMarkovModelDistribution,
    IntegerCategoricalDistribution,
    MarkovChainDistribution,
    MixtureDistribution,
    MultinomialDistribution,
    MultivariateGaussianDistribution,
    OptionalDistribution,
    PointMassDistribution,
    PoissonDistribution,
    SequenceDistribution,
    VonMisesDistribution,
)
from dmlcore.stats.latent.spikes import spiked
from tests.examples import BY_NAME

C, N, THREE = CategoricalDistribution, GaussianDistribution, IntegerCategoricalDistribution(3, [1.0])

TYPICAL: dict[str, Any] = {  # of examples whose parts say it: the likeliest label, component, length, topic
    "bernoulli edit": (["bread"], ["bread"]),
    "hierarchical": ["a"],
    "lda": [("b", 3)],
    "joint": (2.0, "c"),
    "hidden association": ([("b", 1)], [("a", 1)]),
    "integer hidden association": ([(1, 1)], [(2, 1)]),
}


@pytest.mark.parametrize("name", TYPICAL)
def test_of_examples(name: str) -> None:
    law: Any = BY_NAME[name].law
    assert law.typical() == TYPICAL[name]
    assert law.density(law.typical()) > 0


def test_of_the_likeliest_label() -> None:
    values = {label: OptionalDistribution(N(mean, 1.0), 0.9) for label, mean in (("a", 0.0), ("b", 5.0))}
    law = ConditionalDistribution(values, None, C({"a": 0.3, "b": 0.7}))
    assert law.typical() == ("b", 5.0)


def test_of_a_hidden_chain_it_is_what_its_likeliest_path_gives() -> None:
    topics, w, moves = [C({"a": 0.6, "b": 0.4}), C({"c": 0.9, "a": 0.1})], [0.55, 0.45], np.array([[0.3, 0.7], [0.6, 0.4]])
    law = HiddenMarkovModelDistribution(topics, w, moves, len_dist=THREE)
    likeliest = max(itertools.product(range(2), repeat=3), key=lambda z: w[z[0]] * moves[z[0], z[1]] * moves[z[1], z[2]])
    assert law.typical() == ["ac"[z] for z in likeliest] == ["a", "c", "a"]


def test_in_words() -> None:
    def words(law: Any) -> str:
        return in_words(law).replace("\u00a0", " ")

    chain = MarkovChainDistribution({"a": 1.0}, {label: {"a": 0.25, "b": 0.75} for label in "abcd"})
    assert words(chain) == "first a 100%; after a: b 75%, a 25%; after b: b 75%, a 25%; after c: b 75%, a 25%; …"
    assert words(BernoulliSetDistribution({"a": 0.5, "b": 0.0})) == "a 50%"
    assert words(BernoulliSetDistribution({"a": 0.0})) == "nothing"
    assert words(MultinomialDistribution(C({"a": 1.0}), PoissonDistribution(4.0))) == "4 ± 2 of a 100%"


def test_what_a_mixture_has_not() -> None:
    pairs = MixtureDistribution([MultivariateGaussianDistribution([0.0, 0.0], np.eye(2))] * 2, [0.5, 0.5])
    with pytest.raises(StructureError, match=r"variance\(\) is of numbers; these are vectors"):
        pairs.variance()
    lists = MixtureDistribution([SequenceDistribution(C({"a": 1.0}), THREE)] * 2, [0.5, 0.5])
    with pytest.raises(StructureError, match=r"mode\(\) is of numbers and labels"):
        lists.mode()


def test_spikes_alone_and_beside_what_has_no_mean() -> None:
    spikes = [PointMassDistribution(0.0), PointMassDistribution(1.0)]
    apart: Any = spiked(MixtureDistribution(spikes, [0.3, 0.7]))
    assert apart.in_words().replace("\u00a0", " ") == "0 30%, 1 70%"
    assert apart.others() is None
    assert spiked(MixtureDistribution([spikes[0], VonMisesDistribution(0.0, 1.0)], [0.3, 0.7])) is None


def test_numbers_of_parts() -> None:
    topics: Any = BY_NAME["hierarchical"].law
    assert (topics.num_mixtures, topics.num_components, topics.num_topics) == (2, 2, 3)
    both: Any = BY_NAME["joint"].law
    assert (both.num_components1, both.num_components2) == (2, 2)
    record: Any = BY_NAME["composite"].law
    assert record.count == 2
