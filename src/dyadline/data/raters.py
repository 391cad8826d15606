"""Files with a row per rater: the patient's and the therapist's row of an occasion become one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from dyadline.data.doubles import doubled
from dyadline.data.meanings import filled, places, some
from dyadline.data.patterns import Asked, Found, long_name
from dyadline.data.values import labels
from dyadline.errors import DataError, Finding
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.columns import ColumnsSection, RatersSection
from dyadline.words import SHOWN, counted, listed

RATINGS = ("patient_rating", "therapist_rating")
SIDES = ("patient", "therapist")
_OWN = ("therapist", "baseline", "covariate")


def endings(plan: AnalysisPlan, found: Sequence[tuple[Asked, Found]]) -> dict[str, str]:
    """What is added to the names of the ratings, by role, where both raters' answers stand in the same columns."""
    columns = {asked.role: set(places.values()) for asked, places in found if asked.role in RATINGS}
    if plan.raters is None or not columns["patient_rating"] & columns["therapist_rating"]:
        return {}
    return {role: f" ({side})" for role, side in zip(RATINGS, SIDES, strict=True)}


def joined(
    frame: pl.DataFrame,
    row: pl.Series,
    plan: AnalysisPlan,
    raters: RatersSection,
    found: Sequence[tuple[Asked, Found]],
    ending: Mapping[str, str],
    meanings: Mapping[float | str, str] | None = None,
) -> tuple[pl.DataFrame, pl.Series, list[Finding]]:
    """The long frame, the file's row number of each row (n,), and what was noticed.

    Sorted by row number, which is the patient's where there are two. Rows without dyad or time stay by themselves.
    What is not a rating comes from the row that has it, from the patient's where both have; where a dyad's own values
    differ, the therapist's row follows once more without time, so that the difference is seen.

    Parameters
    ----------
    frame, row
        Rows and their numbers in the file; time already read, (n,).
    plan, raters
        What is asked.
    found
        Where the columns stand.
    ending
        As `endings` gives it.
    meanings
        Value labels of the rater's column.

    Raises
    ------
    DataError
        If one rater has no row, or two rows for a dyad and time.
    """
    columns = plan.columns
    whose, other = places(frame[raters.column], (raters.patient, raters.therapist), meanings)
    for side, value in enumerate((raters.patient, raters.therapist)):
        if not (whose == side).any():
            seen = [*frame[raters.column].drop_nulls().unique(maintain_order=True).head(6)]
            raise DataError(
                f"No row of the column {raters.column!r} is {some([value])} ({SIDES[side]})",
                way_out=f"Its values are {some(seen)}; write the right one under [raters]" if seen else "It is empty",
            )
    findings = _neither(whose, other, row, raters.column)
    used = list(dict.fromkeys(name for asked, at in found for name in at.values() if asked.words != "rater"))
    keyed = frame.select(filled(frame[name]) for name in used).with_columns(
        labels(frame[columns.dyad], column=columns.dyad, role="dyad").alias(_DYAD),
        _time_key(frame[columns.time]).alias(_TIME),
        row.alias(_ROW),
    )
    one, two = (keyed.filter(whose == side) for side in (0, 1))
    for whom, rows in zip(SIDES, (one, two), strict=True):
        _check_one_row_each(rows, whom)
    both = one.join(two, on=[_DYAD, _TIME], how="full", suffix=_T, coalesce=True)
    both = both.with_columns(pl.coalesce(_ROW, _ROW + _T).alias("\x00n"))
    chosen, outcomes, own = _chosen(found, ending)
    long = both.select(pl.col("\x00n").alias(_ROW), *chosen)
    differing = both.filter(outcomes).sort(_ROW).select(_ROW, _ROW + _T)
    findings += _differing_outcomes(differing, columns.name("outcome"))
    again = both.filter(own)
    if again.height:
        long = pl.concat([long, _therapist_rows(again, long, columns, found)], how="vertical")
    long = long.sort(_ROW)
    words = f"{counted(one.height, 'row')} of patients and {counted(two.height, 'row')} of therapists are "
    words += f"{counted(both.height, 'occasion')}, {one.height + two.height - both.height:,} of them with both."
    return long.drop(_ROW), long[_ROW], [Finding(code="rows-per-rater", level="note", words=words), *findings]


