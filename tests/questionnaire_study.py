"""One made-up study of item answers, and the same study in each form in which laboratories keep theirs.

Answers are missing at random; some of them are empty, others are codes: 8 and 9 for the alliance, 99 and -9 for
symptoms.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyreadstat

from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.document import make_plan
from dyadline.studies.twins import simulate

WAI_P, WAI_T = ([f"wai_{side}_{item}" for item in range(1, 13)] for side in "pt")
BDI = [f"bdi_{item}" for item in range(1, 22)]
ITEMS = [*WAI_P, *WAI_T, *BDI]
WAI_CODES, BDI_CODES = (8, 9), (99, -9)
WAI_LABELS = {1: "never", 7: "always", 8: "does not apply", 9: "no answer"}
BDI_LABELS = {0: "not at all", 3: "severely", 99: "no answer", -9: "form lost"}
MISSING = {"wai_*": [8, 9], "bdi_*": ["lowest to -1", 99]}


def study() -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row per dyad and week from 0: once with the answers that were given only, once as it was coded."""
    rng = np.random.default_rng(7)
    drawn = simulate("study1", dyads=24, seed=7, items=True).filter(pl.col("session") <= 8)
    begun = {dyad: int(rng.integers(0, 300)) for dyad in drawn["dyad"].unique(maintain_order=True)}
    day = pl.col("dyad").replace_strict(begun) + 7 * pl.col("week")
    frame = drawn.with_columns(week=pl.col("session") - 1).select(
        "dyad", "therapist", "week", (pl.date(2019, 1, 7) + pl.duration(days=day)).alias("date"), *ITEMS, "bdi_pre"
    )
    given: dict[str, pl.Series] = {}
    coded: dict[str, pl.Series] = {}
    often = rng.random(frame.height) < 0.08  # these left out so many that there is no score
    for name in ITEMS:
        lost = rng.random(frame.height) < np.where(often, 0.3, 0.03)
        codes = WAI_CODES if name.startswith("wai") else BDI_CODES
        kind = rng.integers(0, 3, frame.height)
        value = [None if gone else x for x, gone in zip(frame[name], lost, strict=True)]
        given[name] = pl.Series(name, value, dtype=pl.Int64)
        coded[name] = pl.Series(
            name,
            [
                codes[k] if gone and k < 2 else None if gone else x
                for x, gone, k in zip(frame[name], lost, kind, strict=True)
            ],
            dtype=pl.Int64,
        )
    return frame.with_columns(given.values()), frame.with_columns(coded.values())


def scores_by_hand(given: pl.DataFrame) -> pl.DataFrame:
    """The scores from the published keys: WAI-SR and WAI-S means, items 4 and 10 of WAI-S reversed, BDI-II sum.

    At least eight in ten items must be answered; missing ones count as the mean of the others.
    """

    def score(names: list[str], needed: int, *, reverse: tuple[int, ...] = (), times: int = 1) -> np.ndarray:
        answers = given.select(pl.col(names).cast(pl.Float64)).to_numpy().copy()
        for item in reverse:
            answers[:, item - 1] = 8 - answers[:, item - 1]
        enough = np.isfinite(answers).sum(axis=1) >= needed
        made = np.full(len(answers), np.nan)
        made[enough] = times * np.nanmean(answers[enough], axis=1)
        return made

    return given.drop(ITEMS).with_columns(
        wai_p=pl.Series(score(WAI_P, 10)).fill_nan(None),
        wai_t=pl.Series(score(WAI_T, 10, reverse=(4, 10))).fill_nan(None),
        bdi=pl.Series(score(BDI, 17, times=21)).fill_nan(None),
    )


def plan(file: str, **sections: Any) -> AnalysisPlan:
    """The plan of the study; keys of ``columns`` and other sections in place of those of the long file."""
    columns: dict[str, Any] = {
        "dyad": "dyad",
        "therapist": "therapist",
        "time": "week",
        "patient_rating": {"measure": "wai-sr", "items": "wai_p_{item}", "range": [1, 7]},
        "therapist_rating": {"measure": "wai-s", "items": "wai_t_{item}"},
        "outcome": {"measure": "bdi-ii", "items": "bdi_{item}"},
        "baseline": "bdi_pre",
    }
    columns |= sections.pop("columns", {})
    return make_plan({"version": 1, "data": {"file": file}, "columns": columns, **sections}, name="the plan")


