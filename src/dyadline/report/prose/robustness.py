"""How far the results hold: explained variance, other choices of the analysis, single dyads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dyadline.report.document import Cell, Symbol
from dyadline.report.labels import model_words
from dyadline.report.prose import effects
from dyadline.report.prose.narrative import p_parts, significant
from dyadline.report.prose.phrases import Phrase, joined, listed_words, places

if TYPE_CHECKING:
    from dyadline.result import AnalysisResult

Anchors = Collection[str]


def explained(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    """Marginal R² of the models."""
    shares = result.tables.get("r_squared")
    if shares is None or shares.height < 2:
        return
    values = [(Cell(value=r["r2_marginal"], kind="proportion"),) for r in shares.iter_rows(named=True)]
    yield (
        "The fixed effects of ", listed_words([model_words(model)[0] for model in shares["model"]]),
        " accounted for ", *joined(values), " of the variance (marginal ", Symbol("R"), "²",
        *_inside(places(anchors, "table-effect_sizes")), ").",
    )  # fmt: skip


def _inside(where: Phrase) -> Phrase:
    """Places that stand in brackets already."""
    return ("; ", *where[1:-1]) if where else ()


def other_choices(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    """Whether tests of convergence come out as reported under the variants that could be fitted."""
    frame = result.tables.get("sensitivity")
    if frame is None:
        return
    tests = effects.effects_in(frame.drop_nulls("term"), [fit.spec for fit in result.fits])
    by_variant: dict[str, dict[tuple[Any, str], effects.Effect]] = {}
    for test in tests:
        if test.of_convergence:
            by_variant.setdefault(test.record["variant"], {})[test.record["model"], test.record["term"]] = test
    reported = by_variant.pop("reported", {})
    where = places(anchors, "table-sensitivity")
    for variant, found in by_variant.items():
        changed = [test for key, test in found.items() if significant(test.record) != significant(reported[key].record)]
        words = _VARIANTS[variant].format(most=result.plan.sensitivity.most_sessions)
        count = Cell(value=len(found), kind="count")
        number = Cell(value=len(changed), kind="count")
        if not changed:
            which: Phrase = {1: ("the test",), 2: ("both tests",)}.get(len(found), ("all ", count, " tests"))
            yield (
                f"{words}, ", *which, " of convergence came out as reported (smallest ",
                *p_parts(min(test.record["p_value"] for test in found.values())), *_inside(where), ").",
            )  # fmt: skip
        else:
            which = ("the test",) if len(found) == 1 else (number, " of ", count, " tests")
            yield (
                f"{words}, ", *which, " of convergence came out differently: ",
                *joined([_now(test) for test in changed]), *where, ".",
            )  # fmt: skip


_VARIANTS: Mapping[str, str] = {
    "listwise": "Without imputation",
    "complete_cases": "With complete cases alone",
    "sessions": "With the number of sessions as a further predictor",
    "fewer_sessions": "Without dyads of more than {most} sessions",
}


def _now(test: effects.Effect) -> Phrase:
    about = "slope" if test.on_slope else "outcome at time 0"
    state = "was significant" if significant(test.record) else "was not significant"
    return (
        f"in {model_words(test.record['model'])[0]} that of {effects.subject(test)} on the {about} {state}, ",
        *p_parts(test.record["p_value"]),
    )  # fmt: skip


def single_dyads(result: AnalysisResult, anchors: Anchors) -> Iterator[Phrase]:
    """How far any one dyad moves the effects of convergence."""
    influence = result.tables.get("influence")
    if influence is None:
        return
    about = [e for e in effects.effects_in(influence, [fit.spec for fit in result.fits]) if e.of_convergence]
    sizes = [e.record["largest_dfbetas"] for e in about]
    if sizes:
        moved = "the effect" if len(sizes) == 1 else "the effects"
        yield (
            f"Leaving out any one dyad moved {moved} of convergence in {model_words(about[0].record['model'])[0]} by "
            "at most ", Cell(value=max(sizes)), " standard errors",
            *places(anchors, "table-influence", "figure-influence"), ".",
        )  # fmt: skip
    shown = places(anchors, "figure-residuals", "figure-random-effects")
    if shown:
        yield ("Residuals and random effects are shown in ", *shown[1:-1], ".")
