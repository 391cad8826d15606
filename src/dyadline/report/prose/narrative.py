"""Sentences about results, with their numbers still numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.scores import score_meaning
from dyadline.report.document import Cell, Paragraph, Part, Symbol
from dyadline.report.labels import model_words
from dyadline.report.numbers import decimals_for, occasion

ALPHA = 0.05
EQUALS = "\u00a0=\u00a0"  # a line never ends between a symbol and its number
CONVERGENCE_ON_SLOPE = frozenset({"time", "convergence"})


def row_decimals(fixed_effects: pl.DataFrame, term: str) -> int:
    """Decimals of a term in the table of the models, where all models share a row."""
    return decimals_for(fixed_effects.filter(pl.col("term") == term)["std_error"])


def test_parts(record: Mapping[str, Any], d: int) -> tuple[Part, ...]:
    """``b = −0.33, SE = 0.46, t(88.1) = −0.72, p = .474, 95% CI [−1.25, 0.59]``, with `d` decimals."""
    freedom = record["df"]
    normal = freedom is None or not math.isfinite(freedom)
    test: tuple[Part, ...] = (
        (Symbol("z"), EQUALS) if normal else (Symbol("t"), "(", Cell(value=freedom, kind="df"), f"){EQUALS}")
    )
    return (
        Symbol("b"),
        EQUALS,
        Cell(value=record["estimate"], kind="estimate", decimals=d),
        ", ",
        Symbol("SE"),
        EQUALS,
        Cell(value=record["std_error"], kind="estimate", decimals=d),
        ", ",
        *test,
        Cell(value=record["statistic"], kind="statistic"),
        ", ",
        *p_parts(record["p_value"]),
        ", 95% CI ",
        Cell(value=(record["conf_low"], record["conf_high"]), kind="interval", decimals=d),
    )


def p_parts(p: float | None) -> tuple[Part, ...]:
    """``p = .032`` or ``p < .001``."""
    return (Symbol("p"), "\u00a0", Cell(value=p, kind="p_relation"))


def main_result(fixed_effects: pl.DataFrame) -> tuple[Paragraph, ...]:
    """How the outcome changed, and whether its change went with convergence."""
    records = list(fixed_effects.iter_rows(named=True))
    said = []
    change = next((r for r in records if r["term"] == "time"), None)
    if change is not None:
        moved = "fell" if change["estimate"] < 0 else "rose"
        moved = moved if significant(change) else "did not change significantly"
        said.append(
            Paragraph(
                heading="Change of the outcome.",
                parts=(
                    f"The outcome {moved} over time in {model_words(change['model'])[0]} (",
                    *test_parts(change, row_decimals(fixed_effects, "time")),
                    " per unit of time).",
                ),
            )
        )
    about = [r for r in records if frozenset(r["term"].split(":")) == CONVERGENCE_ON_SLOPE]
    if about:
        parts: list[Part] = []
        for r in about:
            title, words = model_words(r["model"])
            where = f"{title} ({words[:1].lower()}{words[1:]})" if words else title
            parts += [f"{' ' if parts else ''}In {where}, {_direction(r)} ("]
            parts += [*test_parts(r, row_decimals(fixed_effects, r["term"])), ")."]
        said.append(Paragraph(heading="Convergence and change of the outcome.", parts=tuple(parts)))
    return tuple(said)


def significant(record: Mapping[str, Any]) -> bool:
    """Whether p < .05."""
    p = record["p_value"]
    return p is not None and bool(p < ALPHA)


def _direction(record: Mapping[str, Any]) -> str:
    if not significant(record):
        return "the change of the outcome was not significantly related to convergence"
    slope = "lower" if record["estimate"] < 0 else "higher"
    fall = "fell more, or rose less" if record["estimate"] < 0 else "fell less, or rose more"
    return f"higher convergence scores went with a {slope} slope: the outcome {fall}"


def time_shape_words(frame: pl.DataFrame) -> Paragraph:
    """Which shape of time describes the outcome better."""
    by_aic = frame.sort("aic")
    best = by_aic.row(0, named=True)
    if len(by_aic) < 2:
        return Paragraph(parts=(f"Only {best['shape']} time could be fitted.",))
    other = (
        by_aic.row(1, named=True)
        if best["shape"] == "linear"
        else frame.row(by_predicate=pl.col("shape") == "linear", named=True)
    )
    parts: tuple[Part, ...] = (
        f"{str(best['shape']).capitalize()} time describes the outcome better than {other['shape']} time: its AIC is "
        "lower by ",
        Cell(value=other["aic"] - best["aic"], kind="criterion"),
        ". The outcome models use linear time.",
    )
    return Paragraph(parts=parts)


def levels_words(frame: pl.DataFrame) -> Paragraph:
    """How many levels the models have, and why.

    Parameters
    ----------
    frame
        The table ``level_test``.
    """
    first = frame.row(0, named=True)
    three = first["levels_used"] == 3
    used = "three levels: sessions in dyads in therapists" if three else "two levels: sessions in dyads"
    parts: list[Part] = [f"All models have {used}. {first['reason']}"]
    tried = first["levels_asked"] == "auto" and not three
    if first["statistic"] is None:
        return Paragraph(heading="Levels.", parts=tuple(parts))
    parts += [
        f" {'Three levels were tried: ' if tried else ''}",
        Cell(value=first["n_therapists"], kind="count"),
        " therapists treat ",
        Cell(value=first["n_dyads"], kind="count"),
        f" dyads; in {model_words(first['model'])[0]} a variance of therapists' intercepts lowers the criterion by ",
        Cell(value=first["statistic"]),
        ", ",
        *p_parts(first["p_value"]),
        f" (test correct on the boundary{_doubt(first)}), "
        "and therapists' share of the outcome's variance where time is 0 is ",
        Cell(value=first["icc"], kind="proportion"),
        ".",
    ]
    for slope in frame.slice(1).iter_rows(named=True):
        parts += [
            " That therapists' slopes vary too lowers it by ",
            Cell(value=slope["statistic"]),
            ", ",
            *p_parts(slope["p_value"]),
            f" ({_doubt(slope)[2:]})." if slope["doubt"] else ".",
        ]
    return Paragraph(heading="Levels.", parts=tuple(parts))


def _doubt(test: Mapping[str, Any]) -> str:
    """Why a test is approximate, after a semicolon."""
    return f"; {test['doubt']}" if test["doubt"] else ""


def models_note(plan: AnalysisPlan, *, outcome: str, time: str, origin: float, missing: str = "") -> tuple[Part, ...]:
    """What a reader of the models' table must know.

    Parameters
    ----------
    outcome, time, origin
        Columns, and the time that counts as 0.
    missing
        What became of dyads that lack predictors: ``"listwise"``, ``"impute"``, or empty where none does.
    """
    scale = plan.time.scale
    unit = time if origin == 0 else f"{time} − {occasion(origin)}" if origin > 0 else f"{time} + {occasion(-origin)}"
    if scale != 1:
        unit = f"{unit if origin == 0 else f'({unit})'} / {occasion(scale)}"
    discrepancy = {
        "signed": "Early discrepancy: patient minus therapist, first joint ratings. ",
        "absolute": "Early discrepancy: absolute difference of the first joint ratings. ",
        "curve": "Early discrepancy: patient minus therapist, from the curves at the first occasion. ",
    }.get(plan.convergence.early_discrepancy, "")
    freedom = {
        "satterthwaite": "Satterthwaite's",
        "kenward-roger": "Kenward and Roger's, who also adjust the standard errors",
        "normal": "infinite (normal distribution)",
    }[plan.models.df]
    return (
        f"Dependent variable: {outcome}. Time: {unit}. Predictors are grand-mean centred over dyads; products are "
        "made of centred predictors. × Time: effect on the slope; other predictors: effect on the intercept, that is "
        f"on the outcome where time is 0. Convergence: {score_meaning(plan.convergence)}. {discrepancy}"
        f"(P) patient, (T) therapist. {plan.models.method} estimates; ",
        Symbol("SE"),
        " = standard error; ",
        Symbol("df"),
        f" {freedom}, two-sided ",
        Symbol("p"),
        f"; CI = confidence interval. {_missing_words(plan, missing)} Bold: ",
        Symbol("p"),
        " < .05.",
    )


def _missing_words(plan: AnalysisPlan, missing: str) -> str:
    """How random effects are tested, and what became of dyads that lack predictors."""
    if missing == "impute":
        return (
            f"Missing baselines and covariates: {plan.models.imputations} imputations (seed {plan.models.seed}), "
            "estimates pooled by Rubin's rules, df after Barnard and Rubin (1999). Random effects: means over the "
            "completed data sets, without tests, where predictors were imputed; Wald tests elsewhere."
        )
    listwise = "Dyads that lack a predictor are left out of the models that have it (listwise)."
    return f"Random effects: Wald tests.{f' {listwise}' if missing else ''}"
