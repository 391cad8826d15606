"""The same model in R, SPSS and Stata: R runs its scripts, the others are held against pages written by hand."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import polars as pl
import pytest

import dyadline as dl
from dyadline.report.document import Source
from dyadline.report.syntax.names import LONGEST, RESERVED, Names, inert
from dyadline.report.syntax.scripts import PROGRAMS, result_scripts, syntax_blocks
from dyadline.studies.twins import twin_file, twin_plan
from oracles import answers, nested

GOLDEN = Path(__file__).parent / "golden_syntax"

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


def write(folder: Path, name: str, fit: dl.Fit, df: str = "satterthwaite") -> str:
    """Script and data in a folder; the script's name."""
    dl.syntax_data(fit).write_csv(folder / f"{name}.csv")
    (folder / f"{name}.R").write_text(dl.syntax(fit, "r", data=f"{name}.csv", df=df), encoding="utf-8")
    return f"{name}.R"


@cache
def results() -> dict[str, dl.AnalysisResult]:
    return {name: dl.run(twin_plan(name), pl.read_csv(twin_file(name, ".csv"))) for name in ("study1", "study2")}


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


# ---------------------------------------------------------------------------------------------------------- data


@pytest.mark.parametrize("name", ["growth", "three", "by", "car1", "both", "arms", "hostile"])
def test_the_file_holds_what_was_fitted_in_numbers_alone(name: str, tmp_path: Path) -> None:
    fit = fitted(name)
    data = dl.syntax_data(fit)
    data.write_csv(tmp_path / "d.csv")
    back = pl.read_csv(tmp_path / "d.csv")
    assert back.height == fit.n_rows
    assert all(kind.is_numeric() for kind in back.dtypes)
    assert back.equals(data)
    assert not any(back.to_series(k).null_count() for k in range(back.width))


def test_the_file_refitted_gives_the_same_optimum(tmp_path: Path) -> None:
    dl.syntax_data(fitted("three")).write_csv(tmp_path / "d.csv")
    again = dl.fit("bdi ~ t + (t | dyad) + (1 | therapist)", pl.read_csv(tmp_path / "d.csv"))
    assert again.criterion == fitted("three").criterion


def test_dyads_are_running_numbers() -> None:
    labelled = study().with_columns(dyad=pl.format("SECRET-{}", "dyad"), therapist=pl.format("DR-{}", "therapist"))
    fit = dl.fit("bdi ~ t + (t | dyad) + (1 | therapist)", labelled)
    data = dl.syntax_data(fit)
    assert data["dyad"].unique().sort().to_list() == list(range(1, fit.n_groups + 1))
    for program in PROGRAMS:
        script = dl.syntax(fit, program)
        assert "SECRET" not in script
        assert "DR-" not in script


def test_models_of_one_study_share_a_file_and_each_finds_its_rows() -> None:
    """A dyad without a predictor is in the file for Model 1, and empty where Models 2 and 3 look for complete rows."""
    full = pl.read_csv(twin_file("study1", ".csv"))
    first = full["dyad"].unique().sort()[:2].to_list()
    lacking = full.with_columns(bdi_pre=pl.when(pl.col("dyad").is_in(first)).then(None).otherwise("bdi_pre"))
    result = dl.run(twin_plan("study1"), lacking)
    one, two, three = result.fits
    assert two.n_rows == three.n_rows < one.n_rows
    data = pl.read_csv(result_scripts(result)["syntax/model_data.csv"])
    assert data.height == one.n_rows
    predictors = [c for c in data.columns if c not in ("dyad", "time", "outcome")]
    assert data.drop_nulls(predictors).height == two.n_rows
    assert data.drop_nulls()["outcome"].sum() == pytest.approx(two.design.source.values.rows.numbers["outcome"].sum())


