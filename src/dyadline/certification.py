"""The recovery certificate from start to page: what `dyadline certify` and Python users call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from dyadline import __version__
from dyadline.parallel.jobs import Progress
from dyadline.parallel.run import ExecutorName, runner
from dyadline.report.recovery import compose_certificate
from dyadline.report.writers.markdown import write_markdown
from dyadline.studies.certificate.certificate import Certificate, certificate
from dyadline.studies.twins import STUDIES
from dyadline.workflow import load


def certify(
    seeds: int = 1000,
    *,
    studies: Sequence[str] = STUDIES,
    dyads: int | None = None,
    executor: ExecutorName = "serial",
    workers: int | None = None,
    scheduler: str | None = None,
    store: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Certificate:
    """Do simulator and analysis together give back what the twins were made from?

    Each twin is drawn with seeds 1, 2 ..., loaded, scored and fitted as every study is; estimates, standard errors,
    intervals and tests of Models 2 and 3 are held against the true values. Same seeds, same answer, on any executor.

    Parameters
    ----------
    seeds
        Draws of each twin, at least 2.
    studies
        ``"study1"``, ``"study2"``. Study 2 is drawn with ten times its dyads as well.
    dyads
        Per study, at least 10; the paper's unless said.
    executor, workers, scheduler
        Where it is computed: see `parallel.run.runner`.
    store
        Folder of finished parts; what is there already for the same work is taken from it.
    progress
        Called after each finished part.

    Returns
    -------
    Certificate
        With frames ``recovery``, ``type_i`` and ``fits``, failures, whether it ``passed``, and the ``page`` in Markdown
        (empty if it was interrupted).

    Raises
    ------
    PlanError
        An unknown study, too few seeds or dyads, an executor that is not there.
    FitError
        If fewer than two draws of a study have an answer.
    """
    with runner(executor, workers=workers, scheduler=scheduler) as run:
        made = certificate(run, load, seeds=seeds, studies=studies, dyads=dyads, store=store, progress=progress)
    found = replace(made, version=__version__)
    if found.interrupted:
        return found
    return replace(found, page=write_markdown(compose_certificate(found), figures={}))
