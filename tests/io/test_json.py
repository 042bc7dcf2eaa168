"""Saving and loading: equal to the bit, readable, and clear about what cannot be saved or read."""

from __future__ import annotations

import datetime
import enum
import json
import math
from datetime import time
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmlcore import fit
from dmlcore.base.domains import covariance, real
from dmlcore.base.errors import DataError, FormatError, ParameterError
from dmlcore.base.label_domains import LabelProbabilities, Transitions
from dmlcore.core.declared import keys, name, parameter, setting
from dmlcore.core.distribution import Distribution
from dmlcore.io import from_json, to_json
from dmlcore.io.reading import Reader
from dmlcore.io.writing import Writer, encode_label
from dmlcore.stats.latent.mixture import HeterogeneousMixtureDistribution, MixtureDistribution, MixtureEstimator
from dmlcore.stats.sequences.bernoulli_set import BernoulliSetEstimator
from dmlcore.stats.sequences.markov_chain import MarkovChainDistribution, MarkovChainEstimator
from dmlcore.stats.univariate.categorical import CategoricalDistribution, CategoricalEstimator
from dmlcore.stats.univariate.gaussian import GaussianDistribution, GaussianEstimator


class TabledDistribution(Distribution):
    """A family of a user's own, with one field of each kind that the codec treats apart."""

    table: Any = parameter(LabelProbabilities(total=True))
    moves: Any = parameter(Transitions())
    anything: Any = setting()
    spread: Any = parameter(covariance, ((1.0,),))
    name: str | None = name()
    keys: tuple[str | None, str | None] = keys("table", "moves")


def holding(anything: Any) -> TabledDistribution:
    return TabledDistribution({"a": 1.0}, {}, anything)


def back_and_forth(node: Any) -> Any:
    """The loaded node, after checking that saving it again gives the same text."""
    text = to_json(node)
    loaded = from_json(text)
    assert to_json(loaded) == text
    return loaded


def exact(value: Any) -> Any:
    """Tells apart what `==` does not: 1, 1.0 and True; 0.0 and -0.0; NaN is itself."""
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(exact, value))
    if isinstance(value, (set, frozenset)):
        return type(value), frozenset(map(exact, value))
    return type(value), repr(value)


moments = st.datetimes().map(lambda moment: moment.replace(fold=0))  # equal whatever the fold
labels = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.timedeltas() | moments,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)


@given(labels)
def test_labels_keep_their_value_and_type(label: Any) -> None:
    assert exact(Reader().value(json.loads(json.dumps(encode_label(label, "here"))), "here")) == exact(label)


def test_label_forms_are_the_documented_ones() -> None:
    forms = {
        b"\x00\xff": {"bytes": "00ff"},
        datetime.date(2020, 1, 31): {"date": "2020-01-31"},
        datetime.datetime(2020, 1, 31, 12): {"datetime": "2020-01-31T12:00:00"},
        datetime.timedelta(-1, 3, 5): {"timedelta": [-1, 3, 5]},
        (1, "a"): {"tuple": [1, "a"]},
        frozenset({"b", "a"}): {"frozenset": ["a", "b"]},
        -math.inf: {"float": "-inf"},
    }
    assert {label: encode_label(label, "here") for label in forms} == forms
    assert exact(encode_label(np.int64(3), "here")) == exact(3)


@pytest.mark.parametrize("label", [1j, range(3), (1, 2j), enum.Enum("Colour", "RED").RED])
def test_other_labels_are_refused_by_name(label: Any) -> None:
    node = TabledDistribution({label: 1.0}, {})
    culprit = label[1] if isinstance(label, tuple) else label
    with pytest.raises(FormatError, match=r"model\.table: cannot save .* labels and settings may be str, bytes") as caught:
        to_json(node)
    assert repr(culprit) in str(caught.value)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(min_value=5e-324, max_value=1e308))
def test_floats_are_exact(mu: float, sigma2: float) -> None:
    loaded = back_and_forth(GaussianDistribution(mu, sigma2))
    assert exact((loaded.mu, loaded.sigma2)) == exact((mu, sigma2))


def test_text_is_short_and_readable() -> None:
    text = to_json(GaussianDistribution(1.0, 2.5, keys="k"))
    assert text == '{"dmlcore": 1, "model": {"family": "GaussianDistribution", "mu": 1.0, "sigma2": 2.5, "keys": "k"}}'
    mixture = to_json(MixtureDistribution([GaussianDistribution(float(k), 1.0) for k in range(3)], [0.5, 0.25, 0.25]))
    assert '\n      {"family": "GaussianDistribution", "mu": 2.0, "sigma2": 1.0}\n' in mixture
    assert '\n    "w": [0.5, 0.25, 0.25]\n' in mixture


