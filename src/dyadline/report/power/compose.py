"""The report of a power study: which table, figure and sentence stands where."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from dyadline.report.document import Block, Cell, Document, Paragraph, Part, Section
from dyadline.report.numbers import count
from dyadline.report.power import sentences, tables
from dyadline.report.power.assumptions import assumption_blocks
from dyadline.report.power.attenuation import attenuation_figure
from dyadline.report.power.failures import failure_blocks
from dyadline.report.power.grid import Grid, make_grid
from dyadline.report.power.questions import question_blocks
from dyadline.report.prose.references import cited_blocks
from dyadline.studies.power.result import PowerResult
from dyadline.words import counted

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
    designs = counted(result.tests["design"].n_unique(), "design")
    return f"Power by simulation: {designs}, {count(result.replicates)} replicates each. No patient's data are in it."


def _nothing(result: PowerResult) -> Section:
    lost = counted(len(result.failures), "replicate")
    said = f"Nothing was finished, so that there is nothing to report; {lost} ended without a result."
    return Section(key="failures", title="Failures", blocks=(Paragraph(parts=(said,)),))


def _assumptions(grid: Grid) -> Iterator[Block]:
    result = grid.result
    parts: list[Part] = [
        "Studies were drawn from the parameters below, scored and analysed as a real one would be: ",
        Cell(value=result.replicates, kind="count"),
        " replicates for each design, level of the tests ",
        Cell(value=result.alpha, kind="proportion"),
        f" (two-sided), models {sentences.levels_words(result)}by {result.method} with Satterthwaite's degrees of "
        "freedom, seed ",
        Cell(value=str(result.seed), kind="text"),
        ".",
    ]
    yield Paragraph(parts=tuple(parts))
    yield from assumption_blocks(grid)
    if result.operationalisations:
        yield tables.scores_table(result, dict(grid.short))


def _power(grid: Grid, part: tables.Shown) -> Iterator[Block]:
    if part.left_out:
        said = f"{count(grid.result.tests.height)} combinations of design, score and test are too many for one table."
        yield Paragraph(parts=(said,))
    yield tables.power_table(grid, part)


def _needed(grid: Grid) -> Iterator[Block]:
    table = tables.needed_table(grid)
    yield table if table is not None else Paragraph(parts=("No number of dyads was searched for.",))


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
