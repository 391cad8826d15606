"""The method in words: against hand-written sentences, and sound English for every choice of a plan."""

import re
from types import SimpleNamespace

import polars as pl
import pytest

from dyadline.plan.columns import ItemsSection
from dyadline.report.compose import compose
from dyadline.report.document import Paragraph, Section
from dyadline.report.prose.method import method_blocks
from dyadline.report.prose.references import Work, known_works, reference_blocks
from dyadline.report.prose.results import results_blocks


def with_plan(result, **sections):
    copy = SimpleNamespace(**vars(result))
    changed = {name: getattr(result.plan, name).model_copy(update=values) for name, values in sections.items()}
    copy.plan = result.plan.model_copy(update=changed)
    return copy


def test_sample_and_time(result, said):
    text = said(method_blocks(result, set()))
    rows = result.dataset.rows
    # (j + t) % 9 == 0 is left out: 10 or 11 of 96 dyads at each of 14 occasions, 12 or 13 records per dyad.
    assert rows.height == sum(bool((j + t) % 9) for j in range(96) for t in range(14)) == 1196
    assert (
        "The sample comprised 96 dyads of a patient and a therapist. They contributed 1,196 records "
        "(12 to 13 records per "
        "dyad, median 12), with 1,196 ratings by patients, "
    ) in text
    assert "1,196 values of the outcome. [Add how dyads were recruited" in text
    assert (
        "The time variable was “session”, with 14 different values from 1 to 14. In all models time was counted from "
        "session 1, the study's first occasion."
    ) in text


def test_synthetic_data_are_said_to_be_synthetic(twin, said):
    text = said(method_blocks(twin("study1"), set()))
    assert text.startswith(
        "# Sample and design\nThe data were synthetic: a simulator drew them, and no patient is in them. The sample "
        "comprised 96 dyads of a patient and a therapist, with 34 therapists (1 to 8 dyads per therapist, median 2)."
    )


def test_convergence_in_the_past_tense(result, said):
    assert (
        "Each rater's curve in each dyad came from a multilevel growth model of that rater's ratings (linear in time, "
        "intercept and slope varying over dyads, REML): the average curve plus the dyad's predicted deviation from it. "
        "The discrepancy at each occasion that at least one of the two rated was the absolute difference between the "
        "patient's and the therapist's curves. The convergence score was minus the slope of an ordinary least squares "
        "line through the discrepancy over time, multiplied by the length of the observed window, "
        "from the study's first "
        "to its last rating occasion (change over the whole window), so that positive values meant that patient and "
        "therapist had come closer. It was then transformed: ln(x − min(x) + 1), where x is the "
        "untransformed score and "
        "min(x) the smallest one; the number added to each score was 1.6987."
    ) in said(method_blocks(result, set()))


def test_models_from_what_was_fitted(result, said):
    text = said(method_blocks(result, set()))
    assert (
        "The outcome was analysed with linear mixed models of growth (multilevel models; occasions "
        "in dyads), in which it "
        "changed linearly with time. Model 1 had time as its only predictor. Model 2 had time, initial symptoms, and "
        "convergence. Model 3 added the patient's early alliance, the therapist's early alliance, early discrepancy, "
        "alliance development, and the product of alliance development and convergence."
    ) in text
    assert "Each predictor entered the intercept and, by its product with time, the slope." in text
    assert "Intercept and slope varied over dyads, with a covariance" in text


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({}, "restricted maximum likelihood (REML). Fixed effects were tested by two-sided t tests with degrees of "
         "freedom by Satterthwaite's (1946) approximation"),
        ({"method": "ML", "df": "normal"}, "maximum likelihood (ML). Fixed effects were tested by two-sided z tests"),
        ({"df": "kenward-roger"}, "the adjusted standard errors of Kenward and Roger (1997)"),
    ],
)  # fmt: skip
def test_estimation(result, said, models, words):
    assert words in said(method_blocks(with_plan(result, models=models), set()))


