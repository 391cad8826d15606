"""Residual structures as users write them: `"ar1(session)"`, `"by(rater)"`, `"pairs(rater, session)"`."""

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
    inside = words[1:]
    names = inside[1:-1:2]
    commas = inside[2:-1:2]
    bracketed = not inside or (len(inside) >= 3 and inside[0].kind == "(" and inside[-1].kind == ")")
    listed = all(n.kind == "name" for n in names) and all(c.text == "," for c in commas)
    if not bracketed or not listed or len(names) != ARGUMENTS[kind]:
        raise PlanError(f"The residual structure {text!r} cannot be read", way_out=f"Write it as in {EXAMPLES}")
    return ResidualSpec(kind=kind, columns=tuple(n.text for n in names))  # type: ignore[arg-type]
