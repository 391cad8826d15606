"""From a file to a result and a report, through the public names."""

from __future__ import annotations

import polars as pl
import pytest

import dyadline as dl
from dyadline.plan.document import plan_text
from dyadline.publication import write_whole
from dyadline.studies.twins import twin_data, twin_plan


@pytest.fixture(scope="module")
def result():
    return dl.run(twin_plan("study1"), twin_data("study1"))


def test_a_plan_on_disk_and_a_frame_in_memory_give_the_same(tmp_path, result):
    twin_data("study1").write_csv(tmp_path / "study1.csv")
    (tmp_path / "plan.toml").write_text(plan_text(twin_plan("study1")), encoding="utf-8")
    from_file = dl.run(dl.read_plan(tmp_path / "plan.toml"))
    assert from_file.dataset.source == "study1.csv"
    assert [f.criterion for f in from_file.fits] == [f.criterion for f in result.fits]
    assert from_file.scores.equals(result.scores)


@pytest.mark.parametrize("suffix", [".tsv", ".parquet"])
def test_other_formats_give_the_same(tmp_path, result, suffix):
    frame = twin_data("study1")
    path = tmp_path / f"data{suffix}"
    frame.write_parquet(path) if suffix == ".parquet" else frame.write_csv(path, separator="\t")
    plan = twin_plan("study1", file=path.name).in_folder(tmp_path)
    assert [f.criterion for f in dl.run(plan).fits] == [f.criterion for f in result.fits]


@pytest.mark.parametrize("kind", ["to_pandas", "to_arrow"])
def test_other_frames_give_the_same(result, kind):
    frame = getattr(twin_data("study1"), kind)()
    assert [f.criterion for f in dl.run(twin_plan("study1"), frame).fits] == [f.criterion for f in result.fits]


def test_fits_come_in_the_plans_order():
    plan = twin_plan("study1")
    plan = plan.model_copy(update={"models": plan.models.model_copy(update={"run": (3, 1)})})
    result = dl.run(plan, twin_data("study1"))
    assert [len(f.spec.fixed) for f in result.fits] == [16, 2]
    assert result.tables["fixed_effects"]["model"].unique(maintain_order=True).to_list() == [3, 1]


def test_the_tables_hold_the_numbers_of_the_fits(result):
    table = result.tables["fixed_effects"].filter(model=3).drop("model")
    assert table.equals(dl.coefficients(result.fits[2]))
    assert result.tables["criteria"]["criterion"].to_list() == [f.criterion for f in result.fits]


def test_every_score_has_its_reliability_among_the_tables(result):
    found = dict(result.tables["score_reliability"].iter_rows())
    assert set(found) == {"convergence", "early_patient", "early_therapist", "early_discrepancy", "development"}
    assert all(0.0 < share < 1.0 for share in found.values())


def test_predictors_are_centred_over_dyads_not_over_rows(result):
    # At mean predictors, Model 3's intercept is the outcome at the first session of the average dyad. The dyads'
    # means, not the rows', are the reference: the same model by hand.
    scores = result.scores
    dyads = scores.select(
        "dyad",
        *((pl.col(c) - pl.col(c).mean()).alias(c) for c in ("baseline", "convergence", "development")),
        *((pl.col(c) - pl.col(c).mean()).alias(c) for c in ("early_patient", "early_therapist", "early_discrepancy")),
    )
    frame = twin_data("study1").join(dyads, on="dyad").with_columns(time=pl.col("session") - 1)
    formula = "bdi ~ time*(baseline+early_patient+early_therapist+early_discrepancy+development*convergence)"
    by_hand = dl.fit(f"{formula} + (time | dyad)", frame)
    assert by_hand.criterion == pytest.approx(result.fits[2].criterion, rel=1e-12)


