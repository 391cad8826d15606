"""Imputation: the sampler against closed forms and an exact posterior, its answers against the truth and mice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.imputation import TRUE, simulated

import dyadline as dl
from dyadline.model.fit import fit, random_covariance
from dyadline.studies.completed import pooled_coefficients, pooled_components
from dyadline.studies.imputation import (
    State,
    conditional,
    imputation_model,
    impute,
    missing_drawn,
    started,
    swept,
)
from truth import agree

STUDY = json.loads((Path(__file__).parents[1] / "oracles" / "pooling.json").read_text())["study"]


def chains(number: int, seed: int = 1) -> list[np.random.Generator]:
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(number)]


def standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def small(n: int, k: int, seed: int = 3) -> tuple[pl.DataFrame, np.ndarray, np.ndarray, pl.Series]:
    """Rows of n dyads with 1 to 5 occasions, a complete predictor, and k with gaps."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 1))
    z = 0.5 * x + rng.standard_normal((n, k))
    index = np.repeat(np.arange(n), rng.integers(1, 6, n))
    t = rng.integers(0, 9, len(index)) / 2.0
    u = rng.standard_normal((n, 2)) * [1.0, 0.4] + z.sum(axis=1, keepdims=True) * [0.6, 0.2]
    y = 20.0 + u[index, 0] + u[index, 1] * t + rng.standard_normal(len(index))
    labels = pl.Series([f"d{j}" for j in range(n)])
    rows = pl.DataFrame({"dyad": labels.gather(index), "time": t, "outcome": y})
    return rows, x, np.where(rng.random((n, k)) < 0.3, np.nan, z), labels


def test_missing_values_are_drawn_from_the_conditional_normal_distribution():
    rows, x, z, labels = small(25, 2)
    model = imputation_model(rows, x, z, labels)
    rng = np.random.default_rng(8)
    root = rng.standard_normal((4, 4))
    one = State(
        w=rng.standard_normal((1, 25, 4)),
        mean=rng.standard_normal((1, 25, 4)),
        covariance=(root @ root.T + np.eye(4))[None],
        residual=np.array([0.7]),
    )
    dyads, unknown, precision, weighed = conditional(model, one)
    number = 20_000
    many = State(
        w=np.tile(one.w, (number, 1, 1)),
        mean=np.tile(one.mean, (number, 1, 1)),
        covariance=np.tile(one.covariance, (number, 1, 1)),
        residual=np.full(number, 0.7),
    )
    rng = np.random.default_rng(4)
    drawn = missing_drawn(model, many, [rng] * number)
    y, t = standard(rows["outcome"].to_numpy()), standard(rows["time"].to_numpy())
    sigma, seen = one.covariance[0], 0
    for place, j in enumerate(dyads):
        here = (rows["dyad"] == labels[int(j)]).to_numpy()
        lines = np.column_stack([np.ones(here.sum()), t[here]])
        # (u, z, y) of this dyad has one big covariance matrix; what is known is conditioned on.
        to_all = np.block([[np.eye(4)], [lines, np.zeros((here.sum(), 2))]])
        joint = to_all @ sigma @ to_all.T
        joint[4:, 4:] += 0.7 * np.eye(here.sum())
        centre = to_all @ one.mean[0, j]
        known = np.flatnonzero(np.concatenate([[False, False], ~np.isnan(z[j]), np.ones(here.sum(), bool)]))
        wanted = np.flatnonzero(unknown[place])
        observed = np.concatenate([[0.0, 0.0], z[j], y[here]])[known]
        gain = joint[np.ix_(wanted, known)] @ np.linalg.inv(joint[np.ix_(known, known)])
        mean = centre[wanted] + gain @ (observed - centre[known])
        spread = joint[np.ix_(wanted, wanted)] - gain @ joint[np.ix_(known, wanted)]
        inverse = np.linalg.inv(precision[0, place])
        agree("normal theory, dense", "E[u, z_mis]", np.abs((inverse @ weighed[0, place])[wanted] - mean).max(), 1e-11)
        agree("normal theory, dense", "Cov[u, z_mis]", np.abs(inverse[np.ix_(wanted, wanted)] - spread).max(), 1e-11)
        for row, column in enumerate(wanted):
            if column < 2:
                continue
            values, seen = drawn[:, j, column - 2], seen + 1
            assert abs(values.mean() - mean[row]) < 4.5 * np.sqrt(spread[row, row] / number)
            assert abs(values.var() / spread[row, row] - 1.0) < 4.5 * np.sqrt(2.0 / number)
    assert seen == np.isnan(z).sum()
    there = ~np.isnan(z)
    assert (drawn[:, there] == one.w[0, :, 2:][there]).all()


