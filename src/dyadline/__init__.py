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
    from dyadline.errors import DataError, DyadlineError, Finding, FitError, PlanError
    from dyadline.inference.bootstrap import Bootstrap, bootstrap
    from dyadline.inference.coefficients import coefficients
    from dyadline.inference.contrasts import contrasts, f_test, simple_slopes
    from dyadline.inference.criteria import information_criteria
    from dyadline.inference.standardised import standardised
    from dyadline.inference.variance import variance_components
    from dyadline.model.fit import Fit, fit
    from dyadline.plan.analysis import AnalysisPlan
    from dyadline.plan.document import parse_plan, plan_schema, read_plan
    from dyadline.result import AnalysisResult
    from dyadline.scoring.score import convergence
    from dyadline.studies.twins import simulate
    from dyadline.workflow import run, write_report

_ROOMS = {
    "AnalysisPlan": "plan.analysis",
    "AnalysisResult": "result",
    "Bootstrap": "inference.bootstrap",
    "DataError": "errors",
    "DyadlineError": "errors",
    "Finding": "errors",
    "Fit": "model.fit",
    "FitError": "errors",
    "PlanError": "errors",
    "bootstrap": "inference.bootstrap",
    "coefficients": "inference.coefficients",
    "contrasts": "inference.contrasts",
    "convergence": "scoring.score",
    "f_test": "inference.contrasts",
    "fit": "model.fit",
    "fit_dyadic": "model.dyadic",
    "information_criteria": "inference.criteria",
    "parse_plan": "plan.document",
    "plan_schema": "plan.document",
    "read_plan": "plan.document",
    "run": "workflow",
    "simple_slopes": "inference.contrasts",
    "simulate": "studies.twins",
    "standardised": "inference.standardised",
    "variance_components": "inference.variance",
    "write_report": "workflow",
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
    "PlanError",
    "__version__",
    "bootstrap",
    "coefficients",
    "contrasts",
    "convergence",
    "f_test",
    "fit",
    "fit_dyadic",
    "information_criteria",
    "parse_plan",
    "plan_schema",
    "read_plan",
    "run",
    "simple_slopes",
    "simulate",
    "standardised",
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
