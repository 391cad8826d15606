"""All models of ``../shared/data/reference_fits.csv``: one response by the contract's own script, and both raters."""

from __future__ import annotations

import csv
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

import dyadline as dl

SCRIPT = Path(__file__).resolve().parents[1] / "../shared/acceptance/fits.py"


def contract() -> ModuleType:
    """The script as a module: it derives the variables, fits, compares and prints."""
    if not SCRIPT.exists():
        pytest.skip("the reference fits (../shared) are not beside this checkout")
    spec = importlib.util.spec_from_file_location("acceptance_fits", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def largest_deviations(printed: str) -> dict[str, float]:
    """``{"estimate": 1.2e-6, …}`` from the script's last line."""
    last = printed.strip().splitlines()[-1]
    found = re.search(r"largest deviations: (.*)$", last)
    assert found, printed
    return {name: float(value) for name, value in re.findall(r"(\w+) ([0-9.e+-]+|nan|inf)", found[1])}


def test_two_level_reference_fits(capsys):
    module = contract()
    status = module.main("two")
    printed = capsys.readouterr().out
    with capsys.disabled():
        print(f"\n{printed.strip().splitlines()[-1]}")
    assert status == 0, printed
    worst = largest_deviations(printed)
    assert set(worst) == set(module.TOLERANCE)
    assert int(re.search(r"of (\d+) reference numbers", printed)[1]) >= 400


def test_the_parser_of_the_last_line():
    line = "x\n3 of 4 reference numbers agree; largest deviations: estimate 1.0e-05, df nan, criterion 0.0e+00"
    worst = largest_deviations(line)
    assert worst["estimate"] == 1e-5
    assert worst["criterion"] == 0.0


def test_random_effects_of_the_two_level_reference_fits(capsys):
    """Variances and covariances, which the contract leaves out; boundary fits too, where all of ours are unique."""
    module = contract()
    with open(module.DATA / "reference_fits.csv", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r["kind"] in ("variance", "covariance") and "lme4" in r["source"]]
    rows = [r for r in rows if (r["dataset"], r["model"]) not in module.THREE and "pipeline" not in r["model"]]
    worst, fits = 0.0, {}
    for row in rows:
        key = row["dataset"], row["model"]
        if key not in fits:
            fit = dl.fit(row["formula"], module.derive(*key), method=row["method"])
            fits[key] = {
                frozenset(filter(None, (c["term1"], c["term2"]))): c["estimate"]
                for c in dl.variance_components(fit).to_dicts()
            }
        found = fits[key][frozenset(row["parameter"].split(":", 1)[1].split(","))]
        scale = max(abs(float(row["value"])), 1e-4 * max(abs(v) for v in fits[key].values()))
        worst = max(worst, abs(found - float(row["value"])) / scale)
    with capsys.disabled():
        print(f"\n{len(rows)} variances and covariances in {len(fits)} models; largest relative deviation {worst:.1e}")
    assert len(rows) > 80
    assert worst < 1e-4


JOINT = {
    # Our formula, and our names for what the reference calls each rater and each slope.
    ("kashy_diary", "dyadic_growth"): (
        "cbind(man, woman) ~ t + (t | dyadid)",
        {"slope_m": "man:t", "slope_w": "woman:t", "M": "man", "F": "woman"},
    ),
    ("marital_quality", "dyadic_growth_reml"): (
        "cbind(husband, wife) ~ t + (t | couple)",
        {"husband_t": "husband:t", "wife_t": "wife:t", "H": "husband", "W": "wife"},
    ),
    ("marital_quality", "dyadic_growth_ml"): (
        "cbind(husband, wife) ~ t + (t | couple)",
        {"husband_t": "husband:t", "wife_t": "wife:t", "H": "husband", "W": "wife"},
    ),
    ("bl_work_stress_dyads", "apim_4re"): (
        "cbind(female, male) ~ f_wrkstrsc_b + f_wrkstrsc_w + m_wrkstrsc_b + m_wrkstrsc_w"
        " + (0 + female + male + female:f_wrkstrsc_w + male:m_wrkstrsc_w | coupleid)",
        {},
    ),
}
# In standard errors, relative, in SDs, absolute. nlme prints variances to about five digits.
ALLOWED = {"estimate": 2e-4, "std_error": 2e-4, "variance": 5e-4, "criterion": 1e-5}
STOPPED_EARLY = {"kashy_diary": 1, "marital_quality": 10, "bl_work_stress_dyads": 250}
"""nlme ended above the optimum: by .0022 in the criterion of `apim_4re`, by less than it prints in the marital data.
With tighter control it arrives at our log-likelihoods (−6025.93761834; −13090.51948834) and estimates
(docs/numerical_truth.md). So many times the usual deviation is allowed."""


def one_row_per_occasion(module: ModuleType, name: str) -> pl.DataFrame:
    """Both ratings side by side, as people who write ``cbind()`` have them."""
    frame = module.load(name)
    if name == "kashy_diary":
        men = frame.filter(pl.col("person") == 1)  # each row has both persons' answers
        return men.select("dyadid", t="time", man="satisf_A", woman="satisf_P")
    if name == "marital_quality":
        return frame.with_columns(t=pl.col("wave") - 1).rename({"husband_quality": "husband", "wife_quality": "wife"})
    return frame.rename({"f_reldis": "female", "m_reldis": "male"})


@pytest.mark.parametrize("key", JOINT, ids="/".join)
def test_models_of_both_raters_at_once(key, capsys):
    module = contract()
    formula, names = JOINT[key]
    with open(module.DATA / "reference_fits.csv", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if (r["dataset"], r["model"]) == key]
    fit = dl.fit(formula, one_row_per_occasion(module, key[0]), method=rows[0]["method"])
    assert fit.converged and fit.n_rows == int(rows[0]["n_obs"])
    fixed = {module.canonical(r["term"]): r for r in dl.coefficients(fit).to_dicts()}
    parts = {
        (r["group"], frozenset(module.canonical(t) for t in (r["term1"], r["term2"]) if t)): r["estimate"]
        for r in dl.variance_components(fit).to_dicts()
    }
    worst = dict.fromkeys(ALLOWED, 0.0)
    for row in rows:
        value = float(row["value"])
        terms = [module.canonical(names.get(p, p)) for p in row["parameter"].split(",")]
        if row["kind"] == "fixed":
            se = float(row["se"])
            quantity, deviation = "estimate", abs(fixed[terms[0]]["estimate"] - value) / se
            worst["std_error"] = max(worst["std_error"], abs(fixed[terms[0]]["std_error"] / se - 1.0))
        elif row["kind"] == "criterion":
            assert fit.criterion <= -2.0 * value + 1e-4  # nlme's is printed with nine digits
            quantity, deviation = "criterion", abs(fit.criterion + 2.0 * value) / abs(value)
        elif row["kind"] == "residual_correlation":
            found = next(v for (group, _), v in parts.items() if group == "Residual correlation")
            quantity, deviation = "variance", abs(found - value)
        else:
            group = "Residual" if row["kind"] == "residual_variance" else fit.design.groupings[0].name
            sizes = [parts[group, frozenset((t,))] for t in terms]
            found = parts[group, frozenset(terms)]
            quantity, deviation = "variance", abs(found - value) / float(np.sqrt(sizes[0] * sizes[-1]))
        worst[quantity] = max(worst[quantity], deviation)
    with capsys.disabled():
        print(f"\n{'/'.join(key)}: {len(rows)} numbers, largest deviations {worst}")
    assert len(rows) >= 18
    for quantity, deviation in worst.items():
        assert deviation <= ALLOWED[quantity] * STOPPED_EARLY[key[0]], quantity
