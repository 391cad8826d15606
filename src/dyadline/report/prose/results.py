"""The results section of a manuscript: who was seen, how both rated, who converged, and what went with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from dyadline.data.roles import OCCASION
from dyadline.report.document import Block, Cell, Heading, Part, Symbol
from dyadline.report.labels import model_words
from dyadline.report.numbers import decimals_for, decimals_of_spread
from dyadline.report.prose import effects
from dyadline.report.prose.limits import limit_sentences
from dyadline.report.prose.narrative import EQUALS, p_parts, row_decimals, significant
from dyadline.report.prose.null import null_sentences
from dyadline.report.prose.phrases import Phrase, joined, moment, paragraph, places, predictor, several, share
from dyadline.report.prose.robustness import explained, other_choices, single_dyads

if TYPE_CHECKING:
    from dyadline.result import AnalysisResult

Anchors = Collection[str]

FEWEST = 5
"""Values below which an occasion is not described in words: a mean of one is that dyad's value."""

_WHOSE = {"patient_rating": "patients' ratings", "therapist_rating": "therapists' ratings", "outcome": "outcome values"}


def results_blocks(result: AnalysisResult, anchors: Anchors) -> Iterator[Block]:
    """The results in the past tense; numbers are those of the tables.

    Parameters
    ----------
    result
        What `run` computed.
    anchors
        Sections, tables and figures that the document has: only these are referred to.
    """
    sections: list[tuple[str, list[list[Phrase]]]] = [
        ("Sample flow and missing data", [list(_flow(result, anchors))]),
        (
            "Ratings and agreement",
            [[*_ratings(result, anchors), *_alliance_growth(result, anchors)], list(_agreement(result, anchors))],
        ),
        ("Alliance convergence", [list(_scores(result, anchors))]),
        ("Change of the outcome", [list(_growth(result, anchors))]),
        ("Convergence and outcome", _convergence(result, anchors)),
        ("Limits", [limit_sentences(result, anchors)]),
    ]
    for title, paragraphs in sections:
        said = [sentences for sentences in paragraphs if any(sentences)]
        if said:
            yield Heading(title=title)
            yield from (paragraph(*sentences) for sentences in said)


