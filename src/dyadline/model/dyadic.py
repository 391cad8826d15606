"""The dyadic growth model: the curves of both raters in one model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from dyadline.data.frames import as_kind, frame_kind, polars_frame
from dyadline.errors import DataError, PlanError
from dyadline.model.fit import Fit, fit
from dyadline.model.source import kind_of
from dyadline.plan.tokens import quote_name


def fit_dyadic(
    frame: object,
    *,
    dyad: str,
    time: str,
    patient: str,
    therapist: str,
    predictors: str | Sequence[str] = (),
    shape: str = "linear",
    random: str = "same",
    therapist_id: str | None = None,
    method: str = "REML",
) -> Fit:
    """Fit the growth curves of both raters of a dyad together.

    `rating_ij = (β₀ + u₀)_rater + (β₁ + u₁)_rater · time + e`, with an intercept and a slope for each rater, all
    random effects of a dyad correlated, a residual variance for each rater and the correlation of the two
    residuals at the same occasion. It is short for

    ``fit("cbind(patient, therapist) ~ time * (predictors) + (time | dyad)", frame)``.

    Parameters
    ----------
    frame
        polars, pandas or pyarrow table, one row per dyad and occasion; a missing rating costs only itself.
    dyad, time, patient, therapist
        Columns: the dyad's label, time, and the two ratings.
    predictors
        Name, or names, of columns that enter the intercept and the slope of each rater.
    shape
        ``"linear"``, or ``"quadratic"`` with time² for each rater (a column ``<time>_squared`` is made).
    random
        ``"same"``: everything about time varies over dyads (four random effects, six if quadratic);
        ``"linear"``: intercepts and slopes; ``"intercept"``: intercepts alone.
    therapist_id
        Column of the therapists above the dyads: each rater's intercept also varies over them.
    method
        ``"REML"`` or ``"ML"``.

    Returns
    -------
    A fit whose terms are named by the rating columns: ``patient``, ``therapist``, ``patient:time``, … Differences
    between raters are contrasts of these.

    Raises
    ------
    PlanError
        Unknown shape or random part, columns that do not exist.
    DataError, FitError
        As `fit`.

    References
    ----------
    Raudenbush, S. W., Brennan, R. T., & Barnett, R. C. (1995). A multivariate hierarchical model for studying
    psychological change within married couples. Journal of Family Psychology, 9, 161–174. Kashy, D. A., &
    Donnellan, M. B. (2012). Conceptual and methodological issues in the analysis of data from dyads and groups.
    """
    if shape not in ("linear", "quadratic"):
        raise PlanError(f"The shape {shape!r} is not known", way_out="Use 'linear' or 'quadratic'")
    if random not in ("same", "linear", "intercept"):
        raise PlanError(f"The random part {random!r} is not known", way_out="Use 'same', 'linear' or 'intercept'")
    if isinstance(predictors, str) or not isinstance(predictors, Iterable):
        predictors = [predictors]
    names = [dyad, time, patient, therapist, *([] if therapist_id is None else [therapist_id]), *predictors]
    _refuse_names(names)
    table = polars_frame(frame)
    if time in table.columns and not table[time].dtype.is_numeric():
        raise DataError(f"The time {time!r} holds {kind_of(table[time])}, not numbers", way_out="Number the occasions")
    curve = [quote_name(time)]
    if shape == "quadratic":
        squared = f"{time}_squared"
        if squared in table.columns:
            raise PlanError(f"The data already have a column {squared!r}", way_out="Rename it")
        if time in table.columns:
            table = table.with_columns((pl.col(time).cast(pl.Float64) ** 2).alias(squared))
        curve.append(quote_name(squared))
    varying = {"same": curve, "linear": curve[:1], "intercept": ["1"]}[random]
    fixed = " + ".join(curve)
    if predictors:
        fixed = f"({fixed}) * ({' + '.join(quote_name(name) for name in predictors)})"
    responses = f"cbind({quote_name(patient)}, {quote_name(therapist)})"
    above = "" if therapist_id is None else f" + (1 | {quote_name(therapist_id)})"
    formula = f"{responses} ~ {fixed} + ({' + '.join(varying)} | {quote_name(dyad)}){above}"
    return fit(formula, as_kind(table, frame_kind(frame)) if shape == "quadratic" else frame, method)


def _refuse_names(names: Sequence[object]) -> None:
    for number, name in enumerate(names):
        if not isinstance(name, str):
            raise PlanError(f"Columns are given by name, not as {name!r}", way_out="Hand in the frame and names")
        if name in names[:number]:
            raise PlanError(f"The column {name!r} is named twice", way_out="Each column has one part in the model")
