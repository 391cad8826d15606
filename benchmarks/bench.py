"""How fast, in one run beside other programs: medians, ratios and goals as one table.

``make bench``, or ``python benchmarks/bench.py``. Model 3's shape: 96 dyads × 14 sessions, 10 % missing, 14 fixed
effects, random intercept and slope. statsmodels and R's lme4/lmerTest take part where they are installed; R is
timed inside R.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is imported: the same single thread for all

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402

import dyadline as dl  # noqa: E402

HERE = Path(__file__).resolve().parent
FORMULA = "y ~ t * (init + pat + the + dev * conv) + (t | g)"
FIXED = "y ~ t * (init + pat + the + dev * conv)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table: our seconds with a goal, or a rival's with ours beside them and a goal for the ratio."""

    what: str
    seconds: float | None
    ours: float | None = None
    goal: float | None = None
    note: str = ""


def study(dyads: int, sessions: int = 14, seed: int = 2) -> pl.DataFrame:
    """Rows in the shape of Model 3, about 10 % of forms missing.

    The seed is one with which statsmodels converges: with about half of them it tries further optimisers and
    gives up after 2 s.
    """
    rng = np.random.default_rng(seed)
    predictors = rng.normal(size=(dyads, 5)) * [1.0, 1.0, 0.7, 0.9, 0.35]
    g, t = (axis.ravel() for axis in np.meshgrid(np.arange(dyads), np.arange(sessions), indexing="ij"))
    keep = rng.random(g.size) > 0.10
    g, t = g[keep], t[keep].astype(float)
    init, pat, the, dev, conv = predictors.T
    b0, b1 = 5.0 * rng.normal(size=dyads), 0.55 * rng.normal(size=dyads)
    slope = -0.75 - 0.3 * dev - 0.25 * conv + 0.2 * dev * conv + b1
    level = 27.0 + 5.7 * init - 0.5 * pat - 0.4 * the + b0
    y = level[g] + slope[g] * t + 4.2 * rng.normal(size=t.size)
    dyad_level = {"init": init[g], "pat": pat[g], "the": the[g], "dev": dev[g], "conv": conv[g]}
    return pl.DataFrame({"g": g, "t": t, **dyad_level, "y": y})


def median_seconds(work: Callable[[], object], times: int) -> float:
    """Median wall time of `times` calls after a first one that does not count."""
    work()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def fresh(code: list[str], times: int = 7, **options: object) -> float:
    """Median wall time of a fresh process."""
    return median_seconds(lambda: subprocess.run(code, check=True, capture_output=True, **options), times)  # type: ignore[call-overload]


def import_seconds() -> float:
    """A fresh ``import dyadline`` less a fresh bare interpreter."""
    imported, bare = ([sys.executable, "-c", code] for code in ("import dyadline", "pass"))
    return fresh(imported) - fresh(bare)