def wide(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per dyad: ``wai_p_w0_i1`` ..."""
    own = frame.select("dyad", "therapist", "bdi_pre").unique(maintain_order=True)
    for week in frame["week"].unique().sort():
        here = frame.filter(pl.col("week") == week).select(
            "dyad", *(pl.col(name).alias(wide_name(name, week)) for name in ITEMS)
        )
        own = own.join(here, on="dyad", how="left", maintain_order="left")
    return own


def wide_name(item: str, week: object = "{time}") -> str:
    stem, number = item.rsplit("_", 1)
    return f"{stem}_w{week}_i{number}"


def rater_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Two rows per dyad and week; the outcome stands in the patient's."""
    head = ["dyad", "therapist", "week", "bdi_pre"]
    parts = [
        frame.select(
            *head,
            pl.lit(who).alias("rater"),
            *(pl.col(name).alias(f"wai_{number}") for number, name in enumerate(names, start=1)),
            *(pl.col(name) if who == "patient" else pl.lit(None, dtype=pl.Int64).alias(name) for name in BDI),
        )
        for who, names in (("patient", WAI_P), ("therapist", WAI_T))
    ]
    return pl.concat(parts).sort("dyad", "week", "rater", maintain_order=True)


def german(frame: pl.DataFrame) -> bytes:
    """Semicolons, decimal commas, and an umlaut in the encoding of Windows."""
    comma = frame.with_columns(
        (pl.col("bdi_pre") + 0.0).cast(pl.String).str.replace(".", ",", literal=True),
        Gerät=pl.lit("Fragebögen"),
    )
    return comma.write_csv(separator=";").encode("cp1252")


def declare(name: str) -> tuple[Mapping[int, str], list[Any]]:
    """Value labels and missing codes of an item's column, as SPSS files have them."""
    if name.startswith("wai"):
        return WAI_LABELS, [8, 9]
    return BDI_LABELS, [{"lo": -99, "hi": -1}, 99]


def write_sav(frame: pl.DataFrame, path: Path) -> None:
    """Written by ReadStat, with labels and declared codes."""
    items = [name for name in frame.columns if name not in ("dyad", "therapist", "bdi_pre")]
    pyreadstat.write_sav(
        frame.with_columns(pl.col(items).cast(pl.Float64)),
        str(path),
        variable_value_labels={name: dict(declare(name)[0]) for name in items},
        missing_ranges={name: declare(name)[1] for name in items},
    )


def write_with_pspp(frame: pl.DataFrame, path: Path) -> None:
    """The same by PSPP, which is another program: from text, with its own syntax."""
    frame.write_csv(path.with_suffix(".csv"))
    items = [name for name in frame.columns if name not in ("dyad", "therapist", "bdi_pre")]
    wai, bdi = ([name for name in items if name.startswith(stem)] for stem in ("wai", "bdi"))
    wai_p, wai_t = ([name for name in wai if name.startswith(f"wai_{side}")] for side in "pt")
    formats = {"dyad": "A8", "therapist": "A8", "bdi_pre": "F5.1"}
    variables = "\n  ".join(f"{name} {formats.get(name, 'F3.0')}" for name in frame.columns)

    def labels(of: Mapping[int, str]) -> str:
        return " ".join(f"{value} '{words}'" for value, words in of.items())

    syntax = f"""GET DATA /TYPE=TXT /FILE='{path.with_suffix(".csv").name}' /ARRANGEMENT=DELIMITED
  /DELIMITERS=',' /QUALIFIER='"' /FIRSTCASE=2 /VARIABLES=
  {variables}.
VALUE LABELS
  {chr(10).join(wai)} {labels(WAI_LABELS)}
  /{chr(10).join(bdi)} {labels(BDI_LABELS)}.
MISSING VALUES {chr(10).join(wai_p)} (8, 9).
MISSING VALUES {chr(10).join(wai_t)} (8 THRU HI).
MISSING VALUES {chr(10).join(bdi)} (LO THRU -1, 99).
SAVE OUTFILE='{path.name}'.
"""
    script = path.with_suffix(".sps")
    script.write_text(syntax, encoding="utf-8")
    done = subprocess.run(["pspp", script.name], cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
