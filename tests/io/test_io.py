"""Model files: exact to the bit and tied as before; old files load; damaged and hostile ones say what is wrong, and do nothing else."""

from __future__ import annotations

import datetime
import json
import math
import os
import pickle
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dmlcore
from dmlcore import from_json, load, save, stats, to_json
from dmlcore.base.errors import FormatError, ParameterError
from dmlcore.core.declared import Declared, name, setting
from dmlcore.core.distribution import Distribution
from dmlcore.core.flat import n_parameters
from dmlcore.stats import (
    CategoricalDistribution,
    CompositeDistribution,
    CompositeEstimator,
    GaussianDistribution,
    GaussianEstimator,
    MixtureDistribution,
    OptionalDistribution,
    PoissonDistribution,
    PoissonEstimator,
)
from tests.examples import EXAMPLES, Example
from tests.golden_models import FOLDER, MODELS

every = pytest.mark.parametrize("e", EXAMPLES, ids=lambda e: e.name.replace(" ", "_"))
N = GaussianDistribution(0.0, 1.0)


def bits(value: Any, seen: dict[int, int] | None = None) -> Any:
    """A value so that `==` compares types, bits, orders of labels, and which nodes are one object."""
    seen = {} if seen is None else seen
    if isinstance(value, Declared):
        if id(value) in seen:
            return "again", seen[id(value)]
        seen[id(value)] = len(seen)
        return type(value), tuple((field, bits(v, seen)) for field, v in value.fields().items())
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, Mapping):
        return tuple((bits(label), bits(v, seen)) for label, v in value.items())
    if isinstance(value, (list, tuple)):
        return type(value), tuple(bits(v, seen) for v in value)
    if isinstance(value, (set, frozenset)):
        return type(value), frozenset(map(bits, value))
    return type(value), value.hex() if isinstance(value, float) else repr(value)


# -- exact ---------------------------------------------------------------------------------------------------------------


@every
def test_every_model_comes_back_to_the_bit(e: Example, tmp_path: Path) -> None:
    fitted = stats.estimate(e.data(40), e.estimator, e.law) if e.name != "optional always" else e.law
    for node in (e.law, e.estimator, fitted, e.law.estimator()):
        path = tmp_path / "model.json"
        save(node, path)
        assert bits(load(path)) == bits(node)
        assert to_json(load(path)) + "\n" == path.read_text("utf-8")
    assert n_parameters(from_json(to_json(fitted))) == n_parameters(fitted)


def test_bits_tells_apart() -> None:
    pair = CompositeDistribution((N, N))
    other = CompositeDistribution((N, GaussianDistribution(0.0, 1.0)))
    assert pair == other
    assert bits(pair) != bits(other)
    assert bits(GaussianDistribution(0.0, 1.0)) != bits(GaussianDistribution(-0.0, 1.0))
    assert bits(CategoricalDistribution({1: 1.0})) != bits(CategoricalDistribution({True: 1.0}))


@pytest.mark.parametrize("node", [e.law for e in EXAMPLES] + [e.estimator for e in EXAMPLES] + [model() for model in MODELS.values()])
def test_repr_evaluates_back(node: Any) -> None:
    assert eval(repr(node), {**vars(stats), "datetime": datetime}) == node


@pytest.mark.parametrize("label", [math.inf, (1, -math.inf), frozenset([math.inf]), datetime.date(2020, 1, 1)], ids=repr)
def test_repr_evaluates_back_whatever_the_labels(label: Any) -> None:
    node = CategoricalDistribution({label: 1.0})
    assert eval(repr(node), {**vars(stats), "datetime": datetime}) == node


def test_tied_nodes_stay_one_object() -> None:
    estimator = CompositeEstimator((PoissonEstimator(keys="k"), PoissonEstimator(keys="k")))
    model = stats.estimate([(1, 2), (3, 4)], estimator)
    assert model.dists[0] is model.dists[1]
    loaded = from_json(to_json(model))
    assert loaded.dists[0] is loaded.dists[1]
    assert n_parameters(loaded) == n_parameters(model) == 1
    assert to_json(model).count("PoissonDistribution") == 1


def test_a_copy_that_only_equals_a_default_is_left_out() -> None:
    node = pickle.loads(pickle.dumps(stats.SequenceDistribution(N)))
    assert "len_dist" not in to_json(node)


# -- files ---------------------------------------------------------------------------------------------------------------


