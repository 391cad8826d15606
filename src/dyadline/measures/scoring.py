"""Item answers become scores: reverse keys, missing answers, bands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dyadline.errors import Finding
from dyadline.measures.measure import Measure
from dyadline.measures.registry import find
from dyadline.measures.typed import item_columns, left_out, not_whole, numeric, out_of_range
from dyadline.plan.columns import ItemsSection
from dyadline.words import counted, role_words

RATINGS = ("patient_rating", "therapist_rating")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """How a role was scored.

    Attributes
    ----------
    measure, scale
        What was scored, the scale under the measure's own name for it.
    range
        Lowest and highest answer in use.
    """

    measure: Measure
    scale: str
    range: tuple[float, float]

    @property
    def original(self) -> bool:
        """Whether the answers have the measure's own range, so that bands and norms apply."""
        return self.range == self.measure.range

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest possible score."""
        return self.measure.limits(self.scale, self.range)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What `score_measures` makes.

    Attributes
    ----------
    frame
        The frame with a score column per role, under the name that the plan gives it.
    answers
        By role, one Float64 column per item, named by its number, reverse-keyed items turned, null where missing
        or impossible; as many rows as ``frame``.
    scored
        By role, the measure, scale and range in use.
    findings
        What was noticed.
    """

    frame: pl.DataFrame
    answers: Mapping[str, pl.DataFrame]
    scored: Mapping[str, Scored]
    findings: tuple[Finding, ...]


def score_measures(
    frame: pl.DataFrame,
    row: pl.Series,
    items: Mapping[str, Mapping[int, str]],
    measures: Mapping[str, ItemsSection],
    folder: Path | None,
    names: Mapping[str, str] | None = None,
) -> Scores:
    """Add the scores of all roles that a plan gives as a measure's items.

    Parameters
    ----------
    frame
        One row per dyad and occasion, with the item columns as the file has them.
    row
        Row number in the file of each row, for sentences.
    items
        By role, column of ``frame`` by item number.
    measures
        By role, what the plan says.
    folder
        The plan's folder, for the user's own measures.
    names
        By role, what the score's column is called; the items' pattern unless given.

    Raises
    ------
    PlanError
        No such measure or scale, or mistakes in a user's file.
    DataError
        Items of the scale without a column, or text among their answers.
    """
    answers: dict[str, pl.DataFrame] = {}
    scored: dict[str, Scored] = {}
    findings: list[Finding] = []
    columns: list[pl.Series] = []
    for role, section in measures.items():
        measure, own = find(section.measure, folder)
        scale = measure.scale_name(section.scale)
        how = Scored(measure=measure, scale=scale, range=section.range or measure.range)
        found = items.get(role, {})
        placed = item_columns(role, section, found, measure, scale, frame.columns)
        raw = {column: numeric(frame[column], column=column, role=role, row=row) for column in placed.values()}
        findings += [own] if own and own not in findings else []
        findings += left_out(role, found, measure)
        impossible = out_of_range(raw, how.range, role=role, measure=measure, row=row)
        findings += impossible
        findings += not_whole({c: raw[c] for c in raw if not frame[c].dtype.is_integer()}, role=role, row=row)
        answers[role] = turned({number: raw[column] for number, column in placed.items()}, how)
        score = scale_scores(answers[role], measure, only=scale)[scale].rename((names or {}).get(role, section.name))
        # Impossible answers were made missing, so that what is missing says nothing until they are mended.
        findings += () if impossible else _missing(answers[role], score, how, role, row)
        findings += _other_range(how, role)
        scored[role] = how
        columns.append(score)
    findings += _unequal(scored)
    return Scores(frame=frame.with_columns(columns), answers=answers, scored=scored, findings=tuple(findings))


def turned(answers: Mapping[int, pl.Series], how: Scored) -> pl.DataFrame:
    """Answers by item number: impossible ones are missing, reverse-keyed ones become lowest + highest − answer."""
    low, high = how.range
    frame = pl.DataFrame({str(number): values for number, values in answers.items()})
    reverse = {str(number) for number in how.measure.reverse}
    return frame.select(
        pl.when(pl.col(name).is_between(low, high))
        .then(low + high - pl.col(name) if name in reverse else pl.col(name))
        .alias(name)
        for name in frame.columns
    )


