"""Columns of item answers: found, made numbers, and held against the range of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from dyadline.errors import DataError, Finding
from dyadline.measures.measure import Measure
from dyadline.plan.columns import ItemsSection
from dyadline.words import SHOWN, counted, listed, nearest, role_words, shown

MISSING = ("", "NA")
"""Texts that stand for a missing answer, as they do in every other column."""

USUAL_RANGES = (
    (0, 2),
    (0, 3),
    (1, 3),
    (0, 4),
    (1, 4),
    (0, 5),
    (1, 5),
    (0, 6),
    (1, 6),
    (0, 7),
    (1, 7),
    (0, 10),
    (1, 10),
)
"""Response ranges in use, narrowest first: what answers outside the range may have been meant as."""

FITS, USED = 0.95, 0.01
"""Another range fits if it holds this share of the answers, and each of its ends this share."""


def item_columns(
    role: str, section: ItemsSection, found: Mapping[int, str], measure: Measure, scale: str, known: Sequence[str]
) -> dict[int, str]:
    """The measure's items that there are columns of, in order.

    Raises
    ------
    DataError
        If items of the asked scale have no column: which, and what there is.
    """
    if not isinstance(section.items, str) and len(section.items) != measure.items:
        raise DataError(
            f"The measure {measure.name!r} has {counted(measure.items, 'item')}, and the plan names "
            f"{counted(len(section.items), 'column')} for the {role_words(role)}",
            where=f"columns.{role}",
            way_out="Name a column for every item, in the measure's order, or give a pattern such as item_{item}",
        )
    absent = [number for number in measure.items_of(scale) if number not in found]
    if absent:
        which = f"item{'' if len(absent) == 1 else 's'} {listed([str(n) for n in absent[:12]], total=len(absent))}"
        places = [section.items.replace("{item}", str(n)) for n in absent] if isinstance(section.items, str) else []
        there = [repr(column) for column in found.values()]
        seen = f"Found for it: {listed(there[:6], total=len(there))}" if there else nearest(places[:1], known)
        raise DataError(
            f"There is no column for {which} of {measure.name!r} by {section.name!r} ({role_words(role)})", way_out=seen
        )
    return {number: found[number] for number in sorted(found) if 1 <= number <= measure.items}


def left_out(role: str, found: Mapping[int, str], measure: Measure) -> tuple[Finding, ...]:
    """Columns that the pattern has and the measure has not, such as the tenth question of the PHQ-9."""
    columns = [column for number, column in sorted(found.items()) if not 1 <= number <= measure.items]
    if not columns:
        return ()
    return (
        Finding(
            code="items-left-out",
            level="note",
            words=f"{measure.name!r} ({role_words(role)}) has {counted(measure.items, 'item')}; not scored: "
            f"{listed([repr(c) for c in columns[:3]], total=len(columns))}.",
            column=columns[0],
        ),
    )


def numeric(series: pl.Series, *, column: str, role: str, row: pl.Series) -> pl.Series:
    """Answers as Float64; NaN, empty text and ``NA`` are missing, true and false are 1 and 0.

    Raises
    ------
    DataError
        If there are text, dates or infinite values: column, first three rows, values.
    """
    dtype = series.dtype
    if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        values = series.cast(pl.Float64)
        if dtype.is_float():
            values = values.fill_nan(None)
            _refuse(values.is_infinite(), series, "finite numbers and has others", column, role, row)
        return values
    if dtype == pl.String or dtype in (pl.Categorical, pl.Enum):
        text = series.cast(pl.String).str.strip_chars()
        values = text.cast(pl.Float64, strict=False).fill_nan(None)
        wrong = text.is_not_null() & ~text.is_in(MISSING) & (values.is_null() | values.is_infinite())
        _refuse(wrong, text, "numbers and has text", column, role, row)
        return values
    raise DataError(
        f"The column {column!r} (item of the {role_words(role)}) needs numbers and has values of another kind",
        way_out="Name the columns of the item answers",
    )


def _refuse(wrong: pl.Series, values: pl.Series, words: str, column: str, role: str, row: pl.Series) -> None:
    if not wrong.any():
        return
    said, _ = _examples(wrong.fill_null(False), values, row)
    raise DataError(
        f"The column {column!r} (item of the {role_words(role)}) needs {words}: {said}",
        way_out="Code the answers as numbers, and declare codes that stand for missing ones in [missing]",
    )


def _examples(wrong: pl.Series, values: pl.Series, row: pl.Series) -> tuple[str, tuple[int, ...]]:
    """The first three values with their rows, and all rows; a row of a wide file counts once."""
    place = pl.DataFrame({"row": row, "value": values}).filter(wrong).unique("row", keep="first", maintain_order=True)
    first = [
        f"{value:g}" if isinstance(value, float) else shown(value) for value in place["value"].head(SHOWN).to_list()
    ]
    pairs = [f"{value} in row {number}" for value, number in zip(first, place["row"].to_list(), strict=False)]
    return listed(pairs, total=place.height), tuple(place["row"].to_list())


def out_of_range(
    answers: Mapping[str, pl.Series], limits: tuple[float, float], *, role: str, measure: Measure, row: pl.Series
) -> tuple[Finding, ...]:
    """Answers that cannot be: one finding per column, or one for all if another range fits or many columns have them.

    Parameters
    ----------
    answers
        Float64 answers by column.
    limits
        Lowest and highest possible answer.
    """
    low, high = limits
    wrong = {column: (values < low) | (values > high) for column, values in answers.items()}
    wrong = {column: mask.fill_null(False) for column, mask in wrong.items() if mask.any()}
    if not wrong:
        return ()
    other = _other_range(answers, limits)
    if other:
        least, most = other
        column, mask = next(iter(wrong.items()))
        said, rows = _examples(mask, answers[column], row)
        total = sum(int(mask.sum()) for mask in wrong.values())
        return (
            _impossible(
                f"{counted(total, 'answer')} to {measure.name!r} ({role_words(role)}) {'is' if total == 1 else 'are'} "
                f"outside {low:g} to {high:g}, and nearly all are within {least} to {most}; in {column!r} {said}.",
                f"If the questionnaire was answered from {least} to {most}, declare range = [{least}, {most}] in the "
                f"plan, for {role}.",
                column, rows,
            ),
        )  # fmt: skip
    if len(wrong) > SHOWN:
        return (_impossible_in_many(answers, wrong, limits, role=role, measure=measure, row=row),)
    found = []
    for column, mask in wrong.items():
        said, rows = _examples(mask, answers[column], row)
        found.append(
            _impossible(
                f"Answers in {column!r} ({role_words(role)}) are outside the range {low:g} to {high:g} of "
                f"{measure.name!r}: {said}.",
                "Correct them, or declare codes that stand for missing answers in [missing].",
                column, rows,
            )
        )  # fmt: skip
    return tuple(found)


def _impossible_in_many(
    answers: Mapping[str, pl.Series],
    wrong: Mapping[str, pl.Series],
    limits: tuple[float, float],
    *,
    role: str,
    measure: Measure,
    row: pl.Series,
) -> Finding:
    """One sentence for many columns, as when a code for missing answers was not declared."""
    low, high = limits
    values = pl.concat([answers[column].filter(mask) for column, mask in wrong.items()])
    rows = pl.concat([row.filter(mask) for mask in wrong.values()]).unique().sort().to_list()
    counts = values.value_counts(sort=True)
    each = [f"{value:g} ({counted(n, 'time')})" for value, n in counts.head(SHOWN).iter_rows()]
    columns = [repr(column) for column in wrong]
    code = f"codes = [{counts[values.name][0]:g}]"
    way_out = f"Correct them, or write {code} under [missing] where they stand for missing answers."
    if counts.height > 1:
        way_out = (
            "Correct them; or write their codes under [missing] where they stand for missing answers; or, if the "
            f"questionnaire was answered in another range, declare it as range in the plan, for {role}."
        )
    return _impossible(
        f"{counted(len(values), 'answer')} to {measure.name!r} ({role_words(role)}) in {len(columns)} columns, "
        f"{listed(columns[:SHOWN], total=len(columns))}, are outside the range {low:g} to {high:g}: "
        f"{listed(each, total=counts.height)}.",
        way_out,
        next(iter(wrong)),
        tuple(rows),
    )


def _impossible(words: str, way_out: str, column: str, rows: tuple[int, ...]) -> Finding:
    return Finding(code="item-out-of-range", level="error", words=words, way_out=way_out, column=column, rows=rows)


def _other_range(answers: Mapping[str, pl.Series], limits: tuple[float, float]) -> tuple[int, int] | None:
    values = pl.concat(list(answers.values())).drop_nulls()
    counts = dict(values.value_counts().iter_rows())
    share = {value: count / len(values) for value, count in counts.items()}
    for low, high in USUAL_RANGES:
        within = sum(part for value, part in share.items() if low <= value <= high)
        ends_used = share.get(float(low), 0) >= USED and share.get(float(high), 0) >= USED
        if (low, high) != limits and within >= FITS and ends_used:
            return low, high
    return None


def not_whole(answers: Mapping[str, pl.Series], *, role: str, row: pl.Series) -> tuple[Finding, ...]:
    """Answers between two whole numbers, one warning per column."""
    found = []
    for column, values in answers.items():
        odd = (values != values.round()).fill_null(False)
        if odd.any():
            said, rows = _examples(odd, values, row)
            found.append(
                Finding(
                    code="item-not-whole",
                    level="warning",
                    words=f"Answers in {column!r} ({role_words(role)}) are no whole numbers: {said}.",
                    way_out="Look whether a score, or an imputed value, stands in the item's place.",
                    column=column,
                    rows=rows,
                )
            )
    return tuple(found)
