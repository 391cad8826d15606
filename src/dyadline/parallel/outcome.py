"""One part carried out, whatever happens in it short of the death of its process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pickle import loads
from threading import Lock
from typing import Any

import numpy as np

from dyadline.errors import DyadlineError
from dyadline.parallel.jobs import Arrays, Failure, Part, Work

LONGEST = 200
"""Characters of another program's message that a failure repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of some replicates of one task.

    Attributes
    ----------
    task
        Number of the task.
    numbers
        Replicates with a result, ascending.
    arrays
        Results; first axis as `numbers`; empty without them.
    failures
        The other replicates.
    """

    task: int
    numbers: tuple[int, ...]
    arrays: Arrays
    failures: tuple[Failure, ...] = ()

    @property
    def size(self) -> int:
        """Replicates with and without a result."""
        return len(self.numbers) + len(self.failures)


@dataclass(frozen=True, slots=True)
class Sealed:
    """Work that was pickled once for all parts.

    Attributes
    ----------
    content
        The pickle.
    """

    content: bytes

    def opened(self) -> Work:
        """The work; unpickled once in each process."""
        return _opened(self.content)


@lru_cache(maxsize=4)
def _opened(content: bytes) -> Work:
    work: Work = loads(content)  # the pickle comes from the process that started this one
    return work


def carried_out(work: Work | Sealed, part: Part) -> Outcome:
    """Carry out a part with one thread for linear algebra; replicates that raise an exception become failures.

    Raises
    ------
    Exception
        Only if sealed work cannot be opened in this process.
    """
    with one_thread():
        return _isolated(work.opened() if isinstance(work, Sealed) else work, part)


def _isolated(work: Work, part: Part) -> Outcome:
    # The one place of the house where anything may be caught: a replicate that fails is a value, not the end of the
    # other thousands. Halves instead of single replicates, because work in batches is quick and work one by one is not.
    try:
        return Outcome(task=part.task, numbers=part.numbers, arrays=_aligned(work(part), part))
    except (Exception, SystemExit) as error:  # noqa: BLE001
        words = failure_words(error)
    if len(part.numbers) == 1:
        return failed(part, words)
    return joined(part.task, [_isolated(work, half) for half in halves(part)])


def _aligned(arrays: Arrays, part: Part) -> dict[str, np.ndarray[Any, Any]]:
    aligned = {name: np.asarray(values) for name, values in arrays.items()}
    for name, values in aligned.items():
        if values.ndim == 0 or len(values) != len(part.numbers):
            raise ValueError(f"{name!r} has not one row for each of {len(part.numbers)} replicates")
        if values.dtype.hasobject:
            raise TypeError(f"{name!r} holds Python objects; results are numbers or text")
    return aligned


def halves(part: Part) -> tuple[Part, Part]:
    """The two halves of a part of at least two replicates."""
    middle = len(part.numbers) // 2
    return Part(part.task, part.numbers[:middle]), Part(part.task, part.numbers[middle:])


def failed(part: Part, words: str) -> Outcome:
    """All replicates of a part as failures with the same words."""
    failures = tuple(Failure(task=part.task, number=number, words=words) for number in part.numbers)
    return Outcome(task=part.task, numbers=(), arrays={}, failures=failures)


def failure_words(error: BaseException) -> str:
    """One line: the sentence of an error of the house, else class and first line of the message."""
    if isinstance(error, DyadlineError):
        return " ".join(str(error).split())
    said = str(error).strip().splitlines()
    words = f"{type(error).__name__}: {' '.join(said[0].split())}" if said else type(error).__name__
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def joined(task: int, outcomes: Sequence[Outcome]) -> Outcome:
    """Outcomes of one task as one, in the order of the replicates' numbers.

    Raises
    ------
    ValueError
        If their arrays differ in names or in other axes than the first.
    """
    with_results = [outcome for outcome in outcomes if outcome.numbers]
    numbers = np.array([number for outcome in with_results for number in outcome.numbers], dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    failures = sorted((f for outcome in outcomes for f in outcome.failures), key=lambda f: f.number)
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    if with_results:
        names = with_results[0].arrays.keys()
        if any(outcome.arrays.keys() != names for outcome in with_results):
            raise ValueError(f"The work gives arrays of different names for parts of task {task}")
        for name in names:
            arrays[name] = np.concatenate([outcome.arrays[name] for outcome in with_results])[order]
            arrays[name].flags.writeable = False
    return Outcome(task=task, numbers=tuple(numbers[order].tolist()), arrays=arrays, failures=tuple(failures))


def restricted(outcome: Outcome, wanted: Mapping[int, set[int]]) -> Outcome:
    """The replicates of an outcome that are wanted, by task."""
    mine = wanted.get(outcome.task, set())
    keep = [row for row, number in enumerate(outcome.numbers) if number in mine]
    return Outcome(
        task=outcome.task,
        numbers=tuple(outcome.numbers[row] for row in keep),
        arrays={name: values[keep] for name, values in outcome.arrays.items()} if keep else {},
        failures=tuple(f for f in outcome.failures if f.number in mine),
    )


class _Limit:
    """How many hold linear algebra at one thread now: an executor of threads may have several."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.depth = 0
        self.held: Any = None


_LIMIT = _Limit()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep linear algebra at one thread: more may give other digits, and processes would wait for each other."""
    with _LIMIT.lock:
        if _LIMIT.depth == 0:
            _LIMIT.held = _controller().limit(limits=1, user_api="blas")
        _LIMIT.depth += 1
    try:
        yield
    finally:
        with _LIMIT.lock:
            _LIMIT.depth -= 1
            if _LIMIT.depth == 0:
                _LIMIT.held.restore_original_limits()


@cache
def _controller() -> Any:
    import scipy.linalg  # noqa: F401 - it brings a BLAS of its own, which can be limited only once it is there
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
