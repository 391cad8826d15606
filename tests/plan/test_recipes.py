"""Models 1 to 3 as the method writes them."""

from __future__ import annotations

import pytest

from dyadline.errors import PlanError
from dyadline.plan.document import make_plan
from dyadline.plan.model import RandomTerm, Variable, term_label
from dyadline.plan.recipes import outcome_model

COLUMNS = {"dyad": "d", "time": "s", "patient_rating": "p", "therapist_rating": "q", "outcome": "o"}
# Order of the terms: R 4.2.2, attr(terms(y ~ t * (baseline + ... + development * convergence)), "term.labels")
MODELS = {
    1: "(Intercept) time",
    2: "(Intercept) time baseline convergence time:baseline time:convergence",
    3: "(Intercept) time baseline early_patient early_therapist early_discrepancy development convergence "
    "development:convergence time:baseline time:early_patient time:early_therapist time:early_discrepancy "
    "time:development time:convergence time:development:convergence",
}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_models(number: int) -> None:
    spec = outcome_model(number, make_plan({"columns": COLUMNS}))
    assert " ".join(term_label(term) for term in spec.fixed) == MODELS[number]
    assert spec.response == Variable("outcome")
    assert spec.random == (RandomTerm(terms=((), (Variable("time"),)), group=("dyad",)),)


@pytest.mark.parametrize("levels", [3, "auto"])
def test_three_levels(levels: object) -> None:
    columns = COLUMNS | {"therapist": "th"}
    for slopes, terms in ((False, ((),)), (True, ((), (Variable("time"),)))):
        models = {"levels": levels, "therapist_slopes": slopes}
        plan = make_plan({"columns": columns, "models": models})
        for number in (1, 2, 3):
            spec = outcome_model(number, plan)
            assert " ".join(term_label(term) for term in spec.fixed) == MODELS[number]
            assert spec.random[0] == RandomTerm(terms=((), (Variable("time"),)), group=("dyad",))
            assert spec.random[1:] == (RandomTerm(terms=terms, group=("therapist",)),)
    assert len(outcome_model(2, plan, random="(1 | dyad)").random) == 1


def test_without_early_discrepancy() -> None:
    plan = make_plan({"columns": COLUMNS, "convergence": {"early_discrepancy": "none"}})
    assert len(outcome_model(3, plan).fixed) == 14
    assert "early_discrepancy" not in outcome_model(3, plan).columns


def test_covariates_enter_intercept_and_slope_of_models_2_and_3() -> None:
    covariates = ["n.sessions", "treatment arm", "a`b\\", "I(x)", "2nd", "log"]
    plan = make_plan({"columns": COLUMNS | {"covariates": covariates}})
    for number in (2, 3):
        fixed = outcome_model(number, plan).fixed
        for name in covariates:
            assert (Variable(name),) in fixed
            assert (Variable("time"), Variable(name)) in fixed
        assert len(fixed) == len(MODELS[number].split()) + 2 * len(covariates)
    assert len(outcome_model(1, plan).fixed) == 2


def test_there_are_three() -> None:
    with pytest.raises(PlanError, match="no Model 4"):
        outcome_model(4, make_plan({"columns": COLUMNS}))