def test_covariates_enter_models_2_and_3(result):
    frame = twin_data("study1").with_columns(ipt=(pl.col("arm") == "IPT").cast(pl.Int64))
    plan = twin_plan("study1")
    plan = plan.model_copy(update={"columns": plan.columns.model_copy(update={"covariates": ("ipt",)})})
    fits = dl.run(plan, frame).fits
    assert "ipt" not in fits[0].design.terms
    for fitted in fits[1:]:
        assert {"ipt", "time:ipt"} <= set(fitted.design.terms)


def test_a_plan_without_data_says_so():
    plan = twin_plan("study1").model_copy(update={"data": None})
    with pytest.raises(dl.PlanError, match="names no data file"):
        dl.run(plan)


def test_the_report_is_one_whole_file(tmp_path, result):
    path = dl.write_report(result, tmp_path / "report.html")
    page = path.read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert "D001" not in page  # no dyad's label in a report that may be shared


def test_reports_of_other_kinds_and_places_are_refused(tmp_path, result):
    for name in ("report.doc", "report", "report.xyz"):
        with pytest.raises(dl.PlanError, match=r"written as \.html, \.docx, \.pdf, \.tex, \.md, \.htm, not as"):
            dl.write_report(result, tmp_path / name)
    with pytest.raises(dl.PlanError, match="name of a file is needed, not NoneType"):
        dl.write_report(result, None)
    assert not list(tmp_path.iterdir())
    with pytest.raises(dl.PlanError, match="does not exist"):
        dl.write_report(result, tmp_path / "no" / "report.html")


def test_plans_and_results_are_told_from_other_things(tmp_path):
    for call in (lambda: dl.run("study.toml"), lambda: dl.convergence(dl.simulate("study1"), "study.toml")):
        with pytest.raises(dl.PlanError, match="A plan is needed, not str"):
            call()
    with pytest.raises(dl.PlanError, match="A result is needed, not str"):
        dl.write_report("study", tmp_path / "report.html")
    with pytest.raises(dl.PlanError, match="not NoneType"):
        dl.read_plan(None)
    with pytest.raises(dl.PlanError, match="not NoneType"):
        dl.parse_plan(None)


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path):
    path = write_whole(tmp_path / "report.html", b"old")
    with pytest.raises(TypeError):
        write_whole(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("study", ["study1", "study2"])
def test_joint_growth_from_plan_to_report(tmp_path, study):
    plan = twin_plan(study)
    plan = plan.model_copy(update={"convergence": plan.convergence.model_copy(update={"growth": "dyadic"})})
    result = dl.run(plan, twin_data(study))
    separate = dl.run(twin_plan(study), twin_data(study))
    both = result.scores.join(separate.scores, on="dyad")
    assert both.select(pl.corr("convergence_raw", "convergence_raw_right")).item() > 0.8
    assert result.tables["growth_fixed_effects"]["term"].to_list() == [
        "patient", "therapist", "patient:t", "therapist:t"
    ]  # fmt: skip
    assert result.tables["growth_random_effects"].height == 13
    assert sorted(separate.tables["growth_fixed_effects"]["term"]) == [
        "patient", "patient:t", "therapist", "therapist:t"
    ]  # fmt: skip
    assert separate.tables["growth_random_effects"].height == 8
    assert result.scoring.reliability.height == 5
    page = dl.write_report(result, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Residuals of the two raters correlate within an occasion." in page


def test_kenward_roger_from_plan_to_report(tmp_path):
    plan = twin_plan("study1")
    plan = plan.model_copy(update={"models": plan.models.model_copy(update={"df": "kenward-roger", "run": (2,)})})
    result = dl.run(plan, twin_data("study1"))
    table = dl.coefficients(result.fits[0], df="kenward-roger")
    assert result.tables["fixed_effects"]["df"].to_list() == table["df"].to_list()
    page = dl.write_report(result, tmp_path / "report.html").read_text(encoding="utf-8")
    words = page[: page.index('id="section-ratings"')]  # its growth models have Satterthwaite's
    assert "Kenward and Roger" in words and "Satterthwaite" not in words
