"""The observed data in the plan's terms: columns by role, typed, sorted, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from dyadline.data import validate
from dyadline.data.frames import opened, polars_series
from dyadline.data.values import labels, numbers
from dyadline.errors import DataError, Finding
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.columns import ColumnsSection
from dyadline.words import counted, listed, nearest, role_words

LABELS = ("dyad", "therapist")
OCCASION = ("patient_rating", "therapist_rating", "outcome")
EXTRA = ("date", "sessions", "end", "reason")
"""Columns that [checks] may name."""

PLACE = " place"
"""Row of the table as it came in, from 0; no column of a plan can be called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What was observed.

    Attributes
    ----------
    rows
        One row per dyad and time, sorted by dyad (in order of first appearance) and time: ``row`` (number in
        the file, 1 is the first below the header), ``dyad``, ``therapist`` (where the plan has one; the dyad's,
        also in rows that do not say it), ``time`` (as in the file), ``t`` ((time − origin) / scale),
        ``patient_rating``, ``therapist_rating``, ``outcome``; ``date`` where ``[checks]`` names it.
    dyads
        One row per dyad, in the same order: ``dyad``, ``therapist`` (where the plan has one), ``baseline``,
        then the covariates by their own names.
    names
        Column in the file by role; covariates under their own names. No ``baseline`` where it is the first
        outcome.
    origin
        The value of time that counts as 0.
    findings
        What was noticed.
    n_rows_read
        Rows of the file, also those without dyad or time that were left out.
    source
        File name without folder, or ``"frame"``.
    answers
        Answers to the items by role, where a measure is scored: one column per item (``"1"``, ``"2"`` ...),
        reverse-keyed items turned, in step with `rows`.
    endings
        One row per dyad, in the same order: ``dyad`` and those of ``sessions, end, reason`` that ``[checks]`` names.
    """

    rows: pl.DataFrame
    dyads: pl.DataFrame
    names: Mapping[str, str]
    origin: float
    findings: tuple[Finding, ...]
    n_rows_read: int
    source: str
    answers: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    endings: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def n_dyads(self) -> int:
        return self.dyads.height


def make_dataset(
    frame: object,
    plan: AnalysisPlan,
    *,
    source: str = "frame",
    names: Mapping[str, str] | None = None,
    row: pl.Series | None = None,
    answers: Mapping[str, pl.DataFrame] | None = None,
    findings: Sequence[Finding] = (),
    n_rows_read: int | None = None,
) -> Dataset:
    """The data in the plan's terms.

    The origin ``"first"`` is the study's first time at which anything was rated or measured. The baseline
    ``"first"`` is a dyad's first outcome within the outcome window; windows have no other effect here. Dyad-level
    values are looked for in all rows of a dyad, also in rows without time.

    Parameters
    ----------
    frame
        A polars, pandas or pyarrow table with the plan's columns; others are not looked at.
    plan
        What is asked.
    source
        Where the table is from, for sentences and the report.
    names
        Column by role, where the table was shaped before; those of the plan unless given.
    row
        Row number in the file of each row, (n,), where the table was shaped before; 1, 2 ... unless given.
    answers
        Answers to the items by role, in step with the table's rows.
    findings
        What was noticed before.
    n_rows_read
        Rows of the file, where the table was shaped before.

    Raises
    ------
    PlanError
        If it is no table.
    DataError
        If the data cannot be used as the plan says.
    """
    names = _column_by_role(plan.columns) if names is None else names
    own_columns = {role: column for role in EXTRA if (column := getattr(plan.checks, role)) is not None}
    table = _typed(_chosen(frame, {**names, **own_columns}, source), {**names, **own_columns}, row)
    n_rows_read = table.height if n_rows_read is None else n_rows_read
    left_out = validate.rows_without(table, names)
    # Rows without time stay until here, because they may carry their dyad's own values.
    table = table.filter(pl.col("dyad").is_not_null())
    table, renamed = _told_apart(table, names)
    table = table.sort(pl.col("row").min().over("dyad"), "time", "row", nulls_last=True)
    rows = table.filter(pl.col("time").is_not_null()) if left_out else table
    if not rows.height:
        raise DataError(f"No row of {source!r} has a dyad and a time", way_out="Check the columns that the plan names")
    validate.check_times(rows)
    validate.check_enough(rows, names)
    covariates = plan.columns.covariates
    own = {role: names[role] for role in ("therapist", "baseline", *covariates) if role in names}
    if own:
        validate.check_constant_within_dyads(table, own)
    # In these columns every value of a dyad is the same, so that any statistic that skips missing ones gives it.
    dyads = table.group_by("dyad", maintain_order=True).agg(pl.col(role).max() for role in own)
    if left_out:
        dyads = dyads.join(rows.select("dyad").unique(), on="dyad", how="semi", maintain_order="left")
    if "baseline" not in names:
        dyads = dyads.join(_first_outcomes(rows, plan), on="dyad", how="left", maintain_order="left")
    if "therapist" in names and rows["therapist"].null_count():
        said = dyads.select("dyad", "therapist")
        rows = rows.drop("therapist").join(said, on="dyad", how="left", maintain_order="left")
    endings = table.group_by("dyad", maintain_order=True).agg(pl.col(c).max() for c in own_columns if c != "date")
    endings = dyads.select("dyad").join(endings, on="dyad", how="left", maintain_order="left")
    origin = _origin(rows, plan)
    place, date = rows[PLACE], [d for d in ("date",) if d in own_columns]
    kept_labels = [label for label in LABELS if label in names]
    rows = rows.select(
        "row",
        *kept_labels,
        "time",
        t=(pl.col("time") - origin) / plan.time.scale,
        **{r: pl.col(r) for r in (*OCCASION, *date)},
    )
    dyads = dyads.select(*kept_labels, "baseline", *covariates)
    found = [*findings, *renamed, *validate.findings(rows, dyads, names)]
    if left_out:
        found.insert(len(findings), _rows_left_out(left_out))
    return Dataset(
        rows=rows,
        dyads=dyads,
        names=names,
        origin=origin,
        findings=tuple(found),
        n_rows_read=n_rows_read,
        source=source,
        answers={role: given[place] for role, given in (answers or {}).items()},
        endings=endings,
    )


def _told_apart(table: pl.DataFrame, names: Mapping[str, str]) -> tuple[pl.DataFrame, list[Finding]]:
    """Dyads that are numbered anew for each therapist get labels of their own.

    That is taken to be so where at least half of the labels occur under several therapists, at the same time even.
    Otherwise they are patients who changed the therapist, or slips, and `validate` asks about them.
    """
    if "therapist" not in names:
        return table, []
    therapists = table.group_by("dyad").agg(pl.col("therapist").drop_nulls().n_unique())["therapist"]
    repeated = int((therapists > 1).sum())
    if 2 * repeated < len(therapists) or repeated < 2:
        return table, []
    at_once = table.drop_nulls(["therapist", "time"]).group_by("dyad", "time").agg(pl.col("therapist").n_unique())
    if not (at_once["therapist"] > 1).any():
        return table, []
    label = pl.when(pl.col("therapist").is_not_null()).then(pl.concat_str("therapist", "dyad", separator=":"))
    apart = table.with_columns(dyad=label.otherwise(pl.col("dyad")))
    return apart, [
        Finding(
            code="labels-repeat-across-therapists",
            level="warning",
            words=f"{repeated} of {len(therapists)} labels in {names['dyad']!r} occur under more than one therapist; "
            f"they are read as numbered anew for each therapist, which makes {apart['dyad'].n_unique()} dyads.",
            way_out="If a label means the same patient everywhere, correct the therapist column.",
            column=names["dyad"],
        )
    ]


def _column_by_role(columns: ColumnsSection) -> dict[str, str]:
    roles = ["dyad", "therapist", "time", *OCCASION, "baseline"]
    if columns.therapist is None:
        roles.remove("therapist")
    if columns.baseline == "first":
        roles.remove("baseline")
    return {role: columns.name(role) for role in roles} | {c: c for c in columns.covariates}


def _chosen(frame: object, names: Mapping[str, str], source: str) -> dict[str, pl.Series]:
    """The plan's columns by role, as polars series."""
    table = opened(frame)
    present = [str(column) for column in table.columns]
    if not len(table):
        raise DataError(f"There are no rows in {source!r}", way_out="Export it again with its data")
    missing = {role: column for role, column in names.items() if column not in present}
    if missing:
        words = [f"no column {column!r} ({role_words(role)})" for role, column in missing.items()]
        raise DataError(
            f"There is {listed(words)} in {source!r}", way_out=nearest(missing.values(), present, taken=names.values())
        )
    return {role: polars_series(table.get_column(column)) for role, column in names.items()}


