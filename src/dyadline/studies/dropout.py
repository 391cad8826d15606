"""Does drop-out go with earlier scores? A discrete-time hazard model of being seen for the last time.

At each occasion but the study's last, every dyad that is there either comes back or was seen for the last time. Each
dyad ends once at most, so the likelihood is that of a logistic regression over these rows and its standard errors hold.

References
----------
Singer, J. D., & Willett, J. B. (1993). It's about time: Using discrete-time survival analysis to study duration and the
timing of events. Journal of Educational Statistics, 18, 155–195.
Diggle, P., & Kenward, M. G. (1994). Informative drop-out in longitudinal data analysis. Applied Statistics, 43, 49–93.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from dyadline.data.attrition import seen, shares_occasions
from dyadline.data.dataset import Dataset
from dyadline.data.roles import OCCASION
from dyadline.engine.moments import Array

STEPS = 25
"""Newton steps: regular problems need fewer than ten, with separated data each further step is as long as the last."""

FEWEST_EVENTS = 5
"""Drop-outs per effect below which the answer is doubtful."""

DEPENDENT = 1e-10
"""Smallest eigenvalue of the predictors' correlations below which they are taken to be linearly dependent."""

SCHEMA = {
    "term": pl.String,
    **dict.fromkeys(
        ("estimate", "std_error", "statistic", "p_value", "odds_ratio", "conf_low", "conf_high", "unit"), pl.Float64
    ),
    **dict.fromkeys(("n_rows", "n_dyads", "n_events"), pl.Int64),
    "doubt": pl.String,
}


def dropout(dataset: Dataset) -> pl.DataFrame:
    """Odds of being seen for the last time at an occasion, by time and by the latest ratings and outcome.

    Ratings and outcome are the dyad's latest up to and at the occasion, each in standard deviations over the rows used;
    all are in one model, on the rows at which all are known by then; one that the study does not have is left out. The
    answer speaks of drop-out that goes with what was observed (missing at random). It cannot show whether drop-out went
    with values that nobody saw.

    Returns
    -------
    polars.DataFrame
        ``term`` (``(Intercept)``, ``time``, ``patient_rating``, ``therapist_rating``, ``outcome``; without those that
        do not vary), ``estimate`` (log odds), ``std_error``, ``statistic`` (z), ``p_value``, ``odds_ratio``,
        ``conf_low, conf_high`` (of the odds ratio, 95 %), ``unit`` (one SD in the variable's units; 1 for time),
        ``n_rows, n_dyads, n_events``, ``doubt``. Where the data are separated (one value tells without exception who
        drops out), predictors are linearly dependent, or fewer were lost than there are coefficients, the numbers are
        null and ``doubt`` says why.
    """
    found = seen(dataset)
    if not shares_occasions(found):
        return _no_answer("Dyads do not share occasions, so that nobody can be missed at one.")
    known = [name for name in OCCASION if found[name].count()]
    at_risk = (
        found.with_columns(pl.col(*known).forward_fill().over("dyad"))
        .filter(pl.col("time") < pl.col("time").max())
        .drop_nulls(known)
    )
    n_events = int(at_risk["last"].sum())
    if n_events == 0 or n_events == at_risk.height:
        return _no_answer("No dyad was lost before the last occasion." if n_events == 0 else "No dyad came back.")
    columns = {name: at_risk[name].to_numpy() for name in ("time", *known)}
    peak = {name: float(np.abs(x).max()) or 1.0 for name, x in columns.items()}
    spread = {name: peak[name] * float((x / peak[name]).std(ddof=1)) for name, x in columns.items()}
    terms = [name for name in columns if spread[name] > 1e-12 * peak[name]]
    unit = {name: 1.0 if name == "time" else spread[name] for name in terms}
    X = np.column_stack([np.ones(at_risk.height)] + [(columns[c] - columns[c].mean()) / spread[c] for c in terms])
    sizes = {"n_rows": at_risk.height, "n_dyads": at_risk["dyad"].n_unique(), "n_events": n_events}
    if np.linalg.eigvalsh(X.T @ X / len(X))[0] < DEPENDENT:
        return _no_answer(
            "Time, ratings and outcome are linearly dependent: one can be had from the others.", [], **sizes
        )
    if min(n_events, at_risk.height - n_events) < X.shape[1]:
        lost = f"Of the dyads with all three values {n_events:,} of {sizes['n_dyads']:,} were lost"
        return _no_answer(f"{lost}, which says too little for {X.shape[1]} coefficients.", terms, **sizes)
    answer = logistic(X, at_risk["last"].to_numpy().astype(float))
    if answer is None:
        return _no_answer(
            "The data are separated: some combination of time, ratings and outcome tells without exception who "
            "was lost, so that odds ratios have no finite estimate.", terms, **sizes,
        )  # fmt: skip
    beta, covariance = answer
    # From standardised columns to columns whose zero is the mean (ratings, outcome) or 0 (time).
    scale = np.array([1.0] + [unit[c] / spread[c] for c in terms])
    back = np.diag(scale)
    if "time" in terms:
        back[0, 1] = -columns["time"].mean() / spread["time"]
    beta, std_error = back @ beta, np.sqrt(np.diag(back @ covariance @ back.T))
    doubt = ""
    if n_events < FEWEST_EVENTS * len(terms):
        doubt = f"Only {n_events} dyads with all {'three' if len(known) == 3 else 'these'} values were lost."
    return _table(terms, beta, std_error, unit, sizes, doubt)


