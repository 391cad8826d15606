"""Designs: what changes with dyads, occasions, drop-out and therapists, and what stays."""

from __future__ import annotations

import numpy as np
import pytest

from dyadline.errors import PlanError
from dyadline.plan.truth import Truth
from dyadline.studies.power.design import (
    Design,
    as_latent,
    designed,
    grid,
    only_convergence,
    patients_per_therapist,
    share_lost,
    without_effect,
)
from dyadline.studies.simulation.draw import draw
from dyadline.studies.twins import parameters


def twin(study: str = "study1") -> Truth:
    return only_convergence(Truth.model_validate(parameters(study)))


def seen_last(truth: Truth, count: int = 60) -> float:
    """Share of dyads with an outcome at the last occasion."""
    drawn = draw(truth, [np.random.SeedSequence(9, spawn_key=(k,)) for k in range(count)])
    return float(np.isfinite(drawn.outcome[:, :, -1]).mean())


def test_the_grid_has_each_combination_once():
    designs = grid(effects=[0.3, 0.3, 0.0], dyads=[60, 80], sessions=[3, 14, 3])
    assert len(designs) == len(set(designs)) == 2 * 2 * 2
    assert [d.dyads for d in designs[:2]] == [60, 80]


def test_nothing_asked_for_leaves_the_study_but_for_its_effect():
    given = twin()
    made = designed(given, Design(effect=0.3))
    assert made.outcome.effect == 0.3
    assert made.model_copy(update={"outcome": given.outcome, "therapists": given.therapists}) == given


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_drop_out_is_the_share_that_is_lost(share):
    given = twin()
    still = given.model_copy(update={"missing": given.missing.model_copy(update={"skipped": 0.0})})
    made = designed(still, Design(effect=0.0, drop_out=share, dyads=100))
    assert share_lost(made) == pytest.approx(share, abs=1e-12)
    assert seen_last(made) == pytest.approx(1.0 - share, abs=4.0 * np.sqrt(share * (1 - share) / 6000) + 1e-12)


@pytest.mark.parametrize("sessions", [3, 5, 8, 14, 20, 28])
def test_fewer_occasions_lose_as_many_over_the_same_time(sessions):
    given = twin()
    still = given.model_copy(update={"missing": given.missing.model_copy(update={"skipped": 0.0, "drop_out": 0.05})})
    made = designed(still, Design(effect=0.0, sessions=sessions, dyads=100))
    rated = made.rated_occasions
    assert len(rated) == sessions and rated[0] == 1.0
    assert rated[-1] == (14.0 if sessions <= 14 else float(sessions))
    assert np.ptp(np.diff(rated)) <= 1.0
    # A therapy that goes on in the same steps ends with the same chance before each: 3 sessions of each never miss.
    assert share_lost(made) == pytest.approx(1.0 - 0.95 ** max(11, sessions - 3), abs=1e-12)
    assert seen_last(made) == pytest.approx(1.0 - share_lost(made), abs=0.025)


def test_longer_therapies_end_with_the_same_chance_where_it_depends_on_scores():
    given = twin()
    rule = {"rate": 0.05, "time": 0.1, "outcome": 0.4}
    missing = given.missing.model_validate({**given.missing.model_dump(), "drop_out": rule})
    made = designed(given.model_copy(update={"missing": missing}), Design(effect=0.0, sessions=28))
    assert made.missing.drop_out.rate == pytest.approx(0.05, abs=1e-12)
    assert made.missing.drop_out.time == pytest.approx(0.1, abs=1e-12)


def test_an_outcome_with_occasions_of_its_own_keeps_them():
    own = (1.0, 2.0, 4.0, 6.0, 14.0)
    given = Truth.model_validate(twin().model_dump() | {"measured": own})
    for sessions in (3, 8, 14, 20):
        made = designed(given, Design(effect=0.3, sessions=sessions))
        assert made.measured == own and set(own) <= set(made.occasions)
        drawn = draw(made, [np.random.SeedSequence(1)])
        assert np.isfinite(drawn.outcome[0]).any(axis=0).tolist() == [t in own for t in made.occasions]
        assert len(made.rated_occasions) == np.isfinite(drawn.patient[0]).any(axis=0).sum() == sessions


def test_outcomes_that_go_without_ratings_stay():
    given = twin("study2")
    made = designed(given, Design(effect=0.3, sessions=2))
    assert made.rated_occasions == (1.0, 3.0)
    assert made.occasions == (0.0, 1.0, 3.0, 4.0)
    assert designed(given, Design(effect=0.3, sessions=3)).occasions == given.occasions


@pytest.mark.parametrize("per", [1.0, 3.0, 6.0, 24.0])
def test_patients_per_therapist(per):
    made = designed(twin(), Design(effect=0.3, dyads=96, per_therapist=per))
    assert patients_per_therapist(made) == pytest.approx(per)
    drawn = draw(made, [np.random.SeedSequence(1)])
    assert len(np.unique(drawn.provider)) == sum(made.therapists.values())


def test_therapists_grow_with_dyads():
    made = designed(twin(), Design(effect=0.3, dyads=192))
    assert made.therapists == {"CBT": 50, "IPT": 18}


def test_what_goes_with_convergence_is_left_out_or_kept():
    given = Truth.model_validate(parameters("study1"))
    clean, whole = only_convergence(given), as_latent(given)
    assert clean.outcome.slope.development == 0.0 and clean.outcome.fixed.baseline == 0.77
    assert whole.outcome.slope.development == -0.87 and whole.outcome.slope.convergence == 0.0
    still = without_effect(whole)
    for part in (still.outcome.fixed, still.outcome.slope):  # a null hypothesis is one for every test of convergence
        assert part.convergence == part.product == 0.0
    assert still.outcome.slope.development == -0.87
    assert clean.outcome.given == whole.outcome.given == "latent"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"dyads": 5}, "at least 10 dyads"),
        ({"sessions": 1}, "at least 2 occasions"),
        ({"drop_out": 1.0}, "Drop-out is a share"),
        ({"per_therapist": 90.0}, "90 patients per therapist"),
        ({"per_therapist": 48.0}, "48 patients per therapist"),  # two arms, two therapists each
        ({"effect": 1.5}, "between −1 and 1, not 1.5"),
        ({"effect": float("nan")}, "between −1 and 1, not nan"),
        ({"per_therapist": 0.5}, "0.5 patients per therapist"),
    ],
)
def test_a_design_that_cannot_be_is_a_sentence(wrong, words):
    with pytest.raises(PlanError, match=words):
        designed(twin(), Design(**{"effect": 0.3, **wrong}))


def test_an_effect_on_slopes_that_do_not_vary_is_refused_before_anything_is_drawn():
    given = twin()
    random = given.outcome.random.model_copy(update={"slope": 0.0, "covariance": 0.0})
    still = given.model_copy(update={"outcome": given.outcome.model_copy(update={"random": random})})
    assert designed(still, Design(effect=0.0)).outcome.effect == 0.0
    with pytest.raises(PlanError, match="needs slopes of the outcome that vary"):
        designed(still, Design(effect=0.3))