def test_a_file_is_text_that_people_read(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    assert save(CategoricalDistribution({"Zürich": 0.25, "\u65e5\u672c": 0.75}), path) is None
    assert '[["Zürich", 0.25], ["日本", 0.75]]' in path.read_text("utf-8")
    save(CategoricalDistribution({"\ud800\u2028\x9b": 1.0}), path)
    assert r"\ud800\u2028\u009b" in path.read_text("utf-8")
    assert load(str(path)) == CategoricalDistribution({"\ud800\u2028\x9b": 1.0})


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.json"
    save(N, path)
    with pytest.raises(FormatError):
        save(OptionalDistribution(N, 0.5, missing_value=object()), path)

    def full(*_: Any) -> None:
        raise OSError("disk full")

    for step in ("replace", "fsync"):
        with monkeypatch.context() as patched:
            patched.setattr(os, step, full)
            with pytest.raises(OSError, match="disk full"):
                save(PoissonDistribution(1.0), path)
    assert load(path) == N
    assert os.listdir(tmp_path) == ["model.json"]


def test_saving_keeps_permissions_and_links(tmp_path: Path) -> None:
    path, link = tmp_path / "model.json", tmp_path / "link.json"
    save(N, path)
    path.chmod(0o640)
    link.symlink_to(path)
    save(PoissonDistribution(1.0), link)
    assert link.is_symlink()
    assert load(path) == PoissonDistribution(1.0)
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_is_no_model_is_not_saved() -> None:
    with pytest.raises(FormatError, match="got 3"):
        to_json(3)
    with pytest.raises(FormatError, match="its model can be saved"):
        to_json(dmlcore.Fit(N, "converged", "", [0.0], [0.0], 0.0))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "no.json")
    with pytest.raises(FormatError, match="not a file"):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for endless in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(FormatError, match="not a file"):
            load(endless)
    save(N, tmp_path / "big.json")
    with pytest.raises(FormatError, match=r"big\.json: larger than 20 bytes; give max_bytes"):
        load(tmp_path / "big.json", max_bytes=20)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    save(MODELS["mixtures"](), path)
    whole = path.read_bytes()
    for end in range(0, len(whole.rstrip()), 97):
        path.write_bytes(whole[:end])
        with pytest.raises(FormatError, match=r"load .*model\.json: not JSON \(.*cut short"):
            load(path)


def test_other_files_are_refused_and_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "model.json", tmp_path / "trace"

    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(trace),)

    for data in (pickle.dumps(Trap()), b"\x80\x81\xff", b"\0" * 100, b"", "model".encode("utf-16"), b'{"dmlcore": 1}'):
        path.write_bytes(data)
        with pytest.raises(FormatError):
            load(path)
    for family in ("os.mkdir", "mkdir", "builtins.eval", "__import__", "Path", "Distribution", "Estimator", "MomentsEstimator", "Declared"):
        path.write_text(json.dumps({"dmlcore": 1, "model": {"family": family, "path": str(trace)}}), "utf-8")
        with pytest.raises(FormatError, match="no family is called"):
            load(path)
    assert not trace.exists()


# -- golden files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", MODELS)
def test_files_of_this_version_load(which: str) -> None:
    path = FOLDER / f"{which}.json"
    assert path.exists(), "write it with `python -m tests.golden_models`"
    assert bits(load(path)) == bits(MODELS[which]())


def test_golden_files_hold_every_family() -> None:
    text = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.json"))
    catalogue = [family for family in stats.__all__ if isinstance(getattr(stats, family), type)]
    missing = [family for family in catalogue if f'"family": "{family}"' not in text]
    assert missing == [], "add them as a new entry of tests/golden_models.py, and write its file with `python -m tests.golden_models`"
    assert {path.stem for path in FOLDER.glob("*.json")} == set(MODELS)


# -- hostile texts -------------------------------------------------------------------------------------------------------


def text_of(model: Any) -> str:
    return json.dumps({"dmlcore": 1, "model": model})


def optional(missing_value: Any) -> str:
    gaussian = {"family": "GaussianDistribution", "mu": 0.0, "sigma2": 1.0}
    return text_of({"family": "OptionalDistribution", "dist": gaussian, "missing_value": missing_value})


def tower(levels: int) -> dict[str, Any]:
    """A tree of `2 ** levels` leaves in a few lines."""
    node: dict[str, Any] = {"family": "GaussianDistribution", "mu": 0.0, "sigma2": 1.0}
    for number in range(levels):
        node = {"family": "CompositeDistribution", "dists": [{**node, "shared": number}, {"shared": number}]}
    return node


