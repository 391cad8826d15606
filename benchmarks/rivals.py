"""The other programs, on the same data in the same run: seconds per piece of work, where they take part."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import polars as pl
from shapes import FIXED

HERE = Path(__file__).resolve().parent
WITHOUT_BRACKETS = "y ~ t * init + t * pat + t * the + t * dev * conv + (t | g)"
"""Model 3 as mixedlm reads it."""

Seconds = dict[tuple[str, str, int], float]
"""By program, work and number of dyads."""


def statsmodels(frames: dict[int, pl.DataFrame]) -> tuple[Seconds, dict[int, str]]:
    """MixedLM fits, and notes on those that did not converge."""
    try:
        import statsmodels.formula.api as smf
    except ImportError:
        return {}, {}
    found, notes = Seconds(), {}
    for dyads, frame in frames.items():
        if dyads > 10_000:
            notes[dyads] = "not run: minutes"
            continue
        data = frame.to_pandas()
        taken, end = [], None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(6 if dyads < 1000 else 1):
                start = time.perf_counter()
                end = smf.mixedlm(FIXED, data, groups="g", re_formula="~t").fit(reml=True)
                taken.append(time.perf_counter() - start)
        found["statsmodels", "fit", dyads] = sorted(taken)[len(taken) // 2]
        if end is not None and not end.converged:
            notes[dyads] = "did not converge"
    return found, notes


def mixedlm(frames: dict[int, pl.DataFrame]) -> Seconds:
    """mixedlm's lmer: fit, and fit with its summary (Satterthwaite df)."""
    try:
        import mixedlm as mixed
    except ImportError:
        return {}
    found = Seconds()
    for dyads, frame in frames.items():
        if dyads > 10_000:
            continue
        data = frame.to_pandas()
        fits, tables = [], []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(3 if dyads < 1000 else 1):
                start = time.perf_counter()
                fit = mixed.lmer(WITHOUT_BRACKETS, data)
                fits.append(time.perf_counter() - start)
                if dyads < 1000:
                    str(fit.summary())
                    tables.append(time.perf_counter() - start)
        found["mixedlm", "fit", dyads] = sorted(fits)[len(fits) // 2]
        if tables:
            found["mixedlm", "table", dyads] = sorted(tables)[len(tables) // 2]
    return found


def r(frames: dict[int, pl.DataFrame]) -> tuple[Seconds, float | None]:
    """lme4, lmerTest and nlme inside one R process, and lme4's criterion of the smallest study."""
    if shutil.which("Rscript") is None:
        print("Rscript is not installed: lme4, lmerTest and nlme do not take part.")
        return {}, None
    with tempfile.TemporaryDirectory() as folder:
        for dyads, frame in frames.items():
            frame.write_csv(Path(folder) / f"{dyads}.csv")
        sizes = [str(dyads) for dyads in frames]
        done = subprocess.run(["Rscript", str(HERE / "bench.R"), folder, *sizes], capture_output=True, text=True)
    if done.returncode:
        print(f"R does not take part: {done.stderr.strip()[-300:]}")
        return {}, None
    answer = json.loads(done.stdout)
    criterion = answer.pop("criterion")
    found = Seconds()
    for name, seconds in answer.items():
        program, work, dyads = name.split(" ")
        found[program, work, int(dyads)] = seconds
    return found, criterion
