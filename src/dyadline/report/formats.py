"""A document as files, by format; the writers are imported when one of theirs is asked for."""

from __future__ import annotations

from dyadline.plan.report import Format
from dyadline.report.document import Document
from dyadline.report.listings import without_listings


def render(document: Document, form: Format, *, stem: str = "report") -> dict[str, bytes]:
    """The files of one format: path relative to the report's folder -> content.

    Parameters
    ----------
    document
        What `compose` made.
    form
        ``html``, ``docx`` and ``pdf`` are one file; ``tex`` and ``md`` come with a folder ``STEM-figures``.
    stem
        Name of the report's file without its suffix.

    Returns
    -------
    The report's own file first.
    """
    if form == "html":
        from dyadline.report.writers.html import write_html

        return {f"{stem}.html": write_html(document).encode()}
    if form == "md":
        from dyadline.report.writers import pictures
        from dyadline.report.writers.markdown import write_markdown

        paths = {figure.key: f"{stem}-figures/{figure.key}.png" for figure in document.figures()}
        drawn = {paths[figure.key]: pictures.png(figure) for figure in document.figures()}
        return {f"{stem}.md": write_markdown(document, figures=paths).encode(), **drawn}
    document = without_listings(document)
    if form == "pdf":
        from dyadline.report.writers.typst import write_pdf

        return {f"{stem}.pdf": write_pdf(document)}
    if form == "docx":
        from dyadline.report.writers.docx import write_docx

        return {f"{stem}.docx": write_docx(document)}
    from dyadline.report.writers import pictures
    from dyadline.report.writers.latex import write_latex

    paths = {figure.key: f"{stem}-figures/{figure.key}.pdf" for figure in document.figures()}
    drawn = {paths[figure.key]: pictures.pdf(figure) for figure in document.figures()}
    return {f"{stem}.tex": write_latex(document, figures=paths).encode(), **drawn}


def render_figures(document: Document) -> dict[str, bytes]:
    """Each figure as SVG, PDF, PNG (300 dpi) and the data behind it: file name -> content."""
    from dyadline.report.writers.exports import figure_files

    return {name: content for figure in document.figures() for name, content in figure_files(figure).items()}


def render_tables(document: Document) -> dict[str, bytes]:
    """Each table as CSV at full precision: file name -> content."""
    from dyadline.report.writers.exports import table_csv

    return {f"{table.key}.csv": table_csv(table) for table in document.tables()}
