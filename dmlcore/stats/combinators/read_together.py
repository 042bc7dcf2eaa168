"""What estimators that read several fields of a record together say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from dmlcore.base.errors import StructureError
from dmlcore.core.estimator import Estimator


class FieldsTogether(Estimator):
    """Estimates several fields of a record at once, in place of their own estimators; each field's law is split off when somebody looks."""

    @classmethod
    def of(cls, es: Sequence[Any]) -> Self:
        """The estimator in place of those of the fields."""
        raise cls._missing("of(es)")

    @staticmethod
    def reads(e: Any, column: Any) -> bool:
        """Whether an estimator's field can be one of them."""
        return False

    @staticmethod
    def alike(one: Any, other: Any) -> bool:
        """Whether two such fields can stand together."""
        return True

    @staticmethod
    def pays(columns: Sequence[Any]) -> bool:
        """Whether reading these columns together costs less."""
        return len(columns) > 1

    @classmethod
    def column(cls, columns: Sequence[Any], es: Sequence[Any]) -> Any:
        """The columns of the fields as one."""
        raise cls._missing("column(columns, es)")

    @classmethod
    def joined(cls, laws: Sequence[Any], es: Sequence[Any]) -> Any:
        """The law of stacks of the fields' laws."""
        raise cls._missing("joined(laws, es)")

    @classmethod
    def split(cls, law: Any, es: Sequence[Any]) -> list[Any]:
        """The inverse of `joined`: stacks of the fields' laws."""
        raise cls._missing("split(law, es)")

    @classmethod
    def _missing(cls, method: str) -> StructureError:
        return StructureError(f"{cls.__name__} has no {method}")
