"""What is found in public files of five real studies; none of them has all that an analysis needs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from dyadline.data.read import read_frame
from dyadline.errors import DataError, DataErrors, FitError
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.document import make_plan
from dyadline.workflow import describe, first_plan, load, recognised_files, run

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def plan_of(name: str, **columns: str) -> AnalysisPlan:
    """The first plan of a file, with columns that its names do not tell."""
    path = DATA / f"{name}.csv"
    if not path.exists():
        pytest.skip("the public data sets are not beside the repository")
    first = first_plan(recognised_files(path), path.name).model_dump(mode="json", exclude_none=True)
    return make_plan({**first, "columns": {**first["columns"], **columns}}, name=name).in_folder(DATA)


def codes(findings) -> Counter:
    return Counter((finding.level, finding.code) for finding in findings)


def refused(plan: AnalysisPlan) -> tuple:
    with pytest.raises(DataErrors) as error:
        load(plan)
    return error.value.findings


def words(findings, code: str) -> str:
    return " ".join(finding.words for finding in findings if finding.code == code)


def test_alliance_by_the_patient_only():
    plan = plan_of("gad_alliance_sessions", patient_rating="wai_mean")
    found = refused(plan)
    assert codes(found) == {("error", "no-values"): 1, ("note", "one-patient-therapists"): 1, ("note", "gaps"): 1}
    assert "does not say yet which column has the therapist rating" in words(found, "no-values")
    tables = describe(plan)
    sizes = tables["coverage"].filter(what="patient_rating")
    assert sizes["dyads"].item() == 57
    values = tables["descriptives"].group_by("variable").agg(pl.col("n").sum())
    # As the data sets' own description counts them: 731 WAI means, 781 BAI means.
    assert dict(values.iter_rows()) == {"patient_rating": 731, "outcome": 781}
    assert tables["dropout"]["term"].to_list() == ["(Intercept)", "time", "patient_rating", "outcome"]


def test_one_session_of_each_dyad():
    plan = plan_of("wai_patient_therapist")
    with pytest.raises(DataError, match="does not say yet which column has the dyad, the time and the outcome"):
        load(plan)
    plan = plan_of("wai_patient_therapist", dyad="dyad", time="n_visits")
    found = refused(plan)
    assert codes(found) == {("error", "no-values"): 1, ("note", "single-occasion"): 1, ("note", "far-times"): 1}
    tables = describe(plan)
    between = tables["rater_correlations"].filter(level="between")["correlation"].item()
    assert between == pytest.approx(0.5601, abs=5e-5)  # as published with the file
    assert tables["limits_of_agreement"]["mean_difference"].item() == pytest.approx(5.929, abs=5e-4)


def test_parent_and_child():
    plan = plan_of("fireworks_parent_child", outcome="child_birleson")
    found = load(plan).findings
    notes = ("one-rater", "no-ratings", "no-outcome", "single-occasion", "gaps")
    assert codes(found) == {("note", code): 2 if code == "one-rater" else 1 for code in notes}
    with pytest.raises(FitError, match=r'Write early_level = "first_rating" or growth = "ols"'):
        run(plan)
    section = {"early_level": "first_rating"}
    again = plan.model_copy(update={"convergence": plan.convergence.model_copy(update=section)})
    assert run(again).scores["convergence"].count() == 32  # children with two pairs, as in the data's description


def test_duplicate_rows():
    plan = plan_of("enrichd_bdi")
    found = refused(plan)
    assert codes(found) == {("error", "doubled-times"): 1, ("error", "no-values"): 2}
    doubled = next(f for f in found if f.code == "doubled-times")
    assert doubled.way_out.startswith("122 rows are exact copies of another row: delete them")
    assert doubled.words.startswith("80 dyads have more than one row at the same time")
    once = read_frame(DATA / "enrichd_bdi.csv").unique(["id", "day"], keep="first", maintain_order=True)
    tables = describe(plan, once)
    assert tables["sizes"]["total"][0] == once.height == 6964


def test_outcome_only():
    plan = plan_of("beat_the_blues")
    found = refused(plan)
    assert codes(found) == {("error", "no-values"): 2, ("note", "no-outcome"): 1, ("note", "single-occasion"): 1}
    tables = describe(plan)
    assert tables["coverage"].filter(what="outcome")["dyads"].item() == 97
    assert tables["dropout"]["term"].to_list() == ["(Intercept)", "time", "outcome"]
