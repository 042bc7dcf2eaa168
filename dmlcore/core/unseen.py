"""What estimators of labels say of labels that their data do not hold."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from dmlcore.base.domains import chosen_probability
from dmlcore.base.errors import ParameterError


class AllowsUnseen:
    """Of estimators with a field `default_value`: False, and what was unseen in the fit scores -inf; True, and it scores `1 / (n + 1)` with
    n the weight of all the data, as if one more had brought something new; or a probability."""

    default_value: Any
    unseen: ClassVar[float | None] = None

    @property
    def known(self: Any) -> int:
        """How many labels the data have that it was resolved on."""
        return len(self.labels)

    def check_default_value(self) -> None:
        """Raises `ParameterError` for what is neither True, False nor a probability."""
        if not isinstance(self.default_value, bool):
            try:
                chosen_probability.check(self.default_value)
            except (ParameterError, TypeError) as error:
                raise ParameterError(f"{type(self).__name__}: default_value {error}, or True or False") from None

    def chance_of_unseen(self, count: float | None = None) -> float | None:
        """The probability that scores what was unseen in the fit; None where that depends on data nobody has seen. count: their
        weight, where the estimator was not resolved on them."""
        if not isinstance(self.default_value, bool):
            return float(self.default_value)
        if not self.default_value:
            return 0.0
        return self.unseen if self.unseen is not None or count is None else chance_of_one_more(count)


def chance_of_one_more(count: Any) -> Any:
    """Of something new after so many."""
    return 1.0 / (count + 1.0)


def log_of_unseen(default_value: float) -> float:
    """The log density that it gives."""
    return math.log(default_value) if default_value > 0 else -math.inf