_ROW, _DYAD, _TIME, _T = "\x00row", "\x00dyad", "\x00time", "\x00therapist"
"""Names that no file's column has, and the ending of the therapist's columns while rows are joined."""


def _time_key(series: pl.Series) -> pl.Series:
    """Time by which rows meet: numeric text as numbers, other text without blanks around."""
    values = filled(series)
    if values.dtype != pl.String:
        return values
    numbers = values.cast(pl.Float64, strict=False)
    return values if (values.is_not_null() & numbers.is_null()).any() else numbers


def _neither(whose: pl.Series, other: list[object], row: pl.Series, column: str) -> list[Finding]:
    out = row.filter(whose.is_null()).to_list()
    if not out:
        return []
    said = f" {column!r} is {some(other)} there." if other else f" {column!r} is empty there."
    return [
        Finding(
            code="other-rater",
            level="warning",
            words=f"{counted(len(out), 'row')} of neither patient nor therapist "
            f"{'was' if len(out) == 1 else 'were'} left out.{said}",
            way_out="Check the values under [raters]",
            column=column,
            rows=tuple(out),
        )
    ]


def _check_one_row_each(rows: pl.DataFrame, side: str) -> None:
    number, where = doubled(rows.select(_DYAD, _TIME), rows[_ROW])
    if number:
        raise DataError(
            f"The {side} has more than one row at {counted(number, 'occasion')}",
            where=where,
            way_out="Keep one row per dyad, time and rater",
        )


def _chosen(found: Sequence[tuple[Asked, Found]], ending: Mapping[str, str]) -> tuple[list[pl.Expr], pl.Expr, pl.Expr]:
    """Expressions of the long frame's columns; where outcomes differ; where a dyad's own values do."""
    chosen: dict[str, pl.Expr] = {}
    outcome: list[str] = []
    own: list[str] = []
    for asked, at in found:
        if asked.words == "rater":
            continue
        if asked.role in RATINGS:
            suffix = _T if asked.role == "therapist_rating" else ""
            for place, name in at.items():
                long = long_name(asked, place, name, ending.get(asked.role, ""))
                chosen[long] = pl.col(name + suffix).alias(long)
            continue
        # A questionnaire is one rater's as a whole: items of the two are not mixed.
        patient = pl.any_horizontal(pl.col(name).is_not_null() for name in at.values())
        for name in at.values():
            chosen.setdefault(name, pl.when(patient).then(name).otherwise(name + _T).alias(name))
        if asked.words in ("outcome", *_OWN):
            (outcome if asked.words == "outcome" else own).extend(at.values())
    return list(chosen.values()), _differ(outcome), _differ(own)


def _differ(names: Sequence[str]) -> pl.Expr:
    pairs = [(pl.col(name) != pl.col(name + _T)).fill_null(False) for name in names]
    return pl.any_horizontal(pairs or [pl.lit(False)])


def _differing_outcomes(rows: pl.DataFrame, column: str) -> list[Finding]:
    if not rows.height:
        return []
    pairs = [f"{one} and {other}" for one, other in rows.head(SHOWN).iter_rows()]
    return [
        Finding(
            code="outcome-of-two-raters",
            level="note",
            words=f"The outcome differs between patient and therapist at {counted(rows.height, 'occasion')} "
            f"(rows {listed(pairs, total=rows.height)}); the patient's is taken.",
            way_out="Check that it is the same measure in both rows",
            column=column,
            rows=tuple(rows[_ROW].to_list()),
        )
    ]


def _therapist_rows(
    both: pl.DataFrame, long: pl.DataFrame, columns: ColumnsSection, found: Sequence[tuple[Asked, Found]]
) -> pl.DataFrame:
    """The dyads' own values as therapists' rows have them, in rows without time."""
    own = {name for asked, at in found if asked.words in _OWN for name in at.values()}
    return both.select(
        pl.col(_ROW + _T).alias(_ROW),
        *(
            pl.col(name)
            if name == columns.dyad
            else pl.col(name + _T).alias(name)
            if name in own
            else pl.lit(None, dtype=long[name].dtype).alias(name)
            for name in long.columns
            if name != _ROW
        ),
    )
