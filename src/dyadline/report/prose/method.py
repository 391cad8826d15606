"""The method section of a manuscript: sample, design, measures, scores; how they were analysed is in `analysis`."""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterator, Sequence
from importlib.metadata import version
from statistics import median
from typing import TYPE_CHECKING

from dyadline.plan.scores import describe_operationalisation, score_meaning
from dyadline.report.document import Block, Cell, Equation, Heading
from dyadline.report.prose.analysis import estimation, missing_values, outcome_models
from dyadline.report.prose.instruments import instrument_paragraphs
from dyadline.report.prose.null import null_method
from dyadline.report.prose.phrases import Phrase, joined, moment, paragraph, places, predictor, quoted, several

if TYPE_CHECKING:
    from dyadline.plan.analysis import ConvergenceSection, Window
    from dyadline.result import AnalysisResult

Anchors = Collection[str]

_GROWTH = {
    "multilevel": "Each rater's curve in each dyad came from a multilevel growth model of that rater's ratings (linear "
    "in time, intercept and slope varying over dyads, REML): the average curve plus the dyad's predicted deviation "
    "from it.",
    "dyadic": "Both raters' curves in each dyad came from one joint growth model of both raters' ratings (linear in "
    "time; the two intercepts and the two slopes varied and correlated over dyads; residual variances differed between "
    "raters, and residuals correlated within an occasion; REML; Raudenbush et al., 1995): the average curve plus the "
    "dyad's predicted deviation from it, which draws on the ratings of both.",
    "ols": "Each rater's curve in each dyad was an ordinary least squares line through that rater's ratings.",
    "observed": "No curves were estimated: the ratings were used as they were given.",
}
_EARLY_LEVEL = {
    "curve": "Early alliance of patient and of therapist was the height of each curve at the study's first rating "
    "occasion.",
    "first_rating": "Early alliance of patient and of therapist was the first rating that each gave.",
}
_EARLY_DISCREPANCY = {
    "signed": "Early discrepancy was the patient's minus the therapist's rating at the dyad's first occasion that both "
    "rated.",
    "absolute": "Early discrepancy was the absolute difference of the two ratings at the dyad's first occasion that "
    "both rated.",
    "curve": "Early discrepancy was the patient's minus the therapist's curve at the study's first rating occasion.",
    "none": "Early discrepancy was not a predictor.",
}
_DATES = {
    "sessions": "Sessions of each dyad were numbered in the order of their dates.",
    "days": "Time was counted in days from each dyad's first date.",
    "weeks": "Time was counted in weeks from each dyad's first date.",
    "months": "Time was counted in months from each dyad's first date.",
}


def method_blocks(result: AnalysisResult, anchors: Anchors) -> Iterator[Block]:
    """The method in the past tense, to be pasted into a manuscript; what only the author knows is in [brackets].

    Parameters
    ----------
    result
        What `run` computed.
    anchors
        Sections, tables and figures that the document has: only these are referred to.
    """
    yield Heading(title="Sample and design")
    yield paragraph(*_sample(result, anchors))
    yield paragraph(*_time(result))
    yield Heading(title="Measures")
    yield from instrument_paragraphs(result, anchors)
    yield Heading(title="Alliance convergence and other scores")
    yield paragraph(*_convergence(result, anchors))
    yield Equation(
        latex=describe_operationalisation(result.plan.convergence).formula, words="The convergence score of dyad j"
    )
    yield paragraph(*_other_scores(result))
    reliability = _reliability(result, anchors)
    if reliability:
        yield paragraph(*reliability)
    yield Heading(title="Statistical analysis")
    if result.fits:
        yield paragraph(*outcome_models(result, anchors))
        yield paragraph(*estimation(result, anchors))
        yield paragraph(*missing_values(result, anchors))
    yield paragraph(*_software())


def is_synthetic(result: AnalysisResult) -> bool:
    """Whether a simulator drew the data."""
    marked = result.plan.data is not None and result.plan.data.synthetic
    return marked or "synthetic" in result.dataset.source.casefold()


