"""Alliance convergence and outcome: from session ratings to scores, models and a report.

>>> import dyadline as dl
>>> result = dl.run(dl.read_plan("study.toml"))            # doctest: +SKIP
>>> dl.write_report(result, "report.html")                 # doctest: +SKIP

Everything is imported when first used, so that `import dyadline` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dyadline.certification import certify
    from dyadline.errors import DataError, DyadlineError, Finding, FitError, PlanError
    from dyadline.inference.bootstrap import Bootstrap, bootstrap
    from dyadline.inference.checks import checks
    from dyadline.inference.coefficients import coefficients
    from dyadline.inference.compare import compare, random_effect_test
    from dyadline.inference.contrasts import contrasts, f_test, simple_slopes
    from dyadline.inference.criteria import information_criteria
    from dyadline.inference.explained import pseudo_r_squared, r_squared
    from dyadline.inference.influence import Influence, influence
    from dyadline.inference.intraclass import icc
    from dyadline.inference.modes import random_effects
    from dyadline.inference.power import SlopePower, power_slope
    from dyadline.inference.profile import confidence_intervals
    from dyadline.inference.residuals import residuals
    from dyadline.inference.robust import robust_coefficients, robust_covariance
    from dyadline.inference.standardised import standardised
    from dyadline.inference.variance import variance_components
    from dyadline.model.dyadic import fit_dyadic
    from dyadline.model.fit import Fit, fit
    from dyadline.model.many import fit_many, many_satterthwaite
    from dyadline.model.simulate import simulate_responses
    from dyadline.plan.analysis import AnalysisPlan
    from dyadline.plan.document import parse_plan, plan_schema, read_plan
    from dyadline.plan.truth import Truth
    from dyadline.plan.truth_document import read_truth
    from dyadline.planning import power_design
    from dyadline.publication import write_report
    from dyadline.report.syntax.scripts import syntax, syntax_data
    from dyadline.result import AnalysisResult
    from dyadline.studies.power.result import PowerResult
    from dyadline.studies.published.check import check_table
    from dyadline.studies.simulation.simulate import simulate
    from dyadline.workflow import convergence, describe, run

_ROOMS = {
    "AnalysisPlan": "plan.analysis",
    "AnalysisResult": "result",
    "Bootstrap": "inference.bootstrap",
    "DataError": "errors",
    "DyadlineError": "errors",
    "Finding": "errors",
    "Fit": "model.fit",
    "FitError": "errors",
    "Influence": "inference.influence",
    "PlanError": "errors",
    "PowerResult": "studies.power.result",
    "SlopePower": "inference.power",
    "Truth": "plan.truth",
    "bootstrap": "inference.bootstrap",
    "certify": "certification",
    "check_table": "studies.published.check",
    "checks": "inference.checks",
    "coefficients": "inference.coefficients",
    "compare": "inference.compare",
    "confidence_intervals": "inference.profile",
    "contrasts": "inference.contrasts",
    "convergence": "workflow",
    "describe": "workflow",
    "f_test": "inference.contrasts",
    "fit": "model.fit",
    "fit_dyadic": "model.dyadic",
    "fit_many": "model.many",
    "icc": "inference.intraclass",
    "influence": "inference.influence",
    "information_criteria": "inference.criteria",
    "many_satterthwaite": "model.many",
    "parse_plan": "plan.document",
    "plan_schema": "plan.document",
    "power_design": "planning",
    "power_slope": "inference.power",
    "pseudo_r_squared": "inference.explained",
    "r_squared": "inference.explained",
    "random_effect_test": "inference.compare",
    "random_effects": "inference.modes",
    "read_plan": "plan.document",
    "read_truth": "plan.truth_document",
    "residuals": "inference.residuals",
    "robust_coefficients": "inference.robust",
    "robust_covariance": "inference.robust",
    "run": "workflow",
    "simple_slopes": "inference.contrasts",
    "simulate": "studies.simulation.simulate",
    "simulate_responses": "model.simulate",
    "standardised": "inference.standardised",
    "syntax": "report.syntax.scripts",
    "syntax_data": "report.syntax.scripts",
    "variance_components": "inference.variance",
    "write_report": "publication",
}

__all__ = [
    "AnalysisPlan",
    "AnalysisResult",
    "Bootstrap",
    "DataError",
    "DyadlineError",
    "Finding",
    "Fit",
    "FitError",
    "Influence",
    "PlanError",
    "PowerResult",
    "SlopePower",
    "Truth",
    "__version__",
    "bootstrap",
    "certify",
    "check_table",
    "checks",
    "coefficients",
    "compare",
    "confidence_intervals",
    "contrasts",
    "convergence",
    "describe",
    "f_test",
    "fit",
    "fit_dyadic",
    "fit_many",
    "icc",
    "influence",
    "information_criteria",
    "many_satterthwaite",
    "parse_plan",
    "plan_schema",
    "power_design",
    "power_slope",
    "pseudo_r_squared",
    "r_squared",
    "random_effect_test",
    "random_effects",
    "read_plan",
    "read_truth",
    "residuals",
    "robust_coefficients",
    "robust_covariance",
    "run",
    "simple_slopes",
    "simulate",
    "simulate_responses",
    "standardised",
    "syntax",
    "syntax_data",
    "variance_components",
    "write_report",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module 'dyadline' has no attribute {name!r}")
    found = getattr(import_module(f"dyadline.{_ROOMS[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
