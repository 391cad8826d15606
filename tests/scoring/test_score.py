"""Scores by hand: three dyads small enough to check with a pencil, then every choice of the operationalisation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.plan.analysis import ConvergenceSection
from dyadline.scoring.discrepancy import Gaps, crossings, rate_of_convergence
from dyadline.scoring.transform import normality, transform

SHARED = Path(__file__).resolve().parents[2].parent / "shared"

COLUMNS = """
version = 1
[columns]
dyad = "dyad"
time = "session"
patient_rating = "p"
therapist_rating = "t"
outcome = "y"
baseline = "pre"
"""


def plan(**choices) -> dl.AnalysisPlan:
    lines = "\n".join(f'{key} = "{value}"' for key, value in choices.items())
    return dl.parse_plan(f"{COLUMNS}[convergence]\n{lines}\n")


def rows():
    """Sessions 1 to 3. a: gaps 2, 1, 0 (converging); b: −1, −2, −3 (diverging); c: 1, 0, −1 (crossing); d: no pair."""
    gaps = {"a": (2, 1, 0), "b": (-1, -2, -3), "c": (1, 0, -1)}
    records = [
        {"dyad": dyad, "session": s + 1, "p": 4.0 + s + gap, "t": 4.0 + s, "y": 10.0 - s + k, "pre": 11.0 + k}
        for k, (dyad, three) in enumerate(gaps.items())
        for s, gap in enumerate(three)
    ]
    records += [
        {"dyad": "d", "session": 1, "p": 5.0, "t": None, "y": 9.0, "pre": 14.0},
        {"dyad": "d", "session": 2, "p": None, "t": 5.0, "y": 8.0, "pre": 14.0},
    ]
    return pl.DataFrame(records)


OBSERVED = {"growth": "observed", "early_level": "first_rating", "transform": "none"}


def scores(**choices):
    table = dl.convergence(rows(), plan(**{**OBSERVED, **choices}))
    return {row["dyad"]: row for row in table.to_dicts()}


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        # |gap|: a 2, 1, 0; b 1, 2, 3; c 1, 0, 1. Minus the slope, times the window of two sessions.
        ({"discrepancy": "absolute"}, {"a": 2.0, "b": -2.0, "c": 0.0}),
        ({"discrepancy": "absolute", "unit": "per_unit"}, {"a": 1.0, "b": -1.0, "c": 0.0}),
        ({"discrepancy": "signed", "unit": "per_unit"}, {"a": 1.0, "b": 1.0, "c": 1.0}),
        # gap²: a 4, 1, 0 (slope −2); b 1, 4, 9 (slope 4); c 1, 0, 1 (slope 0).
        ({"discrepancy": "squared", "unit": "per_unit"}, {"a": 2.0, "b": -4.0, "c": 0.0}),
        # Towards zero: the slope of the signed gap against the sign of the first one.
        (
            {"discrepancy": "signed", "slope": "toward_zero", "unit": "per_unit"},
            {"a": 1.0, "b": -1.0, "c": 1.0},
        ),
        ({"slope": "endpoints"}, {"a": 2.0, "b": -2.0, "c": 0.0}),
        ({"slope": "log_ratio"}, {"a": None, "b": -math.log(3), "c": 0.0}),
    ],
)
def test_each_way_to_make_one_number(choices, expected):
    if choices.get("discrepancy") == "signed" and "slope" not in choices:
        # All three have the same signed slope: nothing to predict with, and that is said.
        with pytest.raises(dl.DataError, match="the same for all dyads"):
            scores(**choices)
        return
    if choices.get("slope") == "log_ratio":
        with pytest.raises(dl.DataError, match="Only 2 dyads have a convergence score"):
            scores(**choices)
        return
    found = scores(**choices)
    for dyad, value in expected.items():
        assert found[dyad]["convergence"] == pytest.approx(value, abs=1e-12)
    assert found["d"]["convergence"] is None


def test_endpoints_log_ratio_and_crossing_on_arrays():
    between = Gaps(
        index=np.array([0, 0, 1, 1, 1]), t=np.array([0.0, 1, 0, 1, 2]), signed=np.array([3.0, 1, 2, 5, -1]), n_dyads=3
    )
    how = ConvergenceSection(slope="log_ratio")
    np.testing.assert_allclose(rate_of_convergence(between, how, 1.0), [math.log(3), math.log(2), np.nan])
    how = ConvergenceSection(slope="endpoints")
    np.testing.assert_allclose(rate_of_convergence(between, how, 1.0), [2.0, 1.0, np.nan])
    np.testing.assert_array_equal(crossings(between), [0, 1, np.nan])


def test_what_comes_with_the_score():
    found = scores()
    # Means of the two: a 5, 5.5, 6 → slope .5; b 3.5, 4, 4.5; c 4.5, 5, 5.5; per window of two sessions: 1.
    assert [found[d]["development"] for d in "abc"] == pytest.approx([1.0, 1.0, 1.0])
    assert [found[d]["early_patient"] for d in "abcd"] == [6.0, 3.0, 5.0, 5.0]
    assert [found[d]["early_therapist"] for d in "abcd"] == [4.0, 4.0, 4.0, 5.0]
    assert [found[d]["early_discrepancy"] for d in "abcd"] == [2.0, -1.0, 1.0, None]
    assert [found[d]["baseline"] for d in "abcd"] == [11.0, 12.0, 13.0, 14.0]
    assert [found[d]["crossing"] for d in "abc"] == [False, False, True]
    assert found["d"]["reasons"] == "fewer than two occasions with both ratings; no occasion with both ratings"
    assert found["a"]["reasons"] == ""


def test_absolute_early_discrepancy_and_none():
    assert [row["early_discrepancy"] for row in scores(early_discrepancy="absolute").values()] == [2.0, 1.0, 1.0, None]
    assert [row["early_discrepancy"] for row in scores(early_discrepancy="none").values()] == [None] * 4


def test_the_rating_window_chooses_the_occasions():
    windowed = dl.parse_plan(
        COLUMNS
        + '[convergence]\ngrowth = "observed"\nearly_level = "first_rating"\ntransform = "none"\n'
        + "rating_window = [2, 3]\n"
    )
    found = {row["dyad"]: row for row in dl.convergence(rows(), windowed).to_dicts()}
    # |gap| over sessions 2 and 3: a 1, 0; b 2, 3; c 0, 1; the window is one session long.
    assert [found[d]["convergence"] for d in "abc"] == pytest.approx([1.0, -1.0, -1.0])
    assert found["a"]["early_patient"] == 6.0  # at session 2


def lines_study(seed=3, dyads=12):
    """Ratings exactly on lines, so that least squares finds them whatever is missing."""
    rng = np.random.default_rng(seed)
    records = []
    for j in range(dyads):
        p0, p1, t0, t1 = rng.normal([5, 0.1, 4.8, 0.05], [0.8, 0.1, 0.5, 0.08])
        for s in range(1, 9):
            if rng.random() < 0.2 and s > 2:
                continue
            both = rng.random() > 0.15 or s < 3
            records.append(
                {
                    "dyad": j,
                    "session": s,
                    "p": p0 + p1 * s,
                    "t": t0 + t1 * s if both else None,
                    "y": 20 - s + rng.normal(),
                    "pre": 21.0 + j,
                }
            )
            if s == 1:
                records[-1] |= {"true_p": p1, "true_t": t1, "early_p": p0 + p1, "early_t": t0 + t1}
    return pl.DataFrame(records, infer_schema_length=None)


def test_signed_least_squares_is_minus_the_difference_of_the_slopes():
    frame = lines_study()
    asked = plan(growth="ols", discrepancy="signed", unit="per_unit", transform="none")
    found = dl.convergence(frame, asked)
    truth = frame.drop_nulls("true_p")
    expected = -(truth["true_p"] - truth["true_t"])
    np.testing.assert_allclose(found["convergence"], expected, atol=1e-12)
    np.testing.assert_allclose(found["early_patient"], truth["early_p"], atol=1e-12)
    np.testing.assert_allclose(found["early_therapist"], truth["early_t"], atol=1e-12)
    np.testing.assert_allclose(found["development"], (truth["true_p"] + truth["true_t"]) / 2, atol=1e-12)


def test_window_is_per_unit_times_the_length_of_the_study():
    frame = lines_study()
    per_unit = dl.convergence(frame, plan(growth="ols", unit="per_unit", transform="none"))["convergence"]
    window = dl.convergence(frame, plan(growth="ols", unit="window", transform="none"))["convergence"]
    np.testing.assert_allclose(window, 7 * per_unit, rtol=1e-12)


@pytest.mark.parametrize("kind", ["to_pandas", "to_arrow"])
def test_scores_come_back_in_the_kind_of_frame_that_came(kind):
    frame = lines_study().select("dyad", "session", "p", "t", "y", "pre")
    asked = plan(growth="ols")
    expected = dl.convergence(frame, asked)
    got = dl.convergence(getattr(frame, kind)(), asked)
    assert type(got).__module__.split(".")[0] in ("pandas", "pyarrow")
    np.testing.assert_array_equal(np.asarray(got["convergence"], dtype=float), expected["convergence"].to_numpy())


def test_raters_swapped_keep_the_score_and_turn_the_sign_of_the_early_discrepancy():
    frame = dl.simulate("study1", dyads=40, seed=5)
    text = COLUMNS.replace('"y"', '"bdi"').replace('"pre"', '"bdi_pre"')
    asked = dl.parse_plan(text.replace('"p"', '"wai_p"').replace('"t"', '"wai_t"'))
    swapped = dl.parse_plan(text.replace('"p"', '"wai_t"').replace('"t"', '"wai_p"'))
    a, b = dl.convergence(frame, asked), dl.convergence(frame, swapped)
    np.testing.assert_allclose(a["convergence"], b["convergence"], rtol=1e-7)
    np.testing.assert_allclose(a["early_patient"], b["early_therapist"], rtol=1e-9)
    np.testing.assert_allclose(a["early_discrepancy"], -b["early_discrepancy"], rtol=1e-12)


SAMPLE = np.array([-2.0, -0.5, 0.0, 1.0, 3.0, np.nan])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", [-2.0, -0.5, 0.0, 1.0, 3.0]),
        ("log_shift", [0.0, math.log(2.5), math.log(3), math.log(4), math.log(6)]),
        ("signed_log", [-math.log(3), -math.log(1.5), 0.0, math.log(2), math.log(4)]),
        ("asinh", [-1.4436354751788103, -0.48121182505960347, 0.0, 0.881373587019543, 1.8184464592320668]),
        # Blom: Φ⁻¹((r − 3/8)/5.25); the values are those of R's qnorm.
        ("rank_normal", [-1.1797611176118612, -0.497200570681554, 0.0, 0.497200570681554, 1.1797611176118612]),
    ],
)
def test_transforms(name, expected):
    changed = transform(SAMPLE, name)
    np.testing.assert_allclose(changed.values[:5], expected, atol=1e-10)
    assert np.isnan(changed.values[5])
    assert changed.shift == (3.0 if name == "log_shift" else None)


def test_yeo_johnson_is_monotone_and_has_its_closed_form():
    changed = transform(SAMPLE, "yeo_johnson")
    power = changed.power
    assert power is not None
    assert changed.values[3] == pytest.approx((2**power - 1) / power, rel=1e-9)
    assert changed.values[0] == pytest.approx(-(3 ** (2 - power) - 1) / (2 - power), rel=1e-9)
    assert (np.diff(changed.values[:5]) > 0).all()


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the reference data beside the checkout (../shared)")
def test_the_worked_example_of_the_diary_study():
    import csv

    c = pl.col
    frame = pl.read_csv(SHARED / "data" / "kashy_diary.csv", infer_schema_length=None).filter(c("person") == 1)
    frame = frame.with_columns(conflict=(c("conflict_A") + c("conflict_P")) / 2)
    text = """
        version = 1
        [columns]
        dyad = "dyadid"
        time = "Day"
        patient_rating = "satisf_A"
        therapist_rating = "satisf_P"
        outcome = "conflict"
        baseline = "first"
        [convergence]
        growth = "observed"
        discrepancy = "absolute"
        unit = "per_unit"
        transform = "none"
        early_level = "first_rating"
        early_discrepancy = "none"
        """
    result = dl.run(dl.parse_plan(text), frame)
    with open(SHARED / "data" / "reference_fits.csv", newline="") as handle:
        wanted = [r for r in csv.DictReader(handle) if r["dataset"] == "kashy_diary" and r["model"].startswith("pip")]
    statistics = {
        "mean_convergence": result.scores["convergence"].mean(),
        "sd_convergence": result.scores["convergence"].std(),
        "mean_development": result.scores["development"].mean(),
        "sd_development": result.scores["development"].std(),
    }
    ours = {"init": "baseline", "A1": "early_patient", "B1": "early_therapist", "dev": "development", "t": "time"}
    ours |= {"conv": "convergence"}
    fits = dict(zip(("pipeline_M1", "pipeline_M2", "pipeline_M3"), result.fits, strict=True))
    checked = 0
    for row in wanted:
        value = float(row["value"])
        if row["kind"] == "descriptive":
            assert statistics[row["parameter"]] == pytest.approx(value, rel=1e-8)
        elif row["model"] not in fits:
            continue
        elif row["kind"] == "criterion":
            assert fits[row["model"]].criterion <= value + 1e-5
        elif row["kind"] == "fixed":
            names = frozenset(ours.get(part, part) for part in row["parameter"].split(":"))
            table = {frozenset(r["term"].split(":")): r for r in dl.coefficients(fits[row["model"]]).to_dicts()}
            assert table[names]["estimate"] == pytest.approx(value, abs=1e-6 * float(row["se"]))
            assert table[names]["std_error"] == pytest.approx(float(row["se"]), rel=1e-5)
        checked += 1
    assert checked >= 30
    assert all(fitted.singular for fitted in result.fits)  # as lme4 found them


def test_signed_least_squares_against_polyfit():
    frame = dl.simulate("study2", dyads=60, seed=9)
    asked = dl.parse_plan(
        COLUMNS.replace('"session"', '"occasion"')
        .replace('"p"', '"wai_p"')
        .replace('"t"', '"wai_t"')
        .replace('"y"', '"gsi"')
        .replace('"pre"', '"gsi_pre"')
        + '[convergence]\ngrowth = "ols"\ndiscrepancy = "signed"\nunit = "per_unit"\ntransform = "none"\n'
    )
    found = dl.convergence(frame, asked)["convergence"].to_numpy()
    slopes = [
        [np.polyfit(part["occasion"], part[rater], 1)[0] for rater in ("wai_p", "wai_t")]
        for part in frame.drop_nulls("wai_p").partition_by("dyad", maintain_order=True)
    ]
    p, t = np.array(slopes).T
    np.testing.assert_allclose(found, -(p - t), atol=1e-12)


def test_normality_before_and_after():
    rng = np.random.default_rng(6)
    x = rng.gamma(2.0, size=60)
    from scipy import stats

    before, after = normality(x, np.log(x)).to_dicts()
    assert before["skewness"] == pytest.approx(stats.skew(x), rel=1e-12)
    assert (before["mean"], before["sd"]) == pytest.approx((x.mean(), np.std(x, ddof=1)))
    assert after["shapiro_w"] == pytest.approx(stats.shapiro(np.log(x)).statistic, rel=1e-12)
    # The test was made for at most 5,000 values.
    assert normality(rng.normal(size=5001), rng.normal(size=5001))["shapiro_w"].null_count() == 2
