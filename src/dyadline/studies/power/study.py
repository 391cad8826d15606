"""A power study: designs, replicates, tables, and the number of dyads that a power needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
import polars as pl

from dyadline.errors import PlanError, whole_number
from dyadline.parallel.jobs import Arrays, Done, Part, Progress, parts_of
from dyadline.parallel.run import Runner
from dyadline.parallel.store import Store
from dyadline.plan.analysis import AnalysisPlan, ConvergenceSection
from dyadline.plan.scores import describe_operationalisation
from dyadline.plan.truth import Truth
from dyadline.studies.power.design import Design, designed, without_effect
from dyadline.studies.power.models import terms_in_question
from dyadline.studies.power.result import NEEDED, PowerResult
from dyadline.studies.power.search import checked_range, needed
from dyadline.studies.power.summary import design_row, rejections, scores_table, tests_table
from dyadline.studies.power.work import ESTIMATED, PowerWork

AT_ONCE = 6144
"""Dyads of all studies of one part: what is worked on together should stay in the processor's cache."""

MOST = 10_000_000
"""Studies of one question: what is kept of each is in memory in the end."""

SLOPE = "time:convergence"
"""The test of the question: whether convergence goes with change."""

Stores = Callable[[str, str], Store | None]
"""From a name and a fingerprint to a place for finished parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a power study asks.

    Attributes
    ----------
    designs
        To be compared.
    scores
        Operationalisations to be analysed.
    models
        2, 3 or both.
    replicates, seed, alpha
        Studies per design, seed of their random numbers, level of the tests.
    null
        Whether each design is also drawn without effect, for the type I error.
    error_free
        Whether studies are also analysed with scores free of error.
    every
        Whether all predictors' tests are counted, or those of convergence alone.
    goal
        Power for which the number of dyads is searched; none unless given.
    search
        Fewest and most dyads of the search.
    precision
        Half width of the 95 % interval of that number, relative to it, at which the search ends.
    levels
        Of the analysis: 2, or 3 with therapists above the dyads.
    """

    designs: Sequence[Design]
    scores: Sequence[ConvergenceSection] = field(default_factory=lambda: (ConvergenceSection(),))
    models: tuple[int, ...] = (2, 3)
    replicates: int = 1000
    seed: int = 1
    alpha: float = 0.05
    null: bool = True
    error_free: bool = True
    every: bool = False
    goal: float | None = None
    search: tuple[int, int] = (20, 2000)
    precision: float = 0.05
    levels: int = 2


