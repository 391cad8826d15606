"""The order of the work: the only place where it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from dyadline.data.dataset import Dataset, make_dataset
from dyadline.data.dyads import join_dyads
from dyadline.data.findings import findings_table
from dyadline.data.frames import as_kind, frame_kind, polars_frame
from dyadline.data.missing import apply_missing
from dyadline.data.patterns import measured_columns
from dyadline.data.read import read_table
from dyadline.data.recognition.recognise import recognise
from dyadline.data.recognition.recognised import Recognised
from dyadline.data.shape import reshape
from dyadline.data.table import Table
from dyadline.errors import PlanError
from dyadline.measures.scoring import score_measures
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.columns import is_open, open_column
from dyadline.plan.document import make_plan
from dyadline.result import AnalysisResult
from dyadline.scoring.growth import growth_tables
from dyadline.scoring.null import null_tables
from dyadline.scoring.score import score
from dyadline.studies.completed import completed_models
from dyadline.studies.description import description
from dyadline.studies.diagnostics import diagnostics
from dyadline.studies.effect_sizes import effect_sizes
from dyadline.studies.influence import influences
from dyadline.studies.instruments import answer_findings, instruments
from dyadline.studies.outcome import fit_models, model_tables, time_shapes
from dyadline.studies.sensitivity import sensitivity
from dyadline.studies.trajectories import trajectories
from dyadline.studies.traps import traps


def load(plan: AnalysisPlan, frame: object | None = None, *, analysed: bool = True) -> Dataset:
    """Read, shape, score the items and validate what the plan points to, or a frame that is handed in.

    Parameters
    ----------
    plan, frame
        As for `run`.
    analysed
        Whether all that the models need must be there; a description can do without one rater or the outcome.

    Raises
    ------
    PlanError
        Neither a file nor a frame.
    DataError
        What is wrong with the data, where, and what to do.
    """
    if not isinstance(plan, AnalysisPlan):
        raise PlanError(f"A plan is needed, not {type(plan).__name__}", way_out="Read it: read_plan('study.toml')")
    table = _read(plan) if frame is None else Table(frame=polars_frame(frame))
    if plan.dyads is not None:
        dyads = read_table(plan.folder / plan.dyads.file, sheet=plan.dyads.sheet)
        table = join_dyads(table, dyads, plan)
    table = _with_open_columns(table, plan)
    measured = measured_columns(plan, table.frame.columns, source=table.source)
    long = reshape(apply_missing(table, plan.missing, measured=measured), plan)
    scored = score_measures(long.frame, long.row, long.items, plan.columns.measures, plan.folder, long.names)
    dataset = make_dataset(
        scored.frame,
        plan,
        source=table.source,
        names=long.names,
        row=long.row,
        answers=scored.answers,
        findings=(*long.findings, *scored.findings),
        n_rows_read=table.frame.height,
        analysed=analysed,
    )
    return replace(dataset, findings=(*dataset.findings, *answer_findings(dataset, scored.scored)))


def _read(plan: AnalysisPlan) -> Table:
    if plan.data is None or plan.data_path is None:
        raise PlanError("The plan names no data file", where="data.file", way_out="Name one, or hand in a frame")
    how = plan.data
    return read_table(
        plan.data_path, sheet=how.sheet, encoding=how.encoding, delimiter=how.delimiter, decimal=how.decimal
    )


def _with_open_columns(table: Table, plan: AnalysisPlan) -> Table:
    """Empty columns where a new plan has found none for a rating or the outcome, so that the rest can be looked at."""
    if is_open(plan.columns.dyad) or is_open(plan.columns.time):
        return table
    names = [plan.columns.name(role) for role in ("patient_rating", "therapist_rating", "outcome")]
    empty = [pl.lit(None, dtype=pl.Float64).alias(n) for n in names if is_open(n) and n not in table.frame.columns]
    return replace(table, frame=table.frame.with_columns(empty)) if empty else table


def run(plan: AnalysisPlan, frame: object | None = None) -> AnalysisResult:
    """Carry out a plan: read, score, fit, tabulate, look for traps.

    Parameters
    ----------
    plan
        What is asked.
    frame
        A polars, pandas or pyarrow table instead of the plan's file.

    Raises
    ------
    DyadlineError
        What is wrong, where, and what to do.
    """
    return analyse(load(plan, frame), plan)


def analyse(dataset: Dataset, plan: AnalysisPlan) -> AnalysisResult:
    """Score, fit, tabulate and look for traps in a plan's data set; errors as in `run`."""
    scoring = score(dataset, plan)
    models = fit_models(dataset, scoring, plan)
    completed = completed_models(dataset, scoring, models, plan)
    estimated = {**model_tables(models, plan), **completed.tables}
    fixed = estimated["fixed_effects"]
    tables = {
        **estimated,
        **effect_sizes(models, fixed, plan),
        "sensitivity": sensitivity(models, fixed, dataset, plan),
        "trajectories": trajectories(models, dataset, scoring, plan),
        **diagnostics(models),
        **influences(models),
        "time_shape": time_shapes(models, plan),
        **description(dataset, plan),
        "scores": scoring.scores,
        "score_reliability": scoring.reliability,
        **(null_tables(scoring.null) if scoring.null else {}),
        **(growth_tables(scoring.growth) if scoring.growth else {}),
    }
    trapped = traps(dataset, scoring, models, tables, plan)
    found = (*dataset.findings, *scoring.findings, *trapped, *completed.findings)
    tables["findings"] = findings_table(found)
    return AnalysisResult(
        plan=plan,
        dataset=dataset,
        scoring=scoring,
        scores=scoring.scores,
        fits=models.fits,
        tables=tables,
        findings=found,
    )


