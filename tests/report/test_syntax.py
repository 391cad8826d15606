"""The same model in R, SPSS and Stata: R runs its scripts, the others are held against pages written by hand."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import dyadline as dl
from dyadline.report.document import Source
from dyadline.report.syntax.scripts import PROGRAMS, result_scripts, syntax_blocks
from oracles import answers
from syntax_models import fitted, results, study

GOLDEN = Path(__file__).parent / "golden_syntax"


def write(folder: Path, name: str, fit: dl.Fit, df: str = "satterthwaite") -> str:
    """Script and data in a folder; the script's name."""
    dl.syntax_data(fit).write_csv(folder / f"{name}.csv")
    (folder / f"{name}.R").write_text(dl.syntax(fit, "r", data=f"{name}.csv", df=df), encoding="utf-8")
    return f"{name}.R"


# ------------------------------------------------------------------------------------------------------------- R

RUN = """
for (f in commandArgs(TRUE)) {
  said <- tryCatch({invisible(capture.output(source(f, local = new.env(), chdir = TRUE, encoding = "UTF-8"))); "ok"},
                   error = function(e) conditionMessage(e))
  cat(f, "\\t", gsub("[\\r\\n]+", " ", said), "\\n", sep = "")
}
"""


@pytest.fixture(scope="module")
def r_says(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What R says of every script, run one after the other in one process: ``ok``, or which number is another one."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("R is not installed")
    needed = "stopifnot(requireNamespace('lmerTest'), requireNamespace('nlme'), requireNamespace('pbkrtest'))"
    if subprocess.run([rscript, "-e", needed], capture_output=True, check=False).returncode:
        pytest.skip("R has no lmerTest, nlme or pbkrtest")
    folder = tmp_path_factory.mktemp("r")
    names = [write(folder, name.replace(" ", "_"), fitted(name)) for name in RUN_BY_R]
    names.append(write(folder, "kenward-roger", fitted("arms"), "kenward-roger"))
    names += changed(folder, "growth", ("estimate", "std_error", "df", "expected"))
    names += changed(folder, "both", ("estimate",))
    for study_name, result in results().items():
        for path, content in result_scripts(result).items():
            (folder / study_name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / study_name / path).write_bytes(content)
            names += [f"{study_name}/{path}"] if path.endswith(".R") else []
    run = subprocess.run(
        [rscript, "-e", RUN, *names], cwd=folder, capture_output=True, text=True, timeout=300, check=True
    )
    return dict(line.split("\t", 1) for line in run.stdout.splitlines() if "\t" in line)


RUN_BY_R = (
    "growth", "uncorrelated", "three", "repeated labels", "by", "car1", "ar1 alone", "opposed", "both", "hostile",
)  # fmt: skip


def changed(folder: Path, name: str, vectors: tuple[str, ...]) -> list[str]:
    """The same script with the first number of a vector off by one per cent, and one with another log-likelihood."""
    script = (folder / f"{name}.R").read_text(encoding="utf-8")
    found = []
    for vector in vectors:
        number = re.search(rf"^{vector} <- c\(([^,]+),", script, re.MULTILINE)
        assert number is not None
        wrong = f"{vector} <- c({float(number[1]) * 1.02:.10g},"
        found.append(f"{name}-{vector}.R")
        (folder / found[-1]).write_text(script.replace(number[0], wrong), encoding="utf-8")
    other, n = re.subn(r"(minus_two - )([0-9.]+)", lambda m: f"{m[1]}{float(m[2]) + 0.01}", script)
    assert n == 1
    (folder / f"{name}-criterion.R").write_text(other, encoding="utf-8")
    return [*found, f"{name}-criterion.R"]


@pytest.mark.parametrize("name", [*RUN_BY_R, "kenward-roger"])
def test_r_finds_the_same_numbers(r_says: dict[str, str], name: str) -> None:
    assert r_says[f"{name.replace(' ', '_')}.R"] == "ok"


@pytest.mark.parametrize("study_name", ["study1", "study2"])
def test_r_finds_the_same_numbers_for_every_model_of_a_study(r_says: dict[str, str], study_name: str) -> None:
    said = {name: words for name, words in r_says.items() if name.startswith(study_name)}
    stems = {f"{study_name}/syntax/{s}.R" for s in ("model_1", "model_2", "model_3", "growth_patient")}
    assert stems < set(said)
    assert set(said.values()) == {"ok"}


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("growth-estimate", "fixed effects"),
        ("growth-std_error", "standard errors"),
        ("growth-df", "degrees of freedom"),
        ("growth-expected", "variance components"),
        ("growth-criterion", "-2 log-likelihood"),
        ("both-estimate", "fixed effects"),
        ("both-criterion", "-2 log-likelihood"),
    ],
)
def test_a_changed_number_stops_the_script(r_says: dict[str, str], script: str, what: str) -> None:
    assert what in r_says[f"{script}.R"]