def _flow(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    rows, tables = result.dataset.rows, result.tables
    if result.dataset.n_rows_read != rows.height and not result.plan.columns.wide:
        yield (
            "Of ", *several(result.dataset.n_rows_read, "row"), " of the data, ", Cell(value=rows.height, kind="count"),
            " held a record that could be used", *places(anchors, "table-sizes"), ".",
        )  # fmt: skip
    attrition = tables.get("attrition")
    if attrition is not None and attrition.height and (attrition["clock"] == "time").all():
        first, last = attrition.row(0, named=True), attrition.row(-1, named=True)
        still, whole = last["at_risk"], first["at_risk"]
        who = ("all ", *several(whole, "dyad")) if still == whole else share(still, whole, "dyads")
        where = places(anchors, "table-attrition", "figure-retention")
        yield ("At the last occasion ", *who, " were still seen", *where, ".")
    described = tables.get("descriptives")
    if described is not None and "expected" in described.columns and described["expected"].count():
        total = described.group_by("variable").agg(pl.col("expected", "missing").sum())
        found = {variable: (expected, missing) for variable, expected, missing in total.iter_rows()}
        said: list[Phrase] = [
            (*_percent(100.0 * found[v][1] / found[v][0]), f" of {_WHOSE[v]}") for v in OCCASION if v in found
        ]
        if not any(missing for _, missing in found.values()):
            yield ("Up to each dyad's last occasion no rating and no outcome value was missing.",)
        else:
            where = places(anchors, "table-missing")
            yield ("Up to each dyad's last occasion ", *joined(said), " were missing", *where, ".")
    if "dropout" in tables:
        yield _dropout(tables["dropout"], anchors)


def _percent(value: float) -> Phrase:
    return (Cell(value=value, kind="percent", decimals=1), "%")


def _dropout(dropout: pl.DataFrame, anchors: Anchors) -> Phrase:
    known = [r for r in dropout.iter_rows(named=True) if r["term"] in OCCASION and r["p_value"] is not None]
    if not known:
        return ()
    found = [r for r in known if significant(r)]
    if not found:
        return (
            "Loss (being seen for the last time) was not significantly related to the latest ratings or outcome, "
            "smallest ", *p_parts(min(r["p_value"] for r in known)), *places(anchors, "table-dropout"), ".",
        )  # fmt: skip
    words = {"patient_rating": "patients' ratings", "therapist_rating": "therapists' ratings", "outcome": "outcomes"}
    said: list[Phrase] = [
        (
            f"{'higher' if r['estimate'] > 0 else 'lower'} {words[r['term']]} (odds ratio per standard deviation ",
            Cell(value=r["odds_ratio"], decimals=decimals_for([r["std_error"]])), ", ", *p_parts(r["p_value"]), ")",
        )
        for r in found
    ]  # fmt: skip
    return ("Loss (being seen for the last time) went with ", *joined(said), *places(anchors, "table-dropout"), ".")


def _ratings(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    described = result.tables.get("descriptives")
    if described is None:
        return
    time, seen = moment(result.plan), False
    subjects = {
        "patient_rating": "Patients' ratings of the alliance had",
        "therapist_rating": "Therapists' ratings had",
        "outcome": "The outcome had",
    }
    for variable, subject in subjects.items():
        own = described.filter(pl.col("variable") == variable).sort("time")
        enough = own.filter(pl.col("n") >= FEWEST)
        if enough.height < 2:
            continue
        d = decimals_of_spread(*own["sd"].to_list())
        first, last = (_moment(enough.row(n, named=True), d, time) for n in (0, -1))
        yield (f"{subject} ", *first, " and ", *last, ".")
        seen = True
    if seen:
        yield (
            "These are means of the dyads that were there at the time",
            *places(anchors, "table-descriptives", "figure-two-raters"), ".",
        )  # fmt: skip


def _moment(r: Mapping[str, Any], decimals: int, time: str) -> Phrase:
    return (
        Symbol("M"), EQUALS, Cell(value=r["mean"], decimals=decimals), " (",
        Symbol("SD"), EQUALS, Cell(value=r["sd"], decimals=decimals), ", ",
        Symbol("n"), EQUALS, Cell(value=r["n"], kind="count"), f") at {time}\u00a0",
        Cell(value=r["time"], kind="occasion"),
    )  # fmt: skip


def _alliance_growth(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    """The growth models of the ratings, which have time alone."""
    fixed = result.tables.get("growth_fixed_effects")
    if fixed is None:
        return
    found = {r["term"]: r for r in fixed.iter_rows(named=True)}
    said: list[Phrase] = [
        (
            f"{whose} ratings {_moved(r)}, ",
            *effects.tested(r, None, result.plan.report.decimals.p, decimals=decimals_for([r["std_error"]])),
        )
        for r, whose in ((found["patient:t"], "patients'"), (found["therapist:t"], "therapists'"))
    ]
    yield (
        "In growth models without predictors, per unit of time, ", *said[0], ", and ", *said[1],
        *places(anchors, "table-growth_fixed"), ".",
    )  # fmt: skip


def _moved(slope: Mapping[str, Any]) -> str:
    if not significant(slope):
        return "did not change significantly"
    return "fell" if slope["estimate"] < 0 else "rose"


def _agreement(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    limits = result.tables.get("limits_of_agreement")
    if limits is None or not limits["pairs"].item():
        return
    r = limits.row(0, named=True)
    d = decimals_of_spread(r["sd_difference"])
    if r["p_value"] is not None:
        higher = "higher" if r["mean_difference"] > 0 else "lower"
        said = (
            f"patients rated {higher} than therapists"
            if significant(r)
            else ("patients and therapists did not differ significantly in their mean ratings")
        )
        yield (
            "Over ", *several(r["pairs"], "occasion"), f" that both rated, {said} (patient minus therapist, ",
            Symbol("M"), EQUALS, Cell(value=r["mean_difference"], decimals=d), ", 95% CI ",
            Cell(value=(r["conf_low"], r["conf_high"]), kind="interval", decimals=d), ", ", *p_parts(r["p_value"]),
            "); 95% of the differences at single occasions are expected between ",
            Cell(value=r["limit_low"], decimals=d), " and ", Cell(value=r["limit_high"], decimals=d),
            *places(anchors, "table-limits"), ".",
        )  # fmt: skip
    correlations = result.tables.get("rater_correlations")
    if correlations is None:
        return
    known = {c["level"]: c for c in correlations.iter_rows(named=True) if c["correlation"] is not None}
    kinds = (("between", "between the means of dyads"), ("within", "within dyads from occasion to occasion"))
    said_r: list[Phrase] = [(*_correlation(known[level]), f" {words}") for level, words in kinds if level in known]
    if said_r:
        yield ("The two ratings correlated ", *joined(said_r), *places(anchors, "table-rater-correlations"), ".")


def _correlation(r: Mapping[str, Any]) -> Phrase:
    test: tuple[Part, ...] = ()
    if r["conf_low"] is not None:
        bounds = Cell(value=(r["conf_low"], r["conf_high"]), kind="bounds")
        test = (", ", *p_parts(r["p_value"]), ", 95% CI ", bounds, ",")
    freedom = Cell(value=r["df"], kind="count")
    return (Symbol("r"), "(", freedom, f"){EQUALS}", Cell(value=r["correlation"], kind="proportion"), *test)


def _scores(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    raw = result.scores["convergence_raw"].drop_nulls().drop_nans()
    if raw.len() < FEWEST:
        return
    d = decimals_of_spread(raw.std())  # type: ignore[arg-type]
    transformed = result.plan.convergence.transform != "none"
    before = " before its transform" if transformed else ""
    how = result.plan.convergence
    relative = how.discrepancy == "signed" and how.slope == "rate"
    meaning = "the patient's rating fell relative to the therapist's" if relative else "the two came closer"
    mean, sd = (Cell(value=value, decimals=d) for value in (raw.mean(), raw.std()))  # type: ignore[arg-type]
    yield (
        f"The convergence score{before}", *places(anchors, "table-scores", "figure-score-histograms"), " had ",
        Symbol("M"), EQUALS, mean, ", ", Symbol("SD"), EQUALS, sd, f"; it was positive, that is, {meaning}, in ",
        *share(int((raw > 0).sum()), raw.len(), "dyads"), ".",
    )  # fmt: skip
    simulated, null = result.scoring.simulated, result.tables.get("null_distribution")
    if null is not None:
        yield from null_sentences(null, how, anchors)
    elif simulated is not None and how.discrepancy != "signed":
        yield _noise(float(raw.mean()), simulated.null_low, simulated.null_high, d)  # type: ignore[arg-type]
    missing = result.scores.height - raw.len()
    if missing:
        yield ("There was no convergence score for ", *several(missing, "dyad"), ".")
    known = {s: r for s, r in result.scoring.reliability.iter_rows() if r is not None}
    if "convergence" in known:
        others: list[Phrase] = [
            (f"{predictor(score)} ", Cell(value=value, kind="proportion"))
            for score, value in known.items()
            if score != "convergence"
        ]
        rest: Phrase = (", and that of ", *joined(others)) if others else ()
        own = Cell(value=known["convergence"], kind="proportion")
        yield ("The score's estimated reliability was ", own, *rest, ".")


def _noise(mean: float, low: float, high: float, d: int) -> Phrase:
    ends = (Cell(value=low, decimals=d), " to ", Cell(value=high, decimals=d))
    if low <= mean <= high:
        return (
            "This mean lay in the range to be expected if no dyad's gap had changed (95% range ", *ends,
            "): on average there was no sign of convergence or divergence.",
        )  # fmt: skip
    said = "above" if mean > high else "below"
    return (
        f"This mean lay {said} the range to be expected if no dyad's gap had changed (95% range ", *ends,
        f"): on average the dyads {'converged' if mean > high else 'diverged'}.",
    )  # fmt: skip


def _growth(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    fixed = result.tables.get("fixed_effects")
    if fixed is None:
        return
    first = fixed["model"][0]
    title = model_words(first)[0]
    change = fixed.filter((pl.col("model") == first) & (pl.col("term") == "time"))
    if change.height:
        r = change.row(0, named=True)
        alone = "which has time alone" if first == 1 else "at average values of the predictors"
        moved = _moved(r)
        yield (
            f"In {title}, {alone}, the outcome {moved} over time, per unit of time ",
            *effects.tested(r, None, result.plan.report.decimals.p, decimals=row_decimals(fixed, "time")),
            *places(anchors, "table-models", "figure-outcome-curves"), ".",
        )  # fmt: skip
    yield from _variances(result, first)
    test = result.tables.get("level_test")
    if test is not None and test["p_value"][0] is not None:
        r = test.row(0, named=True)
        negated, levels = "" if significant(r) else "not ", {2: "two", 3: "three"}[r["levels_used"]]
        yield (
            f"The variance of the outcome's level over therapists was {negated}significantly above zero, ",
            "likelihood ratio", EQUALS, Cell(value=r["statistic"]), ", ", *p_parts(r["p_value"]),
            f"; the models have {levels} levels", *places(anchors, "table-level_test"), ".",
        )  # fmt: skip
    shares = result.tables.get("intraclass_correlations")
    if shares is not None:
        own = shares.filter((pl.col("variable") == "outcome") & pl.col("icc").is_not_null())
        groups = {r["group"]: r for r in own.iter_rows(named=True)}
        said: list[Phrase] = [
            (Cell(value=groups[group]["icc"], kind="proportion"), f" between {group}s")
            for group in ("dyad", "therapist")
            if group in groups
        ]
        if said:
            yield ("Shares of the outcome's variance (intraclass correlations) were ", *joined(said),
                   *places(anchors, "table-similarity"), ".")  # fmt: skip


def _variances(result: AnalysisResult, model: Any) -> Iterator[Phrase]:
    random = result.tables.get("random_effects")
    if random is None:
        return
    own = random.filter((pl.col("model") == model) & (pl.col("group") == "dyad") & pl.col("term2").is_null())
    found = {r["term1"]: r for r in own.iter_rows(named=True)}
    alone = random.filter((pl.col("group") == "dyad") & pl.col("term2").is_null())
    said: list[Phrase] = [
        (*_variance(found[term], decimals_for(alone.filter(term1=term)["std_error"])), f" for the {words}")
        for term, words in (("(Intercept)", "level at time 0"), ("time", "slope"))
        if term in found
    ]
    if len(said) == 2:
        yield ("Estimated variances over dyads were ", *joined(said), ".")


def _variance(record: Mapping[str, Any], d: int) -> Phrase:
    estimate = Cell(value=record["estimate"], kind="estimate", decimals=d)
    if record["std_error"] is None:
        return (estimate,)
    return (
        estimate, " (", Symbol("SE"), EQUALS, Cell(value=record["std_error"], kind="estimate", decimals=d), ")",
    )  # fmt: skip


def _convergence(result: AnalysisResult, anchors: Anchors) -> list[list[Phrase]]:
    fixed = result.tables.get("fixed_effects")
    if fixed is None:
        return []
    standardised, decimals = result.tables.get("standardised"), result.plan.report.decimals.p
    tests = effects.effects_in(fixed, [fit.spec for fit in result.fits])
    where = places(anchors, "table-models")
    paragraphs: list[list[Phrase]] = []
    for model in fixed["model"].unique(maintain_order=True):
        about = [e for e in tests if e.record["model"] == model and e.of_convergence]
        if about:
            average = any(len(e.names) > 1 for e in about)
            so = ", where the effects of convergence are those at average alliance development" if average else ""
            one, *more = (effects.effect_sentence(e, standardised, decimals) for e in about)
            paragraphs.append([(f"In {model_words(model)[0]}", *where, f"{so}, ", *one), *map(_capital, more)])
    paragraphs.append([effects.tally(tests)])
    largest = max((fit.spec for fit in result.fits), key=lambda spec: len(spec.fixed))
    model = result.plan.models.run[[fit.spec for fit in result.fits].index(largest)]
    first = result.plan.columns.baseline == "first"
    own = [e for e in tests if e.record["model"] == model]
    others = effects.other_effects(own, standardised, decimals, first_outcome=first)
    if others:
        paragraphs.append([(f"In {model_words(model)[0]}, ", *others[0]), *map(_capital, others[1:])])
    paragraphs.append([*_comparison(result, anchors), *explained(result, anchors)])
    paragraphs.append([*other_choices(result, anchors), *single_dyads(result, anchors)])
    return paragraphs


def _capital(phrase: Phrase) -> Phrase:
    first = str(phrase[0])
    return (f"{first[:1].upper()}{first[1:]}", *phrase[1:])


def _comparison(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    common = result.tables.get("criteria_common")
    if common is None or common.height < 2 or common["n_rows"].n_unique() > 1:
        return
    best = {key: common.sort(key).row(0, named=True) for key in ("aic", "bic")}
    first, other = (model_words(best[key]["model"])[0] for key in ("aic", "bic"))
    against: list[Phrase] = [
        (Cell(value=r["aic"], kind="criterion"), f" in {model_words(r['model'])[0]}")
        for r in common.filter(pl.col("model") != best["aic"]["model"]).iter_rows(named=True)
    ]
    lowest: Phrase = (" the lowest BIC, ", Cell(value=best["bic"]["bic"], kind="criterion"))
    yield (
        "By maximum likelihood on the same ", *several(best["aic"]["n_rows"], "outcome value"),
        f", {first} had the lowest AIC, ", Cell(value=best["aic"]["aic"], kind="criterion"), " (", *joined(against),
        *(("), and", *lowest) if first == other else (f"); {other} had", *lowest)),
        *places(anchors, "table-criteria"), ".",
    )  # fmt: skip
