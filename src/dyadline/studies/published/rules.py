"""What the numbers of one line, or of one model, must satisfy whatever the data.

Each rule gives the printed numbers the benefit of their rounding: it speaks only if no numbers that would be
printed like these could satisfy it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dyadline.studies.published.printed import Printed
from dyadline.studies.published.table import PublishedRow

Verdict = Literal["impossible", "unlikely", "caution"]

FEWEST_DF = 20.0
"""Degrees of freedom that an effect is expected to have at least, where the number of dyads is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something that cannot be, or is not likely.

    Attributes
    ----------
    check
        Stable name of the rule.
    verdict
        ``impossible``: no numbers rounded to the printed ones agree with each other; ``unlikely``: only under
        circumstances that the words name; ``caution``: true, but not to be read as usual.
    row
        The line that it is about.
    words
        In a sentence or two.
    printed, expected
        The number in doubt as printed, and the range in which it would agree with the others.
    """

    check: str
    verdict: Verdict
    row: PublishedRow
    words: str
    printed: str = ""
    expected: tuple[float, float] | None = None


def line_remarks(row: PublishedRow) -> Iterator[Remark]:
    """Rules about one line: p, statistic and interval against estimate and standard error."""
    if row.part == "criterion" or row.std_error is None:
        return
    yield from _p_remarks(row, row.std_error)
    yield from _statistic_remarks(row, row.std_error)
    yield from _interval_remarks(row, row.std_error)


def ratio(estimate: Printed, std_error: Printed) -> tuple[float, float]:
    """Bounds of |estimate / standard error|."""
    least, most = estimate.size
    return least / std_error.high, most / std_error.low if std_error.low > 0.0 else math.inf


def p_of(statistic: float, df: float) -> float:
    """Two-sided p of a t statistic; of a normal one for infinite df."""
    from scipy.special import ndtr, stdtr

    if math.isinf(statistic):
        return 0.0
    return float(2.0 * (ndtr(-statistic) if math.isinf(df) else stdtr(df, -statistic)))


def _p_remarks(row: PublishedRow, std_error: Printed) -> Iterator[Remark]:
    if row.p is None:
        return
    low, high = ratio(row.estimate, std_error)
    if row.part != "fixed":
        yield from _wald_remarks(row, row.p, low, high)
        return
    what = f"An estimate of {row.estimate.text} with a standard error of {std_error.text}"
    known = row.df if row.df is not None and not row.df.bounded else None
    fewest, most = (known.low, known.high) if known else (1.0, math.inf)
    # Small df make p larger, so that the ends are reached by the fewest df with the smallest ratio.
    expected = p_of(high, most), p_of(low, max(fewest, 1.0))
    at = f"with {known.text} degrees of freedom" if known else "at any degrees of freedom"
    if not _meet(row.p, *expected):
        yield Remark(
            check="p-value",
            verdict="impossible",
            row=row,
            words=f"{what} cannot have p {_shown(row.p)} {at}: {_range(*expected)}.",
            printed=row.p.text,
            expected=expected,
        )
        return
    if known or row.p.low <= p_of(low, math.inf):
        return
    needed = _most_df(low, row.p.low)
    bound = FEWEST_DF if row.n is None else row.n.middle / 4.0
    if needed < bound:
        of = "" if row.n is None else f", far fewer than {row.n.text} dyads would give"
        yield Remark(
            check="p-value",
            verdict="unlikely",
            row=row,
            words=f"{what} has p {_shown(row.p)} only with at most {needed:.0f} degrees of freedom{of}; "
            f"with many, {_range(p_of(high, math.inf), p_of(low, bound))}.",
            printed=row.p.text,
            expected=(p_of(high, math.inf), p_of(low, bound)),
        )


def _wald_remarks(row: PublishedRow, p: Printed, low: float, high: float) -> Iterator[Remark]:
    """A (co)variance's p is two-sided normal; that of a variance may have been halved."""
    expected = p_of(high, math.inf), p_of(low, math.inf)
    halved = row.part == "variance" and _meet(p, 0.5 * expected[0], 0.5 * expected[1])
    if _meet(p, *expected) or halved:
        return
    assert row.std_error is not None
    yield Remark(
        check="wald-p",
        verdict="impossible",
        row=row,
        words=f"A {row.part} of {row.estimate.text} with a standard error of {row.std_error.text} cannot have p "
        f"{_shown(p)} by a Wald test: z lies between {low:.2f} and {high:.2f}, so that {_range(*expected)}.",
        printed=p.text,
        expected=expected,
    )


def _statistic_remarks(row: PublishedRow, std_error: Printed) -> Iterator[Remark]:
    if row.statistic is None:
        return
    expected = ratio(row.estimate, std_error)
    least, most = row.statistic.size
    if most < expected[0] or least > expected[1]:
        yield Remark(
            check="statistic",
            verdict="impossible",
            row=row,
            words=f"{row.estimate.text} divided by {std_error.text} is between {expected[0]:.2f} and "
            f"{expected[1]:.2f}, not {row.statistic.text}.",
            printed=row.statistic.text,
            expected=expected,
        )


