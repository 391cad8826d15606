"""What came of the replicates, parameter by parameter, and whether it can be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from dyadline.engine.moments import Array
from dyadline.parallel.jobs import Arrays, Done
from dyadline.studies.certificate.known import FITS, VARIANCES, Fitted, of_convergence, true_values
from dyadline.studies.certificate.performance import LEVEL, binomial_p, holm, performance
from dyadline.studies.certificate.replicates import KENWARD_ROGER, QUANTITIES, Task
from dyadline.studies.intervals import wilson

ALPHA = 0.05
"""Level of the tests, and chance that a family of numbers has one that is wrongly called beyond chance."""

NEAR_ZERO = 2.0
"""A variance of fewer empirical standard errors than this lies next to zero."""

FREEDOM = {"satterthwaite": "", "kenward-roger": KENWARD_ROGER}
"""Ways to count degrees of freedom: what stands before the names of their arrays."""

_TASK: dict[str, Any] = {
    "study": pl.String,
    "dyads": pl.Int64,
    "larger": pl.Boolean,
    "version": pl.String,
    "model": pl.Int64,
}

_PERFORMANCE = {
    "mean": pl.Float64,
    **dict.fromkeys(("bias", "bias_error", "empirical_se", "empirical_se_error"), pl.Float64),
    **dict.fromkeys(("model_se", "model_se_error", "relative_error", "relative_error_error"), pl.Float64),
    "covered": pl.Int64,
    **dict.fromkeys(("coverage", "coverage_error", "coverage_low", "coverage_high"), pl.Float64),
    "without_interval": pl.Int64,
}

JUDGED = ("bias", "relative_error", "coverage")

RECOVERY = {
    **_TASK,
    "term": pl.String,
    "part": pl.String,
    "replicates": pl.Int64,
    "true_value": pl.Float64,
    **_PERFORMANCE,
    **{f"{name}_z": pl.Float64 for name in JUDGED},
    **{f"{name}_p": pl.Float64 for name in JUDGED},
    **{f"{name}_holm": pl.Float64 for name in JUDGED},
    "beyond": pl.String,
    "reason": pl.String,
}
"""One row per kind of study, fit and parameter. ``part``: ``fixed`` or ``variance``; performance: see
`performance.performance`; ``_z``: distance from what a perfect method has, in Monte-Carlo standard errors; ``_p``:
two-sided (t, normal, binomial); ``_holm``: adjusted over the numbers of one kind of study; ``beyond``: names of those
beyond chance, with commas; ``reason``: ``boundary``, ``large_sample``, ``unexplained``, or empty where nothing is."""

TYPE_I = {
    **_TASK,
    "term": pl.String,
    "df": pl.String,
    "replicates": pl.Int64,
    "rejected": pl.Int64,
    **dict.fromkeys(("type_i", "type_i_error", "type_i_low", "type_i_high", "z", "p", "holm"), pl.Float64),
    "beyond": pl.Boolean,
}
"""One row per kind of study, model, effect of convergence that is truly zero, and way to count degrees of freedom.
``type_i``: share of tests with p < .05; ``type_i_error``: √(.05 · .95 / n); ``type_i_low``, ``type_i_high``: Wilson
95 %; ``p``: exact binomial against .05; ``holm``: adjusted over the table."""

FIT_COUNTS = {
    **_TASK,
    **dict.fromkeys(("replicates", "failed", "not_converged", "singular"), pl.Int64),
    "mean_rows": pl.Float64,
}
"""One row per kind of study and fit. ``failed``: replicates without an answer; ``not_converged``: fits whose optimum is
not certified (they are counted here and stay in); ``singular``: fits on the boundary."""


def recovery(tasks: Sequence[Task], done: Done) -> pl.DataFrame:
    """Frame with the columns `RECOVERY`."""
    made = [
        _judged([row for asked in FITS for row in _recovered(task, asked, done.arrays[k])])
        for k, task in enumerate(tasks)
        if _answered(done, k)
    ]
    return pl.DataFrame([row for rows in made for row in rows], schema=RECOVERY)


def _recovered(task: Task, asked: Fitted, arrays: Arrays) -> list[dict[str, Any]]:
    values = true_values(task.study, asked)
    truth = np.array(list(values.values()))
    estimate, std_error, low, high = (_array(arrays, f"{asked.key}.{name}") for name in QUANTITIES)
    n = len(estimate)
    found = performance(estimate, std_error, low, high, truth)
    z = {
        "bias": _over(found["bias"], found["bias_error"]),
        "relative_error": _over(found["relative_error"], found["relative_error_error"]),
        "coverage": _over(found["coverage"] - LEVEL, np.sqrt(LEVEL * (1.0 - LEVEL) / (n - found["without_interval"]))),
    }
    p = _chances(z, found, n)
    own = [_task(task, asked) | {"term": term, "part": _part(term), "replicates": n} for term in values]
    columns = found | {f"{k}_z": v for k, v in z.items()} | {f"{k}_p": v for k, v in p.items()}
    near = any(
        v < NEAR_ZERO * se
        for (term, v), se in zip(values.items(), found["empirical_se"], strict=True)
        if term in VARIANCES and term != "covariance"
    )
    return [
        row | {"true_value": truth[k], "near": near} | {name: _plain(v[k]) for name, v in columns.items()}
        for k, row in enumerate(own)
    ]


def _chances(z: Mapping[str, Array], found: Mapping[str, Array], n: int) -> dict[str, Array]:
    from scipy.special import ndtr, stdtr

    return {
        "bias": 2.0 * stdtr(n - 1, -np.abs(z["bias"])),
        "relative_error": 2.0 * ndtr(-np.abs(z["relative_error"])),
        "coverage": binomial_p(found["covered"], n - found["without_interval"], LEVEL),
    }


def _judged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows with adjusted p values and verdicts; one kind of study is one family."""
    counted = [row for row in rows if told_once(row)]
    flat = np.array([np.nan if row[f"{name}_p"] is None else row[f"{name}_p"] for row in counted for name in JUDGED])
    adjusted = holm(flat).reshape(len(counted), len(JUDGED))
    for row, values in zip(counted, adjusted, strict=True):
        row |= {f"{name}_holm": _plain(value) for name, value in zip(JUDGED, values, strict=True)}
    for row in rows:
        beyond = [name for name in JUDGED if (row.get(f"{name}_holm") or 1.0) < ALPHA]
        row |= {"beyond": ", ".join(beyond), "reason": _reason(row, beyond)}
        del row["near"]
    return rows


