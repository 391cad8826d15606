"""How fast, in one run beside other programs: medians, ratios and goals as one table.

``make bench``, or ``python benchmarks/bench.py [sizes]``. Model 3 (shapes.py) with 96, 10,000 and 100,000 dyads:
fit, fit with degrees of freedom, three levels, both raters at once, 1,000 responses on one design, 500 replicates of a
parametric bootstrap, every dyad left out once. Every program runs on one thread; R is timed inside R. Where a rival
would take minutes it is timed on fewer pieces of the same work and the time is scaled up, or it is not run.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is imported: the same single thread for all

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
import rivals  # noqa: E402
from shapes import BOTH_RATERS, MODEL3, THREE_LEVELS, study  # noqa: E402

import dyadline as dl  # noqa: E402
from dyadline.engine.criterion import evaluate  # noqa: E402

SIZES = (96, 10_000, 100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table: our seconds with a goal, or a rival's with ours beside them and a goal for the ratio."""

    what: str
    seconds: float | None
    ours: float | None = None
    goal: float | None = None
    note: str = ""


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
        code = f"import dyadline as dl, polars as pl; dl.coefficients(dl.fit({MODEL3!r}, pl.read_csv({str(path)!r})))"
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


def work(frame: pl.DataFrame) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    three = frame.with_columns(y=pl.col("y3"))
    fit = dl.fit(MODEL3, frame)
    drawn = dl.simulate_responses(fit, 1000) if fit.n_groups < 1000 else None
    found: dict[str, Callable[[], object]] = {
        "fit": lambda: dl.fit(MODEL3, frame),
        "table": lambda: dl.coefficients(dl.fit(MODEL3, frame)),
        "three": lambda: dl.fit(THREE_LEVELS, three),
        "both": lambda: dl.fit(BOTH_RATERS, frame),
    }
    if drawn is not None:
        found["batch"] = lambda: dl.fit_many(fit, drawn, order="design")
        found["bootstrap"] = lambda: dl.bootstrap(fit, replicates=500)
    found["influence"] = lambda: dl.influence(fit)
    return found


NAMES = {
    "fit": "fit",
    "table": "fit + Satterthwaite table",
    "three": "three levels: fit",
    "both": "both raters, four random effects: fit",
    "batch": "1,000 responses on one design",
    "bootstrap": "500 replicates of a parametric bootstrap",
    "influence": "each dyad left out once",
}
GOALS = {
    ("lmerTest", "table", 96): 25.0,
    ("statsmodels", "fit", 96): 200.0,
    ("lme4", "fit", 10_000): 20.0,
    ("lme4", "batch", 96): 200.0,
}
AGAINST = {("statsmodels", "fit"): "table"}
"""Where a rival's work is set against more of ours: statsmodels' fit against our fit with its table."""


def measure(sizes: tuple[int, ...]) -> list[Line]:
    """Everything, one after the other."""
    frames = {dyads: study(dyads) for dyads in sizes}
    ours: dict[tuple[str, int], float] = {}
    for dyads, frame in frames.items():
        for name, call in work(frame).items():
            times = {"fit": 101, "table": 101}.get(name, 5) if dyads < 1000 else (3 if dyads <= 10_000 else 1)
            ours[name, dyads] = median_seconds(call, times)
    theirs, criterion = rivals.r({dyads: frames[dyads] for dyads in frames})
    fitted = dl.fit(MODEL3, frames[sizes[0]])
    if criterion is not None and not abs(fitted.criterion - criterion) < 1e-4:
        raise SystemExit(f"Not the same model: criterion {fitted.criterion}, lme4 {criterion}")
    other, notes = rivals.statsmodels(frames)
    theirs |= other | rivals.mixedlm(frames)
    lines = []
    for dyads in sizes:
        lines.append(Line(what=f"{dyads:,} dyads × 14, 14 fixed effects", seconds=None))
        for name, words in NAMES.items():
            if (name, dyads) not in ours:
                continue
            lines.append(Line(what=f"  {words}", seconds=ours[name, dyads]))
            for (program, what, size), seconds in theirs.items():
                if (what, size) != (name, dyads):
                    continue
                mine = ours[AGAINST.get((program, what), name), dyads]
                note = notes.get(dyads, "") if program == "statsmodels" else ""
                note += " (against fit + table)" if (program, what) in AGAINST else ""
                goal = GOALS.get((program, what, dyads))
                lines.append(Line(what=f"    {program}", seconds=seconds, ours=mine, goal=goal, note=note))
    lines += [
        Line(what="import dyadline", seconds=import_seconds(), goal=0.15),
        Line(what="  import, read CSV, fit, table: new process", seconds=first_table_seconds(frames[sizes[0]])),
        Line(what="dyadline demo study1", seconds=demo_seconds(), goal=6.0),
    ]
    return lines