def test_without_gaps_the_sampler_has_the_exact_posterior():
    """Importance sampling of the restricted likelihood times the prior, in a study so small that the prior counts."""
    rng = np.random.default_rng(5)
    n, occasions = 14, np.array([0.0, 1.0, 2.0, 3.0])
    u = rng.standard_normal((n, 2)) * [1.0, 0.5]
    wide = u[:, :1] + u[:, 1:] * occasions + rng.standard_normal((n, 4))
    labels = pl.Series([str(j) for j in range(n)])
    rows = pl.DataFrame({"dyad": np.repeat(labels, 4), "time": np.tile(occasions, n), "outcome": wide.ravel()})
    model = imputation_model(rows, np.empty((n, 0)), np.empty((n, 0)), labels)
    state, generators, found = started(model, 40), chains(40), []
    for sweep in range(1_600):
        state = swept(model, state, generators)
        if sweep >= 100:
            found.append(np.column_stack([state.covariance[:, [0, 0, 1], [0, 1, 1]], state.residual]))
    per_chain = np.array(found).mean(axis=0)
    mean, error = per_chain.mean(axis=0), per_chain.std(axis=0, ddof=1) / np.sqrt(40)

    y, z = standard(wide.ravel()).reshape(n, 4), np.column_stack([np.ones(4), standard(np.tile(occasions, n))[:4]])
    draws, freedom, tail = 120_000, 6, 20
    scale = 1.5 * np.diag(model.guess)
    normal = rng.standard_normal((draws, freedom, 2)) @ np.linalg.cholesky(np.linalg.inv(scale)).T
    sigma = np.linalg.inv(normal.swapaxes(1, 2) @ normal)
    residual = tail * mean[3] / rng.chisquare(tail, draws)
    v = z @ sigma @ z.T + residual[:, None, None] * np.eye(4)
    inverse = np.linalg.inv(v)
    information = n * z.T @ inverse @ z
    average, around = y.mean(axis=0), y - y.mean(axis=0)
    beta = np.linalg.solve(information, n * (z.T @ inverse @ average)[..., None])[..., 0]
    off = average - beta @ z.T
    squares = np.einsum("rab,ab->r", inverse, around.T @ around) + n * np.einsum("ra,rab,rb->r", off, inverse, off)
    restricted = -0.5 * (n * np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1] + squares)
    precision, size = np.linalg.inv(sigma), np.linalg.slogdet(sigma)[1]

    def wishart(df: float, of: np.ndarray) -> np.ndarray:
        return -0.5 * ((df + 3.0) * size + np.einsum("rab,ba->r", precision, of))

    prior = wishart(3.0, np.diag(model.guess)) - 1.5 * np.log(residual) - 0.5 * model.residual / residual
    proposal = wishart(freedom, scale) - (0.5 * tail + 1.0) * np.log(residual) - 0.5 * tail * mean[3] / residual
    weight = restricted + prior - proposal
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    assert 1.0 / (weight**2).sum() > 4_000
    target = np.column_stack([sigma[:, [0, 0, 1], [0, 1, 1]], residual])
    exact = weight @ target
    noise = np.sqrt((weight**2) @ (target - exact) ** 2)
    assert (np.abs(mean - exact) < 4.0 * np.hypot(error, noise)).all()
    # The comparison can fail: it tells a few per cent.
    assert (4.0 * np.hypot(error, noise)[[0, 2, 3]] < 0.05 * exact[[0, 2, 3]]).all()


def test_without_gaps_the_posterior_is_centred_at_the_reml_estimates():
    rows, x, z, labels = small(300, 1)
    z = np.where(np.isnan(z), 0.1, z)
    model = imputation_model(rows, np.column_stack([x, z]), np.empty((300, 0)), labels)
    state, generators, found = started(model, 20), chains(20), []
    columns = np.column_stack([np.ones(300), x, z])
    for sweep in range(300):
        state = swept(model, state, generators)
        if sweep >= 100:
            beta = np.linalg.lstsq(columns, state.mean.transpose(1, 0, 2).reshape(300, -1))[0].reshape(3, 20, 2)
            entries = state.covariance[:, [0, 0, 1], [0, 1, 1]]
            found.append(np.column_stack([*beta.transpose(0, 2, 1).reshape(6, 20), entries, state.residual]))
    values = np.array(found).reshape(-1, 10)
    names = {"x": x[:, 0], "z": z[:, 0]}
    frame = rows.join(pl.DataFrame({"dyad": labels, **names}), on="dyad", maintain_order="left").with_columns(
        y=pl.Series(standard(rows["outcome"].to_numpy())), t=pl.Series(standard(rows["time"].to_numpy()))
    )
    reml = fit("y ~ t * (x + z) + (t | dyad)", frame)
    coefficients = dict(dl.coefficients(reml).select("term", "estimate").rows())
    beta = [coefficients[term] for term in ("(Intercept)", "t", "x", "t:x", "z", "t:z")]
    expected = np.array([*beta, *random_covariance(reml)[0][[0, 0, 1], [0, 1, 1]], reml.sigma**2])
    off = (values.mean(axis=0) - expected) / values.std(axis=0)
    assert np.abs(off[:6]).max() < 0.1
    assert np.abs(off[6:]).max() < 0.3  # means of skewed posteriors, and modes