SAME_HASH = [[k * (2**61 - 1), 1 / 5000] for k in range(5000)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, "nested deeper than 100 levels"),
        ('{"a":' * 200_000, "nested deeper than 100 levels"),
        (optional(json.loads("[" * 101 + "]" * 101)), "nested deeper than 100 levels"),
        (optional(1).replace("null", "9" * 5000).replace("1}", "9" * 5000 + "}"), "not JSON .*4300 digits"),
        (text_of(tower(40)), r"dists\[1\]: with its shared nodes the tree has more than 1,000,000 places"),
        (text_of({"family": "CategoricalDistribution", "pmap": SAME_HASH}), r"model\.pmap: more than 64 of its labels have one hash"),
        (optional({"frozenset": [pair[0] for pair in SAME_HASH]}), r"model\.missing_value: more than 64"),
        (optional({"array": ["x"], "dtype": "S1000000000"}), r"model\.missing_value: an array of 'S1000000000' cannot be read"),
        (optional({"array": [1], "dtype": "O"}), "an array of 'O' cannot be read"),
        (optional({"array": [300], "dtype": "int8"}), r"model\.missing_value: .* cannot be read"),
        (optional({"array": [], "shape": [10**6, 10**6]}), r"model\.missing_value: .* cannot be read"),
        (optional({"float": "1e5"}), "no value that this version knows"),
        (optional({"float": "inf", "bytes": "00"}), "no value that this version knows"),
        (optional({"date": "2020-02-30"}), r"model\.missing_value: .* cannot be read \(day is out of range"),
        (optional({"shared": 1}), r'model\.missing_value: no node before this one is marked "shared": 1'),
        (optional({"set": [[1]]}), "one of its labels is a list"),
        (
            text_of({"family": "CompositeDistribution", "shared": 1, "dists": [{"shared": 1}]}),
            r"model\.dists\[0\]: no node before this one",
        ),
        (
            text_of({"family": "CategoricalDistribution", "pmap": [["a", 0.5], ["a", 0.5]]}),
            r"model\.pmap: the label 'a' stands there twice",
        ),
        (text_of({"family": "CategoricalDistribution", "pmap": [[1, 0.5], [True, 0.5]]}), "stands there twice"),
        (text_of({"family": "CategoricalDistribution", "pmap": [["a", 0.5, 1]]}), r"must be a list of \[label, value\]"),
        (
            text_of({"family": "CategoricalDistribution", "pmap": [["a", 10**400]]}),
            "model: CategoricalDistribution: pmap must be a mapping",
        ),
        (
            text_of({"family": "GaussianDistribution", "mu": 10**400, "sigma2": 1}),
            "model: GaussianDistribution: mu must be a finite real number",
        ),
        (
            text_of({"family": "MixtureDistribution", "components": [{"family": "GaussianDistribution", "mu": 0, "sigma2": -1}], "w": [1]}),
            r"model\.components\[0\]: GaussianDistribution: sigma2 must be positive, got -1",
        ),
        (
            text_of({"family": "CompositeDistribution", "dists": [{"family": "GaussianEstimator"}]}),
            r"dists\[0\]: must hold a distribution, got Gau",
        ),
        (text_of({"family": "SequenceEstimator", "estimator": None}), r"model\.estimator: must hold an estimator, got None"),
        (text_of({"family": "CompositeDistribution", "dists": {"tuple": []}}), r"model\.dists: must be a list of distributions"),
        ('{"dmlcore": 1, "dmlcore": 1, "model": {}}', "an object names 'dmlcore' twice"),
        ('{"dmlcore": 1, "model": {"family": "PoissonDistribution", "lam": 1, "lam": 2}}', "an object names 'lam' twice"),
        ('{"dmlcore": 2, "model": {}}', "schema 2 is unknown; this version reads 1. A newer one may be needed"),
        ('{"dmlcore": "1", "model": {}}', "schema '1' is unknown"),
        ('{"dmlcore": 1, "model": -Infinity}', r'-Infinity is not JSON; write \{"float": "-inf"\}'),
    ],
    ids=range(31),
)
def test_hostile_texts_say_what_is_wrong(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=f"from_json: .*{message}") as caught:
        from_json(text)
    assert len(str(caught.value)) < 2000
    path = tmp_path / "hostile.json"
    path.write_text(text, "utf-8")
    with pytest.raises(FormatError, match=rf"load .*hostile\.json: .*{message}"):
        load(path)


def test_the_error_of_a_parameter_is_its_cause() -> None:
    with pytest.raises(FormatError) as caught:
        from_json(text_of({"family": "GaussianDistribution", "mu": 0, "sigma2": -1}))
    assert isinstance(caught.value.__cause__, ParameterError)


