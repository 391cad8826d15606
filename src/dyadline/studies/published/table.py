"""A published table, row by row: estimates, standard errors, p values, criteria."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from dyadline.errors import DataErrors, Finding
from dyadline.studies.published.printed import Printed, decimal_mark, printed
from dyadline.words import listed, shown

Part = Literal["fixed", "variance", "covariance", "criterion"]
PARTS: tuple[Part, ...] = ("fixed", "variance", "covariance", "criterion")

NAMES = {
    "term": ("term", "effect", "parameter", "predictor", "name"),
    "estimate": ("estimate", "est", "coefficient", "coeff", "coef", "b", "value"),
    "std_error": ("std_error", "se", "stderr", "standard_error"),
    "p": ("p", "p_value", "pvalue", "sig"),
    "df": ("df", "ddf"),
    "statistic": ("statistic", "t", "z", "t_value", "z_value"),
    "conf_low": ("conf_low", "ci_low", "lower", "ll", "lower_95"),
    "conf_high": ("conf_high", "ci_high", "upper", "ul", "upper_95"),
    "model": ("model",),
    "part": ("part", "kind", "type"),
    "n": ("n", "dyads", "n_dyads", "groups", "patients"),
}
"""Columns, and what else they may be called; capitals, points and blanks do not matter."""

NUMBERS = ("estimate", "std_error", "p", "df", "statistic", "conf_low", "conf_high", "n")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """One line of one model.

    Attributes
    ----------
    row
        In the file, from 1.
    model, part, term
        Which number it is.
    estimate
        Always there; of a criterion its value.
    std_error, p, df, statistic, conf_low, conf_high
        Where the table prints them.
    n
        Number of dyads (units of the second level).
    """

    row: int
    model: str
    part: Part
    term: str
    estimate: Printed
    std_error: Printed | None = None
    p: Printed | None = None
    df: Printed | None = None
    statistic: Printed | None = None
    conf_low: Printed | None = None
    conf_high: Printed | None = None
    n: Printed | None = None

    @property
    def key(self) -> str:
        """The term without capitals and the plural, so that "Slopes" of the random part is the fixed "Slope"."""
        return self.term.casefold().strip().removesuffix("s")


def published_rows(frame: pl.DataFrame, *, n: int | None = None) -> tuple[PublishedRow, ...]:
    """The rows of a table whose numbers are still as they were printed.

    Parameters
    ----------
    frame
        One row per estimate, text columns: see `NAMES`. Lines without an estimate are left out.
    n
        Number of dyads where the table has no column for it.

    Raises
    ------
    DataErrors
        For every field that is no number, every unknown part, and missing columns.
    """
    columns = _columns(frame.columns)
    wrong = [
        _error("column", f"The table has no column for the {what}", f"Call it one of: {', '.join(NAMES[what])}")
        for what in ("term", "estimate")
        if what not in columns
    ]
    if wrong:
        raise DataErrors(tuple(wrong), source="The table")
    rows = []
    numeric = [columns[what] for what in NUMBERS if what in columns]
    decimal = decimal_mark(_text(value) for column in numeric for value in frame[column])
    for place, record in enumerate(frame.iter_rows(named=True), start=1):
        fields = {what: _text(record[column]) for what, column in columns.items()}
        numbers: dict[str, Printed | None] = {}
        for what in NUMBERS:
            try:
                numbers[what] = printed(fields.get(what, ""), decimal)
            except ValueError:
                wrong.append(_error(columns[what], f"{shown(fields[what])} is no number (row {place})", "Mend it"))
        part = fields.get("part", "").casefold() or "fixed"
        if part not in PARTS:
            words = f"{shown(fields['part'])} (row {place}) is no part of a table"
            wrong.append(_error(columns["part"], words, f"Write {listed(PARTS)}"))
        estimate = numbers.pop("estimate", None)
        if estimate is None or part not in PARTS:
            continue
        if numbers.get("n") is None and n is not None:
            numbers["n"] = printed(str(n))
        model = fields.get("model", "") or "1"
        rows.append(PublishedRow(row=place, model=model, part=part, term=fields["term"], estimate=estimate, **numbers))
    if not rows and not wrong:
        wrong.append(_error("table", "The table has no row with an estimate", "Fill in the column of the estimates"))
    if wrong:
        raise DataErrors(tuple(wrong), source="The table")
    return tuple(rows)


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _columns(names: Sequence[str]) -> dict[str, str]:
    plain = {"".join(c for c in name.casefold().replace(" ", "_") if c.isalnum() or c == "_"): name for name in names}
    return {
        what: plain[found]
        for what, others in NAMES.items()
        if (found := next((other for other in others if other in plain), None)) is not None
    }


def _error(column: str, words: str, way_out: str) -> Finding:
    return Finding(code="published-table", level="error", column=column, words=words, way_out=way_out)
