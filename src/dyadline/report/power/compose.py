"""The report of a power study: which table, figure and sentence stands where."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from dyadline.report.document import Block, Cell, Document, Paragraph, Part, Reference, Section
from dyadline.report.power import sentences, tables
from dyadline.report.power.assumptions import assumption_blocks
from dyadline.report.power.attenuation import attenuation_figure
from dyadline.report.power.failures import failure_blocks
from dyadline.report.power.grid import Grid, make_grid
from dyadline.report.power.manuscript import manuscript_blocks
from dyadline.report.power.operationalisations import score_blocks
from dyadline.report.power.questions import question_blocks
from dyadline.report.prose.references import cited_blocks
from dyadline.studies.power.result import PowerResult
from dyadline.words import counted

NOT_SEARCHED: tuple[Part, ...] = (
    "No number of dyads was searched for. The same command with ",
    Cell(value="--find .8", kind="text"),
    " (in Python: ",
    Cell(value="goal=0.8", kind="text"),
    ") finds the number that gives a power of 80%.",
)

INTERRUPTED = "Interrupted: not all that was asked for is done, and designs differ in their numbers of replicates."


def power_document(result: PowerResult) -> Document:
    """Lay out the report of a power study.

    Parameters
    ----------
    result
        What a power study found.

    Returns
    -------
    Document
        For `render`; the same result always gives the same document.
    """
    title = f"{result.title or result.truth.title or 'Alliance convergence and outcome'}: power"
    banner = INTERRUPTED if result.interrupted else ""
    if result.tests.is_empty():
        return Document(title=title, subtitle=_subtitle(result), banner=banner, sections=(_nothing(result),))
    grid = make_grid(result)
    part = tables.shown(grid, result.tests)
    makers = (
        ("assumptions", "Design and assumptions", _assumptions(grid)),
        ("power", "Power", _power(grid, part)),
        ("questions", "Design questions", question_blocks(grid)),
        ("needed", "Dyads needed", _needed(grid)),
        ("manuscript", "For a manuscript", manuscript_blocks(grid)),
        ("errors", "Type I error, bias and coverage", _errors(grid, part)),
        ("attenuation", "Score reliability and attenuation", _attenuation(grid)),
        ("failures", "Failures and boundary fits", failure_blocks(grid)),
        ("reading", "How to read", sentences.reading_words(grid)),
        ("reproduce", "How to reproduce", _reproduce(result)),
    )
    made = [Section(key=key, title=name, blocks=tuple(blocks)) for key, name, blocks in makers]
    body = [section for section in made if section.blocks]
    works = Section(key="references", title="References", blocks=tuple(cited_blocks(body)))
    return Document(
        title=title,
        subtitle=_subtitle(result),
        banner=banner,
        summary=tuple(sentences.summary(grid)),
        sections=(*body, works),
    )


def _subtitle(result: PowerResult) -> str:
    n = result.tests["design"].n_unique()
    studies = f"{counted(result.replicates, 'simulated study', 'simulated studies')}{' each' * (n > 1)}"
    return f"Power by simulation: {counted(n, 'design')}, {studies}. No patient's data are in it."


def _nothing(result: PowerResult) -> Section:
    lost = counted(len(result.failures), "replicate")
    said = f"Nothing was finished, so that there is nothing to report; {lost} ended without a result."
    return Section(key="failures", title="Failures", blocks=(Paragraph(parts=(said,)),))


def _assumptions(grid: Grid) -> Iterator[Block]:
    result = grid.result
    parts: list[Part] = [
        "Studies were drawn from the parameters below, scored and analysed as a real one would be, ",
        Cell(value=result.replicates, kind="count"),
        " (called replicates) for each design. Tests are two-sided at α = ",
        Cell(value=result.alpha, kind="proportion"),
        f"; models are fitted {sentences.levels_words(result)}by {result.method}, with Satterthwaite's degrees of "
        "freedom.",
    ]
    yield Paragraph(parts=tuple(parts))
    yield from assumption_blocks(grid)
    yield from score_blocks(result, grid.short)


def _power(grid: Grid, part: tables.Shown) -> Iterator[Block]:
    all_tests, terms = grid.result.tests, set(part.frame["term"])
    if part.left_out:
        yield Paragraph(
            parts=(
                "Of ",
                Cell(value=all_tests.height, kind="count"),
                f" {sentences.combinations(grid)} ",
                Reference("table-power"),
                " has the ",
                Cell(value=part.frame.height, kind="count"),
                f" that answer most{f', all of {grid.test}' if len(terms) == 1 else ''}; tables/tests.csv has all.",
            )
        )
    yield from sentences.tests_without_effect(grid, terms)
    yield tables.power_table(grid, part)


def _needed(grid: Grid) -> Iterator[Block]:
    table = tables.needed_table(grid)
    yield table if table is not None else Paragraph(parts=NOT_SEARCHED)


def _errors(grid: Grid, part: tables.Shown) -> Iterator[Block]:
    yield tables.errors_table(grid, part)
    yield from sentences.error_words(grid)


def _attenuation(grid: Grid) -> Iterator[Block]:
    yield tables.attenuation_table(grid, tables.shown(grid, grid.main()))
    figure = attenuation_figure(grid)
    if figure is not None:
        yield figure


def _reproduce(result: PowerResult) -> Iterator[Block]:
    yield Paragraph(
        heading="Software.",
        parts=(
            f"dyadline {version('dyadline')}, numpy {version('numpy')}, polars {version('polars')}. The same "
            f"parameters, designs, replicates and seed ({result.seed}) give the same numbers, however many processes "
            "compute them. All numbers are written as CSV at full precision.",
        ),
    )