# ---------------------------------------------------------------------------------------- SPSS and Stata: the code


def code(script: str) -> list[str]:
    """A script without comments, empty lines and Stata's checks."""
    lines = [line for line in script.splitlines() if line.strip() and not line.startswith("*")]
    return [line for line in lines if not line.startswith(("assert abs", "display"))]


@pytest.mark.parametrize("program", ["spss", "stata"])
@pytest.mark.parametrize("name", ["arms", "therapists", "both"])
def test_the_code_is_that_of_the_page_written_by_hand(name: str, program: str) -> None:
    page = (GOLDEN / f"{name}.{PROGRAMS[program][1]}").read_text()
    assert code(dl.syntax(fitted(name), program)) == page.splitlines()


@pytest.mark.parametrize(
    ("residual", "spss", "stata"),
    [
        ("by(half)", "/REPEATED=half | SUBJECT(dyad*number) COVTYPE(DIAG)", "residuals(independent, by(half))"),
        ("ar1(session)", "/REPEATED=session | SUBJECT(dyad) COVTYPE(AR1)", "residuals(ar 1, t(session))"),
        (
            "car1(week)",
            "/REPEATED=week | SUBJECT(dyad) COVTYPE(SP_POWER) SPCOORDS(week)",
            "residuals(exponential, t(week))",
        ),
        ("cs", "/REPEATED=number | SUBJECT(dyad) COVTYPE(CSR)", "residuals(exchangeable)"),
    ],
)
def test_residual_structures(residual: str, spss: str, stata: str) -> None:
    fit = dl.fit("bdi ~ t + (0 + t | dyad)", study(), residual=residual)
    assert f"  {spss}." in code(dl.syntax(fit, "spss"))
    text = " ".join(line.removesuffix("///").strip() for line in code(dl.syntax(fit, "stata")))
    assert f"|| dyad: t, noconstant {stata} reml dfmethod(satterthwaite, oim) dftable(pvalue)" in text


def test_a_model_without_random_effects_still_names_its_groups() -> None:
    fit = fitted("ar1 alone")
    assert "    || dyad:, noconstant residuals(ar 1, t(session)) mle" in code(dl.syntax(fit, "stata"))
    assert not any("RANDOM" in line for line in code(dl.syntax(fit, "spss")))


def test_occasions_with_gaps_have_no_ar1_in_spss() -> None:
    """AR1 counts steps between the file's occasions: 1, 3, 12 would be 1, 2, 3."""
    data = study().filter(pl.col("session").is_in([1, 3, 4, 6, 9, 12]))
    fit = dl.fit("bdi ~ t + (1 | dyad)", data, residual="ar1(session)")
    correlation = dl.variance_components(fit)["estimate"][-1]
    script = dl.syntax(fit, "spss")
    assert correlation > 0
    assert "COVTYPE(AR1)" not in script
    assert "COVTYPE(SP_POWER) SPCOORDS(session)." in script
    flipped = data.with_columns(bdi=pl.col("bdi") * 0 + (pl.col("session") % 2) * 8 + pl.col("bdi") / 9)
    fit = dl.fit("bdi ~ t + (1 | dyad)", flipped, residual="ar1(session)")
    assert dl.variance_components(fit)["estimate"][-1] < 0
    script = dl.syntax(fit, "spss")
    assert code(script) == []
    assert "MIXED cannot fit this model" in script
    assert "ar 1, t(session)" in dl.syntax(fit, "stata")


def test_kenward_roger_and_normal_tests() -> None:
    fit = fitted("growth")
    assert "DFMETHOD(KENWARDROGER)" in dl.syntax(fit, "spss", df="kenward-roger")
    assert "reml dfmethod(kroger) dftable(pvalue)" in dl.syntax(fit, "stata", df="kenward-roger")
    assert 'ddf = "Kenward-Roger"' in dl.syntax(fit, "r", df="kenward-roger")
    assert "dfmethod" not in dl.syntax(fit, "stata", df="normal")


