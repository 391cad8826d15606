"""Planning a study: from what is known (a twin, a parameter file, data) to its power."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from typing import Any

from dyadline.errors import PlanError, did_you_mean, whole_number
from dyadline.parallel.jobs import Progress
from dyadline.parallel.run import ExecutorName, runner
from dyadline.parallel.store import Store, open_store
from dyadline.plan.analysis import AnalysisPlan, ConvergenceSection, ModelsSection
from dyadline.plan.document import read_plan
from dyadline.plan.mistakes import choices
from dyadline.plan.truth import Truth
from dyadline.plan.truth_document import read_truth
from dyadline.result import AnalysisResult
from dyadline.studies.power.design import as_latent, grid, only_convergence
from dyadline.studies.power.result import PowerResult
from dyadline.studies.power.study import Question, power_study
from dyadline.studies.simulation.estimated import truth_of_result
from dyadline.studies.simulation.frame import truth_plan
from dyadline.studies.twins import STUDIES, parameters
from dyadline.workflow import run

CHOICES = ("growth", "discrepancy", "slope", "unit", "transform")
"""Choices of an operationalisation that its name gives by their values alone."""


def power_design(
    study: str | Path | Truth | AnalysisPlan | AnalysisResult,
    *,
    effect: float | Sequence[float] = 0.3,
    dyads: int | Sequence[int] | None = None,
    sessions: int | Sequence[int] | None = None,
    drop_out: float | Sequence[float] | None = None,
    per_therapist: float | Sequence[float] | None = None,
    scores: Sequence[str | ConvergenceSection] | None = None,
    models: Sequence[int] = (2, 3),
    levels: int = 2,
    replicates: int = 1000,
    seed: int = 1,
    alpha: float = 0.05,
    null: bool = True,
    error_free: bool = True,
    every: bool = False,
    confounded: bool = False,
    goal: float | None = None,
    search: tuple[int, int] = (20, 2000),
    precision: float = 0.05,
    executor: ExecutorName | Executor = "serial",
    workers: int | None = None,
    scheduler: str | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> PowerResult:
    """Power, type I error, bias and coverage of the tests of convergence, by simulating the real design.

    Studies are drawn from a truth in which true (latent) convergence goes with change of the outcome, their ratings
    scored and their outcome modelled as the analysis would; see docs/power.md.

    Parameters
    ----------
    study
        ``"study1"``, ``"study2"``, a parameter file or a plan (by name or as a value), or a result: a plan is carried
        out first, and what its models estimate is the truth. Its covariates are not drawn: what they explain stays part
        of how dyads differ.
    effect
        Standardised effect of true convergence on the outcome's slope: the correlation of the two, as far as other
        predictors leave the slope. Several: all of them.
    dyads, sessions, drop_out, per_therapist
        Designs to be compared, all combinations: number of dyads, of occasions with ratings, share of dyads lost by the
        last occasion, patients per therapist. What is left out stays as it is in the study.
    scores
        Operationalisations to be analysed: sections, or words such as ``"ols"``, ``"signed/none"`` that say what
        differs from the plan's own, which ``"plan"`` stands for.
    models, levels
        Models 2, 3 or both; with 2 levels, or 3 (therapists above dyads; slower).
    replicates, seed, alpha
        Studies per design, seed, level of the tests.
    null, error_free, every
        Whether each design is also drawn without effect; whether studies are also analysed with scores free of error;
        whether tests of all predictors are counted.
    confounded
        Whether early alliance, development and discrepancy have the effects that the study's parameters give them;
        otherwise convergence alone drives change.
    goal, search, precision
        Power for which the number of dyads is searched, between which numbers, and how precisely (half width of the
        95 % interval, relative).
    executor, workers, scheduler
        Where it is computed; the numbers are the same. See `parallel.run.runner`.
    folder, resume, force
        Where finished parts are kept, and whether to go on from those that are there or to remove them.
    progress
        Called as replicates are finished.

    Raises
    ------
    PlanError, DataError, FitError
        What is wrong, where, and what to do.
    """
    truth, plan, title = known_study(study)
    own = scores_asked(["plan"] if scores is None else scores, plan.convergence)
    question = Question(
        designs=grid(
            effects=_numbers(effect, "An effect"),
            dyads=[None] if dyads is None else _whole_numbers(dyads, "The number of dyads"),
            sessions=[None] if sessions is None else _whole_numbers(sessions, "The number of sessions"),
            drop_out=[None] if drop_out is None else _numbers(drop_out, "Drop-out"),
            per_therapist=[None] if per_therapist is None else _numbers(per_therapist, "Patients per therapist"),
        ),
        scores=own,
        models=tuple(_several(models)),
        levels=levels,
        replicates=replicates,
        seed=seed,
        alpha=_number(alpha, "Alpha"),
        null=null,
        error_free=error_free,
        every=every,
        goal=None if goal is None else _number(goal, "The power that is sought"),
        search=_ends(search),
        precision=_number(precision, "The precision"),
    )
    base = None if folder is None else Path(folder)

    def stores(name: str, mark: str) -> Store | None:
        return (
            None
            if base is None
            else open_store(base / name, f"{mark} {version('dyadline')}", resume=resume, force=force)
        )

    with runner(executor, workers=workers, scheduler=scheduler) as carry_out:
        return power_study(
            as_latent(truth) if confounded else only_convergence(truth),
            plan,
            question,
            carry_out,
            title=title,
            stores=stores,
            progress=progress,
        )


def known_study(study: str | Path | Truth | AnalysisPlan | AnalysisResult) -> tuple[Truth, AnalysisPlan, str]:
    """Truth, analysis and title of what a study is planned from; errors as in `power_design`."""
    if isinstance(study, Truth):
        return study, _without_data(truth_plan(study, "simulated")), study.title
    if isinstance(study, AnalysisResult):
        return truth_of_result(study), _without_data(study.plan), study.plan.title
    if isinstance(study, AnalysisPlan):
        return known_study(run(study))
    if not isinstance(study, str | Path):
        raise PlanError(f"A study is a name, a file, a plan or a result, not {type(study).__name__}")
    if str(study) in STUDIES:
        return known_study(Truth.model_validate(parameters(str(study))))
    path = Path(study)
    if not path.is_file() and path.suffix.lower() != ".toml":
        near = did_you_mean(str(study), STUDIES)
        raise PlanError(
            f"{str(study)!r} is neither a bundled study nor a file",
            way_out=near or f"Use {' or '.join(STUDIES)}, or the name of a plan or of a parameter file (.toml)",
        )
    return known_study(read_plan(path) if _is_plan(path) else read_truth(path))


def _is_plan(path: Path) -> bool:
    """Whether a TOML file is a plan rather than parameters; whatever cannot be read is left to their readers."""
    try:
        return "columns" in tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False


def _without_data(plan: AnalysisPlan) -> AnalysisPlan:
    """What concerns scores and models: covariates are not drawn, and predictors that are drawn are complete."""
    columns = plan.columns.model_copy(update={"covariates": ()})
    models = ModelsSection(method=plan.models.method, therapist_slopes=False)
    return AnalysisPlan(columns=columns, time=plan.time, convergence=plan.convergence, models=models)


def scores_asked(asked: str | Sequence[str | ConvergenceSection], own: ConvergenceSection) -> list[ConvergenceSection]:
    """Operationalisations from their words.

    Raises
    ------
    PlanError
        A word that is no choice, or choices that contradict each other.
    """
    return [how if isinstance(how, ConvergenceSection) else _operationalisation(how, own) for how in _several(asked)]


def _operationalisation(words: object, own: ConvergenceSection) -> ConvergenceSection:
    if not isinstance(words, str):
        raise PlanError(f"An operationalisation is a section or words, not {words!r}", where="scores")
    known = {value: key for key in CHOICES for value in choices(ConvergenceSection.model_fields[key].annotation)}
    changed: dict[str, str] = {}
    for word in filter(None, (part.strip() for part in words.split("/"))):
        if word == "plan":
            continue
        if word not in known:
            raise PlanError(
                f"{word!r} is no choice of an operationalisation",
                where="scores",
                way_out=did_you_mean(word, known) or f"Choices: {', '.join(known)}; plan for the plan's own",
            )
        if known[word] in changed:
            raise PlanError(f"{words!r} says {known[word]} twice", where="scores")
        changed[known[word]] = word
    made = own.model_copy(update={"null": 0, **changed} if "null" in type(own).model_fields else changed)
    if made.growth == "observed":
        # Raw first ratings and their raw difference say the same thing twice; the absolute difference does not.
        levels = {"early_level": "first_rating", "early_discrepancy": "absolute"}
        if made.early_discrepancy == "none":
            levels.pop("early_discrepancy")
        made = made.model_copy(update=levels)
    return ConvergenceSection.model_validate(made.model_dump())


def _several(value: object) -> list[Any]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


def _ends(search: object) -> tuple[int, int]:
    found = _several(search)
    if len(found) != 2:
        raise PlanError("A search goes between two numbers of dyads", where="search", way_out="For example (20, 2000)")
    first, last = (whole_number(end, "An end of the search", 1) for end in found)
    return first, last


def _whole_numbers(value: int | Iterable[int], what: str) -> list[int]:
    return [whole_number(one, what, 1) for one in _several(value)]


def _numbers(value: float | Iterable[float], what: str) -> list[float]:
    return [_number(one, what) for one in _several(value)]


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise PlanError(f"{what} is a number, not {value!r}")
    return float(value)
