"""The errors of the library. All are `ValueError`; each says who, where, what must hold, what came, and what to do."""

from __future__ import annotations

from typing import Any


class DmlcoreError(ValueError):
    """Base of every error raised on purpose by this library."""


class ParameterError(DmlcoreError):
    """A parameter or setting lies outside its domain."""


class StructureError(DmlcoreError):
    """Parts that must fit together do not: components of different observations, a model that is not of the estimator's shape."""


class LibraryError(StructureError, ImportError):
    """What was asked for needs a library that is not installed; the message says which extra of dmlcore brings it."""


class KeyClashError(StructureError):
    """Two nodes carry one key but cannot share a law: different families, settings or shapes."""


class DataError(DmlcoreError):
    """An observation is of the wrong kind: text where a real is needed, a short tuple, an unhashable label."""


class SupportError(DataError):
    """A row that no parameters of the model could have produced takes part in a fit."""


class EmptyError(DmlcoreError):
    """There is nothing to estimate from: no rows, or no weight."""


class DegenerateError(DmlcoreError):
    """The data determine no finite maximum: a constant column for a Gaussian, one row for a covariance."""


class LikelihoodError(DmlcoreError):
    """The objective fell or became NaN during a fit. A family's estimate and its log density disagree."""


class FormatError(DmlcoreError):
    """A model cannot be saved, or a text is no saved model that this version can read."""


class FitWarning(UserWarning):
    """A fit or one of several starts did not end as a maximum, and the caller can act: other data, a prior, other starts."""


class SlowWarning(UserWarning):
    """Something makes all work many times slower than it need be, and the caller can act."""


class BadValue(Exception):
    """Raised while encoding, by position; turned into a `DataError` with path and row at the top."""

    def __init__(self, index: int, value: Any, need: str, path: str = "", within: str = ""):
        super().__init__(need)
        self.index, self.value, self.need, self.path, self.within = index, value, need, path, within


def inside(place: str, message: str) -> str:
    """A message about what stands at a place: in `field 1`, `(optional).gaussian: ..` is `field 1 (optional).gaussian: ..`."""
    return f"{place} {message}" if message.startswith("(") else f"{place}.{message}"


def shorten(value: Any, width: int = 80) -> str:
    """`repr` of a value, cut to a readable width; its type, where it has none: lists in lists without end, numbers of 5,000 digits."""
    try:
        text = repr(value)
    except Exception:  # whatever its own code raises: the message it stands in says more
        text = f"<a value of the type {type(value).__name__} that cannot be written>"
    return text if len(text) <= width else text[: width - 3] + "..."
