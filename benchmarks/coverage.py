"""Do 95 % intervals cover and tests keep 5 %, when convergence has no effect? Models 2 and 3 on the study1 twin.

Usage: python benchmarks/coverage.py [seeds]. Studies are simulated and scored as they come; the effects of
convergence (and, for Model 2, of all that it leaves out) are then taken out of the outcome, so that the model is true
and its tests of convergence are tests of a true null hypothesis. Prints, per model, term and way to count degrees of
freedom, how often the interval covers the true value and how often the test of a true zero rejects, with Monte-Carlo
standard errors.
"""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
from recovery import TERMS, recovery_plan

from dyadline.data.dataset import make_dataset
from dyadline.inference.coefficients import coefficients
from dyadline.model.fit import fit
from dyadline.plan.recipes import outcome_model
from dyadline.scoring.score import score
from dyadline.studies.outcome import outcome_frame, predictors
from dyadline.studies.twins import parameters, simulate

WAYS = ("satterthwaite", "kenward-roger")
TAKEN_OUT = {
    2: ("convergence", "early_patient", "early_therapist", "development", "early_discrepancy", "product"),
    3: ("convergence", "product"),
}


def effect(given: dict[str, float], frame: pl.DataFrame, name: str) -> np.ndarray:
    """What one predictor adds to the intercept or slope of each row."""
    if name == "product":
        return given[name] * (frame["development"] * frame["convergence"]).to_numpy()
    return given[name] * frame[name].to_numpy()


def main(seeds: int) -> None:
    plan = recovery_plan("study1")
    given = parameters("study1")["outcome"]
    specs = {number: outcome_model(number, plan) for number in (2, 3)}
    everything = predictors(list(specs.values()))
    covered: dict[tuple[int, str, str], list[bool]] = {}
    rejected: dict[tuple[int, str, str], list[bool]] = {}
    singular = dict.fromkeys(specs, 0)
    for seed in range(1, seeds + 1):
        dataset = make_dataset(simulate("study1", seed=seed), plan)
        scoring = score(dataset, plan, simulations=False)
        frame = outcome_frame(dataset, scoring, plan, everything)
        time = frame["time"].to_numpy()
        for number, spec in specs.items():
            gone = sum(
                effect(given["fixed"], frame, name) + time * effect(given["slope"], frame, name)
                for name in TAKEN_OUT[number]
            )
            fitted = fit(spec, frame.with_columns(outcome=pl.col("outcome") - pl.Series(gone)))
            singular[number] += fitted.singular
            for way in WAYS:
                for row in coefficients(fitted, df=way).to_dicts():
                    term = row["term"]
                    slope = term.startswith("time")
                    name = TERMS["(Intercept)" if term == "time" else term.removeprefix("time:")]
                    true = 0.0 if name in TAKEN_OUT[number] else given["slope" if slope else "fixed"][name]
                    key = number, term, way
                    covered.setdefault(key, []).append(row["conf_low"] <= true <= row["conf_high"])
                    if name in TAKEN_OUT[number]:
                        rejected.setdefault(key, []).append(row["p_value"] < 0.05)
    print(f"{seeds} studies; singular fits: Model 2 {singular[2]}, Model 3 {singular[3]}.\n")
    print("| model | term | way | coverage of 95 % | MC SE | type I error at .05 | MC SE |")
    print("|---|---|---|---|---|---|---|")
    for key, hits in covered.items():
        share = float(np.mean(hits))
        wrong = f"{np.mean(rejected[key]):.4f}" if key in rejected else ""
        error = f"{np.sqrt(0.05 * 0.95 / seeds):.4f}"
        print(f"| {key[0]} | {key[1]} | {key[2]} | {share:.4f} | {error} | {wrong} | {error if wrong else ''} |")
    for way in WAYS:
        shares = [np.mean(hits) for key, hits in covered.items() if key[2] == way]
        errors = [np.mean(hits) for key, hits in rejected.items() if key[2] == way]
        print(f"\n{way}: mean coverage {np.mean(shares):.4f}, mean type I error {np.mean(errors):.4f}.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
