"""A joint model of several outcomes as a model of one: each row once per outcome, one below the other."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from dyadline.errors import DataError, PlanError
from dyadline.model.source import kind_of
from dyadline.plan.model import ModelSpec, ResidualSpec

ROW, KIND = " row", " outcome"
"""Columns of the stacked frame that no file's column can be called: row number and which outcome it is."""


def stacked(spec: ModelSpec, frame: pl.DataFrame) -> tuple[ModelSpec, pl.DataFrame]:
    """The model of one outcome, and its frame.

    A predictor that concerns one outcome only may be missing where the other is meant.

    Raises
    ------
    DataError
        If an outcome holds text.
    """
    groups = {column for random in spec.random for column in random.group}
    terms = [*spec.fixed, *(t for random in spec.random for t in random.terms)]
    parts = []
    for number, outcome in enumerate(spec.responses):
        if not frame[outcome].dtype.is_numeric():
            raise DataError(f"The outcome {outcome!r} holds {kind_of(frame[outcome])}, not numbers")
        here = [t for t in terms if outcome in {v.column for v in t}]
        needed = {v.column for t in here for v in t} - set(spec.responses)
        others = [c for c in spec.columns if c not in spec.responses]
        idle = [c for c in others if c not in needed | groups and frame[c].dtype.is_numeric()]
        parts.append(
            frame.select(
                pl.col(outcome).cast(pl.Float64).alias(spec.response.column),
                *(pl.col(c).cast(pl.Float64).fill_nan(None).fill_null(0) if c in idle else pl.col(c) for c in others),
                *(pl.lit(float(o == outcome)).alias(o) for o in spec.responses),
            ).with_columns(pl.lit(f"{number:02d}").alias(KIND), pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW))
        )
    return replace(spec, responses=(), residual=joint_residual(spec)), pl.concat(parts)


def joint_residual(spec: ModelSpec) -> ResidualSpec:
    """A variance per outcome, and with two outcomes the correlation within a row.

    Raises
    ------
    PlanError
        If another structure is asked for.
    """
    if spec.residual.kind == "independent":
        two = len(spec.responses) == 2
        return ResidualSpec(kind="pairs", columns=(KIND, ROW)) if two else ResidualSpec(kind="by", columns=(KIND,))
    if KIND not in spec.residual.columns:
        raise PlanError(
            "A joint model has its own residual structure: a variance per outcome, and with two outcomes the "
            "correlation within a row",
            way_out="Leave out the residual structure",
        )
    return spec.residual
