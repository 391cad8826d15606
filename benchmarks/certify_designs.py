"""Does every random design of two and three levels end at its lowest criterion, or in a sentence? 10,000 of them.

``make certify``, or ``python benchmarks/certify_designs.py [designs [first [step]]]``. Each fit is compared with the
best of several random restarts of our own optimiser and of scipy's L-BFGS-B. Exit status 1 if anything but an explained
refusal was raised, a rival ends more than 1e-7 lower, or a boundary has no name. Ends without a certificate (which the
fit says of itself) are counted.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np
import polars as pl
from scipy.optimize import minimize

import dyadline as dl
from dyadline.engine.criterion import evaluate
from dyadline.engine.moments import centred
from dyadline.engine.optimize import minimise
from dyadline.inference.boundary import boundary_words

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import random_designs

LIMIT = 1e-7
RESTARTS = 6


def lowest_rival(fit: dl.Fit, seed: int) -> float:
    """The lowest criterion that restarts and L-BFGS-B find, on the standardised scale."""
    moments, structure = centred(fit.design.moments), fit.design.structure

    def function(theta):
        try:
            found = evaluate(moments, structure, theta)
        except np.linalg.LinAlgError:
            return np.inf, np.full_like(theta, np.inf), np.eye(len(theta))
        if not found.rss > 0.0:
            return np.inf, np.full_like(theta, np.inf), np.eye(len(theta))
        value, gradient, hessian = found.profiled(fit.method)
        return value, *structure.pull_back(theta, gradient, hessian)

    rng = np.random.default_rng(seed)
    size = len(fit.solution.theta)
    starts = [rng.normal(size=size) * 10.0 ** rng.uniform(-1.5, 1.0) for _ in range(RESTARTS)]
    ends = [minimise(function, start).value for start in starts]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for start in starts[:2]:
            ends.append(minimize(lambda x: function(x)[:2], start, jac=True, method="L-BFGS-B").fun)
    return min(ends)


def extremes(fit: dl.Fit):
    """Smallest and largest relative variance of each block of correlated random effects."""
    for level, D in zip(fit.design.structure.levels, fit.solution.relative, strict=True):
        begin = 0
        for size in level.blocks:
            values = np.linalg.eigvalsh(D[begin : begin + size, begin : begin + size])
            begin += size
            yield values[0], values[-1]


def certify(one: random_designs.Drawn) -> dict[str, object]:
    """One row of what happened."""
    row = {"number": one.number, "levels": one.levels, "kind": one.kind, "formula": one.formula, "method": one.method}
    start = time.perf_counter()
    try:
        fit = dl.fit(one.formula, one.frame, method=one.method)
        dl.coefficients(fit)
        dl.variance_components(fit)
    except dl.DyadlineError as refusal:
        return {**row, "refused": f"{type(refusal).__name__}: {refusal}"}
    except Exception as error:  # noqa: BLE001 (to be counted and shown, whatever it is)
        return {**row, "error": f"{type(error).__name__}: {error}"}
    named = boundary_words(fit)
    singular = any(smallest < 1e-10 * max(1.0, largest) for smallest, largest in extremes(fit))
    return {
        **row,
        "ms": 1e3 * (time.perf_counter() - start),
        "singular": fit.singular,
        "named": bool(named) == fit.singular == singular,
        "certified": fit.converged,
        "evaluations": fit.solution.minimum.evaluations,
        "above": fit.solution.evaluation.criterion(fit.method) - lowest_rival(fit, one.number),
    }


SCHEMA = {"refused": pl.String, "error": pl.String, "ms": pl.Float64, "singular": pl.Boolean, "named": pl.Boolean,
          "certified": pl.Boolean, "evaluations": pl.Int64, "above": pl.Float64}  # fmt: skip


def summary(table: pl.DataFrame, *by: str) -> pl.DataFrame:
    columns = [
        pl.len().alias("designs"),
        pl.col("error").is_not_null().sum().alias("errors"),
        pl.col("refused").is_not_null().sum(),
        pl.col("singular").sum(),
        (~pl.col("named")).sum().alias("not named"),
        (~pl.col("certified")).sum().alias("not certified"),
        pl.col("above").max().alias("worst vs rivals"),
        (pl.col("above") < -LIMIT).sum().alias("better than rivals"),
        pl.col("evaluations").median(),
        pl.col("ms").median(),
    ]
    return table.group_by(*by, maintain_order=True).agg(columns).sort(by)


def main(count: int, first: int = 0, step: int = 1) -> int:
    rows = [certify(random_designs.design(number)) for number in range(first, first + count * step, step)]
    table = pl.DataFrame(rows, infer_schema_length=None)
    table = table.with_columns(pl.lit(None, dtype=t).alias(c) for c, t in SCHEMA.items() if c not in table.columns)
    with pl.Config(tbl_cols=-1, tbl_rows=-1, tbl_width_chars=220, fmt_str_lengths=150, tbl_hide_dataframe_shape=True,
                   tbl_formatting="MARKDOWN", tbl_hide_column_data_types=True):  # fmt: skip
        print(summary(table, "levels", "kind"))
        print("\nRefusals:")
        reasons = table.filter(pl.col("refused").is_not_null())
        print(reasons.group_by(pl.col("refused").str.slice(0, 60)).len().sort("len", descending=True))
        bad = table.filter(pl.col("error").is_not_null() | ~pl.col("named") | (pl.col("above") > LIMIT))
        if bad.height:
            print(f"\n{bad.height} of {count} designs fail:")
            print(bad.drop("ms", "evaluations").head(60))
    print(f"\n{count - bad.height} of {count} designs pass (limit {LIMIT:g}).")
    return int(bad.height > 0)


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:4] or ["10000"])))