def test_measures_of_the_registry(twin, said):
    text = said(method_blocks(twin("study1", items=True), set()))
    assert (
        "Alliance, patient. The patient's rating of the alliance was the mean of the 12 items of the Working Alliance "
        "Inventory, Short Revised (WAI-SR; Hatcher & Gillaspy, 2006), answered from 1 to 7 (the "
        "original has 1 to 5). A "
        "score was computed where at least 10 of the 12 items had been answered; a missing answer "
        "counted as the mean of "
        "the person's other answers to the scale. Higher scores stand for a better alliance. Internal consistency: "
        "Cronbach's α from .95 to .97 and McDonald's ω from .95 to .97 over the occasions."
    ) in text
    assert "answered from 1 to 7; items 4 and 10 were reverse-scored." in text
    assert "Initial symptoms were taken as scored in the data (“bdi_pre”). [Add the questionnaire" in text


def test_only_what_is_there_is_referred_to(result, said):
    assert "table-" not in said(method_blocks(result, set())) + said(results_blocks(result, set()))
    text = said(method_blocks(result, {"table-choices"}), {"table-choices": "Table 1"})
    assert "by the choices that follow (Table 1)." in text


CHOICES = [
    (),
    *[(("convergence", "growth", v),) for v in ("ols", "dyadic")],
    (
        ("convergence", "growth", "observed"),
        ("convergence", "early_level", "first_rating"),
        ("convergence", "early_discrepancy", "absolute"),
    ),
    (("convergence", "early_level", "first_rating"), ("convergence", "early_discrepancy", "curve")),
    *[(("convergence", "discrepancy", v),) for v in ("signed", "squared")],
    *[(("convergence", "slope", v),) for v in ("toward_zero", "endpoints", "log_ratio")],
    (("convergence", "unit", "per_unit"),),
    *[(("convergence", "transform", v),) for v in ("none", "signed_log", "asinh", "yeo_johnson", "rank_normal")],
    *[(("convergence", "early_discrepancy", v),) for v in ("absolute", "none")],
    (("convergence", "rating_window", (1, 7)), ("convergence", "outcome_window", (8, 14))),
    (("models", "method", "ML"), ("models", "df", "normal")),
    (("models", "df", "kenward-roger"),),
    (("models", "levels", 3),),
    (("models", "levels", "auto"), ("models", "therapist_slopes", True)),
    (("models", "run", (2,)),),
    (("models", "run", (1,)),),
    (("models", "run", (3, 1)),),
    (("time", "origin", 7), ("time", "scale", 2.0)),
    (("columns", "baseline", "first"), ("columns", "covariates", ("bdi_pre",))),
]


@pytest.mark.parametrize("changes", CHOICES, ids=lambda c: ", ".join(f"{k}={v}" for _, k, v in c) or "defaults")
def test_every_choice_gives_sound_sentences(twin, said, changes):
    result = twin("study1", changes)
    document = compose(result)
    own = [s for s in document.sections if s.key in ("method", "results")]
    check(said([b for section in own for b in section.blocks], document.labels()))


def check(text):
    """English as far as a test can see it."""
    assert not re.search(
        r"\bNone (?!of)|\bnan\b|\binf\b|[{}<]{1}(?! \.0)|\(\)|\[\]|_", re.sub(r"“[^”]*”", "“name”", text)
    )
    assert "  " not in text and ") (" not in text.replace("n + 1/4)) (Blom", "")
    assert not re.search(r" [.,;:)](?!\d)|\( |,,|\.\.|;\.|,\.| \b(a) [aeiou]", text)
    assert not re.search(r"\b(\w+) \1\b", text)
    for line in text.split("\n"):
        assert line.startswith(("#", "$")) or line.endswith((".", "]")), line
        assert line[:1].isupper() or line[0] in "#$[", line
    assert not re.search(r"(?<!al)[.] [a-z]", text)


