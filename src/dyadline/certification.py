"""The recovery certificate from start to page: what `dyadline certify` and Python users call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from dyadline.errors import whole_number
from dyadline.parallel.jobs import Progress
from dyadline.parallel.run import ExecutorName, runner
from dyadline.parallel.store import fingerprint_of, open_store
from dyadline.report.recovery import compose_certificate
from dyadline.report.writers.markdown import write_markdown
from dyadline.studies.certificate.certificate import Certificate, certificate, facts, kinds
from dyadline.studies.twins import STUDIES
from dyadline.workflow import load


def certify(
    seeds: int = 1000,
    *,
    studies: Sequence[str] = STUDIES,
    dyads: int | None = None,
    executor: ExecutorName | Executor = "serial",
    workers: int | None = None,
    scheduler: str | None = None,
    store: Path | None = None,
    resume: bool = False,
    force: bool = False,
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
    store, resume, force
        Folder of finished parts, which is kept; whether to continue with what is there, also with more seeds than
        before; whether to remove it.
    progress
        Called at the beginning and after each finished part.

    Returns
    -------
    Certificate
        With frames ``recovery``, ``type_i`` and ``fits``, failures, whether it ``passed``, and the ``page`` in Markdown
        (empty if it was interrupted).

    Raises
    ------
    PlanError
        An unknown study, too few seeds or dyads, an executor that is not there, parts of another run.
    FitError
        If fewer than two draws of a study have an answer.
    """
    seeds = whole_number(seeds, "The number of seeds", 2)
    tasks = kinds(studies, dyads)
    fingerprint = fingerprint_of({"version": version("dyadline"), **facts(tasks)})
    with runner(executor, workers=workers, scheduler=scheduler) as run:
        kept = None if store is None else open_store(store, fingerprint, resume=resume, force=force)
        made = certificate(run, load, tasks, seeds, store=kept, progress=progress)
    found = replace(made, version=version("dyadline"))
    if found.interrupted:
        return found
    return replace(found, page=write_markdown(compose_certificate(found), figures={}))