def _table(
    terms: list[str], beta: Array, std_error: Array, unit: dict[str, float], sizes: dict[str, int], doubt: str
) -> pl.DataFrame:
    from scipy.special import ndtr, ndtri

    reach = float(ndtri(0.975)) * std_error
    with np.errstate(over="ignore"):
        columns = {
            "estimate": beta,
            "std_error": std_error,
            "statistic": beta / std_error,
            "p_value": 2.0 * ndtr(-np.abs(beta / std_error)),
            "odds_ratio": np.exp(beta),
            "conf_low": np.exp(beta - reach),
            "conf_high": np.exp(beta + reach),
        }
    table = pl.DataFrame({"term": ["(Intercept)", *terms], **columns, "unit": [None, *unit.values()]})
    return table.with_columns(doubt=pl.lit(doubt), **{k: pl.lit(n) for k, n in sizes.items()}).select(
        pl.col(name).cast(kind) for name, kind in SCHEMA.items()
    )


def _no_answer(doubt: str, terms: list[str] | None = None, **sizes: int) -> pl.DataFrame:
    rows = [{"term": term, **sizes, "doubt": doubt} for term in ["(Intercept)", *(terms or [])]]
    return pl.DataFrame(rows, schema=SCHEMA)


def logistic(X: Array, y: Array) -> tuple[Array, Array] | None:
    """Logistic regression by Newton's method.

    Parameters
    ----------
    X
        Columns of about unit size, the first of ones, (n, p).
    y
        0 or 1, (n,), not all alike.

    Returns
    -------
    Coefficients, (p,), and their covariance matrix, (p, p); ``None`` where there is no finite maximum.
    """
    from scipy.special import expit, logit

    beta = np.zeros(X.shape[1])
    beta[0] = float(logit(y.mean()))
    likelihood = -np.inf
    step = np.zeros_like(beta)
    for _ in range(STEPS):
        eta = X @ beta
        now = float(y @ eta - np.logaddexp(0.0, eta).sum())
        if now < likelihood - 1e-9 * abs(likelihood):  # too long a step
            step /= 2.0
            beta = beta - step
            continue
        likelihood = now
        mu = expit(eta)
        information = X.T @ ((mu * (1.0 - mu))[:, None] * X)
        try:
            covariance = np.linalg.inv(information)
        except np.linalg.LinAlgError:
            return None
        step = covariance @ (X.T @ (y - mu))
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            return beta, covariance
    return None
