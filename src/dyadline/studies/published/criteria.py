"""Criteria and precision over the models of one table: what models on the same rows can differ by."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from dyadline.studies.published.rules import Remark, ratio
from dyadline.studies.published.table import PublishedRow

MUCH = 4.0
"""A precision that changes by this factor (in n: a standard error by 2) is not a matter of the predictors."""

SLACK, SLACK_PER_EFFECT = 20.0, 4.0
"""What a criterion may differ by beyond the effects' own tests: predictors that depend on each other a little."""


def table_remarks(models: Mapping[str, Sequence[PublishedRow]], method: str | None) -> Iterator[Remark]:
    """Rules about neighbouring models.

    Parameters
    ----------
    models
        Rows by model, in the order of the table.
    method
        ``"REML"``, ``"ML"`` or ``None`` where it is not known.
    """
    named = list(models)
    for before, after in pairwise(named):
        yield from _precision(models[before], models[after])
        yield from _criteria(models[before], models[after], method)
    yield from _cautions(models, method)


def _precision(before: Sequence[PublishedRow], after: Sequence[PublishedRow]) -> Iterator[Remark]:
    """With centred predictors a mean effect's standard error hardly changes while its variance stays the same."""
    variances = [{r.key: r for r in rows if r.part == "variance"} for rows in (before, after)]
    first = {row.key: row for row in before if row.part == "fixed" and row.std_error is not None}
    for row in after:
        old = first.get(row.key)
        if row.part != "fixed" or row.std_error is None or old is None or old.std_error is None:
            continue
        then, now = (of.get(row.key) for of in variances)
        if then is None or now is None or min(then.estimate.low, now.estimate.low, old.std_error.low) <= 0.0:
            continue
        if row.std_error.low <= old.std_error.high or now.estimate.high < 0.5 * then.estimate.low:
            continue  # no rise, or a variance that is another one by now
        # Dyads that would give each standard error if nothing else were uncertain, as far apart as rounding allows.
        fewer = (row.std_error.low**2 / now.estimate.high) / (old.std_error.high**2 / then.estimate.low)
        if fewer > MUCH / 2.0:
            grown = row.std_error.middle**2 / now.estimate.middle
            lost = 1.0 - old.std_error.middle**2 / then.estimate.middle / grown
            yield Remark(
                check="precision",
                verdict="unlikely",
                row=row,
                words=f"The standard error rises from {old.std_error.text} to {row.std_error.text} while the variance "
                f"of the dyads' effects stays at {now.estimate.text} (before: {then.estimate.text}), as if "
                f"{100.0 * lost:.0f}% of the dyads were lost. Predictors that are centred do not do this; fewer "
                "rows, or a predictor that is not centred, do.",
                printed=row.std_error.text,
            )


def _criteria(before: Sequence[PublishedRow], after: Sequence[PublishedRow], method: str | None) -> Iterator[Remark]:
    old = {row.term.casefold(): row for row in before if row.part == "criterion"}
    known = {row.key for row in before if row.part == "fixed"}
    kept = {row.key for row in after if row.part == "fixed"}
    added = [row for row in after if row.part == "fixed" and row.key not in known and row.std_error is not None]
    if not added or not known <= kept or _random_terms(before) != _random_terms(after):
        return  # not one model inside the other, or another random part, whose share in the criterion is not printed
    if any(row.std_error is not None and row.std_error.low <= 0.0 for row in added):
        return  # a standard error that is printed as zero
    slack = SLACK + SLACK_PER_EFFECT * len(added)
    for row in after:
        then = old.get(row.term.casefold())
        if row.part != "criterion" or then is None:
            continue
        change = row.estimate.middle - then.estimate.middle
        # The joint test of the added effects lowers −2LL; unless they are collinear it is near the sum of squared t.
        tests = sum(ratio(a.estimate, a.std_error)[1] ** 2 for a in added if a.std_error is not None)
        shifts = _shifts(row, added, method)
        if change < min(shifts) - tests - slack:
            least = min(shifts) - tests
            yield Remark(
                check="criterion-rows",
                verdict="unlikely",
                row=row,
                words=f"{row.term} falls by {-change:.0f}, from {then.estimate.text} to {row.estimate.text}, and the "
                f"{len(added)} added effects' own tests account for about {max(-least, 0.0):.0f}. On the same rows "
                "that takes added predictors that nearly repeat each other; else the second model has fewer rows, and "
                "then the two criteria cannot be compared.",
                printed=row.estimate.text,
                expected=(then.estimate.middle + least, then.estimate.middle + max(shifts)),
            )
        elif method == "ML" and change > 2.0 * len(added) + 1.0:
            yield Remark(
                check="criterion-rows",
                verdict="impossible",
                row=row,
                words=f"{row.term} rises by {change:.0f} when {len(added)} effects are added; on the same rows maximum "
                f"likelihood lets it rise by at most {2 * len(added)}.",
                printed=row.estimate.text,
                expected=(-math.inf, then.estimate.middle + 2.0 * len(added)),
            )


def _random_terms(rows: Sequence[PublishedRow]) -> set[tuple[str, str]]:
    return {(row.part, row.key) for row in rows if row.part in ("variance", "covariance")}


def _shifts(row: PublishedRow, added: Sequence[PublishedRow], method: str | None) -> list[float]:
    """How much the criterion changes for other reasons than fit: the penalty, and under REML the effects' scale.

    The REML criterion has ``log|X'V⁻¹X| − p log 2π``: an added effect with standard error s brings about
    −2 log s − log 2π.
    """
    errors = [a.std_error.middle for a in added if a.std_error is not None]
    restricted = sum(-2.0 * math.log(s) - math.log(2.0 * math.pi) for s in errors)
    penalty = 2.0 * len(added) if row.term.casefold().startswith("aic") else 0.0
    if method == "ML":
        return [penalty]
    # Programs differ in whether they count fixed effects among a REML fit's parameters.
    return [restricted, restricted + penalty] if method == "REML" else [restricted, restricted + penalty, penalty]


def _cautions(models: Mapping[str, Sequence[PublishedRow]], method: str | None) -> Iterator[Remark]:
    criteria = [row for rows in models.values() for row in rows if row.part == "criterion"]
    if method == "REML" and len({row.model for row in criteria}) > 1:
        yield Remark(
            check="criterion-reml",
            verdict="caution",
            row=criteria[-1],
            words="Under REML the criteria of models with different fixed effects are of different data (the outcome "
            "without what each model's fixed effects explain) and cannot be compared; maximum likelihood on common "
            "rows can.",
        )
    tested = [row for rows in models.values() for row in rows if row.part == "variance" and row.p is not None]
    if tested:
        yield Remark(
            check="wald-variance",
            verdict="caution",
            row=tested[0],
            words="A variance cannot be negative, so that its Wald test is not normal where it matters, near zero; the "
            "likelihood-ratio test with a mixture of χ² distributions is correct there.",
        )