def told_once(row: Mapping[str, Any]) -> bool:
    """Whether a row says what no other says: taking effects out of Model 3 moves estimates and truth alike."""
    return (row["version"], row["model"]) != ("null", 3)


def _reason(row: Mapping[str, Any], beyond: Sequence[str]) -> str:
    """Why a number lies beyond chance, as far as it is known."""
    if not beyond:
        return ""
    if row["part"] == "variance" and row["near"]:
        return "boundary"
    # Wald intervals and standard errors of variances are large-sample approximations by their nature.
    return "large_sample" if row["part"] == "variance" and "bias" not in beyond else "unexplained"


def type_i(tasks: Sequence[Task], done: Done) -> pl.DataFrame:
    """Frame with the columns `TYPE_I`."""
    rows = []
    for k, task in enumerate(tasks):
        for asked in FITS:
            if asked.version == "null" and _answered(done, k):
                rows += _tested(task, asked, done.arrays[k])
    table = pl.DataFrame(rows, schema={name: kind for name, kind in TYPE_I.items() if name not in ("holm", "beyond")})
    adjusted = holm(table["p"].to_numpy())
    return table.with_columns(holm=pl.Series(adjusted), beyond=pl.Series(adjusted < ALPHA))


def _tested(task: Task, asked: Fitted, arrays: Arrays) -> list[dict[str, Any]]:
    terms = [term for term in true_values(task.study, asked) if term not in VARIANCES]
    rows = []
    for place, term in enumerate(terms):
        for df, before in FREEDOM.items() if of_convergence(term) else ():
            p_values = _array(arrays, f"{asked.key}.{before}p_value")[:, place]
            n, rejected = len(p_values), int((p_values < ALPHA).sum())
            low, high = wilson(np.array(rejected), np.array(n))
            error = float(np.sqrt(ALPHA * (1.0 - ALPHA) / n))
            rows.append(
                _task(task, asked)
                | {"term": term, "df": df, "replicates": n, "rejected": rejected, "type_i": rejected / n}
                | {"type_i_error": error, "type_i_low": float(low), "type_i_high": float(high)}
                | {"z": (rejected / n - ALPHA) / error, "p": float(binomial_p(np.array(rejected), np.array(n), ALPHA))}
            )
    return rows


def fit_counts(tasks: Sequence[Task], done: Done) -> pl.DataFrame:
    """Frame with the columns `FIT_COUNTS`."""
    rows = []
    for k, task in enumerate(tasks):
        failed = sum(failure.task == k for failure in done.failures)
        for asked in FITS:
            if _answered(done, k):
                converged, singular, n_rows = (
                    _array(done.arrays[k], f"{asked.key}.{name}") for name in ("converged", "singular", "n_rows")
                )
                counts = {
                    "replicates": len(converged),
                    "not_converged": int((converged == 0).sum()),
                    "singular": int(singular.sum()),
                    "mean_rows": float(n_rows.mean()),
                }
                rows.append(_task(task, asked) | counts | {"failed": failed})
    return pl.DataFrame(rows, schema=FIT_COUNTS)


def _answered(done: Done, task: int) -> bool:
    """Whether there are enough replicates to speak of their spread."""
    return len(done.numbers.get(task, ())) > 1


def _task(task: Task, asked: Fitted) -> dict[str, Any]:
    own = {"study": task.study, "dyads": task.dyads, "larger": task.larger}
    return own | {"version": asked.version, "model": asked.model}


def _part(term: str) -> str:
    return "variance" if term in VARIANCES else "fixed"


def _array(arrays: Arrays, name: str) -> Array:
    return np.asarray(arrays[name], dtype=float)


def _over(distance: Array, error: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(distance / error)


def _plain(value: Any) -> Any:
    """A number of a frame: null where there is none."""
    number = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(number, float) and not np.isfinite(number) else number
