"""From what replicates gave to the tables of a power study.

Measures and their Monte-Carlo errors: Morris, T. P., White, I. R., & Crowther, M. J. (2019). Using simulation studies
to evaluate statistical methods. Statistics in Medicine, 38, 2074–2102.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dyadline.engine.moments import Array
from dyadline.parallel.jobs import Arrays
from dyadline.plan.scores import describe_operationalisation
from dyadline.plan.truth import Truth
from dyadline.studies.intervals import NORMAL, wilson
from dyadline.studies.power.design import Design, patients_per_therapist, share_lost
from dyadline.studies.power.models import terms_in_question
from dyadline.studies.power.result import SCORES, TESTS
from dyadline.studies.power.work import ERROR_FREE, ESTIMATED, PowerWork, correlation

CLEAR = 3.0
"""A ratio is given only where its denominator is so many standard errors from zero."""

Row = dict[str, object]


def share(successes: int, trials: int) -> tuple[float | None, float | None, float | None]:
    """A share and its 95 % interval (Wilson); nothing without trials."""
    if not trials:
        return None, None, None
    low, high = wilson(np.array(successes), np.array(trials))
    return successes / trials, float(low), float(high)


def rejections(arrays: Arrays, key: str, alpha: float) -> NDArray[np.bool_]:
    """Whether each test of each replicate is significant, (n, T); a replicate without an answer is not."""
    from scipy.special import stdtr

    estimate, error, df = (_numbers(arrays, f"{key}.{name}") for name in ("estimate", "std_error", "df"))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2.0 * stdtr(np.minimum(df, 1e12), -np.abs(estimate / error))
    return np.asarray(answered(arrays, key) & (p < alpha))


def answered(arrays: Arrays, key: str) -> NDArray[np.bool_]:
    """Whether each test of each replicate has an answer, (n, T)."""
    estimate, error, df = (_numbers(arrays, f"{key}.{name}") for name in ("estimate", "std_error", "df"))
    converged = _numbers(arrays, f"{key}.converged").astype(bool)
    return np.asarray(converged[:, None] & np.isfinite(estimate) & np.isfinite(error) & (error > 0.0) & (df > 0.0))


def _numbers(arrays: Arrays, name: str) -> Array:
    return np.asarray(arrays[name], dtype=np.float64)


def design_row(number: int, given: Truth, design: Design, made: Truth) -> Row:
    """The columns that say which design a row is about.

    Parameters
    ----------
    number
        Of the design.
    given
        The truth before it was designed: what was not asked for is said as it stands there, without the whole numbers
        of therapists that more or fewer dyads round to.
    design, made
        What was asked for, and what came of it.
    """
    lost = share_lost(made) if design.drop_out is None else design.drop_out
    per = patients_per_therapist(given) if design.per_therapist is None else design.per_therapist
    return {
        "design": number,
        "dyads": made.dyads,
        "sessions": len(made.rated_occasions),
        "drop_out": None if lost is None else round(lost, 10),
        "per_therapist": per,
        "effect": design.effect,
    }


def tests_table(
    work: PowerWork,
    arrays: Mapping[int, Arrays],
    lost: Mapping[int, int],
    alpha: float,
    shown: Sequence[Row],
    nulls: Mapping[int, int],
) -> pl.DataFrame:
    """One row per design, score and tested term; columns as `result.TESTS`.

    Parameters
    ----------
    work
        What was done.
    arrays
        Results by design.
    lost
        Replicates without any result, by design: they count as not significant.
    alpha
        Level of the tests.
    shown
        What says which design a row is about, of each design that has rows.
    nulls
        For each of these the design without effect, where there is one.
    """
    rows: list[Row] = []
    for design, named in enumerate(shown):
        if not (arrays.get(design) or lost.get(design)):
            continue
        for number, how in enumerate(work.scores):
            plan = work.plan.model_copy(update={"convergence": how})
            for model in work.models:
                terms = terms_in_question(model, plan, every=work.every)
                key = f"{number}.{model}"
                measured = _measures(_found(arrays, design, key, terms), key, alpha, lost.get(design, 0))
                still = nulls.get(design)
                wrong = (
                    []
                    if still is None
                    else _shares(_found(arrays, still, key, terms), f"{key}.{ESTIMATED}", alpha, lost.get(still, 0))
                )
                for place, term in enumerate(terms):
                    about = {
                        **named,
                        "score": describe_operationalisation(how).name,
                        "model": model,
                        "term": term,
                    }
                    type_i = wrong[place] if wrong else (None, None, None)
                    rows.append(
                        {
                            **about,
                            **{name: _plain(values, place) for name, values in measured.items()},
                            **dict(zip(("type_i", "type_i_low", "type_i_high"), type_i, strict=True)),
                        }
                    )
    return pl.DataFrame([{name: row[name] for name in TESTS} for row in rows], schema=TESTS)


def _found(arrays: Mapping[int, Arrays], design: int, key: str, terms: Sequence[str]) -> Arrays:
    """Results of a design; of no replicate where there are none."""
    if found := arrays.get(design):
        return found
    own = f"{key}.{ESTIMATED}"
    return {
        **{f"{own}.{name}": np.zeros((0, len(terms))) for name in ("estimate", "std_error", "df")},
        **{f"{own}.{name}": np.zeros(0) for name in ("converged", "singular")},
    }


def _plain(values: object, place: int) -> object:
    """One term's value; NaN is nothing."""
    value = values[place] if isinstance(values, np.ndarray | list) else values
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _shares(arrays: Arrays, key: str, alpha: float, lost: int) -> list[tuple[float | None, float | None, float | None]]:
    """Shares of rejections; nothing of a test that the model does not have."""
    hits, known = rejections(arrays, key, alpha), answered(arrays, key)
    trials = np.where(known.any(axis=0) | (not known.any()), len(hits) + lost, 0)
    return [share(int(some), int(n)) for some, n in zip(hits.sum(axis=0), trials, strict=True)]


