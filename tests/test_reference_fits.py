"""All two-level single-response models of ``../shared/data/reference_fits.csv``, by the contract's own script."""

from __future__ import annotations

import csv
import importlib.util
import re
from pathlib import Path
from types import ModuleType

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
