"""What is to be done many times, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyadline.errors import whole_number

Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Part:
    """Some replicates of one task.

    Attributes
    ----------
    task
        Number of the task, such as a design of a grid.
    numbers
        Numbers of the replicates, ascending.
    """

    task: int
    numbers: tuple[int, ...]


Work = Callable[[Part], Arrays]
"""A picklable function: arrays whose first axis runs over the part's replicates, of the same names, types and other
axes for every part of a task. A replicate's row must depend on the numbers of task and replicate alone, bit for bit,
never on which others share the part: parts are cut anew where a replicate fails and where a run is continued."""


def parts_of(task: int, replicates: int, size: int, *, first: int = 0) -> tuple[Part, ...]:
    """The replicates of one task, cut into parts.

    Parameters
    ----------
    task
        Number of the task.
    replicates
        How many; they are numbered from `first`.
    size
        Replicates of a part; the last one may have fewer. A part should take between a tenth of a second and ten: less,
        and the way to another process costs more than the work; more, and a dead worker costs much.
    first
        Number of the first replicate; where a task is continued, how many it has already.

    Raises
    ------
    PlanError
        For numbers that are not whole, or a size below 1.
    """
    size = whole_number(size, "The size of a part", 1)
    end = first + whole_number(replicates, "The number of replicates", 0)
    return tuple(Part(task, tuple(range(start, min(start + size, end)))) for start in range(first, end, size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A replicate without a result.

    Attributes
    ----------
    task, number
        Which one.
    words
        Why, in one line, without any data.
    """

    task: int
    number: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of many replicates.

    Attributes
    ----------
    numbers
        Replicates with a result, ascending, by task.
    arrays
        Results by task, read-only; first axis as `numbers`. A task of which no replicate has a result has no arrays.
    failures
        Replicates that failed, by task and number.
    interrupted
        Whether the work was stopped before all was done.
    """

    numbers: Mapping[int, tuple[int, ...]]
    arrays: Mapping[int, Arrays]
    failures: Sequence[Failure]
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the work is.

    Attributes
    ----------
    done, total
        Replicates, failed ones and those found on disk included.
    failed
        Replicates that failed.
    seconds_left
        Estimated from the pace of this run, in which what was found on disk has no share; ``None`` at the beginning,
        and where nobody knows how much is still to come.
    what
        Which piece of the work it is, where there are several one after the other.
    """

    done: int
    total: int
    failed: int
    seconds_left: float | None
    what: str = ""
