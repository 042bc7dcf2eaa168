"""Labels of less usual types as JSON data, and back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from dmlcore.base.labels import of_pandas

FORMS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "time": (time, time.isoformat, time.fromisoformat),
    "decimal": (Decimal, str, Decimal),
    "fraction": (Fraction, str, lambda form: Fraction(*map(int, form.split("/")))),  # Fraction reads "1e999999999" too, for ever
    "uuid": (UUID, str, UUID),
}
LABEL_KINDS = (*FORMS, "interval", "period")


def label_form(label: Any, each: Callable[[Any], Any]) -> dict[str, Any] | None:
    """A label as `{kind: form}`; None of other types. each: writes a part of one."""
    for kind, (family, form, _) in FORMS.items():
        if type(label) is family:
            return {kind: form(label)}
    if of_pandas(label, "Interval"):
        return {"interval": [each(label.left), each(label.right), label.closed]}
    if of_pandas(label, "Period"):
        return {"period": [str(label), label.freqstr]}
    return None


def label_of(kind: str, form: Any, each: Callable[[Any], Any]) -> Any:
    """The label of a form, of a kind in `LABEL_KINDS`. Raises `ValueError` or `TypeError` for no such form."""
    if kind == "interval":
        import pandas as pd

        *ends, closed = form
        times = {datetime: pd.Timestamp, timedelta: pd.Timedelta}
        return pd.Interval(*(times.get(type(end), lambda plain: plain)(end) for end in map(each, ends)), closed)
    if kind == "period":
        import pandas as pd

        return pd.Period(*form)
    if not isinstance(form, str):
        raise ValueError("text is needed")
    try:
        return FORMS[kind][2](form)
    except ArithmeticError as error:  # what Decimal and Fraction raise
        raise ValueError(str(error)) from None