def power_study(
    truth: Truth,
    plan: AnalysisPlan,
    question: Question,
    run: Runner,
    *,
    title: str = "",
    stores: Stores | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PowerResult:
    """Draw, analyse and count.

    Parameters
    ----------
    truth, plan
        From which studies are drawn, and how they are analysed (models, estimation, time).
    question
        What is asked.
    run
        An open executor.
    title
        Of the study.
    stores
        Where finished parts are kept.
    progress
        Called as replicates are finished.

    Raises
    ------
    PlanError
        A design or a question that cannot be.
    """
    _check(question, truth)
    shown = [designed(truth, design) for design in question.designs]
    _check_curves(question, shown)
    truths, nulls = _with_nulls(shown, truth, question)
    if (count := len(truths) * question.replicates) > MOST:
        raise PlanError(
            f"These are {count:,} studies to be simulated, and {MOST:,} are possible at most",
            way_out="Ask for fewer replicates or designs",
        )
    work = PowerWork(
        truths=tuple(truths),
        scores=tuple(question.scores),
        plan=plan,
        models=question.models,
        seed=question.seed,
        every=question.every,
        error_free=question.error_free,
        levels=question.levels,
    )
    # Designs take turns: the time left can be told from the pace, and whoever stops has something of each.
    parts = sorted(
        (part for task, made in enumerate(truths) for part in parts_of(task, question.replicates, _size(made.dyads))),
        key=lambda part: part.numbers[0],
    )
    done = run(work, parts, store=stores("grid", fingerprint(work)) if stores else None, progress=progress)
    lost = Counter(failure.task for failure in done.failures)
    numbers = range(len(shown))
    asked = zip(question.designs, shown, strict=True)
    rows = [design_row(number, truth, design, made) for number, (design, made) in enumerate(asked)]
    # A study without effect is told under the first design that it stands behind.
    behind = {null: design for design, null in reversed(nulls.items()) if null not in numbers}
    found, searched = pl.DataFrame(schema=NEEDED), done.interrupted
    if question.goal is not None and not done.interrupted:
        found, searched = _searched(truth, work, question, run, stores, progress)
    return PowerResult(
        truth=shown[0],
        title=title or truth.title,
        alpha=question.alpha,
        replicates=question.replicates,
        seed=question.seed,
        tests=tests_table(work, done.arrays, lost, question.alpha, rows, nulls),
        scores=scores_table(work, done.arrays, rows),
        needed=found,
        operationalisations=[(o.name, o.sentence) for o in map(describe_operationalisation, question.scores)],
        failures=[replace(failure, task=behind.get(failure.task, failure.task)) for failure in done.failures],
        interrupted=done.interrupted or searched,
        given=truth,
        method=plan.models.method,
        levels=question.levels,
    )


def fingerprint(work: PowerWork, *more: str) -> str:
    """What tells one piece of work from another."""
    said = [t.model_dump_json() for t in work.truths] + [s.model_dump_json() for s in work.scores]
    said += [
        work.plan.model_dump_json(),
        repr((work.models, work.seed, work.every, work.error_free, work.levels)),
    ]
    return sha256("\n".join([*said, *more]).encode()).hexdigest()


def _check(question: Question, truth: Truth) -> None:
    whole_number(question.replicates, "The number of replicates", 1)
    whole_number(question.seed, "The seed", 0)
    if not question.designs or not question.scores or not question.models:
        raise PlanError("A power study needs at least one design, one score and one model")
    if not 0.0 < question.alpha < 1.0:
        raise PlanError(f"Alpha is a probability between 0 and 1, not {question.alpha:g}", where="alpha")
    if set(question.models) - {2, 3}:
        raise PlanError("Convergence is tested in Models 2 and 3", where="models", way_out="Write 2, 3 or 2,3")
    if question.levels not in (2, 3):
        raise PlanError(f"The analysis has 2 or 3 levels, not {question.levels}", where="levels")
    if question.levels == 3 and not all(d.per_therapist or truth.therapists for d in question.designs):
        raise PlanError(
            "Three levels need therapists, and the truth has none", way_out="Say how many patients each has"
        )
    if question.goal is not None:
        _check_search(question, truth)
    names = [describe_operationalisation(how).name for how in question.scores]
    if len(set(names)) < len(names):
        raise PlanError("An operationalisation stands twice", where="scores")


def _check_curves(question: Question, shown: Sequence[Truth]) -> None:
    """Two occasions leave a growth model as many effects as rows: every replicate would fail."""
    fewest = min(len(made.rated_occasions) for made in shown)
    modelled = next((how.growth for how in question.scores if how.growth in ("multilevel", "dyadic")), None)
    if fewest < 3 and modelled is not None:
        raise PlanError(
            f"Curves by growth = {modelled!r} need at least three occasions with ratings, not {fewest}",
            where="sessions",
            way_out="Take three or more, or a score that needs no model of the ratings: ols or observed",
        )


def _check_search(question: Question, truth: Truth) -> None:
    """What a search would refuse, before the grid takes its time."""
    low, high = question.search
    low, high = checked_range(
        goal=question.goal or 0.0, alpha=question.alpha, low=low, high=high, tolerance=question.precision
    )
    wanted = _curves(question.designs)
    if not wanted:
        raise PlanError("Without effect no number of dyads has the power that is sought", where="effect")
    for design in wanted:
        for dyads in (low, high):
            try:
                designed(truth, replace(design, dyads=dyads))
            except PlanError as error:
                raise PlanError(f"The search cannot go to {dyads:,} dyads: {error}", where="search") from None


def _curves(designs: Sequence[Design]) -> list[Design]:
    """Designs but for their dyads, in which there is something to be found."""
    return [d for d in dict.fromkeys(replace(d, dyads=None) for d in designs) if d.effect]


def _with_nulls(shown: list[Truth], truth: Truth, question: Question) -> tuple[list[Truth], dict[int, int]]:
    """Designs without effect behind the others, each once, and which belongs to which."""
    truths = list(shown)
    nulls: dict[int, int] = {}
    if not question.null:
        return truths, nulls
    places: dict[str, int] = {}
    for number, made in enumerate(shown):
        places.setdefault(made.model_dump_json(), number)
    for number, design in enumerate(question.designs):
        still = designed(without_effect(truth), replace(design, effect=0.0))
        nulls[number] = places.setdefault(still.model_dump_json(), len(truths))
        if nulls[number] == len(truths):
            truths.append(still)
    return truths, nulls


def _size(dyads: int) -> int:
    """Replicates of a part."""
    return max(4, min(64, AT_ONCE // dyads))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchWork:
    """The work of a search: the task is the number of dyads."""

    truth: Truth
    design: Design
    work: PowerWork

    def __call__(self, part: Part) -> Arrays:
        made = designed(self.truth, replace(self.design, dyads=part.task))
        # Other random numbers for each number of dyads: the curve that is fitted takes them for independent.
        return replace(self.work, truths=(made,), key=(part.task,))(Part(0, part.numbers))


def _searched(
    truth: Truth,
    work: PowerWork,
    question: Question,
    run: Runner,
    stores: Stores | None,
    progress: Callable[[Progress], None] | None,
) -> tuple[pl.DataFrame, bool]:
    """Dyads needed, for each design but for its dyads, each score and each model; whether it was interrupted."""
    rows: list[Mapping[str, object]] = []
    assert question.goal is not None
    curves = _curves(question.designs)
    count = len(curves) * len(question.scores) * len(question.models)
    for design in curves:
        for how in question.scores:
            for model in question.models:
                own = replace(work, truths=(), scores=(how,), models=(model,), every=False, error_free=False)
                search = SearchWork(truth=truth, design=design, work=own)
                name = f"search-{len(rows)}"
                store = stores(name, fingerprint(own, truth.model_dump_json(), repr(design))) if stores else None
                place = f"search {len(rows) + 1} of {count}"
                power = _Power(search, run, store, question.alpha, place, progress)
                try:
                    found = needed(
                        power,
                        goal=question.goal,
                        alpha=question.alpha,
                        low=question.search[0],
                        high=question.search[1],
                        tolerance=question.precision,
                    )
                except _Interrupted:
                    return pl.DataFrame(rows, schema=NEEDED), True
                about = design_row(0, truth, design, designed(truth, design))
                rows.append(
                    {
                        **{name: about[name] for name in NEEDED if name in about},
                        "score": describe_operationalisation(how).name,
                        "model": model,
                        "term": SLOPE,
                        "goal": question.goal,
                        "n": found.n,
                        "n_low": found.n_low,
                        "n_high": found.n_high,
                        "replicates": found.replicates,
                        "status": found.status,
                    }
                )
    return pl.DataFrame(rows, schema=NEEDED), False


class _Interrupted(Exception):  # noqa: N818 - it is no error
    """Ctrl-C during a search."""


@dataclass(frozen=True, slots=True)
class _Power:
    """Rejections among some replicates of a number of dyads: what a search asks for."""

    work: SearchWork
    run: Runner
    store: Store | None
    alpha: float
    place: str
    progress: Callable[[Progress], None] | None

    def __call__(self, n: int, begin: int, count: int) -> tuple[int, int]:
        def tell(progress: Progress) -> None:
            # What the next round asks for depends on this one: nobody knows when the search will end.
            if self.progress is not None:
                self.progress(replace(progress, what=f"{self.place}, {n} dyads", seconds_left=None))

        done: Done = self.run(self.work, parts_of(n, count, _size(n), first=begin), store=self.store, progress=tell)
        if done.interrupted:
            raise _Interrupted
        arrays = done.arrays.get(n)
        if not arrays:
            return 0, count
        (model,), how = self.work.work.models, self.work.work.scores[0]
        plan = self.work.work.plan.model_copy(update={"convergence": how})
        place = terms_in_question(model, plan, every=False).index(SLOPE)
        hits = rejections(arrays, f"0.{model}.{ESTIMATED}", self.alpha)
        return int(np.sum(hits[:, place])), count
