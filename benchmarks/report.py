"""How long the report takes after the fits, and how large it is.

    python benchmarks/report.py

Each format is written in processes of its own, as a user writes it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FORMATS = ("html", "docx", "pdf", "tex", "md")
RUNS = 3
ROOT = Path(__file__).resolve().parents[1]


def one(study: str, formats: tuple[str, ...], *, figures: bool, individual: bool) -> tuple[float, dict[str, int]]:
    """Seconds from the result to the files, and bytes of each report; in this process."""
    import dyadline as dl
    from dyadline.publication import write_reports
    from dyadline.studies.twins import twin_data, twin_plan

    result = dl.run(twin_plan(study), twin_data(study))
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        write_reports(result, Path(name), formats, figures=figures, individual=individual)  # type: ignore[arg-type]
        seconds = time.perf_counter() - start
        return seconds, {path.name: path.stat().st_size for path in Path(name).glob("report.*")}


def measured(study: str, formats: tuple[str, ...], **options: bool) -> tuple[float, int]:
    """Median seconds, and bytes of the largest report, of processes of their own."""
    call = f"from benchmarks.report import one; t, s = one({study!r}, {formats!r}, **{options!r}); "
    call += "print(t, max(s.values()))"
    times, size = [], 0
    for _ in range(RUNS):
        done = subprocess.run([sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True, check=True)
        seconds, size = float(done.stdout.split()[0]), int(done.stdout.split()[1])
        times.append(seconds)
    return statistics.median(times), size


def main() -> None:
    print(f"median of {RUNS} processes; from the result to the files, imports and Vega's start included")
    for study in ("study1", "study2"):
        for form in FORMATS:
            seconds, size = measured(study, (form,), figures=False, individual=False)
            print(f"{study} {form:<22} {seconds:6.2f} s {size / 1e6:6.2f} MB")
        seconds, size = measured(study, ("html",), figures=False, individual=True)
        print(f"{study} {'html, individual':<22} {seconds:6.2f} s {size / 1e6:6.2f} MB")
        seconds, _ = measured(study, FORMATS, figures=True, individual=False)
        print(f"{study} {'all, with figures':<22} {seconds:6.2f} s")


if __name__ == "__main__":
    main()
