"""Results as files: reports, tables, figures and syntax, each whole or not there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dyadline.errors import PlanError
from dyadline.plan.report import FORMATS, Format
from dyadline.result import AnalysisResult

if TYPE_CHECKING:
    from dyadline.report.document import Document
    from dyadline.studies.power.result import PowerResult

SUFFIXES: Mapping[str, Format] = {f".{form}": form for form in FORMATS} | {".htm": "html"}


def write_report(result: AnalysisResult | PowerResult, path: str | Path, *, individual: bool = False) -> Path:
    """Write the report of an analysis or a power study in the format of the file's suffix.

    Each file is written under a temporary name and then renamed: a report is whole or not there.

    Parameters
    ----------
    result
        What `run` computed, or what a power study found.
    path
        ``.html``, ``.docx`` and ``.pdf`` are one file; ``.tex`` and ``.md`` come with a folder of figures.
    individual
        Whether figures may show single dyads, under pseudonyms; without, a report gives no patient away. A power
        study has none.

    Raises
    ------
    PlanError
        For another suffix, or a folder that does not exist.
    """
    from dyadline.report.compose import compose
    from dyadline.report.power.compose import power_document
    from dyadline.studies.power.result import PowerResult

    if not isinstance(result, AnalysisResult | PowerResult):
        raise PlanError(f"A result is needed, not {type(result).__name__}", way_out="Make it first: run(plan)")
    if not isinstance(path, str | Path):
        raise PlanError(f"The name of a file is needed, not {type(path).__name__}")
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise PlanError(
            f"Reports are written as {', '.join(SUFFIXES)}, not as {path.suffix or 'a name without suffix'!r}"
        )
    if not path.parent.is_dir():
        raise PlanError(f"The folder of {path.name!r} does not exist", way_out="Make it first")
    if isinstance(result, PowerResult):
        return write_document(power_document(result), path)
    return write_document(compose(result, individual=individual), path)


def write_reports(
    result: AnalysisResult, folder: Path, formats: Sequence[Format], *, figures: bool = False, individual: bool = False
) -> list[Path]:
    """Write ``report.FORMAT`` for each format, tables as CSV, syntax for other programs, and if asked for the figures.

    Parameters
    ----------
    result
        What `run` computed.
    folder
        An existing folder; tables go to ``report-tables``, figures to ``figures``, syntax and its data to ``syntax``;
        with `individual` the key to the pseudonyms is ``tables/pseudonyms.csv``.
    formats, figures, individual
        Which files, and as for `write_report`.

    Returns
    -------
    What was written.

    Raises
    ------
    PlanError
        As for `write_whole`.
    """
    from dyadline.report.compose import compose
    from dyadline.report.figures.pseudonyms import pseudonyms
    from dyadline.report.formats import render, render_figures, render_tables
    from dyadline.report.syntax.scripts import result_scripts
    from dyadline.report.writers.exports import frame_csv

    document = compose(result, individual=individual)
    # All is made before anything is written: a mistake in one of them leaves no half of a folder.
    files = result_scripts(result)
    if individual:
        files["tables/pseudonyms.csv"] = frame_csv(pseudonyms(result.dataset.rows))
    for form in formats:
        files |= render(document, form)
    files |= {f"report-tables/{name}": content for name, content in render_tables(document).items()}
    if figures:
        files |= {f"figures/{name}": content for name, content in render_figures(document).items()}
    return _written(files, folder)


def write_power(result: PowerResult, folder: Path, formats: Sequence[Format], *, figures: bool = False) -> list[Path]:
    """Write ``report.FORMAT`` of a power study for each format, its frames, its tables, and if asked for the figures.

    Parameters
    ----------
    result
        What a power study found.
    folder
        Where to; frames go to ``tables``, tables of the report to ``report-tables``, figures to ``figures``.
    formats, figures
        Which files.

    Returns
    -------
    What was written.

    Raises
    ------
    PlanError
        As for `write_whole`.
    """
    from dyadline.report.power.files import power_files

    return _written(power_files(result, formats, figures=figures), folder)


def _written(files: Mapping[str, bytes], folder: Path) -> list[Path]:
    return [write_whole(make_folder((folder / name).parent) / Path(name).name, files[name]) for name in files]


def write_document(document: Document, path: Path) -> Path:
    """Write a document in the format of the file's suffix; errors as in `write_whole`."""
    from dyadline.report.formats import render

    first, *others = render(document, SUFFIXES[path.suffix.lower()], stem=path.stem).items()
    for name, content in others:
        write_whole(make_folder((path.parent / name).parent) / Path(name).name, content)
    return write_whole(path, first[1])


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file under a temporary name beside it, then rename it.

    Raises
    ------
    PlanError
        If the system does not let it be written; what was there before is still there.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        raise PlanError(
            f"{path.name!r} cannot be written: {error.strerror}", way_out="Choose a folder that exists and is yours"
        ) from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return path


def make_folder(folder: Path) -> Path:
    """Make a folder and those above it; errors as in `write_whole`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlanError(
            f"The folder {folder.name!r} cannot be made: {error.strerror}", way_out="Choose another with --out"
        ) from None
    return folder