def _typed(columns: Mapping[str, pl.Series], names: Mapping[str, str], row: pl.Series | None) -> pl.DataFrame:
    """A frame of labels and numbers, with the place in the table and the row number in the file first."""
    typed = {
        role: series
        if role in ("date", "end") and series.dtype.is_temporal()
        else (labels if role in (*LABELS, "reason") else numbers)(series, column=names[role], role=role)
        for role, series in columns.items()
    }
    table = pl.DataFrame(typed).with_row_index(PLACE)
    return table.with_columns(row=pl.col(PLACE).cast(pl.Int64) + 1 if row is None else row)


def _first_outcomes(rows: pl.DataFrame, plan: AnalysisPlan) -> pl.DataFrame:
    """The first outcome of each dyad within the outcome window: ``dyad, baseline``."""
    rows = rows.filter(pl.col("outcome").is_not_null())
    window = plan.convergence.outcome_window
    if not isinstance(window, str):
        rows = rows.filter(pl.col("time").is_between(*window))
    return rows.group_by("dyad", maintain_order=True).agg(baseline=pl.col("outcome").first())


def _origin(rows: pl.DataFrame, plan: AnalysisPlan) -> float:
    if not isinstance(plan.time.origin, str):
        return float(plan.time.origin)
    observed = pl.any_horizontal(pl.col(*OCCASION).is_not_null())
    return float(rows.select(pl.col("time").filter(observed).min()).item())


def _rows_left_out(numbers_of_rows: Sequence[int]) -> Finding:
    return Finding(
        code="rows-left-out",
        level="note",
        words=f"{counted(len(numbers_of_rows), 'row')} without dyad or time and without values "
        f"{'was' if len(numbers_of_rows) == 1 else 'were'} left out.",
        rows=tuple(numbers_of_rows),
    )