def describe(plan: AnalysisPlan, frame: object | None = None) -> Mapping[str, pl.DataFrame]:
    """Describe the data of a plan; nothing is scored.

    Parameters
    ----------
    plan
        What is asked.
    frame
        A polars, pandas or pyarrow table instead of the plan's file.

    Returns
    -------
    Tables by name: see `dyadline.studies.description`.

    Raises
    ------
    PlanError, DataError
        What is wrong, where, and what to do.
    """
    return description(load(plan, frame, analysed=False), plan)


def convergence(frame: object, plan: AnalysisPlan) -> Any:
    """Convergence and alliance scores, one row per dyad.

    Parameters
    ----------
    frame
        Session-by-session table (polars, pandas or pyarrow) with the columns that the plan names.
    plan
        What is asked.

    Returns
    -------
    A table of the same kind: ``dyad, convergence, early_patient, early_therapist, early_discrepancy,
    development, baseline, reasons, convergence_raw, crossing, n_occasions``. Convergence is positive where
    the two came closer.

    Raises
    ------
    PlanError, DataError
        What is wrong, where, and what to do.
    """
    return as_kind(score(load(plan, polars_frame(frame)), plan, simulations=False).scores, frame_kind(frame))


def recognised_files(file: Path, dyads: Path | None = None) -> Recognised:
    """What a data file, and a second one with one row per dyad, are recognised as.

    Raises
    ------
    DataError
        If a file cannot be read.
    """
    second = None if dyads is None else read_table(dyads)
    return recognise(read_table(file), instruments=instruments(file.parent), dyads=second)


def first_plan(recognised: Recognised, file: str, dyads_file: str | None = None) -> AnalysisPlan:
    """A plan from what was recognised; a role that no column seems to have gets a name to be replaced.

    Parameters
    ----------
    recognised
        What the data file, and the dyads' file, look like.
    file, dyads_file
        Their names, relative to the plan's folder.
    """
    columns: dict[str, object] = {guess.role: guess.column or open_column(guess.role) for guess in recognised.guesses}
    for role, absent in (("therapist", None), ("baseline", "first")):
        if recognised[role].column is None:
            columns[role] = absent
    columns |= {role: items.model_dump(exclude_none=True) for role, items in recognised.scored.items()}
    sections: dict[str, object] = {name: dict(section) for name, section in recognised.sections.items()}
    if dyads_file is not None:
        sections["dyads"] = {"file": dyads_file, **recognised.sections.get("dyads", {})}
    return make_plan(
        {"version": 1, "title": Path(file).stem, "data": {"file": file}, "columns": columns, **sections},
        name="the new plan",
    )
