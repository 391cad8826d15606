"""The questionnaire study as laboratories would send it, each file to be analysed without a word from its owner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from questionnaire_study import (
    german,
    rater_rows,
    scores_by_hand,
    study,
    wide,
    write_sav,
)

GIVEN, CODED = study()
SCORES = scores_by_hand(GIVEN).with_columns(pl.col("wai_p", "wai_t").round(2), pl.col("bdi").round(0))


def items_long_csv(folder: Path) -> list[str]:
    GIVEN.drop("date").write_csv(folder / "answers.csv")
    return ["answers.csv"]


def items_long_german(folder: Path) -> list[str]:
    """Semicolons and decimal commas; names as a German laboratory has them."""
    named = GIVEN.drop("date").rename({"dyad": "Patient", "therapist": "Therapeut", "week": "Woche"})
    (folder / "antworten.csv").write_bytes(german(named))
    return ["antworten.csv"]


def items_wide_sav(folder: Path) -> list[str]:
    write_sav(wide(CODED.drop("date")), folder / "answers.sav")
    return ["answers.sav"]


def totals_long_xlsx(folder: Path) -> list[str]:
    SCORES.drop("date").write_excel(folder / "scores.xlsx")
    return ["scores.xlsx"]


def totals_wide(folder: Path) -> list[str]:
    made = SCORES.select("dyad", "therapist", "bdi_pre").unique(maintain_order=True)
    for week in range(8):
        here = SCORES.filter(pl.col("week") == week).select(
            "dyad", *(pl.col(name).alias(f"{name}_{week + 1}") for name in ("wai_p", "wai_t", "bdi"))
        )
        made = made.join(here, on="dyad", how="left", maintain_order="left")
    made.write_csv(folder / "scores.csv")
    return ["scores.csv"]


def a_row_per_rater(folder: Path) -> list[str]:
    rater_rows(GIVEN.drop("date")).write_csv(folder / "forms.csv")
    return ["forms.csv"]


def dates(folder: Path) -> list[str]:
    GIVEN.drop("week").with_columns(pl.col("date").dt.strftime("%d.%m.%Y")).write_csv(folder / "dated.csv")
    return ["dated.csv"]


def pre_mid_post(folder: Path) -> list[str]:
    """Three fixed occasions, named."""
    at = {0: "pre", 3: "mid", 7: "post"}
    named = SCORES.filter(pl.col("week").is_in(list(at))).select(
        "dyad", "therapist", pl.col("week").replace_strict(at).alias("occasion"), "wai_p", "wai_t", "bdi"
    )
    named.write_csv(folder / "occasions.csv")
    return ["occasions.csv"]


def pre_mid_post_wide(folder: Path) -> list[str]:
    made = SCORES.select("dyad", "therapist").unique(maintain_order=True)
    for week, name in {0: "pre", 3: "mid", 7: "post"}.items():
        here = SCORES.filter(pl.col("week") == week).select(
            "dyad", *(pl.col(c).alias(f"{c}_{name}") for c in ("wai_p", "wai_t", "bdi"))
        )
        made = made.join(here, on="dyad", how="left", maintain_order="left")
    made.write_csv(folder / "occasions.csv")
    return ["occasions.csv"]


def undeclared_codes(folder: Path) -> list[str]:
    CODED.drop("date").write_parquet(folder / "coded.parquet")
    return ["coded.parquet"]


def undeclared_codes_in_totals(folder: Path) -> list[str]:
    SCORES.drop("date").with_columns(pl.col("wai_p", "wai_t", "bdi").fill_null(999)).write_csv(folder / "coded.csv")
    return ["coded.csv"]


def a_second_file(folder: Path) -> list[str]:
    GIVEN.drop("date", "therapist", "bdi_pre").write_csv(folder / "sessions.csv")
    own = GIVEN.select(pl.col("dyad").alias("patient_id"), "therapist", "bdi_pre").unique(maintain_order=True)
    own.write_csv(folder / "patients.csv")
    return ["sessions.csv", "--dyads", "patients.csv"]


def no_therapists_no_baseline(folder: Path) -> list[str]:
    SCORES.select(pl.col("dyad").alias("id"), "week", "wai_p", "wai_t", "bdi").write_csv(
        folder / "scores.tsv", separator="\t"
    )
    return ["scores.tsv"]


FILES: tuple[Callable[[Path], list[str]], ...] = (
    items_long_csv,
    items_long_german,
    items_wide_sav,
    totals_long_xlsx,
    totals_wide,
    a_row_per_rater,
    dates,
    pre_mid_post,
    pre_mid_post_wide,
    undeclared_codes,
    undeclared_codes_in_totals,
    a_second_file,
    no_therapists_no_baseline,
)
