"""Tables of a power study from made-up arrays, against NumPy and SciPy, replicate by replicate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dyadline.plan.analysis import AnalysisPlan, ConvergenceSection
from dyadline.plan.truth import Truth
from dyadline.studies.power import summary
from dyadline.studies.power.design import Design, designed, only_convergence
from dyadline.studies.power.result import SCORES, TESTS
from dyadline.studies.power.summary import design_row, scores_table
from dyadline.studies.power.work import PowerWork
from dyadline.studies.twins import parameters

COLUMNS = {"dyad": "dyad", "time": "t", "patient_rating": "p", "therapist_rating": "q", "outcome": "y", "baseline": "b"}
PLAN = AnalysisPlan.model_validate({"columns": COLUMNS})
TRUTH = only_convergence(Truth.model_validate(parameters("study1")))
TERMS = ("convergence", "time:convergence")
N, ALPHA = 60, 0.1


def work(**more) -> PowerWork:
    made = designed(TRUTH, Design(effect=0.3))
    return PowerWork(truths=(made,), scores=(ConvergenceSection(),), plan=PLAN, models=(2,), seed=1, **more)


def arrays(seed: int, effect: float = 0.4) -> dict[str, np.ndarray]:
    """Two terms of 60 replicates, some without an answer for one reason or another."""
    rng = np.random.default_rng(seed)
    found = {}
    true = effect + 0.1 * rng.standard_normal((N, 2))
    for kind, estimate in (("error-free", true), ("estimated", 0.7 * true + 0.1 * rng.standard_normal((N, 2)))):
        key = f"0.2.{kind}"
        found |= {
            f"{key}.estimate": estimate,
            f"{key}.std_error": rng.uniform(0.08, 0.2, (N, 2)),
            f"{key}.df": rng.uniform(5.0, 90.0, (N, 2)),
            f"{key}.converged": np.ones(N, dtype=bool),
            f"{key}.singular": rng.uniform(size=N) < 0.2,
        }
    own = "0.2.estimated"
    found[f"{own}.converged"][[3, 4]] = False
    found[f"{own}.estimate"][7, 1] = np.nan  # one term alone
    found[f"{own}.std_error"][8] = np.nan
    found[f"{own}.std_error"][9] = 0.0
    found[f"{own}.df"][10] = np.nan
    found[f"{own}.df"][11] = np.inf
    found["0.2.error-free.converged"][20] = False
    return found


def answers(found, kind: str, place: int) -> list[tuple[float, float, float] | None]:
    key = f"0.2.{kind}"
    made = []
    for k in range(len(found[f"{key}.estimate"])):
        one = tuple(float(found[f"{key}.{name}"][k, place]) for name in ("estimate", "std_error", "df"))
        fine = found[f"{key}.converged"][k] and not np.isnan(one).any() and one[1] > 0
        made.append(one if fine else None)
    return made


def significant(one: tuple[float, float, float] | None) -> bool:
    return one is not None and 2.0 * stats.t.sf(abs(one[0] / one[1]), one[2]) < ALPHA


def share(hits: int, trials: int) -> tuple[float, float, float]:
    interval = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    return hits / trials, interval.low, interval.high


def row(table, term: str) -> dict:
    (found,) = table.filter(table["term"] == term).to_dicts()
    return found


def table(arrays_by_design, lost, nulls=None):
    rows = [design_row(0, TRUTH, Design(effect=0.3), designed(TRUTH, Design(effect=0.3)))]
    return summary.tests_table(work(), arrays_by_design, lost, ALPHA, rows, nulls or {})


@pytest.mark.parametrize("place", [0, 1])
def test_every_measure_is_that_of_plain_arithmetic(place):
    found, null = arrays(1), arrays(2, effect=0.0)
    made = row(table({0: found, 1: null}, {0: 3, 1: 1}, {0: 1}), TERMS[place])
    own, true = answers(found, "estimated", place), answers(found, "error-free", place)
    known = [one for one in own if one is not None]
    assert len(known) == N - 5 - place
    assert made["replicates"] == N + 3 and made["failed"] == N + 3 - len(known)
    shares = {
        "power": share(sum(map(significant, own)), N + 3),
        "type_i": share(sum(map(significant, answers(null, "estimated", place))), N + 1),
    }
    pairs = [(a, b) for a, b in zip(own, true, strict=True) if a is not None and b is not None]
    target = np.mean([b[0] for _, b in pairs])
    inside = [abs(a[0] - target) <= stats.t.ppf(0.975, a[2]) * a[1] for a, _ in pairs]
    shares["coverage"] = share(sum(inside), len(pairs))
    for name, (middle, low, high) in shares.items():
        assert [made[name], made[f"{name}_low"], made[f"{name}_high"]] == pytest.approx([middle, low, high], rel=1e-9)
    assert made["power_error_free"] == sum(map(significant, true)) / (N + 3)
    estimates = np.array([one[0] for one in known])
    assert made["estimate"] == pytest.approx(estimates.mean(), rel=1e-12)
    assert made["sd_estimates"] == pytest.approx(estimates.std(ddof=1), rel=1e-12)
    assert made["std_error"] == pytest.approx(np.mean([one[1] for one in known]), rel=1e-12)
    x, y = np.array([[a[0], b[0]] for a, b in pairs]).T
    assert made["true_effect"] == pytest.approx(y.mean(), rel=1e-12)
    assert made["bias"] == pytest.approx((x - y).mean(), rel=1e-12)
    assert made["bias_error"] == pytest.approx((x - y).std(ddof=1) / np.sqrt(len(x)), rel=1e-12)
    # Delta method, written out: the gradient of mean(x)/mean(y).
    gradient = np.array([1.0 / y.mean(), -x.mean() / y.mean() ** 2])
    error = np.sqrt(gradient @ np.cov(x, y) @ gradient / len(x))
    ratio = x.mean() / y.mean()
    expected = [ratio, ratio - stats.norm.ppf(0.975) * error, ratio + stats.norm.ppf(0.975) * error]
    assert [made[f"attenuation{end}"] for end in ("", "_low", "_high")] == pytest.approx(expected, rel=1e-9)


def test_singular_is_a_share_of_the_fits_that_have_an_answer():
    found = arrays(1)
    singular = found["0.2.estimated.singular"]
    kept = [k for k in range(N) if k not in (3, 4, 8, 9, 10)]
    assert row(table({0: found}, {}), "convergence")["singular"] == pytest.approx(np.mean(singular[kept]), rel=1e-12)


def test_a_ratio_to_what_may_be_nothing_is_not_given():
    found = arrays(3, effect=0.0)
    made = row(table({0: found}, {}), "time:convergence")
    assert made["attenuation"] is made["attenuation_low"] is None
    assert made["bias"] is not None and made["type_i"] is None


@pytest.mark.parametrize("kept", [0, 1])
def test_nothing_is_made_up_where_there_is_next_to_nothing(kept):
    found = arrays(1)
    found["0.2.estimated.converged"][kept:] = False
    made = row(table({0: found}, {}), "time:convergence")
    assert made["failed"] == N - kept and made["power"] <= kept / N
    assert made["sd_estimates"] is made["bias_error"] is made["attenuation"] is None
    assert (made["estimate"] is None) == (kept == 0)


def test_a_design_of_failures_alone_is_shown_and_one_without_anything_is_not():
    made = row(table({0: {}, 1: {}}, {0: 8}, {0: 1}), "time:convergence")
    assert (made["replicates"], made["failed"], made["power"], made["type_i"]) == (8, 8, 0.0, None)
    assert made["power_high"] == pytest.approx(stats.binomtest(0, 8).proportion_ci(method="wilson").high, rel=1e-9)
    assert made["estimate"] is made["coverage"] is made["singular"] is None
    assert table({0: {}}, {}).is_empty() and dict(table({0: {}}, {}).schema) == TESTS


def test_scores_without_errors_are_told_where_they_were_made():
    shown = [design_row(0, TRUTH, Design(effect=0.3), designed(TRUTH, Design(effect=0.3)))]
    x, y = np.random.default_rng(4).standard_normal((2, 3, 30))
    pairs = np.stack([np.full(3, 30.0), *(v.sum(axis=1) for v in (x, y, x * x, y * y, x * y))], axis=1)
    found = {"0.validity": pairs, "0.reliability": pairs, "0.without": np.array([0.0, 0.1, 0.2])}
    (made,) = scores_table(work(), {0: found}, shown).to_dicts()
    within = [np.concatenate([row - row.mean() for row in values]) for values in (x, y)]
    r = float(np.corrcoef(*within)[0, 1])
    assert made["validity"] == pytest.approx(r, rel=1e-9) and made["reliability"] == pytest.approx(r * r, rel=1e-9)
    assert made["without"] == pytest.approx(0.1)
    del found["0.reliability"]
    assert scores_table(work(), {0: found}, shown)["reliability"].item() is None
    assert dict(scores_table(work(), {0: {}}, shown).schema) == SCORES