def test_mice_gives_the_same():
    n, times = len(STUDY["outcome"]), np.arange(5.0)
    labels = [str(j) for j in range(n)]
    outcome = np.array(STUDY["outcome"]) / 1000.0
    rows = pl.DataFrame({"dyad": np.repeat(labels, 5), "time": np.tile(times, n), "outcome": outcome.ravel()})
    conv = np.array(STUDY["conv"]) / 1000.0
    age = np.array([np.nan if v is None else v / 1000.0 for v in STUDY["age"]])
    assert np.isnan(age).sum() == STUDY["n_missing"]
    values = impute(rows, conv[:, None], age[:, None], pl.Series(labels), imputations=60, seed=1)
    fits = []
    for one in values[:, :, 0]:
        dyads = pl.DataFrame({"dyad": labels, "conv": conv - conv.mean(), "age": one - one.mean()})
        fits.append(fit("outcome ~ time * (conv + age) + (time | dyad)", rows.join(dyads, on="dyad")))
    table = pooled_coefficients(fits, "normal")
    assert table["term"].to_list() == STUDY["terms"]
    se, between = np.array(STUDY["std_error"]), np.array(STUDY["between"])
    error = between * np.sqrt(1.0 / 60 + 1.0 / STUDY["imputations"])
    off = np.abs(table["estimate"].to_numpy() - STUDY["estimate"])
    # Besides Monte-Carlo error, mice's regression on five free outcomes differs from a growth model by chance.
    assert (off < 3.0 * error + 0.04 * se).all()
    assert np.abs(table["std_error"].to_numpy() / se - 1.0).max() < 0.06
    random = pooled_components(fits)["estimate"].to_numpy()
    r_order = [random[0], random[2], random[1], random[3]]
    assert np.abs(np.array(r_order) / STUDY["random"] - 1.0).max() < 0.06
    alone = dl.coefficients(
        fit("outcome ~ time * (conv + age) + (time | dyad)", rows.join(
            pl.DataFrame({"dyad": labels, "conv": conv, "age": age - np.nanmean(age)}).fill_nan(None), on="dyad"))
    )  # fmt: skip
    assert np.abs(alone["estimate"].to_numpy() - STUDY["estimate"]).max() > 3.0 * se[0]


def test_where_listwise_is_biased_imputation_is_not():
    found = simulated(20, 80, 4)
    names = list(TRUE)
    intercept = found["listwise"]["off"][:, 0]
    assert abs(intercept.mean()) > 10.0 * intercept.std() / 20**0.5
    assert found["listwise"]["covers"][:, 0].mean() < 0.5
    off = found["imputed"]["off"]
    assert (np.abs(off.mean(axis=0)) < 3.5 * off.std(axis=0, ddof=1) / 20**0.5).all(), names
    assert found["imputed"]["covers"].mean() > 0.88  # 120 intervals, of which 95 % should cover
    assert found["imputed"]["se"].mean(axis=0)[0] < found["listwise"]["se"].mean(axis=0)[0]


def test_the_same_seed_gives_the_same_digits_and_more_imputations_keep_the_first():
    rows, x, z, labels = small(20, 2)
    first = impute(rows, x, z, labels, imputations=4, seed=7)
    assert (first == impute(rows, x, z, labels, imputations=4, seed=7)).all()
    np.testing.assert_allclose(impute(rows, x, z, labels, imputations=6, seed=7)[:4], first, rtol=1e-12)
    gone = np.isnan(z)
    assert (impute(rows, x, z, labels, imputations=4, seed=8)[:, gone] != first[:, gone]).all()
    assert (first[:, ~gone] == z[~gone]).all()
    assert np.unique(first[:, gone]).size == first[:, gone].size


def test_predictors_that_repeat_each_other_are_imputed_as_such():
    rows, x, z, labels = small(120, 1)
    twice = np.column_stack([z, 3.0 * z + 1.0])
    twice[:8, 1] = np.nan
    known = ~np.isnan(z[:8, 0])
    drawn = impute(rows, np.column_stack([x, 2.0 * x, np.zeros(120)]), twice, labels, imputations=50, seed=1)
    assert np.isfinite(drawn).all()
    off = drawn[:, :8, 1][:, known] - (3.0 * z[:8][known] + 1.0)[:, 0]
    assert known.sum() >= 3 and off.std() < 0.15 * np.nanstd(twice[:, 1])
