"""What a convergence score is, in words and as a formula, for every combination of choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dyadline.plan.analysis import ConvergenceSection, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One named choice.

    Attributes
    ----------
    key, value
        As in the plan, such as ``growth`` and ``multilevel``.
    words
        What it means.
    """

    key: str
    value: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operationalisation:
    """A way to make the scores, ready to print and to cite.

    Attributes
    ----------
    name
        ``growth/discrepancy/slope/unit/transform``, then what else is not the default.
    choices
        Every choice with its meaning, in the plan's order.
    sentence
        A paragraph for the method section.
    formula
        LaTeX, an ``align*`` block: curves, discrepancy, untransformed score ``s_j``, score ``C_j``; j is the
        dyad, t time, ``D_{j1}`` and ``D_{jn_j}`` the discrepancies at the dyad's first and last occasion.
    """

    name: str
    choices: tuple[Choice, ...]
    sentence: str
    formula: str


GROWTH: Final = {
    "multilevel": "each rater's curve in each dyad comes from a multilevel growth model of that rater's ratings "
    "(linear in time, intercept and slope varying over dyads, REML): the average curve plus the dyad's predicted "
    "deviation from it",
    "dyadic": "both raters' curves in each dyad come from one joint growth model of both raters' ratings (linear in "
    "time; the two intercepts and two slopes vary and correlate over dyads; residual variance by rater, residual "
    "correlation within an occasion; REML; Raudenbush, Brennan & Barnett, 1995): the average curve plus the dyad's "
    "predicted deviation from it, which draws on the ratings of both",
    "ols": "each rater's curve in each dyad is an ordinary least squares line through that rater's ratings",
    "observed": "no curves are estimated: the ratings are used as they were given",
}
DISCREPANCY: Final = {
    "absolute": "the absolute difference between the patient's and the therapist's {side}",
    "signed": "the patient's minus the therapist's {side}",
    "squared": "the squared difference between the patient's and the therapist's {side}",
}
SLOPE: Final = {
    "rate": "minus the slope of an ordinary least squares line through the discrepancy over time",
    "toward_zero": "the slope of an ordinary least squares line through the discrepancy over time, with its sign "
    "turned so that a move towards zero from where the dyad started is positive",
    "endpoints": "the size of the discrepancy at the dyad's first occasion minus its size at the dyad's last",
    "log_ratio": "the natural logarithm of the ratio of the discrepancy's size at the dyad's first occasion to "
    "its size at the dyad's last",
}
UNIT: Final = {
    "window": "multiplied by the length of the observed window, from the study's first to its last rating "
    "occasion (change over the whole window)",
    "per_unit": "as change per unit of time",
}
TRANSFORM: Final = {
    "log_shift": "then ln(x − min(x) + 1), where x is the untransformed score and min(x) the smallest one",
    "none": "not transformed",
    "signed_log": "then sign(x) · ln(1 + |x|), where x is the untransformed score",
    "asinh": "then asinh(x), the inverse hyperbolic sine of the untransformed score x",
    "yeo_johnson": "then Yeo and Johnson's (2000) power transform, its power λ by maximum likelihood",
    "rank_normal": "then the normal scores of the ranks, Φ⁻¹((rank − 3/8)/(n + 1/4)) (Blom, 1958)",
}
EARLY_LEVEL: Final = {
    "curve": "early alliance of patient and therapist is the height of each curve at the study's first rating occasion",
    "first_rating": "early alliance of patient and therapist is the first rating that each gave",
}
EARLY_DISCREPANCY: Final = {
    "signed": "early discrepancy is the patient's minus the therapist's rating at the dyad's first occasion "
    "that both rated",
    "absolute": "early discrepancy is the absolute difference of the two ratings at the dyad's first occasion "
    "that both rated",
    "curve": "early discrepancy is the patient's minus the therapist's curve at the study's first rating occasion",
    "none": "early discrepancy is not a predictor",
}

_JOINT_MODES: Final = (
    r"\hat u^P_{kj}, \hat u^T_{kj}",
    r"\operatorname{E}\left(u^P_{kj}, u^T_{kj} \mid P_{j1}, \ldots, T_{j1}, \ldots\right)",
)
_SLOPE_FORMULA = r"\frac{\sum_t (t - \bar t_j)(D_{jt} - \bar D_j)}{\sum_t (t - \bar t_j)^2}"
_TRANSFORM_FORMULA: Final = {
    "log_shift": r"\ln\left(s_j - \min_k s_k + 1\right)",
    "none": "s_j",
    "signed_log": r"\operatorname{sign}(s_j) \ln\left(1 + \left|s_j\right|\right)",
    "asinh": r"\operatorname{arsinh}(s_j)",
    "yeo_johnson": r"\psi_{\hat\lambda}(s_j)",
    "rank_normal": r"\Phi^{-1}\left(\frac{\operatorname{rank}(s_j) - 3/8}{n + 1/4}\right)",
}


def describe_operationalisation(how: ConvergenceSection) -> Operationalisation:
    """Say what the choices of a plan's `convergence` section amount to."""
    return Operationalisation(name=_name(how), choices=_choices(how), sentence=_sentence(how), formula=_formula(how))


def _timeless(how: ConvergenceSection) -> bool:
    """Whether the score compares two occasions, so that the unit concerns the alliance development alone."""
    return how.slope in ("endpoints", "log_ratio")


