"""The reference pipelines with a random intercept only, on two real data sets: scores, centring and fit at once."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

import dyadline as dl
from dyadline.scoring.score import score
from dyadline.studies.outcome import outcome_frame
from dyadline.workflow import load

SHARED = Path(__file__).resolve().parents[2].parent / "shared"

STUDIES = {
    "kashy_diary": {
        "dyad": "dyadid",
        "time": "Day",
        "patient_rating": "satisf_A",
        "therapist_rating": "satisf_P",
        "outcome": "conflict",
    },
    "fireworks_parent_child": {
        "dyad": "child",
        "time": "occasion",
        "patient_rating": "parent_ptsd",
        "therapist_rating": "child_ptsd",
        "outcome": "child_birleson",
    },
}
CHOICES = """
[convergence]
growth = "observed"
unit = "per_unit"
transform = "none"
early_level = "first_rating"
early_discrepancy = "none"
"""
OURS = {"init": "baseline", "conv": "convergence", "t": "time"}


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the reference data beside the checkout (../shared)")
@pytest.mark.parametrize("name", STUDIES)
def test_pipeline(name):
    frame = pl.read_csv(SHARED / "data" / f"{name}.csv", infer_schema_length=None)
    if name == "kashy_diary":
        frame = frame.filter(pl.col("person") == 1)
        frame = frame.with_columns(conflict=(pl.col("conflict_A") + pl.col("conflict_P")) / 2)
    columns = "\n".join(f'{role} = "{column}"' for role, column in STUDIES[name].items())
    plan = dl.parse_plan(f"version = 1\n[columns]\n{columns}\n{CHOICES}")
    dataset = load(plan, frame)
    rows = outcome_frame(dataset, score(dataset, plan, simulations=False), plan, ["baseline", "convergence"])
    fitted = dl.fit("outcome ~ time * (baseline + convergence) + (1 | dyad)", rows)
    table = {frozenset(r["term"].split(":")): r for r in dl.coefficients(fitted).to_dicts()}
    components = dl.variance_components(fitted)["estimate"].to_list()
    with open(SHARED / "data" / "reference_fits.csv", newline="") as handle:
        wanted = [r for r in csv.DictReader(handle) if (r["dataset"], r["model"]) == (name, "pipeline_M2_ri")]
    assert fitted.n_rows == int(wanted[0]["n_obs"])
    for row in wanted:
        value = float(row["value"])
        if row["kind"] == "criterion":
            assert fitted.criterion <= value + 1e-5
        elif row["kind"] == "fixed":
            got = table[frozenset(OURS.get(part, part) for part in row["parameter"].split(":"))]
            assert got["estimate"] == pytest.approx(value, abs=1e-6 * float(row["se"]))
            assert got["std_error"] == pytest.approx(float(row["se"]), rel=1e-5)
            assert got["df"] == pytest.approx(float(row["df_satterthwaite"]), rel=1e-4)
        else:
            assert components[row["kind"] == "residual_variance"] == pytest.approx(value, rel=1e-4)
    assert len(wanted) == 9
