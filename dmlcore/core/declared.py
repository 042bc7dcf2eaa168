"""Immutable values with declared parameters: what a distribution and an estimator have in common.

A family names each parameter with its domain. Validation, `repr` that evaluates back, equality, pickling, JSON, the count of
free parameters and the flat unconstrained vector follow from that one declaration.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, dataclass_transform

import numpy as np

from dmlcore.base.domains import Child, Children, Domain, Keys, Text
from dmlcore.base.errors import ParameterError, shorten
from dmlcore.base.marks import is_missing
from dmlcore.base.records import Signature, not_deleted, not_set


def parameter(domain: Domain, default: Any = dataclasses.MISSING, kw_only: bool = False) -> Any:
    """Declares a field of a family: its domain, its default if it has one, and whether it is given by name only."""
    return dataclasses.field(default=default, metadata={"domain": domain}, kw_only=kw_only)


def setting(default: Any = None, kw_only: bool = False) -> Any:
    """Declares a field with any value."""
    return parameter(Domain(), default, kw_only)


def name() -> Any:
    """Declares `name`: what to call this node in messages and trees."""
    return parameter(Text(), None)


def keys(*parts: str) -> Any:
    """Declares `keys`: one string or None; or, with `parts`, a tuple of them."""
    return parameter(Keys(*parts), (None,) * len(parts)) if parts else parameter(Text(), None)


def child(default: Any = dataclasses.MISSING, kw_only: bool = False, at: str = "") -> Any:
    """Declares one nested distribution or estimator; None stands for the default, and with the default None there may be none.

    at: what messages call its place.
    """
    required = default is dataclasses.MISSING
    return parameter(Child(at, required, None if required else default), default, kw_only)


def children(each: str = "") -> Any:
    """Declares a sequence of nested distributions or estimators. each: what messages call one of them, `component`."""
    return parameter(Children(each))


class ReadAs:
    """A field that is stored in one form and read in another: tables of labels are arrays to the engine, and dicts to users."""

    def __init__(self, field: str, domain: Domain):
        self.field, self.domain = field, domain

    def __get__(self, node: Any, family: Any = None) -> Any:
        if node is None:  # so that a subclass which declares the field again does not find a default here
            raise AttributeError(self.field)
        return self.domain.shown(node.stored(self.field))

    def __set__(self, node: Any, value: Any) -> None:
        node.__dict__[self.field] = value


LAST = ("tied", "held")  # fields that every node has, behind its own
OF_THE_WHOLE = ("repeated", "scored_as", "scored_one")  # what is derived for one tree, and is not so of a part or of another


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(parameter, child, children))
class Declared:
    """Base of distributions and estimators. Subclasses become frozen dataclasses of their declared fields."""

    name: str | None
    noun: ClassVar[str] = ""  # what it is, and what nodes nested in it must be: "a distribution", or "an estimator"
    _fields: ClassVar[tuple[tuple[str, Domain], ...]] = ()
    _defaults: ClassVar[Mapping[str, Any]] = {}
    _child_fields: ClassVar[tuple[tuple[str, bool], ...]] = ()  # (field, whether it is a sequence)
    facts: ClassVar[Mapping[str, Any]] = {}  # what `pinned` added; copies and pickles keep it, `repr`, `==` and JSON leave it out
    other_names: ClassVar[Mapping[str, str]] = {}  # keywords by which users know fields -> the fields
    components_field: ClassVar[str | None] = None  # of a mixture: the children that may be one stack
    shown_with_child: ClassVar[bool] = False  # whether trees show it and its one child in one line
    says_nothing: ClassVar[bool] = False  # whether it stands where a law is not wanted
    definitions: ClassVar[int] = 0  # how many classes have been declared so far
    of_stacks: ClassVar[bool] = False  # whether it is a stack, or made of stacks, of the engine's own
    __signature__: ClassVar[Any] = Signature()
    batch: ClassVar[tuple[int, ...]] = ()  # of a stack (`dmlcore.core.stacks`): the leading axes of its parameters

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Declared.definitions += 1
        dataclasses.dataclass(init=False, eq=False, repr=False)(cls)  # which then writes no code: 250 classes are imported at once
        fields = sorted(dataclasses.fields(cls), key=lambda f: f.name in LAST)  # type: ignore[arg-type]
        cls._fields = tuple((f.name, f.metadata.get("domain") or Domain()) for f in fields)
        cls._defaults = {f.name: f.default for f in fields}
        cls._child_fields = tuple((f, isinstance(d, Children)) for f, d in cls._fields if isinstance(d, (Child, Children)))
        for field, domain in cls._fields:
            if type(domain).shown is not Domain.shown:
                setattr(cls, field, ReadAs(field, domain))

    def __init__(self, /, *given: Any, **named: Any) -> None:
        """Takes the declared fields, in their order or by name; those that are not given take their defaults."""
        state, order = self.__dict__, self.__match_args__  # type: ignore[attr-defined]
        state.update(self._defaults)
        state.update(zip(order, given, strict=False))
        if len(given) > len(order):
            raise TypeError(f"{type(self).__name__}: got {len(given)} values by their place, and takes {len(order)}: {', '.join(order)}")
        if named:
            self._take(order[: len(given)], named)
        for field, default in self._defaults.items():
            if default is dataclasses.MISSING and state[field] is default:
                raise TypeError(f"{type(self).__name__}: {field} is missing; it takes {_call(type(self))}")
        self.__post_init__()

    def _take(self, taken: Sequence[str], named: Mapping[str, Any]) -> None:
        """Takes the fields that are given by name. taken: those that were given by their place."""
        who, seen = type(self).__name__, set(taken)
        for name, value in named.items():
            field = self.other_names.get(name, name)
            if field in seen:
                also = "" if field == name else f" ({name} is another name of it)"
                raise TypeError(f"{who}: {field} is given twice{also}; give it once")
            if field not in self._defaults:
                raise TypeError(f"{who}: {_unknown(name, list(self._defaults))}")
            seen.add(field)
            self.__dict__[field] = value

    __setattr__, __delattr__ = not_set, not_deleted

    def __post_init__(self) -> None:
        for field, domain in self._fields:
            value = self.stored(field)
            try:
                checked = domain.check(value)
            except (ParameterError, TypeError) as error:
                raise type(error)(f"{type(self).__name__}: {field} {error}") from None
            if checked is not value:
                self.__dict__[field] = checked
        self._check_children()
        self.check_parts()
        self.validate()

    def _check_children(self) -> None:
        if not self._child_fields:
            return
        who = type(self).__name__
        for field, domain in self._fields:
            value = getattr(self, field)
            if isinstance(domain, Children):
                for i, node in enumerate(value):
                    check_node(node, self.noun, f"{who}: {field}[{i}]")
            elif isinstance(domain, Child) and (value is not None or domain.required):
                check_node(value, self.noun, f"{who}: {field}")

    @property
    def alternatives(self) -> int:
        """How many of its children, the first ones, are laws of which an observation has one: the components of a mixture, say."""
        return 0 if self.components_field is None else len(getattr(self, self.components_field))

    @property
    def tied_parts(self) -> tuple[tuple[str, Any], ...]:
        """Single parameters that share a key with those of other nodes, or are shared among alternatives (`dmlcore.core.parts`)."""
        return ()

    @property
    def among_alternatives(self) -> tuple[str, ...]:
        """Its parameters that are one for all the alternatives that it is among (`alternatives` of the node next above)."""
        return tuple(name for name, key in self.tied_parts if key is True)

    @property
    def held_parts(self) -> tuple[tuple[str, Any], ...]:
        """Single parameters that are held at a value."""
        return ()

    def check_parts(self) -> None:
        """Checks what is tied and held; raises `ParameterError`."""

    def validate(self) -> None:
        """Checks that concern several fields together; raises `ParameterError`."""

    def derive(self, **values: Any) -> None:
        """Sets fields or facts while the object is being made (from `validate` or `pinned`)."""
        self.__dict__.update(values)

    def pinned(self, **facts: Any) -> Self:
        """A copy that carries facts fixed for one fit (floors, label sets), beside its declared fields."""
        out = object.__new__(type(self))
        out.__dict__.update(self.__dict__)
        for of_the_whole in OF_THE_WHOLE:
            out.__dict__.pop(of_the_whole, None)
        out.__dict__.update(facts)
        declared = dict(self._fields)
        out.__dict__["facts"] = {**self.facts, **{fact: value for fact, value in facts.items() if fact not in declared}}
        return out

    @classmethod
    def unchecked(cls, batch: tuple[int, ...], /, **fields: Any) -> Self:
        """A value, or a stack of a shape, of fields that the engine made: they are neither checked nor copied."""
        out = object.__new__(cls)
        out.__dict__.update(fields, of_stacks=True)
        if batch:
            out.__dict__["batch"] = batch
        out.complete()
        return out

    def complete(self) -> None:
        """Derives what follows from the fields alone."""

    def facts_at(self, index: Any) -> dict[str, Any]:
        """The facts of some places of a stack; of one law, its own."""
        return {f: v[index] if isinstance(v, np.ndarray) and self.batch else v for f, v in self.facts.items()}

    # -- what follows from the declaration -------------------------------------------------------------------------

    def stored(self, field: str) -> Any:
        """A field's value as the engine holds it, where users are shown another form (`Domain.shown`)."""
        return self.__dict__[field] if field in self.__dict__ else self._defaults[field]

    def fields(self) -> dict[str, Any]:
        """Declared fields by name, in order, as they are stored."""
        return {field: self.stored(field) for field, _ in self._fields}

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed; validated again."""
        return type(self)(**{**self.fields(), **changes})

    def exchanged_values(self, changes: Mapping[str, Any]) -> Self:
        """The same with some fields changed: of stacks, whose numbers must only lie inside their domains. Raises `ParameterError`."""
        for field, domain in self._fields:
            if field in changes and not domain.holds(changes[field]):
                raise ParameterError(f"{type(self).__name__}: {field} must be {domain.need}")
        return type(self).unchecked(self.batch, **{**self.fields(), **changes}).pinned(**self.facts)

    def children(self) -> tuple[Any, ...]:
        """Nested distributions or estimators, in declared order."""
        out: tuple[Any, ...] = ()
        for field, many in self._child_fields:
            value = getattr(self, field)
            out += tuple(value) if many else () if value is None else (value,)
        return out

    def places(self) -> list[str]:
        """How each child is reached: `components[1]`, `dist`."""
        out: list[str] = []
        for field, many in self._child_fields:
            value = getattr(self, field)
            out += [f"{field}[{i}]" for i in range(len(value))] if many else [] if value is None else [field]
        return out

    def steps(self) -> list[str]:
        """How messages name the way to each child: `component 1`, `field 0`, `(optional)`."""
        out: list[str] = []
        for field, domain in self._fields:
            value = getattr(self, field)
            if isinstance(domain, Children):
                out += [f"{domain.each} {i}" if domain.each else f"{field}[{i}]" for i in range(len(value))]
            elif isinstance(domain, Child) and value is not None:
                out.append(f"({self.label}) {domain.at}".rstrip())
        return out

    def with_children(self, new: tuple[Any, ...]) -> Self:
        """A copy with its nested distributions or estimators exchanged one for one."""
        return self.pinned(**self.child_values(new))

    def child_values(self, new: Sequence[Any], but: str | None = None) -> dict[str, Any]:
        """The values of the fields that hold nested distributions or estimators, if these stood there. but: a field that is left out."""
        out, rest = {}, iter(new)
        for field, many in self._child_fields:
            if field == but:
                continue
            value = getattr(self, field)
            out[field] = tuple(next(rest) for _ in value) if many else None if value is None else next(rest)
        return out

    @classmethod
    def family_name(cls) -> str:
        """The word for this family in messages: `GaussianDistribution` and `GaussianEstimator` are "gaussian"."""
        word = re.sub(r"(Distribution|Estimator)$", "", cls.__name__)
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word).lower()

    @property
    def label(self) -> str:
        """How messages call this node: its name, or its family."""
        return self.name or self.family_name()

    def __repr__(self) -> str:
        shown = []
        required = True
        for f in sorted(dataclasses.fields(self), key=lambda f: bool(f.kw_only)):  # type: ignore[arg-type]
            value = self.stored(f.name)
            if f.default is not dataclasses.MISSING and same(value, f.default):
                required = False
                continue
            text = _readable(getattr(self, f.name))
            shown.append(text if required and not f.kw_only else f"{f.name}={text}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(same(self.stored(field), other.stored(field)) for field, _ in self._fields)

    def __hash__(self) -> int:
        return hash((type(self), *(_hashable(getattr(self, field)) for field, _ in self._fields)))

    def __reduce__(self) -> Any:
        if self.of_stacks:  # which no constructor would take
            return _restored, (type(self), {f: v for f, v in self.__dict__.items() if f not in OF_THE_WHOLE})
        return _rebuild, (type(self), self.fields(), self.facts)

    def __copy__(self) -> Self:
        return self

    def parameters(self) -> Iterator[tuple[str, Domain, Any]]:
        """`(name, domain, value)` of each declared field that is no nested node."""
        for field, domain in self._fields:
            if not isinstance(domain, (Child, Children)):
                yield field, domain, self.stored(field)


def _unknown(name: str, known: Sequence[str]) -> str:
    """What is said of an argument that there is not."""
    near = difflib.get_close_matches(name, known, 1)
    return f"there is no argument {name}; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}")


def own_fields(law: Any) -> list[tuple[str, Any, Any]]:
    """`(name, domain, value)` of the fields that are no children."""
    return [(f, d, law.stored(f)) for f, d in law._fields if not isinstance(d, (Child, Children))]


def chosen(first: np.ndarray, one: Any, other: Any) -> Any:
    """A stack of one law where `first` (of the stack's shape), of the other elsewhere."""
    fields = {f: d.chosen(first, v, other.stored(f)) for f, d, v in own_fields(one)}
    own = one.child_values(tuple(chosen(first, a, b) for a, b in zip(one.children(), other.children(), strict=True)))
    return type(one).unchecked(one.batch, **fields, **own)


def renamed(old: str, new: type) -> type:
    """A class by a name that it had before."""
    warnings.warn(f"{old} is now {new.__name__}: a node that is made of others is one that has children", DeprecationWarning, stacklevel=3)
    return new


def check_node(value: Any, noun: str, who: str, error: type[Exception] = ParameterError) -> None:
    """Raises unless a value is `noun`, a distribution or an estimator; the message says what to write instead."""
    if isinstance(value, Declared) and value.noun == noun:
        return
    family = value if isinstance(value, type) else type(value)
    got, remedy = shorten(value), ""
    if issubclass(family, Declared):
        got = f"the class {family.__name__}" if value is family else got
        other = getattr(family, "estimator_family", None) or getattr(family, "family", None)
        right = family if family.noun == noun else other
        remedy = f"; write {_call(right)}" if right is not None else ""
    raise error(f"{who} must be {noun}, got {got}{remedy}")


def _call(family: type[Declared]) -> str:
    """How an object of a family is made: `GaussianEstimator()`, `PoissonDistribution(lam)`."""
    required = [f.name for f in dataclasses.fields(family) if f.default is dataclasses.MISSING]  # type: ignore[arg-type]
    return f"{family.__name__}({', '.join(required)})"


def _rebuild(cls: type[Declared], fields: dict[str, Any], facts: Mapping[str, Any] | None = None) -> Declared:
    nested = {field: fields[field] for field, _ in cls._child_fields}  # `validate` may make them anew, without their facts
    return cls(**fields).pinned(**nested, **(facts or {}))


def _restored(cls: type[Declared], state: dict[str, Any]) -> Declared:
    out = object.__new__(cls)
    out.__dict__.update(state)
    return out


def _readable(value: Any) -> str:
    """A `repr` that evaluates back, infinite and missing numbers too."""
    if isinstance(value, (np.ndarray, np.generic)):
        return _readable(value.tolist()) if value.dtype.kind == "f" and not np.isfinite(value).all() else repr(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return f"float('{value}')"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_readable(label)}: {_readable(v)}" for label, v in value.items()) + "}"
    if type(value) is tuple and not (value and isinstance(value[0], Declared)):
        return f"({', '.join(map(_readable, value))}{',' * (len(value) == 1)})"
    if type(value) in (list, tuple):
        return f"[{', '.join(map(_readable, value))}]"
    if type(value) in (set, frozenset) and value:
        inside = "{" + ", ".join(map(_readable, value)) + "}"
        return inside if type(value) is set else f"frozenset({inside})"
    return repr(value)


def same(a: Any, b: Any) -> bool:
    """Equality of field values: arrays entry by entry, NaN and other marks of something missing equal to their like."""
    if a is b:
        return True
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        floats = all(np.asarray(each).dtype.kind in "fc" for each in (a, b))
        return np.array_equal(a, b, equal_nan=floats)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(same(u, v) for u, v in zip(a, b, strict=True))
    if is_missing(a) or is_missing(b):
        return is_missing(a) and is_missing(b) and (type(a) is type(b) or (isinstance(a, float) and isinstance(b, float)))
    return bool(a == b)


def _hashable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()  # as `same` takes it: equal to a list of its numbers, and zero to minus zero
    if isinstance(value, (tuple, list)):
        return tuple(_hashable(v) for v in value)
    if is_missing(value):
        return "missing"
    try:
        return hash(value)
    except TypeError:  # mappings: equal ones have equal lengths
        return len(value) if hasattr(value, "__len__") else 0
