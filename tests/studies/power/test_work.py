"""Many drawn studies at once against the ordinary way, one study at a time, for every kind of operationalisation."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest

from dyadline.data.dataset import make_dataset
from dyadline.inference.coefficients import coefficients
from dyadline.parallel.jobs import Part
from dyadline.plan.analysis import AnalysisPlan, ConvergenceSection
from dyadline.plan.truth import Truth
from dyadline.scoring.score import score
from dyadline.studies.outcome import fit_models
from dyadline.studies.power.design import Design, designed, only_convergence
from dyadline.studies.power.work import PowerWork, correlation, sums
from dyadline.studies.simulation.draw import draw
from dyadline.studies.twins import parameters

RAW = {"growth": "observed", "early_level": "first_rating", "early_discrepancy": "absolute"}
SCORES = {
    "default": {},
    "ols": {"growth": "ols", "transform": "none"},
    "dyadic": {"growth": "dyadic", "discrepancy": "squared", "transform": "asinh"},
    "observed": {**RAW, "slope": "endpoints", "transform": "signed_log"},
    "signed": {"discrepancy": "signed", "slope": "toward_zero", "unit": "per_unit", "transform": "rank_normal"},
    "log ratio": {"slope": "log_ratio", "transform": "none", "early_discrepancy": "none"},
    "yeo_johnson": {"transform": "yeo_johnson", "early_discrepancy": "absolute", "early_level": "first_rating"},
    "windows": {"rating_window": (1.0, 7.0), "outcome_window": (8.0, 14.0)},
}


def truth(study: str = "study1", **changed: object) -> Truth:
    made = designed(only_convergence(Truth.model_validate(parameters(study))), Design(effect=0.5))
    return made.model_copy(update=changed)


def plan(how: dict[str, object], **models: object) -> AnalysisPlan:
    columns = {"dyad": "dyad", "time": "time", "patient_rating": "p", "therapist_rating": "q", "outcome": "y"}
    if models.get("levels") == 3:
        columns["therapist"] = "therapist"
    sections = {"convergence": how, "models": {"run": [2, 3], **models}, "time": {"scale": 2.0}}
    return AnalysisPlan.model_validate({"columns": {**columns, "baseline": "base"}, **sections})


def table(drawn, number: int) -> pl.DataFrame:
    """One drawn study as a long table, without the simulator's own way to write it."""
    rows = []
    for j, k in product(range(drawn.baseline.shape[1]), range(len(drawn.time))):
        values = [float(x[number, j, k]) for x in (drawn.patient, drawn.therapist, drawn.outcome)]
        if np.isfinite(values).any():
            rows.append((f"d{j:04d}", drawn.time[k], *values, drawn.baseline[number, j]))
    return pl.DataFrame(rows, schema=["dyad", "time", "p", "q", "y", "base"], orient="row").fill_nan(None)


def seeds(count: int) -> list[np.random.SeedSequence]:
    return [np.random.SeedSequence(5, spawn_key=(number,)) for number in range(count)]


@pytest.mark.parametrize("name", SCORES)
def test_every_study_is_scored_and_tested_as_alone(name):
    made, asked = truth(dyads=40), plan(SCORES[name])
    work = PowerWork(truths=(made,), scores=(asked.convergence,), plan=asked, models=(2, 3), seed=5, every=True)
    found = work(Part(0, (0, 1, 2)))
    drawn = draw(made, seeds(3))
    for number in range(3):
        dataset = make_dataset(table(drawn, number), asked)
        models = fit_models(dataset, score(dataset, asked, simulations=False), asked)
        for model, fitted in zip((2, 3), models.fits, strict=True):
            rows = {row["term"]: row for row in coefficients(fitted).to_dicts()}
            wanted = [row for term, row in rows.items() if term not in ("(Intercept)", "time")]
            key = f"0.{model}.estimated"
            error = np.array([row["std_error"] for row in wanted])
            estimate = np.array([row["estimate"] for row in wanted])
            np.testing.assert_allclose(found[f"{key}.estimate"][number] / error, estimate / error, atol=2e-5)
            np.testing.assert_allclose(found[f"{key}.std_error"][number], error, rtol=2e-5)
            np.testing.assert_allclose(found[f"{key}.df"][number], [row["df"] for row in wanted], rtol=1e-3)
            assert found[f"{key}.converged"][number] and not found[f"{key}.singular"][number]


