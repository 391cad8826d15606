"""A million sessions of 24 items each: read, scored, checked and described, from Parquet and from CSV.

    python benchmarks/intake.py [--sessions 1000000] [--repeats 3] [--folder FOLDER]

Prints one table: stage, seconds, seconds of computing (the reader's included), and the peak memory so far (after
reading also the reader's). Each run is a process of its own that begins with importing; the run with the median time
is shown. A folder keeps the two files for the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dyadline.studies.answers import draw_answers

SUFFIXES = ("parquet", "csv")

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
from functools import wraps

def now():
    used = [resource.getrusage(getattr(resource, f"RUSAGE_{who}")) for who in ("SELF", "CHILDREN")]
    peaks = [one.ru_maxrss / 2**20 for one in used]
    return time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used), *peaks

marks = [("", *now())]

def timed(module, name, stage):
    inner = getattr(module, name)
    @wraps(inner)
    def outer(*given, **named):
        found = inner(*given, **named)
        marks.append((stage, *now()))
        return found
    setattr(module, name, outer)

from dyadline import workflow
from dyadline.plan.document import read_plan
from dyadline.studies import description
plan = read_plan(sys.argv[1])
marks.append(("import, read the plan", *now()))
for name, stage in {"read_table": "read the file", "apply_missing": "missing codes", "reshape": "shape",
                    "score_measures": "score the items", "make_dataset": "check"}.items():
    timed(workflow, name, stage)
timed(description, "intraclass_correlations", "describe")
timed(description, "reliability_tables", "reliability")
dataset = workflow.load(plan)
marks.append(("straight lines", *now()))
description.description(dataset, plan)
assert dataset.rows.height == int(sys.argv[2])
print(json.dumps(marks))
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


def run(plan: Path, sessions: int) -> list[list[Any]]:
    """Marks of one run: stage, seconds, computing, peaks of the process and of its reader."""
    # Bytecode is kept, as in any installation.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", RUN, str(plan), str(sessions)]
    done = subprocess.run(command, check=True, capture_output=True, env=environment)
    marks: list[list[Any]] = json.loads(done.stdout)
    return marks


def show(suffix: str, marks: list[list[Any]]) -> None:
    for (_, *before), (stage, *after) in pairwise(marks):
        wall, computing = (late - early for late, early in zip(after[:2], before[:2], strict=True))
        reader = f" + {after[3]:.2f}" if stage == "read the file" else ""
        print(f"{suffix:<8} {stage:<22} {wall:8.2f} {computing:8.2f} {after[2]:9.2f}{reader}")
    wall, computing = (marks[-1][place] - marks[0][place] for place in (1, 2))
    print(f"{suffix:<8} {'all':<22} {wall:8.2f} {computing:8.2f} {marks[-1][3]:9.2f}\n")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--sessions", type=int, default=1_000_000)
    words.add_argument("--repeats", type=int, default=3)
    words.add_argument("--folder", type=Path, help="where the files are, or are to be kept")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = asked.folder or Path(name)
        if not all((folder / f"study.{suffix}").exists() for suffix in SUFFIXES):
            study(asked.sessions, folder)
        sessions = pl.scan_parquet(folder / "study.parquet").select(pl.len()).collect().item()
        sizes = ", ".join(
            f"{suffix} {(folder / f'study.{suffix}').stat().st_size / 2**20:.0f} MiB" for suffix in SUFFIXES
        )
        print(f"{sessions:,} sessions; {sizes}; {os.cpu_count()} cores\n")
        print(f"{'file':<8} {'stage':<22} {'seconds':>8} {'CPU':>8} {'peak GiB':>9}")
        for suffix in SUFFIXES:
            plan = Path(name) / f"{suffix}.toml"
            plan.write_text(PLAN.format(file=(folder / f"study.{suffix}").absolute().as_posix()))
            runs = sorted(
                (run(plan, sessions) for _ in range(asked.repeats)), key=lambda marks: marks[-1][1] - marks[0][1]
            )
            show(suffix, runs[len(runs) // 2])


if __name__ == "__main__":
    main()
