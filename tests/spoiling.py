"""Ways to spoil one cell of an observation, at any depth and whatever its kind, and one place of a model file. `tests.corruptions` draws
from them."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

Place = tuple[Any, ...]  # what to ask for, one after the other: a position, a key, or one of these
DEEPEST = 8
KEY, ELEMENT = "the key", "the element"  # (KEY, label) of a mapping, (ELEMENT, label) of a set


class Unknown:
    """Nothing that the library knows."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Unhashable(Unknown):
    """Nothing that the library knows, and no label either."""

    __hash__ = None  # type: ignore[assignment]


def nested(depth: int, kind: Any = list) -> Any:
    """Empty collections in each other."""
    inner = kind()
    for _ in range(depth):
        inner = kind([inner])
    return inner


def itself() -> Any:
    """A list that holds itself."""
    out: list[Any] = [1]
    out.append(out)
    return out


VALUES = (
    *(None, math.nan, math.inf, -math.inf, pd.NA, pd.NaT, np.ma.masked, np.datetime64("NaT"), Decimal("nan"), Decimal("snan")),
    *("", "x", "1.5", "a", b"1", b"", "\ud800", "nan", "2021-03-04", "x" * 100_000),
    *(0, -1, 1, 7, -1.5, 0.5, 2.0, 2.5, -0.0, 1e308, -1e308, 5e-324, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**70, 10**400, 10**5000, 1j),
    *(True, False, np.True_, np.int8(3), np.uint64(2**63), np.float32(1.5), np.float64("nan"), np.longdouble(1.5), np.str_("a")),
    *(Fraction(1, 3), Decimal("1.5"), np.array(1.5), np.array([1.5]), np.array([]), np.array(["a"]), np.zeros((2, 2)), np.array([None])),
    *(date(2021, 3, 4), datetime(2021, 3, 4, 12), datetime(2021, 3, 4, 12, tzinfo=UTC), timedelta(1), np.datetime64("2021-03-04")),
    *(np.timedelta64(5, "D"), np.timedelta64(5, "Y"), pd.Timestamp("2021-03-04"), pd.Timedelta(1, "D"), pd.Period("2021", "Y")),
    *(np.datetime64("300000-01-01"), np.datetime64(1, "as"), datetime.max, date.min, timedelta.max),
    *((), (1,), (1.0, 2.0), (1, (2, 3)), ("a", 1), (None, 1.0), (2.0, None), (None, None), (math.nan,), ("a", math.nan), ((),)),
    *(frozenset(), frozenset({1}), frozenset({math.nan}), range(2), type, len, Unknown(), Unhashable(), NotImplemented, ...),
    *([], {}, set(), [1], [None], [[]], ["a"], ["a", "a"], [math.nan], {"a": 1}, {1: 2.0}, {"a": math.nan}, {1}, {"a", "b"}),
    *([("a", 1)], [("a", -1)], [(0, -1)], [("a", 2**63 - 1)], bytearray(b"ab"), memoryview(b"ab"), itself(), nested(60), nested(5000)),
    *(nested(5000, tuple), pd.Series([1.0]), pd.DataFrame({"a": [1.0]})),
)
ONCE: tuple[Callable[[], Any], ...] = (lambda: iter([1, 2]), lambda: (letter for letter in "ab"))  # what can be gone through once


# -- observations ------------------------------------------------------------------------------------------------------


def cells(x: Any, place: Place = ()) -> Iterator[Place]:
    """Where an observation has a cell: the whole, and every part, as deep as examples go."""
    yield place
    if len(place) == DEEPEST:
        return
    if isinstance(x, dict):
        for key, value in x.items():
            yield (*place, (KEY, key))
            yield from cells(value, (*place, key))
    elif isinstance(x, (list, tuple)) or (isinstance(x, np.ndarray) and x.ndim):
        for i, value in enumerate(x):
            yield from cells(value, (*place, i))
    elif isinstance(x, (set, frozenset)):
        for value in x:
            yield (*place, (ELEMENT, value))


def _is_label(step: Any) -> bool:
    return isinstance(step, tuple) and len(step) == 2 and step[0] in (KEY, ELEMENT)


