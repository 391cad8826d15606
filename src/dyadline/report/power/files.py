"""The files of a power study: reports, tables and frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from dyadline.plan.report import Format
from dyadline.plan.truth_document import truth_text
from dyadline.report.formats import render, render_figures, render_tables
from dyadline.report.power.compose import power_document
from dyadline.report.writers.exports import frame_csv
from dyadline.studies.power.result import PowerResult


def power_frames(result: PowerResult) -> Mapping[str, pl.DataFrame]:
    """The frames of a result by name: ``tests``, ``scores``, ``needed``, ``operationalisations``, ``failures``."""
    text = {"operationalisation": pl.String, "meaning": pl.String}
    lost = {"design": pl.Int64, "replicate": pl.Int64, "reason": pl.String}
    return {
        "tests": result.tests,
        "scores": result.scores,
        "needed": result.needed,
        "operationalisations": pl.DataFrame(list(result.operationalisations), schema=text, orient="row"),
        "failures": pl.DataFrame([(f.task, f.number, f.words) for f in result.failures], schema=lost, orient="row"),
    }


def power_files(result: PowerResult, formats: Sequence[Format], *, figures: bool = False) -> dict[str, bytes]:
    """All files of a power study: path relative to its folder -> content.

    Parameters
    ----------
    result
        What a power study found.
    formats
        Of the report.
    figures
        Whether each figure becomes files of its own.
    """
    document = power_document(result)
    # The first design as a parameter file, to be changed and asked again.
    files: dict[str, bytes] = {"parameters.toml": truth_text(result.truth).encode()}
    for form in formats:
        files |= render(document, form)
    files |= {f"tables/{name}.csv": frame_csv(frame) for name, frame in power_frames(result).items()}
    files |= {f"report-tables/{name}": content for name, content in render_tables(document).items()}
    if figures:
        files |= {f"figures/{name}": content for name, content in render_figures(document).items()}
    return files