def pspp_counts(folder: Path, script: str) -> list[int]:
    """Number of values of each variable after the part of a script that reads the data."""
    start = script[: script.index("\nMIXED ")]
    (folder / "read.sps").write_text(f"{start}\nDESCRIPTIVES ALL.\n", encoding="utf-8")
    run = subprocess.run(
        ["pspp", "-O", "format=csv", "read.sps"], cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    assert "error" not in run.stdout + run.stderr
    return [int(m[1]) for m in re.finditer(r"^[A-Za-z]\w*,(\d+),", run.stdout, re.MULTILINE)]


@pytest.mark.skipif(shutil.which("pspp") is None, reason="PSPP is not installed")
@pytest.mark.parametrize("name", ["uncorrelated", "three", "by", "car1", "opposed", "both", "hostile"])
def test_pspp_reads_every_case(tmp_path: Path, name: str) -> None:
    fit = fitted(name)
    dl.syntax_data(fit).write_csv(tmp_path / "model_data.csv")
    counts = pspp_counts(tmp_path, dl.syntax(fit, "spss"))
    assert len(counts) >= len(dl.syntax_data(fit).columns)
    assert set(counts) == {fit.n_rows}


# -------------------------------------------------------------------------------------------------------- safety


@pytest.mark.parametrize("program", PROGRAMS)
def test_hostile_names_stay_inside_their_comments(program: str) -> None:
    script = dl.syntax(fitted("hostile"), program)
    mark = "#" if program == "r" else "*"
    comments = [line for line in script.split("\n") if line.startswith(mark)]
    rest = [line for line in script.split("\n") if not line.startswith(mark)]
    assert "cmd" in "".join(comments)
    assert "\n".join(rest).isascii()
    assert not re.search(r"[=!]shell|ERASE FILE|cmd\||\$x", "\n".join(rest))
    for line in comments:
        assert not re.search(r"""/\*|\*/|//|[`\\$"]|\r|\u2028|\u202e""", line)
        if program == "spss":
            assert line.endswith(".")
            assert len(line.encode()) <= 256


def test_names_are_plain_words_that_every_program_takes() -> None:
    wanted = ["by", "BY", "t", "T", "x y", "x-y", "1st", "", "…", "größe", "\u05d0", "_x_", "str7", "if", "NA",
              "a" * 99,
              "a" * 98 + "b", "intercept", HOSTILE]  # fmt: skip
    names = Names()
    given = [names.give(one) for one in wanted]
    assert given[2] == "t"
    assert len({name.casefold() for name in given}) == len(wanted)
    for name in given:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*[A-Za-z0-9]|[A-Za-z]", name)
        assert len(name) <= LONGEST
        assert name.casefold() not in RESERVED


def test_a_text_becomes_one_harmless_line() -> None:
    said = inert(HOSTILE)
    assert not re.search(r"""['"`$\\/*#\n\r\u2028\u202e]""", said)
    assert inert("a\x00b\tc\n d") == "ab c d"
    assert inert("Überblick, שלום") == "Überblick, שלום"
    assert len(inert("x" * 999)) == 300


@pytest.mark.parametrize("data", ["a'b.csv", 'a".csv', "a\nb.csv", "a`b", "$HOME/a.csv", ""])
def test_a_file_name_that_could_end_its_string_is_refused(data: str) -> None:
    with pytest.raises(dl.PlanError, match="A script cannot read a file"):
        dl.syntax(fitted("arms"), "r", data=data)


def test_a_folder_of_windows_is_written_with_slashes() -> None:
    assert 'read.csv("C:/study 1/data.csv")' in dl.syntax(fitted("arms"), "r", data="C:\\study 1\\data.csv")


def test_unknown_words_are_refused_with_a_way_out() -> None:
    with pytest.raises(dl.PlanError, match="no syntax for 'sas'"):
        dl.syntax(fitted("arms"), "sas")
    with pytest.raises(dl.PlanError, match="Degrees of freedom 'kr'"):
        dl.syntax(fitted("arms"), "r", df="kr")


# ------------------------------------------------------------------------------------------------------- results


def test_a_report_has_each_script_and_no_value_of_a_dyad() -> None:
    result = results()["study1"]
    files = result_scripts(result)
    shown = {b.title.split(": ")[1]: b.text.encode() for b in syntax_blocks(result) if isinstance(b, Source)}
    assert shown == {path: content for path, content in files.items() if not path.endswith(".csv")}
    assert {path for path in files if path.endswith(".csv")} == {"syntax/model_data.csv", "syntax/ratings.csv"}
    assert len(shown) == 3 * (3 + 2)
