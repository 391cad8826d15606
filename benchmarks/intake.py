"""A million sessions of 24 items each: read, scored, checked and described, from Parquet and from CSV.

    python benchmarks/intake.py [--sessions 1000000] [--repeats 3]

Each run is a process of its own; its time is that from before the plan is read to the last table, its memory the
peak of the process and of the reader that it starts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

from dyadline.studies.answers import draw_answers

PLAN = """
version = 1
title = "A million sessions"
[data]
file = "{file}"
[columns]
dyad = "dyad"
therapist = "therapist"
time = "session"
patient_rating = {{ measure = "wai-s", items = "wai_p_{{item}}" }}
therapist_rating = {{ measure = "wai-s", items = "wai_t_{{item}}" }}
outcome = "bdi"
[models]
run = [1]
"""

RUN = """
import json, resource, sys, time
start = time.perf_counter()
from dyadline.plan.document import read_plan
from dyadline.workflow import describe, load
plan = read_plan(sys.argv[1])
imported = time.perf_counter()
dataset = load(plan)
loaded = time.perf_counter()
tables = describe(plan, dataset)
done = time.perf_counter()
peak = {who: resource.getrusage(getattr(resource, f"RUSAGE_{who}")).ru_maxrss / 2**20 for who in ("SELF", "CHILDREN")}
print(json.dumps({"import": imported - start, "read, score, check": loaded - imported, "describe": done - loaded,
    "all": done - start, "GiB": peak["SELF"], "GiB of the reader": peak["CHILDREN"], "rows": dataset.rows.height}))
"""


def study(sessions: int, folder: Path) -> None:
    """Write the same study as Parquet and as CSV."""
    rng = np.random.default_rng(20)
    dyads = -(-sessions // 14)
    dyad = np.repeat(np.arange(dyads), 14)[:sessions]
    session = np.tile(np.arange(1, 15), dyads)[:sessions]
    level = 60 + 8 * rng.standard_normal(dyads)
    columns = {"dyad": dyad + 1, "therapist": dyad // 20 + 1, "session": session}
    for rater, growth in (("p", 0.8), ("t", 0.4)):
        sums = np.rint(level[dyad] + growth * session + 5 * rng.standard_normal(sessions)).clip(12, 84)
        answers = draw_answers(sums, items=12, lowest=1, highest=7, reverse=(4, 10), rng=rng)
        columns |= {f"wai_{rater}_{item + 1}": answers[:, item] for item in range(12)}
    slope = 0.4 * rng.standard_normal(dyads) - 0.9
    bdi = np.rint(32 + 7 * rng.standard_normal(dyads)[dyad] + slope[dyad] * session + 4 * rng.standard_normal(sessions))
    frame = pl.DataFrame({**columns, "bdi": bdi.astype(np.int64).clip(0, 63)})
    blank = [pl.when(pl.Series(rng.random(sessions) > 0.02)).then(pl.col(c)).alias(c) for c in frame.columns[3:]]
    frame = frame.with_columns(blank)
    frame.write_parquet(folder / "study.parquet")
    frame.write_csv(folder / "study.csv")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--sessions", type=int, default=1_000_000)
    words.add_argument("--repeats", type=int, default=3)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study(asked.sessions, folder)
        for suffix in ("parquet", "csv"):
            plan = folder / f"{suffix}.toml"
            plan.write_text(PLAN.format(file=f"study.{suffix}"))
            runs = [
                json.loads(subprocess.run([sys.executable, "-c", RUN, plan], check=True, capture_output=True).stdout)
                for _ in range(asked.repeats)
            ]
            size = (folder / f"study.{suffix}").stat().st_size / 2**20
            print(f"{suffix}, {size:.0f} MiB:", {key: round(median(run[key] for run in runs), 2) for key in runs[0]})


if __name__ == "__main__":
    main()