def _name(how: ConvergenceSection) -> str:
    name = "/".join((how.growth, how.discrepancy, how.slope, how.unit, how.transform))
    default = ConvergenceSection()
    others = {
        "early_level": how.early_level,
        "early_discrepancy": how.early_discrepancy,
        "rating_window": _window(how.rating_window),
        "outcome_window": _window(how.outcome_window),
    }
    return "; ".join([name, *(f"{k}={v}" for k, v in others.items() if v != getattr(default, k))])


def _window(window: Window) -> str:
    return window if isinstance(window, str) else f"[{window[0]:.15g}, {window[1]:.15g}]"


def _window_words(window: Window, what: str) -> str:
    if isinstance(window, str):
        return f"all occasions count for the {what}"
    return f"only occasions from {window[0]:.15g} to {window[1]:.15g} count for the {what}"


def _discrepancy(how: ConvergenceSection) -> str:
    side = "rating" if how.growth == "observed" else "curve"
    plural = "" if how.discrepancy == "signed" else "s"
    return DISCREPANCY[how.discrepancy].format(side=side + plural)


def _choices(how: ConvergenceSection) -> tuple[Choice, ...]:
    unit = UNIT[how.unit]
    if _timeless(how):
        unit += "; concerns the alliance development alone, because the score compares two occasions"
    words = {
        "growth": GROWTH[how.growth],
        "discrepancy": _discrepancy(how),
        "slope": SLOPE[how.slope],
        "unit": unit,
        "transform": TRANSFORM[how.transform],
        "early_level": EARLY_LEVEL[how.early_level],
        "early_discrepancy": EARLY_DISCREPANCY[how.early_discrepancy],
        "rating_window": _window_words(how.rating_window, "alliance"),
        "outcome_window": _window_words(how.outcome_window, "outcome"),
    }
    values = {key: getattr(how, key) for key in words}
    shown = {key: _window(value) if key.endswith("window") else value for key, value in values.items()}
    return tuple(Choice(key=key, value=shown[key], words=words[key]) for key in words)


def score_meaning(how: ConvergenceSection) -> str:
    """What a positive score means."""
    if how.discrepancy == "signed" and how.slope == "rate":
        return (
            "positive values mean that the patient's rating fell relative to the therapist's (a coming closer "
            "only where the patient rated higher at first)"
        )
    return "positive values mean that patient and therapist came closer"


def _sentence(how: ConvergenceSection) -> str:
    observed = how.growth == "observed"
    rated = "both rated" if observed else "at least one of the two rated"
    unit = "" if _timeless(how) else f"; {UNIT[how.unit]}"
    transform = TRANSFORM[how.transform]
    mean = "an ordinary least squares line through the mean of the two ratings" if observed else "the mean curve"
    sentences = [
        GROWTH[how.growth],
        f"the discrepancy is {_discrepancy(how)}, at each occasion that {rated}",
        f"the convergence score is {SLOPE[how.slope]}, so that {score_meaning(how)}{unit}; {transform}",
        EARLY_LEVEL[how.early_level],
        EARLY_DISCREPANCY[how.early_discrepancy],
        f"alliance development is the slope of {mean}, {UNIT[how.unit]}",
        _window_words(how.rating_window, "alliance"),
        _window_words(how.outcome_window, "outcome"),
    ]
    return " ".join(f"{words[0].upper()}{words[1:]}." for words in sentences)


def _formula(how: ConvergenceSection) -> str:
    curved = how.growth != "observed"
    patient, therapist = (r"\hat P_{jt}", r"\hat T_{jt}") if curved else ("P_{jt}", "T_{jt}")
    difference = f"{patient} - {therapist}"
    gap = {
        "absolute": rf"\left|{difference}\right|",
        "signed": difference,
        "squared": rf"\left({difference}\right)^2",
    }[how.discrepancy]
    per = r" \cdot (t_{\max} - t_{\min})" if how.unit == "window" else ""
    score = {
        "rate": f"-{_SLOPE_FORMULA}{per}",
        "toward_zero": rf"-\operatorname{{sign}}(D_{{j1}}) \cdot {_SLOPE_FORMULA}{per}",
        "endpoints": r"\left|D_{j1}\right| - \left|D_{jn_j}\right|",
        "log_ratio": r"\ln\frac{\left|D_{j1}\right|}{\left|D_{jn_j}\right|}",
    }[how.slope]
    curves = [(patient, _curve(how, "P")), (therapist, _curve(how, "T"))] if curved else []
    if how.growth == "dyadic":
        curves.append(_JOINT_MODES)
    lines = [*curves, ("D_{jt}", gap), ("s_j", score), ("C_j", _TRANSFORM_FORMULA[how.transform])]
    body = r" \\ ".join(f"{left} &= {right}" for left, right in lines)
    return rf"\begin{{align*}} {body} \end{{align*}}"


def _curve(how: ConvergenceSection, rater: str) -> str:
    if how.growth == "ols":
        return rf"\hat b^{rater}_{{0j}} + \hat b^{rater}_{{1j}} t"
    fixed, mode = rf"\hat\gamma^{rater}", rf"\hat u^{rater}"
    return rf"{fixed}_0 + {mode}_{{0j}} + \left({fixed}_1 + {mode}_{{1j}}\right) t"