def test_imputed_and_left_out(said):
    from dyadline.studies.twins import twin_data, twin_plan
    from dyadline.workflow import run

    data = twin_data("study1").with_columns(
        bdi_pre=pl.when(pl.col("dyad").str.ends_with("3")).then(None).otherwise(pl.col("bdi_pre"))
    )
    plan = twin_plan("study1")
    assert "left out of the models that have it (listwise deletion)." in said(method_blocks(run(plan, data), set()))
    impute = plan.model_copy(
        update={"models": plan.models.model_copy(update={"missing_predictors": "impute", "imputations": 5, "seed": 8})}
    )
    made = run(impute, data)
    text = said(method_blocks(made, set())) + "\n" + said(results_blocks(made, set()))
    check(text)
    assert (
        "Missing values of initial symptoms and covariates were imputed 5 times (seed 8) from a "
        "model that is compatible "
        "with all outcome models; scores were never imputed. Estimates were pooled by Rubin's (1987) "
        "rules, with degrees "
        "of freedom after Barnard and Rubin (1999)."
    ) in text


def test_references_are_those_that_are_cited(twin):
    document = compose(twin("study1", (("models", "df", "kenward-roger"),)))
    listed = [b.parts[0] for s in document.sections if s.key == "references" for b in s.blocks]
    assert [e for e in listed if e.startswith("Kenward, M. G.")] == [
        "Kenward, M. G., & Roger, J. H. (1997). Small sample inference for fixed effects from restricted maximum "
        "likelihood. Biometrics, 53(3), 983–997. doi:10.2307/2533558"
    ]
    assert not [e for e in listed if e.startswith(("Satterthwaite", "Rubin", "Barnard", "Raudenbush"))]
    assert listed == sorted(listed, key=str.casefold)
    assert len(listed) == len(set(listed))


def test_a_work_in_text():
    two = Work(entry="Stram, D. O., & Lee, J. W. (1994). Variance components testing.")
    assert two.cited == "Stram & Lee, 1994"
    many = Work(entry="Hatcher, R. L., Øster-Gaard, J.-A., & Wu, X. (2006). Title.")
    assert many.cited == "Hatcher et al., 2006"
    assert Work(entry="Some team. A thing without a year.").cited == ""
    section = Section(key="a", title="A", blocks=(Paragraph(parts=("As Stram and Lee (1994) say, and Rubin says.",)),))
    from dyadline.studies.twins import twin_plan

    assert [b.parts[0][:5] for b in reference_blocks([section], twin_plan("study1"))] == ["Stram"]
    assert len({w.entry for w in known_works()}) == len(known_works())
    assert all(w.cited for w in known_works())


def test_hostile_names_stay_as_they_are(plan_maker, result_maker, said):
    name = "<script>alert(1)</script> & 100%_x"
    made = result_maker(plan=plan_maker(time=name, covariates=["=cmd|' /C calc'!A0"]))
    text = said(method_blocks(made, set()))
    assert f"The time variable was “{name}”" in text
    assert f"counted from “{name}” 1, the study's first occasion" in text
    assert "A further covariate of the dyads was “=cmd|' /C calc'!A0”." in text


def test_a_subscale_of_a_users_measure(tmp_path, plan_maker, result_maker, said):
    (tmp_path / "mine.toml").write_text(
        'items = 4\nrange = [0, 3]\nhigher = "worse"\n[scales.all]\nscore = "sum"\n'
        '[scales.sad]\ntitle = "Sadness"\nitems = [1, 2]\nscore = "mean"\nfactor = 25\n',
        encoding="utf-8",
    )
    plan = plan_maker(outcome=ItemsSection(measure="mine", items="q{item}", scale="sad")).in_folder(tmp_path)
    made = result_maker(plan=plan)
    assert (
        "Outcome. The outcome was the mean, times 25, of the 2 items of the scale “Sadness” of the measure “mine”, "
        "answered from 0 to 3. A score was computed where at least 2 of the 2 items had been answered"
    ) in said(method_blocks(made, set()))
