"""Results of power studies made by hand: plausible numbers, no simulation."""

from __future__ import annotations

import math
from itertools import product
from statistics import NormalDist
from typing import Any

import polars as pl

from dyadline.parallel.jobs import Failure
from dyadline.plan.truth import Truth
from dyadline.studies.power.result import NEEDED, SCORES, TESTS, PowerResult
from dyadline.studies.twins import parameters

NAMES = (
    "multilevel/absolute/rate/window/log_shift",
    "multilevel/absolute/rate/window/none",
    "ols/absolute/rate/window/log_shift",
    "multilevel/signed/rate/window/none",
    "observed/absolute/endpoints/window/none; early_level=first_rating",
)
SHORT = (
    "default",
    "untransformed",
    "ols",
    "signed, untransformed",
    "observed, endpoints, untransformed, first_rating",
)

MODELS = ((2, "convergence"), (2, "time:convergence"), (3, "convergence"), (3, "time:convergence"))

_RELIABILITY = (0.58, 0.61, 0.49, 0.72, 0.31)
_Z = NormalDist()


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's interval, 95 %."""
    z = 1.959963984540054
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def make_truth(study: str = "study1", **outcome: Any) -> Truth:
    """The twin's parameters with an outcome that true curves drive."""
    given = parameters(study)
    slope = given["outcome"]["slope"] | {"convergence": 0.0}
    given["outcome"] = given["outcome"] | {"given": "latent", "effect": 0.3, "slope": slope} | outcome
    return Truth.model_validate(given)


def power_result(
    *,
    dyads: tuple[int, ...] = (96,),
    sessions: tuple[int, ...] = (14,),
    drop_out: tuple[float, ...] = (0.2,),
    per_therapist: tuple[float | None, ...] = (None,),
    effect: tuple[float | None, ...] = (0.3,),
    scores: int = 1,
    models: tuple[tuple[int, str], ...] = MODELS,
    replicates: int = 1000,
    failed: int = 0,
    nulls: bool = True,
    searched: str = "found",
    title: str = "Study 1 (synthetic twin)",
    truth: Truth | None = None,
    failures: tuple[Failure, ...] = (),
    interrupted: bool = False,
) -> PowerResult:
    """A result whose power follows the normal approximation with an attenuated slope.

    Parameters
    ----------
    dyads, sessions, drop_out, per_therapist, effect
        Values of the grid; all are crossed.
    scores
        How many of `NAMES`.
    models
        Model and term of each test.
    replicates, failed
        Per design, and how many of them without an answer.
    nulls
        Whether type I error was asked for.
    searched
        Status of the search for the number of dyads; empty for no search.
    title, truth, failures, interrupted
        Of the result.
    """
    tests, seen, needed = [], [], []
    grid = list(product(dyads, sessions, drop_out, per_therapist, effect))
    for design, (n, k, lost, per, beta) in enumerate(grid):
        values = {"design": design, "dyads": n, "sessions": k, "drop_out": lost, "per_therapist": per, "effect": beta}
        for place, name in enumerate(NAMES[:scores]):
            reliability = _RELIABILITY[place] ** (14 / k) ** 0.5
            validity = math.sqrt(reliability) * (0.9 if "signed" not in name else 0.2)
            seen.append(
                values | {"score": name, "reliability": reliability, "validity": validity, "without": 0.01 * place}
            )
            for model, term in models:
                tests.append(
                    values
                    | _test(values, name, model, term, validity, replicates=replicates, failed=failed, nulls=nulls)
                )
    searched_for = (
        product(sessions, drop_out, per_therapist, effect, NAMES[:scores], [m for m in models if "time" in m[1]])
        if searched
        else ()
    )
    for k, lost, per, beta, name, (model, term) in searched_for:
        needed.append(
            {"sessions": k, "drop_out": lost, "per_therapist": per, "effect": beta, "score": name}
            | {"model": model, "term": term, "goal": 0.8, "replicates": 12000, "status": searched}
            | {"n": 210 + 30 * model, "n_low": 197.6 + 30 * model, "n_high": 224.3 + 30 * model}
        )
    return PowerResult(
        truth=truth or make_truth(),
        title=title,
        alpha=0.05,
        replicates=replicates,
        seed=2020,
        tests=pl.DataFrame(tests, schema=TESTS, orient="row"),
        scores=pl.DataFrame(seen, schema=SCORES, orient="row"),
        needed=pl.DataFrame(needed, schema=NEEDED, orient="row"),
        operationalisations=[(name, f"The score that is called {name}.") for name in NAMES[:scores]],
        failures=failures,
        interrupted=interrupted,
    )


def _test(
    values: dict[str, Any],
    name: str,
    model: int,
    term: str,
    validity: float,
    *,
    replicates: int,
    failed: int,
    nulls: bool,
) -> dict[str, Any]:
    beta = values["effect"] or 0.0
    of_slope = "time" in term
    left = values["dyads"] * (1 - values["drop_out"] / 2) * (1 - 3 / values["sessions"] / 2)
    per = values["per_therapist"] or 1.0

    def power(size: float) -> float:
        return 1 - _Z.cdf(1.96 - abs(size) * math.sqrt(left - 4 * model)) if of_slope else 0.05

    share = min(1.0, power(beta * validity) * (1 - failed / replicates))
    type_i = min(1.0, 0.05 + (0.004 * (per - 1) if per > 1 else 0.0) + 0.001 * (len(name) % 3))
    expected = 1.1 * beta if of_slope else 0.02
    estimate = expected * validity
    se = 1.1 / math.sqrt(left)
    error = se / math.sqrt(replicates)
    ratio = estimate / expected if expected else None
    told: dict[str, Any] = {
        "score": name,
        "model": model,
        "term": term,
        "replicates": replicates,
        "failed": failed,
        "singular": 0.015 * model,
        "estimate": estimate,
        "std_error": se,
        "sd_estimates": 1.02 * se,
        "true_effect": expected,
        "bias": estimate - expected,
        "bias_error": error,
        "attenuation": ratio,
        "attenuation_low": None if ratio is None else ratio - 1.96 * error / abs(expected),
        "attenuation_high": None if ratio is None else ratio + 1.96 * error / abs(expected),
        "power_error_free": power(beta),
    }
    for rate, value in (
        ("power", share),
        ("type_i", type_i if nulls else None),
        ("coverage", 0.93 if of_slope else 0.951),
    ):
        low, high = (None, None) if value is None else wilson(value, replicates)
        told |= {rate: value, f"{rate}_low": low, f"{rate}_high": high}
    if failed == replicates:
        silent = set(told) - {"score", "model", "term", "replicates", "failed"}
        told |= dict.fromkeys(silent)
    return told


def rich_result() -> PowerResult:
    """Something of everything: five scores, dyads by sessions, drop-out, therapists, failures."""
    return power_result(
        dyads=(60, 120, 180, 240, 320, 400),
        sessions=(3, 8, 14),
        scores=5,
        failed=3,
        failures=(Failure(task=2, number=17, words="the worker ended (signal 9)"),),
    )
