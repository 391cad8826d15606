"""The design of the studies that were drawn: what was given, and in what the designs differ from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from dyadline.plan.truth import DropOutTruth, Truth
from dyadline.report.document import Cell, Column, Row, RowGroup, Table
from dyadline.report.numbers import decimals_of_spread, number, occasion
from dyadline.report.power.grid import Grid, thinned
from dyadline.report.power.names import DIMENSIONS, value_text
from dyadline.studies.power.design import patients_per_therapist, share_lost

MOST_VALUES = 8

FEW_OCCASIONS = 6
"""As many are named one by one."""

_COUNTED = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def design_table(grid: Grid) -> Table:
    """Design and missing values, a line each; where designs are not as given, what they are instead."""
    given = grid.result.given or grid.result.truth
    lines = list(_lines(grid, given))
    differ = any(here for _, _, here in lines)
    columns = [Column(label="As given" if differ else "Value", align="text")]
    columns += [Column(label="In the designs", align="text")] if differ else []

    def cells(said: str, here: str) -> Iterator[Cell]:
        yield Cell(value=said, kind="text")
        if differ:
            yield Cell(value=here, kind="text")

    rows = tuple(Row(label=label, cells=tuple(cells(said, here))) for label, said, here in lines)
    return Table(
        key="design",
        caption="Design of the studies that were drawn",
        stub="What",
        columns=tuple(columns),
        groups=(RowGroup(rows=rows),),
        note=tuple(_notes(grid, given, differ=differ)),
    )


def _notes(grid: Grid, given: Truth, *, differ: bool) -> Iterator[str]:
    if not differ:
        return
    yield "Where nothing stands in the last column, designs are as given."
    sessions = [s for s in grid.values("sessions") if s != len(given.rated_occasions)]
    if not sessions:
        return
    if min(sessions) < len(given.rated_occasions):
        yield (
            " Fewer sessions are spread evenly over the same time; where ratings are left out, the outcome is not "
            "measured either."
        )
    if max(sessions) > len(given.rated_occasions):
        yield " More sessions follow in the same steps, with drop-out as before for the same time."


def _lines(grid: Grid, given: Truth) -> Iterator[tuple[str, str, str]]:
    """What, as given, and in the designs where it differs."""
    rated = len(given.rated_occasions)
    yield "Dyads", value_text("dyads", given.dyads), _differing(grid, "dyads", given.dyads)
    yield (
        "Sessions with ratings",
        f"{value_text('sessions', rated)}: {_occasions(given.rated_occasions)}",
        _differing(grid, "sessions", rated),
    )
    yield "Occasions with an outcome", _occasions(given.measured_occasions), ""
    lost = share_lost(given)
    other = _differing(grid, "drop_out", lost)
    yield "Drop-out", drop_out_words(given), f"{other} of dyads" if other else ""
    missing = given.missing
    said = [("Occasions without any form", missing.skipped), ("One rater's form missing", missing.form)]
    said.append(("Outcome missing", missing.outcome_form))
    yield from ((label, f"{percent(share)} of occasions", "") for label, share in said if share)
    if given.length is not None:
        length = given.length
        yield (
            "Length of therapies",
            f"median of {occasion(length.median)} sessions, SD of the logarithm {number(length.log_sd)}, none below "
            f"{length.least}{'' if given.sessions is None else '; no occasion is lost by it'}",
            "",
        )
    if given.alliance.scale is not None:
        low, high = given.alliance.scale
        yield "Scale of the ratings", f"{occasion(low)} to {occasion(high)}", ""
    yield from _therapists(grid, given)
    effects = [value for value in grid.values("effect") if value is not None]
    if effects:
        yield "Effect β of true convergence", ", ".join(value_text("effect", value) for value in effects), ""


def _therapists(grid: Grid, given: Truth) -> Iterator[tuple[str, str, str]]:
    per = patients_per_therapist(given)
    here = _differing(grid, "per_therapist", per)
    others = f"one for {here} patients" if here else ""
    if "dyads" in grid.varying and per is not None and not here:
        others = "more or fewer with the dyads"
    if given.therapists:
        total = sum(given.therapists.values())
        arms = ", ".join(f"{n} {arm}" for arm, n in given.therapists.items())
        named = f" ({arms})" if len(given.therapists) > 1 else ""
        yield "Therapists", f"{total}{named}, one for {value_text('per_therapist', per)} patients", others
    elif others:
        yield "Therapists", "none", others
    if not given.therapists and not others:
        return
    effects = given.therapist_effects
    sds = {
        "outcome's intercept": effects.outcome[0],
        "outcome's slope": effects.outcome[1],
        "patients' ratings": effects.patient,
        "therapist's ratings": effects.therapist,
    }
    told = [f"{what} {number(sd, decimals_of_spread(sd))}" for what, sd in sds.items() if sd]
    yield "SD over therapists", ", ".join(told) if told else "0: therapists do not differ", ""


def _differing(grid: Grid, key: str, given: float | None) -> str:
    """All values of something where they are not just the given one; empty otherwise."""
    values = grid.values(key)
    if all(
        value == given or (value is not None and given is not None and abs(value - given) < 1e-9) for value in values
    ):
        return ""
    said = [f"{value_text(key, v)}{'%' * (key == 'drop_out' and v is not None)}" for v in thinned(values, MOST_VALUES)]
    more = "" if len(said) == len(values) else f" ({len(values)} {DIMENSIONS[key].what})"
    return ", ".join(said) + more


def drop_out_words(truth: Truth) -> str:
    """Who drops out when, in words."""
    rule, always = truth.missing.drop_out, truth.missing.always
    kept = _COUNTED[always] if always < len(_COUNTED) else str(always)
    since = "after the first" if always == 1 else f"after the first {kept}"
    if not isinstance(rule, DropOutTruth):
        lost = share_lost(truth)
        if not rule or not lost:
            return "none"
        return f"{percent(lost)} of dyads: a chance of {percent(rule)} before each occasion {since}"
    slopes = {"occasion": rule.time, "SD of the last outcome": rule.outcome}
    slopes |= {"SD of the patient's last rating": rule.patient, "SD of the therapist's last rating": rule.therapist}
    named = [f"{number(by)} per {what}" for what, by in slopes.items() if by]
    more = f"; its log odds change by {', '.join(named)}" if named else ""
    return f"a chance of {percent(rule.rate)} before the first occasion {since}{more}"


def percent(share: float) -> str:
    """``18.1%``, ``14%``."""
    shown = number(100.0 * share, 1)
    return f"{shown.removesuffix('.0')}%"


def _occasions(times: Sequence[float]) -> str:
    steps = {round(b - a, 9) for a, b in pairwise(times)}
    if len(times) > FEW_OCCASIONS and len(steps) == 1:
        return f"{occasion(times[0])}, {occasion(times[1])}, …, {occasion(times[-1])}"
    return ", ".join(map(occasion, times))