def paths(data: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each part of JSON data is."""
    yield here
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, part in items:
        yield from paths(part, (*here, key))


def changed(data: Any, path: tuple[Any, ...], part: Any) -> Any:
    """The data with one part exchanged."""
    if not path:
        return part
    fresh = dict(data) if isinstance(data, dict) else list(data)
    fresh[path[0]] = changed(fresh[path[0]], path[1:], part)
    return fresh


JUNK: list[Any] = [None, True, -1, 2**70, 10**400, 0.5, "", "x", [], {}, [[]], [[1, 2]], [0.5, 0.5], {"float": "nan"}, {"tuple": 1}]
JUNK += [{"map": [[1, 2], [1.0, 3]]}, {"array": [[1], [1, 2]]}, {"shared": 1}, {"shared": []}, {"family": {}}, {"bytes": "0"}]
JUNK += [{"family": "NullDistribution"}, {"family": "NullEstimator"}, {"family": "GaussianDistribution", "mu": 1, "sigma2": 2}]


@pytest.mark.parametrize("which", MODELS)
def test_spoilt_files_load_or_are_refused(which: str) -> None:
    """Whatever single part is exchanged, or character changed: a model or a `FormatError`."""
    text = (FOLDER / f"{which}.json").read_text("utf-8")
    data, rng, refused = json.loads(text), random.Random(which), 0
    where = list(paths(data))
    for i in range(300):
        if i % 3:
            spoilt = json.dumps(changed(data, rng.choice(where), rng.choice(JUNK)))
        else:
            place = rng.randrange(len(text))
            spoilt = text[:place] + chr(rng.randrange(32, 127)) + text[place + 1 :]
        try:
            assert isinstance(from_json(spoilt), Declared)
        except FormatError:
            refused += 1
    assert refused > 100


# -- limits of what is saved ---------------------------------------------------------------------------------------------


def test_depth_has_a_limit_on_both_sides() -> None:
    node: Any = N
    for _ in range(48):
        node = CompositeDistribution((node,))
    assert from_json(to_json(node)) == node
    with pytest.raises(FormatError, match="nested deeper than 100 levels"):
        to_json(CompositeDistribution((node,) * 1).replace(dists=[CompositeDistribution((node,))]))
    for _ in range(700):
        node = OptionalDistribution(node, 0.5)
    with pytest.raises(FormatError, match="nested deeper than 100 levels"):
        to_json(node)
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(FormatError, match="or holds itself"):
        to_json(OptionalDistribution(N, 0.5, missing_value=endless))


def test_a_tree_of_shared_nodes_has_a_limit() -> None:
    node: Any = GaussianEstimator()
    for _ in range(16):
        node = CompositeEstimator((node, node))
    assert bits(from_json(to_json(node))) == bits(node)
    for _ in range(5):
        node = CompositeEstimator((node, node))
    with pytest.raises(FormatError, match="more than 1,000,000 places"):
        to_json(node)
    text = '{"family": "GaussianEstimator", "shared": 0}'
    for i in range(21):
        text = f'{{"family": "CompositeEstimator", "estimators": [{text}, {{"shared": {i}}}], "shared": {i + 1}}}'
    with pytest.raises(FormatError, match="more than 1,000,000 places"):
        from_json(f'{{"dmlcore": 1, "model": {text}}}')


def test_whole_numbers_have_a_limit() -> None:
    assert from_json(to_json(CategoricalDistribution({2**14_000 - 1: 1.0}))).pmap[2**14_000 - 1] == 1.0
    with pytest.raises(FormatError, match="a whole number of 14001 bits"):
        to_json(CategoricalDistribution({2**14_000: 1.0}))


def test_a_field_with_a_name_of_the_format_is_refused() -> None:
    class SharedDistribution(Distribution):
        shared: Any = setting()
        name: str | None = name()

    with pytest.raises(FormatError, match=r"model\.shared: a field of this name cannot be saved"):
        to_json(SharedDistribution(3))


def test_many_labels_and_numbers() -> None:
    pmap = CategoricalDistribution({f"label {i}": 1 / 5000 for i in range(5000)})
    mixture = MixtureDistribution([pmap, CategoricalDistribution({"label 7": 1.0})], [0.5, 0.5])
    assert bits(from_json(to_json(mixture))) == bits(mixture)
    x = np.random.default_rng(1).normal(size=(60, 60))
    vectors = stats.MultivariateGaussianDistribution(x[0], x @ x.T)
    assert bits(from_json(to_json(vectors))) == bits(vectors)
