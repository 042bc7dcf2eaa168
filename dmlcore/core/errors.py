"""The errors, which live in `dmlcore.base.errors`: the path that programs written before hold."""

from dmlcore.base.errors import *  # noqa: F403