def scale_scores(answers: pl.DataFrame, measure: Measure, *, only: str | None = None) -> pl.DataFrame:
    """The scores of all scales whose items are there, one column per scale.

    A score is the mean of the answered items, or that mean times the number of items where the measure adds them up,
    times the scale's factor; null where fewer items are answered than the measure asks for.

    Parameters
    ----------
    answers
        A column per item, named by its number, reverse-keyed items turned, as in `Scores.answers`.
    measure
        Their measure.
    only
        One scale, if not all are wanted.
    """
    scores = []
    for name in measure.scales if only is None else [only]:
        columns = [str(number) for number in measure.items_of(name)]
        if not set(columns) <= set(answers.columns):
            continue
        scale = measure.scales[name]
        times = scale.factor * (len(columns) if scale.score == "sum" else 1)
        there = pl.sum_horizontal(pl.col(column).is_not_null() for column in columns)
        # In this order sums of whole numbers stay whole.
        score = pl.sum_horizontal(columns) * times / there
        scores.append(pl.when(there >= measure.needed(name)).then(score).alias(name))
    return answers.select(scores)


def bands(measure: Measure, scores: pl.Series, scale: str | None = None) -> pl.DataFrame:
    """How many scores lie in each band: ``band, from, to, n, percent``; no rows where the scale has no bands.

    A score between two bands, as missing answers make them, is in the lower one.

    Parameters
    ----------
    measure
        The measure; its bands hold for its original range only (`Scored.original`).
    scores
        Scores of the scale, (n,); null ones are not counted.
    scale
        The scale; the total by default.
    """
    held = measure.scales[measure.scale_name(scale)].bands
    known = scores.drop_nulls()
    starts = [low for low, _ in held.values()]
    # Sums and means of decimals may miss a band's beginning by a last digit.
    at_least = [int((known >= start - 1e-9).sum()) for start in starts[1:]]
    edges = [len(known), *at_least, 0] if held else []
    counts = [edges[place] - edges[place + 1] for place in range(len(starts))]
    return pl.DataFrame(
        {
            "band": list(held),
            "from": starts,
            "to": [high for _, high in held.values()],
            "n": counts,
            "percent": [100 * count / len(known) if len(known) else None for count in counts],
        },
        schema={"band": pl.String, "from": pl.Float64, "to": pl.Float64, "n": pl.Int64, "percent": pl.Float64},
    )


def _missing(answers: pl.DataFrame, score: pl.Series, how: Scored, role: str, row: pl.Series) -> tuple[Finding, ...]:
    """What the missing-item rule did to records that have answers."""
    columns = [str(number) for number in how.measure.items_of(how.scale)]
    missing = answers.select(pl.sum_horizontal(pl.col(column).is_null() for column in columns)).to_series()
    partly = (missing > 0) & (missing < len(columns))
    refused = partly & score.is_null()
    filled = int((partly & score.is_not_null()).sum())
    needed, total = how.measure.needed(how.scale), len(columns)
    found = []
    if filled:
        found.append(
            Finding(
                code="items-missing",
                level="note",
                words=f"{counted(filled, 'score')} of the {role_words(role)} {'was' if filled == 1 else 'were'} made "
                f"from fewer than all {total} items: a missing answer counts as the mean of the others.",
                column=score.name,
            )
        )
    if refused.any():
        rows = tuple(row.filter(refused).unique(maintain_order=True).to_list())
        found.append(
            Finding(
                code="too-few-items",
                level="warning",
                words=f"{counted(int(refused.sum()), 'record')} of the {role_words(role)} "
                f"{'has' if refused.sum() == 1 else 'have'} answers to fewer than {needed} of {total} items, and no "
                "score.",
                way_out=f"The rule is the measure's: {how.measure.name!r} asks for at least {needed} of {total}.",
                column=score.name,
                rows=rows,
            )
        )
    return tuple(found)


def _other_range(how: Scored, role: str) -> tuple[Finding, ...]:
    if how.original:
        return ()
    (low, high), (least, most) = how.range, how.measure.range
    return (
        Finding(
            code="other-range",
            level="note",
            words=f"The {role_words(role)} is scored from answers of {low:g} to {high:g}; the original of "
            f"{how.measure.name!r} has {least:g} to {most:g}. Published norms, cut-offs and bands do not apply.",
        ),
    )


def _unequal(scored: Mapping[str, Scored]) -> tuple[Finding, ...]:
    if not all(role in scored for role in RATINGS):
        return ()
    patient, therapist = (scored[role] for role in RATINGS)
    if patient == therapist:
        return ()
    said = [
        f"{how.measure.name!r} ({how.scale}) from {how.limits[0]:g} to {how.limits[1]:g}"
        for how in (patient, therapist)
    ]
    alike = patient.limits == therapist.limits
    words = f"Patients are scored by {said[0]}, therapists by {said[1]}"
    return (
        Finding(
            code="unequal-scales",
            level="warning",
            words=f"{words}: part of their discrepancy may be that of the forms."
            if alike
            else f"{words}: their difference is no discrepancy.",
            way_out="Say so where the scores are interpreted." if alike else "Score both on the same scale and range.",
        ),
    )
