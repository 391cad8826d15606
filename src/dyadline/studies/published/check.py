"""Is a published table possible? Its numbers against each other."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dyadline.data.delimited import read_delimited
from dyadline.data.frames import polars_frame
from dyadline.errors import DataError, PlanError, did_you_mean, whole_number
from dyadline.studies.published.criteria import table_remarks
from dyadline.studies.published.rules import Remark, line_remarks, model_remarks
from dyadline.studies.published.table import PublishedRow, published_rows

MOST_BYTES = 1_000_000

VERDICTS = ("impossible", "unlikely", "caution")

_SCHEMA = {
    "row": pl.Int64,
    "model": pl.String,
    "term": pl.String,
    "check": pl.String,
    "verdict": pl.String,
    "printed": pl.String,
    "expected_low": pl.Float64,
    "expected_high": pl.Float64,
    "words": pl.String,
}


def check_table(table: object, *, n: int | None = None, method: str | None = None) -> pl.DataFrame:
    """What is impossible or unlikely in a published table of a mixed model.

    Every number stands for all that are rounded to it, so keep them as printed: ``.050``, ``< .001``. Checked are p
    values, statistics and intervals against estimate and standard error (at any degrees of freedom where none are
    given); standard errors of variances, and of the effects that vary, against the variance and the number of dyads;
    covariances against variances; criteria of neighbouring models against the tests of the effects that were added.

    Parameters
    ----------
    table
        A CSV file, or a frame (text columns keep the printed decimals; of numbers, trailing zeros are unknown): one row
        per estimate with ``term, estimate`` and any of ``model, part`` (fixed, variance, covariance or criterion),
        ``std_error, p, df, statistic, conf_low, conf_high, n``.
    n
        Number of dyads, where the table has no column for it.
    method
        ``"REML"`` or ``"ML"``, where it is known.

    Returns
    -------
    polars.DataFrame
        One row per remark, impossible ones first: ``row`` (of the table, from 1), ``model, term, check, verdict,
        printed, expected_low, expected_high, words``. Empty if nothing is wrong.

    Raises
    ------
    PlanError
        An unknown method, or no whole number of dyads.
    DataError
        If there is no such file or it is no table of estimates; the fields that are no numbers.

    Notes
    -----
    p at df → ∞ is the smallest that a ratio can have, since t has heavier tails than the normal distribution. With n
    dyads' effects seen without error a variance v has the standard error v√(2/n), and their mean √(v/n): bounds of
    errors that come from the model, as programs print them by default (robust ones can be smaller). Added effects lower
    −2 log-likelihood by about their joint test, which is near the sum of their squared t unless they are collinear; the
    REML criterion shifts with their scale as well.
    """
    if method is not None and method not in ("REML", "ML"):
        raise PlanError(f"There is no method {method!r}", way_out=did_you_mean(method, ("REML", "ML")) or "REML or ML")
    rows = published_rows(_texts(table), n=None if n is None else whole_number(n, "The number of dyads", 2))
    models: dict[str, list[PublishedRow]] = {}
    for row in rows:
        models.setdefault(row.model, []).append(row)
    remarks = [remark for row in rows for remark in line_remarks(row)]
    remarks += [remark for own in models.values() for remark in model_remarks(own)]
    remarks += table_remarks(models, method)
    remarks.sort(key=lambda remark: VERDICTS.index(remark.verdict))
    return pl.DataFrame([_record(remark) for remark in remarks], schema=_SCHEMA)


def _texts(table: object) -> pl.DataFrame:
    if not isinstance(table, str | Path):
        return polars_frame(table).cast(pl.String)
    path = Path(table)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(
                f"{path.name!r} is too large for a published table", way_out="Name the CSV file of its rows"
            )
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name!r} cannot be read: {error.strerror}", way_out="Check its name") from None
    return read_delimited(data, path.name, as_text=True).frame


def _record(remark: Remark) -> dict[str, object]:
    low, high = remark.expected or (None, None)
    row = remark.row
    return {
        "row": row.row,
        "model": row.model,
        "term": row.term,
        "check": remark.check,
        "verdict": remark.verdict,
        "printed": remark.printed,
        "expected_low": low,
        "expected_high": high,
        "words": remark.words,
    }
