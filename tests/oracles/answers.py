"""Read the oracles: data sets as frames and as the arrays of the referee, answers as dictionaries."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).parent
Answer = dict[str, Any]


@cache
def fits() -> tuple[Answer, ...]:
    """Answers of lme4, lmerTest and nlme; ``label`` added for test names."""
    found = json.loads((HERE / "oracles.json").read_text())["fits"]
    return tuple({**one, "label": f"{one['data']}-{one['formula'].replace(' ', '')}-{one['method']}"} for one in found)


@cache
def study() -> Answer:
    """Scores and Models 1-3 of the two-rater study."""
    return json.loads((HERE / "study.json").read_text())


@cache
def frame(name: str) -> pl.DataFrame:
    """An oracle data set; numbers as Float64, labels as String."""
    read = pl.read_csv(HERE / "data" / f"{name}.csv", infer_schema_length=None)
    return read.with_columns(pl.selectors.numeric().cast(pl.Float64))


def column(data: pl.DataFrame, term: str) -> np.ndarray:
    """A design column from R's name of the term: ``t:dev:conv``, ``armIPT``."""
    values = np.ones(data.height)
    for part in [] if term == "(Intercept)" else term.split(":"):
        if part in data.columns:
            values = values * data[part].to_numpy()
        else:
            factor = next(c for c in data.columns if data[c].dtype == pl.String and part.startswith(c))
            values = values * (data[factor] == part.removeprefix(factor)).to_numpy()
    return values


def arrays(answer: Answer) -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """y, X and the random blocks of a fit, built from R's term names."""
    data = frame(answer["data"])
    X = np.column_stack([column(data, term) for term in answer["terms"]])
    codes = np.unique(data["g"].to_numpy(), return_inverse=True)[1]
    blocks = [(Z, codes) for Z in _random_columns(data, answer["formula"])]
    return data["y"].to_numpy(), X, blocks


def _random_columns(data: pl.DataFrame, formula: str) -> list[np.ndarray]:
    inside, bars = re.search(r"\(([^()|]*?)\s*(\|\|?)\s*g\)", formula).groups()
    parts = [part.strip() for part in inside.split("+")]
    names = [part for part in parts if part not in ("0", "1")]
    columns = [column(data, name) for name in ([] if parts[0] == "0" else ["(Intercept)"]) + names]
    return [c[:, None] for c in columns] if bars == "||" else [np.column_stack(columns)]


def relative(answer: Answer, theta: float | list[float]) -> list[np.ndarray]:
    """D of every block from lme4's theta: the lower triangles of Λ, column by column."""
    theta, D, start = np.atleast_1d(theta), [], 0
    for Z, _ in arrays(answer)[2]:
        q = Z.shape[1]
        upper = np.zeros((q, q))
        upper[np.triu_indices(q)] = theta[start : start + q * (q + 1) // 2]
        D.append(upper.T @ upper)
        start += q * (q + 1) // 2
    return D
