"""Work for executors: functions that another process can import, and that tell by files what they do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from dyadline.errors import FitError
from dyadline.parallel.jobs import Done, Part


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
    until, waiting
        A file for which calls wait (at most a minute), from this number of a replicate on.
    """

    raising: frozenset[tuple[int, int]] = frozenset()
    deadly: frozenset[tuple[int, int]] = frozenset()
    signals: Path | None = None
    seconds: float = 0.0
    until: Path | None = None
    waiting: int = 0

    def __call__(self, part: Part) -> dict[str, np.ndarray]:
        if self.signals is not None:
            call = f"{os.getpid()}-{part.task}-{part.numbers[0]}-{len(part.numbers)}-{time.monotonic_ns()}"
            (self.signals / call).touch()
        time.sleep(self.seconds)
        end = time.monotonic() + 60
        while part.numbers[0] >= self.waiting and self.until and not self.until.exists() and time.monotonic() < end:
            time.sleep(0.01)
        for number in part.numbers:
            if (part.task, number) in self.deadly:
                os._exit(1)
            if (part.task, number) in self.raising:
                if number % 2:
                    raise FitError("No answer", way_out="Ask another question")
                raise ZeroDivisionError("by nought\nsecond line")
        return draws(part)


def threads(part: Part) -> dict[str, np.ndarray]:
    """The largest number of threads that a library for linear algebra has while the part is carried out."""
    from threadpoolctl import threadpool_info

    most = max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
    return {"threads": np.full(len(part.numbers), most)}


def misshapen(part: Part) -> dict[str, np.ndarray]:
    """One row whatever is asked for."""
    return {"mean": np.zeros(1 if len(part.numbers) > 1 else 2)}


def calls(signals: Path) -> list[tuple[int, int, int, int]]:
    """Process, task, first number and count of each call that left a signal, in their order."""
    names = sorted((path.name.split("-") for path in signals.iterdir()), key=lambda parts: int(parts[4]))
    return [(int(pid), int(task), int(first), int(count)) for pid, task, first, count, _ in names]


def same(one: Done, other: Done) -> bool:
    """Whether two answers agree in every bit."""
    return (
        one.numbers == other.numbers
        and list(one.failures) == list(other.failures)
        and one.arrays.keys() == other.arrays.keys()
        and all(
            one.arrays[task].keys() == other.arrays[task].keys()
            and all(
                values.dtype == other.arrays[task][name].dtype
                and values.shape == other.arrays[task][name].shape
                and values.tobytes() == other.arrays[task][name].tobytes()
                for name, values in one.arrays[task].items()
            )
            for task in one.arrays
        )
    )


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so; fail if it never is."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to pass"
        time.sleep(0.01)


@dataclass(frozen=True)
class CutOff:
    """`draws` whose process is killed once, while it sends the outcome: half of it is on its way.

    Attributes
    ----------
    done
        A file that says that it happened.
    """

    done: Path

    def __call__(self, part: Part) -> dict[str, np.ndarray]:
        if not self.done.exists():
            self.done.touch()
            Connection._send = self._half  # type: ignore[attr-defined]
        return draws(part)

    @staticmethod
    def _half(connection: Connection, content: bytes) -> None:
        if len(content) > 1000:
            os.write(connection.fileno(), content[: len(content) // 2])
            os._exit(1)
        os.write(connection.fileno(), content)
