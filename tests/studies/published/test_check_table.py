"""Published tables against closed forms, and honest tables that must pass."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

import dyadline as dl
from dyadline.errors import DataError, PlanError
from dyadline.studies.published.check import check_table
from dyadline.studies.published.printed import decimal_mark, printed
from dyadline.studies.published.rules import p_of
from dyadline.studies.twins import twin_file, twin_plan

PAPER = Path(__file__).resolve().parents[3] / "docs" / "published"


def row(**fields):
    return pl.DataFrame([{"term": "x", **fields}])


def remarks(table, **options):
    return [(r["row"], r["check"], r["verdict"]) for r in check_table(table, **options).iter_rows(named=True)]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        (".05", 0.045, 0.055),
        ("−.333", -0.3335, -0.3325),
        ("- 1.20", -1.205, -1.195),
        ("7", 6.5, 7.5),
        ("<.001", 0.0, 0.001),
        ("< .05*", 0.0, 0.05),
        (".000", -0.0005, 0.0005),
        ("1.2e-3", 0.00115, 0.00125),
        ("= .060", 0.0595, 0.0605),
    ],
)
def test_a_printed_number_stands_for_all_that_are_rounded_to_it(text, low, high):
    number = printed(text)
    assert number.low == pytest.approx(low, abs=1e-12)
    assert number.high == pytest.approx(high, abs=1e-12)


def test_fields_without_a_number():
    assert [printed(text) for text in ("", " ", "—", "–", "-", "NA")] == [None] * 6
    for text in ("abc", "1.2.3", "<", "1 000 mg", "nan", "."):
        with pytest.raises(ValueError, match=r".*"):
            printed(text)


@pytest.mark.parametrize("df", [1, 3.7, 19, 91.4, math.inf])
def test_p_values_are_those_of_scipy(df):
    for t in (0.0, 0.4, 1.96, 5.0):
        expected = 2 * (stats.norm.sf(t) if math.isinf(df) else stats.t.sf(t, df))
        assert p_of(t, df) == pytest.approx(expected, rel=1e-12)


def test_the_papers_first_table():
    found = remarks(PAPER / "nissen_lie_2020_table_1.csv", n=96, method="REML")
    assert found == [
        (12, "variance-se", "impossible"),  # 50.78 with a standard error of 1.30; 9.35 and 9.22 in the other models
        (20, "p-value", "unlikely"),  # −.333 / .46 and p = .484
        (15, "criterion-rows", "unlikely"),  # 6953 to 6500
        (16, "precision", "unlikely"),  # .84 to 1.50
        (17, "precision", "unlikely"),  # .14 to .25
        (33, "criterion-reml", "caution"),
        (3, "wald-variance", "caution"),
    ]


def test_the_papers_second_table():
    table = check_table(PAPER / "nissen_lie_2020_table_2.csv", n=139, method="REML")
    assert table.select("row", "check", "verdict").rows() == [
        (13, "wald-p", "impossible"),  # .0005 / .002 and p = .060
        (1, "fixed-se", "impossible"),  # √(.34/139) = .0495, printed .04
        (33, "criterion-reml", "caution"),
        (3, "wald-variance", "caution"),
    ]
    # z between .00045/.0025 and .00055/.0015
    assert table["expected_low"][0] == pytest.approx(2 * stats.norm.sf(0.00055 / 0.0015), rel=1e-9)
    assert table["expected_high"][0] == pytest.approx(2 * stats.norm.sf(0.00045 / 0.0025), rel=1e-9)
    assert table["expected_low"][1] == pytest.approx(math.sqrt(0.335 / 139.5), rel=1e-9)


def test_p_at_known_and_unknown_degrees_of_freedom():
    # t = 2 has p = .0455 at infinite, .0734 at 10 and .2952 at 1 degree of freedom.
    line = {"estimate": "2.000", "se": "1.000"}
    assert remarks(row(**line, p=".046")) == []
    assert remarks(row(**line, p=".073")) == [(1, "p-value", "unlikely")]
    assert remarks(row(**line, p=".073", df="10")) == []
    assert remarks(row(**line, p=".046", df="10")) == [(1, "p-value", "impossible")]
    assert remarks(row(**line, p=".044")) == [(1, "p-value", "impossible")]
    assert remarks(row(**line, p=".297")) == [(1, "p-value", "impossible")]
    assert remarks(row(**line, p="<.05")) == []
    assert remarks(row(**line, p="<.01")) == [(1, "p-value", "impossible")]
    # 2.0/1.0 may be 2.05/0.95 = 2.16: p = .031
    assert remarks(row(estimate="2.0", se="1.0", p=".032")) == []


def test_statistics_and_intervals():
    line = {"estimate": "2.00", "se": "1.00"}
    assert remarks(row(**line, t="2.01")) == []
    assert remarks(row(**line, t="2.1")) == [(1, "statistic", "impossible")]
    assert remarks(row(**line, lower="0.04", upper="3.96")) == []
    assert remarks(row(**line, lower="0.14", upper="3.86")) == [(1, "interval", "impossible")]
    assert remarks(row(**line, lower="0.10", upper="4.10")) == [(1, "interval", "impossible")]


def test_a_covariance_is_bounded_by_its_variances():
    terms = [("variance", "Intercept", "4.0"), ("covariance", "Cov.", "2.5"), ("variance", "Slope", "1.0")]
    table = pl.DataFrame([{"part": part, "term": term, "estimate": value} for part, term, value in terms])
    assert remarks(table) == [(2, "covariance", "impossible")]
    assert remarks(table.with_columns(estimate=pl.Series(["4.0", "2.0", "1.0"]))) == []


def test_criteria_under_maximum_likelihood():
    def models(second):
        lines = [("1", "fixed", "Intercept", "5", "1"), ("1", "criterion", "AIC", "1000", None)]
        lines += [("2", "fixed", "Intercept", "5", "1"), ("2", "fixed", "x", "0.1", "1.0")]
        lines += [("2", "criterion", "AIC", second, None)]
        names = ["model", "part", "term", "estimate", "se"]
        return pl.DataFrame(lines, schema=names, orient="row")

    assert remarks(models("1002"), method="ML") == []
    assert remarks(models("1010"), method="ML") == [(5, "criterion-rows", "impossible")]
    assert remarks(models("1010")) == []
    assert remarks(models("900"), method="ML") == [(5, "criterion-rows", "unlikely")]


def test_criteria_say_nothing_of_what_is_not_printed():
    lone = pl.DataFrame({"model": ["1", "2"], "part": "criterion", "term": "AIC", "estimate": ["1000", "700"]})
    assert remarks(lone, method="ML") == []
    # A random slope that is added lowers the criterion too, by an amount that no standard error tells.
    names = ["model", "part", "term", "estimate", "se"]
    lines = [("1", "fixed", "Intercept", "5", "1"), ("1", "variance", "Intercept", "3", "1")]
    lines += [("1", "criterion", "AIC", "1000", None), ("2", "fixed", "Intercept", "5", "1")]
    lines += [("2", "fixed", "x", "0.1", "1.0"), ("2", "variance", "Intercept", "3", "1")]
    same = [*lines, ("2", "criterion", "AIC", "700", None)]
    slope = [*lines, ("2", "variance", "Slope", "2", "1"), ("2", "criterion", "AIC", "700", None)]
    assert remarks(pl.DataFrame(same, schema=names, orient="row"), method="ML") == [(7, "criterion-rows", "unlikely")]
    assert remarks(pl.DataFrame(slope, schema=names, orient="row"), method="ML") == []


@pytest.fixture(scope="module", params=["study1", "study2"])
def honest(request):
    plan = twin_plan(request.param)
    return dl.run(plan, pl.read_csv(twin_file(request.param, ".csv")))


@pytest.mark.parametrize("decimals", [2, 3, 5])
def test_an_honest_table_passes(honest, decimals):
    """Our own fits, printed with few decimals: none of the rules may speak, but for the rows that models lose."""
    lines = []
    kinds = {"fixed_effects": "fixed", "random_effects": ""}
    for model in (1, 2, 3):
        for name, part in kinds.items():
            for r in honest.tables[name].filter(pl.col("model") == model).iter_rows(named=True):
                term = r["term"] if part else r["term1"]
                of_two = not part and r["term2"] is not None and r["term2"] != r["term1"]
                p = r["p_value"]
                lines.append(
                    {
                        "model": str(model),
                        "part": part or ("covariance" if of_two else "variance"),
                        "term": {"(Intercept)": "Intercept", "time": "Slope"}.get(term, term or "Residual"),
                        "estimate": f"{r['estimate']:.{decimals}f}",
                        "se": f"{r['std_error']:.{decimals}f}",
                        "p": None if p is None else "<.001" if p < 0.001 else f"{p:.3f}",
                        "df": f"{r['df']:.1f}" if part else None,
                        "lower": f"{r['conf_low']:.{decimals}f}" if part else None,
                        "upper": f"{r['conf_high']:.{decimals}f}" if part else None,
                    }
                )
        aic = honest.tables["criteria"].filter(pl.col("model") == model)["aic"][0]
        lines.append({"model": str(model), "part": "criterion", "term": "AIC", "estimate": f"{aic:.0f}"})
    dyads = honest.fits[0].n_groups
    found = check_table(pl.DataFrame(lines), n=dyads, method="REML")
    assert found.filter(pl.col("verdict") != "caution").select("row", "check", "words").rows() == []


def test_what_is_wrong_with_a_table_is_said(tmp_path):
    with pytest.raises(DataError, match="no column for the estimate"):
        check_table(pl.DataFrame({"term": ["a"]}))
    with pytest.raises(DataError, match="'abc' is no number \\(row 1\\)"):
        check_table(row(estimate="1", se="abc"))
    with pytest.raises(DataError, match=r"'nonsense' .row 1. is no part"):
        check_table(row(estimate="1", part="nonsense"))
    with pytest.raises(DataError, match="no row with an estimate"):
        check_table(row(estimate="", se="1"))
    with pytest.raises(DataError, match="cannot be read"):
        check_table(tmp_path / "absent.csv")
    with pytest.raises(PlanError, match="no method 'reml'"):
        check_table(row(estimate="1"), method="reml")


def test_commas_between_thousands_and_before_decimals():
    line = {"part": "criterion", "term": "AIC"}
    assert remarks(row(**line, estimate="6,953.2")) == []
    assert printed("6,953").middle == 6953
    assert printed("6.953", ",").middle == 6953
    assert printed("6.953,5", ",").middle == 6953.5
    for texts, mark in (
        (["6,953", "1.23"], "."),
        (["6,953", "12"], "."),
        (["6.953", ",05"], ","),
        (["−0,5"], ","),
        (["1,2"], ","),
        (["1,2345"], ","),
    ):
        assert decimal_mark(texts) == mark, texts


def test_collinear_predictors_are_named_where_a_criterion_falls_far():
    """Two predictors that nearly repeat each other: a large joint test and small t, on the same rows."""
    rng = np.random.default_rng(3)
    dyad, time = np.repeat(np.arange(100), 6), np.tile(np.arange(6.0), 100)
    a = rng.normal(size=100)
    y = 5 + 3 * a[dyad] + rng.normal(size=100)[dyad] + rng.normal(size=600)
    b = (a + 0.01 * rng.normal(size=100))[dyad]
    frame = pl.DataFrame({"y": y, "t": time, "d": dyad, "a": a[dyad], "b": b})
    lines = []
    for model, formula in (("1", "y ~ t + (1 | d)"), ("2", "y ~ t + a + b + (1 | d)")):
        fit = dl.fit(formula, frame, "ML")
        for r in dl.coefficients(fit).iter_rows(named=True):
            estimates = {"estimate": f"{r['estimate']:.3f}", "se": f"{r['std_error']:.3f}"}
            lines.append({"model": model, "part": "fixed", "term": r["term"], **estimates})
        aic = dl.information_criteria(fit)["aic"][0]
        lines.append({"model": model, "part": "criterion", "term": "AIC", "estimate": f"{aic:.0f}"})
    found = check_table(pl.DataFrame(lines), method="ML")
    assert found.select("check", "verdict").rows() == [("criterion-rows", "unlikely")]
    assert "predictors that nearly repeat each other" in found["words"][0]


def test_german_files_and_frames_of_numbers(tmp_path):
    file = tmp_path / "tabelle.csv"
    file.write_text("term;estimate;SE;p-value\nConv.;−1,20;0,60;,046\nBad;2,000;1,000;,500\n", encoding="utf-8")
    assert remarks(file) == [(2, "p-value", "impossible")]
    assert remarks(pl.DataFrame({"term": ["a"], "estimate": [2.0], "se": [1.0], "p": [0.5]})) == [
        (1, "p-value", "impossible")
    ]


def simulated(rng):
    """Random intercepts and slopes, a predictor of the dyads, a fifth of the rows lost."""
    n, occasions = int(rng.integers(10, 60)), int(rng.integers(3, 9))
    dyad, time = np.repeat(np.arange(n), occasions), np.tile(np.arange(occasions), n).astype(float)
    effects = rng.multivariate_normal([0, 0], [[rng.uniform(0.1, 4), 0.05], [0.05, rng.uniform(0.05, 1)]], n)
    x = rng.normal(size=n) * rng.uniform(0.1, 10)
    y = 5 + effects[dyad, 0] + (effects[dyad, 1] - 0.3) * time + 0.3 * (x - x.mean())[dyad] + rng.normal(size=dyad.size)
    frame = pl.DataFrame({"y": y, "t": time, "d": dyad, "x": (x - x.mean())[dyad]})
    return n, frame.filter(pl.Series(rng.random(dyad.size) > 0.2))


@pytest.mark.parametrize("seed", range(12))
def test_honest_tables_of_other_studies_pass(seed):
    rng = np.random.default_rng(seed)
    n, frame = simulated(rng)
    decimals, lines = int(rng.integers(1, 5)), []
    for model, formula in (("1", "y ~ t + (t | d)"), ("2", "y ~ t * x + (t | d)")):
        fit = dl.fit(formula, frame)
        words = {"(Intercept)": "Intercept", "t": "Slope", None: "Residual"}
        for r in dl.coefficients(fit).iter_rows(named=True):
            line = {"model": model, "part": "fixed", "term": words.get(r["term"], r["term"])}
            lines.append(line | {"estimate": f"{r['estimate']:.{decimals}f}", "se": f"{r['std_error']:.{decimals}f}",
                                 "p": "<.001" if r["p_value"] < 0.001 else f"{r['p_value']:.3f}"})  # fmt: skip
        for r in dl.variance_components(fit).iter_rows(named=True):
            part = "covariance" if r["term2"] not in (None, r["term1"]) else "variance"
            line = {"model": model, "part": part, "term": words.get(r["term1"], r["term1"])}
            lines.append(line | {"estimate": f"{r['estimate']:.{decimals}f}"}
                         | ({} if r["std_error"] is None else {"se": f"{r['std_error']:.{decimals}f}"}))  # fmt: skip
        aic = dl.information_criteria(fit)["aic"][0]
        lines.append({"model": model, "part": "criterion", "term": "AIC", "estimate": f"{aic:.0f}"})
    found = check_table(pl.DataFrame(lines), n=n, method="REML")
    assert found.filter(pl.col("verdict") != "caution")["words"].to_list() == []
