"""Is imputation right where leaving out is biased? A covariate missing at random, depending on the early outcome.

Usage: python benchmarks/imputation.py [replicates] [dyads] [imputations]. Draws studies in which the covariate is
missing the more likely the higher the first two outcomes were, fits the true model to the complete data, to the dyads
that have the covariate, and to imputed data, and prints bias and coverage of 95 % intervals with Monte-Carlo standard
errors; "beyond complete" is the difference from the estimate of the complete data of the same study, which has less
noise than the bias. Then the speed of imputation, and how soon its chains forget where they started.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.inference.coefficients import coefficients
from dyadline.model.fit import Fit, fit
from dyadline.studies.completed import pooled_coefficients
from dyadline.studies.imputation import BURN_IN, imputation_model, impute, started, swept

TRUE = {
    "(Intercept)": 10.0, "time": -0.5, "conv": 0.4, "age": 0.8, "time:conv": -0.2, "time:age": 0.25,
}  # fmt: skip
FORMULA = "outcome ~ time * (conv + age) + (time | dyad)"
TIMES = np.arange(5.0)
WAYS = ("complete", "listwise", "imputed")


@dataclass(frozen=True, slots=True)
class Study:
    """Rows with an outcome, and conv, age (as it was) and seen (age, null where missing) of the dyads."""

    rows: pl.DataFrame
    dyads: pl.DataFrame


def draw(seed: int, n: int) -> Study:
    """A study of n dyads; predictors have mean zero, so that the true coefficients are those of the centred ones."""
    rng = np.random.default_rng(seed)
    conv = rng.standard_normal(n)
    age = 0.4 * conv + rng.standard_normal(n)
    u0 = rng.standard_normal(n)
    u1 = 0.3 * rng.standard_normal(n) - 0.1 * u0
    level = TRUE["(Intercept)"] + TRUE["conv"] * conv + TRUE["age"] * age + u0
    slope = TRUE["time"] + TRUE["time:conv"] * conv + TRUE["time:age"] * age + u1
    y = level[:, None] + slope[:, None] * TIMES + rng.standard_normal((n, len(TIMES)))
    chance = 1.0 / (1.0 + np.exp(-1.2 * (y[:, :2].mean(axis=1) - 9.9)))
    gone = rng.random(n) < chance
    # Drop-out by the last outcome seen: the outcome is missing at random, too.
    last = np.where(rng.random(n) < 0.2, 3, len(TIMES))
    labels = [str(j) for j in range(n)]
    rows = pl.DataFrame(
        {"dyad": np.repeat(labels, len(TIMES)), "time": np.tile(TIMES, n), "outcome": y.ravel()}
    ).filter(pl.Series((np.arange(len(TIMES)) < last[:, None]).ravel()))
    dyads = pl.DataFrame({"dyad": labels, "conv": conv, "age": age}).with_columns(
        seen=pl.when(pl.Series(gone)).then(None).otherwise("age")
    )
    return Study(rows=rows, dyads=dyads)


def fitted(rows: pl.DataFrame, dyads: pl.DataFrame) -> Fit:
    """The true model, predictors not centred: their true means are zero."""
    return fit(FORMULA, rows.join(dyads, on="dyad", maintain_order="left"))


def answers(study: Study, imputations: int, seed: int) -> dict[str, pl.DataFrame]:
    """Coefficients of complete data, of the dyads that have the covariate, and of imputed data."""
    known = study.dyads.select("dyad", "conv", age="seen")
    values = impute(
        study.rows,
        study.dyads.select("conv").to_numpy(),
        known.select(pl.col("age").fill_null(float("nan"))).to_numpy(),
        study.dyads["dyad"],
        imputations=imputations,
        seed=seed,
    )
    fits = [fitted(study.rows, known.with_columns(age=pl.Series(one[:, 0]))) for one in values]
    return {
        "complete": coefficients(fitted(study.rows, study.dyads.drop("seen"))),
        "listwise": coefficients(fitted(study.rows, known)),
        "imputed": pooled_coefficients(fits, "satterthwaite"),
    }


def simulated(replicates: int, n: int, imputations: int) -> dict[str, dict[str, np.ndarray]]:
    """Deviations from the truth, whether the interval covers it, and standard errors: way -> name -> (R, p)."""
    found: dict[str, dict[str, list[np.ndarray]]] = {w: {"off": [], "covers": [], "se": []} for w in WAYS}
    for seed in range(1, replicates + 1):
        for way, table in answers(draw(seed, n), imputations, seed).items():
            truth = np.array([TRUE[term] for term in table["term"]])
            found[way]["off"].append(table["estimate"].to_numpy() - truth)
            low, high = table["conf_low"].to_numpy(), table["conf_high"].to_numpy()
            found[way]["covers"].append((low <= truth) & (truth <= high))
            found[way]["se"].append(table["std_error"].to_numpy())
    return {way: {name: np.array(values) for name, values in one.items()} for way, one in found.items()}


def autocorrelation(study: Study, lags: tuple[int, ...], sweeps: int) -> np.ndarray:
    """Largest absolute autocorrelation over all parameters of one chain, per lag."""
    z = study.dyads.select(pl.col("seen").fill_null(float("nan"))).to_numpy()
    z = (z - np.nanmean(z)) / np.nanstd(z)
    model = imputation_model(study.rows, study.dyads.select("conv").to_numpy(), z, study.dyads["dyad"])
    state, chain = started(model, 1), [np.random.default_rng(1)]
    trace = []
    for _ in range(sweeps):
        state = swept(model, state, chain)
        entries = state.covariance[0][np.triu_indices(3)]
        trace.append(np.concatenate([entries, state.residual, (model.basis.T @ state.mean[0]).ravel()]))
    values = np.array(trace)[BURN_IN:]
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    return np.array([np.abs((values[:-lag] * values[lag:]).mean(axis=0)).max() for lag in lags])


def main(replicates: int, n: int, imputations: int) -> None:
    found = simulated(replicates, n, imputations)
    gone = np.mean([draw(seed, n).dyads["seen"].null_count() / n for seed in range(1, 51)])
    print(f"{replicates} studies of {n} dyads, {gone:.0%} without the covariate, {imputations} imputations.\n")
    print(
        "| term | way | bias | MC SE | beyond complete | MC SE | SD of estimates | mean SE | coverage of 95 % | MC SE |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for k, term in enumerate(TRUE):
        for way in WAYS:
            off, covers, se = (found[way][name][:, k] for name in ("off", "covers", "se"))
            beyond = off - found["complete"]["off"][:, k]
            print(
                f"| {term} | {way} | {off.mean():.4f} | {off.std() / np.sqrt(replicates):.4f} | {beyond.mean():.4f} | "
                f"{beyond.std() / np.sqrt(replicates):.4f} | {off.std():.4f} | "
                f"{se.mean():.4f} | {covers.mean():.4f} | {np.sqrt(0.95 * 0.05 / replicates):.4f} |"
            )
    print("\n| dyads | occasions | imputations | seconds |\n|---|---|---|---|")
    for size in (96, 1_000, 10_000):
        study = draw(1, size)
        z = study.dyads.select(pl.col("seen").fill_null(float("nan"))).to_numpy()
        start = time.perf_counter()
        impute(study.rows, study.dyads.select("conv").to_numpy(), z, study.dyads["dyad"], imputations=20, seed=1)
        print(f"| {size:,} | {len(TIMES)} | 20 | {time.perf_counter() - start:.2f} |")
    lags = (1, 10, 50, 100, 200)
    print(
        "\n| largest autocorrelation at lag | " + " | ".join(map(str, lags)) + " |\n|---" * 1 + "|---" * len(lags) + "|"
    )
    print("| 96 dyads | " + " | ".join(f"{v:.3f}" for v in autocorrelation(draw(1, 96), lags, 10_000)) + " |")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(*[*numbers, *(300, 100, 20)[len(numbers) :]])
