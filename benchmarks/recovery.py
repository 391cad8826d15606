"""Do simulator and analysis together give back the twins' outcome parameters? Several hundred seeds.

Usage: python benchmarks/recovery.py [seeds [dyads]]. Prints, per study and parameter of Model 3, the generating value,
the mean estimate, its Monte-Carlo standard error, their distance in standard errors, the mean standard error
that the model reports and the standard deviation of the estimates.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from dyadline.data.dataset import make_dataset
from dyadline.inference.coefficients import coefficients
from dyadline.inference.variance import variance_components
from dyadline.model.fit import fit
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.recipes import outcome_model
from dyadline.scoring.score import score
from dyadline.studies.outcome import outcome_frame, predictors
from dyadline.studies.twins import parameters, simulate, twin_plan

TERMS = {
    "(Intercept)": "intercept",
    "development:convergence": "product",
    **{name: name for name in ("baseline", "convergence", "early_patient", "early_therapist")},
    **{name: name for name in ("development", "early_discrepancy")},
}


def truth(study: str) -> dict[str, float]:
    """Generating value of every parameter of Model 3 under the names of the tables."""
    given = parameters(study)["outcome"]
    values = {term: given["fixed"][key] for term, key in TERMS.items()}
    values |= {"time" if key == "intercept" else f"time:{term}": given["slope"][key] for term, key in TERMS.items()}
    random = given["random"]
    return values | {
        "variance of intercepts": random["intercept"],
        "covariance": random["covariance"],
        "variance of slopes": random["slope"],
        "residual variance": given["residual"],
    }


def recovery_plan(study: str) -> AnalysisPlan:
    """The twin's plan with its separate baseline column."""
    plan = twin_plan(study)
    baseline = parameters(study)["names"]["baseline"]
    return plan.model_copy(update={"columns": plan.columns.model_copy(update={"baseline": baseline})})


def estimates(study: str, seeds: range, dyads: int | None = None) -> Iterator[dict[str, tuple[float, float]]]:
    """Estimate and standard error of each parameter, seed by seed."""
    plan = recovery_plan(study)
    spec = outcome_model(3, plan)
    names = ("variance of intercepts", "covariance", "variance of slopes", "residual variance")
    for seed in seeds:
        dataset = make_dataset(simulate(study, seed=seed, dyads=dyads), plan)
        scoring = score(dataset, plan, simulations=False)
        fitted = fit(spec, outcome_frame(dataset, scoring, plan, predictors([spec])))
        found = {r["term"]: (r["estimate"], r["std_error"]) for r in coefficients(fitted).to_dicts()}
        for name, row in zip(names, variance_components(fitted).to_dicts(), strict=True):
            found[name] = (row["estimate"], np.nan if row["std_error"] is None else row["std_error"])
        yield found


def main(seeds: int, dyads: int | None = None) -> None:
    for study in ("study1", "study2"):
        drawn = list(estimates(study, range(1, seeds + 1), dyads))
        print(f"\n### {study}, Model 3, {seeds} seeds{f' of {dyads} dyads' if dyads else ''}\n")
        print(
            "| parameter | generating | mean estimate | Monte-Carlo SE | distance in SE | mean SE | SD of estimates |"
        )
        print("|---|---|---|---|---|---|---|")
        outside = 0
        for name, value in truth(study).items():
            values = np.array([d[name][0] for d in drawn])
            error = values.std(ddof=1) / np.sqrt(seeds)
            away = (values.mean() - value) / error
            outside += abs(away) > 2
            mean_se = np.nanmean([d[name][1] for d in drawn])
            print(
                f"| {name} | {value:g} | {values.mean():.4f} | {error:.4f} | {away:+.2f} | "
                f"{mean_se:.4f} | {values.std(ddof=1):.4f} |"
            )
        print(f"\nOutside two Monte-Carlo standard errors: {outside} of {len(truth(study))}.")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3] or ["200"]))