def first_table_seconds(frame: pl.DataFrame) -> float:
    """A fresh process from nothing to the table, interpreter and polars included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model3.csv"
        frame.write_csv(path)
        code = f"import dyadline as dl, polars as pl; dl.coefficients(dl.fit({FORMULA!r}, pl.read_csv({str(path)!r})))"
        return fresh([sys.executable, "-c", code])


def demo_seconds() -> float | None:
    """``dyadline demo`` in an empty folder, wall time of the second of two runs."""
    program = Path(sys.executable).with_name("dyadline")
    with tempfile.TemporaryDirectory() as folder:
        try:
            return fresh([str(program), "demo", "study1", "--force"], times=2, cwd=folder)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"dyadline demo: {error}")
            return None


def statsmodels_seconds(frame: pl.DataFrame) -> tuple[float | None, str]:
    """Median of five MixedLM fits of the same model, and whether they converged."""
    try:
        import statsmodels.formula.api as smf
    except ImportError:
        return None, "not installed"
    data = frame.to_pandas()
    ends = []

    def work() -> None:
        model = smf.mixedlm(FIXED, data, groups="g", re_formula="~t")
        ends.append(model.fit(reml=True))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds = median_seconds(work, 5)
    return seconds, "" if ends[-1].converged else "did not converge"


def r_seconds(model3: pl.DataFrame, large: pl.DataFrame) -> dict[str, float]:
    """Timings made inside R; empty without R or its packages."""
    if shutil.which("Rscript") is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        model3.write_csv(Path(folder) / "model3.csv")
        large.write_csv(Path(folder) / "large.csv")
        done = subprocess.run(["Rscript", str(HERE / "bench.R"), folder], capture_output=True, text=True)
    if done.returncode:
        print(f"R does not take part: {done.stderr.strip()[-200:]}")
        return {}
    return dict(json.loads(done.stdout))


def measure() -> list[Line]:
    """Everything, one after the other."""
    model3, large = study(96), study(10_000)
    pandas3 = model3.to_pandas()
    both = median_seconds(lambda: dl.coefficients(dl.fit(FORMULA, model3)), 101)
    both_large = median_seconds(lambda: dl.coefficients(dl.fit(FORMULA, large)), 9)
    r = r_seconds(model3, large)
    other, note = statsmodels_seconds(model3)
    fitted = dl.fit(FORMULA, model3)
    if "criterion" in r and not abs(fitted.criterion - r["criterion"]) < 1e-4:
        raise SystemExit(f"Not the same model: criterion {fitted.criterion}, lme4 {r['criterion']}")
    return [
        Line(what="Model 3: fit + Satterthwaite table", seconds=both, goal=0.005),
        Line(what="  fit alone", seconds=median_seconds(lambda: dl.fit(FORMULA, model3), 101)),
        Line(what="  table alone", seconds=median_seconds(lambda: dl.coefficients(fitted), 101)),
        Line(what="  both, from pandas", seconds=median_seconds(lambda: dl.coefficients(dl.fit(FORMULA, pandas3)), 51)),
        Line(what="  statsmodels MixedLM, fit", seconds=other, ours=both, goal=100.0, note=note),
        Line(what="  lme4 lmer, fit", seconds=r.get("lmer"), ours=both),
        Line(what="  lmerTest, fit + table", seconds=r.get("lmer_satterthwaite"), ours=both),
        Line(what="10,000 dyads × 14: fit + table", seconds=both_large, goal=0.2),
        Line(what="  lme4 lmer, fit", seconds=r.get("lmer_large"), ours=both_large),
        Line(what="import dyadline", seconds=import_seconds(), goal=0.15),
        Line(what="  import, read CSV, fit, table: new process", seconds=first_table_seconds(model3)),
        Line(what="dyadline demo study1", seconds=demo_seconds(), goal=6.0),
    ]


def shown(seconds: float | None) -> str:
    """Milliseconds below a second, else seconds."""
    if seconds is None:
        return "–"
    return f"{1e3 * seconds:,.2f} ms" if seconds < 1.0 else f"{seconds:,.2f} s"


def report(lines: list[Line]) -> list[str]:
    """The table as text, and whether goals are met."""
    text = [f"{'':<44}{'median':>12}{'ratio':>9}   goal", "-" * 88]
    for line in lines:
        ratio, goal = "", ""
        if line.seconds and line.ours:
            ratio = f"{line.seconds / line.ours:,.0f}×"
            if line.goal:
                goal = f"≥ {line.goal:.0f}× {'met' if line.seconds / line.ours >= line.goal else 'MISSED'}"
        elif line.seconds and line.goal:
            goal = f"≤ {shown(line.goal)} {'met' if line.seconds <= line.goal else 'MISSED'}"
        text.append(f"{line.what:<44}{shown(line.seconds):>12}{ratio:>9}   {goal} {line.note}".rstrip())
    return text


def main() -> None:
    print("\n".join(report(measure())))
    print("\nratio: the other program's time over dyadline's fit + Satterthwaite table on the same data, same run")


if __name__ == "__main__":
    main()
