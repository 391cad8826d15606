"""What cannot be together in a truth, and the covariance matrix that it states."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from dyadline.plan.truth import Truth

    Contradiction = tuple[tuple[str, ...], str]

OWN_COLUMNS = ("dyad", "therapist", "arm", "n_sessions")
"""Columns that a simulated study has beside those that the truth names."""

ROUNDING = 1e-9
"""A smallest eigenvalue this much below zero, beside the largest, is rounding."""


def contradictions(truth: Truth) -> list[Contradiction]:
    """Key path and sentence of everything that does not fit together."""
    return [*_of_time(truth), *_of_columns(truth), *_of_people(truth), *_of_spread(truth), *_of_outcome(truth)]


def effects_covariance(truth: Truth) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Covariance of the random effects over dyads in the order of `plan.truth.EFFECTS`, (6, 6).

    Given by `covariance` where the truth has it: with four rows, the outcome's are those of ``[outcome.random]``;
    with five, the outcome's slope does not vary.
    """
    import numpy as np

    full = np.zeros((6, 6))
    random = truth.outcome.random
    full[4:, 4:] = [[random.intercept, random.covariance], [random.covariance, random.slope]]
    if truth.covariance is not None:
        given = np.array(truth.covariance, dtype=float)
        if len(given) > 4:
            full[4:, 4:] = 0.0
        full[: len(given), : len(given)] = given
        return full
    raters = (truth.alliance.patient, truth.alliance.therapist)
    correlation = np.eye(4)
    for block, rater in enumerate(raters):
        correlation[2 * block, 2 * block + 1] = correlation[2 * block + 1, 2 * block] = rater.r
    correlation[[0, 1, 2, 3], [2, 3, 0, 1]] = truth.alliance.between
    sd = np.array([*raters[0].sd, *raters[1].sd])
    full[:4, :4] = correlation * np.outer(sd, sd)
    return full


def _of_time(truth: Truth) -> Iterator[Contradiction]:
    occasions = truth.occasions
    if _falls(occasions):
        yield ("occasions",), "occasions must ascend"
    for key, chosen in (("rated", truth.rated), ("measured", truth.measured)):
        if chosen is None:
            continue
        unknown = [t for t in chosen if t not in occasions]
        if unknown:
            yield (key,), f"{unknown[0]:g} is not one of the occasions"
        elif len(chosen) < 2 or _falls(chosen):
            yield (key,), "at least two occasions are needed, in ascending order"
    if truth.sessions is not None and truth.length is None:
        yield ("sessions",), "the last session needs the dyad's number of sessions: write a section [length]"
    if truth.sessions is not None and len(truth.sessions) != len(occasions) - 1:
        yield ("sessions",), f"there are {len(occasions)} occasions, so {len(occasions) - 1} sessions are needed"
    for path, ar1, times in (
        (("alliance", "ar1"), truth.alliance.ar1, truth.rated_occasions),
        (("outcome", "ar1"), truth.outcome.ar1, occasions),
    ):
        steps = [b - a for a, b in pairwise(times)]
        if ar1 < 0 and any(step != int(step) for step in steps):
            yield path, "a negative correlation has no power at a distance that is not a whole number"


def _falls(times: tuple[float, ...]) -> bool:
    return any(b <= a for a, b in pairwise(times))


def _of_columns(truth: Truth) -> Iterator[Contradiction]:
    from dyadline.errors import did_you_mean

    own = [*OWN_COLUMNS, *(["session"] if truth.sessions is not None else [])]
    seen: list[str] = []
    for key in type(truth.names).model_fields:
        name = getattr(truth.names, key)
        if name in own:
            yield ("names", key), f"the simulated file itself has a column {name!r}; choose another name"
        elif name in seen:
            yield ("names", key), f"the name {name!r} stands twice"
        seen.append(name)
    scored = (truth.names.patient, truth.names.therapist, truth.names.outcome)
    for column, how in truth.items.items():
        if column not in scored:
            hint = did_you_mean(column, scored) or f"Scores from items can be {', '.join(scored)}"
            yield ("items", column), f"there is no column {column!r} that items could make. {hint}"
        if how.scale is not None:
            yield ("items", column, "scale"), "answers are drawn for the measure's total, not for a subscale"


def _of_people(truth: Truth) -> Iterator[Contradiction]:
    effects = truth.therapist_effects
    if not truth.therapists and any((*effects.outcome, effects.patient, effects.therapist)):
        yield ("therapist_effects",), "there are no therapists who could differ: write a section [therapists]"
    if len(truth.therapists) > truth.dyads:
        yield ("therapists",), f"there are {len(truth.therapists)} arms for {truth.dyads} dyads"


def _of_spread(truth: Truth) -> Iterator[Contradiction]:
    import numpy as np

    for path, ends in ((("alliance", "scale"), truth.alliance.scale), (("baseline", "range"), truth.baseline.range)):
        if ends is not None and not ends[0] < ends[1]:
            yield path, f"[lowest, highest] must go upwards, and [{ends[0]:g}, {ends[1]:g}] does not"
    if truth.covariance is not None:
        rows = len(truth.covariance)
        if not 4 <= rows <= 6 or any(len(row) != rows for row in truth.covariance):
            shape = f"{rows} row{'s' if rows != 1 else ''} of {', '.join(str(len(row)) for row in truth.covariance)}"
            yield ("covariance",), f"a square matrix with four to six rows is needed, not {shape}"
            return
        given = np.array(truth.covariance)
        apart = np.abs(given - given.T) > ROUNDING * np.abs(given).max()
        if apart.any():
            row, column = (int(place) + 1 for place in np.argwhere(apart)[0])
            first, second = given[row - 1, column - 1], given[column - 1, row - 1]
            yield (
                ("covariance",),
                f"the matrix is not symmetric: row {row}, column {column} is {first:g}, the other way {second:g}",
            )
            return
    full, rows = effects_covariance(truth), len(truth.covariance or ())
    parts: list[tuple[tuple[str, ...], np.ndarray[Any, Any]]] = [
        (("covariance",) if rows else ("alliance", "between"), full if rows > 4 else full[:4, :4])
    ]
    if rows <= 4:
        parts.append((("outcome", "random"), full[4:, 4:]))
    for place, part in parts:
        values = np.linalg.eigvalsh(part)
        if values[0] < -ROUNDING * max(values[-1], 0.0) or values[-1] < 0.0:
            yield place, "no random effects can have these variances and covariances (not positive semi-definite)"


def _of_outcome(truth: Truth) -> Iterator[Contradiction]:
    outcome, drop_out = truth.outcome, truth.missing.drop_out
    if outcome.given == "scored":
        if outcome.effect is not None:
            yield ("outcome", "effect"), 'the effect of true convergence needs given = "latent"'
        if not isinstance(drop_out, float) and drop_out.outcome:
            yield (
                ("missing", "drop_out"),
                'with given = "scored" the outcome depends on the observed ratings, so drop-out cannot depend on it',
            )
    if outcome.effect is None:
        return
    if outcome.slope.convergence:
        yield ("outcome", "effect"), "it takes the place of slope.convergence: only one of them can differ from zero"
    given = truth.covariance or ()
    slopes = 0.0 if len(given) == 5 else outcome.random.slope
    if len(given) == 6 and len(given[5]) == 6:
        slopes = given[5][5]
        if any(given[5][:4]):
            yield (
                ("outcome", "effect"),
                "it needs a covariance in which the outcome's slope is unrelated to the ratings' effects",
            )
    if outcome.effect and not slopes:
        yield ("outcome", "effect"), "a standardised effect needs slopes of the outcome that vary"
