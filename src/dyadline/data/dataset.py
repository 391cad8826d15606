"""The observed data in the plan's terms: columns by role, typed, sorted, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from dyadline.data import validate
from dyadline.data.coverage import coverage
from dyadline.data.forms import forms
from dyadline.data.occasions import occasions
from dyadline.data.roles import DATE, LABELS, OCCASION, PLACE, checked_columns, chosen, column_by_role, typed
from dyadline.data.summary import CODE, by_dyad, in_order, marked
from dyadline.errors import DataError, DataErrors, Finding
from dyadline.plan.analysis import AnalysisPlan
from dyadline.words import counted, quoted


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
    analysed: bool = True,
    today: date | None = None,
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
    analysed
        Whether the models need the data. If not, one rater or the outcome may be absent, or measured once only: that
        is warned of.
    today
        Dates after it are impossible; the computer's unless given.

    Raises
    ------
    PlanError
        If it is no table.
    DataErrors
        If the data cannot be used as the plan says: everything that is wrong at once, first the columns, then their
        values, then how rows and dyads fit together.
    """
    names = column_by_role(plan.columns) if names is None else names
    checked = checked_columns(plan)
    own = [role for role in ("therapist", "baseline", *plan.columns.covariates) if role in names]
    try:
        table = typed(chosen(frame, {**names, **checked}, source), {**names, **checked}, row, source)
    except DataError as error:
        raise DataErrors((*findings, *error.findings), source) from None
    n_rows_read = table.height if n_rows_read is None else n_rows_read
    left_out, errors = validate.rows_without(table, names)
    found = [*findings, *_rows_left_out(left_out)]
    # Rows without time stay until here, because they may carry their dyad's own values.
    table = marked(in_order(table.filter(pl.col("dyad").is_not_null())))
    constant = [*own, *(role for role in checked if role != DATE)]
    dyads = by_dyad(table, constant)
    if "therapist" in names and (apart := _told_apart(table, dyads, names)):
        table, renamed = apart
        found.append(renamed)
        dyads = by_dyad(table, constant)
    rows = table.filter(pl.col("time").is_not_null()) if table["time"].null_count() else table
    found += errors
    if not rows.height:
        words, way_out = f"No row of {quoted(source)} has a dyad and a time", "Check the columns that the plan names"
        raise DataErrors(found if errors else (*found, validate.error("no-occasions", words, way_out)), source)
    found += validate.changes_within_dyads(table, dyads, {role: names[role] for role in own})
    dyads = dyads.filter(pl.col("rows") > 0)
    found += validate.doubled_times(rows, names)
    found += validate.too_little(dyads, names, analysed=analysed)
    found += validate.out_of_range(rows, dyads, names, plan.checks)
    of_dyads = _dyads(rows, dyads, names, plan)
    found += [
        *forms(rows, dyads, names),
        *coverage(rows, dyads, of_dyads, names, plan),
        *occasions(table, dyads, checked, today=today),
    ]
    if any(finding.level == "error" for finding in found):
        raise DataErrors(found, source)
    if "therapist" in names and rows["therapist"].null_count():
        rows = rows.drop("therapist").join(of_dyads.select("dyad", "therapist"), on="dyad", how="left",
                                           maintain_order="left")  # fmt: skip
    origin = _origin(rows, plan)
    labels = [label for label in LABELS if label in names]
    t = ((pl.col("time") - origin) / plan.time.scale).alias("t")
    day = [pl.col(DATE).alias("date")] if DATE in checked else []
    return Dataset(
        rows=rows.select("row", *labels, "time", t, *OCCASION, *day),
        dyads=of_dyads.select(*labels, "baseline", *plan.columns.covariates),
        names=names,
        origin=origin,
        findings=tuple(found),
        n_rows_read=n_rows_read,
        source=source,
        answers={role: _at(given, rows[PLACE]) for role, given in (answers or {}).items()},
        endings=dyads.select("dyad", *(pl.col(f"{role} max").alias(_key(role)) for role in checked if role != DATE)),
    )


def _at(frame: pl.DataFrame, places: pl.Series) -> pl.DataFrame:
    """The rows at these places; the frame itself where these are all, in order."""
    every = len(places) == frame.height and (places == pl.int_range(frame.height, eager=True)).all()
    return frame if every else frame[places]


def _key(role: str) -> str:
    """A role's name in the plan."""
    return role.removeprefix("[checks] ")


def _dyads(rows: pl.DataFrame, dyads: pl.DataFrame, names: Mapping[str, str], plan: AnalysisPlan) -> pl.DataFrame:
    """One row per dyad: ``dyad``, ``therapist`` where there is one, ``baseline``, covariates."""
    own = [role for role in ("therapist", "baseline", *plan.columns.covariates) if role in names]
    # In these columns every value of a dyad is the same, so that any statistic that skips missing ones gives it.
    made = dyads.select(CODE, "dyad", *(pl.col(f"{role} max").alias(role) for role in own))
    if "baseline" in names:
        return made
    outcomes = rows.filter(pl.col("outcome").is_not_null())
    window = plan.convergence.outcome_window
    if not isinstance(window, str):
        outcomes = outcomes.filter(pl.col("time").is_between(*window))
    first = outcomes.filter((pl.col(CODE) != pl.col(CODE).shift()).fill_null(True))
    return made.join(first.select(CODE, baseline="outcome"), on=CODE, how="left", maintain_order="left")


def _told_apart(
    table: pl.DataFrame, dyads: pl.DataFrame, names: Mapping[str, str]
) -> tuple[pl.DataFrame, Finding] | None:
    """Dyads that are numbered anew for each therapist get labels of their own.

    That is taken to be so where at least half of the labels occur under several therapists, at the same time even.
    Otherwise they are patients who changed the therapist, or slips, and `validate` asks about them.
    """
    repeated = dyads.filter(pl.col("therapist min") != pl.col("therapist max")).height
    if 2 * repeated < dyads.height or repeated < 2:
        return None
    at_once = table.drop_nulls(["therapist", "time"]).group_by(CODE, "time").agg(pl.col("therapist").n_unique())
    if not (at_once["therapist"] > 1).any():
        return None
    label = pl.when(pl.col("therapist").is_not_null()).then(pl.concat_str("therapist", "dyad", separator=":"))
    apart = in_order(table.sort(PLACE).drop(CODE).with_columns(dyad=label.otherwise(pl.col("dyad"))))
    return apart, Finding(
        code="labels-repeat-across-therapists",
        level="warning",
        words=f"{repeated} of {dyads.height} labels in {quoted(names['dyad'])} occur under more than one therapist; "
        f"they are read as numbered anew for each therapist, which makes {apart['dyad'].n_unique()} dyads.",
        way_out="If a label means the same patient everywhere, correct the therapist column.",
        column=names["dyad"],
    )


def _origin(rows: pl.DataFrame, plan: AnalysisPlan) -> float:
    if not isinstance(plan.time.origin, str):
        return float(plan.time.origin)
    observed = pl.any_horizontal(pl.col(*OCCASION).is_not_null())
    return float(rows.select(pl.col("time").filter(observed).min()).item())


def _rows_left_out(numbers_of_rows: Sequence[int]) -> list[Finding]:
    if not numbers_of_rows:
        return []
    return [
        Finding(
            code="rows-left-out",
            level="note",
            words=f"{counted(len(numbers_of_rows), 'row')} without dyad or time and without values "
            f"{'was' if len(numbers_of_rows) == 1 else 'were'} left out.",
            rows=tuple(numbers_of_rows),
        )
    ]
