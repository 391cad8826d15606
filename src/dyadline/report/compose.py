"""The report of an analysis: which table, figure and sentence stands where."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

import polars as pl

from dyadline.errors import Finding
from dyadline.plan.document import plan_text
from dyadline.plan.scores import Operationalisation, describe_operationalisation
from dyadline.report import description, models
from dyadline.report.document import (
    Block,
    Cell,
    Document,
    Equation,
    Heading,
    Paragraph,
    Part,
    Section,
    Source,
)
from dyadline.report.figures.axes import axis_titles
from dyadline.report.figures.discrepancy import mean_discrepancy
from dyadline.report.figures.null import null_histogram
from dyadline.report.figures.outcome import outcome_curves
from dyadline.report.figures.panels import convergence_groups, dyad_panels
from dyadline.report.figures.pseudonyms import pseudonyms
from dyadline.report.figures.scores import score_histograms
from dyadline.report.figures.spaghetti import rating_curves
from dyadline.report.labels import CONVENTIONS, heading, model_words, name, source
from dyadline.report.numbers import count, occasion
from dyadline.report.prose import narrative
from dyadline.report.prose.checklists import checklist_blocks
from dyadline.report.prose.equations import model_equations, rating_equations, reading
from dyadline.report.prose.method import method_blocks
from dyadline.report.prose.references import reference_blocks
from dyadline.report.prose.results import results_blocks
from dyadline.report.rounding import rounded
from dyadline.report.syntax.scripts import syntax_blocks
from dyadline.report.tables import growth as growth_tables
from dyadline.report.tables import imputation as imputation_tables
from dyadline.report.tables import models as model_tables
from dyadline.report.tables import study as study_tables
from dyadline.report.tables.null import null_table

if TYPE_CHECKING:
    from dyadline.result import AnalysisResult

_LEVELS_ASKED = {
    3: "Sessions in dyads in therapists",
    "auto": "Sessions in dyads in therapists if a test says that therapists differ, else sessions in dyads",
}
SYNTHETIC = "synthetic-data"
_LAST = "syntax"
"""Key of the section that stands behind references and checklists, and that they do not refer to."""


def compose(result: AnalysisResult, *, individual: bool = False) -> Document:
    """Lay out the report of an analysis.

    Parameters
    ----------
    result
        What `run` computed. Tables that are absent are left out with what belongs to them.
    individual
        Whether figures may hold the values of single dyads, under pseudonyms; otherwise all are aggregated, so that
        a report that is passed on gives no patient away.

    Returns
    -------
    Document
        For `render`; the same result always gives the same document.
    """
    asked = describe_operationalisation(result.plan.convergence)
    tables, columns, rows = result.tables, result.plan.columns, result.dataset.rows
    time = heading(columns.time)
    names = pseudonyms(rows) if individual else None
    attrition = description.attrition_blocks(tables, columns, rows, time=time, pseudonyms=names)
    # What was found comes before what it was found from, as in an article and its supplement.
    makers = (
        ("models", "Outcome models", _models(result)),
        ("sensitivity", "Sensitivity", models.sensitivity_blocks(result)),
        ("findings", "Findings", _findings(result.findings)),
        ("ratings", "Ratings and outcome", _ratings(result, time, names)),
        ("scores", "Scores of the dyads", _scores(result)),
        ("time", "Shape of change", _time(result, names)),
        ("data", "Data", _data(result)),
        ("attrition", "Attrition and missing values", attrition),
        ("reliability", "Reliability of the scales", description.reliability_blocks(tables, time=time)),
        ("similarity", "Similarity within dyads and therapists", description.similarity_blocks(tables)),
        ("asked", "What was asked", _asked(result, asked)),
        ("equations", "Model equations", _equations(result)),
        ("diagnostics", "Model diagnostics", models.diagnostic_blocks(result, names)),
        ("collinearity", "Collinearity", _collinearity(result)),
        ("reproduce", "How to cite and reproduce", _reproduce(result, asked)),
        ("syntax", "Syntax for other programs", syntax_blocks(result)),
    )
    made = [Section(key=key, title=title, blocks=tuple(blocks)) for key, title, blocks in makers]
    sections = _with_words(result, [section for section in made if section.blocks])
    summary = narrative.main_result(tables["fixed_effects"]) if "fixed_effects" in tables else ()
    document = Document(
        title=result.plan.title or "Alliance convergence and outcome",
        subtitle=_subtitle(result),
        banner=_banner(result),
        summary=(*summary, *_warned(result.findings)),
        sections=tuple(sections),
    )
    return rounded(document, result.plan.report.decimals)


def _with_words(result: AnalysisResult, made: list[Section]) -> list[Section]:
    """Method and results before the sections that they refer to; references and checklists behind them."""
    anchors = {*_labels(made), "section-method", "section-results"}
    first = [
        Section(key="method", title="Method", blocks=tuple(method_blocks(result, anchors))),
        Section(key="results", title="Results", blocks=tuple(results_blocks(result, anchors))),
    ]
    body = [section for section in (*first, *made) if section.blocks and section.key != _LAST]
    last = [section for section in made if section.key == _LAST]
    listed = tuple(checklist_blocks(result, _labels(body)))
    lists = Section(key="checklists", title="Reporting checklists", blocks=listed)
    works = Section(key="references", title="References", blocks=tuple(reference_blocks([*body, lists], result.plan)))
    return [*body, *([works] if works.blocks else []), lists, *last]


def _labels(sections: list[Section]) -> dict[str, str]:
    return Document(title="", subtitle="", sections=tuple(sections)).labels()


def _subtitle(result: AnalysisResult) -> str:
    rows = result.dataset.rows
    occasions = rows["time"].n_unique()
    return (
        f"Alliance convergence and outcome. Data: {result.dataset.source}; {count(result.dataset.dyads.height)} dyads, "
        f"{count(rows.height)} rows, {count(occasions)} occasions."
    )


def _banner(result: AnalysisResult) -> str:
    for finding in result.findings:
        if finding.code == SYNTHETIC:
            return f"Synthetic data. {finding.words}"
    return "Synthetic data. No patients." if "synthetic" in result.dataset.source.casefold() else ""


def _warned(findings: tuple[Finding, ...]) -> Iterator[Paragraph]:
    number = sum(f.level != "note" for f in findings)
    if number:
        noun = "warning" if number == 1 else "warnings"
        yield Paragraph(heading="Read before use.", parts=(f"{number} {noun}: see Findings.",))


def _asked(result: AnalysisResult, asked: Operationalisation) -> Iterator[Block]:
    yield Paragraph(parts=(asked.sentence,))
    yield Equation(latex=asked.formula, words="The convergence score of dyad j")
    shift = result.scoring.shift
    if shift is not None:
        yield Paragraph(
            heading="Shift.",
            parts=(
                "A logarithm needs positive numbers: here ",
                Cell(value=shift, decimals=4),
                " is added to each score before it is taken.",
            ),
        )
    yield study_tables.choices_table(asked, _other_choices(result))


def _other_choices(result: AnalysisResult) -> dict[str, tuple[str, str]]:
    plan, columns = result.plan, result.plan.columns
    origin = occasion(result.dataset.origin)
    first = "the study's first occasion" if plan.time.origin == "first" else "as the plan says"
    baseline = "The first outcome of the dyad" if columns.baseline == "first" else "A column of the data, once per dyad"
    freedom = {
        "satterthwaite": "Satterthwaite's approximation",
        "kenward-roger": "Kenward and Roger's approximation, standard errors adjusted",
        "normal": "Infinite: z tests",
    }
    methods = {"REML": "Restricted maximum likelihood", "ML": "Maximum likelihood"}
    chosen = {
        "Time 0": (origin, f"Value of {columns.time} that counts as 0: {first}"),
        "Unit of time": (occasion(plan.time.scale), f"The distance from it in {columns.time} is divided by this"),
        "Outcome": (source(columns, "outcome"), "Dependent variable of the models"),
        "Initial symptoms": (source(columns, "baseline"), baseline),
        "Method": (plan.models.method, methods[plan.models.method]),
        "Degrees of freedom": (plan.models.df, freedom[plan.models.df]),
        "Criteria": (
            plan.models.criteria,
            f"Information criteria as {CONVENTIONS[plan.models.criteria]} computes them",
        ),
    }
    if plan.models.missing_predictors == "impute":
        words = f"Baseline and covariates imputed {plan.models.imputations} times, seed {plan.models.seed}"
    else:
        words = "Dyads that lack a predictor are left out of the models that have it"
    chosen["Missing predictors"] = (plan.models.missing_predictors, words)
    if plan.models.levels != 2:
        chosen["Levels"] = (str(plan.models.levels), _LEVELS_ASKED[plan.models.levels])
        if plan.models.therapist_slopes:
            chosen["Slopes of therapists"] = ("true", "Change over time varies over therapists too")
    if plan.convergence.null:
        words = "Studies without convergence that are simulated, for what the score is by noise alone"
        chosen["Null distribution"] = (count(plan.convergence.null), words)
    for role, section in columns.measures.items():
        answers = (
            "its original answers" if section.range is None else "answers from {:g} to {:g}".format(*section.range)
        )
        scored = f"{section.scale or 'Total'} of the measure, {answers}; items {section.name}"
        chosen[f"{name(role)}, measure"] = (section.measure, scored)
    if columns.covariates:
        chosen["Covariates"] = (", ".join(columns.covariates), "Further predictors of intercept and slope")
    return chosen


def _data(result: AnalysisResult) -> Iterator[Block]:
    dataset = result.dataset
    rows, scores = dataset.rows, result.scores
    counts: dict[str, tuple[int | None, int | None]] = {
        "Read": (dataset.n_rows_read, None),
        "Used": (rows.height, dataset.dyads.height),
    }
    for column, words in (
        ("patient_rating", "With the patient's rating"),
        ("therapist_rating", "With the therapist's rating"),
        ("outcome", "With the outcome"),
    ):
        there = rows.filter(pl.col(column).is_not_null())
        counts[words] = (there.height, there["dyad"].n_unique())
    counts["With a convergence score"] = (None, scores["convergence"].drop_nulls().len())
    for number, fit in zip(result.plan.models.run, result.fits, strict=False):
        title = model_words(number)[0]
        counts[f"In {title}"] = (fit.n_rows, fit.n_groups)
        counts |= imputation_tables.sizes(result.tables, number, title)
    yield study_tables.sizes_table(counts)
    if "flow" in result.tables:
        flow = study_tables.flow_table(result.tables["flow"], time=heading(result.plan.columns.time))
        yield description.unless_long(flow)
    yield from description.level_blocks(result.tables)


def _ratings(result: AnalysisResult, time: str, names: pl.DataFrame | None) -> Iterator[Block]:
    columns, rows, scoring = result.plan.columns, result.dataset.rows, result.scoring
    titles, how = axis_titles(columns), result.plan.convergence
    of = "ratings" if how.growth == "observed" else "curves"
    kind = f"{how.discrepancy} discrepancy between the patient's and the therapist's {of}"
    individual = names is not None
    yield from description.value_blocks(result.tables, columns, rows, time=time, individual=individual)
    yield from description.rater_blocks(result.tables, time=time, individual=individual)
    figures = [
        rating_curves(rows, scoring.curves, titles=titles, pseudonyms=names),
        mean_discrepancy(scoring.discrepancies, titles=titles, kind=kind, pseudonyms=names),
        convergence_groups(rows, scoring.curves, result.scores, scoring.discrepancies, titles=titles, kind=kind),
    ]
    if names is not None:
        figures.append(dyad_panels(rows, scoring.curves, result.scores, names, titles=titles))
    yield from (figure for figure in figures if figure is not None)


def _scores(result: AnalysisResult) -> Iterator[Block]:
    scoring = result.scoring
    transformed = result.plan.convergence.transform != "none"
    if "growth_fixed_effects" in result.tables:
        yield growth_tables.growth_fixed_table(result.tables["growth_fixed_effects"])
        yield growth_tables.growth_random_table(result.tables["growth_random_effects"])
    yield study_tables.scores_table(result.scores, scoring.reliability)
    yield study_tables.normality_table(scoring.normality, transformed=transformed)
    figure = score_histograms(result.scores, scoring.normality, transformed=transformed)
    if figure is not None:
        yield figure
    if "null_distribution" in result.tables:
        yield null_table(result.tables["null_distribution"], result.plan.convergence)
        figure = null_histogram(result.tables["null_distribution"], result.tables["null_means"])
        if figure is not None:
            yield figure


def _time(result: AnalysisResult, names: pl.DataFrame | None) -> Iterator[Block]:
    figure = outcome_curves(result.dataset.rows, titles=axis_titles(result.plan.columns), pseudonyms=names)
    if figure is not None:
        yield figure
    if "time_shape" in result.tables and len(result.tables["time_shape"]):
        yield model_tables.time_shape_table(result.tables["time_shape"])
        yield narrative.time_shape_words(result.tables["time_shape"])


def _models(result: AnalysisResult) -> Iterator[Block]:
    tables, columns = result.tables, result.plan.columns
    if "fixed_effects" not in tables:
        return
    if "level_test" in tables:
        yield narrative.levels_words(tables["level_test"])
        if tables["level_test"]["statistic"].count():
            yield model_tables.level_table(tables["level_test"])
    note = narrative.models_note(
        result.plan,
        outcome=source(columns, "outcome"),
        time=columns.time,
        origin=result.dataset.origin,
        missing=imputation_tables.way(tables),
    )
    yield model_tables.model_table(
        tables, [fit.spec for fit in result.fits], columns=result.plan.report.columns, note=note
    )
    yield from models.effect_blocks(result)
    yield model_tables.criteria_table(tables)
    if "imputation" in tables:
        yield imputation_tables.imputed_predictors_table(tables["imputed_predictors"])
        yield imputation_tables.imputation_table(tables["imputation"], [fit.spec for fit in result.fits])


def _equations(result: AnalysisResult) -> Iterator[Block]:
    if result.scoring.growth is not None:
        yield Heading(title="Growth models of the ratings")
        yield from rating_equations(result.scoring.growth)
    for number, fit in zip(result.plan.models.run, result.fits, strict=False):
        title, words = model_words(number)
        yield Heading(title=f"{title}: {words}")
        parts: tuple[Part, ...] = ("As a formula in lme4's notation: ", Cell(value=fit.spec.formula, kind="text"), ".")
        yield from model_equations(fit.spec)
        yield Paragraph(parts=(f"{reading(fit.spec)} ", *parts))


def _findings(findings: tuple[Finding, ...]) -> Iterator[Block]:
    if not findings:
        yield Paragraph(parts=("Nothing was noticed that asks for attention.",))
        return
    yield description.finding_list(findings)


def _collinearity(result: AnalysisResult) -> Iterator[Block]:
    found = result.tables.get("collinearity")
    if found is not None and len(found):
        specs = [fit.spec for fit in result.fits]
        yield model_tables.collinearity_table(found, result.tables.get("condition"), specs)


def _reproduce(result: AnalysisResult, asked: Operationalisation) -> Iterator[Block]:
    yield Paragraph(
        heading="Software.",
        parts=(
            f"dyadline {version('dyadline')}, Python {platform.python_version()}, numpy {version('numpy')}, "
            f"scipy {version('scipy')}, polars {version('polars')}.",
        ),
    )
    yield Paragraph(
        heading="Cite the analysis as.",
        parts=(
            f"dyadline (version {version('dyadline')}), scores {asked.name}; method after Nissen-Lie et al. (2020), "
            "doi:10.1080/10503307.2020.1823030.",
        ),
    )
    yield Paragraph(
        heading="Reproduce.",
        parts=(
            "Save the plan below beside the data and run ",
            Cell(value="dyadline run plan.toml", kind="text"),
            ". The numbers behind this report are written as CSV at full precision.",
        ),
    )
    yield Source(title="The plan", text=plan_text(result.plan))
