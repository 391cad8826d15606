"""Several outcomes of the same row in one model: `cbind(patient, therapist) ~ t + (t | dyad)`.

On the right the name of an outcome stands for "this is a rating of that kind", 0 or 1. A term without any such
name is given to each outcome: `t` stands for `patient:t + therapist:t`, and the intercept for
`patient + therapist`. So the formula above is the growth model of both raters, with four correlated random
effects per dyad, and an actor–partner model is

``cbind(f_mood, m_mood) ~ f_work + m_work + (0 + f_mood + m_mood + f_mood:f_work + m_mood:m_work | couple)``.
"""

from __future__ import annotations

from collections.abc import Sequence

from dyadline.plan.model import Term, Variable

JOINT = ("cbind", "mvbind")
"""R's word for it, and brms'."""


def for_each_response(responses: Sequence[str], terms: Sequence[Term]) -> tuple[Term, ...]:
    """Terms of a joint model: those that name no outcome once for each."""
    kinds = [Variable(name) for name in responses]
    found: dict[frozenset[Variable], Term] = {}
    for term in terms:
        if any(kind in term for kind in kinds):
            found.setdefault(frozenset(term), term)
            continue
        for kind in kinds:
            found.setdefault(frozenset((kind, *term)), (kind, *term))
    return tuple(sorted(found.values(), key=len))
