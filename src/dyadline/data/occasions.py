"""Dates, ends and numbers of sessions against the rows, where ``[checks]`` names their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import polars as pl

from dyadline.data.roles import DATE, END, REASON, SESSIONS
from dyadline.data.summary import CODE
from dyadline.data.validate import changes_within_dyads
from dyadline.errors import Finding
from dyadline.words import counted, dyads_listed, quoted

EARLIEST = date(1950, 1, 1)


def occasions(
    rows: pl.DataFrame, dyads: pl.DataFrame, names: Mapping[str, str], *, today: date | None = None
) -> Iterator[Finding]:
    """What the dyads' dates, ends and declared numbers of sessions say against their rows.

    Parameters
    ----------
    rows, dyads
        From `summary.in_order` and `summary.by_dyad`.
    names
        Column in the file by role of those that ``[checks]`` names.
    today
        Later dates are impossible; the computer's date unless given.
    """
    if DATE in names:
        yield from _dates(rows, names[DATE], today or date.today())
    if END in names:
        yield from _after_the_end(rows, names)
    if SESSIONS in names:
        yield from _more_sessions(dyads, names[SESSIONS])
    constant = {role: column for role, column in names.items() if role in (SESSIONS, END, REASON)}
    yield from changes_within_dyads(rows, dyads, constant, level="warning")


def _dates(rows: pl.DataFrame, column: str, today: date) -> Iterator[Finding]:
    dated = rows.filter(pl.col(DATE).is_not_null())
    impossible = dated.filter(~pl.col(DATE).is_between(EARLIEST, today))
    if impossible.height:
        yield _finding(
            "impossible-dates",
            f"{counted(impossible.height, 'row')} {_have(impossible.height)} a date before {EARLIEST.year} or after "
            f"today ({today.isoformat()})",
            "Correct the date",
            column,
            impossible,
        )
    step = pl.col(DATE) - pl.col(DATE).shift()
    steps = dated.with_columns(step=step, later=pl.col("time") > pl.col("time").shift())
    steps = steps.filter(pl.col("later") & (pl.col(CODE) == pl.col(CODE).shift()))
    back = steps.filter(pl.col("step") < pl.duration(days=0))
    if back.height:
        dyads = back[CODE].n_unique()
        yield _finding(
            "dates-go-back",
            f"In {counted(dyads, 'dyad')} the date goes back while time goes forward",
            "Correct the date or the time: one of them is wrong",
            column,
            back,
        )
    same = steps.filter(pl.col("step") == pl.duration(days=0))
    if same.height:
        words = f"{counted(same.height, 'row')} {_have(same.height)} the date of the dyad's row before, at another time"
        yield _finding("same-date", words, "", column, same, note=True)


def _after_the_end(rows: pl.DataFrame, names: Mapping[str, str]) -> Iterator[Finding]:
    dated = rows.schema[END] == pl.Date
    if dated and DATE not in names:
        yield Finding(
            code="end-not-compared",
            level="note",
            words=f"The column {quoted(names[END])} (end) has dates, and no column of dates says when the rows are.",
            way_out="Name it as date in [checks]",
            column=names[END],
        )
        return
    # The dyad's end may stand in one of its rows only.
    end = pl.col(END).max().over(CODE) if rows[END].null_count() else pl.col(END)
    after = rows.filter(pl.col("[seen]") & (pl.col(DATE if dated else "time") > end))
    if after.height:
        words = f"{counted(after.height, 'row')} with ratings or outcome {_lie(after.height)} after the dyad's end"
        yield _finding("after-end", words, "Check the end, or leave these rows out", names[END], after)


def _more_sessions(dyads: pl.DataFrame, column: str) -> Iterator[Finding]:
    more = dyads.filter(pl.col("rated") > pl.col(f"{SESSIONS} max"))
    if more.height:
        yield Finding(
            code="more-sessions-than-declared",
            level="warning",
            words=f"{counted(more.height, 'dyad')} {_have(more.height)} ratings of more sessions than the declared "
            f"number; the first has {more['rated'][0]} and declares {more[f'{SESSIONS} max'][0]:g}.",
            way_out="Correct the number, or look for rows of another dyad",
            column=column,
            dyad=dyads_listed(more["dyad"]),
        )


def _finding(code: str, words: str, way_out: str, column: str, there: pl.DataFrame, *, note: bool = False) -> Finding:
    there = there.sort("row")
    return Finding(
        code=code,
        level="note" if note else "warning",
        words=f"{words}.",
        way_out=way_out,
        column=column,
        dyad=dyads_listed(there["dyad"].unique(maintain_order=True)),
        time=f"{there['time'][0]:g}" if there.height == 1 and there["time"].count() else "",
        rows=tuple(there["row"].to_list()),
    )


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _lie(number: int) -> str:
    return "lies" if number == 1 else "lie"