def growth() -> list[str]:
    """One likelihood evaluation where designs repeat, from 1,000 to 1,000,000 dyads, and the memory of the largest."""
    code = "import sys; sys.path.insert(0, {folder!r}); import bench; bench.one_size({dyads})"
    text = ["", f"{'dyads, complete designs':<28}{'fit':>12}{'one evaluation':>18}{'peak memory':>16}", "-" * 74]
    for dyads in (1_000, 10_000, 100_000, 1_000_000):
        command = [sys.executable, "-c", code.format(folder=str(Path(__file__).parent), dyads=dyads)]
        text.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout.rstrip())
    return text


def one_size(dyads: int) -> None:
    """A line of `growth`: made in a process of its own, so that its peak memory is its own."""
    rng = np.random.default_rng(1)
    g, t = np.repeat(np.arange(dyads, dtype=np.int32), 14), np.tile(np.arange(14.0), dyads)
    b = rng.standard_normal((dyads, 2), dtype=np.float32)
    y = 20.0 - t + 3.0 * b[g, 0] + 0.4 * b[g, 1] * t + 2.0 * rng.standard_normal(g.size, dtype=np.float32)
    named = {name: rng.normal(size=dyads)[g] for name in ("init", "pat", "the", "dev", "conv")}
    frame = pl.DataFrame({"g": g, "t": t, **named, "y": y})
    del b, named, g, t, y
    start = time.perf_counter()
    fit = dl.fit(MODEL3, frame)
    took = time.perf_counter() - start
    made = fit.design
    once = median_seconds(lambda: evaluate(made.moments, made.structure, fit.solution.theta), 50)
    print(f"{dyads:<28,}{shown(took):>12}{shown(once):>18}{peak_memory():>12.2f} GiB")


def peak_memory() -> float:
    """GiB that this process had at most (Linux; elsewhere what getrusage says)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


def shown(seconds: float | None) -> str:
    """Milliseconds below a second, else seconds."""
    if seconds is None:
        return "–"
    return f"{1e3 * seconds:,.2f} ms" if seconds < 1.0 else f"{seconds:,.2f} s"


def report(lines: list[Line]) -> list[str]:
    """The table as text, and whether goals are met."""
    text = [f"{'':<48}{'median':>12}{'ratio':>9}   goal", "-" * 92]
    for line in lines:
        ratio, goal = "", ""
        if line.seconds and line.ours:
            ratio = f"{line.seconds / line.ours:,.0f}×"
            if line.goal:
                goal = f"≥ {line.goal:.0f}× {'met' if line.seconds / line.ours >= line.goal else 'MISSED'}"
        elif line.seconds and line.goal:
            goal = f"≤ {shown(line.goal)} {'met' if line.seconds <= line.goal else 'MISSED'}"
        text.append(f"{line.what:<48}{shown(line.seconds):>12}{ratio:>9}   {goal} {line.note}".rstrip())
    return text


def main(sizes: tuple[int, ...]) -> None:
    print("\n".join(report(measure(sizes))))
    print("\nratio: the other program's time over dyadline's for the same work on the same data, in the same run")
    if len(sizes) > 1:
        print("\n".join(growth()))


if __name__ == "__main__":
    main(tuple(int(word) for word in sys.argv[1:]) or SIZES)
