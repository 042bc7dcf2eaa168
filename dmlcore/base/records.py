"""Frozen dataclasses whose methods are written once, here, and not compiled for each class: a hundred of them are imported at once.

`from dmlcore.base.records import dataclass` is the decorator of the standard library for `frozen=True`, with its `eq` and `repr`; `fields`,
`replace`, `copy`, pickles and `help` work alike. In the standard library's form each class costs about a millisecond on import.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any


class Signature:
    """The signature of a constructor, for `help` and for completion; written when it is asked for."""

    def __get__(self, thing: Any, cls: Any = None) -> inspect.Signature:
        if thing is not None:
            raise AttributeError("__signature__")
        fields = sorted(dataclasses.fields(cls), key=lambda f: bool(f.kw_only))
        return inspect.Signature([_argument(f) for f in fields], return_annotation=None)


def _argument(field: Any) -> inspect.Parameter:
    default = _default(field) if _has_default(field) else inspect.Parameter.empty
    kind = inspect.Parameter.KEYWORD_ONLY if field.kw_only else inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(field.name, kind, default=default, annotation=field.type)


def not_set(self: Any, field: str, value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"{type(self).__name__} cannot be changed; replace({field}=..) makes another")


def not_deleted(self: Any, field: str) -> None:
    raise dataclasses.FrozenInstanceError(f"{type(self).__name__} cannot be changed: {field} stays")


def _made(self: Any, /, *given: Any, **named: Any) -> None:
    """Takes the fields, in their order or by name; those that are not given take their defaults."""
    state, fields = self.__dict__, self._record_fields
    state.update(zip(fields, given, strict=False))
    if named or len(given) != len(fields):
        _take(self, fields, given, named)
    if ready := getattr(self, "__post_init__", None):
        ready()


def _take(self: Any, fields: tuple[str, ...], given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    state, rest, who = self.__dict__, fields[len(given) :], type(self).__name__
    if len(given) > len(fields):
        raise TypeError(f"{who}: got {len(given)} values by their place, and takes {len(fields)}: {', '.join(fields)}")
    for name in named:
        if name not in rest:
            wrong = "is given twice" if name in fields else "is no field of it"
            raise TypeError(f"{who}: {name} {wrong}; it takes {', '.join(fields)}")
    for field in rest:
        if field in named:
            state[field] = named[field]
        elif field in self._record_defaults:
            state[field] = _default(self._record_defaults[field])
        else:
            raise TypeError(f"{who}: {field} is missing; it takes {', '.join(fields)}")


def _has_default(field: Any) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _default(field: Any) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _compared(self: Any) -> tuple[Any, ...]:
    return tuple(self.__dict__[f] for f in self._record_compared)


def _equal(self: Any, other: Any) -> Any:
    return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _shown(self: Any) -> str:
    shown = [f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _frozen(*, frozen: bool, eq: bool = True, repr: bool = True) -> Callable[[type], type]:
    """The decorator. Methods that a class writes itself are its own."""
    if not frozen:
        raise TypeError("this decorator makes frozen dataclasses; for others take that of the standard library")
    methods: dict[str, Any] = {"__init__": _made, "__setattr__": not_set, "__delattr__": not_deleted, "__signature__": Signature()}
    methods |= {"__eq__": _equal, "__hash__": _hash} if eq else {}
    methods |= {"__repr__": _shown} if repr else {}

    def decorate(cls: type) -> type:
        if cls.__doc__ is None:
            cls.__doc__ = cls.__name__  # the standard library would write the signature
        dataclasses.dataclass(init=False, eq=False, repr=False)(cls)
        fields: tuple[Any, ...] = dataclasses.fields(cls)  # type: ignore[arg-type]
        facts = {
            "_record_fields": tuple(f.name for f in fields),
            "_record_compared": tuple(f.name for f in fields if f.compare),
            "_record_defaults": {f.name: f for f in fields if _has_default(f)},
        }
        for name, method in (facts | methods).items():
            if name not in vars(cls) or (name == "__hash__" and vars(cls)[name] is None):  # as a class has it that writes __eq__
                setattr(cls, name, method)
        return cls

    return decorate


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    dataclass = _frozen