def test_files_of_the_first_version_load() -> None:
    text = """{"dmlcore": 1, "model": {"family": "MixtureDistribution", "w": [0.25, 0.75], "keys": ["w", null], "components": [
        {"family": "GaussianDistribution", "mu": -0.0, "sigma2": 1e-300, "name": "narrow"},
        {"family": "GaussianDistribution", "mu": 1, "sigma2": 2.0}]}}"""
    parts = [GaussianDistribution(-0.0, 1e-300, "narrow"), GaussianDistribution(1.0, 2.0)]
    assert from_json(text) == MixtureDistribution(parts, [0.25, 0.75], keys=("w", None))


@pytest.mark.parametrize(
    "node",
    [
        GaussianDistribution(-0.0, 1e-300, "a name", "a key"),
        GaussianEstimator(),
        GaussianEstimator((1, None), (0.5, -0.0), "né\u2028", "k"),
        HeterogeneousMixtureDistribution([GaussianDistribution(0.1, 1 / 3), GaussianDistribution(1e300, 1e-300)], [1 / 3, 2 / 3]),
        MixtureEstimator([GaussianEstimator(keys="k")] * 3, fixed_weights=np.array([0.1, 0.2, 0.7]), keys=(None, "c")),
        MixtureEstimator([MixtureEstimator([GaussianEstimator()] * 2, pseudo_count=1.0), GaussianEstimator()], suff_stat=[0.5, 0.5]),
        MarkovChainDistribution({"a": 0.5, None: 0.5}, {"a": {"a": 0.1, True: 0.9}, True: {"a": 1.0}}, GaussianDistribution(0.0, 1.0)),
        TabledDistribution({1: 0.25, "1": 0.25, None: 0.25, (1.5, b"x"): 0.25}, {}, keys=("t", None)),
        TabledDistribution({"a": 1.0}, {"a": {"a": 0.5, 1: 0.5}, 1: {"b": 1.0}}, spread=[[2.0, 0.1], [0.1, 1.0]]),
    ],
    ids=repr,
)
def test_nodes_come_back_equal(node: Any) -> None:
    loaded = back_and_forth(node)
    assert type(loaded) is type(node)
    assert loaded == node
    assert repr(loaded) == repr(node)


@pytest.mark.parametrize(
    "value",
    [
        (1, 2.0, True, None),
        [1, [2.0, ()]],
        pytest.param({"a", 1}, id="set"),
        {"a": (1, math.inf), 2: {None: -0.0}},
        math.nan,
        (GaussianDistribution(0.0, 1.0), None),
        {"x": GaussianEstimator(), ("y", 1): [GaussianEstimator()]},
    ],
    ids=repr,
)
def test_settings_keep_their_types(value: Any) -> None:
    assert exact(back_and_forth(holding(value)).anything) == exact(value)


