"""How fast is simulated power? Model 3 at 96 × 14, everything included, and R's way beside it.

Usage: python benchmarks/power.py [studies of R's loop]. Prints seconds of 1,000 replicates (drawn, scored, fitted,
tested with Satterthwaite) in this process and on two processes, of a curve of 20 points, and the ratio to a loop over
lmerTest, where R is there. The loop draws, scores and tests studies of the same design, one after the other.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import dyadline as dl

LEAN = {"models": (3,), "null": False, "error_free": False}
R_LOOP = Path(__file__).with_suffix(".R")


def seconds(**asked: object) -> tuple[float, dl.PowerResult]:
    """Of one power study of the study1 twin, everything included but Python's own start."""
    begin = perf_counter()
    found = dl.power_design("study1", **{**LEAN, **asked})
    return perf_counter() - begin, found


def process_seconds() -> float:
    """The same as a command of its own: imports and the report too."""
    command = [sys.executable, "-m", "dyadline.cli.app", "power", "design", "study1", "--models", "3", "--no-null"]
    with tempfile.TemporaryDirectory() as folder:
        begin = perf_counter()
        options = ["--no-error-free", "--executor", "serial", "--out", f"{folder}/power", "--json"]
        subprocess.run([*command, *options], check=True, capture_output=True)
        return perf_counter() - begin


def r_seconds(studies: int) -> float | None:
    """Seconds per study of the loop in R, without its start."""
    if shutil.which("Rscript") is None:
        return None
    done = subprocess.run(["Rscript", str(R_LOOP), str(studies)], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["seconds"]) / studies


def main(studies: int) -> None:
    seconds(replicates=10)  # imports and the population's moments, once
    alone = median(seconds()[0] for _ in range(3))
    print(f"1,000 replicates of Model 3, 96 dyads x 14 sessions, one process: {alone:.2f} s")
    both = median(seconds(executor="processes", workers=2)[0] for _ in range(3))
    print(f"on two processes, their start included: {both:.2f} s")
    print(f"as a command, with imports and report: {median(process_seconds() for _ in range(3)):.2f} s")
    curve, _ = seconds(dyads=range(60, 441, 20), executor="processes", workers=2)
    print(f"a curve of 20 points from 60 to 440 dyads, 1,000 replicates each, two processes: {curve:.1f} s")
    whole, _ = seconds(models=(2, 3), null=True, error_free=True, executor="processes", workers=2)
    print(f"Models 2 and 3, with type I error, bias and coverage (eight models a replicate): {whole:.2f} s")
    each = r_seconds(studies)
    if each is None:
        print("R is not here: no ratio")
        return
    print(f"R: {1000 * each:.0f} ms a study (lme4 and lmerTest, {studies} studies)")
    print(f"ratio, one core each: {1000 * each / alone:.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
