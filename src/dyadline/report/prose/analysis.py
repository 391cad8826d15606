"""How the scores were analysed: models, estimation and tests, missing values, in the past tense."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from dyadline.plan.model import ModelSpec, Term
from dyadline.report.document import Reference, Symbol
from dyadline.report.labels import CONVENTIONS, model_words, split_time
from dyadline.report.prose.phrases import Phrase, listed_words, places, predictor, several
from dyadline.report.tables import imputation as imputation_tables

if TYPE_CHECKING:
    from dyadline.result import AnalysisResult

Anchors = Collection[str]


def outcome_models(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    """What the models have, from the specifications that were fitted."""
    specs = {number: fit.spec for number, fit in zip(result.plan.models.run, result.fits, strict=True)}
    three = any(len(spec.random) > 1 for spec in specs.values())
    nested = "occasions in dyads in therapists" if three else "occasions in dyads"
    yield (
        "The outcome was analysed with linear mixed models of growth (multilevel models; "
        f"{nested}), in which it changed linearly with time.",
    )
    known: list[Term] = []
    for number, spec in specs.items():
        own = of_dyads(spec)
        new = [_term(term) for term in own if term not in known]
        title = model_words(number)[0]
        if not own:
            said = "had time as its only predictor"
        elif known and all(term in own for term in known):
            said = f"added {listed_words(new)}" if new else "had the same predictors"
        else:
            said = f"had {listed_words(['time', *new])}"
        yield (f"{title} {said}.",)
        known = own
    largest = max(specs.values(), key=lambda spec: len(spec.fixed))
    if len(largest.fixed) > 2:
        yield (
            "Predictors of the dyads were centred at their mean over the dyads that had an outcome and all predictors "
            "(grand-mean centring over dyads, not over rows); products were made of centred predictors.",
        )
        if _enters_both(largest):
            yield ("Each predictor entered the intercept and, by its product with time, the slope.",)
    yield _varying(next(iter(specs.values())))
    yield from _levels(result)
    if "section-equations" in anchors:
        yield ("The equations of all models are in ", Reference("section-equations"), ".")


def of_dyads(spec: ModelSpec) -> list[Term]:
    """What stands in the model apart from intercept and time."""
    return [term for term in spec.fixed if term and not split_time(term)[0]]


def _enters_both(spec: ModelSpec) -> bool:
    on_slope = {frozenset(v.label for v in split_time(term)[1]) for term in spec.fixed if split_time(term)[0]}
    return all(frozenset(v.label for v in term) in on_slope for term in of_dyads(spec))


def _term(term: Term) -> str:
    words = [predictor(v.column) for v in term]
    return words[0] if len(words) == 1 else f"the product of {listed_words(words)}"


def _varying(spec: ModelSpec) -> Phrase:
    said = []
    for random in spec.random:
        slopes = any(split_time(term)[0] for term in random.terms)
        what = "intercept and slope" if slopes else "the intercept"
        said.append(f"{what} varied over {random.group[0]}s" + (", with a covariance" if slopes else ""))
    text = "; ".join(said)
    return (f"{text[:1].upper()}{text[1:]}; residuals were independent with one variance.",)


def _levels(result: AnalysisResult) -> Iterator[Phrase]:
    plan = result.plan
    test = result.tables.get("level_test")
    if plan.models.levels == 2:
        if plan.columns.therapist is not None:
            yield ("The nesting of dyads in therapists was not modelled.",)
        return
    if test is None or test["statistic"][0] is None:
        return
    so = ", which decided whether the models have a therapist level" if plan.models.levels == "auto" else ""
    yield (
        "The variance of therapists' intercepts was tested by a likelihood-ratio test against a mixture of χ² "
        f"distributions (Stram & Lee, 1994){so}.",
    )


def estimation(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    """Method, tests, criteria, and the smallest effect."""
    models = result.plan.models
    yield (
        "Models were estimated by "
        + {"REML": "restricted maximum likelihood (REML).", "ML": "maximum likelihood (ML)."}[models.method],
    )
    yield {
        "satterthwaite": (
            "Fixed effects were tested by two-sided ", Symbol("t"), " tests with degrees of freedom by Satterthwaite's "
            "(1946) approximation, and are given with 95% confidence intervals.",
        ),
        "kenward-roger": (
            "Fixed effects were tested by two-sided ", Symbol("t"), " tests with the degrees of freedom and the "
            "adjusted standard errors of Kenward and Roger (1997), and are given with 95% confidence intervals.",
        ),
        "normal": (
            "Fixed effects were tested by two-sided ", Symbol("z"), " tests, which take degrees of freedom as "
            "infinite, and are given with 95% confidence intervals.",
        ),
    }[models.df]  # fmt: skip
    yield (
        "Tests with ", Symbol("p"), " < .05 are called significant; ", Symbol("p"), " values were not adjusted for the "
        "number of tests. Random effects were tested by Wald tests, which are approximate"
        + ("; where predictors were imputed they are means over the completed data sets, without tests."
           if imputation_tables.way(result.tables) == "impute" else "."),
    )  # fmt: skip
    if "standardised" in result.tables:
        yield (
            "Standardised coefficients (", Symbol("β"), ") are in standard deviations: of the outcome and of time over "
            "rows, of predictors over dyads", *places(anchors, "figure-coefficients"), ".",
        )  # fmt: skip
    quantile = Symbol("z" if models.df == "normal" else "t")
    yield (
        "For an effect that was not significant, the smallest true effect that a test with its standard error detects "
        "with 80% power, the minimum detectable effect (MDE; Bloom, 1995), was computed as (", quantile, " at .975 + ",
        quantile, " at .80) × ", Symbol("SE"), ", with the quantiles of the test's own distribution.",
    )  # fmt: skip
    if len(result.fits) > 1 and "criteria_common" in result.tables:
        yield (
            "Models were compared by information criteria of maximum likelihood fits on the rows that all of them "
            f"shared, as {CONVENTIONS[models.criteria]} computes them", *places(anchors, "table-criteria"), ".",
        )  # fmt: skip


def missing_values(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    """What was done where values were missing."""
    models, tables = result.plan.models, result.tables
    these = "" if result.plan.convergence.outcome_window == "all" else " of these occasions"
    yield (
        f"All available outcome values{these} were used; likelihood methods are valid where values are missing at "
        "random given what the model holds.",
    )
    way = imputation_tables.way(tables)
    if way == "impute":
        yield (
            "Missing values of initial symptoms and covariates were imputed ",
            *several(models.imputations, "time"), f" (seed {models.seed}) from a model that is compatible with all "
            "outcome models; scores were never imputed. Estimates were pooled by Rubin's (1987) rules, with degrees of "
            "freedom after Barnard and Rubin (1999)",
            *places(anchors, "table-imputed_predictors", "table-imputation"), ".",
        )  # fmt: skip
        if _lack(result) - {"baseline", *result.plan.columns.covariates}:
            yield ("Dyads that lacked a score were left out of the models that have it.",)
    elif way:
        yield ("Dyads that lacked a predictor were left out of the models that have it (listwise deletion).",)
    elif "left_out" in tables and any(of_dyads(fit.spec) for fit in result.fits):
        yield ("No dyad with an outcome lacked a predictor.",)


def _lack(result: AnalysisResult) -> set[str]:
    """Predictors that dyads with an outcome lack."""
    left_out = result.tables.get("left_out")
    return set() if left_out is None else set(left_out["predictor"].drop_nulls())
