"""What a model says must not depend on order, labels, zero points, units or who is called first: drawn by hypothesis.

Two and three levels, joint models and serial correlations; shifts of a million, factors of a million.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dyadline as dl
from dyadline.engine.criterion import evaluate
from dyadline.engine.moments import moments, together

MODELS = {
    "two levels": ("y ~ t * x + (t | d)", None),
    "three levels": ("y ~ t * x + (t | d) + (1 | h)", None),
    "slopes at both": ("y ~ t * x + (t | h/d)", None),
    "serial": ("y ~ t * x + (1 | d)", "ar1(occasion)"),
    "both raters": ("cbind(y, y2) ~ t + (t | d)", None),
}
drawn = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
seeds = st.integers(0, 10_000)
factors = st.sampled_from([1e-6, 1e-3, 7.0, 1e6])
shifts = st.sampled_from([-1e6, -3.5, 1e3, 1e6])
models = st.sampled_from(sorted(MODELS))


def study(seed: int) -> pl.DataFrame:
    """Eight therapists with six dyads each, unbalanced, every variance well inside: no fit needs all starts."""
    rng = np.random.default_rng(seed)
    h = np.repeat(np.arange(8), 6)
    d = np.repeat(np.arange(48), 7)
    t = np.tile(np.arange(7.0), 48)
    x = rng.normal(size=48)
    b, u = rng.normal(size=(48, 2)) @ [[1.5, 0.1], [0.0, 0.5]], rng.normal(size=(8, 2)) @ [[1.0, 0.1], [0.0, 0.3]]
    common = b[d, 0] + u[h[d], 0] + (b[d, 1] + u[h[d], 1]) * t
    noise = rng.normal(size=(2, d.size))
    frame = pl.DataFrame(
        {
            "h": [f"h{k}" for k in h[d]],
            "d": [f"d{k}" for k in d],
            "t": t,
            "occasion": t,
            "x": x[d],
            "y": 5 - t + x[d] + common + noise[0],
            "y2": 6 - 0.5 * t + 0.6 * common + 0.4 * noise[0] + 0.8 * noise[1] + rng.normal(size=48)[d],
        }
    )
    return frame.filter(pl.Series(rng.random(d.size) > 0.12))


def answer(name: str, frame: pl.DataFrame) -> tuple[dl.Fit, dict[str, dict[str, float]]]:
    formula, residual = MODELS[name]
    fit = dl.fit(formula, frame, residual=residual)
    return fit, {row["term"]: row for row in dl.coefficients(fit).to_dicts()}


def assert_same(one, other, terms, factor=1.0) -> None:
    for term in terms:
        size = max(abs(one[term]["estimate"]), one[term]["std_error"])
        assert abs(other[term]["estimate"] - factor * one[term]["estimate"]) <= 1e-6 * abs(factor) * size, term
        assert other[term]["std_error"] == pytest.approx(abs(factor) * one[term]["std_error"], rel=1e-6), term
        assert other[term]["df"] == pytest.approx(one[term]["df"], rel=1e-4), term


def with_time(rows: dict[str, dict[str, float]]) -> list[str]:
    return [term for term in rows if "t" in term.split(":")]


@drawn
@given(name=models, seed=seeds)
def test_rows_shuffled_and_labels_renamed(name, seed):
    frame = study(seed)
    fit, rows = answer(name, frame)
    renamed = frame.sample(fraction=1.0, shuffle=True, seed=seed).with_columns(
        d="another " + pl.col("d").str.reverse(), h=pl.col("h").str.slice(1).cast(pl.Int64) * 37 % 101
    )
    other_fit, other = answer(name, renamed)
    assert other_fit.criterion == pytest.approx(fit.criterion, rel=1e-9)
    assert_same(rows, other, rows)


@drawn
@given(name=models, seed=seeds, shift=shifts)
def test_outcome_shifted(name, seed, shift):
    frame = study(seed)
    fit, rows = answer(name, frame)
    other_fit, other = answer(name, frame.with_columns(pl.col("y", "y2") + shift))
    assert other_fit.criterion == pytest.approx(fit.criterion, rel=1e-7)
    assert_same(rows, other, with_time(rows))


@drawn
@given(name=models, seed=seeds, factor=factors)
def test_outcome_in_other_units(name, seed, factor):
    frame = study(seed)
    fit, rows = answer(name, frame)
    other_fit, other = answer(name, frame.with_columns(pl.col("y", "y2") * factor))
    free = fit.n_rows - len(rows)
    assert other_fit.criterion - fit.criterion == pytest.approx(2 * free * np.log(factor), rel=1e-7)
    assert_same(rows, other, rows, factor)


@drawn
@given(name=models, seed=seeds, shift=shifts, factor=factors)
def test_time_shifted_and_in_other_units(name, seed, shift, factor):
    frame = study(seed)
    fit, rows = answer(name, frame)
    moved = frame.with_columns(t=pl.col("t") * factor + shift * factor)
    other_fit, other = answer(name, moved)
    slopes = with_time(rows)
    assert_same(rows, other, slopes, 1.0 / factor)
    # REML's log|X'V⁻¹X| knows the units of the columns with time.
    assert other_fit.criterion == pytest.approx(fit.criterion + 2 * len(slopes) * np.log(factor), rel=1e-6)


@drawn
@given(seed=seeds)
def test_raters_swapped(seed):
    frame = study(seed)
    one, other = (dl.fit(f"cbind({names}) ~ t + (t | d)", frame) for names in ("y, y2", "y2, y"))
    assert other.criterion == pytest.approx(one.criterion, rel=1e-9)
    assert_same(*({row["term"]: row for row in dl.coefficients(f).to_dicts()} for f in (one, other)), ["y", "y2:t"])


@drawn
@given(seed=seeds, data=st.data())
def test_moments_of_any_partition_of_dyads_are_those_of_the_whole(seed, data):
    """Two and three levels, forms of a residual included: to 1e-12, in the moments and in what they say."""
    name = data.draw(st.sampled_from(["two levels", "slopes at both", "both raters"]))
    fit, _ = answer(name, study(seed))
    source, residual = fit.design.source, fit.design.residual
    whole = fit.design.moments
    places = [groups for _, _, groups in source.parts(1)]  # one outermost group at a time
    cuts = sorted(data.draw(st.sets(st.integers(1, len(places) - 1), min_size=1, max_size=6)))
    pieces = []
    for begin, end in zip([0, *cuts], [*cuts, len(places)], strict=True):
        groups = slice(places[begin].start, places[end - 1].stop)
        last = source.starts[groups.stop] if groups.stop < len(source.starts) else source.n
        rows = slice(int(source.starts[groups.start]), int(last))
        part = source.rows(rows, groups)
        found = moments(part.columns, part.random, part.starts, part.above, part.unit)
        forms = residual.accumulated(part, rows, groups)
        pieces.append(replace(found, forms=forms))
    joined = together(pieces)
    size = np.sqrt(np.outer(np.diag(whole.total), np.diag(whole.total)))
    assert (np.abs(joined.total - whole.total) <= 1e-12 * size).all()
    assert (np.abs(joined.within - whole.within) <= 1e-12 * size).all()
    assert (joined.n_rows, joined.n_groups, len(joined.counts)) == (whole.n_rows, whole.n_groups, len(whole.counts))
    a, b = (evaluate(m, fit.design.structure, fit.solution.theta) for m in (whole, joined))
    assert b.criterion("REML") == pytest.approx(a.criterion("REML"), rel=1e-12)
    assert (np.abs(b.products - a.products) <= 1e-12 * size).all()