def at(x: Any, place: Place) -> Any:
    """What stands in a cell."""
    for step in place:
        x = step[1] if _is_label(step) else x[step]
    return x


def put(x: Any, place: Place, new: Any) -> Any:
    """The same with another value in a cell. An array becomes a list. Raises `TypeError` where a set or a key cannot be it."""
    if not place:
        return new
    step, rest = place[0], place[1:]
    if isinstance(x, dict):
        if _is_label(step):
            return {(new if key == step[1] else key): value for key, value in x.items()}
        return {key: put(value, rest, new) if key == step else value for key, value in x.items()}
    if isinstance(x, (set, frozenset)):
        return type(x)([*(value for value in x if value != step[1]), new])
    changed = [put(value, rest, new) if i == step else value for i, value in enumerate(x)]
    return tuple(changed) if isinstance(x, tuple) else changed


def misshapen(x: Any) -> list[Any]:
    """What has parts: with one too few, one too many, one twice, in another order, or in another kind of collection."""
    if isinstance(x, dict):
        items = list(x.items())
        return [dict(items[1:]), x | {"no such key": 1}, items, list(x), list(x.values()), frozenset(x)]
    if not isinstance(x, (list, tuple, set, frozenset)) and not (isinstance(x, np.ndarray) and x.ndim):
        return []
    items = list(x)
    kind: Any = tuple if isinstance(x, tuple) else list
    array = np.empty(len(items), dtype=object)
    array[:] = items
    out = [kind(part) for part in (items[1:], items[:-1], [*items, *items[:1]], items[::-1], [x])]
    out += [kind([*items, more]) for more in (None, math.nan, "x")]
    return [*out, items, tuple(items), dict(enumerate(items)), iter(items), str(x), array]


def spoilt(x: Any, rng: np.random.Generator) -> tuple[Place, Any, Any]:
    """One cell of an observation drawn at random, what it becomes, and the whole with it."""
    places = list(cells(x))
    deep = [place for place in places if place]
    place = places[rng.integers(len(places))] if not deep or rng.random() < 0.3 else deep[rng.integers(len(deep))]
    shapes = misshapen(at(x, place)) if not place or not _is_label(place[-1]) else []
    if shapes and rng.random() < 0.5:
        new = shapes[rng.integers(len(shapes))]
    else:
        number = rng.integers(len(VALUES) + len(ONCE))
        new = VALUES[number] if number < len(VALUES) else ONCE[number - len(VALUES)]()
    try:
        return place, new, put(x, place, new)
    except TypeError:  # a set, or a key, cannot be this
        return spoilt(x, rng)


# -- model files -------------------------------------------------------------------------------------------------------

