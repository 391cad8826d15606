"""What the findings of an analysis mean for its conclusions: one sentence for each finding that matters to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from dyadline.report.document import Reference
from dyadline.report.prose.phrases import Phrase

if TYPE_CHECKING:
    from dyadline.result import AnalysisResult

LIMITS: Mapping[str, str] = {
    "synthetic-data": "The data were made up by a simulator, so that nothing here is evidence about psychotherapy",
    "not-certified": "At least one model has no certified optimum, and its numbers should not be reported as they are",
    "baseline-is-first-outcome": "Initial symptoms were the first outcome value, which the models also predict: what "
    "is said of the outcome at time 0, and the variance of the intercepts, means little",
    "same-sessions": "Alliance and outcome were rated over the same sessions, so that the order of events remains open",
    "low-reliability": "Scores of low reliability draw their own coefficients towards zero and may move those of "
    "correlated predictors either way: a small coefficient is weak evidence of a small effect",
    "noise-floor": "A discrepancy without a sign cannot fall below the error of the ratings, so that its change mixes "
    "convergence with changes of that error",
    "crossing-lines": "In some dyads the two raters changed places, which a straight line through the size of their "
    "discrepancy describes poorly",
    "dyads-without-score": "Some dyads had no convergence score and are missing from the models that have it",
    "scores-not-imputed": "Dyads without a score are missing from the models that have it, because scores were not "
    "imputed",
    "listwise-deletion": "Dyads that lacked a predictor were left out, which biases the results if they differ from "
    "those that were not",
    "predictors-imputed": "Imputed predictors rest on the assumption that values are missing at random given the other "
    "predictors and the outcome",
    "mostly-imputed": "A predictor was imputed in more dyads than it was observed in",
    "near-collinearity": "Some predictors nearly repeat each other, so that their separate coefficients have large "
    "standard errors",
    "near-collinear": "Some predictors nearly repeat each other, so that their separate coefficients have large "
    "standard errors",
    "boundary-fit": "The random part of at least one model lies on the boundary of what is possible, and the tests of "
    "its random effects mean nothing there",
    "time-not-linear": "A curved course described the outcome better than the straight line that the models assume",
    "therapist-level-left-out": "Therapists treated several patients, and the models do not allow for differences "
    "between therapists",
    "therapist-level-dropped": "The therapist level was left out after a test which, with few therapists, finds large "
    "differences only",
    "one-patient-therapists": "Some therapists had one patient, in whom what is the therapist's and what the patient's "
    "cannot be told apart",
    "dyads-without-therapist": "Some dyads had no known therapist",
    "unequal-scales": "Patients and therapists filled in different forms, so that part of their discrepancy may be "
    "that of the forms",
    "rater-scales": "The two raters' ratings had different ranges, so that part of their discrepancy may be that of "
    "the scales",
    "other-range": "A measure was answered on another range than its original, so that published norms do not apply",
    "straight-lines": "Some records had the same answer to every item, which may be meant or careless",
    "copied-forms": "In some dyads patient and therapist had the same ratings throughout, as if copied",
    "same-rating-throughout": "Some raters gave the same rating throughout",
    "suspected-missing-code": "Some values look like codes for missing ones and were taken as values",
    "undeclared-missing-code": "Some values are labelled like missing ones and were taken as values",
    "outcome-of-two-raters": "The outcome differed between the two raters' rows",
    "log-shift": "The transform depends on this sample's lowest score, so that transformed scores of other samples are "
    "not on the same scale",
    "residuals-not-normal": "The residuals were not normally distributed",
    "effects-not-normal": "The random effects were not normally distributed",
    "unequal-spread": "The spread of the residuals was not the same throughout",
    "serial-correlation": "Residuals of neighbouring occasions correlated, which the models do not allow for",
    "influential-group": "Single dyads moved the estimates",
    "few-groups": "There were few groups for the random effects that were estimated",
    "few-df": "Tests rest on very few degrees of freedom",
    "many-terms": "There were many predictors for so few dyads",
}
"""Finding -> what it means, without its full stop; in the order in which it is said."""


def limit_sentences(result: AnalysisResult, anchors: Collection[str]) -> list[Phrase]:
    """A sentence for each kind of finding that limits the conclusions, and where the findings are."""
    found = {finding.code: finding for finding in result.findings}
    three = any(len(fit.spec.random) > 1 for fit in result.fits)
    codes = [code for code in LIMITS if code in found and _matters(found[code].level, code, three=three)]
    sentences: list[Phrase] = []
    if result.fits:
        sentences.append(("All results are associations: none of them shows that convergence changed the outcome.",))
    sentences += [(f"{words}.",) for words in dict.fromkeys(LIMITS[code] for code in codes)]
    if codes and "section-findings" in anchors:
        sentences.append(("The findings behind these limits are in ", Reference("section-findings"), "."))
    return sentences


def _matters(level: str, code: str, *, three: bool) -> bool:
    """A noise floor that the mean score lies on is told where the score is; as a warning it is a limit."""
    if code == "one-patient-therapists":
        return three
    return code != "noise-floor" or level == "warning"