# ------------------------------------------------------------------------------------------------------- numbers


def numbers_of(script: str, start: str) -> list[float]:
    """Numbers at the end of the comment that starts with these words."""
    line = next(line for line in script.splitlines() if re.match(rf"[*#] {re.escape(start)}  ", line))
    return [float(word) for word in line.removesuffix(" .")[2 + len(start) :].split()]


def test_the_expected_numbers_are_those_of_lme4() -> None:
    """Estimates, errors and df of lmerTest; AIC and BIC by their definitions from lme4's log-likelihood."""
    oracle = next(a for a in answers.fits() if a["label"] == "arms-y~t*arm+(t|g)-REML")
    names = ["t", "armIPT", "armwaiting", "t:armIPT", "t:armwaiting"]
    written = {
        "r": ["t", "arm_IPT", "arm_waiting", "t:arm_IPT", "t:arm_waiting"],
        "spss": ["t", "arm_IPT", "arm_waiting", "t * arm_IPT", "t * arm_waiting"],
        "stata": ["t", "arm_IPT", "arm_waiting", "c.t#c.arm_IPT", "c.t#c.arm_waiting"],
    }
    n, p, covariances = oracle["n_rows"], 6, 4
    aic = {"spss": 2 * covariances, "r": 2 * (covariances + p), "stata": 2 * (covariances + p)}
    bic = {
        "spss": covariances * math.log(n - p),
        "r": (covariances + p) * math.log(n),
        "stata": (covariances + p) * math.log(n),
    }
    for program, labels in written.items():
        script = dl.syntax(fitted("arms"), program)
        for name, label in zip(names, labels, strict=True):
            estimate, std_error, df, t, _ = numbers_of(script, label)
            assert estimate == pytest.approx(oracle["beta"][name], rel=1e-5)
            assert std_error == pytest.approx(oracle["std_error"][name], rel=1e-5)
            assert df == pytest.approx(oracle["df"][name], rel=1e-4)
            assert t == pytest.approx(oracle["beta"][name] / oracle["std_error"][name], rel=1e-5)
        assert numbers_of(script, "-2 restricted log-likelihood") == [pytest.approx(oracle["criterion"], rel=1e-9)]
        assert numbers_of(script, "AIC") == [pytest.approx(oracle["criterion"] + aic[program], rel=1e-9)]
        assert numbers_of(script, "BIC") == [pytest.approx(oracle["criterion"] + bic[program], rel=1e-9)]
    slope = next(c for c in oracle["components"] if c["term1"] == "t" and c["term2"] is None)["value"]
    for program, label in {
        "r": "g: Var t",
        "spss": "Intercept + t [subject = g] UN (2,2)",
        "stata": "g: var(t)",
    }.items():
        assert numbers_of(dl.syntax(fitted("arms"), program), label)[0] == pytest.approx(slope, rel=1e-4)


# ------------------------------------------------------------------------------------------------------- results


def test_a_report_has_each_script_and_no_value_of_a_dyad() -> None:
    result = results()["study1"]
    files = result_scripts(result)
    shown = {b.title.split(": ")[1]: b.text.encode() for b in syntax_blocks(result) if isinstance(b, Source)}
    assert shown == {path: content for path, content in files.items() if not path.endswith(".csv")}
    assert {path for path in files if path.endswith(".csv")} == {"syntax/model_data.csv", "syntax/ratings.csv"}
    assert len(shown) == 3 * (3 + 2)
    model = shown["syntax/model_2.do"].decode()
    assert model.startswith("* Model 2: outcome is bdi, time counts session from 1; predictors are centred over dyads.")
    assert "patient: wai_p and therapist: wai_t; t counts" in shown["syntax/growth_patient.R"].decode()


def test_a_boundary_and_an_uncertified_optimum_are_said() -> None:
    singular = dl.fit("y ~ t + (t | g)", answers.frame("perfect_correlation"))
    for program in PROGRAMS:
        script = dl.syntax(singular, program)
        assert "A variance is zero or a correlation is 1 in size" in script
        assert "No certified optimum" not in script
        assert "No certified optimum" in dl.syntax(replace(singular, converged=False), program)