@pytest.mark.parametrize(
    "array",
    [
        np.array([1.5, -np.inf, np.nan]),
        np.eye(2, dtype=bool),
        np.arange(3),
        np.ones((2, 1, 2), np.float32),
        np.zeros((0, 3)),
        np.array(2.0),
    ],
    ids=repr,
)
def test_array_settings_keep_dtype_and_shape(array: np.ndarray) -> None:
    loaded = back_and_forth(holding(array)).anything
    assert (loaded.dtype, loaded.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(loaded, array)


def test_a_value_that_only_equals_the_default_is_kept() -> None:
    class SwitchedDistribution(Distribution):
        switch: Any = setting(0)
        name: str | None = name()

    for value in (0.0, -0.0, False, 0):
        assert exact(back_and_forth(SwitchedDistribution(value)).switch) == exact(value)


def test_sets_are_written_in_one_order() -> None:
    assert Writer().value({"b", "a", 1}, "here") == {"set": ["a", "b", 1]}


@pytest.mark.parametrize("value", [lambda x: x, np.array(["a"]), np.array([1j]), 1j, object()])
def test_settings_without_a_form_are_refused(value: Any) -> None:
    with pytest.raises(FormatError, match=r"model\.anything: cannot save"):
        to_json(holding(value))


def test_only_nodes_are_saved() -> None:
    with pytest.raises(FormatError, match="to_json saves distributions and estimators, got 3"):
        to_json(3)


def test_a_family_that_would_load_as_another_is_refused() -> None:
    class GaussianDistribution(Distribution):
        mu: float = parameter(real)
        name: str | None = name()

    with pytest.raises(FormatError, match="another family is called GaussianDistribution"):
        to_json(GaussianDistribution(1.0))


def model(**fields: Any) -> str:
    return json.dumps({"dmlcore": 1, "model": fields})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "from_json: not JSON"),
        ('{"dmlcore": 1, "model": {"family": "GaussianDistribution", "mu": NaN}}', "NaN is not JSON"),
        ("[]", "not a saved model"),
        ('{"model": {}}', "not a saved model"),
        ('{"dmlcore": 2, "model": {}}', "schema 2 is unknown; this version reads 1"),
        ('{"dmlcore": true, "model": {}}', "schema True is unknown"),
        ('{"dmlcore": 1, "model": 5}', "must be a distribution or an estimator, got 5"),
        (model(family="NoSuchDistribution"), "no family is called 'NoSuchDistribution'; if it is your own, import it"),
        (model(family=3), "no family is called 3"),
        (model(family="GaussianDistribution", mu=1.0), "GaussianDistribution needs the field sigma2"),
        (model(family="GaussianDistribution", mu=1.0, sigma2=1.0, sigma=2), "has no field sigma; its fields are mu, sigma2"),
        (model(family="GaussianDistribution", mu=1.0, sigma2=1.0, name=5), "name must be a string or None, got 5"),
        (model(family="MixtureDistribution", components=[1], w=[1.0]), r"model\.components\[0\]: must hold a distribution, got 1"),
        (model(family="TabledDistribution", table=[1, 2], moves=[]), r"model\.table: .* must be a list of \[label, value\]"),
        (model(family="TabledDistribution", table=[["a", 1.0]], moves=[], anything={"what": 1}), "is no value that this version knows"),
        (
            model(family="TabledDistribution", table=[["a", 1.0]], moves=[], anything={"bytes": "xyz"}),
            r"model\.anything: .* cannot be read",
        ),
        (model(family="TabledDistribution", table=[["a", 1.0]], moves=[], anything={"map": [[[1], 2]]}), "cannot be read"),
    ],
)
def test_texts_that_cannot_be_read_say_why(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        from_json(text)


def test_parameters_are_checked_on_loading() -> None:
    with pytest.raises(FormatError, match=r"from_json: model: GaussianDistribution: sigma2 must be positive, got -1\.0") as caught:
        from_json(model(family="GaussianDistribution", mu=0.0, sigma2=-1.0))
    assert isinstance(caught.value.__cause__, ParameterError)


def test_what_keys_tie_stays_tied() -> None:
    loaded = back_and_forth(MixtureEstimator([GaussianEstimator(keys="k"), GaussianEstimator(keys="k")]))
    assert [child.keys for child in loaded.children()] == ["k", "k"]


class Colour(Enum):
    """Members that equal nothing else."""

    RED = 1
    BLUE = 2


class Word(enum.StrEnum):
    """Members that are text."""

    A = "a"
    B = "b"


class Pair(NamedTuple):
    """A tuple with names."""

    one: int
    two: str


LABELS_OF_TYPES = {
    "times": [time(3), time(4, 30, 1, 5)],
    "decimals": [Decimal("1.50"), Decimal("-2")],
    "fractions": [Fraction(1, 3), Fraction(2, 3)],
    "uuids": [UUID(int=1), UUID(int=2)],
    "intervals": [pd.Interval(0, 1), pd.Interval(0.5, 2.0, closed="both")],
    "intervals of times": [pd.Interval(pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01"))] * 2,
    "periods": [pd.Period("2020-01", "M"), pd.Period("2021", "Y")],
    "enums of text": list(Word),
    "named tuples": [Pair(1, "a"), Pair(2, "b")],
    "inside": [(Decimal(1), frozenset({Word.A})), (Decimal(2), frozenset({UUID(int=3)}))],
}


@pytest.mark.parametrize("labels", LABELS_OF_TYPES.values(), ids=LABELS_OF_TYPES)
def test_labels_of_less_usual_types_are_kept(labels: list[Any]) -> None:
    for law in (fit(labels * 3, CategoricalEstimator()).model, fit([labels] * 3, MarkovChainEstimator()).model):
        again = from_json(to_json(law))
        assert again == law
        rows = labels if isinstance(law, CategoricalDistribution) else [labels]
        assert list(again.seq_log_density(rows)) == list(law.seq_log_density(rows))
        assert np.isfinite(again.seq_log_density(rows)).all()


@pytest.mark.parametrize(
    "label", [Colour.RED, 1j, range(3), object(), (1, Colour.BLUE)], ids=["enum", "complex", "range", "object", "tuple"]
)
def test_labels_that_files_do_not_hold_are_refused_by_the_fit(label: Any) -> None:
    with pytest.raises(DataError, match=r"row 1 is .*; need labels that a file of the model can hold"):
        fit(["a", label], CategoricalEstimator())
    with pytest.raises(DataError, match=r"row 0 is .*; need labels that a file of the model can hold"):
        fit([["a", label], []], BernoulliSetEstimator())


@pytest.mark.parametrize(
    "data", [{"decimal": "x"}, {"decimal": 3}, {"uuid": "1"}, {"time": "25:00"}, {"fraction": "1/0"}, {"interval": [1]}, {"period": 3}]
)
def test_damaged_labels_are_refused(data: Any) -> None:
    with pytest.raises(FormatError, match=r"here: .* cannot be read"):
        Reader().value(data, "here")
