"""What is not observed is missing as often, and for the reasons, that the truth states."""

from __future__ import annotations

import numpy as np
import pytest

from dyadline.engine.moments import Array
from dyadline.studies.simulation.draw import draw
from true_studies import seeds, truth

MANY = 40_000


def logistic(x: Array, y: Array) -> tuple[Array, Array]:
    """Coefficients of a logistic regression by Newton's method, and their standard errors."""
    beta = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ beta))
        information = (x * (p * (1 - p))[:, None]).T @ x
        beta = beta + np.linalg.solve(information, x.T @ (y - p))
    return beta, np.sqrt(np.diag(np.linalg.inv(information)))


def test_drop_out_at_a_constant_rate():
    one = draw(truth({"missing": {"drop_out": 0.1, "always": 2}}, dyads=MANY), seeds())
    there = np.isfinite(one.outcome[0])
    assert there[:, :2].all()
    assert (there[:, 1:] <= there[:, :-1]).all()
    stayed = there.mean(axis=0)[2:]
    wanted = 0.9 ** np.arange(1, 5)
    assert (np.abs(stayed - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / MANY)).all()
    np.testing.assert_array_equal(np.isfinite(one.patient[0]), there)


def test_drop_out_depends_on_time_and_what_was_observed_last():
    how = {"rate": 0.15, "time": 0.2, "outcome": 0.6, "patient": -0.5, "therapist": 0.3}
    asked = truth({"missing": {"drop_out": how, "always": 1}, "outcome.slope.early_patient": 0.5}, dyads=MANY)
    one = draw(asked, seeds())
    there = np.isfinite(one.outcome[0])
    t = one.time - 1.0
    line_variance = {
        "patient": 1.15**2 + 2 * t * -0.25 * 1.15 * 0.25 + t**2 * 0.25**2 + 0.45**2,
        "therapist": 0.75**2 + 2 * t * -0.2 * 0.75 * 0.2 + t**2 * 0.2**2 + 0.42**2,
        "outcome": 49.0 - 2 * t * 1.9 + t**2 * (1.2 + 0.25 * 1.15**2) + 18.0,
    }
    mean = {"patient": 4.9 + 0.065 * t, "therapist": 5.1 + 0.035 * t, "outcome": 32.0 - 0.9 * t}
    z = {name: (getattr(one, name)[0] - mean[name]) / np.sqrt(line_variance[name]) for name in mean}
    rows, ended = [], []
    for k in range(1, 6):
        at_risk = there[:, k - 1]
        columns = [np.ones(at_risk.sum()), np.full(at_risk.sum(), k - 1.0)]
        rows.append(
            np.column_stack([*columns, *(z[name][at_risk, k - 1] for name in ("outcome", "patient", "therapist"))])
        )
        ended.append(~there[at_risk, k])
    found, error = logistic(np.concatenate(rows), np.concatenate(ended).astype(float))
    wanted = [np.log(0.15 / 0.85), 0.2, 0.6, -0.5, 0.3]
    # The outcome's moments over all dyads come from a draw, so that its mean is known to .01 SD.
    assert (np.abs(found - wanted) < 4 * error + [0.01, 0, 0.01, 0, 0]).all()


def test_what_was_skipped_is_not_what_drop_out_depends_on():
    """An ending after a skipped occasion goes with the value before it: the last that was observed."""
    changes = {"missing": {"drop_out": {"rate": 0.2, "outcome": 2.0}, "skipped": 0.5, "always": 1}}
    large = draw(truth(changes, occasions=[1, 2, 3], dyads=200_000), seeds()).outcome[0]
    first = (large[:, 0] - 32.0) / np.sqrt(49.0 + 18.0)
    # Second occasion not observed; the third is observed if it goes on twice and is not skipped.
    lost = np.isnan(large[:, 1])
    for low, high in ((-1.5, -1.0), (-0.25, 0.25), (1.0, 1.5)):
        here = lost & (first > low) & (first < high)
        ends = 1 / (1 + np.exp(-(np.log(0.25) + 2.0 * first[here])))
        goes_on = (1 - ends) * 0.5 * (1 - ends) * 0.5
        wanted = goes_on / (ends + (1 - ends) * 0.5)
        seen = np.isfinite(large[here, 2])
        assert abs(seen.mean() - wanted.mean()) < 4 * np.sqrt(wanted.mean() / here.sum())


def test_no_rate_means_no_drop_out_whatever_else_is_said():
    one = draw(truth({"missing.drop_out": {"rate": 0.0, "outcome": 3.0}}), seeds())
    assert np.isfinite(one.outcome).all()


def test_skipped_occasions_and_forms():
    missing = {"skipped": 0.2, "form": 0.1, "outcome_form": 0.15, "always": 2}
    one = draw(truth({"missing": missing, "rated": [1, 3, 4, 8]}, dyads=MANY), seeds())
    outcome, patient, therapist = (np.isfinite(values[0]) for values in (one.outcome, one.patient, one.therapist))
    rated = [0, 2, 3, 5]
    assert outcome[:, 0].all()
    assert patient[:, 0].all()
    assert not patient[:, [1, 4]].any()

    def near(share: Array, wanted: float) -> bool:
        return bool((np.abs(share - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / MANY)).all())

    assert near(outcome[:, 1].mean(), 0.85)
    assert near(outcome[:, 2:].mean(axis=0), 0.8 * 0.85)
    assert near(patient[:, rated[1:]].mean(axis=0), 0.8 * 0.9)
    both = (patient & therapist)[:, rated[1:]]
    assert near(both.mean(axis=0), 0.8 * 0.81)
    # Forms are missing independently of each other, but together at a skipped occasion.
    assert near((outcome & patient & therapist)[:, rated[1:]].mean(axis=0), 0.8 * 0.81 * 0.85)


def test_lengths_are_log_normal_above_the_least():
    from scipy.stats import lognorm

    changes = {"length": {"median": 34, "log_sd": 0.9, "least": 20}, "sessions": [1, 3, 12, 20, 30]}
    changes["names"] = {"time": "occasion"}
    one = draw(truth(changes, dyads=MANY), seeds())
    n = one.n_sessions[0]
    assert n.min() == 20
    law = lognorm(0.9, scale=34)
    tail = law.sf(19.5)

    def below(x: Array) -> Array:
        return (law.cdf(x + 0.5) - law.cdf(19.5)) / tail

    found = np.array([(n <= x).mean() for x in (20, 30, 50, 100, 300)])
    wanted = below(np.array([20, 30, 50, 100, 300]))
    assert (np.abs(found - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / MANY)).all()
    assert np.isfinite(one.outcome).all()  # with sessions, the number is a column and nothing ends


def test_occasions_after_the_last_session_do_not_take_place():
    one = draw(truth({"length": {"median": 4, "log_sd": 0.6, "least": 1}}, dyads=500), seeds())
    np.testing.assert_array_equal(np.isfinite(one.outcome[0]), one.time <= one.n_sessions[0][:, None])


def test_equal_lengths():
    one = draw(truth({"length": {"median": 6, "log_sd": 0.0, "least": 2}}), seeds())
    assert (one.n_sessions == 6).all()
    assert np.isfinite(one.outcome[..., :5]).all()
    assert np.isnan(one.outcome[..., 5]).all()


@pytest.mark.parametrize("median", [1e-6, 1e12])
def test_lengths_far_from_the_least_are_finite(median):
    n = draw(truth({"length": {"median": median, "log_sd": 0.5, "least": 2}}), seeds()).n_sessions
    assert (n >= 2).all()
    assert (n <= 1_000_000).all()
