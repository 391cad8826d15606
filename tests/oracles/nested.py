"""Read the oracles of more than one grouping or residual structure: one JSON per topic, everything by name.

Topics: ``three_level``, ``residual``, ``kenward_roger``, ``robust``, ``profile``, ``modes``, ``influence``,
``comparison``, ``explained``; the head of the R script that makes a topic says what its entries are. A fit names its
data, formula and method; ``random`` lists the blocks of random effects in the order of theta, each with the columns
``by`` which its groups are told apart and its ``terms``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

import numpy as np
import polars as pl

import referee_residual
from oracles.answers import HERE, Answer, column, frame
from referee import Residual

Block = tuple[np.ndarray, np.ndarray]


@cache
def fits(topic: str) -> tuple[Answer, ...]:
    """Answers of one topic; ``label`` added for test names."""
    found = json.loads((HERE / f"{topic}.json").read_text())["fits"]
    return tuple({**one, "label": _label(one)} for one in found)


def _label(one: Answer) -> str:
    parts = [one["data"], one["formula"].replace(" ", ""), one.get("structure", ""), one["method"]]
    return "-".join(part for part in parts if part)


def group_codes(data: pl.DataFrame, by: Sequence[str]) -> np.ndarray:
    """Integer codes of the combinations of the columns `by`, in sorted order."""
    joined = np.array(["\x1f".join(map(str, row)) for row in data.select(by).iter_rows()])
    return np.unique(joined, return_inverse=True)[1]


def arrays(answer: Answer) -> tuple[np.ndarray, np.ndarray, list[Block]]:
    """y, X and the blocks of a fit, built from the names in the answer."""
    data = frame(answer["data"])
    X = np.column_stack([column(data, term) for term in answer["terms"]])
    blocks = [
        (np.column_stack([column(data, term) for term in block["terms"]]), group_codes(data, block["by"]))
        for block in answer["random"]
    ]
    return data["y"].to_numpy(), X, blocks


def triangles(theta: Sequence[float], sizes: Sequence[int]) -> list[np.ndarray]:
    """``D = ΛΛ'`` of every block from lme4's theta: lower triangles of Λ, column by column."""
    D, start = [], 0
    for q in sizes:
        upper = np.zeros((q, q))
        upper[np.triu_indices(q)] = theta[start : start + q * (q + 1) // 2]
        D.append(upper.T @ upper)
        start += q * (q + 1) // 2
    return D


def relative(answer: Answer, theta: Sequence[float]) -> list[np.ndarray]:
    """D of every block of a fit at `theta`."""
    return triangles(theta, [len(block["terms"]) for block in answer["random"]])


def residual_structure(answer: Answer) -> tuple[Residual, np.ndarray]:
    """The referee's residual of an answer of topic ``residual``, and its parameters (ratios, then phi or rho)."""
    data, given = frame(answer["data"]), answer["residual"]
    group = group_codes(data, given["by"]) if given["by"] else np.arange(data.height)
    match answer["structure"].removeprefix("variance_"):
        case "variance":
            part, psi = None, []
        case "ar1" | "car1" as kind:
            position = data[given["along"]].to_numpy()
            part, psi = referee_residual.serial_residual(position, group, kind == "car1"), [given["phi"]]
        case "symmetry" | "pairs":
            part, psi = referee_residual.symmetry_residual(group), [given["rho"]]
    if given["level"] is None:
        return part, np.array(psi)
    labels = data[given["level"]].to_numpy()
    variances = np.array([given["variance"][level] for level in referee_residual.levels(labels)])
    whole = referee_residual.level_residual(labels) if part is None else referee_residual.scaled_residual(part, labels)
    return whole, np.concatenate([variances[1:] / variances[0], psi])


def first_variance(answer: Answer) -> float:
    """σ²: the residual variance of the first level in sorted order."""
    return answer["residual"]["variance"][min(answer["residual"]["variance"])]
