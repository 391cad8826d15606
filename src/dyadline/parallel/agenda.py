"""Which part comes next: fresh ones, those whose worker died, and last the suspects."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from dyadline.parallel.jobs import Part
from dyadline.parallel.outcome import Outcome, failed, halves

DEATHS = 2
"""Workers that may die with a part before it is suspected, and with a single replicate alone before that has failed."""

IN_A_ROW = 50
"""Deaths without anything finished in between, after which nothing more is tried; four per slot where that is more."""

DIED = "its process died"
GIVEN_UP = "not tried: worker processes died too often in a row"


@dataclass(frozen=True, slots=True)
class Job:
    """A part that is to be carried out.

    Attributes
    ----------
    part
        Which replicates.
    deaths
        Workers that died with it.
    suspect
        Whether it is carried out while nothing else is, so that a death is its own doing and neither a stranger's nor
        that of a memory that several used up together.
    """

    part: Part
    deaths: int = 0
    suspect: bool = False


class Agenda:
    """Parts that are still to be handed out.

    A part with which workers died twice is done alone at the end. If that kills again, it is halved, down to the
    replicate, which has failed after two deaths of its own.

    Parameters
    ----------
    parts
        All of them, fresh; asked for one by one.
    slots
        Parts that are out at the same time.
    """

    def __init__(self, parts: Iterable[Part], slots: int) -> None:
        self._fresh: Iterator[Part] = iter(parts)
        self._again: deque[Job] = deque()
        self._suspects: deque[Job] = deque()
        self._row = 0
        self._limit = max(IN_A_ROW, 4 * slots)

    def following(self, out: int) -> Job | None:
        """The next job, or ``None`` if there is none while so many are out."""
        if self._again:
            return self._again.popleft()
        if (part := next(self._fresh, None)) is not None:
            return Job(part)
        return self._suspects.popleft() if self._suspects and not out else None

    def finished(self) -> None:
        """Tell that a part has an outcome."""
        self._row = 0

    def died(self, job: Job, deaths: int) -> list[Outcome]:
        """Put a part back whose workers died; outcomes of what is not tried again."""
        self._row += deaths > 0
        job = replace(job, deaths=job.deaths + deaths)
        if self._row >= self._limit:
            return [failed(part, GIVEN_UP) for part in (job.part, *self._rest())]
        if not job.suspect and job.deaths < DEATHS:
            self._again.append(job)
        elif not job.suspect:
            self._suspects.append(Job(job.part, suspect=True))
        elif deaths == 0:
            self._suspects.appendleft(job)
        elif len(job.part.numbers) > 1:
            self._suspects.extendleft(Job(half, suspect=True) for half in reversed(halves(job.part)))
        elif job.deaths < DEATHS:
            self._suspects.appendleft(job)
        else:
            return [failed(job.part, DIED)]
        return []

    def _rest(self) -> Iterator[Part]:
        waiting = [job.part for job in (*self._again, *self._suspects)]
        self._again.clear()
        self._suspects.clear()
        yield from waiting
        yield from self._fresh