def _interval_remarks(row: PublishedRow, std_error: Printed) -> Iterator[Remark]:
    low, high = row.conf_low, row.conf_high
    if low is None or high is None or row.part != "fixed":
        return
    middle = 0.5 * (low.low + high.low), 0.5 * (low.high + high.high)
    printed = f"[{low.text}, {high.text}]"
    if middle[1] < row.estimate.low or middle[0] > row.estimate.high:
        yield Remark(
            check="interval",
            verdict="impossible",
            row=row,
            words=f"The interval {printed} has its middle at {0.5 * (low.middle + high.middle):.4g}, not at "
            f"{row.estimate.text}.",
            printed=printed,
            expected=middle,
        )
    widest = 0.5 * (high.high - low.low)
    needed = 1.959963984540054 * std_error.low
    if widest < needed:
        yield Remark(
            check="interval",
            verdict="impossible",
            row=row,
            words=f"With a standard error of {std_error.text} a 95% interval reaches at least {needed:.3g} to either "
            f"side, and {printed} reaches at most {widest:.3g}.",
            printed=printed,
            expected=(needed, math.inf),
        )


def model_remarks(rows: Sequence[PublishedRow]) -> Iterator[Remark]:
    """Rules about one model: standard errors against variances and the number of dyads, covariances against both."""
    variances = {row.key: row for row in rows if row.part == "variance"}
    for row in rows:
        if row.part == "variance":
            yield from _variance_remarks(row)
        elif row.part == "fixed" and row.key in variances:
            yield from _precision_remarks(row, variances[row.key])
    own = [row for row in variances.values() if not _is_residual(row)]
    covariances = [row for row in rows if row.part == "covariance"]
    if len(own) == 2 and len(covariances) == 1:
        yield from _covariance_remarks(covariances[0], own[0], own[1])


def _variance_remarks(row: PublishedRow) -> Iterator[Remark]:
    """Even if the dyads' effects were seen without error, their variance has the standard error v√(2/n)."""
    if row.std_error is None or row.n is None or _is_residual(row):
        return
    least = row.estimate.low * math.sqrt(2.0 / row.n.high)
    if row.std_error.high < least:
        yield Remark(
            check="variance-se",
            verdict="impossible",
            row=row,
            words=f"The variance of {row.n.text} dyads' effects, {row.estimate.text}, cannot be known to "
            f"{row.std_error.text}: if each effect were seen without error, its standard error would be "
            f"{row.estimate.middle * math.sqrt(2.0 / row.n.middle):.3g} (variance times √(2/n)).",
            printed=row.std_error.text,
            expected=(least, math.inf),
        )


def _precision_remarks(fixed: PublishedRow, variance: PublishedRow) -> Iterator[Remark]:
    """The mean of n dyads' effects with variance v cannot have a standard error below √(v/n)."""
    if fixed.std_error is None or variance.n is None:
        return
    least = math.sqrt(max(variance.estimate.low, 0.0) / variance.n.high)
    if fixed.std_error.high < least:
        yield Remark(
            check="fixed-se",
            verdict="impossible",
            row=fixed,
            words=f"If the dyads differ with a variance of {variance.estimate.text}, the mean of {variance.n.text} "
            f"dyads has a standard error of at least {math.sqrt(variance.estimate.middle / variance.n.middle):.3g} "
            f"(√(variance/n)), not {fixed.std_error.text}.",
            printed=fixed.std_error.text,
            expected=(least, math.inf),
        )


def _covariance_remarks(row: PublishedRow, first: PublishedRow, second: PublishedRow) -> Iterator[Remark]:
    most = math.sqrt(max(first.estimate.high, 0.0) * max(second.estimate.high, 0.0))
    if row.estimate.size[0] > most:
        yield Remark(
            check="covariance",
            verdict="impossible",
            row=row,
            words=f"A covariance of {row.estimate.text} is more than variances of {first.estimate.text} and "
            f"{second.estimate.text} allow: at most {most:.3g}, at a correlation of ±1.",
            printed=row.estimate.text,
            expected=(-most, most),
        )


def _is_residual(row: PublishedRow) -> bool:
    """A residual variance is of occasions, not of dyads."""
    return row.key.startswith(("residual", "error", "within"))


def _meet(printed: Printed, low: float, high: float) -> bool:
    return printed.low <= high and low <= printed.high


def _most_df(statistic: float, p: float) -> float:
    """The most degrees of freedom at which this statistic still has this p, by bisection on the log scale."""
    low, high = 1.0, 1e8
    if p_of(statistic, low) < p:
        return low
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if p_of(statistic, middle) >= p else (low, middle)
    return low


def _shown(p: Printed) -> str:
    return p.text if p.bounded else f"= {p.text}"


def _range(low: float, high: float) -> str:
    if high < 0.001:
        return "p < .001"
    return f"p lies between {_p(low)} and {_p(high)}"


def _p(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)
