"""The supports of families, which live in `dmlcore.base.support`: the path that programs written before hold."""

from dmlcore.base.support import *  # noqa: F403
