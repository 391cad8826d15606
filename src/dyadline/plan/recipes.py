"""The outcome models of the method, made from a plan."""

from __future__ import annotations

from dyadline.errors import PlanError
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.formula import parse_formula
from dyadline.plan.model import ModelSpec
from dyadline.plan.tokens import quote_name


def outcome_model(number: int, plan: AnalysisPlan, *, random: str | None = None) -> ModelSpec:
    """Model 1 (time only), 2 (convergence) or 3 (convergence and what it could be confused with).

    Every predictor of the dyad enters intercept and slope; intercept and slope vary over dyads, unstructured.
    With three levels the intercept varies over therapists too, and the slope where the plan says so.

    Parameters
    ----------
    number
        1, 2 or 3.
    plan
        Says whether the early discrepancy is a predictor, which covariates are, and how many levels there are.
    random
        The random part; as the plan says unless given, three levels for ``"auto"``.

    Returns
    -------
    ModelSpec
        On columns ``outcome, time, dyad, therapist, baseline, convergence, early_patient, early_therapist,
        early_discrepancy, development`` and the covariates by their own names.

    Raises
    ------
    PlanError
        For another number.

    References
    ----------
    Nissen-Lie et al. (2020), doi:10.1080/10503307.2020.1823030.
    """
    asked = random_part(therapists=plan.models.levels != 2, slopes=plan.models.therapist_slopes)
    varying = asked if random is None else random
    if number == 1:
        return parse_formula(f"outcome ~ time + {varying}")
    covariates = [quote_name(name) for name in plan.columns.covariates]
    if number == 2:
        predictors = ["baseline", "convergence", *covariates]
    elif number == 3:
        discrepancy = [] if plan.convergence.early_discrepancy == "none" else ["early_discrepancy"]
        predictors = ["baseline", "early_patient", "early_therapist", *discrepancy]
        predictors += ["development * convergence", *covariates]
    else:
        raise PlanError(f"There is no Model {number}", way_out="The models are 1, 2 and 3")
    return parse_formula(f"outcome ~ time * ({' + '.join(predictors)}) + {varying}")


def random_part(*, therapists: bool, slopes: bool = False, time: str = "time") -> str:
    """``(time | dyad)``, and with therapists ``(1 | therapist)`` or, with their slopes, ``(time | therapist)``."""
    return f"({time} | dyad)" + (f" + ({time if slopes else 1} | therapist)" if therapists else "")
