"""Residual structures as users write them: `"ar1(session)"`, `"by(rater)"`, `"pairs(rater, session)"`.

The group whose rows hang together is that of the innermost random effects. A model without random effects (SPSS:
REPEATED; R: gls) names it: `"ar1(session | dyad)"`, `"cs(| dyad)"`.
"""

from __future__ import annotations

from dyadline.errors import PlanError, did_you_mean
from dyadline.plan.model import ResidualSpec
from dyadline.plan.tokens import tokens

ARGUMENTS = {
    "independent": 0,
    "by": 1,
    "pairs": 2,
    "ar1": 1,
    "car1": 1,
    "cs": 0,
}
"""Columns that each structure takes."""

EXAMPLES = "independent, by(rater), pairs(rater, session), ar1(session), car1(week), cs"


def parse_residual(text: str | ResidualSpec) -> ResidualSpec:
    """Read a residual structure; see `ResidualSpec`.

    Raises
    ------
    PlanError
        For an unknown structure, or the wrong number of columns.
    """
    if isinstance(text, ResidualSpec):
        return text
    words = [t for t in tokens(str(text)) if t.kind != "end"]
    kind = words[0].text if words else ""
    if kind not in ARGUMENTS:
        raise PlanError(
            f"The residual structure {text!r} is not known",
            way_out=did_you_mean(kind, ARGUMENTS) or f"Use one of {EXAMPLES}",
        )
    columns, group = _inside([(t.kind, t.text) for t in words[1:]])
    if columns is None or len(columns) != ARGUMENTS[kind]:
        raise PlanError(f"The residual structure {text!r} cannot be read", way_out=f"Write it as in {EXAMPLES}")
    return ResidualSpec(kind=kind, columns=columns, group=group)  # type: ignore[arg-type]


def _inside(words: list[tuple[str, str]]) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Columns and group of `(rater, session | dyad)`; no columns (None) if it cannot be read."""
    if not words:
        return (), ()
    if len(words) < 3 or words[0][0] != "(" or words[-1][0] != ")":
        return None, ()
    inside = words[1:-1]
    bars = [number for number, (kind, _) in enumerate(inside) if kind == "|"]
    left, right = (inside[: bars[0]], inside[bars[0] + 1 :]) if bars else (inside, [])
    columns, group = _listed(left, ","), _listed(right, ":")
    if columns is None or group is None or (bars and not group):
        return None, ()
    return columns, group


def _listed(words: list[tuple[str, str]], between: str) -> tuple[str, ...] | None:
    """Names with a sign between them; None if it is something else."""
    names, signs = words[::2], words[1::2]
    right = all(kind == "name" for kind, _ in names) and all(text == between for _, text in signs)
    return tuple(text for _, text in names) if right and len(names) == len(signs) + (1 if words else 0) else None