def _measures(arrays: Arrays, key: str, alpha: float, lost: int) -> dict[str, object]:
    """Measures of T tests, each a list of T or one for all."""
    from scipy.special import stdtrit

    own = f"{key}.{ESTIMATED}"
    estimate, error, df = (_numbers(arrays, f"{own}.{name}") for name in ("estimate", "std_error", "df"))
    known = answered(arrays, own)
    some, terms = known.any(axis=1), estimate.shape[1]
    power = _shares(arrays, own, alpha, lost)
    found: dict[str, object] = {
        "replicates": len(estimate) + lost,
        "failed": [int(count) + lost for count in (~known).sum(axis=0)],
        "singular": float(_numbers(arrays, f"{own}.singular")[some].mean()) if some.any() else None,
        "power": [p for p, _, _ in power],
        "power_low": [low for _, low, _ in power],
        "power_high": [high for _, _, high in power],
        "estimate": _means(estimate, known),
        "std_error": _means(error, known),
        "sd_estimates": _spreads(estimate, known),
        **{name: [None] * terms for name in TRUE},
    }
    exact = f"{key}.{ERROR_FREE}"
    if f"{exact}.estimate" not in arrays:
        return found
    true = _numbers(arrays, f"{exact}.estimate")
    both = known & answered(arrays, exact)
    target = _means(true, both)
    bias, n = _means(estimate - true, both), both.sum(axis=0)
    half = stdtrit(np.minimum(df, 1e12), 0.975) * error
    inside = both & (np.abs(estimate - target) <= half)
    cover = [share(int(hit), int(all_)) for hit, all_ in zip(inside.sum(axis=0), n, strict=True)]
    with np.errstate(invalid="ignore", divide="ignore"):
        bias_error = _spreads(estimate - true, both) / np.sqrt(n)
        clear = np.abs(target) > CLEAR * _spreads(true, both) / np.sqrt(n)
        ratio = np.where(clear, _means(estimate, both) / target, np.nan)
        # Delta method: estimate − ratio · true has mean zero.
        off = _spreads(estimate - ratio * true, both) / np.sqrt(n) / np.abs(target)
    free = _shares(arrays, exact, alpha, lost)
    return found | {
        "true_effect": target,
        "bias": bias,
        "bias_error": bias_error,
        "attenuation": ratio,
        "attenuation_low": ratio - NORMAL * off,
        "attenuation_high": ratio + NORMAL * off,
        "coverage": [c for c, _, _ in cover],
        "coverage_low": [low for _, low, _ in cover],
        "coverage_high": [high for _, _, high in cover],
        "power_error_free": [p for p, _, _ in free],
    }


TRUE = (
    "true_effect",
    "bias",
    "bias_error",
    "attenuation",
    "attenuation_low",
    "attenuation_high",
    "coverage",
    "coverage_low",
    "coverage_high",
    "power_error_free",
)
"""What is known only where the same studies were analysed with scores free of error."""


def _means(values: Array, there: NDArray[np.bool_]) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(there, values, 0.0).sum(axis=0) / there.sum(axis=0))


def _spreads(values: Array, there: NDArray[np.bool_]) -> Array:
    """Standard deviations over replicates, (T,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.where(there, values - _means(values, there), 0.0)
        n = there.sum(axis=0)
        return np.asarray(np.sqrt(np.where(n > 1, (off * off).sum(axis=0) / (n - 1), np.nan)))


def scores_table(work: PowerWork, arrays: Mapping[int, Arrays], shown: Sequence[Row]) -> pl.DataFrame:
    """One row per design and operationalisation; columns as `result.SCORES`."""
    rows: list[Row] = []
    for design, named in enumerate(shown):
        if not arrays.get(design):
            continue
        for number, how in enumerate(work.scores):
            found = arrays[design]
            key = f"{number}.reliability"
            r = correlation(_numbers(found, key)) if key in found else None
            rows.append(
                {
                    **named,
                    "score": describe_operationalisation(how).name,
                    "reliability": None if r is None else r * r,
                    "validity": correlation(_numbers(found, f"{number}.validity")),
                    "without": float(_numbers(found, f"{number}.without").mean()),
                }
            )
    return pl.DataFrame(rows, schema=SCORES)