def _sample(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    rows, dyads = result.dataset.rows, result.dataset.dyads
    if is_synthetic(result):
        yield ("The data were synthetic: a simulator drew them, and no patient is in them.",)
    treated: Phrase = ()
    if "therapist" in dyads.columns and dyads["therapist"].count():
        own = dyads.drop_nulls("therapist")["therapist"].value_counts()["count"]
        treated = (
            ", with ", *several(own.len(), "therapist"), " (",
            *_spread([int(n) for n in own], "dyad", "therapist"), ")",
        )  # fmt: skip
    yield ("The sample comprised ", *several(dyads.height, "dyad"), " of a patient and a therapist", *treated, ".")
    per_dyad = rows.group_by("dyad").len()["len"]
    counts = [
        (*several(rows[column].count(), "value" if column == "outcome" else "rating"), f" {whose}")
        for column, whose in (
            ("patient_rating", "by patients"),
            ("therapist_rating", "by therapists"),
            ("outcome", "of the outcome"),
        )
    ]
    yield (
        "They contributed ", *several(rows.height, "record"), " (", *_spread(per_dyad.to_list(), "record", "dyad"),
        "), with ", *counts[0], ", ", *counts[1], ", and ", *counts[2],
        *places(anchors, "table-flow", "table-levels"), ".",
    )  # fmt: skip
    if not is_synthetic(result):
        yield ("[Add how dyads were recruited, who was eligible, the treatment, the setting, and ethics approval.]",)


def _spread(numbers: Sequence[int], one: str, unit: str) -> Phrase:
    """``4 to 14 records per dyad, median 12``."""
    low, high = min(numbers), max(numbers)
    of = f" {one if high == 1 else one + 's'} per {unit}"
    if low == high:
        return (Cell(value=low, kind="count"), of)
    middle = Cell(value=float(median(numbers)), kind="occasion")
    return (Cell(value=low, kind="count"), " to ", Cell(value=high, kind="count"), f"{of}, median ", middle)


def _time(result: AnalysisResult) -> Iterator[Phrase]:
    plan, dataset = result.plan, result.dataset
    times = dataset.rows["time"]
    if plan.time.dates is not None:
        yield (_DATES[plan.time.dates],)
    if plan.time.occasions is not None:
        yield ("The fixed occasions were numbered from 0 in their order.",)
    yield (
        f"The time variable was {quoted(plan.columns.time)}, with ", *several(times.n_unique(), "different value"),
        " from ", Cell(value=times.min(), kind="occasion"), " to ", Cell(value=times.max(), kind="occasion"), ".",  # type: ignore[arg-type]
    )  # fmt: skip
    zero = "the study's first occasion" if plan.time.origin == "first" else "as the analysis plan sets it"
    start = Cell(value=dataset.origin, kind="occasion")
    yield (f"In all models time was counted from {moment(plan)} ", start, f", {zero}.")
    if plan.time.scale != 1:
        yield ("One unit of time in the models was ", Cell(value=plan.time.scale, kind="occasion"), " units of it.")
    how = plan.convergence
    for window, what in ((how.rating_window, "alliance ratings"), (how.outcome_window, "outcome values")):
        yield _window(window, what)


def _window(window: Window, what: str) -> Phrase:
    if isinstance(window, str):
        return ()
    ends = (Cell(value=window[0], kind="occasion"), " to ", Cell(value=window[1], kind="occasion"))
    return (f"Only {what} of occasions ", *ends, " were used.")


def _convergence(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    how = result.plan.convergence
    said = {choice.key: choice.words for choice in describe_operationalisation(how).choices}
    yield (
        "Convergence was one score per dyad, made from the ratings of both after Nissen-Lie et al. (2020), by the "
        "choices that follow", *places(anchors, "table-choices"), ".",
    )  # fmt: skip
    yield (_GROWTH[how.growth],)
    rated = "both rated" if how.growth == "observed" else "at least one of the two rated"
    yield (f"The discrepancy at each occasion that {rated} was {said['discrepancy']}.",)
    yield (
        f"The convergence score was {said['slope']}{_unit(how)}, so that "
        f"{score_meaning(how).replace(' mean that ', ' meant that ').replace(' came closer', ' had come closer')}.",
    )
    yield _transform(result, said["transform"])


def _unit(how: ConvergenceSection) -> str:
    if how.slope in ("endpoints", "log_ratio"):
        return ""
    return {
        "window": ", multiplied by the length of the observed window, from the study's first to its last rating "
        "occasion (change over the whole window)",
        "per_unit": ", as change per unit of time",
    }[how.unit]


def _transform(result: AnalysisResult, words: str) -> Phrase:
    scoring = result.scoring
    if result.plan.convergence.transform == "none":
        return ("It was not transformed.",)
    added: Phrase = ()
    if scoring.shift is not None:
        added = ("; the number added to each score was ", Cell(value=scoring.shift, decimals=4))
    elif scoring.power is not None:
        added = ("; the power was λ\u00a0=\u00a0", Cell(value=scoring.power))
    return (f"It was then transformed: {words.removeprefix('then ')}", *added, ".")


def _other_scores(result: AnalysisResult) -> Iterator[Phrase]:
    how = result.plan.convergence
    yield (_EARLY_LEVEL[how.early_level],)
    yield (_EARLY_DISCREPANCY[how.early_discrepancy],)
    mean = (
        "an ordinary least squares line through the mean of the two ratings"
        if how.growth == "observed"
        else "the mean of the two curves"
    )
    unit = "multiplied by the same window" if how.unit == "window" else "per unit of time"
    yield (f"Alliance development was the slope of {mean}, {unit}.",)
    if result.plan.columns.covariates:
        names: list[Phrase] = [(predictor(name),) for name in result.plan.columns.covariates]
        plural = "Further covariates of the dyads were " if len(names) > 1 else "A further covariate of the dyads was "
        yield (plural, *joined(names), ".")


def _reliability(result: AnalysisResult, anchors: Anchors) -> list[Phrase]:
    scoring = result.scoring
    if not len(scoring.reliability):
        return []
    replicates: Phrase = ()
    if scoring.simulated is not None:
        replicates = (" in ", *several(scoring.simulated.replicates, "simulated study", "simulated studies"))
    said: list[Phrase] = [
        (
            "The reliability of each score was estimated by simulation: ratings were drawn from the study's own growth "
            "models at the occasions that each dyad had, and scored as the study was; reliability is the squared "
            "correlation of these scores with the scores of the true curves", *replicates,
            *places(anchors, "table-scores"), ".",
        ),
    ]  # fmt: skip
    null = result.tables.get("null_distribution")
    if null is not None:
        said += null_method(null, anchors)
    elif scoring.simulated is not None and result.plan.convergence.discrepancy != "signed":
        said.append(
            (
                "The same simulation with parallel true curves gave the mean convergence score to be expected if no "
                "dyad's gap had changed, because rating error alone keeps such a discrepancy above zero.",
            )
        )
    return said


def _software() -> Iterator[Phrase]:
    yield (
        f"All analyses were carried out with dyadline {version('dyadline')} (Python {platform.python_version()}, numpy "
        f"{version('numpy')}, scipy {version('scipy')}, polars {version('polars')}) from a written analysis plan, "
        "which reproduces them.",
    )
