"""Pictures of models, with matplotlib (`pip install 'dmlcore[plot]'`). Each function takes `ax=None` (a new figure; of several
panels `axes=None`) and returns axes."""

from dmlcore.plot.comparison import compared, dependence
from dmlcore.plot.contours import contours
from dmlcore.plot.density import columns, density
from dmlcore.plot.outline import tree
from dmlcore.plot.posterior import responsibilities, uncertainty
from dmlcore.plot.records import criteria, history, intervals
from dmlcore.plot.regressions import coefficients, residuals, rootogram

__all__ = [
    "coefficients",
    "columns",
    "compared",
    "contours",
    "criteria",
    "density",
    "dependence",
    "history",
    "intervals",
    "residuals",
    "responsibilities",
    "rootogram",
    "tree",
    "uncertainty",
]
