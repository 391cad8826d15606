"""Bootstrap: against closed forms, the model's own standard errors, refits of rebuilt frames and lme4::bootMer."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

import dyadline as dl
from dyadline.engine.solve import solve
from dyadline.inference import bootstrap as module
from dyadline.inference.variance import components_at
from dyadline.model.fit import Fit, estimates
from oracles import answers
from truth import agree

BOOT_MER = "lme4: parametric bootstrap (bootMer)"
BOOTMER = json.loads((answers.HERE / "bootstrap.json").read_text())["fits"]


def balanced(*, groups: int = 60, sessions: int = 5, seed: int = 1) -> pl.DataFrame:
    """Random intercepts well inside, residuals far from normal."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), sessions)
    t = np.tile(np.arange(sessions, dtype=float), groups)
    y = 10.0 + 0.3 * t + rng.normal(0.0, 2.0, groups)[g] + rng.exponential(1.5, g.size)
    y += np.where(g // 4 % 2 == 0, 2.0, -2.0)
    return pl.DataFrame({"g": g, "therapist": g // 4, "t": t, "y": y})


@cache
def plain() -> Fit:
    return dl.fit("y ~ t + (1 | g)", balanced())


def rebuilt(frame: pl.DataFrame, group: str, chosen: np.ndarray) -> pl.DataFrame:
    """Rows of the chosen groups, each copy (and each dyad in it) under a new name."""
    return pl.concat(
        frame.filter(pl.col(group) == number).with_columns(
            pl.format("{}/{}", pl.lit(copy), pl.col(c)).alias(c) for c in ("g", "therapist")
        )
        for copy, number in enumerate(chosen)
    )


def drawn(seed: int, replicates: int, groups: int) -> list[np.ndarray]:
    """The groups of each replicate, as documented: each has a generator of its own."""
    seeds = np.random.SeedSequence(seed).spawn(replicates)
    return [np.random.default_rng(one).integers(groups, size=groups) for one in seeds]


def test_parametric_standard_errors_are_the_models():
    replicates = 4000
    fit = plain()
    found = dl.bootstrap(fit, replicates=replicates, seed=11)
    assert found.failed == 0
    table = found.table
    fixed = table.filter(pl.col("part") == "fixed")
    error = 4.0 / np.sqrt(2.0 * replicates)
    wanted = dl.coefficients(fit)["std_error"].to_numpy()
    np.testing.assert_allclose(fixed["std_error"].to_numpy(), wanted, rtol=error)
    assert (fixed["bias"].abs().to_numpy() < 4.0 * wanted / np.sqrt(replicates)).all()
    # REML of a balanced one-way layout is the analysis of variance: exact variances of mean squares.
    j, n = 60, 5
    tau, sigma = table.filter(pl.col("part") == "random")["estimate"].to_numpy()
    within = 2.0 * sigma**2 / (j * n - j - 1)
    between = 2.0 * (sigma + n * tau) ** 2 / (j - 1)
    got = table.filter(pl.col("part") == "random")["std_error"].to_numpy()
    np.testing.assert_allclose(got, np.sqrt([(between + within) / n**2, within]), rtol=1.5 * error)


@pytest.mark.parametrize(
    ("random", "name", "replicates"), [("(1 | g)", "g", 400), ("(1 | g) + (1 | therapist)", "therapist", 80)]
)
def test_case_standard_errors_of_a_mean_are_those_of_the_group_means(random, name, replicates):
    frame = balanced()
    found = dl.bootstrap(dl.fit(f"y ~ 1 + {random}", frame), "case", replicates=replicates, seed=2)
    means = frame.group_by(name, maintain_order=True).agg(pl.col("y").mean())["y"].to_numpy()
    draws = drawn(2, replicates, len(means))
    np.testing.assert_allclose(found.estimates[:, 0], [means[one].mean() for one in draws], rtol=1e-10)
    closed = np.sqrt(means.var() / len(means))
    assert found.table["std_error"][0] == pytest.approx(closed, rel=4.0 / np.sqrt(2.0 * replicates))
    assert found.group == name and found.failed == 0


@pytest.mark.parametrize(
    ("formula", "group"), [("y ~ t + (t | g)", "g"), ("y ~ t + (1 | g) + (1 | therapist)", "therapist")]
)
def test_each_case_replicate_is_the_fit_of_its_rebuilt_frame(formula, group):
    frame = balanced(groups=24, seed=5)
    found = dl.bootstrap(dl.fit(formula, frame), "case", replicates=6, seed=3, interval="normal")
    for number, chosen in enumerate(drawn(3, 6, frame[group].n_unique())):
        other = dl.fit(formula, rebuilt(frame, group, chosen))
        beta, covariance = estimates(other)
        std_error = np.sqrt(np.diag(covariance))
        np.testing.assert_allclose((found.estimates[number] - beta) / std_error, 0.0, atol=1e-6)
        components = dl.variance_components(other)["estimate"].to_numpy()
        np.testing.assert_allclose(found.components[number], components, rtol=1e-5, atol=1e-6)
        assert found.singular[number] == other.singular


def test_therapists_as_labels_are_drawn_with_all_their_dyads():
    frame = balanced(groups=24, seed=5)
    fit = dl.fit("y ~ t + (1 | g)", frame)
    found = dl.bootstrap(fit, "case", group=frame["therapist"], replicates=4, interval="normal")
    assert found.group == "therapist"
    for number, chosen in enumerate(drawn(1, 4, 6)):
        beta, _ = estimates(dl.fit("y ~ t + (1 | g)", rebuilt(frame, "therapist", chosen)))
        np.testing.assert_allclose(found.estimates[number], beta, rtol=1e-7)
    # In another order of rows and with gaps: the labels go with the rows.
    mixed = frame.sample(fraction=1.0, shuffle=True, seed=1).with_columns(
        y=pl.when(pl.int_range(pl.len()) > 5).then(pl.col("y"))
    )
    fit = dl.fit("y ~ t + (1 | g)", mixed)
    found = dl.bootstrap(fit, "case", group=list(mixed["therapist"]), replicates=4, interval="normal")
    for number, chosen in enumerate(drawn(1, 4, 6)):
        beta, _ = estimates(dl.fit("y ~ t + (1 | g)", rebuilt(mixed, "therapist", chosen)))
        np.testing.assert_allclose(found.estimates[number], beta, rtol=1e-7)


def test_clinics_are_drawn_with_all_their_therapists():
    frame = balanced(groups=24, seed=5).with_columns(clinic=pl.col("therapist") // 2)
    nested = dl.fit("y ~ t + (1 | g) + (1 | therapist)", frame)
    found = dl.bootstrap(nested, "case", group=frame["clinic"], replicates=3, interval="normal")
    for number, chosen in enumerate(drawn(1, 3, 3)):
        beta, _ = estimates(dl.fit("y ~ t + (1 | g) + (1 | therapist)", rebuilt(frame, "clinic", chosen)))
        np.testing.assert_allclose(found.estimates[number], beta, rtol=1e-6)


@pytest.mark.parametrize("answer", BOOTMER, ids=lambda a: a["data"])
def test_lme4s_boot_mer_agrees_within_monte_carlo_error(answer):
    replicates = 1000 if answer["data"] == "uneven" else 100
    found = dl.bootstrap(dl.fit(answer["formula"], answers.frame(answer["data"])), replicates=replicates, seed=5)
    rows = found.table.to_dicts()
    names = [*answer["terms"], *zip(answer["group"], answer["term1"], answer["term2"], strict=True)]
    both = np.sqrt(1.0 / replicates + 1.0 / answer["nsim"])
    for name, estimate, mean, std_error in zip(
        names, answer["estimate"], answer["mean"], answer["std_error"], strict=True
    ):
        (row,) = (r for r in rows if _is(r, name))
        assert row["estimate"] == pytest.approx(estimate, rel=2e-3, abs=1e-4)
        deviation = abs(row["estimate"] + row["bias"] - mean) / (std_error * both)
        agree(BOOT_MER, "mean / its Monte Carlo error", deviation, 4.0)
        # Variances have skew and long tails: their SD is known less well than a normal one's.
        agree(BOOT_MER, "SD, relative / Monte Carlo error of a mean", abs(row["std_error"] / std_error - 1) / both, 4.0)


def _is(row: dict, name) -> bool:
    if isinstance(name, str):
        return row["part"] == "fixed" and row["term"] == name
    group, *terms = name
    terms = [t or ("Residual" if group == "Residual" and not k else None) for k, t in enumerate(terms)]
    return row["part"] == "random" and row["group"] == group and {row["term"], row["term2"]} == set(terms)


@pytest.mark.parametrize(
    ("formula", "data", "residual"),
    [
        ("cbind(patient, therapist) ~ t + (1 | dyad)", "raters", None),
        ("y ~ t + (1 | dyad)", "serial", "ar1(occasion)"),
        ("y ~ t + (0 + t | dyad)", "symmetric", "cs"),
        ("y ~ time + (1 | dyad)", "serial_uneven", "car1(time)"),
        ("y ~ t + (1 | dyad) + (t | therapist)", "therapists", None),
    ],
)
def test_components_are_those_of_the_table_of_variances(formula, data, residual):
    frame = answers.frame(data)
    if "cbind" in formula:
        frame = frame.pivot("rater", index=["dyad", "session", "t"], values="y")
    fit = dl.fit(formula, frame, residual=residual)
    got = components_at(fit, fit.solution.theta[None], np.array([fit.sigma]))[0]
    np.testing.assert_allclose(got, dl.variance_components(fit)["estimate"].to_numpy(), rtol=1e-12)
    for kind in ("parametric", "case"):
        found = dl.bootstrap(fit, kind, replicates=4, interval="normal")
        assert found.components.shape == (4, len(got)) and np.isfinite(found.components).all()


@pytest.mark.parametrize("kind", ["parametric", "case"])
def test_the_same_seed_gives_the_same_digits_and_more_replicates_continue_fewer(kind, monkeypatch):
    fit = plain()
    one, again, more = (dl.bootstrap(fit, kind, replicates=r, seed=4) for r in (150, 150, 200))
    np.testing.assert_array_equal(one.estimates, again.estimates)
    np.testing.assert_array_equal(one.components, again.components)
    np.testing.assert_allclose(more.estimates[:150], one.estimates, rtol=1e-9)
    assert not np.allclose(one.estimates, dl.bootstrap(fit, kind, replicates=150, seed=5).estimates)
    if kind == "case":  # a block of replicates and of rows is a matter of memory alone
        monkeypatch.setattr(module, "VALUES_AT_ONCE", 700)
        small = dl.bootstrap(fit, kind, replicates=150, seed=4)
        np.testing.assert_allclose(small.estimates, one.estimates, rtol=1e-9)
        np.testing.assert_allclose(small.components, one.components, rtol=1e-7)


def test_replicates_that_cannot_be_fitted_are_counted_and_shown():
    groups, replicates = 12, 40
    frame = balanced(groups=groups).with_columns(rare=(pl.col("g") == 3).cast(pl.Float64))
    found = dl.bootstrap(dl.fit("y ~ t + rare + (1 | g)", frame), "case", replicates=replicates, seed=8)
    without = np.array([3 not in one for one in drawn(8, replicates, groups)])
    assert 0 < without.sum() < replicates
    np.testing.assert_array_equal(~found.converged, without)
    np.testing.assert_array_equal(np.isnan(found.estimates).all(axis=1), without)
    assert found.failed == without.sum()
    assert f"{found.failed} failed and are not in the table" in repr(found)
    spread = found.estimates[~without].std(axis=0, ddof=1)
    np.testing.assert_allclose(found.table["std_error"].to_numpy()[:3], spread)


def test_replicates_without_a_certified_optimum_are_left_out_of_the_table(monkeypatch):
    calls = iter(range(100))

    def uncertified(problem, start):
        found = solve(problem, start)
        return replace(found, descent=-1.0) if next(calls) % 4 == 0 else found

    monkeypatch.setattr(module, "solve", uncertified)
    found = dl.bootstrap(plain(), "case", replicates=20, interval="normal")
    assert found.failed == 5 and np.isfinite(found.estimates).all()
    spread = found.estimates[found.converged].std(axis=0, ddof=1)
    np.testing.assert_allclose(found.table["std_error"].to_numpy()[:2], spread)
    monkeypatch.setattr(module, "solve", lambda problem, start: replace(solve(problem, start), descent=-1.0))
    with pytest.raises(dl.FitError, match="0 of 3 replicates"):
        dl.bootstrap(plain(), "case", replicates=3, interval="normal")


def test_replicates_on_the_boundary_stay_in_the_table():
    fit = dl.fit("y ~ t + (t | g)", answers.frame("zero_slope"))
    assert fit.singular
    for kind in ("parametric", "case"):
        found = dl.bootstrap(fit, kind, replicates=19, level=0.9)
        assert found.converged.all() and 3 < found.singular.sum() < 19
        assert f"{found.singular.sum()} singular" in repr(found)
        random = found.table.filter(pl.col("part") == "random")
        np.testing.assert_allclose(random["std_error"], found.components.std(axis=0, ddof=1))
        np.testing.assert_allclose(random["conf_low"], found.components.min(axis=0))  # 20 · .05 = 1: the first


def test_intervals_are_those_of_their_definitions():
    fit = plain()
    made = {kind: dl.bootstrap(fit, replicates=39, interval=kind) for kind in module.INTERVALS}
    values = np.sort(made["percentile"].estimates, axis=0)
    estimate, _ = estimates(fit)
    rows = {kind: one.table.head(2) for kind, one in made.items()}
    limits = {k: np.array([r["conf_low"].to_numpy(), r["conf_high"].to_numpy()]) for k, r in rows.items()}
    # (39 + 1) · .025 = 1: the first and the last ordered value.
    np.testing.assert_allclose(limits["percentile"], values[[0, -1]])
    np.testing.assert_allclose(limits["basic"], 2.0 * estimate - values[[-1, 0]])
    middle, reach = 2.0 * estimate - values.mean(axis=0), 1.959963984540054 * values.std(axis=0, ddof=1)
    np.testing.assert_allclose(limits["normal"], [middle - reach, middle + reach])
    narrow = dl.bootstrap(fit, replicates=39, level=0.5).table.head(2)
    np.testing.assert_allclose(narrow["conf_low"].to_numpy(), values[9])  # 40 · .25 = 10


def test_the_table_is_of_the_kind_that_was_fitted_and_the_value_is_frozen():
    pandas = pytest.importorskip("pandas")
    found = dl.bootstrap(dl.fit("y ~ t + (1 | g)", balanced(groups=20).to_pandas()), replicates=40)
    assert isinstance(found.table, pandas.DataFrame)
    columns = "part group term term2 estimate bias std_error conf_low conf_high"
    assert list(found.table.columns) == columns.split()
    with pytest.raises(ValueError, match="read-only"):
        found.estimates[0, 0] = 1.0
    with pytest.raises(AttributeError):
        found.level = 0.9


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"kind": "parametrik"}, dl.PlanError, "Did you mean 'parametric'"),
        ({"interval": "percent"}, dl.PlanError, "Did you mean 'percentile'"),
        ({"group": "g"}, dl.PlanError, "draws no groups"),
        ({"kind": "case", "group": "therapist"}, dl.PlanError, "no random effects of 'therapist'"),
        ({"kind": "case", "group": 5}, dl.PlanError, "a name or a label per row, not 5"),
        ({"kind": "case", "group": [1, 2]}, dl.DataError, "2 labels, but the fitted frame has 300 rows"),
        ({"kind": "case", "group": [None] * 300}, dl.DataError, "300 rows that were fitted have no label"),
        ({"kind": "case", "group": list(range(300))}, dl.DataError, r"different labels \(row 2\)"),
        ({"kind": "case", "group": [1] * 300}, dl.FitError, "All rows belong to one cluster"),
        ({"replicates": 38}, dl.PlanError, "at least 39"),
        ({"replicates": 1, "interval": "normal"}, dl.PlanError, "at least 2"),
        ({"seed": -1}, dl.PlanError, "at least 0, not -1"),
        ({"seed": None}, dl.PlanError, "at least 0, not None"),
        ({"replicates": "many"}, dl.PlanError, "at least 1, not 'many'"),
        ({"level": 95}, dl.PlanError, "between 0 and 1"),
    ],
)
def test_what_cannot_be_asked(given, error, words):
    with pytest.raises(error, match=words):
        dl.bootstrap(plain(), **given)


def test_dyads_of_therapists_are_not_drawn_by_themselves():
    fit = dl.fit("y ~ t + (1 | g) + (1 | therapist)", balanced())
    with pytest.raises(dl.PlanError, match="Use 'therapist' with all that belongs to it"):
        dl.bootstrap(fit, "case", group="g")
