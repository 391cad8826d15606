"""Models whose syntax for other programs is looked at: every structure, and one with hostile names."""

from __future__ import annotations

from functools import cache

import polars as pl

import dyadline as dl
from dyadline.studies.twins import twin_file, twin_plan
from oracles import answers, nested

HOSTILE = "*/ /* // /// ' \" ` $x `=shell' \\ .\n.\r\nERASE FILE='x'.\u2028\u202e!shell rm # =cmd|' /C calc'!A0 ."
"""Ends of comments and strings, line ends, macros and commands of all three programs."""


@cache
def study() -> pl.DataFrame:
    frame = dl.simulate("study1").with_columns(t=pl.col("session") - 1)
    number = pl.col("dyad").rank("dense")
    arm = pl.when(number % 3 == 0).then(pl.lit(HOSTILE)).otherwise(pl.lit("IPT"))
    half = pl.when(pl.col("session") < 8).then(pl.lit("early")).otherwise(pl.lit("late"))
    return frame.with_columns(arm=arm, half=half, week=pl.col("t") * 1.25 + (pl.col("t") % 3) / 7)


@cache
def fitted(name: str) -> dl.Fit:
    data = study()
    hostile = data.rename({"bdi": HOSTILE, "t": "by", "dyad": "dyad-nr. \u05d0", "bdi_pre": "x" * 200})
    quoted = f"`{HOSTILE.replace(chr(92), chr(92) * 2).replace('`', chr(92) + '`')}`"
    joint = answers.frame("dyadic_growth")
    made = {
        "growth": lambda: dl.fit("bdi ~ t * bdi_pre + (t | dyad)", data),
        "uncorrelated": lambda: dl.fit("bdi ~ log1p(t) * arm + (t || dyad)", data, "ML"),
        "three": lambda: dl.fit("bdi ~ t + (t | dyad) + (1 | therapist)", data),
        "repeated labels": lambda: dl.fit("y ~ t + (t | therapist/dyad)", nested.frame("therapist_slopes")),
        "by": lambda: dl.fit("bdi ~ t + (t | dyad)", data, residual="by(half)"),
        "car1": lambda: dl.fit("bdi ~ t + (1 | dyad)", data, residual="car1(week)"),
        "ar1 alone": lambda: dl.fit("bdi ~ t", data, "ML", residual="ar1(session | dyad)"),
        "opposed": lambda: dl.fit("y ~ t", answers.frame("opposed"), residual="cs(| dyad)"),
        "both": lambda: dl.fit_dyadic(joint, dyad="dyad", time="session", patient="patient", therapist="therapist"),
        "hostile": lambda: dl.fit(f"{quoted} ~ by * arm * `{'x' * 200}` + (by | `dyad-nr. \u05d0`)", hostile),
        "arms": lambda: dl.fit("y ~ t * arm + (t | g)", answers.frame("arms")),
        "therapists": lambda: dl.fit("y ~ t * exper + (t || dyad) + (1 | therapist)", nested.frame("therapists"), "ML"),
    }
    return made[name]()


@cache
def results() -> dict[str, dl.AnalysisResult]:
    return {name: dl.run(twin_plan(name), pl.read_csv(twin_file(name, ".csv"))) for name in ("study1", "study2")}
