"""The table of conditional modes: what the model says of each dyad and each therapist."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dyadline.data.frames import as_kind
from dyadline.errors import PlanError
from dyadline.inference.coefficients import check_level
from dyadline.model.fit import Fit
from dyadline.model.predict import conditional_effects


def random_effects(fit: Fit, *, level: float = 0.95) -> Any:
    """Conditional modes (BLUPs) of the random effects with standard errors.

    The standard error is the SD of the true effect around its mode, variances and fixed effects taken as known
    (lme4's ``condVar``, what caterpillar plots show). With three levels a dyad's mode is its deviation from its
    therapist's, and its standard error includes that the therapist's is not known.

    Returns
    -------
    A frame of the kind that was fitted, one row per group and effect: ``group`` (the grouping), ``level`` (the
    group's label as text), ``effect, mode, std_error, conf_low, conf_high``; innermost grouping first, groups in the
    order of the data.

    Raises
    ------
    PlanError
        If the model has no random effects.

    References
    ----------
    Bates, D., Mächler, M., Bolker, B., & Walker, S. (2015). Journal of Statistical Software, 67(1).
    """
    from scipy.special import ndtri

    check_level(level)
    if not any(grouping.effects for grouping in fit.design.groupings):
        raise PlanError("The model has no random effects, so there are no conditional modes")
    reach = float(ndtri(0.5 + level / 2.0))
    parts = []
    for grouping, (modes, spread) in zip(fit.design.groupings, conditional_effects(fit), strict=True):
        groups, q = modes.shape
        std_error = np.sqrt(np.maximum(np.diagonal(spread, axis1=1, axis2=2), 0.0)).ravel()
        mode = modes.ravel()
        labels = grouping.labels.cast(pl.String)
        parts.append(
            pl.DataFrame(
                {
                    "group": pl.repeat(grouping.name, groups * q, eager=True),
                    "level": labels.gather(np.repeat(np.arange(groups), q)),
                    "effect": list(grouping.effects) * groups,
                    "mode": mode,
                    "std_error": std_error,
                    "conf_low": mode - reach * std_error,
                    "conf_high": mode + reach * std_error,
                }
            )
        )
    return as_kind(pl.concat(parts), fit.kind)