def test_three_levels_are_those_of_a_single_fit():
    made = truth(dyads=30, therapists={"A": 4, "B": 5})
    asked = plan({})
    work = PowerWork(
        truths=(made,), scores=(asked.convergence,), plan=asked, models=(2,), seed=5, error_free=False, levels=3
    )
    found = work(Part(0, (0, 1)))
    drawn = draw(made, seeds(2))
    three = plan({}, levels=3, run=[2])
    for number in range(2):
        provider = {f"d{j:04d}": int(k) for j, k in enumerate(drawn.provider[number])}
        frame = table(drawn, number)
        frame = frame.with_columns(therapist=frame["dyad"].replace_strict(provider))
        dataset = make_dataset(frame, three)
        (fitted,) = fit_models(dataset, score(dataset, three, simulations=False), three).fits
        row = coefficients(fitted).row(by_predicate=pl.col("term") == "time:convergence", named=True)
        assert found["0.2.estimated.estimate"][number, 1] == pytest.approx(row["estimate"], rel=1e-5)
        assert found["0.2.estimated.df"][number, 1] == pytest.approx(row["df"], rel=1e-3)


def test_parts_may_be_cut_anew():
    made = truth(dyads=38)
    own = plan({})
    work = PowerWork(
        truths=(made,), scores=(ConvergenceSection(), ConvergenceSection(growth="ols")), plan=own, models=(3,), seed=1
    )
    whole = work(Part(0, tuple(range(9))))
    for numbers in ((4,), (0, 8), (3, 4, 5, 6)):
        for name, values in work(Part(0, numbers)).items():
            assert np.array_equal(values, whole[name][list(numbers)], equal_nan=values.dtype.kind == "f"), name


def test_without_error_scores_are_those_of_the_true_curves():
    made = truth(dyads=60, missing=truth().missing.model_copy(update={"drop_out": 0.0, "skipped": 0.0, "form": 0.0}))
    own = plan({"transform": "none"})
    drawn = draw(made, seeds(2))
    found = PowerWork(truths=(made,), scores=(own.convergence,), plan=own, models=(2,), seed=5).analysed(drawn)
    # The truth's convergence is the very score that is analysed: with complete data they are the same but for scale.
    estimate = found["0.2.error-free.estimate"]
    t = np.arange(14) / 2.0
    for number in range(2):
        lines = drawn.lines[number]
        gap = np.abs((lines[:, 0] - lines[:, 2])[:, None] + (lines[:, 1] - lines[:, 3])[:, None] * np.arange(14))
        rate = -np.array([np.polyfit(t, row, 1)[0] for row in gap]) * t[-1]
        assert np.corrcoef(rate, drawn.convergence[number])[0, 1] == pytest.approx(1.0, abs=1e-12)
        long = pl.DataFrame(
            {
                "y": drawn.outcome[number].ravel(),
                "time": np.tile(t, 60),
                "dyad": np.repeat(np.arange(60), 14),
                "x": np.repeat(rate - rate.mean(), 14),
                "base": np.repeat(drawn.baseline[number] - drawn.baseline[number].mean(), 14),
            }
        )
        import dyadline as dl

        row = dl.coefficients(dl.fit("y ~ time * (base + x) + (time | dyad)", long)).filter(pl.col("term") == "time:x")
        assert estimate[number, 1] == pytest.approx(row["estimate"].item(), rel=1e-6)


def test_correlations_within_studies_are_those_of_all_pairs():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 4, 50))
    x[0, :10] = np.nan
    y = 0.5 * np.nan_to_num(x) + y + np.arange(4)[:, None] * 10.0  # differences between studies do not count
    r = correlation(sums(x, y))
    centred = [
        (a[np.isfinite(a)] - np.nanmean(a), b[np.isfinite(a)] - b[np.isfinite(a)].mean())
        for a, b in zip(x, y, strict=True)
    ]
    a, b = (np.concatenate(part) for part in zip(*centred, strict=True))
    assert r == pytest.approx((a @ b) / np.sqrt((a @ a) * (b @ b)), rel=1e-9)
