"""How many random models each property sees: a few, always the same ones, in the suite; as many as are asked for otherwise."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import providers

EXAMPLES = "DMLCORE_EXAMPLES"  # the environment variable of a long run: how many examples of each property

# Now and then Hypothesis draws a constant out of the modules that are loaded, which are others when other tests run beside.
providers._get_local_constants = providers.Constants


def few(n: int) -> Any:
    """Settings of a property: `n` examples in the suite, which are reproducible."""
    many = os.environ.get(EXAMPLES)
    return settings(
        max_examples=int(many) if many else n,
        derandomize=not many,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink) if many else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
