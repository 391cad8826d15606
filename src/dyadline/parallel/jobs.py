"""What is to be done many times, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
"""A picklable function: arrays whose first axis runs over the part's replicates. It must depend on the numbers of task
and replicate alone, never on which others share the part, so that parts may be cut anew."""


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
        Results by task; first axis as `numbers`.
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
        Estimated from the pace so far; ``None`` at the beginning.
    """

    done: int
    total: int
    failed: int
    seconds_left: float | None
