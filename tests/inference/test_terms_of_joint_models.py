"""Joint tests and simple slopes of models with several outcomes, and of terms however their names are written."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import dyadline as dl


def frame() -> pl.DataFrame:
    rng = np.random.default_rng(9)
    dyad = np.repeat(np.arange(30), 5)
    columns = {"week": np.tile(np.arange(5.0), 30), "x": rng.normal(size=30)[dyad]}
    ratings = {name: rng.normal(size=30)[dyad] + rng.normal(size=150) for name in ("p", "t")}
    return pl.DataFrame({"dyad": dyad, "arm": np.array(["a", "b", "c"])[dyad % 3], **columns, **ratings})


@pytest.fixture(scope="module")
def joint():
    return dl.fit("cbind(p, t) ~ week * arm + p:x + (1 | dyad)", frame())


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("week", ["p:week", "t:week"]),
        ("arm", ["p:armb", "p:armc", "t:armb", "t:armc"]),
        ("week:arm", ["p:week:armb", "p:week:armc", "t:week:armb", "t:week:armc"]),
        ("arm:week:t", ["t:week:armb", "t:week:armc"]),
        ("x", ["p:x"]),
    ],
)
def test_a_term_stands_for_that_of_each_outcome(joint, asked, meant):
    found, want = (dl.f_test(joint, one).row(0)[1:] for one in (asked, meant))
    assert found == pytest.approx(want, rel=1e-9)


def test_slopes_of_each_outcome(joint):
    found = dl.simple_slopes(joint, "week", {"arm": ["a", "c"]})
    want = dl.contrasts(joint, ["p:week", "p:week + p:week:armc", "t:week", "t:week + t:week:armc"])
    assert found["contrast"].to_list() == [f"{rater}:week at arm = {arm}" for rater in "pt" for arm in "ac"]
    np.testing.assert_allclose(found["p_value"], want["p_value"])
    assert dl.simple_slopes(joint, "x")["contrast"].to_list() == ["p:x"]
    one = dl.simple_slopes(joint, "week", {"t": 1.0})
    np.testing.assert_allclose(one["estimate"], want["estimate"][2])


def test_a_slope_that_is_zero_by_the_model_is_no_question():
    fit = dl.fit("p ~ x + x:week + (1 | dyad)", frame())
    with pytest.raises(dl.PlanError, match="week at zero, whatever the data"):
        dl.simple_slopes(fit, "week")
    assert dl.simple_slopes(fit, "week", {"x": 2.0})["estimate"][0] == pytest.approx(
        2.0 * dl.coefficients(fit)["estimate"][2]
    )


def test_terms_in_back_quotes_and_in_any_order():
    odd = frame().rename({"week": "my week", "arm": "arm:x"})
    fit = dl.fit("p ~ `my week` * `arm:x` + (1 | dyad)", odd)
    plain = dl.fit("p ~ week * arm + (1 | dyad)", frame())
    want = dl.f_test(plain, "week:arm").row(0)[1:]
    for asked in ("my week:arm:x", "`my week`:`arm:x`", "`arm:x`:`my week`"):
        assert dl.f_test(fit, asked).row(0)[1:] == pytest.approx(want, rel=1e-12)
