"""Work for executors: functions that another process can import, and that tell by files what they do."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dyadline.errors import FitError
from dyadline.parallel.jobs import Part


def draws(part: Part) -> dict[str, np.ndarray]:
    """A number, a matrix and a word for each replicate, from a stream of its own."""
    streams = [np.random.default_rng([7, part.task, number]) for number in part.numbers]
    normal = np.array([stream.standard_normal(5) for stream in streams])
    return {
        "mean": normal.mean(axis=1),
        "square": normal[:, :, None] * normal[:, None, :],
        "sign": np.array(["negative" if row[0] < 0 else "positive" for row in normal]),
    }


@dataclass(frozen=True)
class Faulty:
    """`draws` in which some replicates raise, end their process, or are slow.

    Attributes
    ----------
    raising, deadly
        Pairs of task and number.
    signals
        Folder in which each call leaves a file ``PID-TASK-FIRST-COUNT`` when it begins.
    seconds
        Length of each call.
    until
        A file for which each call waits instead (at most a minute).
    """

    raising: frozenset[tuple[int, int]] = frozenset()
    deadly: frozenset[tuple[int, int]] = frozenset()
    signals: Path | None = None
    seconds: float = 0.0
    until: Path | None = None

    def __call__(self, part: Part) -> dict[str, np.ndarray]:
        if self.signals is not None:
            call = f"{os.getpid()}-{part.task}-{part.numbers[0]}-{len(part.numbers)}-{time.monotonic_ns()}"
            (self.signals / call).touch()
        time.sleep(self.seconds)
        end = time.monotonic() + 60
        while self.until is not None and not self.until.exists() and time.monotonic() < end:
            time.sleep(0.01)
        for number in part.numbers:
            if (part.task, number) in self.deadly:
                os._exit(1)
            if (part.task, number) in self.raising:
                if number % 2:
                    raise FitError("No answer", way_out="Ask another question")
                raise ZeroDivisionError("by nought\nsecond line")
        return draws(part)
