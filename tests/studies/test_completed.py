"""Imputation from a plan to pooled tables, findings and the report; listwise deletion, and what is said of it."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.studies.imputation import impute
from dyadline.studies.twins import twin_data, twin_plan


def study(gaps: dict[str, int] | None = None, **models) -> tuple[dl.AnalysisPlan, pl.DataFrame]:
    """The first twin with an age and a sex of the dyads, missing in the first so many, and with these [models] keys."""
    frame = twin_data("study1")
    labels = frame["dyad"].unique(maintain_order=True)
    rng = np.random.default_rng(3)
    own = pl.DataFrame({"dyad": labels, "age": rng.normal(40, 10, 96).round(), "sex": 1.0 * (rng.random(96) < 0.5)})
    frame = frame.join(own, on="dyad", maintain_order="left")
    for name, number in (gaps or {}).items():
        # Each column's gaps start where those of the one before end but one, so that one dyad lacks both.
        start = 0 if name != "sex" else (gaps or {}).get("age", 0) - 1
        without = pl.col("dyad").is_in(labels.slice(max(0, start), number).to_list())
        frame = frame.with_columns(pl.when(without).then(None).otherwise(pl.col(name)).alias(name))
    plan = twin_plan("study1")
    update = {
        "models": plan.models.model_copy(update=models),
        "columns": plan.columns.model_copy(update={"covariates": ("age", "sex")}),
    }
    return plan.model_copy(update=update), frame


@cache
def ran(how: str) -> dl.AnalysisResult:
    return dl.run(*study({"age": 9, "sex": 3}, missing_predictors=how, imputations=6))


def found(result, code):
    return [f for f in result.findings if f.code == code]


def test_listwise_is_said_per_model_and_predictor():
    result = ran("listwise")
    (said,) = found(result, "listwise-deletion")
    assert "Model 2 leaves out 11 of 96 dyads" in said.words and "age 9, sex 3" in said.words
    assert "Model 1" not in said.words
    assert said.level == "warning" and 'missing_predictors = "impute"' in said.way_out
    table = result.tables["left_out"].filter(model=3)
    assert table.select("predictor", "n_dyads").rows() == [(None, 11), ("age", 9), ("sex", 3)]
    assert table["n_rows"][0] == result.fits[0].n_rows - result.fits[2].n_rows
    assert not {"imputation", "imputed_predictors"} & set(result.tables)


def test_nothing_is_said_where_nobody_is_left_out():
    result = dl.run(*study())
    assert not found(result, "listwise-deletion")
    assert result.tables["left_out"].is_empty()


def test_imputed_tables_are_pooled_and_fits_are_those_of_complete_cases():
    imputed, listwise = ran("impute"), ran("listwise")
    assert [f.criterion for f in imputed.fits] == [f.criterion for f in listwise.fits]
    assert imputed.tables["criteria"].equals(listwise.tables["criteria"])
    fixed, before = imputed.tables["fixed_effects"], listwise.tables["fixed_effects"]
    assert fixed.columns == [*before.columns, "fraction_missing"]
    assert fixed.filter(model=1).drop("fraction_missing").equals(before.filter(model=1))
    assert fixed.filter(model=1)["fraction_missing"].null_count() == 2
    pooled = fixed.filter(pl.col("model") > 1)
    assert pooled["term"].to_list() == before.filter(pl.col("model") > 1)["term"].to_list()
    assert pooled["fraction_missing"].is_between(0.0, 1.0).all()
    assert found(imputed, "listwise-deletion") == []
    beside = imputed.tables["imputation"]
    assert beside["estimate"].to_list() == pooled["estimate"].to_list()
    assert beside["estimate_complete"].to_list() == before.filter(pl.col("model") > 1)["estimate"].to_list()
    assert set(beside["n_dyads"]) == {96} and set(beside["n_dyads_complete"]) == {85}
    random = imputed.tables["random_effects"]
    assert random.columns == listwise.tables["random_effects"].columns
    assert random.filter(pl.col("model") > 1)["p_value"].null_count() == 8
    assert random.filter(pl.col("model") > 1)["std_error"].null_count() == 0


def test_what_was_imputed_is_described():
    result = ran("impute")
    table = result.tables["imputed_predictors"]
    assert table.select("predictor", "n_observed", "n_imputed").rows() == [("age", 87, 9), ("sex", 93, 3)]
    _, frame = study({"age": 9})
    assert table["mean_observed"][0] == pytest.approx(frame.unique("dyad")["age"].mean())
    (said,) = found(result, "predictors-imputed")
    assert "6 imputations of 'age' for 9 dyads and 'sex' for 3 dyads, seed 1" in said.words
    assert "'sex' has two values" in found(result, "two-valued-imputed")[0].words


def test_pooled_by_hand():
    """The same model from imputed values that were put into the file by hand, imputation by imputation."""
    plan, frame = study({"age": 9}, missing_predictors="impute", imputations=3, run=(2,))
    result = dl.run(plan, frame)
    scores = result.scores.join(frame.unique("dyad").select("dyad", "age", "sex"), on="dyad", maintain_order="left")
    whole = scores.select("baseline", "convergence", "sex").to_numpy()
    values = impute(
        frame.select("dyad", time=pl.col("session") - 1.0, outcome="bdi"), whole,
        scores.select(pl.col("age").fill_null(float("nan"))).to_numpy(), scores["dyad"], imputations=3, seed=1,
    )  # fmt: skip
    listwise = plan.model_copy(update={"models": plan.models.model_copy(update={"missing_predictors": "listwise"})})
    estimates = []
    for one in values[:, :, 0]:
        filled = pl.DataFrame({"dyad": scores["dyad"], "age": one})
        estimates.append(
            dl.run(listwise, frame.drop("age").join(filled, on="dyad", maintain_order="left"))
            .tables["fixed_effects"]["estimate"].to_numpy()
        )  # fmt: skip
    np.testing.assert_allclose(np.mean(estimates, axis=0), result.tables["fixed_effects"]["estimate"], rtol=1e-8)


def test_nothing_to_impute_changes_nothing():
    asked, plain = dl.run(*study(missing_predictors="impute")), dl.run(*study())
    assert asked.tables.keys() == plain.tables.keys()
    assert asked.tables["fixed_effects"].equals(plain.tables["fixed_effects"])
    (said,) = found(asked, "nothing-to-impute")
    assert "no dyad with an outcome lacks a predictor" in said.words


def test_scores_are_not_imputed():
    plan, frame = study({"age": 9}, missing_predictors="impute", imputations=3)
    label = frame["dyad"][-1]
    unrated = frame.with_columns(wai_t=pl.when(pl.col("dyad") == label).then(None).otherwise("wai_t"))
    result = dl.run(plan, unrated)
    assert set(result.tables["imputation"]["n_dyads"]) == {95}
    (said,) = found(result, "scores-not-imputed")
    assert "1 dyad with an outcome lacks a score" in said.words and "convergence 1" in said.words
    only = dl.run(study(missing_predictors="impute")[0], unrated.with_columns(age=pl.col("bdi_pre").sin()))
    assert "is a score" in found(only, "nothing-to-impute")[0].words
    left = dl.run(study()[0], unrated.with_columns(age=pl.col("bdi_pre").sin()))
    assert found(left, "listwise-deletion")[0].level == "note"


def test_the_baseline_is_imputed_too():
    result = dl.run(*study({"bdi_pre": 5}, missing_predictors="impute", imputations=3, run=(2,)))
    assert result.tables["imputed_predictors"]["predictor"].to_list() == ["baseline"]
    assert result.tables["imputation"]["n_dyads"][0] == 96


def test_mostly_imputed_three_levels_and_few_imputations_are_named():
    plan, frame = study({"age": 50}, missing_predictors="impute", imputations=3, levels=3, run=(2,))
    result = dl.run(plan, frame)
    assert "50 of 96 dyads lack 'age'" in found(result, "mostly-imputed")[0].words
    assert found(result, "imputed-without-therapists")
    assert "imputations = " in found(result, "few-imputations")[0].way_out
    assert result.tables["random_effects"]["group"].n_unique() == 3


def test_what_cannot_be_answered_is_said_as_before():
    plan, frame = study(missing_predictors="impute")
    with pytest.raises(dl.DataError, match="Age is the same for all 96 dyads"):
        dl.run(plan, frame.with_columns(age=pl.lit(30.0)))
    with pytest.raises(dl.DataError, match="No dyad has an outcome and all predictors"):
        dl.run(plan, frame.with_columns(age=pl.lit(None, pl.Float64)))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("impute", ["pooled by Rubin’s rules", "Imputed predictors", "In Model 2, predictors imputed"]),
        ("listwise", ["left out of the models that have it (listwise)", "Not in Model 2: no age"]),
    ],
)
def test_the_report_says_which_it_is(tmp_path, how, words):
    page = dl.write_report(ran(how), tmp_path / "report.html").read_text(encoding="utf-8")
    page = page.replace("&#39;", "’").replace("'", "’")
    for part in words:
        assert part in page
    assert ("Rubin’s rules" in page) == (how == "impute")
