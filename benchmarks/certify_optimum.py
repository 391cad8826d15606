"""Does every fit end at the lowest criterion? Simulated data sets against random restarts and against lme4.

``make certify``, or ``python benchmarks/certify_optimum.py [number of data sets]``. Prints one row per kind of data
set; exit status 1 if a fit raised, was not certified, or is worse than a rival by more than 1e-7. lme4 takes part where
``Rscript`` is there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

import dyadline as dl
from dyadline.engine.criterion import evaluate
from dyadline.engine.optimize import minimise

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
import seed_shaped  # noqa: E402

LIMIT = 1e-7
RESTARTS = 10


def best_restart(fit: dl.Fit, seed: int) -> float:
    """How far below the fit's criterion the best of the random restarts ends (negative: above it)."""
    moments, structure = fit.design.moments, fit.design.structure

    def function(theta):
        try:
            found = evaluate(moments, structure, theta)
        except np.linalg.LinAlgError:
            return np.inf, np.full_like(theta, np.inf), np.eye(len(theta))
        value, gradient, hessian = found.profiled(fit.method)
        return value, *structure.pull_back(theta, gradient, hessian)

    rng = np.random.default_rng(seed)
    size = len(fit.solution.theta)
    starts = [rng.normal(size=size) * 10.0 ** rng.uniform(-1.5, 1.0) for _ in range(RESTARTS)]
    ends = [minimise(function, start).value for start in starts]
    return fit.solution.evaluation.criterion(fit.method) - min(ends)


def certify(one: seed_shaped.Simulated) -> dict[str, object]:
    """One row of what happened."""
    row = {"number": one.number, "kind": one.kind, "formula": one.formula, "method": one.method}
    start = time.perf_counter()
    try:
        fit = dl.fit(one.formula, one.frame, method=one.method)
    except Exception as error:  # noqa: BLE001 (to be counted and shown, whatever it is)
        return {**row, "error": f"{type(error).__name__}: {error}"}
    took = time.perf_counter() - start
    return {
        **row,
        "error": None,
        "ms": 1e3 * took,
        "criterion": fit.criterion,
        "singular": fit.singular,
        "certified": fit.converged,
        "evaluations": fit.solution.minimum.evaluations,
        "above_restarts": best_restart(fit, one.number),
    }


def by_lme4(sets: list[seed_shaped.Simulated]) -> pl.DataFrame | None:
    """``number, default, best, lme4_singular``; None without R."""
    if shutil.which("Rscript") is None:
        print("Rscript is not installed: lme4 does not take part.")
        return None
    with tempfile.TemporaryDirectory() as folder:
        rows = [one.frame.with_columns(number=pl.lit(one.number)) for one in sets]
        pl.concat(rows).write_csv(Path(folder) / "rows.csv")
        models = [{"number": one.number, "formula": one.formula, "method": one.method} for one in sets]
        pl.DataFrame(models).write_csv(Path(folder) / "models.csv")
        done = subprocess.run(["Rscript", str(HERE / "certify.R"), folder], capture_output=True, text=True)
        if done.returncode:
            print(f"lme4 does not take part: {done.stderr.strip().splitlines()[-1:]}")
            return None
        numbers = {"default": pl.Float64, "best": pl.Float64}
        found = pl.read_csv(Path(folder) / "lme4.csv", schema_overrides=numbers, null_values=["NA", "NaN"])
    return found.rename({"default": "lme4_default", "best": "lme4", "singular": "lme4_singular"})


def summary(table: pl.DataFrame) -> pl.DataFrame:
    """One row per kind, then all together."""
    columns = [
        pl.len().alias("sets"),
        pl.col("error").is_not_null().sum().alias("errors"),
        pl.col("singular").sum(),
        pl.col("lme4_singular").sum(),
        (~pl.col("certified")).sum().alias("not certified"),
        pl.col("above_restarts").max().alias("worst vs restarts"),
        pl.col("above_lme4").max().alias("worst vs lme4"),
        (pl.col("above_lme4") < -LIMIT).sum().alias("better than lme4"),
        (pl.col("criterion") < pl.col("lme4_default") - LIMIT).sum().alias("than its default"),
        pl.col("above_lme4").min().alias("best vs lme4"),
        pl.col("evaluations").median().alias("evaluations"),
        pl.col("ms").median(),
    ]
    kinds = table.group_by("kind", maintain_order=True).agg(columns)
    return pl.concat([kinds, table.select(pl.lit("all").alias("kind"), *columns)])


def main(count: int) -> int:
    sets = [seed_shaped.data_set(number) for number in range(count)]
    table = pl.DataFrame([certify(one) for one in sets], infer_schema_length=None)
    rival = by_lme4(sets)
    if rival is None:
        empty = [pl.lit(None, dtype=pl.Float64).alias(c) for c in ("lme4_default", "lme4", "lme4_singular")]
        table = table.with_columns(empty)
    else:
        table = table.join(rival, on="number", how="left")
    table = table.with_columns(above_lme4=pl.col("criterion") - pl.col("lme4"))
    with pl.Config(tbl_cols=-1, tbl_rows=-1, tbl_width_chars=220, fmt_str_lengths=60, tbl_hide_dataframe_shape=True):
        print(summary(table))
        bad = table.filter(
            pl.col("error").is_not_null()
            | ~pl.col("certified")
            | (pl.col("above_restarts") > LIMIT)
            | (pl.col("above_lme4") > LIMIT)
        )
        if bad.height:
            print(f"{bad.height} of {count} data sets fail:")
            print(bad.drop("ms", "evaluations"))
    print(f"{count - bad.height} of {count} data sets pass (limit {LIMIT:g}).")
    return int(bad.height > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
