"""The domains of parameters, which live in `dmlcore.base.domains`: the path that programs written before hold."""

from dmlcore.base.domains import *  # noqa: F403