FORMS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 7, 0.5, -0.5, 1e308, -1e308, 5e-324, 2**31, 2**63, 2**70, 10**30, 10**4000, "", "x", "a"),
    *("GaussianDistribution", [], {}, [[]], [None], [1, 2], [0.5, 0.5], ["a"], {"a": 1}, nested(60), nested(97), nested(200)),
    *({"float": "nan"}, {"float": "inf"}, {"float": "-inf"}, {"float": "x"}, {"tuple": []}, {"tuple": [1, "a"]}, {"frozenset": [1]}),
    *({"set": [1, 1]}, {"set": [[1]]}, {"map": [["a", 1]]}, {"map": []}, {"map": 1}, {"map": [["a", 1], ["a", 2]]}, {"shared": 1}),
    *({"shared": 99}, {"shared": None}, {"family": "GaussianDistribution", "mu": 0.0, "sigma2": 1.0}, {"family": "GaussianEstimator"}),
    *({"family": "PoissonDistribution", "lam": 2.0}, {"family": "NullDistribution"}, {"family": "Declared"}, {"family": "Distribution"}),
    *({"family": "os.system"}, {"family": "builtins.eval", "name": "1"}, {"family": 3}, {"array": [1.0, 2.0]}, {"array": ["a"]}),
    *({"array": [], "shape": [0, 10**12]}, {"array": [], "shape": [-1]}, {"array": [1.0], "dtype": "object"}, {"array": [[1, 2], [3]]}),
    *({"array": [1.0], "dtype": "int8"}, {"array": [1e300], "dtype": "float16"}, {"array": [300], "dtype": "uint8"}),
    *({"array": {"float": "nan"}}, {"array": [{"float": "nan"}]}, {"array": [1], "dtype": [1]}, {"bytes": "00"}, {"bytes": "zz"}),
    *({"date": "2021-13-01"}, {"date": "2021-01-01"}, {"datetime": "2021-01-01T00:00:00+00:00"}, {"timedelta": [1, 2, 3]}),
    *({"timedelta": [10**12, 0, 0]}, {"timedelta": [True, 1.5, 0]}, {"decimal": "1e999999999"}, {"decimal": "sNaN"}, {"decimal": "NaN"}),
    *({"fraction": "1/0"}, {"fraction": "1e9999999"}, {"fraction": "2/6"}, {"uuid": "x"}, {"time": "1"}, {"period": ["2021", "Y"]}),
    *({"period": ["x", "y"]}, {"period": [1]}, {"interval": [0, 1, "right"]}, {"interval": [1, 0, "right"]}, {"interval": [0, "a", "x"]}),
    {"interval": [{"date": "2021-01-01"}, 1, "left"]},
)
PIECES = ("}", "{", "[", "]", ",", ":", '"', "0", "-", "e", "9" * 50, "NaN", "null", "\\u0000", "\\", "\ufeff", "é")


def spoilt_text(text: str, rng: np.random.Generator) -> tuple[str, bytes]:
    """A model file with one thing changed, and what that was: a value, a name or an entry; a quarter of them bytes of the text."""
    return _spoilt_bytes(text.encode(), rng) if rng.random() < 0.25 else _spoilt_data(json.loads(text), rng)


def _spoilt_bytes(text: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    i = int(rng.integers(len(text)))
    j = min(len(text), i + int(rng.integers(1, 30)))
    piece = str(rng.choice(PIECES))
    ways = {
        "one bit is flipped": text[:i] + bytes([text[i] ^ 1 << int(rng.integers(8))]) + text[i + 1 :],
        f"{j - i} bytes are gone": text[:i] + text[j:],
        "the rest is gone": text[:i],
        f"{j - i} bytes stand twice": text[:j] + text[i:],
        "three bytes are put in": text[:i] + rng.bytes(3) + text[i:],
        f"{piece} is put in": text[:i] + piece.encode() + text[i:],
    }
    what = str(rng.choice(list(ways)))
    return f"at byte {i}, {what}", ways[what]


def _spoilt_data(data: Any, rng: np.random.Generator) -> tuple[str, bytes]:
    places = list(places_of(data))
    *above, last = places[rng.integers(1, len(places))]
    owner = at(data, tuple(above))
    old = owner[last]
    ways: dict[str, Callable[[], Any]] = {
        "gone": lambda: owner.__delitem__(last),
        "twice": lambda: owner.insert(last, copy.deepcopy(old)) if isinstance(owner, list) else owner.update({f"{last}x": old}),
        "another value": lambda: owner.__setitem__(last, copy.deepcopy(FORMS[rng.integers(len(FORMS))])),
        "what stands elsewhere": lambda: owner.__setitem__(last, copy.deepcopy(at(data, places[rng.integers(len(places))]))),
    }
    if isinstance(owner, list):
        ways["in another order"] = owner.reverse
    if type(old) in (int, float):
        near = (-old, old * 1e300 if abs(old) < 1e8 else 1e308, old + 0.5, old + 1, old * (1 + 1e-5), 1e-300 * old, str(old))
        ways["another number"] = lambda: owner.__setitem__(last, near[rng.integers(len(near))])
    what = str(rng.choice(list(ways)))
    ways[what]()
    return f"{'.'.join(map(str, (*above, last)))}: {what}", json.dumps(data).encode()


def places_of(data: Any, place: Place = ()) -> Iterator[Place]:
    """Where JSON data have a value: the whole, and all that stands in it."""
    yield place
    for step, part in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from places_of(part, (*place, step))
